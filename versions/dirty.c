/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/dirty.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(struct vault_span s)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.data[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

static struct vault_span path_of(const struct vault_dirty_name *n)
{
	return vault_span(n->path, n->len);
}

void vault_dirty_name_free(struct vault_dirty_name *n)
{
	if (n == NULL)
		return;
	free(n->partner);
	free(n);
}

static void drop_all(struct vault_dirty *d)
{
	for (size_t i = 0; i < d->n_buckets; i++) {
		while (d->buckets[i] != NULL) {
			struct vault_dirty_name *n = d->buckets[i];

			d->buckets[i] = n->chain;
			vault_dirty_name_free(n);
		}
	}
	d->n = 0;
}

void vault_dirty_release(struct vault_dirty *d)
{
	drop_all(d);
	free(d->buckets);
	*d = VAULT_DIRTY_INIT;
}

static bool grow(struct vault_dirty *d)
{
	const size_t n = d->n_buckets == 0 ? 64 : d->n_buckets * 2;
	struct vault_dirty_name **buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return d->n_buckets > 0; /* longer chains will do */
	for (size_t i = 0; i < d->n_buckets; i++) {
		while (d->buckets[i] != NULL) {
			struct vault_dirty_name *m = d->buckets[i];

			d->buckets[i] = m->chain;
			m->chain = buckets[m->hash & (n - 1)];
			buckets[m->hash & (n - 1)] = m;
		}
	}
	free(d->buckets);
	d->buckets = buckets;
	d->n_buckets = n;
	return true;
}

static struct vault_dirty_name **slot_of(const struct vault_dirty *d,
					 struct vault_span path, uint64_t hash)
{
	struct vault_dirty_name **at = &d->buckets[hash & (d->n_buckets - 1)];

	while (*at != NULL &&
	       ((*at)->hash != hash || !vault_span_equal(path_of(*at), path)))
		at = &(*at)->chain;
	return at;
}

struct vault_dirty_name *vault_dirty_find(const struct vault_dirty *d,
					  struct vault_span path)
{
	if (d->n == 0)
		return NULL;
	return *slot_of(d, path, hash_of(path));
}

static struct vault_dirty_name *give_up(struct vault_dirty *d)
{
	drop_all(d);
	d->overflow = true;
	return NULL;
}

static struct vault_dirty_name *new_name(struct vault_span path, uint64_t hash)
{
	struct vault_dirty_name *n = calloc(1, sizeof(*n) + path.len + 1);

	if (n == NULL)
		return NULL;
	if (path.len > 0)
		memcpy(n->path, path.data, path.len);
	n->len = path.len;
	n->hash = hash;
	return n;
}

static void insert(struct vault_dirty *d, struct vault_dirty_name *n)
{
	struct vault_dirty_name **at =
		&d->buckets[n->hash & (d->n_buckets - 1)];

	n->chain = *at;
	*at = n;
	d->n++;
}

struct vault_dirty_name *vault_dirty_mark(struct vault_dirty *d,
					  struct vault_span path, int64_t now)
{
	const uint64_t hash = hash_of(path);
	struct vault_dirty_name *n;

	if (d->n >= d->n_buckets && !grow(d))
		return give_up(d);
	n = *slot_of(d, path, hash);
	if (n == NULL) {
		if (d->n >= (d->limit == 0 ? VAULT_DIRTY_MAX : d->limit))
			return give_up(d);
		n = new_name(path, hash);
		if (n == NULL)
			return give_up(d);
		n->first_ms = now;
		insert(d, n);
	}
	n->last_ms = now;
	n->not_before_ms = 0;
	n->waits = false;
	n->resting = false;
	n->busy = false;
	return n;
}

static void set_partner(struct vault_dirty_name *n, const char *path)
{
	/* Without memory the pair is merely looked at apart. */
	free(n->partner);
	n->partner = strdup(path);
}

void vault_dirty_pair(struct vault_dirty_name *a, struct vault_dirty_name *b)
{
	set_partner(a, b->path);
	set_partner(b, a->path);
}

static struct vault_dirty_name *detach_below(struct vault_dirty *d,
					     struct vault_span dir)
{
	struct vault_dirty_name *list = NULL;

	for (size_t i = 0; i < d->n_buckets; i++) {
		struct vault_dirty_name **at = &d->buckets[i];

		while (*at != NULL) {
			struct vault_dirty_name *n = *at;

			if (!vault_dirty_is_below(path_of(n), dir)) {
				at = &n->chain;
				continue;
			}
			*at = n->chain;
			d->n--;
			n->chain = list;
			list = n;
		}
	}
	return list;
}

/* The same name at another path; NULL without memory. */
static struct vault_dirty_name *rebase(const struct vault_dirty_name *n,
				       struct vault_span from,
				       struct vault_span to)
{
	const struct vault_span rest =
		vault_span_from(path_of(n), from.len + 1);
	const size_t len = to.len + 1 + rest.len;
	struct vault_dirty_name *made = calloc(1, sizeof(*made) + len + 1);

	if (made == NULL)
		return NULL;
	*made = *n;
	made->partner = NULL;
	made->chain = NULL;
	made->len = len;
	memcpy(made->path, to.data, to.len);
	made->path[to.len] = '/';
	memcpy(made->path + to.len + 1, rest.data, rest.len);
	made->hash = hash_of(path_of(made));
	return made;
}

void vault_dirty_moved(struct vault_dirty *d, struct vault_span from,
		       struct vault_span to)
{
	struct vault_dirty_name *list = detach_below(d, from);

	while (list != NULL) {
		struct vault_dirty_name *n = list;
		struct vault_dirty_name *made = rebase(n, from, to);

		list = n->chain;
		vault_dirty_name_free(n);
		if (made == NULL) {
			give_up(d);
			continue;
		}
		vault_dirty_put_back(d, made);
	}
}

struct vault_dirty_name *vault_dirty_take(struct vault_dirty *d,
					  vault_dirty_due *due, void *ctx,
					  size_t *n_taken)
{
	struct vault_dirty_name *list = NULL;
	struct vault_dirty_name *n;

	/* Decide first: a name may depend on its partner being there. */
	*n_taken = 0;
	for (size_t i = 0; i < d->n_buckets; i++) {
		for (n = d->buckets[i]; n != NULL; n = n->chain)
			n->taking = due(ctx, d, n);
	}
	for (size_t i = 0; i < d->n_buckets; i++) {
		struct vault_dirty_name **at = &d->buckets[i];

		while ((n = *at) != NULL) {
			if (!n->taking) {
				at = &n->chain;
				continue;
			}
			*at = n->chain;
			d->n--;
			n->chain = list;
			list = n;
			(*n_taken)++;
		}
	}
	return list;
}

void vault_dirty_put_back(struct vault_dirty *d, struct vault_dirty_name *n)
{
	struct vault_dirty_name *there;

	if (d->n >= d->n_buckets && !grow(d)) {
		vault_dirty_name_free(n);
		give_up(d);
		return;
	}
	there = *slot_of(d, path_of(n), n->hash);
	if (there == NULL) {
		insert(d, n);
		return;
	}
	if (there->first_ms > n->first_ms)
		there->first_ms = n->first_ms;
	vault_dirty_name_free(n);
}

vault_err vault_dirty_each(const struct vault_dirty *d,
			   vault_dirty_visit *visit, void *ctx)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < d->n_buckets && err == VAULT_OK; i++) {
		const struct vault_dirty_name *n = d->buckets[i];

		for (; n != NULL && err == VAULT_OK; n = n->chain)
			err = visit(ctx, n);
	}
	return err;
}
