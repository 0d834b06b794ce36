/* SPDX-License-Identifier: Apache-2.0 */

/* Names of moments as folders of the root's `.history`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/bed.h"

#define H ".history/"

static void write_live(struct vault_bed *b, const char *name, const char *text)
{
	vault_scratch_write_str(b->mntfd, name, text);
}

static void expect_text(struct vault_bed *b, const char *path, const char *text)
{
	vault_scratch_expect(b->mntfd, path, vault_span_str(text));
}

static void expect_error(int result, int number)
{
	const int got = errno;

	assert_int_equal(result, -1);
	assert_int_equal(got, number);
}

static bool there(struct vault_bed *b, const char *path)
{
	return vault_scratch_exists(b->mntfd, path);
}

static bool listed(struct vault_bed *b, const char *name)
{
	DIR *d = fdopendir(openat(b->mntfd, ".history", O_RDONLY));
	bool found = false;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		found = found || !strcmp(e->d_name, name);
	closedir(d);
	return found;
}

static void mkdir_names_the_present_state(void **state)
{
	struct vault_bed *b = *state;
	struct stat st;

	write_live(b, "f", "one");
	/* Not captured yet: it is, before it is named. */
	assert_int_equal(mkdirat(b->mntfd, H "client-review", 0755), 0);
	expect_text(b, H "client-review/f", "one");
	assert_true(listed(b, "client-review"));
	write_live(b, "f", "two");
	expect_text(b, H "client-review/f", "one");
	/* Nothing is pending: another name of the same moment. */
	assert_int_equal(mkdirat(b->mntfd, H "second", 0755), 0);
	assert_int_equal(mkdirat(b->mntfd, H "third", 0755), 0);
	expect_text(b, H "second/f", "two");
	expect_text(b, H "third/f", "two");
	expect_text(b, H "previous/f", "one");
	/* In every folder, too; as two directories for the kernel. */
	write_live(b, "a/g", "x");
	assert_int_equal(mkdirat(b->mntfd, H "fourth", 0755), 0);
	expect_text(b, "a/.history/fourth/g", "x");
	assert_false(there(b, "a/.history/third"));
	assert_int_equal(fstatat(b->mntfd, H "fourth", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
}

static void names_that_cannot_be_given_are_refused(void **state)
{
	static const char *const bad[] = {
		"@mine",
		"a..b",
		".hidden2",
		"yesterday-ago..",
	};
	struct vault_bed *b = *state;
	char longest[300];

	write_live(b, "f", "one");
	assert_int_equal(mkdirat(b->mntfd, H "good", 0755), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), H "%s", bad[i]);
		expect_error(mkdirat(b->mntfd, path, 0755), EINVAL);
	}
	/* Times that nothing is found under are still times. */
	expect_error(mkdirat(b->mntfd, H "1990", 0755), EINVAL);
	expect_error(mkdirat(b->mntfd, H "now", 0755), EINVAL);
	expect_error(mkdirat(b->mntfd, H "good", 0755), EEXIST);
	expect_error(mkdirat(b->mntfd, H "latest", 0755), EEXIST);
	snprintf(longest, sizeof(longest), H "%0290d", 1);
	expect_error(mkdirat(b->mntfd, longest, 0755), ENAMETOOLONG);
}

static void rmdir_takes_the_name_and_leaves_the_moment(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	char path[64];

	write_live(b, "f", "one");
	vault_bed_commit(b, m);
	snprintf(path, sizeof(path), H "%s", m);
	assert_int_equal(mkdirat(b->mntfd, H "mine", 0755), 0);
	assert_int_equal(unlinkat(b->mntfd, H "mine", AT_REMOVEDIR), 0);
	assert_false(there(b, H "mine"));
	assert_false(listed(b, "mine"));
	assert_true(there(b, path));
	expect_error(unlinkat(b->mntfd, H "mine", AT_REMOVEDIR), ENOENT);
	expect_error(unlinkat(b->mntfd, path, AT_REMOVEDIR), EROFS);
	expect_error(unlinkat(b->mntfd, H "latest", AT_REMOVEDIR), EROFS);
	/* It comes back. */
	assert_int_equal(vault_snapshot_undo(b->tree, vault_span_str("mine")),
			 VAULT_OK);
	expect_text(b, H "mine/f", "one");
}

