/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_nodes.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/view.h"
#include "store/base/bytes.h"
#include "store/digest.h"

#define FIRST_BUCKETS ((size_t)256)
#define TOP_BIT ((uint64_t)1 << 63)

/* Two tables over the same nodes, as chains; both are of one size, a power of
 * two that follows the number of nodes up and down. */
struct vault_view_nodes {
	pthread_mutex_t lock; /* guards all below */
	struct vault_view_node **by_id;
	struct vault_view_node **by_key;
	size_t n_buckets;
	uint64_t count;
	uint64_t next_id;
};

uint64_t vault_view_nodes_ino(const struct vault_view_key *key)
{
	uint8_t head[25];
	struct vault_span rest = key->where;
	uint64_t sums[2];

	memset(head, 0, sizeof(head));
	head[0] = (uint8_t)key->kind;
	vault_bytes_put_le64(head + 1, key->seq);
	if (key->kind == VAULT_VIEW_VERSION) {
		vault_bytes_put_le64(head + 9, key->dir);
		rest = key->path;
	}
	sums[0] = vault_digest_sum64(rest);
	vault_bytes_put_le64(head + 17, sums[0]);
	sums[1] = vault_digest_sum64(vault_span(head, sizeof(head)));
	return sums[1] | TOP_BIT;
}

static bool key_equal(const struct vault_view_key *a,
		      const struct vault_view_key *b)
{
	if (a->kind != b->kind || a->seq != b->seq)
		return false;
	if (a->kind == VAULT_VIEW_VERSION)
		return a->dir == b->dir && vault_span_equal(a->path, b->path);
	return vault_span_equal(a->where, b->where);
}

static struct vault_view_node **id_slot(const struct vault_view_nodes *t,
					uint64_t id)
{
	return &t->by_id[id & (t->n_buckets - 1)];
}

static struct vault_view_node **key_slot(const struct vault_view_nodes *t,
					 uint64_t ino)
{
	return &t->by_key[ino & (t->n_buckets - 1)];
}

static void link_node(struct vault_view_nodes *t, struct vault_view_node *n)
{
	struct vault_view_node **slot = id_slot(t, n->id);

	n->next_by_id = *slot;
	*slot = n;
	slot = key_slot(t, n->ino);
	n->next_by_key = *slot;
	*slot = n;
}

static void unlink_node(struct vault_view_nodes *t, struct vault_view_node *n)
{
	struct vault_view_node **at = id_slot(t, n->id);

	while (*at != n)
		at = &(*at)->next_by_id;
	*at = n->next_by_id;
	at = key_slot(t, n->ino);
	while (*at != n)
		at = &(*at)->next_by_key;
	*at = n->next_by_key;
}

static void free_node(struct vault_view_node *n)
{
	vault_buf_release(&n->text);
	free(n);
}

/* No memory for another size: the chains grow longer, nothing else. */
static void resize(struct vault_view_nodes *t, size_t n_buckets)
{
	struct vault_view_node **by_id = calloc(n_buckets, sizeof(*by_id));
	struct vault_view_node **by_key = calloc(n_buckets, sizeof(*by_key));
	struct vault_view_node **old_ids = t->by_id;
	const size_t n_old = t->n_buckets;

	if (by_id == NULL || by_key == NULL) {
		free(by_id);
		free(by_key);
		return;
	}
	free(t->by_key);
	t->by_id = by_id;
	t->by_key = by_key;
	t->n_buckets = n_buckets;
	for (size_t i = 0; i < n_old; i++) {
		while (old_ids[i] != NULL) {
			struct vault_view_node *n = old_ids[i];

			old_ids[i] = n->next_by_id;
			link_node(t, n);
		}
	}
	free(old_ids);
}

static void fit_buckets(struct vault_view_nodes *t)
{
	if (t->count > t->n_buckets)
		resize(t, t->n_buckets * 2);
	else if (t->n_buckets > FIRST_BUCKETS && t->count < t->n_buckets / 8)
		resize(t, t->n_buckets / 2);
}

vault_err vault_view_nodes_create(struct vault_view_nodes **out)
{
	struct vault_view_nodes *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return VAULT_ERR_NOMEM;
	t->by_id = calloc(FIRST_BUCKETS, sizeof(struct vault_view_node *));
	t->by_key = calloc(FIRST_BUCKETS, sizeof(struct vault_view_node *));
	if (t->by_id == NULL || t->by_key == NULL ||
	    pthread_mutex_init(&t->lock, NULL) != 0) {
		free(t->by_id);
		free(t->by_key);
		free(t);
		return VAULT_ERR_NOMEM;
	}
	t->n_buckets = FIRST_BUCKETS;
	t->next_id = 1;
	*out = t;
	return VAULT_OK;
}

