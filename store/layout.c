/* SPDX-License-Identifier: Apache-2.0 */
#include "store/layout.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/base/log.h"
#include "store/objects.h"
#include "store/pack_format.h"
#include "store/recipe.h"

/* Leaves kept of one content: some 2 MB, which cover 4 GB. */
#define LEAVES_KEPT 256

/* A root or leaf with the offset at which each entry starts. */
struct table {
	struct vault_buf bytes; /* what `recipe` borrows */
	struct vault_recipe recipe;
	uint64_t *starts; /* recipe.n + 1, relative to the table's own */
	bool used;	  /* since the hand last passed */
};

struct vault_layout {
	struct vault_store *store;
	struct vault_id id;
	struct table root;

	pthread_mutex_t lock;  /* of all below */
	struct table **leaves; /* root.recipe.n, for a branch */
	uint32_t n_leaves;     /* that are not NULL */
	uint32_t hand;	       /* where to look for one to drop */
};

static void table_release(struct table *t)
{
	vault_buf_release(&t->bytes);
	free(t->starts);
	t->starts = NULL;
}

/* `t` has its bytes and recipe: add the offsets. */
static vault_err table_sum(struct table *t)
{
	uint64_t at = 0;

	t->starts = malloc((t->recipe.n + (size_t)1) * sizeof(t->starts[0]));
	if (t->starts == NULL)
		return VAULT_ERR_NOMEM;
	for (uint32_t i = 0; i < t->recipe.n; i++) {
		t->starts[i] = at;
		at += vault_recipe_entry(&t->recipe, i).len;
	}
	t->starts[t->recipe.n] = at;
	return VAULT_OK;
}

