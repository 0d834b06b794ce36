/* SPDX-License-Identifier: Apache-2.0 */
/* Listing live directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/livefs_ops.h"

/*
 * Offsets are the disk's own cookies, so telldir() and seekdir() work as they
 * do there. The views that the root lists come after the last real entry, at
 * offsets that no disk gives out: ext4's cookies end below 2^63 - 2^32 but for
 * its end mark, 2^63 - 1; others use small numbers.
 */
#define VIEWS_AT ((off_t)0x7fffffffffff0000)
#define VIEWS_END (VIEWS_AT + 256)

struct vault_livefs_dir {
	struct vault_inode *inode;
	DIR *stream;
	off_t at;		/* where the stream stands */
	struct dirent *pending; /* read and not taken yet */
	pthread_mutex_t lock;	/* of all of the above */
	/* Among the open ones, under the lock of livefs. */
	struct vault_livefs_dir *next;
	struct vault_livefs_dir *prev;
};

static struct vault_livefs_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct vault_livefs_dir *)(uintptr_t)fi->fh;
}

static int open_stream(struct vault_livefs *l, struct vault_inode *i, DIR **out)
{
	struct vault_inode_fd at;
	int err;
	int fd;

	err = vault_inode_reach(l->table, i, &at);
	if (err != 0)
		return err;
	/* Not as "." in it: that would need the right to search, too. */
	fd = open(vault_livefs_proc(at.fd).path,
		  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? errno : 0;
	vault_inode_unreach(&at);
	if (err != 0)
		return err;
	*out = fdopendir(fd);
	if (*out == NULL) {
		err = errno;
		close(fd);
	}
	return err;
}

static void link_dir(struct vault_livefs *l, struct vault_livefs_dir *d)
{
	pthread_mutex_lock(&l->lock);
	d->next = l->dirs;
	if (d->next != NULL)
		d->next->prev = d;
	l->dirs = d;
	pthread_mutex_unlock(&l->lock);
}

static void close_dir(struct vault_livefs *l, struct vault_livefs_dir *d)
{
	pthread_mutex_lock(&l->lock);
	if (d->prev != NULL)
		d->prev->next = d->next;
	else
		l->dirs = d->next;
	if (d->next != NULL)
		d->next->prev = d->prev;
	pthread_mutex_unlock(&l->lock);
	closedir(d->stream);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void vault_livefs_dir_close_all(struct vault_livefs *l)
{
	while (l->dirs != NULL)
		close_dir(l, l->dirs);
}

void vault_livefs_dir_open(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_livefs_dir *d;
	int err;

	if (vault_view_owns(ino)) {
		vault_view_opendir(l->view, req, ino, fi);
		return;
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	d->inode = vault_livefs_inode(l, ino);
	err = open_stream(l, d->inode, &d->stream);
	if (err != 0) {
		free(d);
		fuse_reply_err(req, err);
		return;
	}
	pthread_mutex_init(&d->lock, NULL);
	link_dir(l, d);
	fi->fh = (uint64_t)(uintptr_t)d;
	if (fuse_reply_open(req, fi) != 0)
		close_dir(l, d);
}

void vault_livefs_dir_release(fuse_req_t req, fuse_ino_t ino,
			      struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);

	if (vault_view_owns(ino)) {
		vault_view_releasedir(l->view, req, ino, fi);
		return;
	}
	close_dir(l, dir_of(fi));
	fuse_reply_err(req, 0);
}

void vault_livefs_dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			    struct fuse_file_info *fi)
{
	int fd;
	int r;

	if (vault_view_owns(ino)) {
		vault_view_fsyncdir(vault_livefs_of(req)->view, req, ino);
		return;
	}
	fd = dirfd(dir_of(fi)->stream);
	r = datasync != 0 ? fdatasync(fd) : fsync(fd);
	fuse_reply_err(req, r == 0 ? 0 : errno);
}

/* ---- reading ---- */

/* A reply being filled. */
struct listing {
	fuse_req_t req;
	struct vault_livefs *l;
	struct vault_livefs_dir *d;
	char *buf;
	size_t size;
	size_t used;
	bool plus;
};

/* Add one entry; false: it does not fit. */
static bool add(struct listing *s, const char *name,
		const struct fuse_entry_param *e, off_t next)
{
	const size_t room = s->size - s->used;
	char *at = s->buf + s->used;
	size_t n;

	if (s->plus)
		n = fuse_add_direntry_plus(s->req, at, room, name, e, next);
	else
		n = fuse_add_direntry(s->req, at, room, name, &e->attr, next);
	if (n > room)
		return false;
	s->used += n;
	return true;
}

/* Names of the root that are the vault's or a view's are not its entries. */
static bool skipped(const struct listing *s, const char *name)
{
	return vault_livefs_is_root(s->l, s->d->inode) &&
	       (vault_livefs_hides(s->l, s->d->inode, name) ||
		vault_view_reserved(vault_span_str(name)));
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One entry of the disk; false: it does not fit. One that goes away while we
 * look is listed without attributes: the kernel will ask. */
static bool add_real(struct listing *s, const struct dirent *de)
{
	struct fuse_entry_param e = {
		.attr.st_ino = de->d_ino,
		.attr.st_mode = (mode_t)DTTOIF(de->d_type),
	};

	if (skipped(s, de->d_name))
		return true;
	if (vault_view_reserved(vault_span_str(de->d_name)))
		vault_livefs_note_shadow(s->l, s->d->inode, de->d_name);
	if (s->plus && !is_dot(de->d_name)) {
		struct fuse_entry_param full;

		if (vault_livefs_entry(s->l, s->d->inode, dirfd(s->d->stream),
				       de->d_name, &full) == 0)
			e = full;
	}
	if (add(s, de->d_name, &e, de->d_off))
		return true;
	if (e.ino != 0)
		vault_inode_forget(s->l->table, vault_livefs_inode(s->l, e.ino),
				   1);
	return false;
}

/* Entries of the disk from `off`. `*more`: it did not come to the end. */
static int list_real(struct listing *s, off_t off, bool *more)
{
	struct vault_livefs_dir *d = s->d;

	if (off != d->at) {
		seekdir(d->stream, off);
		d->pending = NULL;
		d->at = off;
	}
	for (;;) {
		if (d->pending == NULL) {
			errno = 0;
			d->pending = readdir(d->stream);
		}
		*more = d->pending != NULL;
		if (!*more)
			return errno;
		if (!add_real(s, d->pending))
			return 0;
		d->at = d->pending->d_off;
		d->pending = NULL;
	}
}

static void list_views(struct listing *s, off_t off)
{
	unsigned i = off < VIEWS_AT || off >= VIEWS_END
			     ? 0
			     : (unsigned)(off - VIEWS_AT);
	const char *name;

	if (!vault_livefs_is_root(s->l, s->d->inode))
		return;
	while ((name = vault_view_listed(s->l->view, i)) != NULL) {
		/* No node: the kernel looks it up when somebody enters. The
		 * inode number only has to be there. */
		const struct fuse_entry_param e = {
			.attr.st_mode = S_IFDIR,
			.attr.st_ino = (ino_t)UINT64_C(1) << 63 | (i + 1),
		};

		if (!add(s, name, &e, VIEWS_AT + (off_t)i + 1))
			return;
		i++;
	}
}

static int list(struct listing *s, off_t off)
{
	bool more = false;
	int err = 0;

	if (off < VIEWS_AT || off >= VIEWS_END)
		err = list_real(s, off, &more);
	if (err == 0 && !more)
		list_views(s, off);
	/* What was read before an error is delivered first. */
	return s->used > 0 ? 0 : err;
}

static void read_dir(fuse_req_t req, size_t size, off_t off,
		     struct fuse_file_info *fi, bool plus)
{
	struct listing s = {
		.req = req,
		.l = vault_livefs_of(req),
		.d = dir_of(fi),
		.size = size,
		.plus = plus,
	};
	int err = ENOMEM;

	s.buf = malloc(size);
	if (s.buf != NULL) {
		pthread_mutex_lock(&s.d->lock);
		err = list(&s, off);
		pthread_mutex_unlock(&s.d->lock);
	}
	if (err == 0)
		fuse_reply_buf(req, s.buf, s.used);
	else
		fuse_reply_err(req, err);
	free(s.buf);
}

void vault_livefs_dir_read(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi)
{
	if (vault_view_owns(ino))
		vault_view_readdir(vault_livefs_of(req)->view, req, ino, size,
				   off, fi, false);
	else
		read_dir(req, size, off, fi, false);
}

void vault_livefs_dir_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size,
				off_t off, struct fuse_file_info *fi)
{
	if (vault_view_owns(ino))
		vault_view_readdir(vault_livefs_of(req)->view, req, ino, size,
				   off, fi, true);
	else
		read_dir(req, size, off, fi, true);
}
