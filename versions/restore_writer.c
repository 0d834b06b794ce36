/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/base/buf.h"
#include "store/base/log.h"
#include "versions/beneath.h"
#include "versions/path.h"
#include "versions/restore.h"
#include "versions/xattrs.h"

/* `.artvault-restore-XXXXXX.tmp`: a temporary name, so never captured. */
#define TEMP_FORMAT ".artvault-restore-%06x.tmp"
#define TEMP_SIZE 40
#define PROC_SIZE (NAME_MAX + 40)

struct vault_restore_writer {
	int dirfd; /* our own descriptor of the destination's directory */
	char *name;
	char temp[TEMP_SIZE];
	bool made;     /* something has the temporary name */
	bool finished; /* it was put in place */
	int rootfd;    /* of the restored directory, or -1 */
	int filefd;    /* of the file between begin and end, or -1 */
	int parentfd;  /* of the directory of the latest item, or -1 */
	struct vault_buf parent; /* its path */
};

/* Where an item goes: a directory and a name in it. */
struct place {
	int fd;
	char name[NAME_MAX + 1];
};

static vault_err fail(struct vault_restore_writer *w, struct vault_span path,
		      const char *what)
{
	const int number = errno;

	if (path.len == 0)
		vault_log_error("%s: %s: %s", w->name, what, strerror(number));
	else
		vault_log_error("%s/%.*s: %s: %s", w->name, (int)path.len,
				(const char *)path.data, what,
				strerror(number));
	return vault_err_from_errno(number);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Open the directory `path` below what is being restored. */
static vault_err open_parent(struct vault_restore_writer *w,
			     struct vault_span path)
{
	int fd;

	if (w->parentfd >= 0 &&
	    vault_span_equal(path, vault_buf_span(&w->parent)))
		return VAULT_OK;
	close_fd(&w->parentfd);
	vault_buf_clear(&w->parent);
	if (vault_buf_append(&w->parent, path) != VAULT_OK ||
	    vault_buf_cstr(&w->parent) == NULL)
		return VAULT_ERR_NOMEM;
	fd = vault_beneath_open(w->rootfd, (const char *)w->parent.data,
				O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fail(w, path, "open");
	w->parentfd = fd;
	return VAULT_OK;
}

static vault_err find_place(struct vault_restore_writer *w,
			    struct vault_span path, struct place *out)
{
	const struct vault_span name = vault_path_name(path);
	vault_err err;

	if (path.len == 0) {
		out->fd = w->dirfd;
		snprintf(out->name, sizeof(out->name), "%s", w->temp);
		return VAULT_OK;
	}
	if (w->rootfd < 0 || !vault_beneath_is_clean(path)) {
		vault_log_error("%.*s: not a path to restore to", (int)path.len,
				(const char *)path.data);
		return VAULT_ERR_INVALID;
	}
	if (name.len > NAME_MAX)
		return VAULT_ERR_NAME_TOO_LONG;
	err = open_parent(w, vault_path_parent(path));
	if (err != VAULT_OK)
		return err;
	out->fd = w->parentfd;
	memcpy(out->name, name.data, name.len);
	out->name[name.len] = '\0';
	return VAULT_OK;
}

/* ---- what a file is besides its bytes ---- */

struct xattr_target {
	const char *path; /* under /proc/self/fd: the entry itself */
};

static vault_err set_xattr(void *ctx, struct vault_span name,
			   struct vault_span value)
{
	const struct xattr_target *to = ctx;
	char text[XATTR_NAME_MAX + 1];

	if (name.len > XATTR_NAME_MAX)
		return VAULT_ERR_CORRUPT;
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	/* What the caller or the file system does not permit is left out. */
	if (lsetxattr(to->path, text, value.data, value.len, 0) != 0 &&
	    errno == ENOSPC)
		return VAULT_ERR_NO_SPACE;
	return VAULT_OK;
}

/*
 * Owner before mode, for chown clears setuid; xattrs before mode, for a file
 * that its owner may not write takes none; times last.
 */
static vault_err set_attributes(struct vault_restore_writer *w,
				const struct place *p,
				const struct vault_restore_item *item)
{
	const struct vault_row *row = &item->row;
	const struct timespec mtime = {
		.tv_sec = row->mtime_ns / 1000000000 -
			  (row->mtime_ns % 1000000000 < 0),
		.tv_nsec = row->mtime_ns % 1000000000 +
			   (row->mtime_ns % 1000000000 < 0 ? 1000000000 : 0),
	};
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };
	char path[PROC_SIZE];
	struct xattr_target to = { path };
	mode_t mode = row->mode & 07777;
	struct stat st;
	vault_err err;

	if (fchownat(p->fd, p->name, row->uid, row->gid, AT_SYMLINK_NOFOLLOW) !=
	    0) {
		if (errno != EPERM && errno != EINVAL)
			return fail(w, item->path, "chown");
		/* Nobody may come by another's rights through a restore. */
		if (fstatat(p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return fail(w, item->path, "stat");
		if (st.st_uid != row->uid)
			mode &= ~(mode_t)S_ISUID;
		if (st.st_gid != row->gid)
			mode &= ~(mode_t)S_ISGID;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", p->fd, p->name);
	err = vault_xattrs_each(item->xattrs, set_xattr, &to);
	if (err == VAULT_ERR_CORRUPT) {
		vault_log_warn("%.*s: its attributes are damaged and left out",
			       (int)item->path.len,
			       (const char *)item->path.data);
		err = VAULT_OK;
	}
	if (err != VAULT_OK)
		return err;
	if (row->kind != VAULT_KIND_SYMLINK &&
	    fchmodat(p->fd, p->name, mode, 0) != 0)
		return fail(w, item->path, "chmod");
	if (utimensat(p->fd, p->name, times, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(w, item->path, "set times");
	return VAULT_OK;
}

/* ---- the sink ---- */

static vault_err make_link(struct vault_restore_writer *w,
			   const struct vault_restore_item *item)
{
	struct vault_buf from = VAULT_BUF_INIT;
	struct place to;
	vault_err err = VAULT_ERR_NOMEM;
	int fd = -1;
	char path[PROC_SIZE];

	if (!vault_beneath_is_clean(item->link_to) || w->rootfd < 0)
		return VAULT_ERR_INVALID;
	if (vault_buf_append(&from, item->link_to) != VAULT_OK ||
	    vault_buf_cstr(&from) == NULL)
		goto out;
	fd = vault_beneath_open(w->rootfd, (const char *)from.data, O_PATH);
	if (fd < 0) {
		err = fail(w, item->link_to, "open");
		goto out;
	}
	err = find_place(w, item->path, &to);
	if (err != VAULT_OK)
		goto out;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, to.fd, to.name, AT_SYMLINK_FOLLOW) != 0)
		err = fail(w, item->path, "link");
out:
	close_fd(&fd);
	vault_buf_release(&from);
	return err;
}

static vault_err make_symlink(struct vault_restore_writer *w,
			      const struct vault_restore_item *item,
			      const struct place *p)
{
	char target[PATH_MAX];

	if (item->target.len == 0 || item->target.len >= sizeof(target) ||
	    memchr(item->target.data, 0, item->target.len) != NULL)
		return VAULT_ERR_CORRUPT;
	memcpy(target, item->target.data, item->target.len);
	target[item->target.len] = '\0';
	if (symlinkat(target, p->fd, p->name) != 0)
		return fail(w, item->path, "make link");
	return VAULT_OK;
}

/* `*left_out`: a device may be made by root alone. */
static vault_err make_special(struct vault_restore_writer *w,
			      const struct vault_restore_item *item,
			      const struct place *p, bool *left_out)
{
	const mode_t mode = vault_row_type_bits(item->row.kind) | 0600;

	if (mknodat(p->fd, p->name, mode, (dev_t)item->row.rdev) == 0)
		return VAULT_OK;
	if (errno != EPERM)
		return fail(w, item->path, "make node");
	vault_log_warn("%s/%.*s: only root can make a device: left out",
		       w->name, (int)item->path.len,
		       (const char *)item->path.data);
	*left_out = true;
	return VAULT_OK;
}

static vault_err make_dir(struct vault_restore_writer *w,
			  const struct vault_restore_item *item,
			  const struct place *p)
{
	if (mkdirat(p->fd, p->name, 0700) != 0)
		return fail(w, item->path, "make directory");
	if (item->path.len > 0)
		return VAULT_OK;
	w->rootfd = openat(p->fd, p->name,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w->rootfd < 0)
		return fail(w, item->path, "open");
	return VAULT_OK;
}

static vault_err sink_begin(void *ctx, const struct vault_restore_item *item)
{
	struct vault_restore_writer *w = ctx;
	struct place p;
	vault_err err;

	if (item->link_to.len > 0 || item->row.kind == VAULT_KIND_NONE)
		return VAULT_OK; /* made at its end */
	err = find_place(w, item->path, &p);
	if (err != VAULT_OK)
		return err;
	if (item->row.kind == VAULT_KIND_DIR) {
		err = make_dir(w, item, &p);
	} else if (item->row.kind == VAULT_KIND_FILE) {
		close_fd(&w->filefd);
		w->filefd = openat(p.fd, p.name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
					   O_CLOEXEC,
				   0600);
		if (w->filefd < 0)
			err = fail(w, item->path, "create");
	}
	if (item->path.len == 0 && err == VAULT_OK)
		w->made = true;
	return err;
}

static vault_err sink_data(void *ctx, uint64_t off, struct vault_span bytes)
{
	struct vault_restore_writer *w = ctx;

	if (w->filefd < 0 || off > (uint64_t)INT64_MAX - bytes.len)
		return VAULT_ERR_INVALID;
	while (bytes.len > 0) {
		const ssize_t n =
			pwrite(w->filefd, bytes.data, bytes.len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(w, vault_buf_span(&w->parent), "write");
		bytes = vault_span_from(bytes, (size_t)n);
		off += (uint64_t)n;
	}
	return VAULT_OK;
}

/* The length makes the last hole; one file alone is synced, for a whole tree
 * finish() does it once. */
static vault_err end_file(struct vault_restore_writer *w,
			  const struct vault_restore_item *item)
{
	vault_err err = VAULT_OK;

	if (w->filefd < 0)
		return VAULT_ERR_INVALID;
	if (ftruncate(w->filefd, (off_t)item->row.size) != 0)
		err = fail(w, item->path, "set length");
	else if (item->path.len == 0 && fsync(w->filefd) != 0)
		err = fail(w, item->path, "sync");
	close_fd(&w->filefd);
	return err;
}

static vault_err sink_end(void *ctx, const struct vault_restore_item *item)
{
	struct vault_restore_writer *w = ctx;
	bool left_out = false;
	struct place p;
	vault_err err;

	if (item->link_to.len > 0)
		return make_link(w, item);
	err = find_place(w, item->path, &p);
	if (err != VAULT_OK)
		return err;
	switch (item->row.kind) {
	case VAULT_KIND_NONE: /* its bytes were damaged */
		close_fd(&w->filefd);
		return vault_beneath_remove(p.fd, p.name);
	case VAULT_KIND_DIR:
		return VAULT_OK; /* its attributes come when it is left */
	case VAULT_KIND_FILE:
		err = end_file(w, item);
		break;
	case VAULT_KIND_SYMLINK:
		err = make_symlink(w, item, &p);
		break;
	default:
		err = make_special(w, item, &p, &left_out);
		break;
	}
	if (err != VAULT_OK || left_out)
		return err;
	if (item->path.len == 0)
		w->made = true;
	return set_attributes(w, &p, item);
}

static vault_err sink_leave(void *ctx, const struct vault_restore_item *dir)
{
	struct vault_restore_writer *w = ctx;
	struct place p;
	vault_err err = find_place(w, dir->path, &p);

	if (err != VAULT_OK)
		return err;
	return set_attributes(w, &p, dir);
}

/* ---- the writer ---- */

vault_err vault_restore_writer_create(int dirfd, const char *name,
				      struct vault_restore_writer **out,
				      struct vault_restore_sink *sink)
{
	struct vault_restore_writer *w;
	uint32_t random;

	if (strlen(name) > NAME_MAX || strchr(name, '/') != NULL ||
	    !vault_beneath_is_clean(vault_span_str(name)))
		return VAULT_ERR_INVALID;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return vault_err_from_errno(errno);
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return VAULT_ERR_NOMEM;
	w->rootfd = w->filefd = w->parentfd = -1;
	w->name = strdup(name);
	w->dirfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(w->temp, sizeof(w->temp), TEMP_FORMAT, random & 0xFFFFFFu);
	if (w->name == NULL || w->dirfd < 0) {
		const vault_err err =
			w->name == NULL ? VAULT_ERR_NOMEM
					: fail(w, VAULT_SPAN_EMPTY, "open");

		vault_restore_writer_destroy(w);
		return err;
	}
	*sink = (struct vault_restore_sink){ .ctx = w,
					     .begin = sink_begin,
					     .data = sink_data,
					     .end = sink_end,
					     .leave = sink_leave };
	*out = w;
	return VAULT_OK;
}

static bool is_dir_at(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* Swap with what is there, then remove that. */
static vault_err swap_in(struct vault_restore_writer *w)
{
	const bool dir = is_dir_at(w->dirfd, w->temp);
	const bool old_dir = is_dir_at(w->dirfd, w->name);
	vault_err err;

	if (!dir && !old_dir) {
		if (renameat(w->dirfd, w->temp, w->dirfd, w->name) != 0)
			return fail(w, VAULT_SPAN_EMPTY, "rename");
		w->finished = true;
		return VAULT_OK;
	}
	if (renameat2(w->dirfd, w->temp, w->dirfd, w->name, RENAME_EXCHANGE) !=
	    0)
		return fail(w, VAULT_SPAN_EMPTY, "exchange");
	w->finished = true; /* the temporary name holds the old state now */
	err = vault_beneath_remove(w->dirfd, w->temp);
	if (err != VAULT_OK)
		vault_log_warn("%s: what it replaced is left as %s: %s",
			       w->name, w->temp, vault_err_text(err));
	return VAULT_OK;
}

static vault_err move_in(struct vault_restore_writer *w)
{
	if (renameat2(w->dirfd, w->temp, w->dirfd, w->name, RENAME_NOREPLACE) ==
	    0) {
		w->finished = true;
		return VAULT_OK;
	}
	if (errno == EEXIST)
		return VAULT_ERR_EXISTS;
	/* A file system without the flag: look first, then rename. */
	if (errno == EINVAL) {
		if (faccessat(w->dirfd, w->name, F_OK, AT_SYMLINK_NOFOLLOW) ==
		    0)
			return VAULT_ERR_EXISTS;
		if (renameat(w->dirfd, w->temp, w->dirfd, w->name) == 0) {
			w->finished = true;
			return VAULT_OK;
		}
	}
	return fail(w, VAULT_SPAN_EMPTY, "rename");
}

vault_err vault_restore_writer_finish(struct vault_restore_writer *w,
				      bool replace)
{
	struct stat st;
	vault_err err;

	if (!w->made)
		return VAULT_ERR_NOT_FOUND;
	/* What is about to be removed may go only when this will stay. */
	if (w->rootfd >= 0 && replace && syncfs(w->dirfd) != 0)
		return fail(w, VAULT_SPAN_EMPTY, "sync");
	if (replace &&
	    fstatat(w->dirfd, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		err = swap_in(w);
	else
		err = move_in(w);
	if (err == VAULT_OK && fsync(w->dirfd) != 0)
		err = fail(w, VAULT_SPAN_EMPTY, "sync of its directory");
	return err;
}

void vault_restore_writer_destroy(struct vault_restore_writer *w)
{
	if (w == NULL)
		return;
	close_fd(&w->filefd);
	close_fd(&w->parentfd);
	close_fd(&w->rootfd);
	if (w->made && !w->finished &&
	    vault_beneath_remove(w->dirfd, w->temp) != VAULT_OK)
		vault_log_warn("%s: a restore that was not finished is left",
			       w->temp);
	close_fd(&w->dirfd);
	vault_buf_release(&w->parent);
	free(w->name);
	free(w);
}
