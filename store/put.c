/* SPDX-License-Identifier: Apache-2.0 */
#include "store/put.h"

#include <assert.h>
#include <string.h>

#include "store/chunker.h"
#include "store/digest.h"
#include "store/known.h"
#include "store/objects.h"
#include "store/pack_format.h"
#include "store/recipe.h"
#include "store/store.h"

/*
 * The caller's thread reads, cuts and digests; what it has cut goes to the
 * workers in batches, each in two parts; and the caller appends what they
 * packed in the order of the content, so that a file lies in one piece on
 * disk. A batch's memory holds the bytes read, as much room for packed ones,
 * and the list of its chunks.
 */

/* A batch's bytes, unless two chunks of the largest size need more. */
#define BATCH_BYTES ((size_t)512 * 1024)

/* Memory of one put, and the number of batches it is spread over. */
#define PUT_BYTES ((size_t)16 << 20)
#define BATCHES_MOST 16

#define PARTS 2

struct put;
struct batch;

struct part {
	struct vault_put_task task;
	struct batch *batch;
	size_t first; /* objects first to last - 1 */
	size_t last;
	vault_err err;
};

struct batch {
	struct put *put;
	uint8_t *data; /* put->cap bytes */
	uint8_t *room; /* as many, for what is packed */
	size_t fill;   /* bytes in `data` */
	size_t open;   /* where the open chunk begins */
	struct vault_object *objects;
	uint64_t *holes; /* zeros before each object, and after the last */
	size_t n;	 /* objects */
	unsigned n_parts;
	struct part parts[PARTS];
};

struct put {
	struct vault_store *s;
	struct vault_put_pool *pool;
	const struct vault_source *src;
	const struct vault_id *like; /* until `known` is made of it */
	struct vault_known *known;

	size_t cap;	    /* bytes of a batch */
	size_t most_chunks; /* of a batch */
	size_t batch_bytes; /* memory of a batch */
	size_t most;	    /* batches in hand */

	uint64_t off;	   /* bytes read so far */
	uint64_t data_end; /* where the next hole may begin */
	struct vault_chunker chunker;
	struct vault_digest_stream *digest;
	struct vault_recipe_builder builder;

	struct batch *open;
	struct batch *sent[BATCHES_MOST]; /* a ring, oldest at `oldest` */
	size_t oldest;
	size_t n_sent;
};

/* ---- batches ---- */

