/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/codec.h"
#include "store/objects.h"
#include "store/pack_format.h"
#include "store/recipe_format.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * Objects over records that some other program, or a fault, has written:
 * sound checksums, but a codec that leans on other records, or contents that
 * make no sense. What is sound is read; what is not is refused, and the true
 * bytes, when they come by again, take its place.
 */
#define LEN ((size_t)9000) /* less than the smallest chunk: one chunk */
#define LONGEST VAULT_CODEC_DEPTH_MAX

static struct vault_span version_of(unsigned n, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(77);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, LEN);
	for (unsigned i = 0; i < n; i++)
		b->data[1000 * (i + 1)] ^= (uint8_t)(i + 1);
	return vault_buf_span(b);
}

static struct vault_id id_of(struct vault_store *s, struct vault_span raw)
{
	return vault_digest_id(vault_records_secret(s), 0, raw);
}

static struct vault_record_place append(struct vault_store *s,
					const struct vault_record_head *h,
					struct vault_span stored)
{
	struct vault_record_place place;

	assert_int_equal(vault_records_append(s, h, stored, &place), VAULT_OK);
	return place;
}

static struct vault_record_head head_of(struct vault_store *s,
					struct vault_span raw)
{
	return (struct vault_record_head){
		.type = VAULT_RECORD_CHUNK,
		.raw_len = (uint32_t)raw.len,
		.stored_len = (uint32_t)raw.len,
		.id = id_of(s, raw),
	};
}

/* Version `n`, packed with version `n - 1` as its prefix. */
static struct vault_record_place append_upon(struct vault_store *s, unsigned n)
{
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_buf base = VAULT_BUF_INIT;
	struct vault_buf stored = VAULT_BUF_INIT;
	struct vault_record_head h;
	struct vault_record_place place;

	h = head_of(s, version_of(n, &raw));
	h.base = id_of(s, version_of(n - 1, &base));
	h.codec = VAULT_CODEC_ZSTD_PREFIX;
	h.depth = (uint8_t)n;
	assert_int_equal(vault_codec_pack_prefix(
				 vault_buf_span(&raw), vault_buf_span(&base),
				 VAULT_CODEC_LEVEL_REPACK, &stored),
			 VAULT_OK);
	/* The bytes are random: it leans on its base and on nothing else. */
	assert_true(stored.len < LEN / 10);
	h.stored_len = (uint32_t)stored.len;
	place = append(s, &h, vault_buf_span(&stored));
	vault_buf_release(&raw);
	vault_buf_release(&base);
	vault_buf_release(&stored);
	return place;
}

static void append_chain(struct vault_store *s, unsigned depth,
			 struct vault_record_place *places)
{
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_record_head h = head_of(s, version_of(0, &raw));

	places[0] = append(s, &h, vault_buf_span(&raw));
	for (unsigned n = 1; n <= depth; n++)
		places[n] = append_upon(s, n);
	vault_buf_release(&raw);
}

static void expect_reads(struct vault_store *s, const struct vault_content *c,
			 struct vault_span bytes)
{
	struct vault_buf got = VAULT_BUF_INIT;

	assert_int_equal(vault_store_read_all(s, &c->id, bytes.len, &got),
			 VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&got), bytes));
	assert_int_equal(vault_store_check_content(s, &c->id, false), VAULT_OK);
	assert_int_equal(vault_store_check_content(s, &c->id, true), VAULT_OK);
	vault_buf_release(&got);
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

static void chunks_that_lean_on_others_read_like_any(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_record_place places[LONGEST + 1];
	struct vault_content c[LONGEST + 1];
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_store *s;

	s = vault_toy_open(d->fd, NULL);
	append_chain(s, LONGEST, places);
	for (unsigned n = 0; n <= LONGEST; n++) {
		struct vault_record_place place;
		struct vault_id id;
		bool found;

		assert_int_equal(
			vault_store_put_span(s, version_of(n, &raw), &c[n]),
			VAULT_OK);
		/* It was there, byte for byte: not kept again. */
		id = id_of(s, vault_buf_span(&raw));
		assert_int_equal(vault_records_find(s, 1, &id, &place, &found),
				 VAULT_OK);
		assert_true(found && place.offset == places[n].offset);
	}
	vault_toy_set(s, "key", "value");
	for (unsigned again = 0; again < 3; again++) {
		for (unsigned n = 0; n <= LONGEST; n++)
			expect_reads(s, &c[n], version_of(n, &raw));
		assert_int_equal(
			vault_store_check(s, true, no_finding, NULL, NULL),
			VAULT_OK);
		vault_store_close(s);
		if (again == 1)
			vault_scratch_remove(d->fd, "index");
		s = vault_toy_open(d->fd, NULL);
	}
	vault_store_close(s);
	vault_buf_release(&raw);
}

