/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/params.h"

/* What makes a vault this vault, as text and as bytes, and what is neither. */

static struct vault_params invent(void)
{
	struct vault_store_params shown = vault_store_params_default;
	struct vault_params p;

	snprintf(shown.zone, sizeof(shown.zone), "Europe/Vienna");
	assert_int_equal(vault_params_invent(&shown, &p), VAULT_OK);
	p.prev_pack = 7;
	p.prev_end = 123456;
	return p;
}

static void params_come_back_from_bytes_and_text(void **state)
{
	const struct vault_params p = invent();
	uint8_t bytes[VAULT_PARAMS_BYTES];
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_params got;
	uint32_t format = 0;

	(void)state;
	vault_params_pack(&p, bytes);
	assert_int_equal(
		vault_params_unpack(vault_span(bytes, sizeof(bytes)), &got),
		VAULT_OK);
	assert_memory_equal(got.uuid, p.uuid, sizeof(p.uuid));
	assert_memory_equal(got.secret, p.secret, sizeof(p.secret));
	assert_string_equal(got.shown.zone, p.shown.zone);
	assert_int_equal(got.prev_pack, 7);
	assert_int_equal(got.prev_end, 123456);

	assert_int_equal(vault_params_print(&p, &text), VAULT_OK);
	assert_int_equal(vault_buf_append_str(&text, "unheard=of\nno sign\n"),
			 VAULT_OK);
	assert_int_equal(
		vault_params_parse(vault_buf_span(&text), &got, &format),
		VAULT_OK);
	assert_int_equal(format, VAULT_FORMAT);
	assert_memory_equal(got.uuid, p.uuid, sizeof(p.uuid));
	assert_string_equal(got.shown.zone, p.shown.zone);
	assert_int_equal(got.shown.chunk_min, p.shown.chunk_min);
	assert_int_equal(got.shown.chunk_avg, p.shown.chunk_avg);
	assert_int_equal(got.shown.chunk_max, p.shown.chunk_max);
	vault_buf_release(&text);
}

static vault_err unpack(const uint8_t *bytes, size_t len)
{
	struct vault_params got;

	return vault_params_unpack(vault_span(bytes, len), &got);
}

static void bytes_that_are_no_params_are_refused(void **state)
{
	const struct vault_params p = invent();
	uint8_t b[VAULT_PARAMS_BYTES];

	(void)state;
	vault_params_pack(&p, b);
	assert_int_equal(unpack(b, 3), VAULT_ERR_CORRUPT);
	assert_int_equal(unpack(b, sizeof(b) - 1), VAULT_ERR_CORRUPT);
	/* Of a later format the length need not be ours. */
	vault_bytes_put_le32(b + VAULT_PARAMS_OFF_FORMAT, VAULT_FORMAT + 1);
	assert_int_equal(unpack(b, sizeof(b) - 1), VAULT_ERR_NEWER);
	vault_bytes_put_le32(b + VAULT_PARAMS_OFF_FORMAT, VAULT_FORMAT);
	assert_int_equal(unpack(b, sizeof(b)), VAULT_OK);
	vault_bytes_put_le32(b + VAULT_PARAMS_OFF_AVG, 0);
	assert_int_equal(unpack(b, sizeof(b)), VAULT_ERR_CORRUPT);
	vault_params_pack(&p, b);
	/* A zone without an end, an empty one, one that breaks its line. */
	memset(b + VAULT_PARAMS_OFF_ZONE, 'x', sizeof(p.shown.zone));
	assert_int_equal(unpack(b, sizeof(b)), VAULT_ERR_CORRUPT);
	memset(b + VAULT_PARAMS_OFF_ZONE, 0, sizeof(p.shown.zone));
	assert_int_equal(unpack(b, sizeof(b)), VAULT_ERR_CORRUPT);
	b[VAULT_PARAMS_OFF_ZONE] = '\n';
	assert_int_equal(unpack(b, sizeof(b)), VAULT_ERR_CORRUPT);
}

#define UUID "uuid=00112233-4455-6677-8899-aabbccddeeff\n"
#define SIZES "chunk_min=16384\nchunk_avg=65536\nchunk_max=262144\n"
#define LONG_ZONE \
	"0123456789012345678901234567890123456789012345678901234567890123"

static vault_err parse(const char *text, uint32_t *format)
{
	struct vault_params got;

	return vault_params_parse(vault_span_str(text), &got, format);
}

static void a_text_that_lacks_or_garbles_a_key_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"format=1\n" UUID "zone=UTC\n",
		"format=1\nzone=UTC\n" SIZES,
		"format=1\n" UUID SIZES,
		UUID "zone=UTC\n" SIZES,
		"format=0\n" UUID "zone=UTC\n" SIZES,
		"format=one\n" UUID "zone=UTC\n" SIZES,
		"format=1x\n" UUID "zone=UTC\n" SIZES,
		"format=1\nuuid=00112233\nzone=UTC\n" SIZES,
		"format=1\nuuid=00112233-4455-6677-8899-aabbccddeegg\n"
		"zone=UTC\n" SIZES,
		"format=1\nuuid=00112233x4455-6677-8899-aabbccddeeff\n"
		"zone=UTC\n" SIZES,
		"format=1\n" UUID "zone=" LONG_ZONE "\n" SIZES,
		"format=1\n" UUID "zone=\n" SIZES,
		"format=1\n" UUID "zone=UTC\nchunk_min=99999999999\n",
		"format=1\n" UUID "zone=UTC\nchunk_min=65536\n"
		"chunk_avg=65536\nchunk_max=262144\n",
	};
	uint32_t format = 0;

	(void)state;
	assert_int_equal(parse("format=1\n" UUID "zone=UTC\n" SIZES, &format),
			 VAULT_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i], &format), VAULT_ERR_CORRUPT);
	assert_int_equal(parse("format=2\n", &format), VAULT_ERR_NEWER);
	assert_int_equal(format, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(params_come_back_from_bytes_and_text),
		cmocka_unit_test(bytes_that_are_no_params_are_refused),
		cmocka_unit_test(a_text_that_lacks_or_garbles_a_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
