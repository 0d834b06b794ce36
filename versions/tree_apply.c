/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/base/log.h"
#include "versions/commit.h"
#include "versions/idmap.h"
#include "versions/tree_format.h"
#include "versions/tree_internal.h"
#include "versions/tree_touched.h"

/* How many names are looked up in LIVE at once. */
#define BLOCK 256

/* One commit on its way into the index. */
struct work {
	struct vault_index *x;
	struct vault_batch *b;
	uint64_t seq;
	struct vault_tree_state state;
	uint64_t fresh; /* nodes from here on are new with this commit */
	struct vault_commit_head head;
	struct vault_commit_row *rows;
	bool *effective;	    /* of rows: does it change anything? */
	struct vault_idmap counted; /* node -> row whose content was counted */
	struct vault_iter *nodes;
	struct vault_iter *history; /* over ROW */
	struct vault_buf value;
};

static vault_err decode(struct vault_span payload, struct work *w)
{
	struct vault_reader r = vault_reader(payload);
	vault_err err;

	err = vault_commit_decode_head(&r, &w->head);
	if (err != VAULT_OK)
		return err;
	w->rows = calloc(w->head.n_rows, sizeof(w->rows[0]));
	w->effective = calloc(w->head.n_rows, sizeof(w->effective[0]));
	if (w->rows == NULL || w->effective == NULL)
		return VAULT_ERR_NOMEM;
	for (uint32_t i = 0; err == VAULT_OK && i < w->head.n_rows; i++)
		err = vault_commit_decode_row(
			&r, i == 0 ? NULL : &w->rows[i - 1], &w->rows[i]);
	if (err == VAULT_OK && !vault_reader_done(&r))
		err = VAULT_ERR_CORRUPT;
	return err;
}

/* The last row that a name had while it was the node's. NOT_FOUND. */
static vault_err last_at(struct work *w, uint64_t node, uint64_t dir,
			 struct vault_span name, struct vault_version *out)
{
	const struct vault_tree_key key =
		vault_tree_key_row(dir, name, VAULT_AT_NOW);
	vault_err err;

	vault_iter_seek(w->history, vault_tree_key_span(&key));
	err = vault_tree_row_here(w->history, dir, name, out);
	while (err == VAULT_OK && out->row.node != node) {
		vault_iter_next(w->history);
		err = vault_tree_row_here(w->history, dir, name, out);
	}
	return err;
}

/* Of a node with many names in its past, this many are looked at. */
#define PLACES 16

/* The row that a node had last, at whatever name. NOT_FOUND. */
static vault_err last_of_node(struct work *w, uint64_t node,
			      struct vault_row *out)
{
	const struct vault_tree_key key =
		vault_tree_key_pair(node, VAULT_AT_NOW);
	struct vault_version v, last = { 0 };
	struct vault_span name;
	uint64_t found, seq, dir;
	vault_err err;

	vault_iter_seek(w->nodes, vault_tree_key_span(&key));
	for (int i = 0; i < PLACES && vault_iter_valid(w->nodes); i++) {
		if (!vault_tree_key_node_parse(vault_iter_key(w->nodes), &found,
					       &seq, &dir, &name))
			return VAULT_ERR_INDEX;
		if (found != node)
			break;
		err = last_at(w, node, dir, name, &v);
		if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
			return err;
		if (err == VAULT_OK && v.seq > last.seq)
			last = v;
		vault_iter_next(w->nodes);
	}
	err = vault_iter_error(w->nodes);
	if (err != VAULT_OK)
		return err;
	if (last.seq == 0)
		return VAULT_ERR_NOT_FOUND;
	*out = last.row;
	return VAULT_OK;
}

/*
 * Would a copy of every version have cost these bytes again? Not if the name
 * had them already, nor if another name of the node did: a rename or a hard
 * link copies nothing.
 */
static vault_err count(struct work *w, size_t i, const struct vault_row *was)
{
	const struct vault_row *now = &w->rows[i].row;
	const size_t twin = vault_idmap_get(&w->counted, now->node);
	struct vault_row before;
	vault_err err;

	if (now->kind != VAULT_KIND_FILE && now->kind != VAULT_KIND_SYMLINK)
		return VAULT_OK;
	if (was != NULL && vault_row_same_content(was, now))
		return VAULT_OK;
	if (twin != VAULT_IDMAP_NONE &&
	    vault_row_same_content(&w->rows[twin].row, now))
		return VAULT_OK;
	if (now->node < w->fresh && (was == NULL || was->node != now->node)) {
		err = last_of_node(w, now->node, &before);
		if (err == VAULT_OK && vault_row_same_content(&before, now))
			return VAULT_OK;
		if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
			return err;
	}
	w->state.versions++;
	w->state.logical_bytes += now->size;
	return vault_idmap_set(&w->counted, now->node, i);
}

static void put_link(struct work *w, uint64_t node,
		     const struct vault_commit_row *r, uint8_t kind)
{
	const struct vault_tree_key key =
		vault_tree_key_node(node, w->seq, r->dir, r->name);

	vault_batch_put(w->b, w->x, VAULT_CF_NODE, vault_tree_key_span(&key),
			vault_span(&kind, 1));
}