/* ---- records that make no sense ---- */

enum fault {
	TOO_DEEP,
	NO_BASE,
	LOST_BASE,
	BASE_OF_OTHER_BYTES,
	HUGE_BASE,
	NO_ZSTD,
	OTHER_BYTES,
	OTHER_TYPE,
	OTHER_LENGTH,
	N_FAULTS,
};

static const vault_err answers[N_FAULTS] = {
	[TOO_DEEP] = VAULT_ERR_CORRUPT,
	[NO_BASE] = VAULT_ERR_CORRUPT,
	[LOST_BASE] = VAULT_ERR_DANGLING,
	[BASE_OF_OTHER_BYTES] = VAULT_ERR_CORRUPT,
	[HUGE_BASE] = VAULT_ERR_CORRUPT,
	[NO_ZSTD] = VAULT_ERR_CORRUPT,
	[OTHER_BYTES] = VAULT_ERR_CORRUPT,
	[OTHER_TYPE] = VAULT_ERR_CORRUPT,
	[OTHER_LENGTH] = VAULT_ERR_CORRUPT,
};

/* Put a record under the id of `raw` that is not `raw`. */
static void append_fault(struct vault_store *s, enum fault fault,
			 struct vault_span raw)
{
	struct vault_record_place places[LONGEST + 2];
	struct vault_record_head h = head_of(s, raw);
	struct vault_buf other = VAULT_BUF_INIT;
	struct vault_record_head base;

	version_of(7, &other);
	base = head_of(s, vault_buf_span(&other));
	switch (fault) {
	case TOO_DEEP:
		append_chain(s, LONGEST + 1, places);
		goto out;
	case OTHER_TYPE:
		h.type = VAULT_RECORD_RECIPE;
		append(s, &h, raw);
		goto out;
	case OTHER_LENGTH:
		h.raw_len = h.stored_len = 10;
		append(s, &h, vault_span(raw.data, 10));
		goto out;
	case OTHER_BYTES:
		break;
	case NO_ZSTD:
		h.codec = VAULT_CODEC_ZSTD;
		break;
	case BASE_OF_OTHER_BYTES:
		other.data[5]++;
		append(s, &base, vault_buf_span(&other));
		h.base = base.id;
		h.codec = VAULT_CODEC_ZSTD_PREFIX;
		break;
	case HUGE_BASE:
		base.raw_len = VAULT_CODEC_RAW_MAX + 1;
		append(s, &base, vault_buf_span(&other));
		h.base = base.id;
		h.codec = VAULT_CODEC_ZSTD_PREFIX;
		break;
	case LOST_BASE:
		h.base = base.id;
		h.codec = VAULT_CODEC_ZSTD_PREFIX;
		break;
	default:
		h.codec = VAULT_CODEC_ZSTD_PREFIX;
	}
	append(s, &h, vault_buf_span(&other));

out:
	vault_buf_release(&other);
}

/* Nothing of it is given out, and the true bytes make it good. */
static void a_senseless_record_is_refused_and_made_good(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_buf raw = VAULT_BUF_INIT;
	uint8_t *out = malloc(LEN);

	assert_non_null(out);
	for (enum fault f = 0; f < N_FAULTS; f++) {
		const struct vault_span bytes = version_of(LONGEST + 1, &raw);
		struct vault_store *s = vault_toy_open(d->fd, NULL);
		const struct vault_id id = id_of(s, bytes);
		struct vault_content c;

		append_fault(s, f, bytes);
		assert_int_equal(vault_objects_read(s, VAULT_RECORD_CHUNK, &id,
						    out, (uint32_t)LEN),
				 answers[f]);
		assert_int_equal(vault_store_put_span(s, bytes, &c), VAULT_OK);
		expect_reads(s, &c, bytes);
		vault_toy_set(s, "key", "value");
		vault_store_close(s);
		s = vault_toy_open(d->fd, NULL);
		expect_reads(s, &c, bytes);
		vault_store_close(s);
		vault_scratch_remove(d->fd, "packs");
		vault_scratch_remove(d->fd, "index");
		vault_scratch_remove(d->fd, "config");
		vault_scratch_remove(d->fd, "secret");
	}
	vault_buf_release(&raw);
	free(out);
}

