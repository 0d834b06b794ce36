/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/base/buf.h"
#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/base/log.h"
#include "store/base/span.h"
#include "tests/support/scratch.h"

static void a_span_equals_its_bytes_and_not_its_place(void **state)
{
	const char a[] = "brush";
	const char b[] = "brush";

	(void)state;
	assert_true(vault_span_equal(vault_span(a, 5), vault_span(b, 5)));
	assert_false(vault_span_equal(vault_span(a, 5), vault_span(b, 4)));
	assert_false(
		vault_span_equal(vault_span_str("ab"), vault_span_str("ac")));
	assert_true(vault_span_equal(VAULT_SPAN_EMPTY, vault_span(a, 0)));
}

static void spans_sort_as_their_bytes_do(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		int sign;
	} rows[] = {
		{ "", "", 0 },	    { "", "a", -1 },	   { "a", "", 1 },
		{ "a", "b", -1 },   { "ab", "a", 1 },	   { "a", "ab", -1 },
		{ "\xff", "a", 1 }, { "same", "same", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int c = vault_span_compare(vault_span_str(rows[i].a),
						 vault_span_str(rows[i].b));

		assert_int_equal((c > 0) - (c < 0), rows[i].sign);
	}
}

static void the_rest_of_a_span_never_lies_outside_it(void **state)
{
	const struct vault_span s = vault_span_str("layer");

	(void)state;
	assert_true(vault_span_equal(vault_span_from(s, 0), s));
	assert_true(
		vault_span_equal(vault_span_from(s, 3), vault_span_str("er")));
	assert_int_equal(vault_span_from(s, 5).len, 0);
	assert_int_equal(vault_span_from(s, SIZE_MAX).len, 0);
}

static void a_span_starts_with_its_prefixes_alone(void **state)
{
	const struct vault_span s = vault_span_str("layer");

	(void)state;
	assert_true(vault_span_starts(s, VAULT_SPAN_EMPTY));
	assert_true(vault_span_starts(s, vault_span_str("lay")));
	assert_true(vault_span_starts(s, s));
	assert_false(vault_span_starts(s, vault_span_str("layers")));
	assert_false(vault_span_starts(s, vault_span_str("ay")));
}

static void appended_bytes_come_back_in_order(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf whole = VAULT_BUF_INIT;
	struct vault_buf parts = VAULT_BUF_INIT;
	size_t done = 0;

	(void)state;
	vault_scratch_bytes(&r, &whole, 100000);
	while (done < whole.len) {
		const size_t left = whole.len - done;
		size_t n = (size_t)vault_scratch_below(&r, 3000);

		n = n < left ? n : left;
		assert_int_equal(
			vault_buf_append(&parts,
					 vault_span(whole.data + done, n)),
			VAULT_OK);
		done += n;
		assert_true(parts.cap >= parts.len);
	}
	assert_true(vault_span_equal(vault_buf_span(&parts),
				     vault_buf_span(&whole)));
	vault_buf_release(&whole);
	vault_buf_release(&parts);
}

static void a_released_buffer_is_empty_and_works_again(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	vault_buf_release(NULL);
	vault_buf_release(&b);
	assert_int_equal(vault_buf_append_str(&b, "ink"), VAULT_OK);
	vault_buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, 0);
	assert_int_equal(vault_buf_append_str(&b, "water"), VAULT_OK);
	assert_string_equal(vault_buf_cstr(&b), "water");
	vault_buf_release(&b);
}

static void a_cleared_buffer_keeps_its_memory(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;
	const uint8_t *before;

	(void)state;
	assert_int_equal(vault_buf_fill(&b, 'x', 1000), VAULT_OK);
	before = b.data;
	vault_buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(vault_buf_fill(&b, 'y', 1000), VAULT_OK);
	assert_ptr_equal(b.data, before);
	vault_buf_release(&b);
}

static void what_cannot_be_had_leaves_the_buffer_as_it_was(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_span whole_memory;

	(void)state;
	assert_int_equal(vault_buf_append_str(&b, "kept"), VAULT_OK);
	whole_memory = vault_span(b.data, SIZE_MAX);
	assert_int_equal(vault_buf_append(&b, whole_memory), VAULT_ERR_NOMEM);
	assert_int_equal(vault_buf_fill(&b, 0, SIZE_MAX - 2), VAULT_ERR_NOMEM);
	assert_int_equal(vault_buf_reserve(&b, SIZE_MAX), VAULT_ERR_NOMEM);
	assert_string_equal(vault_buf_cstr(&b), "kept");
	vault_buf_release(&b);
}

