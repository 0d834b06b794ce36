/* SPDX-License-Identifier: Apache-2.0 */

/* Documents are valid JSON whatever the names of files are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/json.h"
#include "tests/support/scratch.h"

/* Build {"path": text}, print it, and read it back. */
static json_t *there_and_back(struct vault_span text)
{
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_json_doc d;
	json_t *read;

	vault_json_object(&d);
	vault_json_set_text(&d, d.root, "path", text);
	assert_int_equal(vault_json_write(&d, &out), VAULT_OK);
	vault_json_release(&d);
	read = json_loadb((const char *)out.data, out.len, JSON_ALLOW_NUL,
			  NULL);
	assert_non_null(read);
	vault_buf_release(&out);
	return read;
}

static void utf8_names_come_back_as_they_are(void **state)
{
	static const char *const names[] = { "hero.psd", "b\xC3\xBChne \"1\"",
					     "a\nb\\c", "\xF0\x9F\x8E\xA8.kra",
					     "" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *read = there_and_back(vault_span_str(names[i]));

		assert_string_equal(
			json_string_value(json_object_get(read, "path")),
			names[i]);
		assert_null(json_object_get(read, "path_bytes"));
		json_decref(read);
	}
}

static unsigned hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static void expect_percent(const char *text, struct vault_span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned c = (unsigned char)*text++;

		if (c == '%') {
			c = hex_value(text[0]) << 4 | hex_value(text[1]);
			text += 2;
		}
		assert_int_equal(c, bytes.data[i]);
	}
	assert_int_equal(*text, 0);
}

static void other_bytes_come_back_from_the_second_member(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(20);

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct vault_buf name = VAULT_BUF_INIT;
		const json_t *bytes;
		json_t *read;

		vault_scratch_bytes(&r, &name, 1 + vault_scratch_below(&r, 12));
		read = there_and_back(vault_buf_span(&name));
		assert_non_null(json_object_get(read, "path"));
		bytes = json_object_get(read, "path_bytes");
		if (bytes != NULL)
			expect_percent(json_string_value(bytes),
				       vault_buf_span(&name));
		else
			assert_memory_equal(json_string_value(json_object_get(
						    read, "path")),
					    name.data, name.len);
		json_decref(read);
		vault_buf_release(&name);
	}
}

static void what_looks_like_utf8_and_is_not_is_no_character(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xC0\x80",
		"\xC1\xBF",
		"\xE0\x80\x80",
		"\xED\xA0\x80",
		"\xF4\x90\x80\x80",
		"\xF0\x80\x80\x80",
		"\xFF",
		"\xC3",
		"\xE2\x82",
		"\xC3(",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vault_json_utf8_length(vault_span_str(bad[i])),
				 0);
	assert_int_equal(vault_json_utf8_length(vault_span_str("\xC3\xA9")), 2);
	assert_int_equal(vault_json_utf8_length(vault_span_str("\xEF\xBF\xBF")),
			 3);
}

static void times_are_rfc_3339_and_numbers_are_numbers(void **state)
{
	struct vault_buf out = VAULT_BUF_INIT;
	struct vault_json_doc d;
	json_t *read;

	(void)state;
	vault_json_object(&d);
	vault_json_set_time(&d, d.root, "time", 1795167000);
	vault_json_set_int(&d, d.root, "size", (uint64_t)1 << 40);
	vault_json_set_real(&d, d.root, "ratio", 4.25);
	vault_json_set_null(&d, d.root, "nothing");
	vault_json_set_bool(&d, d.root, "yes", true);
	assert_int_equal(vault_json_write(&d, &out), VAULT_OK);
	read = json_loadb((const char *)out.data, out.len, 0, NULL);
	assert_non_null(read);
	assert_string_equal(json_string_value(json_object_get(read, "time")),
			    "2026-11-20T09:30:00Z");
	assert_int_equal(json_integer_value(json_object_get(read, "size")),
			 (json_int_t)1 << 40);
	assert_true(json_real_value(json_object_get(read, "ratio")) == 4.25);
	assert_true(json_is_null(json_object_get(read, "nothing")));
	assert_true(json_is_true(json_object_get(read, "yes")));
	json_decref(read);
	vault_json_release(&d);
	vault_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_names_come_back_as_they_are),
		cmocka_unit_test(other_bytes_come_back_from_the_second_member),
		cmocka_unit_test(
			what_looks_like_utf8_and_is_not_is_no_character),
		cmocka_unit_test(times_are_rfc_3339_and_numbers_are_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
