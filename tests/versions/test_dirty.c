/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "versions/dirty.h"
#include "versions/writers.h"

/* The two tables that events fill: names to look at, files being written. */

#define MANY 5000

static struct vault_span str(const char *s)
{
	return vault_span_str(s);
}

static const char *name_of(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof(name), "dir%u/file%u", i % 7, i);
	return name;
}

static void every_name_is_found_until_it_is_taken(void **state)
{
	struct vault_dirty d = VAULT_DIRTY_INIT;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		assert_non_null(vault_dirty_mark(&d, str(name_of(i)), 1));
	assert_int_equal(d.n, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_non_null(vault_dirty_find(&d, str(name_of(i))));
	assert_null(vault_dirty_find(&d, str("dir0/file")));
	vault_dirty_moved(&d, str("dir3"), str("elsewhere/dir3"));
	assert_null(vault_dirty_find(&d, str("dir3/file3")));
	assert_non_null(vault_dirty_find(&d, str("elsewhere/dir3/file3")));
	assert_non_null(vault_dirty_find(&d, str("dir4/file4")));
	assert_int_equal(d.n, MANY);
	vault_dirty_release(&d);
}

static void beyond_its_limit_it_says_that_it_forgot(void **state)
{
	struct vault_dirty d = VAULT_DIRTY_INIT;

	(void)state;
	d.limit = 10;
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(vault_dirty_mark(&d, str(name_of(i)), 1));
	assert_non_null(vault_dirty_mark(&d, str(name_of(0)), 2));
	assert_false(d.overflow);
	assert_null(vault_dirty_mark(&d, str(name_of(10)), 2));
	assert_true(d.overflow);
	assert_int_equal(d.n, 0);
	vault_dirty_release(&d);
}

static bool all(void *ctx, const struct vault_dirty *d,
		const struct vault_dirty_name *n)
{
	(void)ctx;
	(void)d;
	(void)n;
	return true;
}

/* Its work failed; meanwhile more was heard of one of the two names. */
static void what_is_put_back_keeps_the_latest_and_the_first(void **state)
{
	struct vault_dirty d = VAULT_DIRTY_INIT;
	struct vault_dirty_name *list;
	struct vault_dirty_name *n;
	size_t taken;

	(void)state;
	vault_dirty_mark(&d, str("a"), 1);
	vault_dirty_mark(&d, str("b"), 2);
	list = vault_dirty_take(&d, all, NULL, &taken);
	assert_int_equal(taken, 2);
	assert_int_equal(d.n, 0);
	vault_dirty_mark(&d, str("a"), 9);
	while ((n = list) != NULL) {
		list = n->chain;
		vault_dirty_put_back(&d, n);
	}
	assert_int_equal(d.n, 2);
	n = vault_dirty_find(&d, str("a"));
	assert_non_null(n);
	assert_int_equal(n->first_ms, 1);
	assert_int_equal(n->last_ms, 9);
	assert_non_null(vault_dirty_find(&d, str("b")));
	vault_dirty_release(&d);
}

static void a_writer_counts_until_its_last_close(void **state)
{
	struct vault_writers w = VAULT_WRITERS_INIT;
	const struct vault_writer *x;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		assert_non_null(vault_writers_opened(&w, 1 + i % 3, i,
						     str(name_of(i)), 1));
	assert_non_null(vault_writers_opened(&w, 1, 0, str(name_of(0)), 1));
	assert_int_equal(w.n, MANY);
	assert_null(vault_writers_find(&w, 2, 0));
	vault_writers_moved(&w, str("dir1"), str("d"));
	vault_writers_moved(&w, str("dir"), str("wrong"));
	x = vault_writers_find(&w, 2, 1);
	assert_non_null(x);
	assert_string_equal(x->path, "d/file1");
	x = vault_writers_find(&w, 3, 2);
	assert_non_null(x);
	assert_string_equal(x->path, "dir2/file2");
	vault_writers_moved(&w, str("d/file1"), str("e"));
	assert_string_equal(vault_writers_find(&w, 2, 1)->path, "e");
	assert_false(vault_writers_closed(&w, 1, 0));
	assert_true(vault_writers_closed(&w, 1, 0));
	assert_true(vault_writers_closed(&w, 1, 0)); /* nobody has it open */
	for (unsigned i = 1; i < MANY; i += 2)
		assert_true(vault_writers_closed(&w, 1 + i % 3, i));
	assert_int_equal(w.n, MANY / 2 - 1);
	vault_writers_release(&w);
	assert_int_equal(w.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found_until_it_is_taken),
		cmocka_unit_test(beyond_its_limit_it_says_that_it_forgot),
		cmocka_unit_test(
			what_is_put_back_keeps_the_latest_and_the_first),
		cmocka_unit_test(a_writer_counts_until_its_last_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