static void nothing_appended_changes_nothing(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_buf_append(&b, VAULT_SPAN_EMPTY), VAULT_OK);
	assert_int_equal(vault_buf_fill(&b, 1, 0), VAULT_OK);
	assert_null(b.data);
	vault_buf_release(&b);
}

static void printed_text_has_no_terminator_of_its_own(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_buf_printf(&b, "%s-%d", "layer", 7), VAULT_OK);
	assert_int_equal(b.len, 7);
	assert_int_equal(vault_buf_printf(&b, "%300s|", "wide"), VAULT_OK);
	assert_int_equal(b.len, 308);
	assert_int_equal(b.data[307], '|');
	assert_memory_equal(b.data, "layer-7", 7);
	vault_buf_release(&b);
}

static void a_c_string_does_not_count_its_end(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	assert_string_equal(vault_buf_cstr(&b), "");
	assert_int_equal(b.len, 0);
	assert_int_equal(vault_buf_fill(&b, 'x', 64), VAULT_OK);
	assert_int_equal(strlen(vault_buf_cstr(&b)), 64);
	assert_int_equal(b.len, 64);
	vault_buf_release(&b);
}

static void moving_a_buffer_empties_the_old_one(void **state)
{
	struct vault_buf from = VAULT_BUF_INIT;
	struct vault_buf to = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_buf_append_str(&from, "new"), VAULT_OK);
	assert_int_equal(vault_buf_append_str(&to, "old"), VAULT_OK);
	vault_buf_move(&to, &from);
	assert_string_equal(vault_buf_cstr(&to), "new");
	assert_null(from.data);
	assert_int_equal(from.len, 0);
	vault_buf_release(&to);
}

static void numbers_lie_on_disk_in_the_order_promised(void **state)
{
	static const uint8_t expected[] = {
		0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
		0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x10,
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
	};
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_buf_put_u8(&b, 0x01), VAULT_OK);
	assert_int_equal(vault_buf_put_le16(&b, 0x0203), VAULT_OK);
	assert_int_equal(vault_buf_put_le32(&b, 0x04050607), VAULT_OK);
	assert_int_equal(vault_buf_put_le64(&b, 0x08090a0b0c0d0e0f), VAULT_OK);
	assert_int_equal(vault_buf_put_be64(&b, 0x1011121314151617), VAULT_OK);
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	vault_buf_release(&b);
}

static void big_endian_bytes_sort_as_their_numbers(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(2);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		const uint64_t a = vault_scratch_next(&r) >> (i % 64);
		const uint64_t b = vault_scratch_next(&r) >> (i % 64);
		uint8_t pa[8];
		uint8_t pb[8];
		int c;

		vault_bytes_put_be64(pa, a);
		vault_bytes_put_be64(pb, b);
		c = memcmp(pa, pb, 8);
		assert_int_equal((c > 0) - (c < 0), (a > b) - (a < b));
		assert_int_equal(vault_bytes_get_be64(pa), a);
	}
}

static void a_reader_reads_what_was_written(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(3);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		const uint64_t v = vault_scratch_next(&r);
		struct vault_buf b = VAULT_BUF_INIT;
		struct vault_reader in;

		assert_int_equal(vault_buf_put_u8(&b, (uint8_t)v), VAULT_OK);
		assert_int_equal(vault_buf_put_le16(&b, (uint16_t)v), VAULT_OK);
		assert_int_equal(vault_buf_put_le32(&b, (uint32_t)v), VAULT_OK);
		assert_int_equal(vault_buf_put_le64(&b, v), VAULT_OK);
		assert_int_equal(vault_buf_put_be64(&b, v), VAULT_OK);
		assert_int_equal(vault_buf_append_str(&b, "end"), VAULT_OK);

		in = vault_reader(vault_buf_span(&b));
		assert_int_equal(vault_reader_u8(&in), (uint8_t)v);
		assert_int_equal(vault_reader_le16(&in), (uint16_t)v);
		assert_int_equal(vault_reader_le32(&in), (uint32_t)v);
		assert_int_equal(vault_reader_le64(&in), v);
		assert_int_equal(vault_reader_be64(&in), v);
		assert_false(vault_reader_done(&in));
		assert_true(vault_span_equal(vault_reader_take(&in, 3),
					     vault_span_str("end")));
		assert_true(vault_reader_done(&in));
		vault_buf_release(&b);
	}
}

