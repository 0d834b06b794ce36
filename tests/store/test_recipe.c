/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/recipe.h"
#include "store/recipe_format.h"
#include "tests/support/scratch.h"

/* Leaves as they are kept: their ids are their numbers, from 1. */
struct kept {
	size_t n;
	struct vault_buf leaf[4096];
	vault_err fail; /* answer this from now on */
};

static struct kept *kept_create(void)
{
	struct kept *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	return k;
}

static void kept_destroy(struct kept *k)
{
	for (size_t i = 0; i < k->n; i++)
		vault_buf_release(&k->leaf[i]);
	free(k);
}

static vault_err keep(void *ctx, struct vault_span leaf, struct vault_id *id)
{
	struct kept *k = ctx;

	if (k->fail != VAULT_OK)
		return k->fail;
	assert_in_range(k->n, 0, 4095);
	assert_int_equal(vault_buf_append(&k->leaf[k->n], leaf), VAULT_OK);
	*id = VAULT_ID_NONE;
	vault_bytes_put_le32(id->b, (uint32_t)++k->n);
	return VAULT_OK;
}

/* A chunk or a hole (id none) of the content under test. */
struct piece {
	struct vault_id id;
	uint32_t len;
};

static const struct vault_digest some_digest = { { 1, 2, 3, 4, 5 } };

static struct piece *random_pieces(uint64_t seed, size_t n, unsigned holes)
{
	struct vault_scratch_random r = vault_scratch_seed(seed);
	struct piece *p = calloc(n + 1, sizeof(*p));

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		p[i].len = 1 + (uint32_t)vault_scratch_below(&r, 262144);
		if (vault_scratch_below(&r, 100) >= holes)
			vault_scratch_fill(&r, p[i].id.b, sizeof(p[i].id.b));
	}
	return p;
}

static void build(struct vault_recipe_builder *b, struct kept *k,
		  const struct piece *p, size_t n, struct vault_span *root)
{
	vault_recipe_builder_init(b, keep, k);
	for (size_t i = 0; i < n; i++) {
		if (vault_id_is_none(&p[i].id))
			vault_recipe_builder_hole(b, p[i].len);
		else
			assert_int_equal(vault_recipe_builder_chunk(b, &p[i].id,
								    p[i].len),
					 VAULT_OK);
	}
	assert_int_equal(vault_recipe_builder_end(b, &some_digest, root),
			 VAULT_OK);
}

/* Walk a parsed recipe and compare with the pieces, adjoining holes as one. */
struct walk {
	const struct piece *p;
	size_t n;
	size_t at;
	uint64_t hole; /* zeros of the recipe not yet matched */
};

static void walk_hole(struct walk *w)
{
	while (w->at < w->n && vault_id_is_none(&w->p[w->at].id)) {
		assert_true(w->hole >= w->p[w->at].len);
		w->hole -= w->p[w->at++].len;
	}
	assert_int_equal(w->hole, 0);
}

static void walk_entries(struct walk *w, const struct vault_recipe *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct vault_recipe_entry e = vault_recipe_entry(r, i);

		if (vault_id_is_none(&e.id)) {
			w->hole += e.len;
			continue;
		}
		walk_hole(w);
		assert_true(w->at < w->n);
		assert_true(vault_id_equal(&e.id, &w->p[w->at].id));
		assert_int_equal(e.len, w->p[w->at++].len);
	}
}

static void assert_round_trip(size_t n, unsigned holes, bool branch)
{
	struct piece *p = random_pieces(n, n, holes);
	struct kept *k = kept_create();
	struct vault_recipe_builder b;
	struct vault_recipe root;
	struct vault_span bytes;
	struct walk w = { p, n, 0, 0 };
	uint64_t size = 0;

	build(&b, k, p, n, &bytes);
	assert_int_equal(vault_recipe_parse_root(bytes, &root), VAULT_OK);
	assert_int_equal(root.branch, branch);
	assert_memory_equal(root.digest.b, some_digest.b, 16);
	for (size_t i = 0; i < n; i++)
		size += p[i].len;
	assert_int_equal(root.size, size);
	if (!root.branch) {
		assert_int_equal(k->n, 0);
		walk_entries(&w, &root);
	}
	for (uint32_t i = 0; root.branch && i < root.n; i++) {
		const struct vault_recipe_entry e =
			vault_recipe_entry(&root, i);
		const uint32_t number = vault_bytes_get_le32(e.id.b);
		struct vault_recipe leaf;

		assert_int_equal(number, i + 1);
		assert_int_equal(
			vault_recipe_parse_leaf(
				vault_buf_span(&k->leaf[number - 1]), &leaf),
			VAULT_OK);
		assert_int_equal(leaf.size, e.len);
		assert_int_equal(leaf.holes, e.holes);
		assert_in_range(leaf.n,
				i + 1 == root.n ? 1 : VAULT_RECIPE_LEAF_MIN,
				VAULT_RECIPE_LEAF_MAX);
		walk_entries(&w, &leaf);
	}
	walk_hole(&w);
	assert_int_equal(w.at, n);
	vault_recipe_builder_release(&b);
	kept_destroy(k);
	free(p);
}

