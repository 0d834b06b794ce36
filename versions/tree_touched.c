/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_touched.h"

#include <stdlib.h>

#include "store/base/log.h"
#include "versions/idmap.h"
#include "versions/tree_format.h"
#include "versions/tree_internal.h"

/* One directory that the commit touches. */
struct touch {
	uint64_t dir;
	uint64_t *below;
	size_t n_below;
	size_t cap;
	size_t first; /* its rows: [first, end) of the commit's */
	size_t end;
	bool climbed; /* everything above it is touched */
};

struct touches {
	struct touch *items;
	size_t n_items;
	size_t cap;
	struct vault_idmap by_dir;   /* to items */
	struct vault_idmap moved_in; /* directories that the commit places */
	struct vault_iter *nodes;
};

static void release(struct touches *t)
{
	for (size_t i = 0; i < t->n_items; i++)
		free(t->items[i].below);
	free(t->items);
	vault_idmap_release(&t->by_dir);
	vault_idmap_release(&t->moved_in);
	vault_iter_destroy(t->nodes);
}

/* The place of `dir` among the touched, made if need be. */
static vault_err touch(struct touches *t, uint64_t dir, size_t *out)
{
	size_t i = vault_idmap_get(&t->by_dir, dir);
	struct touch *items;
	size_t cap;
	vault_err err;

	if (i != VAULT_IDMAP_NONE) {
		*out = i;
		return VAULT_OK;
	}
	if (t->n_items == t->cap) {
		cap = t->cap == 0 ? 16 : t->cap * 2;
		items = realloc(t->items, cap * sizeof(items[0]));
		if (items == NULL)
			return VAULT_ERR_NOMEM;
		t->items = items;
		t->cap = cap;
	}
	i = t->n_items;
	err = vault_idmap_set(&t->by_dir, dir, i);
	if (err != VAULT_OK)
		return err;
	t->items[i] = (struct touch){ .dir = dir };
	t->n_items++;
	*out = i;
	return VAULT_OK;
}

static vault_err add_below(struct touch *t, uint64_t dir)
{
	const size_t cap = t->cap == 0 ? 8 : t->cap * 2;
	uint64_t *below;

	if (t->n_below == t->cap) {
		below = realloc(t->below, cap * sizeof(below[0]));
		if (below == NULL)
			return VAULT_ERR_NOMEM;
		t->below = below;
		t->cap = cap;
	}
	t->below[t->n_below++] = dir;
	return VAULT_OK;
}

/* Where the directory is after the commit, or else where it was before. */
static vault_err parent_of(struct touches *t,
			   const struct vault_commit_row *rows, uint64_t dir,
			   uint64_t *parent)
{
	const size_t i = vault_idmap_get(&t->moved_in, dir);
	struct vault_span name;

	if (i != VAULT_IDMAP_NONE) {
		*parent = rows[i].dir;
		return VAULT_OK;
	}
	return vault_tree_dir_parent(t->nodes, dir, VAULT_AT_NOW, parent,
				     &name);
}

/*
 * Touch all above item `i`. A directory without a parent was lost with a
 * damaged commit or went together with its own; what is above it is touched
 * by the row that took it away.
 */
static vault_err climb(struct touches *t, const struct vault_commit_row *rows,
		       size_t i)
{
	uint64_t parent;
	vault_err err;

	while (!t->items[i].climbed && t->items[i].dir != VAULT_NODE_ROOT) {
		const uint64_t dir = t->items[i].dir;
		size_t above;

		t->items[i].climbed = true;
		err = parent_of(t, rows, dir, &parent);
		if (err == VAULT_ERR_NOT_FOUND)
			return VAULT_OK;
		if (err == VAULT_OK)
			err = touch(t, parent, &above);
		if (err == VAULT_OK)
			err = add_below(&t->items[above], dir);
		if (err != VAULT_OK)
			return err;
		i = above;
	}
	return VAULT_OK;
}

static vault_err note_rows(struct touches *t,
			   const struct vault_commit_row *rows,
			   const bool *effective, size_t n_rows)
{
	vault_err err = VAULT_OK;
	size_t at;

	for (size_t i = 0; err == VAULT_OK && i < n_rows; i++) {
		if (!effective[i])
			continue;
		if (rows[i].row.kind == VAULT_KIND_DIR)
			err = vault_idmap_set(&t->moved_in, rows[i].row.node,
					      i);
		if (err != VAULT_OK || rows[i].dir == VAULT_DIR_ABOVE)
			continue;
		err = touch(t, rows[i].dir, &at);
		if (err != VAULT_OK)
			break;
		if (t->items[at].end == 0)
			t->items[at].first = i;
		t->items[at].end = i + 1;
	}
	return err;
}

