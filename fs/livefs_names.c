/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on names: looking up, making, linking, renaming, removing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/livefs_ops.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE (1 << 1)
#endif

/* Names that file managers and version control ask for at every step: the
 * kernel may remember for a moment that they are absent. */
static bool probed_constantly(const char *name)
{
	static const char *const names[] = {
		".Trash",
		".sh_thumbnails",
		".hidden",
		".directory",
		".git",
		"HEAD",
		".svn",
		".hg",
		".bzr",
		"desktop.ini",
		"Thumbs.db",
		"autorun.inf",
		".DS_Store",
		".comments",
		".xdg-volume-info",
	};

	if (strncmp(name, "._", 2) == 0 || strncmp(name, ".Trash-", 7) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void reply_absent(struct vault_livefs *l, fuse_req_t req,
			 const char *name)
{
	const struct fuse_entry_param none = {
		.entry_timeout = l->options.attr_timeout,
	};

	if (probed_constantly(name))
		fuse_reply_entry(req, &none);
	else
		fuse_reply_err(req, ENOENT);
}

/* The view of that name, as seen from the live directory `dir`. */
static int enter_view(struct vault_livefs *l, struct vault_inode *dir,
		      const char *name, struct fuse_entry_param *e)
{
	struct vault_buf path = VAULT_BUF_INIT;
	int err = ENOENT;

	if (vault_inode_path(l->table, dir, NULL, &path))
		err = vault_err_to_errno(
			vault_view_enter(l->view, vault_buf_span(&path),
					 vault_span_str(name), e));
	vault_buf_release(&path);
	return err;
}

static int look_up(struct vault_livefs *l, struct vault_inode *dir,
		   const char *name, struct fuse_entry_param *e)
{
	const bool reserved = vault_view_reserved(vault_span_str(name));
	struct vault_inode_fd fd;
	int err;

	if (vault_livefs_hides(l, dir, name))
		return ENOENT;
	if (reserved && vault_livefs_is_root(l, dir))
		return enter_view(l, dir, name, e);
	err = vault_inode_reach(l->table, dir, &fd);
	if (err != 0)
		return err;
	err = vault_livefs_entry(l, dir, fd.fd, name, e);
	vault_inode_unreach(&fd);
	if (!reserved)
		return err;
	if (err == 0)
		vault_livefs_note_shadow(l, dir, name);
	else if (err == ENOENT)
		err = enter_view(l, dir, name, e);
	return err;
}

void vault_livefs_names_lookup(fuse_req_t req, fuse_ino_t parent,
			       const char *name)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct fuse_entry_param e;
	int err;

	if (vault_view_owns(parent)) {
		vault_view_lookup(l->view, req, parent, name);
		return;
	}
	err = look_up(l, vault_livefs_inode(l, parent), name, &e);
	if (err == 0)
		vault_livefs_reply_entry(l, req, &e);
	else if (err == ENOENT)
		reply_absent(l, req, name);
	else
		fuse_reply_err(req, err);
}

static void forget(struct vault_livefs *l, fuse_ino_t ino, uint64_t n)
{
	if (vault_view_owns(ino))
		vault_view_forget(l->view, ino, n);
	else
		vault_inode_forget(l->table, vault_livefs_inode(l, ino), n);
}

void vault_livefs_names_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	forget(vault_livefs_of(req), ino, n);
	fuse_reply_none(req);
}

void vault_livefs_names_forget_multi(fuse_req_t req, size_t n,
				     struct fuse_forget_data *forgets)
{
	struct vault_livefs *l = vault_livefs_of(req);