static void rename_changes_the_name_only(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	char path[64];

	write_live(b, "f", "one");
	vault_bed_commit(b, m);
	snprintf(path, sizeof(path), H "%s", m);
	assert_int_equal(mkdirat(b->mntfd, H "first", 0755), 0);
	assert_int_equal(mkdirat(b->mntfd, H "other", 0755), 0);
	assert_int_equal(renameat(b->mntfd, H "first", b->mntfd, H "final"), 0);
	assert_false(there(b, H "first"));
	expect_text(b, H "final/f", "one");
	expect_error(renameat(b->mntfd, H "final", b->mntfd, H "other"),
		     EEXIST);
	expect_error(renameat(b->mntfd, H "final", b->mntfd, H "@x"), EINVAL);
	expect_error(renameat(b->mntfd, path, b->mntfd, H "x"), EROFS);
	assert_int_equal(renameat(b->mntfd, H "final", b->mntfd, "a") == -1, 1);
	expect_text(b, H "final/f", "one");
}

static void deleting_everything_at_the_root_loses_no_moment(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	char path[64];

	write_live(b, "a/f", "one");
	vault_bed_commit(b, m);
	assert_int_equal(mkdirat(b->mntfd, H "mine", 0755), 0);
	vault_bed_shell(b, "find . -delete 2>/dev/null; "
			   "rm -rf ./* .history .timeline 2>/dev/null");
	assert_false(vault_scratch_exists(b->projectfd, "a"));
	snprintf(path, sizeof(path), H "%s/a/f", m);
	expect_text(b, path, "one");
	if (!there(b, H "mine"))
		assert_int_equal(
			vault_snapshot_undo(b->tree, vault_span_str("mine")),
			VAULT_OK);
	expect_text(b, H "mine/a/f", "one");
}

static int make_a_name(void *ctx)
{
	struct vault_bed *b = ctx;

	return mkdirat(b->mntfd, H "stolen", 0755) == 0 ? 0 : errno;
}

static int remove_a_name(void *ctx)
{
	struct vault_bed *b = ctx;

	return unlinkat(b->mntfd, H "mine", AT_REMOVEDIR) == 0 ? 0 : errno;
}

static int rename_a_name(void *ctx)
{
	struct vault_bed *b = ctx;

	return renameat(b->mntfd, H "mine", b->mntfd, H "yours") == 0 ? 0
								      : errno;
}

static void only_the_owner_and_root_name_moments(void **state)
{
	struct vault_bed *b = *state;

	write_live(b, "f", "one");
	assert_int_equal(mkdirat(b->mntfd, H "mine", 0755), 0);
	assert_int_equal(vault_bed_as(1001, make_a_name, b), EACCES);
	assert_int_equal(vault_bed_as(1001, remove_a_name, b), EACCES);
	assert_int_equal(vault_bed_as(1001, rename_a_name, b), EACCES);
	assert_true(there(b, H "mine"));
	assert_false(there(b, H "stolen"));
}

static void fsync_of_history_acknowledges(void **state)
{
	struct vault_bed *b = *state;
	int fd = openat(b->mntfd, ".history", O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	write_live(b, "f", "one");
	assert_int_equal(fsync(fd), 0);
	expect_text(b, H "latest/f", "one");
	close(fd);
}

int main(void)
{
#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, vault_bed_setup, \
					vault_bed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(mkdir_names_the_present_state),
		TEST(names_that_cannot_be_given_are_refused),
		TEST(rmdir_takes_the_name_and_leaves_the_moment),
		TEST(rename_changes_the_name_only),
		TEST(deleting_everything_at_the_root_loses_no_moment),
		TEST(only_the_owner_and_root_name_moments),
		TEST(fsync_of_history_acknowledges),
	};

	if (!vault_bed_possible())
		return 77;
	return cmocka_run_group_tests_name("view snapshot", tests, NULL, NULL);
}
