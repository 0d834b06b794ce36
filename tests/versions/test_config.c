/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "versions/config.h"

static void expect(struct vault_scratch *s, const char *key, const char *value)
{
	struct vault_buf b = VAULT_BUF_INIT;

	assert_int_equal(vault_config_get(s->fd, key, &b), VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&b), vault_span_str(value)));
	vault_buf_release(&b);
}

static void set(struct vault_scratch *s, const char *key, const char *value)
{
	assert_int_equal(vault_config_set(s->fd, key, vault_span_str(value)),
			 VAULT_OK);
}

static void what_is_set_is_read_back(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_buf b = VAULT_BUF_INIT;

	assert_int_equal(vault_config_get(s->fd, "project", &b),
			 VAULT_ERR_NOT_FOUND);
	set(s, "project", "/home/ada/My Art = good");
	expect(s, "project", "/home/ada/My Art = good");
	set(s, "empty", "");
	expect(s, "empty", "");
	assert_int_equal(vault_config_get(s->fd, "proj", &b),
			 VAULT_ERR_NOT_FOUND);
}

static void a_change_keeps_every_other_line(void **state)
{
	struct vault_scratch *s = *state;

	vault_scratch_write_str(s->fd, "config",
				"# ours\nformat=1\n zone = utc \n\nfuture=x");
	set(s, "zone", "Europe/Vienna");
	set(s, "project", "/p");
	vault_scratch_expect(
		s->fd, "config",
		vault_span_str("# ours\nformat=1\nzone=Europe/Vienna\n\n"
			       "future=x\nproject=/p\n"));
	assert_false(vault_scratch_exists(s->fd, "config.new"));
}

static void a_comment_is_no_value(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_buf b = VAULT_BUF_INIT;

	vault_scratch_write_str(s->fd, "config", "#zone=utc\nzone\n");
	assert_int_equal(vault_config_get(s->fd, "zone", &b),
			 VAULT_ERR_NOT_FOUND);
}

static void what_could_not_be_read_back_is_refused(void **state)
{
	struct vault_scratch *s = *state;

	assert_int_equal(vault_config_set(s->fd, "a", vault_span_str("x\ny")),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_config_set(s->fd, "a", vault_span_str(" x")),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_config_set(s->fd, "a=b", vault_span_str("x")),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_config_set(s->fd, "#a", vault_span_str("x")),
			 VAULT_ERR_INVALID);
	assert_false(vault_scratch_exists(s->fd, "config"));
}

int main(void)
{
#define T(f)                                                    \
	cmocka_unit_test_setup_teardown(f, vault_scratch_setup, \
					vault_scratch_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_set_is_read_back),
		T(a_change_keeps_every_other_line),
		T(a_comment_is_no_value),
		T(what_could_not_be_read_back_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
