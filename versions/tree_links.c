/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "versions/tree_format.h"
#include "versions/tree_internal.h"

void vault_tree_links_release(struct vault_tree_links *l)
{
	vault_buf_release(&l->names);
	free(l->items);
	*l = VAULT_TREE_LINKS_INIT;
}

struct vault_span vault_tree_links_name(const struct vault_tree_links *l,
					const struct vault_tree_link *i)
{
	return vault_span(l->names.data + i->name_off, i->name_len);
}

static vault_err add(struct vault_tree_links *l, uint64_t dir,
		     struct vault_span name, uint64_t seq, bool linked)
{
	const size_t off = l->names.len;
	struct vault_tree_link *items;
	size_t cap;

	if (l->n_items == l->cap) {
		cap = l->cap == 0 ? 16 : l->cap * 2;
		items = realloc(l->items, cap * sizeof(items[0]));
		if (items == NULL)
			return VAULT_ERR_NOMEM;
		l->items = items;
		l->cap = cap;
	}
	if (vault_buf_append(&l->names, name) != VAULT_OK)
		return VAULT_ERR_NOMEM;
	l->items[l->n_items++] = (struct vault_tree_link){
		.dir = dir,
		.seq = seq,
		.name_off = off,
		.name_len = (uint32_t)name.len,
		.linked = linked,
	};
	return VAULT_OK;
}

static int by_place(const struct vault_tree_links *l,
		    const struct vault_tree_link *x,
		    const struct vault_tree_link *y)
{
	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return vault_span_compare(vault_tree_links_name(l, x),
				  vault_tree_links_name(l, y));
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct vault_tree_link *x = a;
	const struct vault_tree_link *y = b;
	const int c = by_place(ctx, x, y);

	return c != 0 ? c : (x->seq < y->seq) - (x->seq > y->seq);
}

/* Sort by place and leave of each the newest. */
static void settle(struct vault_tree_links *l)
{
	size_t n = 0;

	if (l->n_items == 0)
		return;
	qsort_r(l->items, l->n_items, sizeof(l->items[0]), compare, l);
	for (size_t i = 1; i < l->n_items; i++)
		if (by_place(l, &l->items[n], &l->items[i]) != 0)
			l->items[++n] = l->items[i];
	l->n_items = n + 1;
}

static vault_err read_links(struct vault_iter *it, uint64_t node, uint64_t at,
			    struct vault_tree_links *l)
{
	const struct vault_tree_key key = vault_tree_key_pair(node, at);
	struct vault_span name, value;
	uint64_t found, seq, dir;
	vault_err err;

	vault_iter_seek(it, vault_tree_key_span(&key));
	for (; vault_iter_valid(it); vault_iter_next(it)) {
		if (!vault_tree_key_node_parse(vault_iter_key(it), &found, &seq,
					       &dir, &name))
			return VAULT_ERR_INDEX;
		if (found != node)
			return VAULT_OK;
		value = vault_iter_value(it);
		if (value.len != 1)
			return VAULT_ERR_INDEX;
		err = add(l, dir, name, seq,
			  value.data[0] == VAULT_TREE_LINKED);
		if (err != VAULT_OK)
			return err;
	}
	return vault_iter_error(it);
}

vault_err vault_tree_links_read(struct vault_tree *t, uint64_t node,
				uint64_t at, struct vault_tree_links *out)
{
	struct vault_tree_links l = VAULT_TREE_LINKS_INIT;
	struct vault_tree_cursor c;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_NODE, &c);
	if (err != VAULT_OK)
		return err;
	err = read_links(c.it, node, at, &l);
	vault_tree_cursor_give(t, &c);
	if (err != VAULT_OK) {
		vault_tree_links_release(&l);
		return err;
	}
	settle(&l);
	vault_tree_links_release(out);
	*out = l;
	return VAULT_OK;
}
