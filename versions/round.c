/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/round.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "versions/beneath.h"
#include "versions/lineage.h"
#include "versions/path.h"
#include "versions/sweep.h"

struct round {
	struct vault_capture *c;
	struct vault_plan plan;
	/* Names that were looked at, with their node; NONE: nothing there. */
	struct vault_dirty seen;
	/* Directories whose whole content was looked at. */
	struct vault_dirty scanned;
	/* Inodes with several names, in the order in which they were met. */
	struct linked {
		struct vault_ingest_stat st;
		const struct vault_dirty_name *at;  /* in `seen` */
		const struct vault_dirty_name *how; /* as it was looked at */
	} * linked;
	size_t n_linked;
	size_t room_linked;
};

static void release(struct round *b)
{
	vault_dirty_release(&b->seen);
	vault_dirty_release(&b->scanned);
	free(b->linked);
	vault_plan_release(&b->plan);
}

vault_err vault_round_live(struct vault_capture *c, struct vault_span path,
			   struct vault_live *out)
{
	struct vault_version dir;
	vault_err err;

	if (path.len == 0)
		return vault_tree_live(c->tree, VAULT_DIR_ABOVE, path, out);
	err = vault_tree_resolve(c->tree, vault_path_parent(path), VAULT_AT_NOW,
				 &dir);
	if (err == VAULT_ERR_NOT_DIR)
		err = VAULT_ERR_NOT_FOUND;
	if (err != VAULT_OK)
		return err;
	if (dir.row.kind != VAULT_KIND_DIR)
		return VAULT_ERR_NOT_FOUND;
	return vault_tree_live(c->tree, dir.row.node, vault_path_name(path),
			       out);
}

/* NOT_FOUND covers every way of not being there. */
static vault_err stat_path(struct vault_capture *c, const char *path,
			   struct vault_ingest_stat *out)
{
	const int fd = vault_beneath_open(c->projectfd, path, O_PATH);
	vault_err err;

	if (fd < 0) {
		err = vault_err_from_errno(errno);
		if (err == VAULT_ERR_NOT_DIR || err == VAULT_ERR_LOOP)
			err = VAULT_ERR_NOT_FOUND;
		return err;
	}
	err = vault_ingest_stat(fd, "", out);
	close(fd);
	return err;
}

static vault_err look_at(struct round *b, struct vault_span path,
			 const struct vault_dirty_name *how, uint64_t *node);

static bool is_below_scanned(const struct round *b, struct vault_span path)
{
	while (path.len > 0) {
		path = vault_path_parent(path);
		if (vault_dirty_find(&b->scanned, path) != NULL)
			return true;
	}
	return false;
}

static vault_err remember(struct vault_dirty *set, struct vault_span path,
			  uint64_t node)
{
	struct vault_dirty_name *n = vault_dirty_mark(set, path, 0);

	if (n == NULL)
		return VAULT_ERR_NOMEM;
	n->node = node;
	return VAULT_OK;
}

static vault_err collect_name(void *ctx, struct vault_span path)
{
	return remember(ctx, path, 0);
}

/* The other names wait until it is known which folders have moved. */
static vault_err note_linked(struct round *b, struct vault_span path,
			     const struct vault_ingest_stat *st,
			     const struct vault_dirty_name *how)
{
	if (b->n_linked == b->room_linked) {
		const size_t room =
			b->room_linked == 0 ? 16 : b->room_linked * 2;
		struct linked *l = realloc(b->linked, room * sizeof(*l));

		if (l == NULL)
			return VAULT_ERR_NOMEM;
		b->linked = l;
		b->room_linked = room;
	}
	b->linked[b->n_linked++] = (struct linked){
		.st = *st,
		.at = vault_dirty_find(&b->seen, path),
		.how = how,
	};
	return VAULT_OK;
}

static vault_err look_below(struct round *b, struct vault_span path,
			    uint64_t node)
{
	vault_err err = remember(&b->scanned, path, node);

	if (err == VAULT_OK)
		err = vault_sweep_dir(&b->plan, node, path);
	return err;
}

static vault_err look_on_disk(struct round *b, struct vault_plan_name *n,
			      const struct vault_dirty_name *how,
			      struct vault_plan_seen *seen)
{
	const char *path;
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_ingest_stat st;
	struct vault_live live;
	bool there;
	vault_err err;