static void a_codec_nobody_knows_is_not_guessed_at(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_store *s = vault_toy_open(d->fd, NULL);
	struct vault_record_head h = head_of(s, version_of(0, &raw));
	struct vault_buf out = VAULT_BUF_INIT;

	h.codec = VAULT_CODEC_COUNT;
	append(s, &h, vault_buf_span(&raw));
	assert_int_equal(vault_objects_get(s, VAULT_RECORD_CHUNK, &h.id, &out),
			 VAULT_ERR_UNSUPPORTED);
	h.raw_len = VAULT_CODEC_RAW_MAX + 1;
	append(s, &h, vault_buf_span(&raw));
	assert_int_equal(vault_objects_get(s, VAULT_RECORD_CHUNK, &h.id, &out),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(out.len, 0);
	vault_store_close(s);
	vault_buf_release(&raw);
}

/* What is too large to be kept for the next time is read as well. */
static void a_large_object_comes_back_exact(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_store *s = vault_toy_open(d->fd, NULL);
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_id id[2];

	vault_scratch_bytes(&r, &raw, (size_t)3 << 20);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vault_objects_put(s, VAULT_RECORD_CHUNK,
						   vault_buf_span(&raw),
						   &id[i]),
				 VAULT_OK);
	assert_true(vault_id_equal(&id[0], &id[1]));
	assert_int_equal(vault_objects_get(s, VAULT_RECORD_CHUNK, &id[0], &out),
			 VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&raw), vault_buf_span(&out)));
	memset(out.data, 0, out.len);
	assert_int_equal(vault_objects_read(s, VAULT_RECORD_CHUNK, &id[0],
					    out.data, (uint32_t)out.len),
			 VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&raw), vault_buf_span(&out)));
	vault_store_close(s);
	vault_buf_release(&raw);
	vault_buf_release(&out);
}

/* Two ids in all: the first content has both, and nothing replaces it. */
static void when_no_id_is_left_nothing_is_overwritten(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_content first, c;
	struct vault_store *s;

	o.id_bits = 1;
	s = vault_toy_open(d->fd, &o);
	assert_int_equal(
		vault_store_put_span(s, vault_span_str("first"), &first),
		VAULT_OK);
	expect_reads(s, &first, vault_span_str("first"));
	for (unsigned i = 0; i < 5; i++) {
		char text[16];

		snprintf(text, sizeof(text), "other %u", i);
		assert_int_equal(
			vault_store_put_span(s, vault_span_str(text), &c),
			VAULT_ERR_TOO_BIG);
		expect_reads(s, &first, vault_span_str("first"));
	}
	assert_int_equal(vault_store_put_span(s, vault_span_str("first"), &c),
			 VAULT_OK);
	assert_true(vault_id_equal(&first.id, &c.id));
	vault_store_close(s);
}

/* ---- recipes that make no sense ---- */

struct recipe {
	uint8_t b[256];
	size_t len;
};

static void begin(struct recipe *r, uint8_t kind, uint64_t size,
		  const struct vault_digest *digest)
{
	memset(r, 0, sizeof(*r));
	r->b[VAULT_RECIPE_OFF_VERSION] = VAULT_RECIPE_VERSION;
	r->b[VAULT_RECIPE_OFF_KIND] = kind;
	r->len = VAULT_RECIPE_LEAF_HEADER;
	if (kind == VAULT_RECIPE_LEAF)
		return;
	vault_bytes_put_le64(r->b + VAULT_RECIPE_OFF_SIZE, size);
	memcpy(r->b + VAULT_RECIPE_OFF_DIGEST, digest->b, sizeof(digest->b));
	r->len = VAULT_RECIPE_ROOT_HEADER;
}

