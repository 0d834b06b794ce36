/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "store/base/log.h"
#include "store/digest.h"
#include "store/store.h"
#include "tests/support/scratch.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

/* A vault in a scratch folder. */
struct vault {
	struct vault_scratch scratch;
	struct vault_store_options options;
	struct vault_store *s;
	uint64_t entries; /* bytes that entries take */
};

static vault_err apply(void *ctx, struct vault_index *index,
		       struct vault_batch *batch, const struct vault_entry *e)
{
	(void)ctx;
	(void)index;
	(void)batch;
	(void)e;
	return VAULT_OK;
}

static struct vault *vault_make(const struct vault_store_params *params,
				unsigned id_bits)
{
	struct vault *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	vault_scratch_init(&v->scratch);
	v->options.apply = apply;
	v->options.threads = 2;
	v->options.id_bits = id_bits;
	assert_int_equal(vault_store_create(v->scratch.fd, NULL, params),
			 VAULT_OK);
	assert_int_equal(vault_store_open(v->scratch.fd, &v->options, &v->s),
			 VAULT_OK);
	return v;
}

/* Bytes of the packs but for the entries made here, all of them written. */
static uint64_t kept(struct vault *v)
{
	uint64_t at[2];
	uint64_t seq;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(vault_store_append(v->s, VAULT_ENTRY_COMMIT,
						    vault_span_str("x"), &seq),
				 VAULT_OK);
		at[i] = vault_store_pack_bytes(v->s);
	}
	v->entries += 2 * (at[1] - at[0]);
	return at[1] - v->entries;
}

static void vault_end(struct vault *v)
{
	vault_store_close(v->s);
	vault_scratch_release(&v->scratch);
	free(v);
}

static void vault_reopen(struct vault *v)
{
	vault_store_close(v->s);
	v->s = NULL;
	assert_int_equal(vault_store_open(v->scratch.fd, &v->options, &v->s),
			 VAULT_OK);
}

static struct vault_store_params small_chunks(void)
{
	struct vault_store_params p = vault_store_params_default;

	p.chunk_min = 256;
	p.chunk_avg = 512;
	p.chunk_max = 2048;
	return p;
}

static struct vault_buf random_buf(uint64_t seed, size_t n)
{
	struct vault_scratch_random r = vault_scratch_seed(seed);
	struct vault_buf b = VAULT_BUF_INIT;

	vault_scratch_bytes(&r, &b, n);
	return b;
}

/* Half of it compressible: what an artist's file is like. */
static struct vault_buf mixed_buf(uint64_t seed, size_t n)
{
	struct vault_scratch_random r = vault_scratch_seed(seed);
	struct vault_buf b = random_buf(seed, n);

	for (size_t at = 0; at + 4096 < n; at += 8192) {
		const uint8_t v = (uint8_t)vault_scratch_next(&r);

		for (size_t i = 0; i < 4096; i++)
			b.data[at + i] = (uint8_t)(v + (b.data[at + i] & 3));
	}
	return b;
}

/* ---- sources ---- */

/* Bytes with holes that the file system knows of, read in odd portions. */
struct holey {
	struct vault_span bytes; /* the front of it */
	uint64_t size;		 /* all zeros beyond `bytes` */
	uint64_t hole_from;	 /* of one more hole inside `bytes` */
	uint64_t hole_to;
	size_t most;	    /* bytes of one read */
	uint64_t fail_from; /* reads from here on fail, if not 0 */
	vault_err fail;
};

static vault_err holey_read(void *ctx, uint64_t off, void *buf, size_t len,
			    size_t *got)
{
	const struct holey *h = ctx;

	if (h->fail_from != 0 && off >= h->fail_from)
		return h->fail;
	if (h->most != 0 && len > h->most)
		len = h->most;
	if (off >= h->size)
		len = 0;
	else if (len > h->size - off)
		len = (size_t)(h->size - off);
	memset(buf, 0, len);
	if (off < h->bytes.len) {
		const size_t n = h->bytes.len - (size_t)off;

		memcpy(buf, h->bytes.data + off, n < len ? n : len);
	}
	*got = len;
	return VAULT_OK;
}

static vault_err holey_next_data(void *ctx, uint64_t off, uint64_t *start,
				 uint64_t *end)
{
	const struct holey *h = ctx;

	if (off >= h->hole_from && off < h->hole_to)
		off = h->hole_to;
	*start = off < h->bytes.len ? off : h->size;
	*end = off < h->hole_from   ? h->hole_from
	       : off < h->bytes.len ? h->bytes.len
				    : h->size;
	return VAULT_OK;
}

