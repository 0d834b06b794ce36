/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/digest.h"

static void assert_hex(struct vault_digest d, const char *hex)
{
	char got[VAULT_DIGEST_HEX];

	vault_digest_hex(&d, got);
	assert_string_equal(got, hex);
}

static void fill_pattern(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + (i >> 8));
}

/* The expected strings were printed by xxhsum -H128. */
static void a_digest_is_what_xxhsum_prints(void **state)
{
	const size_t n = 300000;
	uint8_t *p = malloc(n);

	(void)state;
	assert_non_null(p);
	fill_pattern(p, n);
	assert_hex(vault_digest_of(VAULT_SPAN_EMPTY),
		   "99aa06d3014798d86001c324468d497f");
	assert_hex(vault_digest_of(vault_span_str("a")),
		   "a96faf705af16834e6c632b61e964e1f");
	assert_hex(vault_digest_of(vault_span_str("ArtisticVault")),
		   "92b340a2ff95812c374e36d86701c71a");
	assert_hex(vault_digest_of(vault_span(p, n)),
		   "8bcca010c0ebe55ff231384f525dae9f");
	free(p);
}

static void a_stream_may_be_split_anywhere(void **state)
{
	static const size_t steps[] = { 1, 3, 64, 255, 256, 1023, 99999 };
	const size_t n = 300000;
	uint8_t *p = malloc(n);

	(void)state;
	assert_non_null(p);
	fill_pattern(p, n);
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		struct vault_digest_stream *s = NULL;

		assert_int_equal(vault_digest_stream_create(&s), VAULT_OK);
		for (size_t at = 0; at < n; at += steps[k]) {
			const size_t left = n - at;

			vault_digest_stream_add(
				s,
				vault_span(p + at,
					   left < steps[k] ? left : steps[k]));
		}
		assert_hex(vault_digest_stream_end(s),
			   "8bcca010c0ebe55ff231384f525dae9f");
		vault_digest_stream_destroy(s);
	}
	free(p);
}

static void zeros_need_no_memory(void **state)
{
	struct vault_digest_stream *s = NULL;

	(void)state;
	assert_int_equal(vault_digest_stream_create(&s), VAULT_OK);
	assert_hex(vault_digest_stream_end(s),
		   "99aa06d3014798d86001c324468d497f");
	vault_digest_stream_add_zeros(s, 1000);
	assert_hex(vault_digest_stream_end(s),
		   "3fb94aea6d09b97224c1ea6074dd588c");
	vault_digest_stream_add_zeros(s, 3000000 - 1000);
	assert_hex(vault_digest_stream_end(s),
		   "c0b66d2c29af5d09a16251685b6b78c4");
	vault_digest_stream_destroy(s);
	vault_digest_stream_destroy(NULL);
}

static void an_id_depends_on_secret_and_salt(void **state)
{
	uint8_t secret[VAULT_SECRET_BYTES];
	uint8_t other[VAULT_SECRET_BYTES];
	uint8_t bytes[2000];
	static const size_t sizes[] = { 0, 1, 16, 200, 240, 241, 2000 };

	(void)state;
	fill_pattern(bytes, sizeof(bytes));
	fill_pattern(secret, sizeof(secret));
	/* Short inputs use a part of the secret only: change all of it. */
	for (size_t i = 0; i < sizeof(other); i++)
		other[i] = (uint8_t)~secret[sizeof(secret) - 1 - i];
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		const struct vault_span b = vault_span(bytes, sizes[k]);
		const struct vault_id a = vault_digest_id(secret, 0, b);
		const struct vault_id same = vault_digest_id(secret, 0, b);
		const struct vault_id foreign = vault_digest_id(other, 0, b);
		const struct vault_id next = vault_digest_id(secret, 1, b);
		const struct vault_id third = vault_digest_id(secret, 2, b);
		const struct vault_digest plain = vault_digest_of(b);

		assert_true(vault_id_equal(&a, &same));
		assert_false(vault_id_is_none(&a));
		assert_false(vault_id_equal(&a, &foreign));
		assert_false(vault_id_equal(&a, &next));
		assert_false(vault_id_equal(&next, &third));
		assert_memory_not_equal(a.b, plain.b, sizeof(a.b));
	}
}

static void a_checksum_sees_every_bit(void **state)
{
	uint8_t bytes[64] = { 0 };
	const uint64_t before = vault_digest_sum64(vault_span(bytes, 64));

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_not_equal(vault_digest_sum64(vault_span(bytes, 64)),
				     before);
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(vault_digest_sum64(vault_span(bytes, 64)), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_digest_is_what_xxhsum_prints),
		cmocka_unit_test(a_stream_may_be_split_anywhere),
		cmocka_unit_test(zeros_need_no_memory),
		cmocka_unit_test(an_id_depends_on_secret_and_salt),
		cmocka_unit_test(a_checksum_sees_every_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
