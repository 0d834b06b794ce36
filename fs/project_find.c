/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/project.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/base/log.h"
#include "versions/config.h"

/*
 * Finding a project is walking up from a directory, looking at each level for
 * a mount of ours and then for a vault. A vault that a daemon has open also
 * leads to the daemon, by the socket that its uuid names: that is how the
 * real folder below a mount elsewhere, or `--vault`, reaches it.
 */

#define UUID_LEN 36
#define ROOT_RUN_DIR "/run/artvault"

/* snprintf() into a path; NAME_TOO_LONG, logged. */
__attribute__((format(printf, 2, 3))) static vault_err put_path(
	char out[PATH_MAX], const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, PATH_MAX, format, args);
	va_end(args);
	if (n >= 0 && n < PATH_MAX)
		return VAULT_OK;
	vault_log_error("%.64s…: path too long", out);
	return VAULT_ERR_NAME_TOO_LONG;
}

/* ---- sockets ---- */

static bool is_uuid(const char *s)
{
	return strlen(s) == UUID_LEN &&
	       strspn(s, "0123456789abcdefABCDEF-") == UUID_LEN;
}

/* The directory for a user's sockets; `fallback` when there is none. */
static vault_err user_run_dir(uid_t uid, char out[PATH_MAX])
{
	const char *xdg = uid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
	struct stat st;
	vault_err err;

	if (uid == 0)
		return put_path(out, ROOT_RUN_DIR);
	if (xdg != NULL && xdg[0] == '/')
		return put_path(out, "%s/artvault", xdg);
	err = put_path(out, "/run/user/%u", (unsigned)uid);
	if (err != VAULT_OK)
		return err;
	if (stat(out, &st) == 0 && st.st_uid == uid)
		return put_path(out, "/run/user/%u/artvault", (unsigned)uid);
	return put_path(out, "/tmp/artvault-%u", (unsigned)uid);
}

static vault_err socket_of(uid_t uid, const char *uuid, char dir[PATH_MAX],
			   char out[PATH_MAX])
{
	char run[PATH_MAX];
	vault_err err;

	err = user_run_dir(uid, run);
	if (err == VAULT_OK)
		err = put_path(dir, "%s", run);
	if (err == VAULT_OK)
		err = put_path(out, "%s/%s/socket", run, uuid);
	return err;
}

/* Make one directory that must be ours and closed to others. */
static vault_err make_private(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		vault_log_error("%s: %s", path, strerror(errno));
		return vault_err_from_errno(errno);
	}
	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid()) {
		vault_log_error("%s: belongs to somebody else", path);
		return VAULT_ERR_DENIED;
	}
	if ((st.st_mode & 07777) != mode && chmod(path, mode) != 0)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

vault_err vault_project_socket_path(const char *uuid, bool make,
				    char out[PATH_MAX])
{
	const mode_t mode = geteuid() == 0 ? 0711 : 0700;
	char dir[PATH_MAX];
	char path[PATH_MAX];
	vault_err err;

	if (!is_uuid(uuid))
		return VAULT_ERR_INVALID;
	err = socket_of(geteuid(), uuid, dir, path);
	if (err != VAULT_OK)
		return err;
	if (make) {
		err = make_private(dir, mode);
		if (err == VAULT_OK)
			err = put_path(dir, "%s", path);
		if (err == VAULT_OK)
			err = make_private(dirname(dir), mode);
	}
	if (err == VAULT_OK)
		memcpy(out, path, PATH_MAX);
	return err;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The socket of a daemon that has this vault, made by us, root, or the
 * vault's owner; leaves `out` alone when there is none. */
static void find_socket(int vaultfd, char out[PATH_MAX])
{
	uid_t users[3] = { geteuid(), 0, 0 };
	struct vault_buf value = VAULT_BUF_INIT;
	char dir[PATH_MAX];
	char path[PATH_MAX];
	const char *uuid;
	struct stat st;

	if (fstat(vaultfd, &st) == 0)
		users[2] = st.st_uid;
	if (vault_config_get(vaultfd, "uuid", &value) != VAULT_OK)
		goto out;
	uuid = vault_buf_cstr(&value);
	if (uuid == NULL || !is_uuid(uuid))
		goto out;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		if (socket_of(users[i], uuid, dir, path) != VAULT_OK ||
		    !is_socket(path))
			continue;
		memcpy(out, path, PATH_MAX);
		break;
	}

out:
	vault_buf_release(&value);
}