static struct vault_content put(struct vault *v, struct vault_span bytes)
{
	struct vault_content c;

	assert_int_equal(vault_store_put_span(v->s, bytes, &c), VAULT_OK);
	assert_int_equal(c.size, bytes.len);
	return c;
}

static void assert_reads(struct vault *v, const struct vault_content *c,
			 struct vault_span bytes)
{
	struct vault_buf got = VAULT_BUF_INIT;
	const struct vault_digest plain = vault_digest_of(bytes);

	assert_memory_equal(plain.b, c->digest.b, sizeof(plain.b));
	assert_int_equal(vault_store_read_all(v->s, &c->id, bytes.len, &got),
			 VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&got), bytes));
	vault_buf_release(&got);
	assert_int_equal(vault_store_check_content(v->s, &c->id, false),
			 VAULT_OK);
	assert_int_equal(vault_store_check_content(v->s, &c->id, true),
			 VAULT_OK);
}

/* ---- */

static void every_size_comes_back_exact(void **state)
{
	static const size_t sizes[] = {
		0,	1,	 2,	  31,	    32,	    4095,
		4096,	16383,	 16384,	  16385,    65535,  65536,
		65537,	262143,	 262144,  262145,   500000, 524288,
		524289, 1048576, 3000000, 20000000,
	};
	struct vault *v = vault_make(&vault_store_params_default, 0);

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct vault_buf b = k % 2 ? random_buf(k, sizes[k])
					   : mixed_buf(k, sizes[k]);
		const struct vault_content c = put(v, vault_buf_span(&b));

		assert_reads(v, &c, vault_buf_span(&b));
		vault_buf_release(&b);
	}
	vault_end(v);
}