static void any_number_of_chunks_comes_back(void **state)
{
	(void)state;
	assert_round_trip(0, 0, false);
	assert_round_trip(1, 0, false);
	assert_round_trip(1, 100, false);
	assert_round_trip(512, 0, false);
	assert_round_trip(513, 0, true);
	assert_round_trip(513, 100, false); /* one hole */
	assert_round_trip(5000, 0, true);
	assert_round_trip(5000, 30, true);
	assert_round_trip(100000, 10, true);
}

static void leaves_have_some_256_chunks(void **state)
{
	const size_t n = 100000;
	struct piece *p = random_pieces(1, n, 0);
	struct kept *k = kept_create();
	struct vault_recipe_builder b;
	struct vault_span bytes;

	(void)state;
	build(&b, k, p, n, &bytes);
	assert_in_range(n / k->n, 200, 312);
	vault_recipe_builder_release(&b);
	kept_destroy(k);
	free(p);
}

/* What makes a small edit of a large content cheap. */
static void an_edit_changes_few_leaves(void **state)
{
	const size_t n = 50000;
	struct piece *p = random_pieces(2, n + 1, 0);
	struct kept *before = kept_create();
	struct kept *after = kept_create();
	struct vault_recipe_builder b;
	struct vault_span bytes;
	size_t same = 0;
	size_t j = 0;

	(void)state;
	build(&b, before, p, n, &bytes);
	vault_recipe_builder_release(&b);
	/* One chunk becomes two. */
	memmove(&p[20001], &p[20000], (n - 20000) * sizeof(*p));
	p[20000].len = 77;
	p[20000].id.b[0] ^= 0xff;
	build(&b, after, p, n + 1, &bytes);
	vault_recipe_builder_release(&b);
	for (size_t i = 0; i < after->n; i++) {
		size_t at = j;

		while (at < before->n &&
		       !vault_span_equal(vault_buf_span(&before->leaf[at]),
					 vault_buf_span(&after->leaf[i])))
			at++;
		if (at < before->n) {
			same++;
			j = at + 1;
		}
	}
	assert_in_range(after->n - same, 1, 6);
	kept_destroy(before);
	kept_destroy(after);
	free(p);
}

static void a_hole_of_any_length_takes_few_entries(void **state)
{
	struct kept *k = kept_create();
	struct vault_recipe_builder b;
	struct vault_recipe r;
	struct vault_span bytes;

	(void)state;
	vault_recipe_builder_init(&b, keep, k);
	for (int i = 0; i < 1024; i++)
		vault_recipe_builder_hole(&b, (uint64_t)1 << 28);
	assert_int_equal(vault_recipe_builder_end(&b, &some_digest, &bytes),
			 VAULT_OK);
	assert_int_equal(vault_recipe_parse_root(bytes, &r), VAULT_OK);
	assert_int_equal(r.size, (uint64_t)1 << 38);
	assert_true(r.holes);
	assert_in_range(r.n, 128, 130);
	vault_recipe_builder_release(&b);
	kept_destroy(k);
}

static void what_keep_says_is_passed_on(void **state)
{
	struct piece *p = random_pieces(3, 600, 0);
	struct kept *k = kept_create();
	struct vault_recipe_builder b;
	vault_err err = VAULT_OK;

	(void)state;
	k->fail = VAULT_ERR_NO_SPACE;
	vault_recipe_builder_init(&b, keep, k);
	for (size_t i = 0; i < 600 && err == VAULT_OK; i++)
		err = vault_recipe_builder_chunk(&b, &p[i].id, p[i].len);
	assert_int_equal(err, VAULT_ERR_NO_SPACE);
	vault_recipe_builder_release(&b);
	kept_destroy(k);
	free(p);
}

/* ---- hostile bytes ---- */