static void add_chunk(struct recipe *r, const struct vault_id *id, uint32_t len)
{
	memcpy(r->b + r->len, id->b, sizeof(id->b));
	vault_bytes_put_le32(r->b + r->len + VAULT_RECIPE_CHUNK_OFF_LEN, len);
	r->len += VAULT_RECIPE_CHUNK_ENTRY;
	r->b[VAULT_RECIPE_OFF_COUNT]++;
}

static void add_leaf(struct recipe *r, const struct vault_id *id, uint64_t span)
{
	memcpy(r->b + r->len, id->b, sizeof(id->b));
	vault_bytes_put_le64(r->b + r->len + VAULT_RECIPE_LEAF_OFF_SPAN, span);
	r->len += VAULT_RECIPE_LEAF_ENTRY;
	r->b[VAULT_RECIPE_OFF_COUNT]++;
}

static struct vault_id keep(struct vault_store *s, const struct recipe *r)
{
	struct vault_id id;

	assert_int_equal(vault_objects_put(s, VAULT_RECORD_RECIPE,
					   vault_span(r->b, r->len), &id),
			 VAULT_OK);
	return id;
}

/* What opening, reading, and the two checks are to say of a recipe. */
struct verdict {
	struct vault_id id;
	vault_err open;
	vault_err read;
	vault_err structure;
	vault_err data;
};

static void expect_verdict(struct vault_store *s, const struct verdict *v)
{
	struct vault_content_file *f = NULL;
	struct vault_buf out = VAULT_BUF_INIT;

	assert_int_equal(vault_store_open_content(s, &v->id, &f), v->open);
	vault_content_file_close(f);
	assert_int_equal(vault_store_read_all(s, &v->id, 1 << 20, &out),
			 v->read);
	assert_int_equal(out.len, 0);
	assert_int_equal(vault_store_check_content(s, &v->id, false),
			 v->structure);
	assert_int_equal(vault_store_check_content(s, &v->id, true), v->data);
}

#define N_RECIPES 9

static void make_recipes(struct vault_store *s, struct verdict *v)
{
	static const struct vault_id lost = { { 1, 2, 3, 4 } };
	const struct vault_digest digest = { { 9 } };
	struct vault_id chunk, leaf;
	struct recipe r;

	assert_int_equal(vault_objects_put(s, VAULT_RECORD_CHUNK,
					   vault_span_str("ten bytes."),
					   &chunk),
			 VAULT_OK);
	begin(&r, VAULT_RECIPE_FLAT, 10, &digest);
	add_chunk(&r, &chunk, 10);
	v[0] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_CORRUPT,
				 VAULT_OK, VAULT_ERR_CORRUPT };
	r.b[VAULT_RECIPE_OFF_VERSION]++;
	v[1] = (struct verdict){ keep(s, &r), VAULT_ERR_NEWER, VAULT_ERR_NEWER,
				 VAULT_ERR_NEWER, VAULT_ERR_NEWER };
	r.b[VAULT_RECIPE_OFF_VERSION]--;
	r.len--;
	v[2] = (struct verdict){ keep(s, &r), VAULT_ERR_CORRUPT,
				 VAULT_ERR_CORRUPT, VAULT_ERR_CORRUPT,
				 VAULT_ERR_CORRUPT };
	begin(&r, VAULT_RECIPE_FLAT, 10, &digest);
	add_chunk(&r, &lost, 10);
	v[3] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_DANGLING,
				 VAULT_ERR_DANGLING, VAULT_ERR_DANGLING };
	/* The chunk is there, but of another length. */
	begin(&r, VAULT_RECIPE_FLAT, 11, &digest);
	add_chunk(&r, &chunk, 11);
	v[4] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_CORRUPT,
				 VAULT_OK, VAULT_ERR_CORRUPT };
	begin(&r, VAULT_RECIPE_BRANCH, 10, &digest);
	add_leaf(&r, &lost, 10);
	v[5] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_DANGLING,
				 VAULT_ERR_DANGLING, VAULT_ERR_DANGLING };
	/* A leaf that spans less than its root says. */
	begin(&r, VAULT_RECIPE_LEAF, 0, &digest);
	add_chunk(&r, &chunk, 10);
	leaf = keep(s, &r);
	begin(&r, VAULT_RECIPE_BRANCH, 12, &digest);
	add_leaf(&r, &leaf, 12);
	v[6] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_CORRUPT,
				 VAULT_ERR_CORRUPT, VAULT_ERR_CORRUPT };
	/* One that is said to have holes. */
	begin(&r, VAULT_RECIPE_BRANCH, 10, &digest);
	add_leaf(&r, &leaf, 10 | VAULT_RECIPE_SPAN_HOLES);
	v[7] = (struct verdict){ keep(s, &r), VAULT_OK, VAULT_ERR_CORRUPT,
				 VAULT_ERR_CORRUPT, VAULT_ERR_CORRUPT };
	/* A chunk in the place of a recipe. */
	v[8] = (struct verdict){ chunk, VAULT_ERR_CORRUPT, VAULT_ERR_CORRUPT,
				 VAULT_ERR_CORRUPT, VAULT_ERR_CORRUPT };
}