/* Reads one of everything from `s` and says whether it was all there. */
static bool read_everything(struct vault_span s)
{
	struct vault_reader in = vault_reader(s);

	vault_reader_u8(&in);
	vault_reader_le16(&in);
	vault_reader_le32(&in);
	vault_reader_le64(&in);
	vault_reader_be64(&in);
	vault_reader_take(&in, 5);
	return vault_reader_done(&in);
}

static void a_reader_notices_every_missing_byte(void **state)
{
	const uint8_t bytes[29] = { 0 };

	(void)state;
	assert_true(read_everything(vault_span(bytes, 28)));
	assert_false(read_everything(vault_span(bytes, 29)));
	for (size_t n = 0; n < 28; n++) {
		/* A heap block of n bytes: the sanitizer sees one too many. */
		uint8_t *exact = malloc(n == 0 ? 1 : n);

		assert_non_null(exact);
		memset(exact, 0xff, n);
		assert_false(read_everything(vault_span(exact, n)));
		free(exact);
	}
}

static void a_failed_reader_yields_zeros_for_ever(void **state)
{
	const uint8_t bytes[] = { 0xff, 0xff, 0xff };
	struct vault_reader in = vault_reader(vault_span(bytes, 3));

	(void)state;
	assert_int_equal(vault_reader_le32(&in), 0);
	assert_true(in.failed);
	assert_int_equal(vault_reader_u8(&in), 0);
	assert_int_equal(vault_reader_take(&in, 1).len, 0);
	assert_int_equal(vault_reader_take(&in, SIZE_MAX).len, 0);
	assert_false(vault_reader_done(&in));
}

#define CODE_OF(name, number, text) VAULT_ERR_##name,
static const vault_err all_codes[] = { VAULT_ERR_TABLE(CODE_OF) };
#undef CODE_OF

static void every_error_has_a_name_a_sentence_and_an_errno(void **state)
{
	(void)state;
	assert_string_equal(vault_err_name(VAULT_OK), "OK");
	assert_int_equal(vault_err_to_errno(VAULT_OK), 0);
	for (size_t i = 0; i < sizeof(all_codes) / sizeof(all_codes[0]); i++) {
		const vault_err e = all_codes[i];
		const char *text = vault_err_text(e);

		assert_true((int)e > 0);
		assert_true(vault_err_to_errno(e) > 0);
		assert_true(strlen(vault_err_name(e)) > 1);
		assert_true(strlen(text) > 3);
		assert_true(text[strlen(text) - 1] != '.');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(vault_err_name(e),
						vault_err_name(all_codes[j]));
	}
}

static void a_code_nobody_knows_is_an_io_error(void **state)
{
	const vault_err odd = (vault_err)9999;

	(void)state;
	assert_string_equal(vault_err_name(odd), "UNKNOWN");
	assert_string_equal(vault_err_text(odd), "unknown error");
	assert_int_equal(vault_err_to_errno(odd), EIO);
	assert_int_equal(vault_err_from_errno(ECHILD), VAULT_ERR_IO);
}

static void an_errno_survives_the_way_there_and_back(void **state)
{
	static const int numbers[] = {
		0,	 ENOMEM, EINVAL, ENOENT,     EEXIST,
		ENOTDIR, EISDIR, EIO,	 ENOTEMPTY,  ELOOP,
		EACCES,	 EPERM,	 EROFS,	 ENOSPC,     ENAMETOOLONG,
		EFBIG,	 EBUSY,	 ESTALE, EOPNOTSUPP,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(
			vault_err_to_errno(vault_err_from_errno(numbers[i])),
			numbers[i]);
	assert_int_equal(vault_err_from_errno(EDQUOT), VAULT_ERR_NO_SPACE);
	assert_int_equal(vault_err_from_errno(ETXTBSY), VAULT_ERR_BUSY);
	assert_int_equal(vault_err_from_errno(ENOSYS), VAULT_ERR_UNSUPPORTED);
}

struct heard {
	char line[8192];
	enum vault_log_level level;
	unsigned n;
};

static void hear(void *ctx, enum vault_log_level level, const char *line)
{
	struct heard *h = ctx;

	snprintf(h->line, sizeof(h->line), "%s", line);
	h->level = level;
	h->n++;
}

static int quiet_again(void **state)
{
	(void)state;
	vault_log_set_sink(NULL, NULL);
	vault_log_set_level(VAULT_LOG_WARN);
	return 0;
}

static void a_line_reaches_the_sink_with_its_level(void **state)
{
	struct heard h = { .n = 0 };

	(void)state;
	vault_log_set_sink(hear, &h);
	vault_log_error("%s: torn at %d", "hero.psd", 512);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.level, VAULT_LOG_ERROR);
	assert_string_equal(h.line, "hero.psd: torn at 512");
	vault_log_warn("second");
	assert_int_equal(h.level, VAULT_LOG_WARN);
	assert_int_equal(h.n, 2);
}