static void assert_sound(vault_err err, const struct vault_recipe *r)
{
	uint64_t sum = 0;

	if (err != VAULT_OK) {
		assert_true(err == VAULT_ERR_CORRUPT || err == VAULT_ERR_NEWER);
		return;
	}
	for (uint32_t i = 0; i < r->n; i++) {
		const struct vault_recipe_entry e = vault_recipe_entry(r, i);

		assert_int_not_equal(e.len, 0);
		sum += e.len;
	}
	assert_int_equal(sum, r->size);
}

static void assert_hostile(struct vault_span good,
			   vault_err (*parse)(struct vault_span,
					      struct vault_recipe *))
{
	struct vault_recipe r = { 0 };
	uint8_t *bad;

	assert_int_equal(parse(good, &r), VAULT_OK);
	for (size_t len = 0; len < good.len; len++) {
		bad = malloc(len + 1);
		assert_non_null(bad);
		memcpy(bad, good.data, len);
		assert_int_equal(parse(vault_span(bad, len), &r),
				 VAULT_ERR_CORRUPT);
		free(bad);
	}
	bad = malloc(good.len + 1);
	assert_non_null(bad);
	memcpy(bad, good.data, good.len);
	bad[good.len] = 0;
	assert_int_equal(parse(vault_span(bad, good.len + 1), &r),
			 VAULT_ERR_CORRUPT);
	for (size_t i = 0; i < good.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			vault_err err;

			bad[i] = (uint8_t)(good.data[i] ^ 1u << bit);
			err = parse(vault_span(bad, good.len), &r);
			assert_sound(err, &r);
		}
		bad[i] = good.data[i];
	}
	free(bad);
}

static void bad_bytes_are_refused_or_stay_within_bounds(void **state)
{
	struct piece *p = random_pieces(4, 700, 20);
	struct kept *k = kept_create();
	struct vault_recipe_builder b;
	struct vault_span bytes;

	(void)state;
	build(&b, k, p, 10, &bytes);
	assert_hostile(bytes, vault_recipe_parse_root);
	vault_recipe_builder_release(&b);
	build(&b, k, p, 700, &bytes);
	assert_hostile(bytes, vault_recipe_parse_root);
	assert_hostile(vault_buf_span(&k->leaf[k->n - 1]),
		       vault_recipe_parse_leaf);
	vault_recipe_builder_release(&b);
	kept_destroy(k);
	free(p);
}

/* Build a flat root by hand. */
static vault_err parse_made(uint8_t version, uint8_t kind, uint32_t n,
			    uint64_t size, const struct piece *p, uint32_t real)
{
	uint8_t raw[32 + 20 * 4] = { version, kind };
	struct vault_recipe r;

	vault_bytes_put_le32(raw + 4, n);
	vault_bytes_put_le64(raw + 8, size);
	for (uint32_t i = 0; i < real; i++) {
		memcpy(raw + 32 + 20 * i, p[i].id.b, 16);
		vault_bytes_put_le32(raw + 32 + 20 * i + 16, p[i].len);
	}
	return vault_recipe_parse_root(vault_span(raw, 32 + 20 * real), &r);
}

static void what_does_not_add_up_is_corrupt(void **state)
{
	const struct piece p[2] = { { { { 1 } }, 100 }, { { { 2 } }, 50 } };
	const struct piece zero[1] = { { { { 1 } }, 0 } };
	const struct piece huge[1] = { { { { 1 } }, (16 << 20) + 1 } };
	const struct piece hole[1] = { { { { 0 } }, UINT32_C(0x80000000) } };

	(void)state;
	assert_int_equal(parse_made(1, 0, 2, 150, p, 2), VAULT_OK);
	assert_int_equal(parse_made(2, 0, 2, 150, p, 2), VAULT_ERR_NEWER);
	assert_int_equal(parse_made(0, 0, 2, 150, p, 2), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 2, 2, 150, p, 2), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 2, 151, p, 2), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 3, 150, p, 2), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 1, 100, p, 2), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, UINT32_MAX, 150, p, 2),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 1, 0, zero, 1), VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 1, huge[0].len, huge, 1),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 1, hole[0].len, hole, 1),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(parse_made(1, 0, 0, 0, p, 0), VAULT_OK);
	assert_int_equal(parse_made(1, 0, 0, 1, p, 0), VAULT_ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_chunks_comes_back),
		cmocka_unit_test(leaves_have_some_256_chunks),
		cmocka_unit_test(an_edit_changes_few_leaves),
		cmocka_unit_test(a_hole_of_any_length_takes_few_entries),
		cmocka_unit_test(what_keep_says_is_passed_on),
		cmocka_unit_test(bad_bytes_are_refused_or_stay_within_bounds),
		cmocka_unit_test(what_does_not_add_up_is_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
