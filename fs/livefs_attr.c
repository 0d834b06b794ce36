/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes: asking for them and changing them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/livefs_ops.h"

/* The descriptor of an open file serves even when no name is left. */
static int reach(struct vault_livefs *l, fuse_ino_t ino,
		 const struct fuse_file_info *fi, struct vault_inode_fd *out)
{
	if (fi != NULL && fi->fh != 0) {
		const struct vault_inode_file *f =
			(struct vault_inode_file *)(uintptr_t)fi->fh;

		*out = (struct vault_inode_fd){ f->fd, false };
		return 0;
	}
	return vault_inode_reach(l->table, vault_livefs_inode(l, ino), out);
}

static void reply_attr(struct vault_livefs *l, fuse_req_t req, int fd, int err)
{
	struct vault_inode_key key;
	struct stat st;

	if (err == 0)
		err = vault_inode_stat(fd, "", &st, &key);
	if (err == 0)
		fuse_reply_attr(req, &st, l->options.attr_timeout);
	else
		fuse_reply_err(req, err);
}

void vault_livefs_attr_getattr(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_fd fd = { -1, false };
	int err;

	if (vault_view_owns(ino)) {
		vault_view_getattr(l->view, req, ino);
		return;
	}
	err = reach(l, ino, fi, &fd);
	reply_attr(l, req, fd.fd, err);
	vault_inode_unreach(&fd);
}

/* ---- changing ---- */

static int set_owner(int fd, const struct stat *attr, int to_set)
{
	const uid_t uid =
		(to_set & FUSE_SET_ATTR_UID) != 0 ? attr->st_uid : (uid_t)-1;
	const gid_t gid =
		(to_set & FUSE_SET_ATTR_GID) != 0 ? attr->st_gid : (gid_t)-1;

	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
		return errno;
	return 0;
}

static int set_mode(int fd, mode_t mode)
{
	if (chmod(vault_livefs_proc(fd).path, mode & ~(mode_t)S_IFMT) != 0)
		return errno;
	return 0;
}

/* The bytes past the new end are going: the engine may want them first. */
static int set_size(struct vault_livefs *l, struct vault_inode *i, int fd,
		    bool writable, off_t size)
{
	struct vault_buf path = VAULT_BUF_INIT;
	int r;

	if (vault_inode_path(l->table, i, NULL, &path))
		vault_capture_opening(l->capture, vault_buf_span(&path), true);
	vault_buf_release(&path);
	r = writable ? ftruncate(fd, size)
		     : truncate(vault_livefs_proc(fd).path, size);
	return r == 0 ? 0 : errno;
}

static struct timespec time_to_set(int to_set, int set, int now,
				   struct timespec value)
{
	if ((to_set & now) != 0)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if ((to_set & set) != 0)
		return value;
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(int fd, const struct stat *attr, int to_set)
{
	const struct timespec times[2] = {
		time_to_set(to_set, FUSE_SET_ATTR_ATIME,
			    FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_to_set(to_set, FUSE_SET_ATTR_MTIME,
			    FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

static bool writable(const struct fuse_file_info *fi)
{
	const struct vault_inode_file *f;

	if (fi == NULL || fi->fh == 0)
		return false;
	f = (struct vault_inode_file *)(uintptr_t)fi->fh;
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

/* The owner first: changing it clears bits that the mode may set again. */
static int change(struct vault_livefs *l, struct vault_inode *i, int fd,
		  bool can_write, const struct stat *attr, int to_set)
{
	int err = 0;

	if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0)
		err = set_owner(fd, attr, to_set);
	if (err == 0 && (to_set & FUSE_SET_ATTR_MODE) != 0)
		err = set_mode(fd, attr->st_mode);
	if (err == 0 && (to_set & FUSE_SET_ATTR_SIZE) != 0)
		err = set_size(l, i, fd, can_write, attr->st_size);
	if (err == 0 &&
	    (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
		       FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW)) != 0)
		err = set_times(fd, attr, to_set);
	return err;
}

void vault_livefs_attr_setattr(fuse_req_t req, fuse_ino_t ino,
			       struct stat *attr, int to_set,
			       struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_fd fd = { -1, false };
	struct vault_inode *i;
	int err;

	if (vault_view_owns(ino)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	i = vault_livefs_inode(l, ino);
	err = reach(l, ino, fi, &fd);
	if (err == 0)
		err = change(l, i, fd.fd, writable(fi), attr, to_set);
	if (err == 0)
		vault_livefs_changed(l, i, NULL);
	reply_attr(l, req, fd.fd, err);
	vault_inode_unreach(&fd);
}

void vault_livefs_attr_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	/* With default_permissions the kernel decides for live files. */
	if (vault_view_owns(ino))
		vault_view_access(vault_livefs_of(req)->view, req, ino, mask);
	else
		fuse_reply_err(req, 0);
}

void vault_livefs_attr_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_fd fd;
	struct statvfs st;
	int err;

	if (vault_view_owns(ino)) {
		vault_view_statfs(l->view, req, ino);
		return;
	}
	err = vault_inode_reach(l->table, vault_livefs_inode(l, ino), &fd);
	if (err == 0) {
		err = fstatvfs(fd.fd, &st) == 0 ? 0 : errno;
		vault_inode_unreach(&fd);
	}
	if (err == 0)
		fuse_reply_statfs(req, &st);
	else
		fuse_reply_err(req, err);
}
