/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_with(int dirfd, const char *path, int flags, unsigned more)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | more,
	};

	/* With O_PATH, a link at the very end is opened itself. */
	if (path[0] == '\0')
		path = ".";
	for (;;) {
		const long fd =
			syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

		/* A rename raced with the lookup: ask again. */
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return (int)fd;
	}
}

int vault_beneath_open(int dirfd, const char *path, int flags)
{
	return open_with(dirfd, path, flags, 0);
}

int vault_beneath_open_read(int dirfd, const char *path)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	int fd = vault_beneath_open(dirfd, path, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = vault_beneath_open(dirfd, path, flags);
	return fd;
}

bool vault_beneath_is_clean(struct vault_span path)
{
	size_t from = 0;

	if (path.len > 0 && memchr(path.data, 0, path.len) != NULL)
		return false;
	for (size_t i = 0; i <= path.len; i++) {
		const uint8_t *name = path.data + from;
		const size_t len = i - from;

		if (i < path.len && path.data[i] != '/')
			continue;
		if (len == 0 || (len == 1 && name[0] == '.') ||
		    (len == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		from = i + 1;
	}
	return true;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static vault_err remove_entries(int fd);

vault_err vault_beneath_remove(int dirfd, const char *name)
{
	vault_err err;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return VAULT_OK;
	if (errno != EISDIR && errno != EPERM)
		return vault_err_from_errno(errno);
	fd = open_with(dirfd, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (fd < 0)
		return errno == EXDEV ? VAULT_ERR_BUSY
				      : vault_err_from_errno(errno);
	(void)fchmod(fd, 0700); /* what is read-only goes as well */
	err = remove_entries(fd);
	if (err == VAULT_OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0)
		err = vault_err_from_errno(errno);
	return err;
}

/* Takes over `fd`. */
static vault_err remove_entries(int fd)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;
	vault_err err = VAULT_OK;

	if (dir == NULL) {
		close(fd);
		return VAULT_ERR_NOMEM;
	}
	while (err == VAULT_OK && (e = readdir(dir)) != NULL) {
		if (!is_dot(e->d_name))
			err = vault_beneath_remove(fd, e->d_name);
	}
	closedir(dir);
	return err;
}
