/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "fs/view_core.h"
#include "fs/view_dir.h"
#include "fs/view_file.h"
#include "fs/view_history.h"
#include "fs/view_marker.h"
#include "fs/view_snapshot.h"
#include "fs/view_timeline.h"
#include "fs/view_xattr.h"

/*
 * The door from the kernel: numbers become pinned nodes, errors become
 * errnos. The work is done in view_*.c.
 */

static const char *const reserved[] = { ".history", ".timeline", ".diff",
					".layers" };
#define N_RESERVED (sizeof(reserved) / sizeof(reserved[0]))
/* The first of them are there; the others are names kept free. */
#define N_THERE 2

vault_err vault_view_create(struct vault_tree *t, struct vault_capture *c,
			    int projectfd,
			    const struct vault_view_options *options,
			    struct vault_view **out)
{
	struct vault_view *v = calloc(1, sizeof(*v));
	vault_err err;

	if (v == NULL)
		return VAULT_ERR_NOMEM;
	v->tree = t;
	v->capture = c;
	v->projectfd = projectfd;
	v->options = *options;
	v->started = (int64_t)time(NULL);
	/* A number of an earlier mount is not taken for one of this. */
	v->generation = (uint64_t)v->started;
	err = vault_view_nodes_create(&v->nodes);
	if (err == VAULT_OK && pthread_mutex_init(&v->lock, NULL) != 0)
		err = VAULT_ERR_NOMEM;
	if (err == VAULT_OK && pthread_cond_init(&v->idle, NULL) != 0) {
		pthread_mutex_destroy(&v->lock);
		err = VAULT_ERR_NOMEM;
	}
	if (err != VAULT_OK) {
		vault_view_nodes_destroy(v->nodes);
		free(v);
		return err;
	}
	*out = v;
	return VAULT_OK;
}

void vault_view_destroy(struct vault_view *v)
{
	if (v == NULL)
		return;
	vault_view_core_wait(v);
	vault_view_core_close_all(v);
	while (v->n_spare_reads > 0)
		free(v->spare_reads[--v->n_spare_reads]);
	vault_view_nodes_destroy(v->nodes);
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

bool vault_view_reserved(struct vault_span name)
{
	for (size_t i = 0; i < N_RESERVED; i++) {
		if (vault_span_equal(name, vault_span_str(reserved[i])))
			return true;
	}
	return false;
}

const char *vault_view_listed(const struct vault_view *v, unsigned i)
{
	if (v->options.listing == VAULT_VIEW_LIST_HIDDEN || i >= N_THERE)
		return NULL;
	return reserved[i];
}

vault_err vault_view_enter(struct vault_view *v, struct vault_span dirpath,
			   struct vault_span name, struct fuse_entry_param *out)
{
	struct vault_view_found f;
	vault_err err = VAULT_ERR_NOT_FOUND;

	if (vault_span_equal(name, vault_span_str(".history")))
		err = vault_view_history_enter(v, dirpath, &f);
	else if (vault_span_equal(name, vault_span_str(".timeline")))
		err = vault_view_timeline_enter(v, dirpath, &f);
	if (err != VAULT_OK)
		return err;
	vault_view_core_entry(v, &f, out);
	vault_view_core_release(v, &f);
	return VAULT_OK;
}

static void fail(fuse_req_t req, vault_err err)
{
	fuse_reply_err(req, vault_err_to_errno(err));
}

/* The node of a request, pinned. Without one the request is answered. */
static struct vault_view_node *begin(struct vault_view *v, fuse_req_t req,
				     fuse_ino_t ino)
{
	struct vault_view_node *n = vault_view_nodes_pin(v->nodes, ino);

	if (n == NULL)
		fail(req, VAULT_ERR_STALE);
	return n;
}

static void end(struct vault_view *v, fuse_req_t req, struct vault_view_node *n,
		vault_err err)
{
	vault_view_nodes_unpin(v->nodes, n);
	if (err != VAULT_OK)
		fail(req, err);
}

/* ---- names ---- */

/* In a tree as of then a name stays away for ever; elsewhere only those do
 * that never come. */
static void reply_absent(fuse_req_t req, const struct vault_view_node *parent,
			 const char *name)
{
	struct fuse_entry_param e;

	memset(&e, 0, sizeof(e));
	if (parent->key.kind == VAULT_VIEW_PAST ||
	    (parent->key.kind != VAULT_VIEW_TIMELINE &&
	     vault_view_marker_probed(vault_span_str(name))))
		e.entry_timeout = VAULT_VIEW_FOREVER;
	if (e.entry_timeout > 0)
		fuse_reply_entry(req, &e);
	else
		fail(req, VAULT_ERR_NOT_FOUND);
}

void vault_view_lookup(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		       const char *name)
{
	struct vault_view_node *n = begin(v, req, parent);
	struct fuse_entry_param e;
	struct vault_view_found f;
	vault_err err = VAULT_OK;

	if (n == NULL)
		return;
	if (strlen(name) > NAME_MAX)
		err = VAULT_ERR_NAME_TOO_LONG;
	/* Who may not pass a folder is told nothing of what was in it. */
	if (err == VAULT_OK && n->key.kind == VAULT_VIEW_TIMELINE)
		err = vault_view_core_check(v, req, n, VAULT_MAY_SEARCH);
	if (err == VAULT_OK)
		err = vault_view_dir_find(v, n, vault_span_str(name), &f);
	if (err == VAULT_ERR_NOT_FOUND) {
		reply_absent(req, n, name);
		err = VAULT_OK;
	} else if (err == VAULT_OK) {
		vault_view_core_entry(v, &f, &e);
		vault_view_core_release(v, &f);
		if (fuse_reply_entry(req, &e) != 0)
			vault_view_nodes_forget(v->nodes, e.ino, 1);
	}
	end(v, req, n, err);
}

void vault_view_forget(struct vault_view *v, fuse_ino_t ino, uint64_t n)
{
	vault_view_nodes_forget(v->nodes, ino, n);
}

void vault_view_getattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino)
{
	struct vault_view_node *n = begin(v, req, ino);
	struct stat st;
	vault_err err;

	if (n == NULL)
		return;
	err = vault_view_core_attr(v, n, &st);
	if (err == VAULT_OK)
		fuse_reply_attr(req, &st, vault_view_core_attr_timeout(n));
	end(v, req, n, err);
}