static void a_senseless_recipe_is_refused(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s = vault_toy_open(d->fd, NULL);
	struct verdict v[N_RECIPES];

	make_recipes(s, v);
	for (unsigned i = 0; i < N_RECIPES; i++)
		expect_verdict(s, &v[i]);
	vault_store_close(s);
}

/* Where holes are cannot be told of a leaf that is not there. */
static void holes_of_a_lost_leaf_are_not_invented(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s = vault_toy_open(d->fd, NULL);
	static const struct vault_id lost = { { 1, 2, 3, 4 } };
	const struct vault_digest digest = { { 9 } };
	struct vault_content_file *f = NULL;
	uint64_t start = 7, end = 7;
	struct vault_id id;
	struct recipe r;

	begin(&r, VAULT_RECIPE_BRANCH, 20, &digest);
	add_leaf(&r, &lost, 10);
	add_leaf(&r, &lost, 10 | VAULT_RECIPE_SPAN_HOLES);
	id = keep(s, &r);
	assert_int_equal(vault_store_open_content(s, &id, &f), VAULT_OK);
	/* The data begins in the first leaf and ends in the second. */
	assert_int_equal(vault_content_file_next_data(f, 0, &start, &end),
			 VAULT_ERR_DANGLING);
	assert_int_equal(vault_content_file_next_data(f, 15, &start, &end),
			 VAULT_ERR_DANGLING);
	assert_true(start == 7 && end == 7);
	vault_content_file_close(f);
	vault_store_close(s);
}

static vault_err span_read(void *ctx, uint64_t off, void *buf, size_t len,
			   size_t *got)
{
	const struct vault_span *bytes = ctx;
	const struct vault_span rest = vault_span_from(*bytes, (size_t)off);

	*got = rest.len < len ? rest.len : len;
	if (*got > 0)
		memcpy(buf, rest.data, *got);
	return VAULT_OK;
}

/* A hint is only a hint, whatever it is that it points to. */
static void a_content_like_a_senseless_one_is_kept_whole(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_scratch_random r = vault_scratch_seed(5);
	struct vault_store *s = vault_toy_open(d->fd, NULL);
	struct vault_buf raw = VAULT_BUF_INIT;
	struct verdict v[N_RECIPES];

	make_recipes(s, v);
	vault_scratch_bytes(&r, &raw, (size_t)5 << 20);
	for (unsigned i = 0; i < N_RECIPES; i++) {
		struct vault_span bytes;
		struct vault_source src = { .ctx = &bytes, .read = span_read };
		struct vault_content c;

		raw.data[0] = (uint8_t)i;
		bytes = vault_buf_span(&raw);
		assert_int_equal(vault_store_put(s, &src, &v[i].id, &c),
				 VAULT_OK);
		expect_reads(s, &c, bytes);
	}
	vault_store_close(s);
	vault_buf_release(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(chunks_that_lean_on_others_read_like_any),
		VAULT_SCRATCH_TEST(a_senseless_record_is_refused_and_made_good),
		VAULT_SCRATCH_TEST(a_codec_nobody_knows_is_not_guessed_at),
		VAULT_SCRATCH_TEST(a_large_object_comes_back_exact),
		VAULT_SCRATCH_TEST(when_no_id_is_left_nothing_is_overwritten),
		VAULT_SCRATCH_TEST(a_senseless_recipe_is_refused),
		VAULT_SCRATCH_TEST(holes_of_a_lost_leaf_are_not_invented),
		VAULT_SCRATCH_TEST(
			a_content_like_a_senseless_one_is_kept_whole),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