/* The entry that holds `off`, which lies inside the table. */
static uint32_t table_find(const struct table *t, uint64_t off)
{
	uint32_t low = 0;
	uint32_t high = t->recipe.n;

	assert(off < t->starts[high]);
	while (high - low > 1) {
		const uint32_t mid = low + (high - low) / 2;

		if (t->starts[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static vault_err unsound(vault_err err)
{
	if (err == VAULT_ERR_CORRUPT)
		vault_log_error("store: a recipe is unsound");
	else if (err == VAULT_ERR_NEWER)
		vault_log_error("store: a recipe is of a newer version");
	return err;
}

vault_err vault_layout_open(struct vault_store *s, const struct vault_id *id,
			    struct vault_layout **out)
{
	struct vault_layout *l = calloc(1, sizeof(*l));
	vault_err err;

	if (l == NULL)
		return VAULT_ERR_NOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->store = s;
	l->id = *id;
	err = vault_objects_get(s, VAULT_RECORD_RECIPE, id, &l->root.bytes);
	if (err != VAULT_OK)
		goto out;
	err = unsound(vault_recipe_parse_root(vault_buf_span(&l->root.bytes),
					      &l->root.recipe));
	if (err == VAULT_OK)
		err = table_sum(&l->root);
	if (err != VAULT_OK)
		goto out;
	if (l->root.recipe.branch) {
		l->leaves = calloc(l->root.recipe.n, sizeof(l->leaves[0]));
		if (l->leaves == NULL)
			err = VAULT_ERR_NOMEM;
	}

out:
	if (err == VAULT_OK)
		*out = l;
	else
		vault_layout_close(l);
	return err;
}

static void leaf_destroy(struct table *leaf)
{
	if (leaf == NULL)
		return;
	table_release(leaf);
	free(leaf);
}

void vault_layout_close(struct vault_layout *l)
{
	if (l == NULL)
		return;
	if (l->leaves != NULL)
		for (uint32_t i = 0; i < l->root.recipe.n; i++)
			leaf_destroy(l->leaves[i]);
	free(l->leaves);
	table_release(&l->root);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

struct vault_content vault_layout_info(const struct vault_layout *l)
{
	return (struct vault_content){
		.id = l->id,
		.digest = l->root.recipe.digest,
		.size = l->root.recipe.size,
	};
}

/* Read leaf `i`; it must span what the root says it spans. */
static vault_err leaf_load(const struct vault_layout *l, uint32_t i,
			   struct table **out)
{
	const struct vault_recipe_entry e =
		vault_recipe_entry(&l->root.recipe, i);
	struct table *leaf = calloc(1, sizeof(*leaf));
	vault_err err;

	if (leaf == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_objects_get(l->store, VAULT_RECORD_RECIPE, &e.id,
				&leaf->bytes);
	if (err == VAULT_ERR_NOT_FOUND) {
		vault_log_error("store: part of a recipe is not there");
		err = VAULT_ERR_DANGLING;
	}
	if (err != VAULT_OK)
		goto out;
	err = vault_recipe_parse_leaf(vault_buf_span(&leaf->bytes),
				      &leaf->recipe);
	if (err == VAULT_OK &&
	    (leaf->recipe.size != e.len || leaf->recipe.holes != e.holes))
		err = VAULT_ERR_CORRUPT;
	err = unsound(err);
	if (err == VAULT_OK)
		err = table_sum(leaf);
	if (err == VAULT_OK) {
		*out = leaf;
		leaf = NULL;
	}

out:
	leaf_destroy(leaf);
	return err;
}

/* Under the lock: make room for one more by dropping one not used lately. */
static void leaves_trim(struct vault_layout *l)
{
	while (l->n_leaves >= LEAVES_KEPT) {
		struct table **at = &l->leaves[l->hand];

		l->hand = (l->hand + 1) % l->root.recipe.n;
		if (*at == NULL)
			continue;
		if ((*at)->used) {
			(*at)->used = false;
			continue;
		}
		leaf_destroy(*at);
		*at = NULL;
		l->n_leaves--;
	}
}

/* Take the lock and see to it that leaf `i` is there; on error, no lock. */
static vault_err leaf_lock(struct vault_layout *l, uint32_t i)
{
	struct table *leaf = NULL;
	vault_err err;

	pthread_mutex_lock(&l->lock);
	if (l->leaves[i] == NULL) {
		pthread_mutex_unlock(&l->lock);
		err = leaf_load(l, i, &leaf);
		if (err != VAULT_OK)
			return err;
		pthread_mutex_lock(&l->lock);
		if (l->leaves[i] == NULL) {
			leaves_trim(l);
			l->leaves[i] = leaf;
			l->n_leaves++;
			leaf = NULL;
		}
		leaf_destroy(leaf); /* another thread was quicker */
	}
	l->leaves[i]->used = true;
	return VAULT_OK;
}

static struct vault_piece piece_of(const struct table *t, uint32_t i,
				   uint64_t base)
{
	const struct vault_recipe_entry e = vault_recipe_entry(&t->recipe, i);

	return (struct vault_piece){
		.id = e.id,
		.start = base + t->starts[i],
		.len = e.len,
	};
}

vault_err vault_layout_at(struct vault_layout *l, uint64_t off,
			  struct vault_piece *out)
{
	const struct table *leaf;
	uint64_t base;
	uint32_t i;
	vault_err err;

	i = table_find(&l->root, off);
	if (!l->root.recipe.branch) {
		*out = piece_of(&l->root, i, 0);
		return VAULT_OK;
	}
	err = leaf_lock(l, i);
	if (err != VAULT_OK)
		return err;
	base = l->root.starts[i];
	leaf = l->leaves[i];
	*out = piece_of(leaf, table_find(leaf, off - base), base);
	pthread_mutex_unlock(&l->lock);
	return VAULT_OK;
}

/* Where the leaf at `off` ends, if it is known without reading to have no
 * holes; else 0. */
static uint64_t end_of_solid(const struct vault_layout *l, uint64_t off)
{
	uint32_t i;

	if (!l->root.recipe.branch)
		return 0;
	i = table_find(&l->root, off);
	return vault_recipe_entry(&l->root.recipe, i).holes
		       ? 0
		       : l->root.starts[i + 1];
}

/*
 * From `off` go on to the first hole (or the first data) and put there where
 * that is, or the size. Leaves without holes are passed over unread.
 */
static vault_err seek(struct vault_layout *l, bool hole, uint64_t *off)
{
	const uint64_t size = l->root.recipe.size;

	while (*off < size) {
		const uint64_t solid = end_of_solid(l, *off);
		struct vault_piece p;
		vault_err err;

		if (solid != 0 && !hole)
			return VAULT_OK;
		if (solid != 0) {
			*off = solid;
			continue;
		}
		err = vault_layout_at(l, *off, &p);
		if (err != VAULT_OK)
			return err;
		if (vault_id_is_none(&p.id) == hole)
			return VAULT_OK;
		*off = p.start + p.len;
	}
	*off = size;
	return VAULT_OK;
}

vault_err vault_layout_next_data(struct vault_layout *l, uint64_t off,
				 uint64_t *start, uint64_t *end)
{
	uint64_t from = off;
	uint64_t to;
	vault_err err;

	err = seek(l, false, &from);
	if (err != VAULT_OK)
		return err;
	to = from;
	err = seek(l, true, &to);
	if (err != VAULT_OK)
		return err;
	*start = from;
	*end = to;
	return VAULT_OK;
}