/* Which node the name has, where that changes. */
static void put_links(struct work *w, const struct vault_commit_row *r,
		      const struct vault_row *was)
{
	const uint64_t before = was != NULL ? was->node : VAULT_NODE_NONE;

	if (before == r->row.node)
		return;
	if (before != VAULT_NODE_NONE)
		put_link(w, before, r, VAULT_TREE_UNLINKED);
	if (r->row.node != VAULT_NODE_NONE)
		put_link(w, r->row.node, r, VAULT_TREE_LINKED);
}

static void put_inode(struct work *w, const struct vault_commit_row *r,
		      const struct vault_live *was)
{
	struct vault_tree_key key;

	if (was != NULL) {
		key = vault_tree_key_inode(was->backing.dev, was->backing.ino,
					   r->dir, r->name);
		vault_batch_delete(w->b, w->x, VAULT_CF_INODE,
				   vault_tree_key_span(&key));
	}
	if (r->row.kind != VAULT_KIND_NONE) {
		key = vault_tree_key_inode(r->backing.dev, r->backing.ino,
					   r->dir, r->name);
		vault_batch_put(w->b, w->x, VAULT_CF_INODE,
				vault_tree_key_span(&key), VAULT_SPAN_EMPTY);
	}
}

/* LIVE: the newest row of a name, and the file it was read from. */
static vault_err put_live(struct work *w, const struct vault_commit_row *r,
			  uint64_t seq)
{
	const struct vault_tree_key key = vault_tree_key_live(r->dir, r->name);
	vault_err err;

	vault_buf_clear(&w->value);
	err = vault_buf_put_le64(&w->value, seq);
	if (err == VAULT_OK)
		err = vault_row_pack(&r->row, &w->value);
	if (err == VAULT_OK)
		err = vault_backing_pack(&r->backing, &w->value);
	if (err == VAULT_OK)
		vault_batch_put(w->b, w->x, VAULT_CF_LIVE,
				vault_tree_key_span(&key),
				vault_buf_span(&w->value));
	return err;
}

/*
 * A row that says again what the name held only renews what is known of the
 * file behind it: no version begins, and nothing was touched.
 */
static bool is_renewal(const struct vault_row *was, const struct vault_row *now)
{
	return was != NULL && now->kind != VAULT_KIND_NONE &&
	       was->node == now->node && vault_row_same(was, now);
}

