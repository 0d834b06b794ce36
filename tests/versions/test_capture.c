/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/versions/project.h"

static void put(struct test_project *p, const char *name, const char *text)
{
	vault_scratch_write_str(p->fd, name, text);
}

/* A tree with one of everything. */
static void fill(struct test_project *p)
{
	struct vault_scratch_random r = vault_scratch_seed(7);
	struct vault_buf b = VAULT_BUF_INIT;
	int fd;

	vault_scratch_bytes(&r, &b, 700000);
	vault_scratch_write(p->fd, "hero.psd", vault_buf_span(&b));
	vault_buf_release(&b);
	put(p, "chars/a.kra", "line art");
	put(p, "chars/deep/er/b.kra", "colour");
	put(p, "empty", "");
	vault_scratch_mkdirs(p->fd, "void/inner");
	assert_int_equal(symlinkat("../nowhere/at all", p->fd, "chars/link"),
			 0);
	assert_int_equal(mkfifoat(p->fd, "pipe", 0640), 0);
	assert_int_equal(linkat(p->fd, "chars/a.kra", p->fd, "twin.kra", 0), 0);
	assert_int_equal(linkat(p->fd, "chars/a.kra", p->fd, "void/third", 0),
			 0);
	if (geteuid() == 0) {
		assert_int_equal(
			mknodat(p->fd, "dev", S_IFCHR | 0600, makedev(1, 3)),
			0);
		assert_int_equal(fchownat(p->fd, "empty", 1234, 4321, 0), 0);
	}
	fd = openat(p->fd, "sparse.bin", O_RDWR | O_CREAT, 0604);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 5000000), 1);
	assert_int_equal(ftruncate(fd, 9000001), 0);
	(void)fsetxattr(fd, "user.xdg.tags", "a,b", 3, 0);
	close(fd);
	assert_int_equal(fchmodat(p->fd, "chars/deep", 0555, 0), 0);
	assert_int_equal(fchmodat(p->fd, "hero.psd", 06711, 0), 0);
}

static void what_was_captured_comes_back_exactly(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	fill(p);
	m = test_project_sync(p);
	assert_int_equal(m.cause, VAULT_CAUSE_INITIAL);
	test_project_expect_disk(p, m.seq);
	test_project_reopen(p);
	test_project_expect_disk(p, m.seq);
}

static void an_empty_project_has_a_first_moment(void **state)
{
	struct test_project *p = *state;
	const struct vault_moment m = test_project_sync(p);

	assert_int_equal(m.cause, VAULT_CAUSE_INITIAL);
	assert_false(m.partial);
	assert_int_equal(test_project_count_moments(p), 1);
}

static void nothing_changed_makes_no_moment(void **state)
{
	struct test_project *p = *state;
	struct vault_moment a;
	struct vault_moment b;

	fill(p);
	a = test_project_sync(p);
	b = test_project_sync(p);
	assert_int_equal(a.seq, b.seq);
	assert_int_equal(test_project_count_moments(p), 1);
	/* A name that comes and goes leaves only its folder's time. */
	put(p, "gone", "x");
	assert_int_equal(unlinkat(p->fd, "gone", 0), 0);
	b = test_project_sync(p);
	assert_int_equal(a.seq, b.seq);
}

static void every_edit_is_a_version_and_old_ones_stay(void **state)
{
	struct test_project *p = *state;
	char text[32];

	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "state %d", i);
		put(p, "a/hero.txt", text);
		test_project_sync(p);
	}
	assert_int_equal(test_project_count_versions(p, "a/hero.txt"), 5);
	for (size_t i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "state %zu", i);
		test_project_expect_version(p, "a/hero.txt", i, text);
	}
	assert_int_equal(test_project_count_moments(p), 5);
}

static void equal_bytes_and_touches_make_no_version(void **state)
{
	struct test_project *p = *state;
	struct vault_moment a;
	struct vault_moment b;

	put(p, "f", "same");
	a = test_project_sync(p);
	put(p, "f", "same");
	b = test_project_sync(p);
	/* The time is a row of its own, so the tree at b has it. */
	assert_int_not_equal(a.seq, b.seq);
	test_project_expect_disk(p, b.seq);
	assert_int_equal(fchmodat(p->fd, "f", 0600, 0), 0);
	b = test_project_sync(p);
	test_project_expect_disk(p, b.seq);
	assert_int_equal(test_project_count_versions(p, "f"), 1);
}