	err = vault_tree_live(b->c->tree, n->dir, vault_path_name(n->path),
			      &live);
	if (err == VAULT_OK)
		n->live = &live;
	else if (err != VAULT_ERR_NOT_FOUND)
		return err;
	err = vault_buf_append(&text, n->path);
	path = vault_buf_cstr(&text);
	if (err != VAULT_OK || path == NULL) {
		err = VAULT_ERR_NOMEM;
		goto out;
	}
	err = stat_path(b->c, path, &st);
	there = err == VAULT_OK;
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND) {
		vault_engine_lost(b->c, n->path, vault_err_text(err));
		err = VAULT_OK;
		goto out;
	}
	err = VAULT_OK;
	if (there && (vault_engine_is_foreign(b->c, &st) ||
		      vault_ignore_ask(b->c->ignore, n->path,
				       st.kind == VAULT_KIND_DIR)))
		goto out;
	n->resting = how != NULL && how->resting;
	n->busy = how != NULL && how->busy;
	err = vault_plan_look(&b->plan, n, there ? &st : NULL, seen);
	if (err == VAULT_OK)
		err = remember(&b->seen, n->path, seen->node);
	if (err == VAULT_OK && seen->fresh)
		err = look_below(b, n->path, seen->node);
	if (err == VAULT_OK && there && st.kind != VAULT_KIND_DIR &&
	    st.nlink > 1)
		err = note_linked(b, n->path, &st, how);
out:
	vault_buf_release(&text);
	return err;
}

/* Look at a name once, after the directories above it; `*node` NONE: it is
 * not there or not kept. */
static vault_err look_at(struct round *b, struct vault_span path,
			 const struct vault_dirty_name *how, uint64_t *node)
{
	const struct vault_dirty_name *known = vault_dirty_find(&b->seen, path);
	struct vault_plan_name n = { .dir = VAULT_DIR_ABOVE, .path = path };
	struct vault_plan_seen seen = { .node = VAULT_NODE_NONE };
	vault_err err;

	*node = VAULT_NODE_NONE;
	if (known != NULL) {
		*node = known->node;
		return VAULT_OK;
	}
	if (is_below_scanned(b, path))
		return VAULT_OK;
	if (path.len > 0) {
		err = look_at(b, vault_path_parent(path), NULL, &n.dir);
		if (err != VAULT_OK)
			return err;
		/* That may have been a look at everything in it. */
		if (n.dir == VAULT_NODE_NONE || is_below_scanned(b, path))
			return VAULT_OK;
	}
	/* First of all, so that links that lead back here end. */
	err = remember(&b->seen, path, VAULT_NODE_NONE);
	if (err == VAULT_OK)
		err = look_on_disk(b, &n, how, &seen);
	if (err == VAULT_OK)
		*node = seen.node;
	return err;
}

static const struct vault_dirty_name *seen_as(const struct round *b,
					      uint64_t node)
{
	for (size_t i = 0; i < b->seen.n_buckets; i++) {
		const struct vault_dirty_name *n = b->seen.buckets[i];

		for (; n != NULL; n = n->chain)
			if (n->node == node)
				return n;
	}
	return NULL;
}

/* Where a recorded path is, if a folder above it has another name now. */
static vault_err find_moved(struct round *b, struct vault_span path,
			    struct vault_buf *out)
{
	const struct vault_dirty_name *now = NULL;
	struct vault_span dir = vault_path_parent(path);
	struct vault_version v;
	vault_err err;

	for (; dir.len > 0; dir = vault_path_parent(dir)) {
		err = vault_tree_resolve(b->c->tree, dir, VAULT_AT_NOW, &v);
		if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
			continue;
		if (err != VAULT_OK)
			return err;
		if (vault_idmap_get(&b->plan.moved, v.row.node) !=
		    VAULT_IDMAP_NONE)
			now = seen_as(b, v.row.node);
		if (now != NULL)
			break;
	}
	if (now == NULL)
		return vault_buf_append(out, path);
	err = vault_buf_append(out, vault_span(now->path, now->len));
	if (err == VAULT_OK)
		err = vault_buf_append(out, vault_span_from(path, dir.len));
	return err;
}

/* Does the path, or a folder above it, wait for a look of its own? */
static bool is_pending(struct round *b, struct vault_span path)
{
	while (path.len > 0 && !vault_engine_is_pending(b->c, path))
		path = vault_path_parent(path);
	return path.len > 0;
}

static vault_err look_at_other_name(struct round *b, const struct linked *l,
				    struct vault_span recorded)
{
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_ingest_stat st;
	uint64_t node;
	vault_err err = find_moved(b, recorded, &path);

	if (err == VAULT_OK && vault_buf_cstr(&path) == NULL)
		err = VAULT_ERR_NOMEM;
	/* It may be on its way to where only a later round can find it: then
	 * this inode is looked at once more. */
	if (err == VAULT_OK && is_pending(b, vault_buf_span(&path)) &&
	    stat_path(b->c, (const char *)path.data, &st) != VAULT_OK) {
		vault_engine_put_off(b->c, vault_span(l->at->path, l->at->len),
				     false, 0);
		b->plan.n_put_off++;
	} else if (err == VAULT_OK) {
		err = look_at(b, vault_buf_span(&path), l->how, &node);
	}
	vault_buf_release(&path);
	return err;
}