/* ---- walking up ---- */

static vault_err dead_mount(const char *path)
{
	vault_log_error("%s: the daemon of this mount is gone; "
			"`artvault unmount` shows the real folder again",
			path);
	return VAULT_ERR_STALE;
}

static vault_err absolute(const char *path, char out[PATH_MAX])
{
	if (realpath(path, out) != NULL)
		return VAULT_OK;
	if (errno == ENOTCONN)
		return dead_mount(path);
	vault_log_error("%s: %s", path, strerror(errno));
	return vault_err_from_errno(errno);
}

/* Does a mount of ours begin at `dir`? NOT_FOUND, STALE. */
static vault_err ask_mount(const char *dir, char socket[PATH_MAX])
{
	const ssize_t n =
		getxattr(dir, VAULT_PROJECT_SOCKET_XATTR, socket, PATH_MAX - 1);

	if (n > 0 && socket[0] == '/') {
		socket[n] = '\0';
		return VAULT_OK;
	}
	socket[0] = '\0';
	if (n < 0 && errno == ENOTCONN)
		return dead_mount(dir);
	return VAULT_ERR_NOT_FOUND;
}

/* A vault in `dir`; fills what it tells. */
static vault_err ask_vault(const char *dir, struct vault_place *p)
{
	vault_err err;
	int fd;

	err = put_path(p->vault, "%s/" VAULT_PROJECT_VAULT_NAME,
		       strcmp(dir, "/") == 0 ? "" : dir);
	if (err != VAULT_OK)
		return err;
	fd = open(p->vault, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM)) {
		/* Not for us to read; opening it will say so. */
		return put_path(p->project, "%s", dir);
	}
	if (fd < 0 || !vault_store_exists(fd)) {
		if (fd >= 0)
			close(fd);
		p->vault[0] = '\0';
		return VAULT_ERR_NOT_FOUND;
	}
	find_socket(fd, p->socket);
	close(fd);
	return put_path(p->project, "%s", dir);
}

static vault_err ask(const char *dir, struct vault_place *p)
{
	vault_err err = ask_mount(dir, p->socket);

	if (err == VAULT_OK)
		return put_path(p->mount, "%s", dir);
	return err == VAULT_ERR_NOT_FOUND ? ask_vault(dir, p) : err;
}

/* Take the last name off an absolute path; false at the root. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (path[1] == '\0')
		return false;
	slash[slash == path ? 1 : 0] = '\0';
	return true;
}

static vault_err find_up(const char *start, struct vault_place *p)
{
	char dir[PATH_MAX];
	vault_err err;

	memcpy(dir, start, PATH_MAX);
	do {
		err = ask(dir, p);
		if (err == VAULT_OK)
			return put_path(p->inside, "%s",
					vault_project_below(dir, start));
		if (err != VAULT_ERR_NOT_FOUND)
			return err;
	} while (go_up(dir));
	return VAULT_ERR_NOT_FOUND;
}

/* ---- --vault ---- */

/* Absolute though the last name may not be there yet. */
static vault_err absolute_new(const char *path, char out[PATH_MAX])
{
	char copy[PATH_MAX];
	char parent[PATH_MAX];
	const char *name;
	vault_err err;

	if (realpath(path, out) != NULL)
		return VAULT_OK;
	if (errno != ENOENT)
		return absolute(path, out);
	err = put_path(copy, "%s", path);
	if (err != VAULT_OK)
		return err;
	name = basename(copy);
	if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return absolute(path, out);
	err = put_path(parent, "%s", path);
	if (err == VAULT_OK) {
		char above[PATH_MAX];

		err = absolute(dirname(parent), above);
		if (err == VAULT_OK)
			err = put_path(out, "%s/%s",
				       strcmp(above, "/") == 0 ? "" : above,
				       name);
	}
	return err;
}

/* As far as can be told: what may not be opened is said by opening it. */
static bool has_vault(const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool has;

	if (fd < 0)
		return errno == EACCES || errno == EPERM;
	has = vault_store_exists(fd);
	close(fd);
	return has;
}