static void a_rename_keeps_the_line_of_versions(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	put(p, "old", "one");
	put(p, "x/other", "other");
	test_project_sync(p);
	node = test_project_node(p, "old");
	assert_int_equal(renameat(p->fd, "old", p->fd, "x/new"), 0);
	test_project_sync(p);
	assert_int_equal(test_project_node(p, "x/new"), node);
	assert_int_equal(test_project_node(p, "old"), 0);
	put(p, "x/new", "two");
	test_project_sync(p);
	assert_int_equal(test_project_count_versions(p, "x/new"), 2);
	test_project_expect_version(p, "x/new", 0, "one");
}

static void a_renamed_folder_keeps_all_lines(void **state)
{
	struct test_project *p = *state;
	uint64_t dir;
	uint64_t file;
	struct vault_moment before;
	struct vault_moment m;

	put(p, "a/b/file", "one");
	put(p, "a/c", "two");
	before = test_project_sync(p);
	dir = test_project_node(p, "a/b");
	file = test_project_node(p, "a/b/file");
	assert_int_equal(renameat(p->fd, "a", p->fd, "z"), 0);
	assert_int_equal(renameat(p->fd, "z/b", p->fd, "b2"), 0);
	m = test_project_sync(p);
	assert_int_equal(test_project_node(p, "b2"), dir);
	assert_int_equal(test_project_node(p, "b2/file"), file);
	assert_int_equal(test_project_node(p, "a"), 0);
	test_project_expect_disk(p, m.seq);
	assert_int_not_equal(before.seq, m.seq);
}

static void hard_links_are_one_node_versioned_together(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;
	int fd;

	put(p, "a", "one");
	test_project_sync(p);
	assert_int_equal(linkat(p->fd, "a", p->fd, "b", 0), 0);
	m = test_project_sync(p);
	assert_int_equal(test_project_node(p, "a"), test_project_node(p, "b"));
	test_project_expect_disk(p, m.seq);
	fd = openat(p->fd, "b", O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "two", 3), 3);
	close(fd);
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	assert_int_equal(test_project_count_versions(p, "a"), 2);
	assert_int_equal(unlinkat(p->fd, "a", 0), 0);
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	assert_int_equal(test_project_count_versions(p, "b"), 2);
}

static void what_is_deleted_is_gone_and_was_there(void **state)
{
	struct test_project *p = *state;
	struct vault_moment before;
	struct vault_moment m;
	struct vault_version v;

	put(p, "d/e/f", "text");
	put(p, "keep", "k");
	before = test_project_sync(p);
	vault_scratch_remove(p->fd, "d");
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	assert_int_equal(test_project_node(p, "d/e/f"), 0);
	assert_int_equal(vault_tree_resolve(p->tree, vault_span_str("d/e/f"),
					    before.seq, &v),
			 VAULT_OK);
	assert_true(test_project_was_ever(p, "d/e/f"));
}

static void a_name_may_change_its_kind(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	put(p, "x/inner", "in a folder");
	put(p, "y", "a file");
	test_project_sync(p);
	vault_scratch_remove(p->fd, "x");
	put(p, "x", "a file now");
	vault_scratch_remove(p->fd, "y");
	put(p, "y/inner", "in a folder now");
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	vault_scratch_remove(p->fd, "x");
	assert_int_equal(symlinkat("y", p->fd, "x"), 0);
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
}

static void ignored_names_are_not_there(void **state)
{
	struct test_project *p = *state;

	put(p, ".artvaultignore", "render/\n*.log\n");
	put(p, "render/1.exr", "x");
	put(p, "a.log", "x");
	put(p, "hero.blend@", "x");
	put(p, "a.psd", "x");
	test_project_sync(p);
	assert_false(test_project_was_ever(p, "render"));
	assert_false(test_project_was_ever(p, "render/1.exr"));
	assert_false(test_project_was_ever(p, "a.log"));
	assert_false(test_project_was_ever(p, "hero.blend@"));
	assert_false(test_project_was_ever(p, ".artvault"));
	assert_true(test_project_was_ever(p, "a.psd"));
	assert_true(test_project_was_ever(p, ".artvaultignore"));
}

