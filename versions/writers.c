/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/writers.h"

#include <stdlib.h>
#include <string.h>

#include "versions/path.h"

static size_t bucket_of(const struct vault_writers *w, uint64_t dev,
			uint64_t ino)
{
	const uint64_t h = (ino ^ dev << 48) * 0x9E3779B97F4A7C15u;

	return (size_t)(h >> 32) & (w->n_buckets - 1);
}

static void free_writer(struct vault_writer *x)
{
	free(x->path);
	free(x);
}

void vault_writers_release(struct vault_writers *w)
{
	for (size_t i = 0; i < w->n_buckets; i++) {
		while (w->buckets[i] != NULL) {
			struct vault_writer *x = w->buckets[i];

			w->buckets[i] = x->chain;
			free_writer(x);
		}
	}
	free(w->buckets);
	*w = VAULT_WRITERS_INIT;
}

static bool grow(struct vault_writers *w)
{
	struct vault_writers bigger = {
		.n_buckets = w->n_buckets == 0 ? 64 : w->n_buckets * 2
	};

	bigger.buckets =
		calloc(bigger.n_buckets, sizeof(struct vault_writer *));
	if (bigger.buckets == NULL)
		return w->n_buckets > 0;
	for (size_t i = 0; i < w->n_buckets; i++) {
		while (w->buckets[i] != NULL) {
			struct vault_writer *x = w->buckets[i];
			const size_t b = bucket_of(&bigger, x->dev, x->ino);

			w->buckets[i] = x->chain;
			x->chain = bigger.buckets[b];
			bigger.buckets[b] = x;
		}
	}
	free(w->buckets);
	w->buckets = bigger.buckets;
	w->n_buckets = bigger.n_buckets;
	return true;
}

struct vault_writer *vault_writers_find(const struct vault_writers *w,
					uint64_t dev, uint64_t ino)
{
	struct vault_writer *x;

	if (w->n == 0)
		return NULL;
	x = w->buckets[bucket_of(w, dev, ino)];
	while (x != NULL && (x->dev != dev || x->ino != ino))
		x = x->chain;
	return x;
}

struct vault_writer *vault_writers_opened(struct vault_writers *w, uint64_t dev,
					  uint64_t ino, struct vault_span path,
					  int64_t now)
{
	struct vault_writer *x = vault_writers_find(w, dev, ino);
	size_t b;

	if (x != NULL) {
		x->count++;
		return x;
	}
	if (w->n >= w->n_buckets && !grow(w))
		return NULL;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->dev = dev;
	x->ino = ino;
	x->count = 1;
	x->changed_ms = now;
	x->path = vault_path_copy(path);
	if (x->path == NULL) {
		free(x);
		return NULL;
	}
	b = bucket_of(w, dev, ino);
	x->chain = w->buckets[b];
	w->buckets[b] = x;
	w->n++;
	return x;
}

bool vault_writers_closed(struct vault_writers *w, uint64_t dev, uint64_t ino)
{
	struct vault_writer *x = vault_writers_find(w, dev, ino);
	struct vault_writer **at;

	if (x == NULL)
		return true;
	if (--x->count > 0)
		return false;
	at = &w->buckets[bucket_of(w, dev, ino)];
	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
	w->n--;
	free_writer(x);
	return true;
}

static void move_one(struct vault_writer *x, struct vault_span from,
		     struct vault_span to)
{
	const struct vault_span path = vault_span_str(x->path);
	const struct vault_span rest = vault_span_from(path, from.len);
	char *moved;

	if (!vault_span_starts(path, from) ||
	    (rest.len > 0 && rest.data[0] != '/'))
		return;
	moved = malloc(to.len + rest.len + 1);
	if (moved == NULL)
		return; /* the next scan finds it */
	memcpy(moved, to.data, to.len);
	if (rest.len > 0)
		memcpy(moved + to.len, rest.data, rest.len);
	moved[to.len + rest.len] = '\0';
	free(x->path);
	x->path = moved;
}

void vault_writers_moved(struct vault_writers *w, struct vault_span from,
			 struct vault_span to)
{
	for (size_t i = 0; i < w->n_buckets; i++) {
		struct vault_writer *x = w->buckets[i];

		for (; x != NULL; x = x->chain)
			move_one(x, from, to);
	}
}