	for (size_t i = 0; i < n; i++)
		forget(l, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- making ---- */

struct making {
	mode_t mode;
	dev_t rdev;
	const char *target; /* of a link */
};

static int make_at(int dirfd, const char *name, const struct making *m)
{
	int r;

	if (m->target != NULL)
		r = symlinkat(m->target, dirfd, name);
	else if (S_ISDIR(m->mode))
		r = mkdirat(dirfd, name, m->mode & ~(mode_t)S_IFMT);
	else
		r = mknodat(dirfd, name, m->mode, m->rdev);
	return r == 0 ? 0 : errno;
}

static int make(struct vault_livefs *l, fuse_req_t req, struct vault_inode *dir,
		const char *name, const struct making *m,
		struct fuse_entry_param *e)
{
	struct vault_persona p;
	struct vault_inode_fd fd;
	int err;

	err = vault_livefs_may_make(l, dir, name);
	if (err != 0)
		return err;
	err = vault_inode_reach(l->table, dir, &fd);
	if (err != 0)
		return err;
	err = vault_persona_take(&p, req, l->options.root);
	if (err == 0) {
		err = make_at(fd.fd, name, m);
		vault_persona_drop(&p);
	}
	if (err == 0) {
		vault_livefs_changed(l, dir, name);
		err = vault_livefs_entry(l, dir, fd.fd, name, e);
	}
	vault_inode_unreach(&fd);
	return err;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			   const struct making *m)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct fuse_entry_param e;
	int err;

	err = make(l, req, vault_livefs_inode(l, parent), name, m, &e);
	if (err == 0)
		vault_livefs_reply_entry(l, req, &e);
	else
		fuse_reply_err(req, err);
}

void vault_livefs_names_mkdir(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode)
{
	const struct making m = { .mode = mode | S_IFDIR };

	if (vault_view_owns(parent))
		vault_view_mkdir(vault_livefs_of(req)->view, req, parent, name);
	else
		make_and_reply(req, parent, name, &m);
}

void vault_livefs_names_mknod(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode, dev_t rdev)
{
	const struct making m = { .mode = mode, .rdev = rdev };

	if (vault_view_owns(parent))
		fuse_reply_err(req, EROFS);
	else
		make_and_reply(req, parent, name, &m);
}

void vault_livefs_names_symlink(fuse_req_t req, const char *target,
				fuse_ino_t parent, const char *name)
{
	const struct making m = { .target = target };

	if (vault_view_owns(parent))
		fuse_reply_err(req, EROFS);
	else
		make_and_reply(req, parent, name, &m);
}

static int link_to(struct vault_livefs *l, struct vault_inode *i,
		   struct vault_inode *dir, const char *name,
		   struct fuse_entry_param *e)
{
	struct vault_inode_fd from = { -1, false };
	struct vault_inode_fd fd = { -1, false };
	int err;

	err = vault_livefs_may_make(l, dir, name);
	if (err == 0)
		err = vault_inode_reach(l->table, i, &from);
	if (err == 0)
		err = vault_inode_reach(l->table, dir, &fd);
	if (err == 0 && linkat(AT_FDCWD, vault_livefs_proc(from.fd).path, fd.fd,
			       name, AT_SYMLINK_FOLLOW) != 0)
		err = errno;
	if (err == 0) {
		vault_livefs_changed(l, dir, name);
		err = vault_livefs_entry(l, dir, fd.fd, name, e);
	}
	vault_inode_unreach(&from);
	vault_inode_unreach(&fd);
	return err;
}

void vault_livefs_names_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
			     const char *name)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct fuse_entry_param e;
	int err = EROFS;

	if (!vault_view_owns(ino) && !vault_view_owns(parent))
		err = link_to(l, vault_livefs_inode(l, ino),
			      vault_livefs_inode(l, parent), name, &e);
	if (err == 0)
		vault_livefs_reply_entry(l, req, &e);
	else
		fuse_reply_err(req, err);
}

/* ---- removing ---- */

/* The file behind `name` is about to lose it. */
static void replacing(struct vault_livefs *l, struct vault_inode *dir,
		      const char *name)
{
	struct vault_buf path = VAULT_BUF_INIT;

	if (vault_inode_path(l->table, dir, name, &path))
		vault_capture_replacing(l->capture, vault_buf_span(&path));
	vault_buf_release(&path);
}

static int remove_from(struct vault_livefs *l, struct vault_inode *dir,
		       int dirfd, const char *name, int flags)
{
	struct vault_inode_victim victim;
	int err;

	err = vault_livefs_may_remove(l, dir, dirfd, name);
	if (err == 0)
		err = vault_inode_victim_open(dirfd, name, &victim);
	if (err != 0)
		return err;
	if (flags == 0)
		replacing(l, dir, name);
	vault_inode_changing(l->table);
	if (unlinkat(dirfd, name, flags) == 0)
		vault_inode_unlinked(l->table, dir, name, &victim);
	else
		err = errno;
	vault_inode_changed(l->table);
	if (err == 0)
		vault_livefs_changed(l, dir, name);
	vault_inode_victim_close(&victim);
	return err;
}

static int remove_name(struct vault_livefs *l, struct vault_inode *dir,
		       const char *name, int flags)
{
	struct vault_inode_fd fd;
	int err;

	err = vault_inode_reach(l->table, dir, &fd);
	if (err != 0)
		return err;
	err = remove_from(l, dir, fd.fd, name, flags);
	vault_inode_unreach(&fd);
	return err;
}

void vault_livefs_names_unlink(fuse_req_t req, fuse_ino_t parent,
			       const char *name)
{
	struct vault_livefs *l = vault_livefs_of(req);
	int err = EROFS;

	if (!vault_view_owns(parent))
		err = remove_name(l, vault_livefs_inode(l, parent), name, 0);
	fuse_reply_err(req, err);
}