/* The project that a vault says it belongs to, or the folder it lies in. */
static vault_err project_of_vault(int vaultfd, struct vault_place *p)
{
	struct vault_buf value = VAULT_BUF_INIT;
	char path[PATH_MAX];
	vault_err err;

	memcpy(path, p->vault, PATH_MAX);
	if (strcmp(basename(path), VAULT_PROJECT_VAULT_NAME) == 0) {
		memcpy(path, p->vault, PATH_MAX);
		return put_path(p->project, "%s", dirname(path));
	}
	err = vault_config_get(vaultfd, "project", &value);
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	else if (err == VAULT_OK && value.len > 0 && value.data[0] == '/')
		err = put_path(p->project, "%.*s", (int)value.len,
			       (const char *)value.data);
	vault_buf_release(&value);
	return err;
}

/* Where the user stands, if that is in the project. */
static vault_err put_inside(const char *start, struct vault_place *p)
{
	const char *rest = NULL;

	if (p->project[0] != '\0')
		rest = vault_project_below(p->project, start);
	return put_path(p->inside, "%s", rest != NULL ? rest : "");
}

static vault_err find_by_vault(const char *start, const char *vault,
			       struct vault_place *p)
{
	struct vault_place up = { 0 };
	vault_err err;
	int fd;

	err = absolute_new(vault, p->vault);
	if (err != VAULT_OK)
		return err;
	if (!has_vault(p->vault))
		return VAULT_ERR_NOT_FOUND;
	err = vault_project_open_vault_dir(p, &fd);
	if (err != VAULT_OK)
		return err;
	err = project_of_vault(fd, p);
	find_socket(fd, p->socket);
	close(fd);
	if (err != VAULT_OK)
		return err;
	/* The user may stand in the mount of this very vault, elsewhere. */
	memcpy(up.inside, start, PATH_MAX);
	do {
		if (p->socket[0] != '\0' &&
		    ask_mount(up.inside, up.socket) == VAULT_OK &&
		    strcmp(up.socket, p->socket) == 0) {
			memcpy(p->mount, up.inside, PATH_MAX);
			return put_path(p->inside, "%s",
					vault_project_below(p->mount, start));
		}
	} while (go_up(up.inside));
	return put_inside(start, p);
}

vault_err vault_project_find_quietly(const char *dir, const char *vault,
				     struct vault_place *out)
{
	struct vault_place p = { 0 };
	char start[PATH_MAX] = "";
	vault_err err;

	err = absolute(dir != NULL ? dir : ".", start);
	if (err != VAULT_OK) /* said; and no place to make a vault either */
		return err == VAULT_ERR_NOT_FOUND ? VAULT_ERR_INVALID : err;
	err = vault != NULL ? find_by_vault(start, vault, &p)
			    : find_up(start, &p);
	if (err == VAULT_OK)
		*out = p;
	return err;
}

vault_err vault_project_find(const char *dir, const char *vault,
			     struct vault_place *out)
{
	const vault_err err = vault_project_find_quietly(dir, vault, out);
	char start[PATH_MAX];

	if (err == VAULT_ERR_INVALID)
		return VAULT_ERR_NOT_FOUND;
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	if (vault != NULL)
		vault_log_error("%s: no vault here; `artvault mount --vault "
				"%s DIR` makes one",
				vault, vault);
	else if (absolute(dir != NULL ? dir : ".", start) == VAULT_OK)
		vault_log_error("%s: not in a mounted project, and neither it "
				"nor a folder above it has a vault "
				"(" VAULT_PROJECT_VAULT_NAME
				"); `artvault mount DIR` makes one",
				start);
	return err;
}

/* ---- what is to be mounted ---- */

vault_err vault_project_place(const char *project, const char *vault,
			      struct vault_place *out)
{
	struct vault_place p = { 0 };
	struct stat st;
	vault_err err;

	err = absolute(project, p.project);
	if (err == VAULT_OK && stat(p.project, &st) != 0) {
		err = errno == ENOTCONN ? dead_mount(p.project)
					: vault_err_from_errno(errno);
	} else if (err == VAULT_OK && !S_ISDIR(st.st_mode)) {
		vault_log_error("%s: not a directory", p.project);
		err = VAULT_ERR_NOT_DIR;
	}
	if (err == VAULT_OK)
		err = vault != NULL ? absolute_new(vault, p.vault)
				    : put_path(p.vault,
					       "%s/" VAULT_PROJECT_VAULT_NAME,
					       strcmp(p.project, "/") == 0
						       ? ""
						       : p.project);
	if (err == VAULT_OK)
		*out = p;
	return err;
}
