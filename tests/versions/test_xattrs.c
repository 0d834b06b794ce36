/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "versions/xattrs.h"

/* A file with the given attributes, read back packed. */
static void pack(struct vault_scratch *s, const char *const *names,
		 size_t n_names, struct vault_buf *out)
{
	int fd = openat(s->fd, "f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char value[64];

	assert_true(fd >= 0);
	for (size_t i = 0; i < n_names; i++) {
		snprintf(value, sizeof(value), "value of %s", names[i]);
		if (fsetxattr(fd, names[i], value, strlen(value), 0) != 0 &&
		    errno == ENOTSUP)
			skip();
	}
	close(fd);
	fd = openat(s->fd, "f", O_PATH);
	assert_int_equal(vault_xattrs_read(fd, out), VAULT_OK);
	close(fd);
	assert_int_equal(unlinkat(s->fd, "f", 0), 0);
}

static vault_err count(void *ctx, struct vault_span name,
		       struct vault_span value)
{
	size_t *n = ctx;

	assert_true(name.len > 0);
	assert_true(value.len > 0);
	(*n)++;
	return VAULT_OK;
}

static vault_err nothing(void *ctx, struct vault_span name,
			 struct vault_span value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return VAULT_OK;
}

static void no_attributes_are_no_bytes(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;
	size_t n = 0;

	pack(*state, NULL, 0, &b);
	assert_int_equal(b.len, 0);
	assert_int_equal(vault_xattrs_each(VAULT_SPAN_EMPTY, count, &n),
			 VAULT_OK);
	assert_int_equal(n, 0);
	vault_buf_release(&b);
}

static void equal_sets_are_equal_bytes(void **state)
{
	static const char *const one[] = { "user.b", "user.a", "user.c" };
	static const char *const two[] = { "user.c", "user.b", "user.a" };
	struct vault_buf a = VAULT_BUF_INIT;
	struct vault_buf b = VAULT_BUF_INIT;
	size_t n = 0;

	pack(*state, one, 3, &a);
	pack(*state, two, 3, &b);
	assert_true(vault_span_equal(vault_buf_span(&a), vault_buf_span(&b)));
	assert_int_equal(vault_xattrs_each(vault_buf_span(&a), count, &n),
			 VAULT_OK);
	assert_true(n >= 3);
	vault_buf_release(&a);
	vault_buf_release(&b);
}

static void a_value_comes_back_by_name(void **state)
{
	static const char *const names[] = { "user.xdg.tags", "user.x" };
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_span v;

	pack(*state, names, 2, &b);
	assert_int_equal(vault_xattrs_get(vault_buf_span(&b),
					  vault_span_str("user.x"), &v),
			 VAULT_OK);
	assert_true(vault_span_equal(v, vault_span_str("value of user.x")));
	assert_int_equal(vault_xattrs_get(vault_buf_span(&b),
					  vault_span_str("user.y"), &v),
			 VAULT_ERR_NOT_FOUND);
	vault_buf_release(&b);
}

static void every_cut_is_refused_or_shorter(void **state)
{
	static const char *const names[] = { "user.a", "user.b" };
	struct vault_buf b = VAULT_BUF_INIT;
	unsigned whole = 0;

	pack(*state, names, 2, &b);
	for (size_t len = 1; len < b.len; len++) {
		const vault_err err = vault_xattrs_each(vault_span(b.data, len),
							nothing, NULL);

		assert_true(err == VAULT_OK || err == VAULT_ERR_CORRUPT);
		whole += err == VAULT_OK;
	}
	/* Only the cuts between attributes make a set. */
	assert_true(whole >= 1 && whole <= 4);
	vault_buf_release(&b);
}

static void disorder_and_other_versions_are_refused(void **state)
{
	static const uint8_t twice[] = { 1, 1, 0, 1, 0, 0, 0,	'a', 'v',
					 1, 0, 1, 0, 0, 0, 'a', 'v' };
	static const uint8_t other[] = { 2, 1, 0, 1, 0, 0, 0, 'a', 'v' };
	static const uint8_t nameless[] = { 1, 0, 0, 1, 0, 0, 0, 'v' };
	struct vault_span v;

	(void)state;
	assert_int_equal(vault_xattrs_each(vault_span(twice, sizeof(twice)),
					   nothing, NULL),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(vault_xattrs_each(vault_span(other, sizeof(other)),
					   nothing, NULL),
			 VAULT_ERR_CORRUPT);
	assert_int_equal(
		vault_xattrs_each(vault_span(nameless, sizeof(nameless)),
				  nothing, NULL),
		VAULT_ERR_CORRUPT);
	assert_int_equal(vault_xattrs_get(vault_span(other, sizeof(other)),
					  vault_span_str("a"), &v),
			 VAULT_ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_attributes_are_no_bytes,
						vault_scratch_setup,
						vault_scratch_teardown),
		cmocka_unit_test_setup_teardown(equal_sets_are_equal_bytes,
						vault_scratch_setup,
						vault_scratch_teardown),
		cmocka_unit_test_setup_teardown(a_value_comes_back_by_name,
						vault_scratch_setup,
						vault_scratch_teardown),
		cmocka_unit_test_setup_teardown(every_cut_is_refused_or_shorter,
						vault_scratch_setup,
						vault_scratch_teardown),
		cmocka_unit_test(disorder_and_other_versions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
