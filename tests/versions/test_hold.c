/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/versions/mounted.h"

/*
 * A finished save that is about to go before anybody has read it. The engine
 * is given an endless time between two moments, so that it never gets to
 * read by itself what these tests then overwrite.
 */

static void start_lazy(struct test_project *p)
{
	struct vault_capture_options o = test_project_options();

	o.spacing_ms = INT64_MAX / 2;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     true, &p->capture),
			 VAULT_OK);
}

static int setup(void **state)
{
	struct test_project *p;

	test_project_setup(state);
	p = *state;
	vault_scratch_write_str(p->fd, "x", "one");
	start_lazy(p);
	test_mounted_settle(p);
	return 0;
}

/* Let the quiet time of a save pass. */
static void finish(void)
{
	const struct timespec ts = { .tv_nsec = 150000000 };

	nanosleep(&ts, NULL);
}

static void sync_all(struct test_project *p)
{
	assert_int_equal(vault_capture_sync(p->capture, VAULT_CAUSE_SYNC, NULL,
					    NULL, NULL),
			 VAULT_OK);
}

static void expect_three(struct test_project *p, const char *path)
{
	assert_int_equal(test_project_count_versions(p, path), 3);
	test_project_expect_version(p, path, 0, "one");
	test_project_expect_version(p, path, 1, "two");
	test_project_expect_version(p, path, 2, "three");
}

static void what_is_renamed_over_is_kept(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x", "two");
	finish();
	test_mounted_save(p, "x.tmp", "three");
	test_mounted_rename(p, "x.tmp", "x");
	sync_all(p);
	expect_three(p, "x");
}

static void what_is_unlinked_is_kept(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x", "two");
	test_mounted_save(p, "fresh", "only");
	finish();
	test_mounted_unlink(p, "x");
	test_mounted_unlink(p, "fresh");
	sync_all(p);
	assert_int_equal(test_project_count_versions(p, "x"), 2);
	test_project_expect_version(p, "x", 1, "two");
	test_project_expect_version(p, "fresh", 0, "only");
	assert_int_equal(test_project_node(p, "x"), 0);
	assert_int_equal(test_project_node(p, "fresh"), 0);
}

static void what_is_truncated_is_copied_first(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x", "two");
	finish();
	test_mounted_save(p, "x", "three");
	sync_all(p);
	expect_three(p, "x");
}

static void what_is_moved_aside_is_kept_under_its_name(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x", "two");
	finish();
	test_mounted_rename(p, "x", "x~");
	test_mounted_save(p, "x", "three");
	test_mounted_unlink(p, "x~");
	sync_all(p);
	expect_three(p, "x");
}

static void a_save_within_the_quiet_time_is_no_version(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x", "two");
	test_mounted_save(p, "x", "three");
	sync_all(p);
	assert_int_equal(test_project_count_versions(p, "x"), 2);
	test_project_expect_version(p, "x", 1, "three");
}

static vault_err find_loss(void *ctx, struct vault_span path,
			   const char *reason, int64_t time)
{
	size_t *n = ctx;

	(void)time;
	if (vault_span_equal(path, vault_span_str("big")) &&
	    strstr(reason, "overwritten") != NULL)
		(*n)++;
	return VAULT_OK;
}

static void what_cannot_be_copied_is_named(void **state)
{
	struct test_project *p = *state;
	size_t n = 0;
	const int fd = test_mounted_open(p, "big", true);

	/* Larger than a copy by hand could be within its time. */
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	test_mounted_close(p, fd, "big");
	finish();
	test_mounted_save(p, "big", "small");
	assert_int_equal(vault_capture_each_not_kept(p->capture, find_loss, &n),
			 VAULT_OK);
	assert_int_equal(n, 1);
	sync_all(p);
	n = 0;
	assert_int_equal(vault_capture_each_not_kept(p->capture, find_loss, &n),
			 VAULT_OK);
	assert_int_equal(n, 0);
}

static void several_states_come_in_their_order(void **state)
{
	struct test_project *p = *state;
	char text[32];

	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "state %d", i);
		test_mounted_save(p, "x.tmp", text);
		test_mounted_rename(p, "x.tmp", "x");
		finish();
	}
	sync_all(p);
	assert_int_equal(test_project_count_versions(p, "x"), 5);
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "state %zu", i);
		test_project_expect_version(p, "x", i + 1, text);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_project_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_renamed_over_is_kept),
		T(what_is_unlinked_is_kept),
		T(what_is_truncated_is_copied_first),
		T(what_is_moved_aside_is_kept_under_its_name),
		T(a_save_within_the_quiet_time_is_no_version),
		T(what_cannot_be_copied_is_named),
		T(several_states_come_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
