/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, making and closing regular files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/livefs_ops.h"

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/*
 * The caller's flags as we use them. O_APPEND is looked at with each write,
 * because the caller can change it. O_DIRECT stays between the caller and the
 * kernel, whose alignment rules are not ours.
 */
static int backing_flags(int flags)
{
	return (flags & ~(O_APPEND | O_DIRECT | O_CREAT | O_EXCL | O_NOCTTY |
			  O_NOFOLLOW)) |
	       O_CLOEXEC;
}

/*
 * Readers are opened as ourselves: the kernel has decided, and it lets a
 * program run that its caller may not read. Writers are opened as the caller,
 * so that truncating clears set-id bits where it should.
 */
static int open_backing(struct vault_livefs *l, fuse_req_t req, int fd,
			int flags, int *out)
{
	const struct vault_livefs_proc proc = vault_livefs_proc(fd);
	struct vault_persona p;
	int err = 0;

	if (!writes(flags) && (flags & O_TRUNC) == 0) {
		*out = open(proc.path, backing_flags(flags));
		return *out < 0 ? errno : 0;
	}
	err = vault_persona_take(&p, req, l->options.root);
	if (err != 0)
		return err;
	*out = open(proc.path, backing_flags(flags));
	err = *out < 0 ? errno : 0;
	vault_persona_drop(&p);
	return err;
}

static struct vault_inode_file *make_file(int fd, int flags)
{
	struct vault_inode_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->fd = fd;
	f->flags = flags;
	return f;
}

/* ---- what the capture engine is told ---- */

static void tell_opening(struct vault_livefs *l, struct vault_inode *i,
			 const char *name, bool truncating)
{
	struct vault_buf path = VAULT_BUF_INIT;

	if (vault_inode_path(l->table, i, name, &path))
		vault_capture_opening(l->capture, vault_buf_span(&path),
				      truncating);
	vault_buf_release(&path);
}

typedef void tell(struct vault_capture *c, uint64_t dev, uint64_t ino,
		  struct vault_span path);

/* An inode without a name is told of with an empty path only when closing. */
static void tell_of(struct vault_livefs *l, struct vault_inode *i, tell *what)
{
	const struct vault_inode_key *k = vault_inode_key(i);
	struct vault_buf path = VAULT_BUF_INIT;

	if (!vault_inode_captured(l->table, i))
		return;
	if (!vault_inode_path(l->table, i, NULL, &path))
		vault_buf_clear(&path);
	what(l->capture, k->dev, k->ino, vault_buf_span(&path));
	vault_buf_release(&path);
}

/* ---- operations ---- */

static void begin(struct vault_livefs *l, struct vault_inode_file *f,
		  struct fuse_file_info *fi)
{
	vault_inode_link_file(l->table, f);
	if (writes(f->flags))
		tell_of(l, f->inode, vault_capture_opened);
	fi->fh = (uint64_t)(uintptr_t)f;
	fi->noflush = !writes(f->flags);
}

static void end(struct vault_livefs *l, struct vault_inode_file *f)
{
	vault_inode_unlink_file(l->table, f);
	close(f->fd);
	if (writes(f->flags))
		tell_of(l, f->inode, vault_capture_closed);
	vault_inode_drop_file(l->table, f);
}

static int open_live(struct vault_livefs *l, fuse_req_t req,
		     struct vault_inode *i, int flags,
		     struct vault_inode_file **out)
{
	struct vault_inode_fd at;
	int fd = -1;
	int err;

	if (writes(flags))
		tell_opening(l, i, NULL, (flags & O_TRUNC) != 0);
	err = vault_inode_reach(l->table, i, &at);
	if (err != 0)
		return err;
	err = open_backing(l, req, at.fd, flags, &fd);
	vault_inode_unreach(&at);
	if (err != 0)
		return err;
	*out = make_file(fd, flags);
	if (*out == NULL) {
		close(fd);
		return ENOMEM;
	}
	(*out)->inode = i;
	return 0;
}