void vault_view_nodes_destroy(struct vault_view_nodes *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_buckets; i++) {
		while (t->by_id[i] != NULL) {
			struct vault_view_node *n = t->by_id[i];

			t->by_id[i] = n->next_by_id;
			free_node(n);
		}
	}
	free(t->by_id);
	free(t->by_key);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* One piece of memory: the node, then its two strings. */
static struct vault_view_node *new_node(const struct vault_view_key *key,
					uint64_t ino)
{
	struct vault_view_node *n;
	uint8_t *p;

	n = calloc(1, sizeof(*n) + key->where.len + key->path.len);
	if (n == NULL)
		return NULL;
	p = (uint8_t *)(n + 1);
	n->key = *key;
	n->ino = ino;
	if (key->where.len > 0)
		memcpy(p, key->where.data, key->where.len);
	n->key.where = vault_span(p, key->where.len);
	p += key->where.len;
	if (key->path.len > 0)
		memcpy(p, key->path.data, key->path.len);
	n->key.path = vault_span(p, key->path.len);
	return n;
}

vault_err vault_view_nodes_get(struct vault_view_nodes *t,
			       const struct vault_view_key *key, uint64_t up,
			       struct vault_buf *text,
			       struct vault_view_node **out)
{
	const uint64_t ino = vault_view_nodes_ino(key);
	struct vault_view_node *n;
	vault_err err = VAULT_OK;

	pthread_mutex_lock(&t->lock);
	for (n = *key_slot(t, ino); n != NULL; n = n->next_by_key) {
		if (n->ino == ino && key_equal(&n->key, key))
			break;
	}
	if (n == NULL) {
		n = new_node(key, ino);
		if (n == NULL) {
			err = VAULT_ERR_NOMEM;
			goto out;
		}
		n->id = VAULT_VIEW_NODE_BIT | t->next_id++;
		n->up = up;
		if (text != NULL)
			vault_buf_move(&n->text, text);
		link_node(t, n);
		t->count++;
		fit_buckets(t);
	}
	n->pins++;
	*out = n;
out:
	pthread_mutex_unlock(&t->lock);
	return err;
}

static struct vault_view_node *find_id(const struct vault_view_nodes *t,
				       uint64_t id)
{
	struct vault_view_node *n = *id_slot(t, id);

	while (n != NULL && n->id != id)
		n = n->next_by_id;
	return n;
}

struct vault_view_node *vault_view_nodes_pin(struct vault_view_nodes *t,
					     uint64_t id)
{
	struct vault_view_node *n;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
	if (n != NULL)
		n->pins++;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* With the lock held: nobody knows it any more. */
static void drop_if_unused(struct vault_view_nodes *t,
			   struct vault_view_node *n)
{
	if (n->pins > 0 || n->lookups > 0)
		return;
	unlink_node(t, n);
	free_node(n);
	t->count--;
	fit_buckets(t);
}

void vault_view_nodes_unpin(struct vault_view_nodes *t,
			    struct vault_view_node *n)
{
	if (n == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	assert(n->pins > 0);
	n->pins--;
	drop_if_unused(t, n);
	pthread_mutex_unlock(&t->lock);
}

void vault_view_nodes_looked_up(struct vault_view_nodes *t,
				struct vault_view_node *n)
{
	pthread_mutex_lock(&t->lock);
	n->lookups++;
	pthread_mutex_unlock(&t->lock);
}

void vault_view_nodes_forget(struct vault_view_nodes *t, uint64_t id,
			     uint64_t n)
{
	struct vault_view_node *node;

	pthread_mutex_lock(&t->lock);
	node = find_id(t, id);
	if (node != NULL) {
		assert(node->lookups >= n);
		node->lookups -= n < node->lookups ? n : node->lookups;
		drop_if_unused(t, node);
	}
	pthread_mutex_unlock(&t->lock);
}

void vault_view_nodes_reach(struct vault_view_nodes *t,
			    struct vault_view_node *n, uint64_t at)
{
	size_t i;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < VAULT_VIEW_REACHED - 1; i++) {
		if (n->reached[i] == at)
			break;
	}
	memmove(n->reached + 1, n->reached, i * sizeof(n->reached[0]));
	n->reached[0] = at;
	pthread_mutex_unlock(&t->lock);
}

void vault_view_nodes_reached(struct vault_view_nodes *t,
			      const struct vault_view_node *n,
			      uint64_t out[VAULT_VIEW_REACHED])
{
	pthread_mutex_lock(&t->lock);
	memcpy(out, n->reached, sizeof(n->reached));
	pthread_mutex_unlock(&t->lock);
}

uint64_t vault_view_nodes_count(struct vault_view_nodes *t)
{
	uint64_t count;

	pthread_mutex_lock(&t->lock);
	count = t->count;
	pthread_mutex_unlock(&t->lock);
	return count;
}
