/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_dir.h"

#include <stdlib.h>
#include <string.h>

#include "fs/view_history.h"
#include "fs/view_list.h"
#include "fs/view_timeline.h"

/* Offsets 0 and 1 are "." and ".."; the i-th entry is 2 + i. */
#define N_DOTS 2

struct open_dir {
	struct vault_view_open open;
	struct vault_view_list list;
};

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

static struct vault_view_list *list_of(const struct fuse_file_info *fi)
{
	return &dir_of(fi)->list;
}

static void close_dir(struct vault_view *v, struct vault_view_open *o)
{
	struct open_dir *d = (struct open_dir *)o;

	(void)v;
	vault_view_list_release(&d->list);
	free(d);
}

vault_err vault_view_dir_find(struct vault_view *v,
			      const struct vault_view_node *parent,
			      struct vault_span name,
			      struct vault_view_found *out)
{
	switch (parent->key.kind) {
	case VAULT_VIEW_HISTORY:
	case VAULT_VIEW_GMT:
	case VAULT_VIEW_PAST:
		return vault_view_history_find(v, parent, name, out);
	case VAULT_VIEW_TIMELINE:
		return vault_view_timeline_find(v, parent, name, out);
	default:
		return VAULT_ERR_NOT_DIR;
	}
}

vault_err vault_view_dir_open(struct vault_view *v, fuse_req_t req,
			      const struct vault_view_node *n,
			      struct fuse_file_info *fi)
{
	struct open_dir *d;
	vault_err err;

	err = vault_view_core_check(v, req, n, VAULT_MAY_READ);
	if (err != VAULT_OK)
		return err;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return VAULT_ERR_NOMEM;
	d->list = VAULT_VIEW_LIST_INIT;
	if (n->key.kind == VAULT_VIEW_TIMELINE)
		err = vault_view_timeline_list(v, n, &d->list);
	else
		err = vault_view_history_list(v, n, &d->list);
	if (err != VAULT_OK) {
		close_dir(v, &d->open);
		return err;
	}
	d->open.close = close_dir;
	vault_view_core_opened(v, &d->open);
	fi->fh = (uintptr_t)d;
	/* The kernel asks us before each use of what it has kept. */
	fi->cache_readdir = n->key.kind == VAULT_VIEW_PAST;
	fi->keep_cache = n->key.kind == VAULT_VIEW_PAST;
	if (fuse_reply_open(req, fi) != 0)
		vault_view_core_close(v, &d->open);
	return VAULT_OK;
}

void vault_view_dir_release(struct vault_view *v, struct fuse_file_info *fi)
{
	vault_view_core_close(v, &dir_of(fi)->open);
}

/* ---- reading ---- */

struct reply {
	fuse_req_t req;
	char *data;
	size_t size;
	size_t len;
};

static bool add_plain(struct reply *r, const char *name, uint64_t ino,
		      mode_t type, off_t next)
{
	const struct stat st = { .st_ino = ino, .st_mode = type };
	const size_t need = fuse_add_direntry(
		r->req, r->data + r->len, r->size - r->len, name, &st, next);

	if (need > r->size - r->len)
		return false;
	r->len += need;
	return true;
}

static vault_err find_item(struct vault_view *v,
			   const struct vault_view_node *n,
			   const struct vault_view_list *l,
			   const struct vault_view_list_item *item,
			   struct vault_view_found *out)
{
	const struct vault_span then =
		vault_span_str(vault_view_list_text(l, item->then));
	const bool past = n->key.kind == VAULT_VIEW_PAST;
	struct vault_version version;
	vault_err err;

	if (item->kind == VAULT_VIEW_PAST && !past)
		return vault_view_history_moment(v, n, then, item->seq,
						 !item->given, out);
	if (item->kind != VAULT_VIEW_VERSION)
		return vault_view_dir_find(
			v, n,
			vault_span_str(vault_view_list_text(l, item->name)),
			out);
	err = vault_tree_lookup(v->tree, item->dir, then, item->seq, &version);
	if (err != VAULT_OK)
		return err;
	return vault_view_history_version(v, item->dir, then, &version,
					  past ? n->key.seq : 0, out);
}

/* A directory entry with its node. One that is gone meanwhile is given
 * without: the kernel then asks when it wants to know. */
static bool add_plus(struct vault_view *v, struct reply *r,
		     const struct vault_view_node *n,
		     const struct vault_view_list *l,
		     const struct vault_view_list_item *item, off_t next)
{
	const char *name = vault_view_list_text(l, item->name);
	struct fuse_entry_param e;
	struct vault_view_found f;
	size_t need;

	need = fuse_add_direntry_plus(r->req, NULL, 0, name, NULL, next);
	if (need > r->size - r->len)
		return false;
	if (find_item(v, n, l, item, &f) == VAULT_OK) {
		vault_view_core_entry(v, &f, &e);
		vault_view_core_release(v, &f);
	} else {
		memset(&e, 0, sizeof(e));
		e.attr.st_ino = item->ino;
		e.attr.st_mode = item->type;
	}
	r->len += fuse_add_direntry_plus(r->req, r->data + r->len,
					 r->size - r->len, name, &e, next);
	return true;
}

static bool add_dot(struct reply *r, const struct vault_view_node *n,
		    unsigned which, bool plus)
{
	const char *name = which == 0 ? "." : "..";
	const uint64_t ino = which == 0 ? n->ino : n->up;
	struct fuse_entry_param e;
	size_t need;

	if (!plus)
		return add_plain(r, name, ino, S_IFDIR, (off_t)which + 1);
	memset(&e, 0, sizeof(e)); /* node 0: the kernel has these already */
	e.attr.st_ino = ino;
	e.attr.st_mode = S_IFDIR;
	need = fuse_add_direntry_plus(r->req, r->data + r->len,
				      r->size - r->len, name, &e,
				      (off_t)which + 1);
	if (need > r->size - r->len)
		return false;
	r->len += need;
	return true;
}

static bool add_at(struct vault_view *v, struct reply *r,
		   const struct vault_view_node *n,
		   const struct vault_view_list *l, size_t at, bool plus)
{
	const struct vault_view_list_item *item;
	const off_t next = (off_t)at + 1;

	if (at < N_DOTS)
		return add_dot(r, n, (unsigned)at, plus);
	item = &l->items[at - N_DOTS];
	if (plus)
		return add_plus(v, r, n, l, item, next);
	return add_plain(r, vault_view_list_text(l, item->name), item->ino,
			 item->type, next);
}

vault_err vault_view_dir_read(struct vault_view *v, fuse_req_t req,
			      const struct vault_view_node *n, size_t size,
			      off_t off, struct fuse_file_info *fi, bool plus)
{
	const struct vault_view_list *l = list_of(fi);
	struct reply r = { .req = req, .size = size };

	r.data = malloc(size > 0 ? size : 1);
	if (r.data == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t at = (size_t)off; at < l->n + N_DOTS; at++) {
		if (!add_at(v, &r, n, l, at, plus))
			break;
	}
	fuse_reply_buf(req, r.data, r.len);
	free(r.data);
	return VAULT_OK;
}
