/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/timeline.h"
#include "fs/timeline_text.h"
#include "store/digest.h"
#include "tests/support/scratch.h"
#include "versions/when.h"

/* 2026-11-20 09:30:00 UTC */
#define SOME_TIME 1795167000

static void set_text(struct vault_buf *b, const char *text)
{
	*b = VAULT_BUF_INIT;
	assert_int_equal(vault_buf_append_str(b, text), VAULT_OK);
}

static struct vault_timeline make_steps(size_t n, const char *file)
{
	struct vault_timeline t = { calloc(n + 1, sizeof(*t.steps)), n };

	assert_non_null(t.steps);
	for (size_t i = 0; i < n; i++) {
		struct vault_timeline_step *s = &t.steps[i];

		set_text(&s->file, file);
		set_text(&s->name, "hero.psd");
		s->dir = VAULT_NODE_ROOT;
		s->version.seq = i + 1;
		s->version.row.kind = VAULT_KIND_FILE;
		s->version.row.size = UINT64_C(5000000000) + i;
		s->version.row.digest = vault_digest_of(vault_span(&i, 1));
		s->moment.time = SOME_TIME + (int64_t)i;
	}
	return t;
}

static const char *extension(const char *path)
{
	static char text[64];
	const struct vault_span e =
		vault_timeline_extension(vault_span_str(path));

	memcpy(text, e.len > 0 ? (const char *)e.data : "", e.len);
	text[e.len] = 0;
	return text;
}

static void the_extension_is_the_last_of_the_last_name(void **state)
{
	(void)state;
	assert_string_equal(extension("hero.psd"), ".psd");
	assert_string_equal(extension("a.b/c.d/x.tar.gz"), ".gz");
	assert_string_equal(extension("a.b/plain"), "");
	assert_string_equal(extension(".profile"), "");
	assert_string_equal(extension("a/.profile"), "");
	assert_string_equal(extension("a/.x.kra"), ".kra");
	assert_string_equal(extension("dot."), "");
	assert_string_equal(extension("dots.."), "");
	assert_string_equal(extension(""), "");
}

static void the_document_holds_every_step_in_order(void **state)
{
	struct vault_timeline t = make_steps(3, "m.psd");
	struct vault_buf text = VAULT_BUF_INIT;
	char hex[VAULT_DIGEST_HEX];
	json_t *j, *e;

	(void)state;
	assert_int_equal(vault_timeline_text_json(&t, &text), VAULT_OK);
	j = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_int_equal(json_array_size(j), 3);
	e = json_array_get(j, 2);
	assert_string_equal(json_string_value(json_object_get(e, "file")),
			    "m.psd");
	assert_string_equal(json_string_value(json_object_get(e, "moment")),
			    "2026-11-20_09-30-02");
	assert_string_equal(json_string_value(json_object_get(e, "time")),
			    "2026-11-20T09:30:02Z");
	assert_int_equal(json_integer_value(json_object_get(e, "size")),
			 INT64_C(5000000002));
	vault_digest_hex(&t.steps[2].version.row.digest, hex);
	assert_string_equal(json_string_value(json_object_get(e, "digest")),
			    hex);
	json_decref(j);
	vault_buf_release(&text);
	vault_timeline_release(&t);
}

static void no_step_is_an_empty_array(void **state)
{
	struct vault_timeline t = make_steps(0, "");
	struct vault_buf text = VAULT_BUF_INIT;
	json_t *j;

	(void)state;
	assert_int_equal(vault_timeline_text_json(&t, &text), VAULT_OK);
	j = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_true(json_is_array(j));
	assert_int_equal(json_array_size(j), 0);
	json_decref(j);
	vault_buf_release(&text);
	vault_timeline_release(&t);
}

static struct vault_tree *open_tree(struct vault_scratch *s)
{
	struct vault_tree *tree = NULL;

	assert_int_equal(
		vault_store_create(s->fd, NULL, &vault_store_params_default),
		VAULT_OK);
	assert_int_equal(vault_tree_open(s->fd, NULL, &tree), VAULT_OK);
	return tree;
}

static void the_table_is_a_line_a_version_and_moves_no_cursor(void **state)
{
	struct vault_tree *tree = open_tree(*state);
	struct vault_timeline t = make_steps(2, "m.psd");
	struct vault_buf text = VAULT_BUF_INIT, again = VAULT_BUF_INIT;
	const struct vault_span path = vault_span_str("a\033[2J\xff/hero.psd");
	size_t lines = 0;

	t.steps[1].version.row.flags |= VAULT_ROW_TORN;
	assert_int_equal(vault_timeline_text_table(tree, path, &t, &text),
			 VAULT_OK);
	for (size_t i = 0; i < text.len; i++) {
		assert_true(text.data[i] == '\n' ||
			    (text.data[i] >= ' ' && text.data[i] < 0x7f));
		lines += text.data[i] == '\n';
	}
	assert_int_equal(lines, 3 + 2);
	assert_non_null(strstr(vault_buf_cstr(&text), "5000000001"));
	assert_non_null(strstr(vault_buf_cstr(&text), "while being written"));
	assert_int_equal(vault_timeline_text_table(tree, path, &t, &again),
			 VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&text),
				     vault_buf_span(&again)));
	vault_buf_release(&text);
	vault_buf_release(&again);
	vault_timeline_release(&t);
	vault_tree_close(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_extension_is_the_last_of_the_last_name),
		cmocka_unit_test(the_document_holds_every_step_in_order),
		cmocka_unit_test(no_step_is_an_empty_array),
		cmocka_unit_test_setup_teardown(
			the_table_is_a_line_a_version_and_moves_no_cursor,
			vault_scratch_setup, vault_scratch_teardown),
	};

	if (vault_when_set_zone("UTC") != VAULT_OK)
		return 1;
	return cmocka_run_group_tests_name("timeline text", tests, NULL, NULL);
}