static void lines_above_the_level_are_dropped(void **state)
{
	struct heard h = { .n = 0 };

	(void)state;
	vault_log_set_sink(hear, &h);
	vault_log_info("not yet");
	vault_log_debug("not yet");
	assert_int_equal(h.n, 0);
	vault_log_set_level(VAULT_LOG_INFO);
	vault_log_info("now");
	vault_log_debug("not yet");
	assert_int_equal(h.n, 1);
	vault_log_set_level(VAULT_LOG_ERROR);
	vault_log_warn("no longer");
	assert_int_equal(h.n, 1);
}

static void a_line_too_long_is_cut_and_not_lost(void **state)
{
	struct heard h = { .n = 0 };
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_buf_fill(&b, 'p', 8000), VAULT_OK);
	vault_log_set_sink(hear, &h);
	vault_log_error("%s", vault_buf_cstr(&b));
	assert_int_equal(h.n, 1);
	assert_true(strlen(h.line) > 4096 && strlen(h.line) < 8000);
	vault_buf_release(&b);
}

static void without_a_sink_lines_go_to_stderr(void **state)
{
	struct vault_scratch s;
	struct vault_buf b = VAULT_BUF_INIT;
	int saved;

	(void)state;
	vault_scratch_init(&s);
	saved = dup(STDERR_FILENO);
	assert_non_null(freopen(vault_scratch_path(&s, "log"), "w", stderr));
	vault_log_warn("a%d", 1);
	vault_log_error("b");
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);

	vault_scratch_read(s.fd, "log", &b);
	assert_string_equal(vault_buf_cstr(&b), "artvault: warning: a1\n"
						"artvault: error: b\n");
	vault_buf_release(&b);
	vault_scratch_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_equals_its_bytes_and_not_its_place),
		cmocka_unit_test(spans_sort_as_their_bytes_do),
		cmocka_unit_test(the_rest_of_a_span_never_lies_outside_it),
		cmocka_unit_test(a_span_starts_with_its_prefixes_alone),
		cmocka_unit_test(appended_bytes_come_back_in_order),
		cmocka_unit_test(a_released_buffer_is_empty_and_works_again),
		cmocka_unit_test(a_cleared_buffer_keeps_its_memory),
		cmocka_unit_test(
			what_cannot_be_had_leaves_the_buffer_as_it_was),
		cmocka_unit_test(nothing_appended_changes_nothing),
		cmocka_unit_test(printed_text_has_no_terminator_of_its_own),
		cmocka_unit_test(a_c_string_does_not_count_its_end),
		cmocka_unit_test(moving_a_buffer_empties_the_old_one),
		cmocka_unit_test(numbers_lie_on_disk_in_the_order_promised),
		cmocka_unit_test(big_endian_bytes_sort_as_their_numbers),
		cmocka_unit_test(a_reader_reads_what_was_written),
		cmocka_unit_test(a_reader_notices_every_missing_byte),
		cmocka_unit_test(a_failed_reader_yields_zeros_for_ever),
		cmocka_unit_test(
			every_error_has_a_name_a_sentence_and_an_errno),
		cmocka_unit_test(a_code_nobody_knows_is_an_io_error),
		cmocka_unit_test(an_errno_survives_the_way_there_and_back),
		cmocka_unit_test_teardown(
			a_line_reaches_the_sink_with_its_level, quiet_again),
		cmocka_unit_test_teardown(lines_above_the_level_are_dropped,
					  quiet_again),
		cmocka_unit_test_teardown(a_line_too_long_is_cut_and_not_lost,
					  quiet_again),
		cmocka_unit_test(without_a_sink_lines_go_to_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
