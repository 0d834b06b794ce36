/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_internal.h"

vault_err vault_tree_cursor_take(struct vault_tree *t, enum vault_cf cf,
				 struct vault_tree_cursor *out)
{
	/* Read before the iterator is made: it may see more, never less. */
	const uint64_t now = atomic_load(&t->generation);
	struct vault_tree_cursor c = { NULL, cf, now };
	vault_err err;

	pthread_mutex_lock(&t->pool_lock);
	for (size_t i = 0; i < VAULT_TREE_POOL && c.it == NULL; i++) {
		struct vault_tree_cursor *p = &t->pool[cf][i];

		if (p->it != NULL && p->generation == now) {
			c.it = p->it;
			p->it = NULL;
		}
	}
	pthread_mutex_unlock(&t->pool_lock);
	if (c.it == NULL) {
		err = vault_iter_create(t->index, cf, VAULT_SPAN_EMPTY,
					VAULT_SPAN_EMPTY, &c.it);
		if (err != VAULT_OK)
			return err;
	}
	*out = c;
	return VAULT_OK;
}

void vault_tree_cursor_give(struct vault_tree *t, struct vault_tree_cursor *c)
{
	if (c->it == NULL)
		return;
	pthread_mutex_lock(&t->pool_lock);
	if (c->generation == atomic_load(&t->generation)) {
		for (size_t i = 0; i < VAULT_TREE_POOL && c->it != NULL; i++) {
			struct vault_tree_cursor *p = &t->pool[c->cf][i];

			if (p->it == NULL) {
				*p = *c;
				c->it = NULL;
			}
		}
	}
	pthread_mutex_unlock(&t->pool_lock);
	vault_iter_destroy(c->it);
	c->it = NULL;
}

void vault_tree_cursor_renew(struct vault_tree *t)
{
	pthread_mutex_lock(&t->pool_lock);
	atomic_fetch_add(&t->generation, 1);
	for (size_t cf = 0; cf < VAULT_CF_COUNT; cf++) {
		for (size_t i = 0; i < VAULT_TREE_POOL; i++) {
			vault_iter_destroy(t->pool[cf][i].it);
			t->pool[cf][i].it = NULL;
		}
	}
	pthread_mutex_unlock(&t->pool_lock);
}
