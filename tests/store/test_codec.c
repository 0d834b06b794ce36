/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/codec.h"

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint8_t *random_bytes(uint64_t seed, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)splitmix(&seed);
	return p;
}

/* Like a flat area of a painting: few values, slowly changing. */
static uint8_t *smooth_bytes(uint64_t seed, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((i >> 12) + splitmix(&seed) % 5);
	return p;
}

static enum vault_codec assert_round_trip(struct vault_span raw)
{
	uint8_t *room = malloc(raw.len + 1);
	struct vault_span stored;
	enum vault_codec codec;
	uint8_t *back = malloc(raw.len + 1);

	assert_non_null(back);
	assert_non_null(room);
	back[raw.len] = 0xa5;
	assert_int_equal(vault_codec_pack(raw, VAULT_CODEC_LEVEL_CAPTURE, room,
					  &stored, &codec),
			 VAULT_OK);
	assert_true(stored.len <= raw.len);
	assert_int_equal(vault_codec_unpack((uint8_t)codec, stored,
					    VAULT_SPAN_EMPTY, back,
					    (uint32_t)raw.len),
			 VAULT_OK);
	assert_true(vault_span_equal(raw, vault_span(back, raw.len)));
	assert_int_equal(back[raw.len], 0xa5);
	free(back);
	free(room);
	return codec;
}

static void every_size_comes_back_exact(void **state)
{
	static const size_t sizes[] = { 0,     1,      2,	32,	 33,
					100,   1000,   16383,	16384,	 65536,
					65537, 262144, 1 << 20, 16 << 20 };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint8_t *random = random_bytes(k, sizes[k]);
		uint8_t *smooth = smooth_bytes(k, sizes[k]);

		assert_round_trip(vault_span(random, sizes[k]));
		assert_round_trip(vault_span(smooth, sizes[k]));
		memset(random, 0, sizes[k]);
		assert_round_trip(vault_span(random, sizes[k]));
		free(random);
		free(smooth);
	}
}

static void random_bytes_are_stored_raw_and_smooth_ones_packed(void **state)
{
	static const size_t sizes[] = { 1000, 16384, 65536, 262144 };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint8_t *random = random_bytes(k, sizes[k]);
		uint8_t *smooth = smooth_bytes(k, sizes[k]);

		assert_int_equal(
			assert_round_trip(vault_span(random, sizes[k])),
			VAULT_CODEC_RAW);
		assert_int_equal(
			assert_round_trip(vault_span(smooth, sizes[k])),
			VAULT_CODEC_ZSTD);
		free(random);
		free(smooth);
	}
}

/* Evenly spread values that repeat: the counts alone would call it random. */
static void a_repeating_ramp_is_not_taken_for_random(void **state)
{
	const size_t n = 65536;
	uint8_t *p = malloc(n);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)i;
	assert_int_equal(assert_round_trip(vault_span(p, n)), VAULT_CODEC_ZSTD);
	free(p);
}

static void a_base_makes_a_near_copy_tiny(void **state)
{
	const size_t n = 200000;
	uint8_t *base = random_bytes(7, n);
	uint8_t *raw = random_bytes(7, n);
	uint8_t *back = malloc(n);
	struct vault_buf packed = VAULT_BUF_INIT;

	(void)state;
	assert_non_null(back);
	memset(raw + 50000, 3, 100);
	assert_int_equal(
		vault_codec_pack_prefix(vault_span(raw, n), vault_span(base, n),
					VAULT_CODEC_LEVEL_REPACK, &packed),
		VAULT_OK);
	assert_in_range(packed.len, 1, n / 50);
	assert_int_equal(vault_codec_unpack(VAULT_CODEC_ZSTD_PREFIX,
					    vault_buf_span(&packed),
					    vault_span(base, n), back,
					    (uint32_t)n),
			 VAULT_OK);
	assert_memory_equal(back, raw, n);

	/* With another base it is not these bytes. */
	base[100] ^= 1;
	if (vault_codec_unpack(VAULT_CODEC_ZSTD_PREFIX, vault_buf_span(&packed),
			       vault_span(base, n), back,
			       (uint32_t)n) == VAULT_OK)
		assert_memory_not_equal(back, raw, n);
	assert_int_equal(
		vault_codec_unpack(VAULT_CODEC_ZSTD, vault_buf_span(&packed),
				   vault_span(base, n), back, (uint32_t)n),
		VAULT_ERR_CORRUPT);
	vault_buf_release(&packed);
	free(base);
	free(raw);
	free(back);
}