static void what_is_ignored_later_stays_as_it_was(void **state)
{
	struct test_project *p = *state;

	put(p, "a.log", "first");
	put(p, "b/c.log", "first");
	test_project_sync(p);
	put(p, ".artvaultignore", "*.log\n");
	put(p, "a.log", "second");
	test_project_sync(p);
	assert_int_not_equal(test_project_node(p, "a.log"), 0);
	assert_int_equal(test_project_count_versions(p, "a.log"), 1);
}

static vault_err count_loss(void *ctx, struct vault_span path,
			    const char *reason, int64_t time)
{
	size_t *n = ctx;

	assert_true(path.len > 0);
	assert_non_null(reason);
	assert_true(time > 0);
	(*n)++;
	return VAULT_OK;
}

static size_t count_losses(struct test_project *p)
{
	size_t n = 0;

	assert_int_equal(
		vault_capture_each_not_kept(p->capture, count_loss, &n),
		VAULT_OK);
	return n;
}

/* The reader is this thread alone, and it reads as nobody in particular. */
static void a_file_that_may_not_be_read_is_named(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_options o = test_project_options();
	const bool root = geteuid() == 0;

	o.threads = 1;
	put(p, "secret", "s");
	put(p, "open", "o");
	assert_int_equal(fchmodat(p->fd, "secret", root ? 0600 : 0, 0), 0);
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     false, &p->capture),
			 VAULT_OK);
	if (root)
		(void)setfsuid(65534);
	test_project_sync(p);
	if (root)
		(void)setfsuid(0);
	assert_int_equal(count_losses(p), 1);
	assert_true(test_project_was_ever(p, "open"));
	assert_false(test_project_was_ever(p, "secret"));
	assert_int_equal(fchmodat(p->fd, "secret", 0644, 0), 0);
	test_project_sync(p);
	assert_int_equal(count_losses(p), 0);
	assert_true(test_project_was_ever(p, "secret"));
}

static void a_full_disk_pauses_and_says_so(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_options o = test_project_options();
	struct vault_capture_status s;
	struct vault_moment m;

	put(p, "a", "x");
	o.min_free_bytes = UINT64_MAX / 2;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     false, &p->capture),
			 VAULT_OK);
	assert_int_equal(vault_capture_sync(p->capture, VAULT_CAUSE_SYNC, NULL,
					    NULL, &m),
			 VAULT_ERR_NO_SPACE);
	vault_capture_status(p->capture, &s);
	assert_true(s.paused);
	assert_true(s.free_bytes < s.need_bytes);
	test_project_stop(p);
	test_project_sync(p);
	assert_int_equal(test_project_count_versions(p, "a"), 1);
}

static bool has_partial_rows(struct test_project *p, void *ctx)
{
	(void)ctx;
	return test_project_node(p, "d00/f0") != 0;
}

/* Killed on the way, it goes on where it was, and what it has is listed only
 * when it has everything. */
static void an_interrupted_first_capture_goes_on(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_options o = test_project_options();
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_moment m;
	uint64_t node;
	char name[32];

	vault_scratch_bytes(&r, &b, 60000);
	for (int d = 0; d < 60; d++) {
		for (int f = 0; f < 50; f++) {
			snprintf(name, sizeof(name), "d%02d/f%d", d, f);
			b.data[f]++;
			vault_scratch_write(p->fd, name, vault_buf_span(&b));
		}
	}
	vault_buf_release(&b);
	o.batch_ms = 0;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     true, &p->capture),
			 VAULT_OK);
	test_project_wait(p, has_partial_rows, NULL);
	test_project_stop(p);
	test_project_reopen(p);
	node = test_project_node(p, "d00/f0");
	assert_int_not_equal(node, 0);
	m = test_project_sync(p);
	assert_int_equal(m.cause, VAULT_CAUSE_INITIAL);
	assert_int_equal(test_project_node(p, "d00/f0"), node);
	assert_int_equal(test_project_count_moments(p), 1);
	test_project_expect_disk(p, m.seq);
}

static bool is_first_done(struct test_project *p, void *ctx)
{
	struct vault_capture_status s;

	(void)ctx;
	vault_capture_status(p->capture, &s);
	return !s.scanning;
}