void vault_livefs_open_open(fuse_req_t req, fuse_ino_t ino,
			    struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_file *f;
	int err;

	if (vault_view_owns(ino)) {
		vault_view_open(l->view, req, ino, fi);
		return;
	}
	err = open_live(l, req, vault_livefs_inode(l, ino), fi->flags, &f);
	if (err != 0) {
		fuse_reply_err(req, err);
		return;
	}
	begin(l, f, fi);
	if (fuse_reply_open(req, fi) != 0)
		end(l, f);
}

/* A file to be made as it is opened. */
struct creation {
	fuse_req_t req;
	struct vault_inode *dir;
	const char *name;
	mode_t mode;
	int flags;
};

static int create_at(struct vault_livefs *l, const struct creation *c,
		     int dirfd, int *out)
{
	struct vault_persona p;
	int err = vault_persona_take(&p, c->req, l->options.root);

	if (err != 0)
		return err;
	*out = openat(dirfd, c->name,
		      backing_flags(c->flags) | O_CREAT | O_NOFOLLOW |
			      (c->flags & O_EXCL),
		      c->mode & ~(mode_t)S_IFMT);
	err = *out < 0 ? errno : 0;
	vault_persona_drop(&p);
	return err;
}

static int create_live(struct vault_livefs *l, const struct creation *c,
		       struct vault_inode_file **out,
		       struct fuse_entry_param *e)
{
	struct vault_inode_fd at;
	struct vault_inode_file *f = NULL;
	struct stat st;
	int fd = -1;
	int err;

	err = vault_livefs_may_make(l, c->dir, c->name);
	if (err == 0)
		err = vault_inode_reach(l->table, c->dir, &at);
	if (err != 0)
		return err;
	tell_opening(l, c->dir, c->name, (c->flags & O_TRUNC) != 0);
	err = create_at(l, c, at.fd, &fd);
	vault_inode_unreach(&at);
	if (err != 0)
		return err;
	f = make_file(fd, c->flags & ~(O_CREAT | O_EXCL));
	err = f == NULL ? ENOMEM
			: vault_inode_adopt(l->table, c->dir, c->name, fd, &st,
					    &f->inode);
	if (err != 0) {
		close(fd);
		free(f);
		return err;
	}
	vault_livefs_changed(l, c->dir, c->name);
	vault_livefs_fill(l, f->inode, &st, e);
	*out = f;
	return 0;
}

void vault_livefs_open_create(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode,
			      struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct fuse_entry_param e;
	struct vault_inode_file *f;
	struct vault_inode *i;
	int err = EROFS;

	if (!vault_view_owns(parent)) {
		const struct creation c = { req, vault_livefs_inode(l, parent),
					    name, mode, fi->flags };

		err = create_live(l, &c, &f, &e);
	}
	if (err != 0) {
		fuse_reply_err(req, err);
		return;
	}
	i = f->inode;
	begin(l, f, fi);
	if (fuse_reply_create(req, &e, fi) != 0) {
		end(l, f);
		vault_inode_forget(l->table, i, 1);
	}
}

/* Closing a duplicate makes the disk say what went wrong with the writes. */
void vault_livefs_open_flush(fuse_req_t req, fuse_ino_t ino,
			     struct fuse_file_info *fi)
{
	const struct vault_inode_file *f;
	int fd;

	if (vault_view_owns(ino)) {
		fuse_reply_err(req, 0);
		return;
	}
	f = (struct vault_inode_file *)(uintptr_t)fi->fh;
	fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
	fuse_reply_err(req, fd >= 0 && close(fd) != 0 ? errno : 0);
}

void vault_livefs_open_release(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);

	if (vault_view_owns(ino)) {
		vault_view_release(l->view, req, ino, fi);
		return;
	}
	end(l, (struct vault_inode_file *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