static void contents_outlive_closing(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = mixed_buf(1, 5 * MIB);
	const struct vault_content c = put(v, vault_buf_span(&b));

	(void)state;
	(void)kept(v);
	vault_reopen(v);
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

static void many_leaves_work_like_one(void **state)
{
	const struct vault_store_params params = small_chunks();
	struct vault *v = vault_make(&params, 0);
	struct vault_buf b = mixed_buf(2, 4 * MIB);
	struct vault_content c;

	(void)state;
	memset(b.data + MIB, 0, MIB / 2);
	c = put(v, vault_buf_span(&b));
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

/* Far more leaves than are kept in memory, read here and there. */
static void more_leaves_than_are_kept_can_be_read(void **state)
{
	const struct vault_store_params params = small_chunks();
	struct vault_scratch_random r = vault_scratch_seed(12);
	struct vault *v = vault_make(&params, 0);
	struct vault_buf b = random_buf(12, 48 * MIB);
	const struct vault_content c = put(v, vault_buf_span(&b));
	struct vault_content_file *f = NULL;
	uint8_t buf[3000];

	(void)state;
	assert_int_equal(vault_store_open_content(v->s, &c.id, &f), VAULT_OK);
	for (int i = 0; i < 2000; i++) {
		const size_t off =
			(size_t)vault_scratch_below(&r, b.len - sizeof(buf));
		size_t got;

		assert_int_equal(
			vault_content_file_read(f, off, buf, sizeof(buf), &got),
			VAULT_OK);
		assert_int_equal(got, sizeof(buf));
		assert_memory_equal(buf, b.data + off, sizeof(buf));
	}
	vault_content_file_close(f);
	vault_buf_release(&b);
	vault_end(v);
}

static void the_same_bytes_cost_nothing_again(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = mixed_buf(3, 10 * MIB);
	const struct vault_content c = put(v, vault_buf_span(&b));
	const uint64_t before = kept(v);
	struct vault_content again;
	struct vault_source src;
	struct holey h = { .bytes = vault_buf_span(&b),
			   .size = b.len,
			   .most = 10007 };

	(void)state;
	again = put(v, vault_buf_span(&b));
	assert_true(vault_id_equal(&c.id, &again.id));
	assert_int_equal(kept(v), before);

	/* However it is read, and whatever it is said to be like. */
	src = (struct vault_source){ .ctx = &h, .read = holey_read };
	assert_int_equal(vault_store_put(v->s, &src, &c.id, &again), VAULT_OK);
	assert_true(vault_id_equal(&c.id, &again.id));
	assert_memory_equal(&c.digest, &again.digest, sizeof(c.digest));
	assert_int_equal(kept(v), before);
	vault_buf_release(&b);
	vault_end(v);
}

static void an_edit_of_a_large_content_costs_little(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(4, 40 * MIB);
	const struct vault_content c = put(v, vault_buf_span(&b));
	uint64_t before = kept(v);
	struct holey h = { .bytes = vault_buf_span(&b), .size = b.len };
	const struct vault_source src = { .ctx = &h, .read = holey_read };
	struct vault_content edited;

	(void)state;
	assert_in_range(before, 40 * MIB, 41 * MIB);
	memset(b.data + 17 * MIB, 7, 100);
	assert_int_equal(vault_store_put(v->s, &src, &c.id, &edited), VAULT_OK);
	assert_false(vault_id_equal(&c.id, &edited.id));
	assert_in_range(kept(v) - before, 1, MIB);
	assert_reads(v, &edited, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

/* `like` may be anything: it is a hint. */
static void a_wrong_hint_does_no_harm(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(5, 3 * MIB);
	const struct vault_id nothing = { { 9, 9, 9 } };
	struct holey h = { .bytes = vault_buf_span(&b), .size = b.len };
	const struct vault_source src = { .ctx = &h, .read = holey_read };
	struct vault_content c;

	(void)state;
	assert_int_equal(vault_store_put(v->s, &src, &nothing, &c), VAULT_OK);
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

static void assert_sparse_equals_dense(struct vault *v, struct vault_span bytes,
				       uint64_t size, uint64_t from,
				       uint64_t to)
{
	struct holey h = { bytes, size, from, to, 0, 0, VAULT_OK };
	const struct vault_source dense = { .ctx = &h, .read = holey_read };
	const struct vault_source sparse = { .ctx = &h,
					     .read = holey_read,
					     .next_data = holey_next_data };
	struct vault_content a, b;

	assert_int_equal(vault_store_put(v->s, &dense, NULL, &a), VAULT_OK);
	h.most = 9999;
	assert_int_equal(vault_store_put(v->s, &sparse, NULL, &b), VAULT_OK);
	assert_true(vault_id_equal(&a.id, &b.id));
	assert_memory_equal(&a.digest, &b.digest, sizeof(a.digest));
	assert_int_equal(a.size, size);
	assert_int_equal(b.size, size);
	assert_int_equal(vault_store_check_content(v->s, &b.id, true),
			 VAULT_OK);
}

static void sparse_and_dense_are_the_same_content(void **state)
{
	static const uint64_t edges[] = { 0,	  1,	  4096,
					  16384,  262143, 262144,
					  262145, 999999, 1048576 };
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(6, 2 * MIB);
	const size_t n = sizeof(edges) / sizeof(edges[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) {
			const uint64_t from = edges[i];
			const uint64_t to = edges[j];
			struct vault_buf holed = VAULT_BUF_INIT;

			assert_int_equal(
				vault_buf_append(&holed, vault_buf_span(&b)),
				VAULT_OK);
			memset(holed.data + from, 0, to - from);
			assert_sparse_equals_dense(v, vault_buf_span(&holed),
						   b.len + 5 * edges[j], from,
						   to);
			vault_buf_release(&holed);
		}
	}
	vault_buf_release(&b);
	vault_end(v);
}

static void a_huge_hole_takes_no_room_and_is_reported(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(7, MIB);
	struct holey h = { .bytes = vault_buf_span(&b),
			   .size = (uint64_t)20 << 30,
			   .hole_from = MIB,
			   .hole_to = MIB };
	const struct vault_source src = { .ctx = &h,
					  .read = holey_read,
					  .next_data = holey_next_data };
	struct vault_content_file *f = NULL;
	struct vault_content c;
	uint64_t start, end;
	uint8_t tail[100];
	size_t got;

	(void)state;
	assert_int_equal(vault_store_put(v->s, &src, NULL, &c), VAULT_OK);
	assert_int_equal(c.size, h.size);
	assert_in_range(kept(v), MIB, 2 * MIB);
	assert_int_equal(vault_store_open_content(v->s, &c.id, &f), VAULT_OK);
	assert_int_equal(vault_content_file_next_data(f, 0, &start, &end),
			 VAULT_OK);
	assert_int_equal(start, 0);
	assert_in_range(end, MIB, MIB + 256 * KIB);
	assert_int_equal(vault_content_file_next_data(f, end, &start, &end),
			 VAULT_OK);
	assert_int_equal(start, h.size);
	assert_int_equal(end, h.size);
	memset(tail, 1, sizeof(tail));
	assert_int_equal(vault_content_file_read(f, h.size - 50, tail,
						 sizeof(tail), &got),
			 VAULT_OK);
	assert_int_equal(got, 50);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(tail[i], 0);
	vault_content_file_close(f);
	vault_buf_release(&b);
	vault_end(v);
}

/* Data and holes in turn, with leaves of both kinds. */
static void holes_lie_where_the_zeros_are(void **state)
{
	const struct vault_store_params params = small_chunks();
	struct vault *v = vault_make(&params, 0);
	struct vault_buf b = random_buf(8, 4 * MIB);
	struct vault_content_file *f = NULL;
	struct vault_content c;
	uint64_t off = 0;
	size_t stretches = 0;

	(void)state;
	memset(b.data + 100000, 0, 50000);
	memset(b.data + 2 * MIB, 0, 300000);
	memset(b.data + 4 * MIB - 10000, 0, 10000);
	c = put(v, vault_buf_span(&b));
	assert_int_equal(vault_store_open_content(v->s, &c.id, &f), VAULT_OK);
	while (off < b.len) {
		uint64_t start, end;

		assert_int_equal(
			vault_content_file_next_data(f, off, &start, &end),
			VAULT_OK);
		for (uint64_t i = off; i < start; i++)
			assert_int_equal(b.data[i], 0);
		assert_true(start < end || start == b.len);
		stretches += start < end;
		off = end;
	}
	assert_int_equal(stretches, 3);
	vault_content_file_close(f);
	vault_buf_release(&b);
	vault_end(v);
}

static void any_read_gives_the_bytes_of_the_source(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(9);
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = mixed_buf(9, 6 * MIB);
	uint8_t *buf = malloc(MIB);
	struct vault_content_file *f = NULL;
	struct vault_content c;

	(void)state;
	assert_non_null(buf);
	memset(b.data + MIB, 0, MIB);
	c = put(v, vault_buf_span(&b));
	assert_int_equal(vault_store_open_content(v->s, &c.id, &f), VAULT_OK);
	for (int i = 0; i < 500; i++) {
		const uint64_t off = vault_scratch_below(&r, b.len + 1000);
		const size_t len = (size_t)vault_scratch_below(
			&r, i % 5 == 0 ? MIB : 10000);
		const size_t want = off >= b.len	? 0
				    : len < b.len - off ? len
							: b.len - off;
		size_t got = 12345;

		assert_int_equal(
			vault_content_file_read(f, off, buf, len, &got),
			VAULT_OK);
		assert_int_equal(got, want);
		if (want > 0)
			assert_memory_equal(buf, b.data + off, want);
	}
	vault_content_file_close(f);
	vault_buf_release(&b);
	free(buf);
	vault_end(v);
}

/*
 * With 8 bits of id nearly every chunk meets another of its name: nothing may
 * ever be mixed up.
 */
static void contents_that_share_ids_stay_apart(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 8);
	struct vault_buf b[40];
	struct vault_content c[40];

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		b[i] = random_buf(100 + i, 1000 + 3000 * i);
		c[i] = put(v, vault_buf_span(&b[i]));
	}
	for (size_t i = 0; i < 40; i++) {
		const uint64_t before = kept(v);
		const struct vault_content again =
			put(v, vault_buf_span(&b[i]));

		assert_reads(v, &c[i], vault_buf_span(&b[i]));
		assert_true(vault_id_equal(&again.id, &c[i].id));
		assert_int_equal(kept(v), before);
		for (size_t j = 0; j < i; j++)
			assert_false(vault_id_equal(&c[i].id, &c[j].id));
	}
	for (size_t i = 0; i < 40; i++)
		vault_buf_release(&b[i]);
	vault_end(v);
}

/* The bytes of a recipe are a content like any other. */
static void a_content_may_look_like_a_recipe(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	uint8_t empty_root[32] = { 1 };
	const struct vault_digest none = vault_digest_of(VAULT_SPAN_EMPTY);
	struct vault_content empty, c;

	(void)state;
	memcpy(empty_root + 16, none.b, sizeof(none.b));
	empty = put(v, VAULT_SPAN_EMPTY);
	c = put(v, vault_span(empty_root, sizeof(empty_root)));
	assert_reads(v, &empty, VAULT_SPAN_EMPTY);
	assert_reads(v, &c, vault_span(empty_root, sizeof(empty_root)));
	vault_end(v);
}

static void flat_areas_are_kept_once(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_content c;

	(void)state;
	assert_int_equal(vault_buf_fill(&b, 0xff, 30 * MIB), VAULT_OK);
	c = put(v, vault_buf_span(&b));
	assert_in_range(kept(v), 1, 64 * KIB);
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

/* The same where a worker has many of them in hand at once. */
static void small_flat_chunks_are_kept_once(void **state)
{
	const struct vault_store_params params = small_chunks();
	struct vault *v = vault_make(&params, 0);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_content c[2];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(
			vault_buf_fill(&b, (uint8_t)(1 + i % 3), 100 * KIB),
			VAULT_OK);
	for (unsigned i = 0; i < 2; i++) {
		c[i] = put(v, vault_buf_span(&b));
		assert_reads(v, &c[i], vault_buf_span(&b));
	}
	assert_true(vault_id_equal(&c[0].id, &c[1].id));
	assert_in_range(kept(v), 1, 64 * KIB);
	vault_buf_release(&b);
	vault_end(v);
}

/* ---- failures ---- */

static void the_errors_of_a_source_are_passed_on(void **state)
{
	static const uint64_t at[] = { 1, 100000, 1000000, 9000000 };
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(10, 10 * MIB);
	struct holey h = { .bytes = vault_buf_span(&b),
			   .size = b.len,
			   .most = 65536,
			   .fail = VAULT_ERR_CHANGED };
	const struct vault_source src = { .ctx = &h, .read = holey_read };
	struct vault_content c;

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		h.fail_from = at[i];
		assert_int_equal(vault_store_put(v->s, &src, NULL, &c),
				 VAULT_ERR_CHANGED);
	}
	h.fail_from = 0;
	assert_int_equal(vault_store_put(v->s, &src, NULL, &c), VAULT_OK);
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&b);
	vault_end(v);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	const struct vault_id nothing = { { 1, 2, 3 } };
	struct vault_content_file *f = NULL;
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_content c;

	(void)state;
	assert_int_equal(vault_store_open_content(v->s, &nothing, &f),
			 VAULT_ERR_NOT_FOUND);
	assert_null(f);
	assert_int_equal(vault_store_read_all(v->s, &nothing, 100, &out),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_store_check_content(v->s, &nothing, false),
			 VAULT_ERR_DANGLING);
	c = put(v, vault_span_str("ten bytes."));
	assert_int_equal(vault_store_read_all(v->s, &c.id, 9, &out),
			 VAULT_ERR_TOO_BIG);
	assert_int_equal(vault_store_read_all(v->s, &c.id, 10, &out), VAULT_OK);
	vault_buf_release(&out);
	vault_end(v);
}

/* Flip a byte in the middle of the only pack. */
static void damage(struct vault *v, uint64_t at)
{
	vault_scratch_flip(v->scratch.fd, "packs/00000001.pack", at, 0x10);
}

static void a_flipped_byte_is_never_given_out(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct vault_buf b = random_buf(11, 3 * MIB);
	const struct vault_content c = put(v, vault_buf_span(&b));
	const uint64_t size = kept(v);
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_content_file *f = NULL;
	size_t bad = 0;
	uint8_t *buf = malloc(4096);
	struct vault_content again;

	(void)state;
	assert_non_null(buf);
	damage(v, size / 2);
	assert_int_equal(vault_store_read_all(v->s, &c.id, b.len, &out),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(vault_store_check_content(v->s, &c.id, false),
			 VAULT_OK);
	assert_int_equal(vault_store_check_content(v->s, &c.id, true),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(vault_store_open_content(v->s, &c.id, &f), VAULT_OK);
	for (uint64_t off = 0; off < b.len; off += 4096) {
		size_t got = 0;
		const vault_err err =
			vault_content_file_read(f, off, buf, 4096, &got);

		if (err == VAULT_OK)
			assert_memory_equal(buf, b.data + off, got);
		else
			assert_int_equal(err, VAULT_ERR_CORRUPT);
		bad += err != VAULT_OK;
	}
	/* One chunk is lost, no more. */
	assert_in_range(bad, 1, 66);
	vault_content_file_close(f);

	/* The same bytes come by again: they mend what was damaged. */
	again = put(v, vault_buf_span(&b));
	assert_true(vault_id_equal(&again.id, &c.id));
	assert_reads(v, &c, vault_buf_span(&b));
	vault_buf_release(&out);
	vault_buf_release(&b);
	free(buf);
	vault_end(v);
}

/* ---- threads ---- */

struct job {
	struct vault *v;
	unsigned number;
	bool ok;
};

/* Contents that all threads share, contents of its own, and reading them. */
static void *put_and_read(void *arg)
{
	struct job *job = arg;

	for (unsigned i = 0; i < 12; i++) {
		const uint64_t seed =
			i % 2 ? 500 + i : 1000 + 100 * job->number + i;
		struct vault_buf b = mixed_buf(seed, 100 * KIB + 311 * KIB * i);
		struct vault_buf back = VAULT_BUF_INIT;
		struct vault_content c;

		if (vault_store_put_span(job->v->s, vault_buf_span(&b), &c) !=
			    VAULT_OK ||
		    vault_store_read_all(job->v->s, &c.id, b.len, &back) !=
			    VAULT_OK ||
		    !vault_span_equal(vault_buf_span(&b),
				      vault_buf_span(&back)))
			job->ok = false;
		vault_buf_release(&back);
		vault_buf_release(&b);
	}
	return NULL;
}

static void threads_put_and_read_at_once(void **state)
{
	struct vault *v = vault_make(&vault_store_params_default, 0);
	struct job jobs[4];
	pthread_t threads[4];
	uint64_t before;
	struct vault_buf b;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		jobs[i] = (struct job){ v, i, true };
		assert_int_equal(pthread_create(&threads[i], NULL, put_and_read,
						&jobs[i]),
				 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(jobs[i].ok);
	}
	/* What all four had was kept once. */
	before = kept(v);
	b = mixed_buf(511, 100 * KIB + 311 * KIB * 11);
	put(v, vault_buf_span(&b));
	assert_int_equal(kept(v), before);
	vault_buf_release(&b);
	vault_end(v);
}

static void no_chunk_comes_in_twice_from_two_threads(void **state)
{
	struct vault *one = vault_make(&vault_store_params_default, 0);
	struct vault *four = vault_make(&vault_store_params_default, 0);
	struct job jobs[4];
	pthread_t threads[4];

	(void)state;
	/* All four threads are number 0: the same contents at the same time. */
	for (unsigned i = 0; i < 4; i++) {
		jobs[i] = (struct job){ four, 0, true };
		assert_int_equal(pthread_create(&threads[i], NULL, put_and_read,
						&jobs[i]),
				 0);
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	jobs[0].v = one;
	put_and_read(&jobs[0]);
	assert_true(jobs[0].ok);
	assert_int_equal(kept(one), kept(four));
	vault_end(one);
	vault_end(four);
}

static void no_log(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_comes_back_exact),
		cmocka_unit_test(contents_outlive_closing),
		cmocka_unit_test(many_leaves_work_like_one),
		cmocka_unit_test(more_leaves_than_are_kept_can_be_read),
		cmocka_unit_test(the_same_bytes_cost_nothing_again),
		cmocka_unit_test(an_edit_of_a_large_content_costs_little),
		cmocka_unit_test(a_wrong_hint_does_no_harm),
		cmocka_unit_test(sparse_and_dense_are_the_same_content),
		cmocka_unit_test(a_huge_hole_takes_no_room_and_is_reported),
		cmocka_unit_test(holes_lie_where_the_zeros_are),
		cmocka_unit_test(any_read_gives_the_bytes_of_the_source),
		cmocka_unit_test(contents_that_share_ids_stay_apart),
		cmocka_unit_test(a_content_may_look_like_a_recipe),
		cmocka_unit_test(flat_areas_are_kept_once),
		cmocka_unit_test(small_flat_chunks_are_kept_once),
		cmocka_unit_test(the_errors_of_a_source_are_passed_on),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(a_flipped_byte_is_never_given_out),
		cmocka_unit_test(threads_put_and_read_at_once),
		cmocka_unit_test(no_chunk_comes_in_twice_from_two_threads),
	};

	/* What is damaged here is damaged on purpose. */
	vault_log_set_sink(no_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