static void a_change_while_not_mounted_is_one_offline_moment(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	put(p, "a", "one");
	put(p, "b", "one");
	put(p, "c", "one");
	test_project_sync(p);
	put(p, "a", "two");
	assert_int_equal(renameat(p->fd, "b", p->fd, "moved"), 0);
	assert_int_equal(unlinkat(p->fd, "c", 0), 0);
	test_project_start(p, true);
	test_project_wait(p, is_first_done, NULL);
	assert_int_equal(vault_moment_latest(p->tree, &m), VAULT_OK);
	assert_int_equal(m.cause, VAULT_CAUSE_OFFLINE);
	assert_int_equal(test_project_count_moments(p), 2);
	test_project_expect_disk(p, m.seq);
}

static void a_rescan_finds_what_happened_behind_the_mount(void **state)
{
	struct test_project *p = *state;

	put(p, "a/x", "one");
	test_project_start(p, true);
	test_project_wait(p, is_first_done, NULL);
	put(p, "a/x", "two");
	put(p, "a/y", "new");
	assert_int_equal(vault_capture_rescan(p->capture), VAULT_OK);
	assert_int_equal(test_project_count_versions(p, "a/x"), 2);
	assert_int_equal(test_project_count_versions(p, "a/y"), 1);
}

/* Wherever it lies, a vault never swallows itself. */
static void a_vault_deeper_in_the_project_is_left_out(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_options o = test_project_options();

	vault_scratch_mkdirs(p->fd, "a");
	assert_int_equal(renameat(p->fd, ".artvault", p->fd, "a/store"), 0);
	o.vault_name = NULL;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     false, &p->capture),
			 VAULT_OK);
	test_project_sync(p);
	assert_true(test_project_was_ever(p, "a"));
	assert_false(test_project_was_ever(p, "a/store"));
	test_project_stop(p);
}

/* A tree of random edits, compared with the disk after each round. */
static void any_edits_are_found_by_a_scan(void **state)
{
	struct test_project *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(42);
	struct vault_moment m;
	char a[64];
	char b[64];
	char text[64];

	for (int turn = 0; turn < 12; turn++) {
		for (int i = 0; i < 30; i++) {
			snprintf(a, sizeof(a), "d%d/e%d/f%d",
				 (int)vault_scratch_below(&r, 3),
				 (int)vault_scratch_below(&r, 3),
				 (int)vault_scratch_below(&r, 4));
			snprintf(b, sizeof(b), "d%d/e%d",
				 (int)vault_scratch_below(&r, 3),
				 (int)vault_scratch_below(&r, 3));
			snprintf(text, sizeof(text), "%d %d", turn, i);
			switch (vault_scratch_below(&r, 6)) {
			case 0:
				vault_scratch_remove(p->fd, a);
				break;
			case 1:
				if (vault_scratch_below(&r, 6) == 0)
					vault_scratch_remove(p->fd, b);
				break;
			case 2:
				(void)renameat(p->fd, b, p->fd, "d0/e9");
				break;
			case 3:
				(void)renameat(p->fd, a, p->fd, "d1/moved");
				break;
			case 4:
				(void)linkat(p->fd, a, p->fd, "d2", 0);
				break;
			default:
				put(p, a, text);
				break;
			}
		}
		vault_scratch_mkdirs(p->fd, "d0");
		vault_scratch_mkdirs(p->fd, "d1");
		m = test_project_sync(p);
		test_project_expect_disk(p, m.seq);
	}
}

int main(void)
{
#define T(f)                                                   \
	cmocka_unit_test_setup_teardown(f, test_project_setup, \
					test_project_teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_captured_comes_back_exactly),
		T(an_empty_project_has_a_first_moment),
		T(nothing_changed_makes_no_moment),
		T(every_edit_is_a_version_and_old_ones_stay),
		T(equal_bytes_and_touches_make_no_version),
		T(a_rename_keeps_the_line_of_versions),
		T(a_renamed_folder_keeps_all_lines),
		T(hard_links_are_one_node_versioned_together),
		T(what_is_deleted_is_gone_and_was_there),
		T(a_name_may_change_its_kind),
		T(ignored_names_are_not_there),
		T(what_is_ignored_later_stays_as_it_was),
		T(a_file_that_may_not_be_read_is_named),
		T(a_full_disk_pauses_and_says_so),
		T(an_interrupted_first_capture_goes_on),
		T(a_change_while_not_mounted_is_one_offline_moment),
		T(a_rescan_finds_what_happened_behind_the_mount),
		T(a_vault_deeper_in_the_project_is_left_out),
		T(any_edits_are_found_by_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
