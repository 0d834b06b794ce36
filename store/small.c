/* SPDX-License-Identifier: Apache-2.0 */
#include "store/small.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/base/log.h"

#define LOCK_NAME "lock"
#define NAME_BYTES 64

static vault_err failure(const char *doing, const char *name)
{
	const int number = errno;

	vault_log_error("vault: %s %s: %s", doing, name, strerror(number));
	return vault_err_from_errno(number);
}

/* Write and sync the file that is to be renamed. */
static vault_err write_temporary(const struct vault_io *io, int dirfd,
				 const char *name, mode_t mode,
				 struct vault_span bytes)
{
	vault_err err;
	int fd;

	fd = io->openat(io->ctx, dirfd, name, O_WRONLY | O_CREAT | O_TRUNC,
			mode);
	if (fd < 0)
		return failure("create", name);
	err = vault_io_write_all(io, fd, bytes, 0);
	if (err != VAULT_OK)
		failure("write", name);
	else if (io->fdatasync(io->ctx, fd) < 0)
		err = failure("sync", name);
	io->close(io->ctx, fd);
	return err;
}

vault_err vault_small_write(const struct vault_io *io, int dirfd,
			    const char *name, mode_t mode,
			    struct vault_span bytes)
{
	char temporary[NAME_BYTES];
	vault_err err;

	snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	err = write_temporary(io, dirfd, temporary, mode, bytes);
	if (err != VAULT_OK)
		goto out;
	if (io->renameat(io->ctx, dirfd, temporary, name) < 0) {
		err = failure("rename", name);
		goto out;
	}
	if (io->syncdir(io->ctx, dirfd) < 0)
		return failure("sync the directory of", name);

out:
	if (err != VAULT_OK)
		io->unlinkat(io->ctx, dirfd, temporary, 0);
	return err;
}

vault_err vault_small_read(const struct vault_io *io, int dirfd,
			   const char *name, size_t limit,
			   struct vault_buf *out)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	vault_err err;
	size_t got;
	int fd;

	fd = io->openat(io->ctx, dirfd, name, O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT ? VAULT_ERR_NOT_FOUND
				       : failure("open", name);
	err = vault_buf_reserve(&bytes, limit + 1);
	if (err != VAULT_OK)
		goto out;
	err = vault_io_read_full(io, fd, bytes.data, limit + 1, 0, &got);
	if (err != VAULT_OK) {
		failure("read", name);
		goto out;
	}
	if (got > limit) {
		err = VAULT_ERR_TOO_BIG;
		goto out;
	}
	bytes.len = got;
	vault_buf_move(out, &bytes);

out:
	io->close(io->ctx, fd);
	vault_buf_release(&bytes);
	return err;
}

/* Say who has it, as far as the file tells. */
static vault_err busy(int fd)
{
	char text[32] = "";
	const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		vault_log_error("vault: in use by process %ld", pid);
	else
		vault_log_error("vault: in use by another process");
	return VAULT_ERR_BUSY;
}

vault_err vault_small_lock(int dirfd, int *out)
{
	vault_err err = VAULT_OK;
	char text[32];
	int len;
	int fd;

	fd = openat(dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return failure("open", LOCK_NAME);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? busy(fd)
					   : failure("lock", LOCK_NAME);
		goto out;
	}
	/* The pid is for people; a full disk is no reason to stay shut. */
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < len)
		vault_log_debug("vault: %s: no pid written", LOCK_NAME);
	*out = fd;
	fd = -1;

out:
	if (fd >= 0)
		close(fd);
	return err;
}