static vault_err put_names(struct vault_buf *value, const struct touch *t,
			   const struct vault_commit_row *rows,
			   const bool *effective)
{
	vault_err err = VAULT_OK;

	for (size_t i = t->first; err == VAULT_OK && i < t->end; i++) {
		if (!effective[i])
			continue;
		err = vault_buf_put_u8(value, (uint8_t)rows[i].name.len);
		if (err == VAULT_OK)
			err = vault_buf_append(value, rows[i].name);
	}
	return err;
}

static vault_err put_touch(struct vault_index *x, struct vault_batch *b,
			   uint64_t seq, uint64_t fresh, const struct touch *t,
			   const struct vault_commit_row *rows,
			   const bool *effective)
{
	const bool list = t->dir >= fresh ||
			  t->end - t->first > VAULT_TREE_TOUCHED_NAMES_MAX;
	const struct vault_tree_key key = vault_tree_key_pair(t->dir, seq);
	struct vault_buf value = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_put_u8(&value, list ? VAULT_TREE_TOUCHED_LIST : 0);
	if (err == VAULT_OK)
		err = vault_buf_put_le32(&value,
					 list ? 0 : (uint32_t)t->n_below);
	for (size_t i = 0; err == VAULT_OK && !list && i < t->n_below; i++)
		err = vault_buf_put_le64(&value, t->below[i]);
	if (err == VAULT_OK && !list)
		err = put_names(&value, t, rows, effective);
	if (err == VAULT_OK)
		vault_batch_put(b, x, VAULT_CF_TOUCHED,
				vault_tree_key_span(&key),
				vault_buf_span(&value));
	vault_buf_release(&value);
	return err;
}

vault_err vault_tree_touched_write(struct vault_index *x, struct vault_batch *b,
				   uint64_t seq, uint64_t fresh,
				   const struct vault_commit_row *rows,
				   const bool *effective, size_t n_rows)
{
	struct touches t = { 0 };
	size_t root;
	vault_err err;

	err = vault_iter_create(x, VAULT_CF_NODE, VAULT_SPAN_EMPTY,
				VAULT_SPAN_EMPTY, &t.nodes);
	if (err == VAULT_OK)
		err = note_rows(&t, rows, effective, n_rows);
	/* Items that climbing adds climb on within the same call. */
	for (size_t i = 0; err == VAULT_OK && i < t.n_items; i++)
		err = climb(&t, rows, i);
	/* Whatever a commit holds, something below the root has changed. */
	if (err == VAULT_OK)
		err = touch(&t, VAULT_NODE_ROOT, &root);
	for (size_t i = 0; err == VAULT_OK && i < t.n_items; i++)
		if (t.items[i].dir != VAULT_DIR_ABOVE)
			err = put_touch(x, b, seq, fresh, &t.items[i], rows,
					effective);
	release(&t);
	return err;
}

vault_err vault_tree_touched_parse(struct vault_span value,
				   struct vault_tree_touched *out)
{
	struct vault_reader r = vault_reader(value);
	struct vault_tree_touched t;
	struct vault_span rest, name;
	const uint8_t flags = vault_reader_u8(&r);
	const uint64_t n = vault_reader_le32(&r);

	t.list = flags & VAULT_TREE_TOUCHED_LIST;
	t.below = vault_reader_take(&r, n * 8);
	t.names = r.left;
	for (rest = t.names; vault_tree_touched_name(&rest, &name);)
		;
	if (r.failed || rest.len != 0 || flags & ~VAULT_TREE_TOUCHED_LIST) {
		vault_log_error("tree: a damaged row of what was touched");
		return VAULT_ERR_INDEX;
	}
	*out = t;
	return VAULT_OK;
}

bool vault_tree_touched_name(struct vault_span *names, struct vault_span *out)
{
	if (names->len == 0 || names->len - 1 < names->data[0])
		return false;
	*out = vault_span(names->data + 1, names->data[0]);
	*names = vault_span_from(*names, 1 + out->len);
	return true;
}