/* ROW and LIVE. */
static vault_err put_row(struct work *w, const struct vault_commit_row *r)
{
	const struct vault_tree_key row_key =
		vault_tree_key_row(r->dir, r->name, w->seq);
	const struct vault_tree_key live_key =
		vault_tree_key_live(r->dir, r->name);
	vault_err err;

	vault_buf_clear(&w->value);
	err = vault_row_pack(&r->row, &w->value);
	if (err != VAULT_OK)
		return err;
	vault_batch_put(w->b, w->x, VAULT_CF_ROW, vault_tree_key_span(&row_key),
			vault_buf_span(&w->value));
	if (r->row.kind != VAULT_KIND_NONE)
		return put_live(w, r, w->seq);
	vault_batch_delete(w->b, w->x, VAULT_CF_LIVE,
			   vault_tree_key_span(&live_key));
	return VAULT_OK;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static vault_err apply_row(struct work *w, size_t i,
			   const struct vault_live *was)
{
	const struct vault_commit_row *r = &w->rows[i];
	const struct vault_row *before = was != NULL ? &was->version.row : NULL;
	vault_err err;

	/* Ids stay taken even if the commit that gave them out is lost. */
	w->state.next_node = max(w->state.next_node, r->dir + 1);
	w->state.next_node = max(w->state.next_node, r->row.node + 1);
	if (r->row.kind == VAULT_KIND_NONE && was == NULL)
		return VAULT_OK; /* nothing was there, nothing goes */
	if (is_renewal(before, &r->row)) {
		put_inode(w, r, was);
		return put_live(w, r, was->version.seq);
	}
	w->effective[i] = true;
	w->state.rows++;
	err = put_row(w, r);
	if (err != VAULT_OK)
		return err;
	put_inode(w, r, was);
	put_links(w, r, before);
	return count(w, i, before);
}

/* What the names of one block held before, in few questions to the index. */
struct block {
	struct vault_tree_key keys[BLOCK];
	struct vault_span spans[BLOCK];
	struct vault_buf values[BLOCK];
	bool found[BLOCK];
};

static vault_err apply_block(struct work *w, struct block *b, size_t first,
			     size_t n)
{
	struct vault_live was;
	vault_err err;

	for (size_t i = 0; i < n; i++) {
		const struct vault_commit_row *r = &w->rows[first + i];

		b->keys[i] = vault_tree_key_live(r->dir, r->name);
		b->spans[i] = vault_tree_key_span(&b->keys[i]);
	}
	err = vault_index_get_many(w->x, VAULT_CF_LIVE, n, b->spans, b->values,
				   b->found);
	for (size_t i = 0; err == VAULT_OK && i < n; i++) {
		if (b->found[i])
			err = vault_tree_live_unpack(
				vault_buf_span(&b->values[i]), &was);
		if (err == VAULT_OK)
			err = apply_row(w, first + i,
					b->found[i] ? &was : NULL);
	}
	return err;
}

static vault_err apply_rows(struct work *w)
{
	struct block *b = calloc(1, sizeof(*b));
	vault_err err = VAULT_OK;

	if (b == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; err == VAULT_OK && i < w->head.n_rows; i += BLOCK) {
		const size_t left = w->head.n_rows - i;

		err = apply_block(w, b, i, left < BLOCK ? left : BLOCK);
	}
	for (size_t i = 0; i < BLOCK; i++)
		vault_buf_release(&b->values[i]);
	free(b);
	return err;
}

/* The newest moment of all, partial ones too. NOT_FOUND: none yet. */
static vault_err newest_moment(const struct work *w, struct vault_moment *out)
{
	static const uint8_t from[] = { VAULT_TREE_MOMENT_BY_SEQ };
	static const uint8_t to[] = { VAULT_TREE_MOMENT_BY_SEQ + 1 };
	struct vault_iter *it;
	vault_err err;

	err = vault_iter_create(w->x, VAULT_CF_MOMENT,
				vault_span(from, sizeof(from)),
				vault_span(to, sizeof(to)), &it);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_last(it);
	if (vault_iter_valid(it))
		err = vault_moment_unpack(vault_iter_value(it), out);
	else
		err = vault_iter_error(it);
	if (err == VAULT_OK && !vault_iter_valid(it))
		err = VAULT_ERR_NOT_FOUND;
	vault_iter_destroy(it);
	return err;
}

/*
 * Times name moments, so no two may be equal. A commit that was made while
 * the one before could not be read knew nothing of its time.
 */
static vault_err apply_moment(struct work *w)
{
	struct vault_moment before;
	struct vault_moment m = {
		.seq = w->seq,
		.time = w->head.time,
		.clock_ns = w->head.clock_ns,
		.cause = w->head.cause,
		.partial = w->head.partial,
		.n_rows = w->head.n_rows,
	};

	vault_err err;

	err = newest_moment(w, &before);
	if (err == VAULT_OK && m.time <= before.time)
		m.time = before.time + 1;
	if (err == VAULT_OK || err == VAULT_ERR_NOT_FOUND)
		err = vault_moment_put(w->x, w->b, &m);
	return err;
}

static vault_err apply_all(struct work *w)
{
	vault_err err;

	err = vault_iter_create(w->x, VAULT_CF_NODE, VAULT_SPAN_EMPTY,
				VAULT_SPAN_EMPTY, &w->nodes);
	if (err == VAULT_OK)
		err = vault_iter_create(w->x, VAULT_CF_ROW, VAULT_SPAN_EMPTY,
					VAULT_SPAN_EMPTY, &w->history);
	if (err == VAULT_OK)
		err = apply_rows(w);
	if (err == VAULT_OK)
		err = vault_tree_touched_write(w->x, w->b, w->seq, w->fresh,
					       w->rows, w->effective,
					       w->head.n_rows);
	if (err == VAULT_OK)
		err = apply_moment(w);
	w->state.last_seq = w->seq;
	if (err == VAULT_OK)
		err = vault_tree_state_put(w->x, w->b, &w->state);
	return err;
}

/*
 * An entry that is older than what the index has seen: either it has been
 * applied, whole, or a pack has come back that was missing. Rows cannot be
 * put in behind later ones, so then the index must be built anew.
 */
static vault_err seen(const struct work *w)
{
	const struct vault_tree_key key =
		vault_tree_key_moment(VAULT_TREE_MOMENT_BY_SEQ, w->seq);
	struct vault_buf value = VAULT_BUF_INIT;
	vault_err err;

	err = vault_index_get(w->x, VAULT_CF_MOMENT, vault_tree_key_span(&key),
			      &value);
	vault_buf_release(&value);
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	vault_log_warn("tree: commit %llu is new to the index, which has seen "
		       "later ones",
		       (unsigned long long)w->seq);
	return VAULT_ERR_INDEX;
}

vault_err vault_tree_apply_commit(void *ctx, struct vault_index *index,
				  struct vault_batch *batch,
				  const struct vault_entry *e)
{
	struct work w = { .x = index, .b = batch, .seq = e->seq };
	vault_err err;

	(void)ctx;
	err = vault_tree_state_get(index, &w.state);
	if (err == VAULT_OK && e->seq <= w.state.last_seq)
		return seen(&w);
	if (err == VAULT_OK)
		err = decode(e->payload, &w);
	if (err != VAULT_OK) {
		vault_log_error("tree: commit %llu: %s",
				(unsigned long long)e->seq,
				vault_err_text(err));
		goto out;
	}
	w.fresh = w.state.next_node;
	err = apply_all(&w);
out:
	vault_idmap_release(&w.counted);
	vault_iter_destroy(w.nodes);
	vault_iter_destroy(w.history);
	vault_buf_release(&w.value);
	free(w.rows);
	free(w.effective);
	return err;
}