static void wrong_lengths_and_codecs_are_refused(void **state)
{
	const size_t n = 20000;
	uint8_t *raw = smooth_bytes(1, n);
	uint8_t *back = malloc(2 * n);
	uint8_t *room = malloc(n + 1);
	struct vault_buf longer = VAULT_BUF_INIT;
	struct vault_span stored;
	enum vault_codec codec;

	(void)state;
	assert_non_null(back);
	assert_non_null(room);
	assert_int_equal(
		vault_codec_pack(vault_span(raw, n), 1, room, &stored, &codec),
		VAULT_OK);
	assert_int_equal(codec, VAULT_CODEC_ZSTD);
	for (int d = -1; d <= 1; d += 2) {
		const uint32_t len = (uint32_t)((int)n + d);

		assert_int_equal(vault_codec_unpack(VAULT_CODEC_ZSTD, stored,
						    VAULT_SPAN_EMPTY, back,
						    len),
				 VAULT_ERR_CORRUPT);
		assert_int_equal(
			vault_codec_unpack(VAULT_CODEC_RAW, vault_span(raw, n),
					   VAULT_SPAN_EMPTY, back, len),
			VAULT_ERR_CORRUPT);
	}
	assert_int_equal(vault_codec_unpack(VAULT_CODEC_COUNT, stored,
					    VAULT_SPAN_EMPTY, back,
					    (uint32_t)n),
			 VAULT_ERR_UNSUPPORTED);
	assert_int_equal(vault_codec_unpack(VAULT_CODEC_ZSTD, stored,
					    VAULT_SPAN_EMPTY, back,
					    VAULT_CODEC_RAW_MAX + 1),
			 VAULT_ERR_CORRUPT);

	/* Nothing may follow the frame, not even an empty frame. */
	assert_int_equal(vault_buf_append(&longer, stored), VAULT_OK);
	assert_int_equal(vault_buf_put_u8(&longer, 0), VAULT_OK);
	assert_int_equal(
		vault_codec_unpack(VAULT_CODEC_ZSTD, vault_buf_span(&longer),
				   VAULT_SPAN_EMPTY, back, (uint32_t)n),
		VAULT_ERR_CORRUPT);
	vault_buf_release(&longer);
	free(room);
	free(raw);
	free(back);
}

/* Nothing but an exact length, and no step outside the buffer. */
static void hostile_bytes_never_overrun(void **state)
{
	const size_t n = 2000;
	uint8_t *raw = smooth_bytes(5, n);
	uint8_t *back = malloc(n);
	uint8_t *bad;
	uint8_t *room = malloc(n + 1);
	struct vault_span stored;
	enum vault_codec codec;

	(void)state;
	assert_non_null(back);
	assert_non_null(room);
	assert_int_equal(
		vault_codec_pack(vault_span(raw, n), 1, room, &stored, &codec),
		VAULT_OK);
	for (size_t len = 0; len < stored.len; len++) {
		bad = malloc(len + 1);
		assert_non_null(bad);
		memcpy(bad, stored.data, len);
		assert_int_equal(vault_codec_unpack(
					 VAULT_CODEC_ZSTD, vault_span(bad, len),
					 VAULT_SPAN_EMPTY, back, (uint32_t)n),
				 VAULT_ERR_CORRUPT);
		free(bad);
	}
	bad = malloc(stored.len);
	assert_non_null(bad);
	memcpy(bad, stored.data, stored.len);
	for (size_t bit = 0; bit < 8 * stored.len; bit++) {
		vault_err err;

		bad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		err = vault_codec_unpack(VAULT_CODEC_ZSTD,
					 vault_span(bad, stored.len),
					 VAULT_SPAN_EMPTY, back, (uint32_t)n);
		assert_true(err == VAULT_OK || err == VAULT_ERR_CORRUPT);
		bad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	free(bad);
	free(room);
	free(raw);
	free(back);
}

static void records_beyond_the_limit_are_refused(void **state)
{
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_span stored;
	enum vault_codec codec;
	uint8_t byte = 0;
	const struct vault_span huge = { &byte, VAULT_CODEC_RAW_MAX + 1u };

	(void)state;
	assert_int_equal(vault_codec_pack(huge, 1, &byte, &stored, &codec),
			 VAULT_ERR_TOO_BIG);
	assert_int_equal(
		vault_codec_pack_prefix(huge, VAULT_SPAN_EMPTY, 1, &out),
		VAULT_ERR_TOO_BIG);
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_comes_back_exact),
		cmocka_unit_test(
			random_bytes_are_stored_raw_and_smooth_ones_packed),
		cmocka_unit_test(a_repeating_ramp_is_not_taken_for_random),
		cmocka_unit_test(a_base_makes_a_near_copy_tiny),
		cmocka_unit_test(wrong_lengths_and_codecs_are_refused),
		cmocka_unit_test(hostile_bytes_never_overrun),
		cmocka_unit_test(records_beyond_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
