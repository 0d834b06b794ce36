/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/chunker.h"
#include "store/gear.h"

#define STREAM ((size_t)8 << 20)

static const struct vault_chunk_sizes usual = { 16384, 65536, 262144 };
static const struct vault_chunk_sizes smallest = { 256, 512, 1024 };

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint8_t *random_bytes(uint64_t seed, size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)splitmix(&seed);
	return p;
}

struct cuts {
	size_t n;
	size_t *end;
};

/* Cut `in` in calls of at most `step` bytes; `step` 0: all at once. */
static struct cuts cut_up(const struct vault_chunk_sizes *sizes,
			  struct vault_span in, size_t step)
{
	struct cuts cuts = { 0,
			     calloc(in.len / sizes->min + 2, sizeof(size_t)) };
	struct vault_chunker c;
	size_t at = 0;
	bool cut = false;

	assert_non_null(cuts.end);
	assert_int_equal(vault_chunker_init(&c, sizes), VAULT_OK);
	while (at < in.len) {
		const size_t left = in.len - at;
		const size_t part = step != 0 && step < left ? step : left;
		const size_t took = vault_chunker_scan(
			&c, vault_span(in.data + at, part), &cut);

		assert_in_range(took, 1, part);
		if (!cut)
			assert_int_equal(took, part);
		at += took;
		if (cut)
			cuts.end[cuts.n++] = at;
	}
	if (!cut && in.len > 0)
		cuts.end[cuts.n++] = at;
	return cuts;
}

static void the_gear_table_is_splitmix64(void **state)
{
	uint64_t s = VAULT_GEAR_SEED;

	(void)state;
	for (size_t i = 0; i < 256; i++)
		assert_int_equal(vault_gear[i], splitmix(&s));
}

/* For the loosest mask that any allowed size gives, hence for all. */
static void no_run_of_zeros_ever_cuts(void **state)
{
	const uint64_t loosest = UINT64_MAX << (64 - 7); /* average 512 */
	uint64_t hash = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		hash = (hash << 1) + vault_gear[0];
		assert_int_not_equal(hash & loosest, 0);
	}
}

static void sizes_outside_the_limits_are_refused(void **state)
{
	static const struct vault_chunk_sizes bad[] = {
		{ 255, 512, 1024 },  { 256, 256, 1024 },
		{ 256, 512, 512 },   { 256, 600, 1024 },
		{ 1024, 512, 2048 }, { 256, 512, VAULT_CHUNK_CEILING + 1 },
		{ 0, 0, 0 },
	};
	struct vault_chunker c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vault_chunker_init(&c, &bad[i]),
				 VAULT_ERR_INVALID);
	assert_int_equal(vault_chunker_init(&c, &usual), VAULT_OK);
	assert_int_equal(vault_chunker_init(&c, &smallest), VAULT_OK);
}

static void chunks_keep_to_their_sizes(void **state)
{
	uint8_t *p = random_bytes(1, STREAM);
	const struct cuts cuts = cut_up(&usual, vault_span(p, STREAM), 0);
	size_t from = 0;

	(void)state;
	for (size_t i = 0; i < cuts.n; i++) {
		assert_in_range(cuts.end[i] - from,
				i + 1 == cuts.n ? 1 : usual.min, usual.max);
		from = cuts.end[i];
	}
	assert_int_equal(from, STREAM);
	/* The average is near what was asked for. */
	assert_in_range(STREAM / cuts.n, usual.avg / 2, usual.avg * 2);
	free(cuts.end);
	free(p);
}

static void splitting_the_stream_never_moves_a_cut(void **state)
{
	static const size_t steps[] = { 1, 3, 255, 256, 4096, 65537, 262144 };
	const size_t n = 1 << 20;
	uint8_t *p = random_bytes(2, n);

	(void)state;
	memset(p + 200000, 0, 300000);
	for (int small = 0; small < 2; small++) {
		const struct vault_chunk_sizes *sizes =
			small ? &smallest : &usual;
		const struct cuts whole = cut_up(sizes, vault_span(p, n), 0);

		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			const struct cuts split =
				cut_up(sizes, vault_span(p, n), steps[k]);

			assert_int_equal(split.n, whole.n);
			assert_memory_equal(split.end, whole.end,
					    whole.n * sizeof(size_t));
			free(split.end);
		}
		free(whole.end);
	}
	free(p);
}

/* How many cuts of `a` lie, shifted by `shift` beyond `at`, also in `b`. */
static size_t shared_cuts(struct cuts a, struct cuts b, size_t at, size_t shift)
{
	size_t shared = 0;
	size_t k = 0;

	for (size_t i = 0; i < a.n; i++) {
		const size_t end = a.end[i] + (a.end[i] > at ? shift : 0);

		while (k < b.n && b.end[k] < end)
			k++;
		shared += k < b.n && b.end[k] == end;
	}
	return shared;
}