static size_t aligned(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

/* Make a batch of a buffer: head, objects, holes, bytes, room for bytes. */
static vault_err batch_take(struct put *p, struct batch **out)
{
	uint8_t *at = vault_put_pool_take_buffer(p->pool, p->batch_bytes);
	struct batch *b = (struct batch *)at;

	if (b == NULL)
		return VAULT_ERR_NOMEM;
	memset(b, 0, sizeof(*b));
	b->put = p;
	at += aligned(sizeof(*b));
	b->objects = (struct vault_object *)at;
	at += aligned(p->most_chunks * sizeof(b->objects[0]));
	b->holes = (uint64_t *)at;
	b->holes[0] = 0;
	at += aligned((p->most_chunks + 1) * sizeof(b->holes[0]));
	b->data = at;
	b->room = at + p->cap;
	*out = b;
	return VAULT_OK;
}

static void batch_give(struct put *p, struct batch *b)
{
	vault_put_pool_give_buffer(p->pool, b, p->batch_bytes);
}

static void part_run(struct vault_put_task *task)
{
	struct part *part = (struct part *)task; /* its first member */
	const struct put *p = part->batch->put;
	size_t i = part->first;

	part->err = VAULT_OK;
	while (i < part->last && part->err == VAULT_OK) {
		const size_t left = part->last - i;
		const size_t n =
			left < VAULT_OBJECTS_MOST ? left : VAULT_OBJECTS_MOST;

		part->err = vault_objects_prepare(p->s, p->known,
						  part->batch->objects + i, n);
		i += n;
	}
}

static void batch_split(struct batch *b)
{
	size_t first = 0;

	b->n_parts = b->n < PARTS ? (unsigned)b->n : PARTS;
	for (unsigned i = 0; i < b->n_parts; i++) {
		struct part *part = &b->parts[i];

		part->task.run = part_run;
		part->batch = b;
		part->first = first;
		first = b->n * (i + 1) / b->n_parts;
		part->last = first;
	}
}

/* Wait for a batch's parts; the first error of any. */
static vault_err batch_wait(struct put *p, struct batch *b)
{
	vault_err err = VAULT_OK;

	for (unsigned i = 0; i < b->n_parts; i++) {
		vault_put_pool_wait(p->pool, &b->parts[i].task);
		if (err == VAULT_OK)
			err = b->parts[i].err;
	}
	return err;
}

/* Append what is new in a prepared batch and add all of it to the recipe. */
static vault_err batch_commit(struct put *p, struct batch *b)
{
	vault_err err;

	for (size_t i = 0; i < b->n; i++) {
		struct vault_object *o = &b->objects[i];

		vault_recipe_builder_hole(&p->builder, b->holes[i]);
		err = vault_objects_commit(p->s, o);
		if (err == VAULT_OK)
			err = vault_recipe_builder_chunk(&p->builder, &o->id,
							 (uint32_t)o->raw.len);
		if (err != VAULT_OK)
			return err;
	}
	vault_recipe_builder_hole(&p->builder, b->holes[b->n]);
	return VAULT_OK;
}

/* Finish the oldest batch that was sent; after an error only wait for it. */
static vault_err collect(struct put *p, vault_err err)
{
	struct batch *b = p->sent[p->oldest];
	const vault_err done = batch_wait(p, b);

	p->oldest = (p->oldest + 1) % BATCHES_MOST;
	p->n_sent--;
	if (err == VAULT_OK)
		err = done;
	if (err == VAULT_OK)
		err = batch_commit(p, b);
	batch_give(p, b);
	return err;
}

/* Give the open batch to the workers. There is none open afterwards. */
static void send(struct put *p)
{
	struct batch *b = p->open;

	assert(p->n_sent < BATCHES_MOST);
	p->open = NULL;
	batch_split(b);
	for (unsigned i = 0; i < b->n_parts; i++)
		vault_put_pool_submit(p->pool, &b->parts[i].task);
	p->sent[(p->oldest + p->n_sent) % BATCHES_MOST] = b;
	p->n_sent++;
}

/* Send the open batch and open another, which takes over the open chunk. */
static vault_err next_batch(struct put *p)
{
	struct batch *full = p->open;
	struct batch *b = NULL;
	vault_err err = VAULT_OK;

	if (p->like != NULL) {
		err = vault_known_create(p->s, p->like, &p->known);
		p->like = NULL;
	}
	while (err == VAULT_OK && p->n_sent + 1 >= p->most)
		err = collect(p, VAULT_OK);
	if (err == VAULT_OK)
		err = batch_take(p, &b);
	if (err != VAULT_OK)
		return err;
	b->fill = full->fill - full->open;
	memcpy(b->data, full->data + full->open, b->fill);
	send(p);
	p->open = b;
	return VAULT_OK;
}

/* ---- cutting ---- */

static bool all_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* The open chunk ends at `end`. Zeros are not kept but counted. */
static void close_chunk(struct batch *b, size_t end)
{
	const uint8_t *raw = b->data + b->open;
	const size_t len = end - b->open;

	if (all_zero(raw, len)) {
		b->holes[b->n] += len;
	} else {
		assert(b->n < b->put->most_chunks);
		b->objects[b->n++] = (struct vault_object){
			.type = VAULT_RECORD_CHUNK,
			.raw = vault_span(raw, len),
			.room = b->room + b->open,
		};
		b->holes[b->n] = 0;
	}
	b->open = end;
}

/* `n` bytes were read behind what is in the open batch. */
static void take_bytes(struct put *p, size_t n)
{
	struct batch *b = p->open;
	size_t at = b->fill;

	vault_digest_stream_add(p->digest, vault_span(b->data + at, n));
	b->fill += n;
	p->off += n;
	while (at < b->fill) {
		bool cut;

		at += vault_chunker_scan(&p->chunker,
					 vault_span(b->data + at, b->fill - at),
					 &cut);
		if (cut)
			close_chunk(b, at);
	}
}

/* Make sure that the open batch has room for at least one byte. */
static vault_err make_room(struct put *p)
{
	return p->open->fill < p->cap ? VAULT_OK : next_batch(p);
}

/*
 * `n` zeros follow. Those that complete the open chunk and those of the last
 * one, whose end is not known yet, are put in memory; whole chunks between
 * them only count.
 */
static vault_err take_zeros(struct put *p, uint64_t n)
{
	const uint32_t max = p->chunker.sizes.max;
	vault_err err;

	vault_digest_stream_add_zeros(p->digest, n);
	p->off += n;
	while (n > 0) {
		struct batch *b;
		size_t room;
		bool cut;

		err = make_room(p);
		if (err != VAULT_OK)
			return err;
		b = p->open;
		if (b->open == b->fill && n >= max) {
			b->holes[b->n] += n - n % max;
			n %= max;
			continue;
		}
		room = p->cap - b->fill;
		room = vault_chunker_zeros(&p->chunker, n < room ? n : room,
					   &cut);
		memset(b->data + b->fill, 0, room);
		b->fill += room;
		n -= room;
		if (cut)
			close_chunk(b, b->fill);
	}
	return VAULT_OK;
}

/* ---- reading ---- */

/* At the end of a stretch of data: take the hole that follows, if one does. */
static vault_err pass_hole(struct put *p)
{
	uint64_t start;
	uint64_t end;
	vault_err err;

	if (p->src->next_data == NULL || p->off < p->data_end)
		return VAULT_OK;
	err = p->src->next_data(p->src->ctx, p->off, &start, &end);
	if (err != VAULT_OK)
		return err;
	/* Without more data, reading on shows where the end is by now. */
	p->data_end = end > start ? end : UINT64_MAX;
	return start > p->off ? take_zeros(p, start - p->off) : VAULT_OK;
}

static vault_err read_all(struct put *p)
{
	size_t got = 1;
	vault_err err = VAULT_OK;

	while (got > 0) {
		struct batch *b;
		size_t want;

		err = pass_hole(p);
		if (err == VAULT_OK)
			err = make_room(p);
		if (err != VAULT_OK)
			return err;
		b = p->open;
		want = p->cap - b->fill;
		if (want > p->data_end - p->off)
			want = (size_t)(p->data_end - p->off);
		got = 0;
		err = p->src->read(p->src->ctx, p->off, b->data + b->fill, want,
				   &got);
		if (err != VAULT_OK)
			return err;
		assert(got <= want);
		take_bytes(p, got);
	}
	return VAULT_OK;
}

/* The stream has ended: finish the last batch, here if it is small. */
static vault_err finish(struct put *p)
{
	struct batch *b = p->open;
	vault_err err = VAULT_OK;

	if (b->open < b->fill)
		close_chunk(b, b->fill);
	if (p->n_sent == 0 && b->n <= 1) {
		batch_split(b);
		if (b->n_parts == 1) {
			part_run(&b->parts[0].task);
			err = b->parts[0].err;
		}
		return err == VAULT_OK ? batch_commit(p, b) : err;
	}
	send(p);
	while (p->n_sent > 0)
		err = collect(p, err);
	return err;
}

static vault_err keep_leaf(void *ctx, struct vault_span leaf,
			   struct vault_id *id)
{
	return vault_objects_put(ctx, VAULT_RECORD_RECIPE, leaf, id);
}

static vault_err put_init(struct put *p)
{
	const struct vault_store_params *params = vault_store_params(p->s);
	const struct vault_chunk_sizes sizes = {
		.min = params->chunk_min,
		.avg = params->chunk_avg,
		.max = params->chunk_max,
	};
	vault_err err;

	err = vault_chunker_init(&p->chunker, &sizes);
	if (err != VAULT_OK)
		return err;
	/* Then the open chunk and what was carried over always fit. */
	p->cap = aligned(2 * (size_t)sizes.max);
	if (p->cap < BATCH_BYTES)
		p->cap = BATCH_BYTES;
	p->most_chunks = p->cap / sizes.min + 2;
	p->batch_bytes = aligned(sizeof(struct batch)) +
			 aligned(p->most_chunks * sizeof(struct vault_object)) +
			 aligned((p->most_chunks + 1) * sizeof(uint64_t)) +
			 2 * p->cap;
	p->most = PUT_BYTES / p->batch_bytes;
	if (p->most < 2)
		p->most = 2;
	if (p->most > BATCHES_MOST)
		p->most = BATCHES_MOST;
	err = vault_digest_stream_create(&p->digest);
	return err == VAULT_OK ? batch_take(p, &p->open) : err;
}

vault_err vault_store_put(struct vault_store *s, const struct vault_source *src,
			  const struct vault_id *like,
			  struct vault_content *out)
{
	struct put p = {
		.s = s,
		.pool = vault_records_pool(s),
		.src = src,
		.like = like,
		.data_end = src->next_data == NULL ? UINT64_MAX : 0,
	};
	struct vault_content c;
	struct vault_span root;
	vault_err err;

	vault_recipe_builder_init(&p.builder, keep_leaf, s);
	err = put_init(&p);
	if (err == VAULT_OK)
		err = read_all(&p);
	if (err == VAULT_OK)
		err = finish(&p);
	if (err != VAULT_OK)
		goto out;
	c.size = p.off;
	c.digest = vault_digest_stream_end(p.digest);
	err = vault_recipe_builder_end(&p.builder, &c.digest, &root);
	if (err == VAULT_OK)
		err = vault_objects_put(s, VAULT_RECORD_RECIPE, root, &c.id);
	if (err == VAULT_OK)
		*out = c;

out:
	while (p.n_sent > 0)
		(void)collect(&p, VAULT_ERR_CANCELLED);
	if (p.open != NULL)
		batch_give(&p, p.open);
	vault_recipe_builder_release(&p.builder);
	vault_known_destroy(p.known);
	vault_digest_stream_destroy(p.digest);
	return err;
}

/* ---- bytes in memory ---- */

static vault_err span_read(void *ctx, uint64_t off, void *buf, size_t len,
			   size_t *got)
{
	const struct vault_span *bytes = ctx;
	const struct vault_span rest =
		off < bytes->len ? vault_span_from(*bytes, (size_t)off)
				 : VAULT_SPAN_EMPTY;

	*got = rest.len < len ? rest.len : len;
	if (*got > 0)
		memcpy(buf, rest.data, *got);
	return VAULT_OK;
}

vault_err vault_store_put_span(struct vault_store *s, struct vault_span bytes,
			       struct vault_content *out)
{
	const struct vault_source src = { .ctx = &bytes, .read = span_read };

	return vault_store_put(s, &src, NULL, out);
}
