/* SPDX-License-Identifier: Apache-2.0 */

/* The words of -o and of the vault's config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/settings.h"
#include "store/base/log.h"
#include "tests/support/scratch.h"
#include "versions/config.h"

static int64_t ms_of(const char *text)
{
	int64_t ms;

	return vault_settings_time(text, &ms) == VAULT_OK ? ms : -1;
}

static void times_have_units(void **state)
{
	(void)state;
	assert_int_equal(ms_of("2"), 2000);
	assert_int_equal(ms_of("0"), 0);
	assert_int_equal(ms_of("0.25"), 250);
	assert_int_equal(ms_of("150ms"), 150);
	assert_int_equal(ms_of("3s"), 3000);
	assert_int_equal(ms_of("15m"), 900000);
	assert_int_equal(ms_of("1.5h"), 5400000);
	assert_int_equal(ms_of(""), -1);
	assert_int_equal(ms_of("-1"), -1);
	assert_int_equal(ms_of("1x"), -1);
	assert_int_equal(ms_of("0x10"), -1);
	assert_int_equal(ms_of("nan"), -1);
	assert_int_equal(ms_of("1e300h"), -1);
	assert_int_equal(ms_of("1 s"), -1);
}

static void sizes_have_units(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(vault_settings_size("1", &n), VAULT_OK);
	assert_int_equal(n, 1);
	assert_int_equal(vault_settings_size("2G", &n), VAULT_OK);
	assert_int_equal(n, (uint64_t)2 << 30);
	assert_int_equal(vault_settings_size("1.5kb", &n), VAULT_OK);
	assert_int_equal(n, 1536);
	assert_int_equal(vault_settings_size("5%", &n), VAULT_ERR_SYNTAX);
	assert_int_equal(vault_settings_size("big", &n), VAULT_ERR_SYNTAX);
}

static void every_word_of_ours_lands_where_it_belongs(void **state)
{
	struct vault_buf why = VAULT_BUF_INIT;
	struct vault_settings s;

	(void)state;
	vault_settings_init(&s);
	assert_int_equal(
		vault_settings_words(&s,
				     "views=hidden,quiet=1,open_quiet=2,busy=3,"
				     "rescan=0,min_free=1M,allow_other,",
				     &why),
		VAULT_OK);
	assert_int_equal(s.mount.listing, VAULT_VIEW_LIST_HIDDEN);
	assert_true(s.mount.allow_other);
	assert_int_equal(s.mount.capture.quiet_ms, 1000);
	assert_int_equal(s.mount.capture.open_quiet_ms, 2000);
	assert_int_equal(s.mount.capture.busy_ms, 3000);
	assert_int_equal(s.mount.capture.rescan_ms, 0);
	assert_int_equal(s.mount.capture.min_free_bytes, 1 << 20);
	assert_int_equal(s.mount.capture.min_free_percent, 0);
	assert_null(s.mount.fuse_options);
	assert_int_equal(vault_settings_words(&s, "min_free=7%", &why),
			 VAULT_OK);
	assert_int_equal(s.mount.capture.min_free_percent, 7);
	assert_int_equal(s.mount.capture.min_free_bytes, 0);
	vault_settings_release(&s);
	vault_buf_release(&why);
}

static void words_of_the_kernel_are_passed_on(void **state)
{
	struct vault_buf why = VAULT_BUF_INIT;
	struct vault_settings s;

	(void)state;
	vault_settings_init(&s);
	assert_int_equal(vault_settings_words(&s, "ro,quiet=1,noatime", &why),
			 VAULT_OK);
	assert_int_equal(vault_settings_words(&s, "fsname=art", &why),
			 VAULT_OK);
	assert_string_equal(s.mount.fuse_options, "ro,noatime,fsname=art");
	vault_settings_release(&s);
}

static void an_unknown_word_is_named(void **state)
{
	static const char *const wrong[] = { "frobnicate",    "views=no",
					     "quiet=fast",    "min_free=",
					     "min_free=200%", "views" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct vault_buf why = VAULT_BUF_INIT;
		struct vault_settings s;

		vault_settings_init(&s);
		assert_int_equal(vault_settings_words(&s, wrong[i], &why),
				 VAULT_ERR_SYNTAX);
		assert_non_null(strstr(vault_buf_cstr(&why), wrong[i]));
		vault_settings_release(&s);
		vault_buf_release(&why);
	}
}

static unsigned n_lines;

static void count_line(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
	n_lines++;
}

static void config_gives_defaults_and_a_bad_value_is_said(void **state)
{
	const struct vault_scratch *scratch = *state;
	struct vault_settings s;

	vault_scratch_write_str(scratch->fd, "config",
				"views=hidden\nquiet=5\nbusy=never\n");
	vault_settings_init(&s);
	n_lines = 0;
	vault_log_set_sink(count_line, NULL);
	assert_int_equal(vault_settings_config(&s, scratch->fd), VAULT_OK);
	vault_log_set_sink(NULL, NULL);
	assert_int_equal(s.mount.listing, VAULT_VIEW_LIST_HIDDEN);
	assert_int_equal(s.mount.capture.quiet_ms, 5000);
	assert_int_equal(s.mount.capture.busy_ms,
			 vault_capture_options_default.busy_ms);
	assert_int_equal(n_lines, 1);
	vault_settings_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(every_word_of_ours_lands_where_it_belongs),
		cmocka_unit_test(words_of_the_kernel_are_passed_on),
		cmocka_unit_test(an_unknown_word_is_named),
		cmocka_unit_test_setup_teardown(
			config_gives_defaults_and_a_bad_value_is_said,
			vault_scratch_setup, vault_scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
