/* SPDX-License-Identifier: Apache-2.0 */
#include "store/chunk_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/bytes.h"

#define SHARDS 8
#define BUCKETS 256

enum state { LOADING, READY, FAILED };

/*
 * In a bucket as long as others may find it, in the list of recent use as
 * long as it is READY too. All fields but `raw` are under the shard's lock.
 */
struct vault_cached_chunk {
	struct vault_id id;
	uint32_t len;
	unsigned holds;
	enum state state;
	bool found;			  /* in its bucket */
	vault_err err;			  /* of a load that failed */
	struct vault_cached_chunk *chain; /* next in the bucket */
	struct vault_cached_chunk *newer;
	struct vault_cached_chunk *older;
	uint8_t raw[];
};

struct shard {
	pthread_mutex_t lock;
	pthread_cond_t loaded;
	size_t bytes; /* of all that is in the list */
	struct vault_cached_chunk *newest;
	struct vault_cached_chunk *oldest;
	struct vault_cached_chunk *buckets[BUCKETS];
};

struct vault_chunk_cache {
	size_t share; /* bytes for one shard */
	struct shard shards[SHARDS];
};

/* Ids are hashes; some of their bits say where to look. */
static uint64_t spread(const struct vault_id *id)
{
	return (vault_bytes_get_le64(id->b) ^ vault_bytes_get_le64(id->b + 8)) *
	       0x9e3779b97f4a7c15;
}

static struct shard *shard_of(struct vault_chunk_cache *c,
			      const struct vault_id *id)
{
	return &c->shards[(spread(id) >> 60) % SHARDS];
}

static struct vault_cached_chunk **bucket_of(struct shard *s,
					     const struct vault_id *id)
{
	return &s->buckets[(spread(id) >> 48) % BUCKETS];
}

vault_err vault_chunk_cache_create(size_t bytes, struct vault_chunk_cache **out)
{
	struct vault_chunk_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return VAULT_ERR_NOMEM;
	c->share = bytes / SHARDS;
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&c->shards[i].lock, NULL);
		pthread_cond_init(&c->shards[i].loaded, NULL);
	}
	*out = c;
	return VAULT_OK;
}

void vault_chunk_cache_destroy(struct vault_chunk_cache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shards[i];

		while (s->newest != NULL) {
			struct vault_cached_chunk *x = s->newest;

			assert(x->holds == 0);
			s->newest = x->older;
			free(x);
		}
		pthread_cond_destroy(&s->loaded);
		pthread_mutex_destroy(&s->lock);
	}
	free(c);
}

/* ---- under the shard's lock ---- */

static void unlist(struct shard *s, struct vault_cached_chunk *x)
{
	if (x->newer == NULL)
		s->newest = x->older;
	else
		x->newer->older = x->older;
	if (x->older == NULL)
		s->oldest = x->newer;
	else
		x->older->newer = x->newer;
	s->bytes -= x->len;
}

static void list_newest(struct shard *s, struct vault_cached_chunk *x)
{
	x->newer = NULL;
	x->older = s->newest;
	if (s->newest == NULL)
		s->oldest = x;
	else
		s->newest->newer = x;
	s->newest = x;
	s->bytes += x->len;
}

static void unchain(struct shard *s, struct vault_cached_chunk *x)
{
	struct vault_cached_chunk **at = bucket_of(s, &x->id);

	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
	x->found = false;
}

/* Out of sight; gone at once if nobody holds it. */
static void forget(struct shard *s, struct vault_cached_chunk *x)
{
	unlist(s, x);
	unchain(s, x);
	if (x->holds == 0)
		free(x);
}

static struct vault_cached_chunk *find(struct shard *s,
				       const struct vault_id *id, uint32_t len)
{
	struct vault_cached_chunk *x = *bucket_of(s, id);

	while (x != NULL && (x->len != len || !vault_id_equal(&x->id, id)))
		x = x->chain;
	return x;
}

static void touch(struct shard *s, struct vault_cached_chunk *x)
{
	if (s->newest == x)
		return;
	unlist(s, x);
	list_newest(s, x);
}

static void release_hold(struct vault_cached_chunk *x)
{
	assert(x->holds > 0);
	if (--x->holds == 0 && !x->found)
		free(x);
}

/* ---- */

/* Wait until another thread has loaded what it is loading. */
static vault_err join(struct shard *s, struct vault_cached_chunk *x)
{
	vault_err err = VAULT_OK;

	x->holds++;
	while (x->state == LOADING)
		pthread_cond_wait(&s->loaded, &s->lock);
	if (x->state == READY) {
		if (x->found)
			touch(s, x);
	} else {
		err = x->err;
		release_hold(x);
	}
	return err;
}

static vault_err load_new(struct vault_chunk_cache *c, struct shard *s,
			  struct vault_cached_chunk *x, vault_chunk_load *load,
			  void *ctx)
{
	vault_err err;

	pthread_mutex_unlock(&s->lock);
	err = load(ctx, &x->id, x->raw, x->len);
	pthread_mutex_lock(&s->lock);
	if (err != VAULT_OK) {
		x->state = FAILED;
		x->err = err;
		unchain(s, x);
		release_hold(x);
	} else {
		x->state = READY;
		list_newest(s, x);
		while (s->bytes > c->share && s->oldest != x)
			forget(s, s->oldest);
	}
	pthread_cond_broadcast(&s->loaded);
	return err;
}

vault_err vault_chunk_cache_hold(struct vault_chunk_cache *c,
				 const struct vault_id *id, uint32_t len,
				 vault_chunk_load *load, void *ctx,
				 struct vault_cached_chunk **out)
{
	struct shard *s = shard_of(c, id);
	struct vault_cached_chunk *x;
	vault_err err;

	pthread_mutex_lock(&s->lock);
	x = find(s, id, len);
	if (x != NULL) {
		err = join(s, x);
		goto out;
	}
	x = malloc(sizeof(*x) + len);
	if (x == NULL) {
		err = VAULT_ERR_NOMEM;
		goto out;
	}
	*x = (struct vault_cached_chunk){
		.id = *id,
		.len = len,
		.holds = 1,
		.state = LOADING,
		.found = true,
		.chain = *bucket_of(s, id),
	};
	*bucket_of(s, id) = x;
	err = load_new(c, s, x, load, ctx);

out:
	if (err == VAULT_OK)
		*out = x;
	pthread_mutex_unlock(&s->lock);
	return err;
}

void vault_chunk_cache_drop(struct vault_chunk_cache *c,
			    struct vault_cached_chunk *chunk)
{
	struct shard *s = shard_of(c, &chunk->id);

	pthread_mutex_lock(&s->lock);
	release_hold(chunk);
	pthread_mutex_unlock(&s->lock);
}

struct vault_cached_chunk *vault_chunk_cache_peek(struct vault_chunk_cache *c,
						  const struct vault_id *id,
						  uint32_t len)
{
	struct shard *s = shard_of(c, id);
	struct vault_cached_chunk *x;

	pthread_mutex_lock(&s->lock);
	x = find(s, id, len);
	if (x != NULL && join(s, x) != VAULT_OK)
		x = NULL;
	pthread_mutex_unlock(&s->lock);
	return x;
}

struct vault_span vault_chunk_cache_bytes(
	const struct vault_cached_chunk *chunk)
{
	return vault_span(chunk->raw, chunk->len);
}
