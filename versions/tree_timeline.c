/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "versions/tree_internal.h"

/* All rows of one node over all its names. */
struct step {
	struct vault_version v;
	size_t link;
};

struct steps {
	struct step *items;
	size_t n_items;
	size_t cap;
};

static vault_err add(struct steps *s, const struct vault_version *v,
		     size_t link)
{
	const size_t cap = s->cap == 0 ? 64 : s->cap * 2;
	struct step *items;

	if (s->n_items == s->cap) {
		items = realloc(s->items, cap * sizeof(items[0]));
		if (items == NULL)
			return VAULT_ERR_NOMEM;
		s->items = items;
		s->cap = cap;
	}
	s->items[s->n_items++] = (struct step){ *v, link };
	return VAULT_OK;
}

/* The rows that one name had while it was this node's. */
static vault_err collect(struct vault_iter *it, uint64_t node,
			 const struct vault_tree_links *l, size_t link,
			 struct steps *s)
{
	const uint64_t dir = l->items[link].dir;
	const struct vault_span name =
		vault_tree_links_name(l, &l->items[link]);
	const struct vault_tree_key key =
		vault_tree_key_row(dir, name, VAULT_AT_NOW);
	struct vault_version v;
	vault_err err;

	vault_iter_seek(it, vault_tree_key_span(&key));
	while ((err = vault_tree_row_here(it, dir, name, &v)) == VAULT_OK) {
		if (v.row.node == node) {
			err = add(s, &v, link);
			if (err != VAULT_OK)
				return err;
		}
		vault_iter_next(it);
	}
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

/* By commit, then by place: links are sorted by it. */
static int compare(const void *a, const void *b)
{
	const struct step *x = a;
	const struct step *y = b;

	if (x->v.seq != y->v.seq)
		return x->v.seq < y->v.seq ? -1 : 1;
	return (x->link > y->link) - (x->link < y->link);
}

static vault_err visit_steps(const struct vault_tree_links *l,
			     const struct steps *s, vault_tree_place *visit,
			     void *ctx)
{
	const struct step *last = NULL;
	vault_err err = VAULT_OK;

	for (size_t i = 0; err == VAULT_OK && i < s->n_items; i++) {
		const struct step *now = &s->items[i];
		const struct vault_tree_link *at = &l->items[now->link];

		if (last != NULL &&
		    vault_row_same_content(&last->v.row, &now->v.row))
			continue;
		err = visit(ctx, at->dir, vault_tree_links_name(l, at),
			    &now->v);
		last = now;
	}
	return err;
}

/* All places that the node ever had, and all its rows there. */
static vault_err gather(struct vault_tree *t, uint64_t node,
			struct vault_tree_links *l, struct steps *s)
{
	struct vault_tree_cursor c = { 0 };
	vault_err err;

	err = vault_tree_links_read(t, node, VAULT_AT_NOW, l);
	if (err == VAULT_OK)
		err = vault_tree_cursor_take(t, VAULT_CF_ROW, &c);
	for (size_t i = 0; err == VAULT_OK && i < l->n_items; i++)
		err = collect(c.it, node, l, i, s);
	vault_tree_cursor_give(t, &c);
	return err;
}

vault_err vault_tree_timeline(struct vault_tree *t, uint64_t node,
			      vault_tree_place *visit, void *ctx)
{
	struct vault_tree_links l = VAULT_TREE_LINKS_INIT;
	struct steps s = { 0 };
	vault_err err;

	err = gather(t, node, &l, &s);
	if (err == VAULT_OK && s.n_items > 0) {
		qsort(s.items, s.n_items, sizeof(s.items[0]), compare);
		err = visit_steps(&l, &s, visit, ctx);
	}
	vault_tree_links_release(&l);
	free(s.items);
	return err;
}

vault_err vault_tree_node_last(struct vault_tree *t, uint64_t node,
			       struct vault_version *out)
{
	struct vault_tree_links l = VAULT_TREE_LINKS_INIT;
	const struct step *last = NULL;
	struct steps s = { 0 };
	vault_err err;

	err = gather(t, node, &l, &s);
	for (size_t i = 0; i < s.n_items; i++)
		if (last == NULL || s.items[i].v.seq > last->v.seq)
			last = &s.items[i];
	if (err == VAULT_OK && last == NULL)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		*out = last->v;
	vault_tree_links_release(&l);
	free(s.items);
	return err;
}