static void an_edit_moves_only_nearby_cuts(void **state)
{
	uint8_t *p = random_bytes(3, STREAM + 100);
	uint8_t *edited = malloc(STREAM + 100);
	struct cuts before, after;

	(void)state;
	assert_non_null(edited);
	before = cut_up(&usual, vault_span(p, STREAM), 0);
	for (size_t at = 100000; at < STREAM; at += STREAM / 7) {
		/* Overwritten in place. */
		memcpy(edited, p, STREAM);
		memset(edited + at, 0x55, 50);
		after = cut_up(&usual, vault_span(edited, STREAM), 0);
		assert_in_range(shared_cuts(before, after, at, 0), before.n - 6,
				before.n);
		free(after.end);

		/* Inserted. */
		memcpy(edited, p, at);
		memset(edited + at, 0x55, 37);
		memcpy(edited + at + 37, p + at, STREAM - at);
		after = cut_up(&usual, vault_span(edited, STREAM + 37), 0);
		assert_in_range(shared_cuts(before, after, at, 37),
				before.n - 6, before.n);
		free(after.end);
	}
	free(before.end);
	free(edited);
	free(p);
}

/* Cut `lead` random bytes, `hole` zeros, `lead` bytes, the hole unseen. */
static struct cuts cut_hole(const struct vault_chunk_sizes *sizes,
			    const uint8_t *p, size_t lead, size_t hole)
{
	struct cuts cuts = { 0, calloc((2 * lead + hole) / sizes->min + 2,
				       sizeof(size_t)) };
	struct vault_chunker c;
	size_t at = 0;
	bool cut = false;

	assert_non_null(cuts.end);
	assert_int_equal(vault_chunker_init(&c, sizes), VAULT_OK);
	while (at < 2 * lead + hole) {
		if (at >= lead && at < lead + hole)
			at += vault_chunker_zeros(&c, lead + hole - at, &cut);
		else
			at += vault_chunker_scan(
				&c,
				vault_span(p + at,
					   at < lead ? lead - at
						     : 2 * lead + hole - at),
				&cut);
		if (cut)
			cuts.end[cuts.n++] = at;
	}
	if (!cut && at > 0)
		cuts.end[cuts.n++] = at;
	return cuts;
}

static void an_unseen_hole_cuts_like_its_zeros(void **state)
{
	static const size_t holes[] = { 1,     63,    64,     65,     255,
					256,   257,   319,    320,    321,
					1023,  1024,  1025,   16383,  16384,
					65536, 65537, 262144, 262145, 999999 };
	const size_t most = 999999;
	uint8_t *dense = malloc(2 * 5000 + most);
	uint8_t *p = random_bytes(4, 2 * 5000 + most);

	(void)state;
	assert_non_null(dense);
	for (size_t k = 0; k < sizeof(holes) / sizeof(holes[0]); k++) {
		for (size_t lead = 0; lead < 5000; lead += 357) {
			const size_t n = 2 * lead + holes[k];
			const struct vault_chunk_sizes *sizes =
				k % 2 ? &smallest : &usual;
			struct cuts a, b;

			memcpy(dense, p, n);
			memset(dense + lead, 0, holes[k]);
			a = cut_up(sizes, vault_span(dense, n), 0);
			b = cut_hole(sizes, dense, lead, holes[k]);
			assert_int_equal(a.n, b.n);
			assert_memory_equal(a.end, b.end, a.n * sizeof(size_t));
			free(a.end);
			free(b.end);
		}
	}
	free(dense);
	free(p);
}

static void zeros_are_cut_at_the_largest_size(void **state)
{
	struct vault_chunker c;
	bool cut = false;

	(void)state;
	assert_int_equal(vault_chunker_init(&c, &usual), VAULT_OK);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(vault_chunker_zeros(&c, UINT64_MAX, &cut),
				 usual.max);
		assert_true(cut);
	}
	assert_int_equal(vault_chunker_zeros(&c, 5, &cut), 5);
	assert_false(cut);
	assert_int_equal(vault_chunker_zeros(&c, UINT64_MAX, &cut),
			 usual.max - 5);
	assert_true(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gear_table_is_splitmix64),
		cmocka_unit_test(no_run_of_zeros_ever_cuts),
		cmocka_unit_test(sizes_outside_the_limits_are_refused),
		cmocka_unit_test(chunks_keep_to_their_sizes),
		cmocka_unit_test(splitting_the_stream_never_moves_a_cut),
		cmocka_unit_test(an_edit_moves_only_nearby_cuts),
		cmocka_unit_test(an_unseen_hole_cuts_like_its_zeros),
		cmocka_unit_test(zeros_are_cut_at_the_largest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