/* A change to an inode is a change to all its names. */
static vault_err look_at_links(struct round *b, const struct linked *l)
{
	struct vault_dirty names = VAULT_DIRTY_INIT;
	vault_err err =
		vault_lineage_each_name(b->c, &l->st, collect_name, &names);

	for (size_t i = 0; i < names.n_buckets && err == VAULT_OK; i++) {
		const struct vault_dirty_name *n = names.buckets[i];

		for (; n != NULL && err == VAULT_OK; n = n->chain)
			err = look_at_other_name(b, l,
						 vault_span(n->path, n->len));
	}
	vault_dirty_release(&names);
	return err;
}

static vault_err look_at_all_links(struct round *b)
{
	vault_err err = VAULT_OK;

	/* More may turn up on the way. */
	for (size_t i = 0; i < b->n_linked && err == VAULT_OK; i++) {
		const struct linked l = b->linked[i];

		err = look_at_links(b, &l);
	}
	return err;
}

static int by_path(const void *a, const void *b)
{
	const struct vault_dirty_name *const *x = a;
	const struct vault_dirty_name *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* In order of paths, so that what comes out is the same every time. */
static vault_err look_at_all(struct round *b,
			     const struct vault_dirty_name *names)
{
	const struct vault_dirty_name **sorted;
	uint64_t node;
	size_t n = 0;
	vault_err err = VAULT_OK;

	for (const struct vault_dirty_name *i = names; i != NULL; i = i->chain)
		n++;
	sorted = malloc((n + 1) * sizeof(*sorted));
	if (sorted == NULL)
		return VAULT_ERR_NOMEM;
	n = 0;
	for (const struct vault_dirty_name *i = names; i != NULL; i = i->chain)
		sorted[n++] = i;
	qsort(sorted, n, sizeof(*sorted), by_path);
	for (size_t i = 0; i < n && err == VAULT_OK; i++)
		err = look_at(b, vault_span(sorted[i]->path, sorted[i]->len),
			      sorted[i], &node);
	free(sorted);
	return err;
}

vault_err vault_round_run(struct vault_capture *c,
			  const struct vault_dirty_name *names,
			  enum vault_cause cause, bool force, bool partial,
			  size_t *n_put_off)
{
	struct round b = { .c = c,
			   .seen = { .limit = SIZE_MAX },
			   .scanned = { .limit = SIZE_MAX } };
	vault_err err = vault_plan_init(&b.plan, c, cause, force, false);

	if (err != VAULT_OK)
		return err;
	err = look_at_all(&b, names);
	if (err == VAULT_OK)
		err = look_at_all_links(&b);
	if (err == VAULT_OK)
		err = vault_plan_finish(&b.plan, partial ? VAULT_PLAN_PARTIAL
							 : VAULT_PLAN_IF_ANY);
	if (err == VAULT_OK)
		*n_put_off = b.plan.n_put_off;
	release(&b);
	return err;
}

vault_err vault_round_commit_row(struct vault_capture *c,
				 struct vault_span path,
				 const struct vault_live *live,
				 const struct vault_ingest_result *r)
{
	struct round b = { .c = c,
			   .seen = { .limit = SIZE_MAX },
			   .scanned = { .limit = SIZE_MAX } };
	struct vault_row row = r->row;
	uint64_t dir = VAULT_NODE_NONE;
	vault_err err;

	err = vault_plan_init(&b.plan, c, VAULT_CAUSE_SAVE, true, false);
	if (err != VAULT_OK)
		return err;
	/* Its directory may be as new as the file; only what is directly
	 * needed is looked at, not what else is in there. */
	err = remember(&b.seen, path, VAULT_NODE_NONE);
	if (err == VAULT_OK)
		err = look_at(&b, vault_path_parent(path), NULL, &dir);
	if (err == VAULT_OK)
		err = vault_plan_flush(&b.plan);
	if (err != VAULT_OK)
		goto out;
	if (dir == VAULT_NODE_NONE) {
		vault_engine_lost(c, path,
				  "its folder went before it could be read");
		goto out;
	}
	row.node = live != NULL ? live->version.row.node
				: vault_tree_new_node(c->tree);
	err = vault_plan_add_row(&b.plan, dir, vault_path_name(path), &row,
				 &r->backing);
	if (err == VAULT_OK)
		err = vault_plan_finish(&b.plan, VAULT_PLAN_IF_ANY);
out:
	release(&b);
	return err;
}