void vault_view_access(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		       int mask)
{
	struct vault_view_node *n = begin(v, req, ino);
	vault_err err;

	if (n == NULL)
		return;
	/* The bits of access(2) are those of a mode. */
	if ((mask & VAULT_MAY_WRITE) != 0 &&
	    (n->key.kind != VAULT_VIEW_HISTORY || n->key.path.len > 0))
		err = VAULT_ERR_READ_ONLY;
	else
		err = vault_view_core_check(v, req, n, mask & ~VAULT_MAY_WRITE);
	if (err == VAULT_OK)
		fuse_reply_err(req, 0);
	end(v, req, n, err);
}

void vault_view_statfs(struct vault_view *v, fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	(void)ino;
	if (fstatvfs(v->projectfd, &st) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

/* ---- files ---- */

void vault_view_readlink(struct vault_view *v, fuse_req_t req, fuse_ino_t ino)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n, vault_view_file_readlink(v, req, n));
}

void vault_view_open(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		     struct fuse_file_info *fi)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n, vault_view_file_open(v, req, n, fi));
}

void vault_view_read(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	const vault_err err = vault_view_file_read(v, req, size, off, fi);

	(void)ino;
	if (err != VAULT_OK)
		fail(req, err);
}

void vault_view_lseek(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		      off_t off, int whence, struct fuse_file_info *fi)
{
	(void)v;
	(void)ino;
	vault_view_file_lseek(req, off, whence, fi);
}

void vault_view_release(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	(void)ino;
	vault_view_file_release(v, fi);
	fuse_reply_err(req, 0);
}

/* ---- directories ---- */

void vault_view_opendir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n, vault_view_dir_open(v, req, n, fi));
}

void vault_view_readdir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			size_t size, off_t off, struct fuse_file_info *fi,
			bool plus)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n,
		    vault_view_dir_read(v, req, n, size, off, fi, plus));
}

void vault_view_releasedir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	(void)ino;
	vault_view_dir_release(v, fi);
	fuse_reply_err(req, 0);
}

void vault_view_fsyncdir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino)
{
	struct vault_view_node *n = begin(v, req, ino);
	vault_err err = VAULT_OK;

	if (n == NULL)
		return;
	if (n->key.kind == VAULT_VIEW_HISTORY)
		err = vault_view_snapshot_sync(v, req);
	else
		fuse_reply_err(req, 0); /* the past is durable */
	end(v, req, n, err);
}

/* ---- attributes ---- */

void vault_view_getxattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			 const char *name, size_t size)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n, vault_view_xattr_get(v, req, n, name, size));
}

void vault_view_listxattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			  size_t size)
{
	struct vault_view_node *n = begin(v, req, ino);

	if (n != NULL)
		end(v, req, n, vault_view_xattr_list(v, req, n, size));
}

/* ---- snapshots ---- */

void vault_view_mkdir(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		      const char *name)
{
	struct vault_view_node *n = begin(v, req, parent);

	if (n != NULL)
		end(v, req, n, vault_view_snapshot_make(v, req, n, name));
}

void vault_view_rmdir(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		      const char *name)
{
	struct vault_view_node *n = begin(v, req, parent);

	if (n != NULL)
		end(v, req, n, vault_view_snapshot_remove(v, req, n, name));
}

void vault_view_rename(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		       const char *name, fuse_ino_t newparent,
		       const char *newname, unsigned flags)
{
	struct vault_view_node *from = begin(v, req, parent);
	struct vault_view_node *to;

	if (from == NULL)
		return;
	to = vault_view_nodes_pin(v->nodes, newparent);
	end(v, req, from,
	    to == NULL ? VAULT_ERR_STALE
		       : vault_view_snapshot_rename(v, req, from, name, to,
						    newname, flags));
	vault_view_nodes_unpin(v->nodes, to);
}

/* ---- the end ---- */

void vault_view_wait(struct vault_view *v)
{
	vault_view_core_wait(v);
}