void vault_livefs_names_rmdir(fuse_req_t req, fuse_ino_t parent,
			      const char *name)
{
	struct vault_livefs *l = vault_livefs_of(req);

	if (vault_view_owns(parent))
		vault_view_rmdir(l->view, req, parent, name);
	else
		fuse_reply_err(req,
			       remove_name(l, vault_livefs_inode(l, parent),
					   name, AT_REMOVEDIR));
}

/* ---- renaming ---- */

static void tell_renamed(struct vault_livefs *l,
			 const struct vault_inode_move *m)
{
	struct vault_buf from = VAULT_BUF_INIT;
	struct vault_buf to = VAULT_BUF_INIT;
	const bool knows_from =
		vault_inode_path(l->table, m->from_parent, m->from, &from);
	const bool knows_to =
		vault_inode_path(l->table, m->to_parent, m->to, &to);

	if (knows_from && knows_to)
		vault_capture_renamed(l->capture, vault_buf_span(&from),
				      vault_buf_span(&to), m->exchange);
	else if (knows_from)
		vault_capture_changed(l->capture, vault_buf_span(&from));
	else if (knows_to)
		vault_capture_changed(l->capture, vault_buf_span(&to));
	vault_buf_release(&from);
	vault_buf_release(&to);
}

static int may_rename(const struct vault_livefs *l,
		      const struct vault_inode_move *m, int fromfd, int tofd)
{
	int err = vault_livefs_may_remove(l, m->from_parent, fromfd, m->from);

	if (err == 0 && m->exchange)
		err = vault_livefs_may_remove(l, m->to_parent, tofd, m->to);
	if (err == 0)
		err = vault_livefs_may_make(l, m->to_parent, m->to);
	/* An exchange also makes `from` anew. */
	if (err == 0 && m->exchange)
		err = vault_livefs_may_make(l, m->from_parent, m->from);
	return err;
}

static int move_between(struct vault_livefs *l, struct vault_inode_move *m,
			int fromfd, int tofd, unsigned flags)
{
	struct vault_inode_victim over = { .fd = -1 };
	struct vault_inode_key key;
	struct stat st;
	int err;

	err = may_rename(l, m, fromfd, tofd);
	if (err == 0)
		err = vault_inode_stat(fromfd, m->from, &st, &key);
	if (err != 0)
		return err;
	m->key = &key;
	if (vault_inode_victim_open(tofd, m->to, &over) == 0) {
		m->over = &over;
		if (flags == 0 && !over.is_dir)
			replacing(l, m->to_parent, m->to);
	}
	vault_inode_changing(l->table);
	if (renameat2(fromfd, m->from, tofd, m->to, flags) == 0)
		vault_inode_moved(l->table, m);
	else
		err = errno;
	vault_inode_changed(l->table);
	if (err == 0)
		tell_renamed(l, m);
	vault_inode_victim_close(&over);
	return err;
}

static int rename_live(struct vault_livefs *l, struct vault_inode_move *m,
		       unsigned flags)
{
	struct vault_inode_fd from = { -1, false };
	struct vault_inode_fd to = { -1, false };
	int err;

	err = vault_inode_reach(l->table, m->from_parent, &from);
	if (err == 0)
		err = vault_inode_reach(l->table, m->to_parent, &to);
	if (err == 0)
		err = move_between(l, m, from.fd, to.fd, flags);
	vault_inode_unreach(&from);
	vault_inode_unreach(&to);
	return err;
}

void vault_livefs_names_rename(fuse_req_t req, fuse_ino_t parent,
			       const char *name, fuse_ino_t newparent,
			       const char *newname, unsigned flags)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_move m = {
		.from = name,
		.to = newname,
		.exchange = (flags & RENAME_EXCHANGE) != 0,
	};

	if (vault_view_owns(parent) && vault_view_owns(newparent)) {
		vault_view_rename(l->view, req, parent, name, newparent,
				  newname, flags);
		return;
	}
	if (vault_view_owns(parent) || vault_view_owns(newparent)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	m.from_parent = vault_livefs_inode(l, parent);
	m.to_parent = vault_livefs_inode(l, newparent);
	fuse_reply_err(req, rename_live(l, &m, flags));
}

void vault_livefs_names_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct vault_livefs *l = vault_livefs_of(req);
	char target[PATH_MAX + 1];
	struct vault_inode_fd fd;
	ssize_t n = -1;
	int err;

	if (vault_view_owns(ino)) {
		vault_view_readlink(l->view, req, ino);
		return;
	}
	err = vault_inode_reach(l->table, vault_livefs_inode(l, ino), &fd);
	if (err == 0) {
		n = readlinkat(fd.fd, "", target, sizeof(target) - 1);
		err = n < 0 ? errno : 0;
		vault_inode_unreach(&fd);
	}
	if (err != 0) {
		fuse_reply_err(req, err);
		return;
	}
	target[n] = '\0';
	fuse_reply_readlink(req, target);
}
