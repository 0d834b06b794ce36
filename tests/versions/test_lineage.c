/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/versions/mounted.h"

/*
 * How applications save, call by call, and what must come of it: a version
 * for each save, none for the names they use on the way.
 */

static int setup(void **state)
{
	test_project_setup(state);
	test_project_start(*state, true);
	test_mounted_settle(*state);
	return 0;
}

static void expect(struct test_project *p, const char *path, size_t n,
		   const char *last)
{
	struct vault_moment m;

	test_mounted_settle(p);
	assert_int_equal(test_project_count_versions(p, path), n);
	test_project_expect_version(p, path, n - 1, last);
	assert_int_equal(vault_moment_latest(p->tree, &m), VAULT_OK);
}

static void blender_writes_beside_and_rotates(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "x.blend@", "one");
	test_mounted_rename(p, "x.blend@", "x.blend");
	expect(p, "x.blend", 1, "one");
	node = test_project_node(p, "x.blend");
	test_mounted_save(p, "x.blend@", "two");
	test_mounted_rename(p, "x.blend", "x.blend1");
	test_mounted_rename(p, "x.blend@", "x.blend");
	expect(p, "x.blend", 2, "two");
	assert_int_equal(test_project_node(p, "x.blend"), node);
	assert_int_not_equal(test_project_node(p, "x.blend1"), node);
	test_mounted_save(p, "x.blend@", "three");
	test_mounted_rename(p, "x.blend", "x.blend1");
	test_mounted_rename(p, "x.blend@", "x.blend");
	expect(p, "x.blend", 3, "three");
	expect(p, "x.blend1", 2, "two");
	assert_false(test_project_was_ever(p, "x.blend@"));
}

static void krita_copies_a_backup_and_renames_a_temporary(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x.kra", "one");
	expect(p, "x.kra", 1, "one");
	test_mounted_save(p, "x.kra~", "one");
	test_mounted_save(p, "x.kra.Ab12Cd", "two");
	test_mounted_rename(p, "x.kra.Ab12Cd", "x.kra");
	expect(p, "x.kra", 2, "two");
	expect(p, "x.kra~", 1, "one");
	assert_false(test_project_was_ever(p, "x.kra.Ab12Cd"));
}

static void gimp_replaces_through_gio(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x.xcf", "one");
	expect(p, "x.xcf", 1, "one");
	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? "two" : "three";
		const int fd =
			test_mounted_open(p, ".goutputstream-A1B2C3", true);

		test_mounted_write(p, fd, text);
		assert_int_equal(fchmod(fd, 0640), 0);
		vault_capture_changed(p->capture,
				      vault_span_str(".goutputstream-A1B2C3"));
		test_mounted_fsync(p, fd);
		test_mounted_close(p, fd, ".goutputstream-A1B2C3");
		test_mounted_rename(p, ".goutputstream-A1B2C3", "x.xcf");
		expect(p, "x.xcf", (size_t)i + 2, text);
	}
	assert_false(test_project_was_ever(p, ".goutputstream-A1B2C3"));
}

static void photoshop_renames_away_and_in(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x.psd", "one");
	expect(p, "x.psd", 1, "one");
	test_mounted_save(p, "psA1B2.tmp", "two");
	test_mounted_rename(p, "x.psd", "~psOld.tmp");
	test_mounted_rename(p, "psA1B2.tmp", "x.psd");
	test_mounted_unlink(p, "~psOld.tmp");
	expect(p, "x.psd", 2, "two");
	assert_false(test_project_was_ever(p, "psA1B2.tmp"));
	assert_false(test_project_was_ever(p, "~psOld.tmp"));
}

static void vim_moves_the_old_file_aside(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "notes", "one");
	expect(p, "notes", 1, "one");
	node = test_project_node(p, "notes");
	test_mounted_save(p, "4913", "");
	test_mounted_unlink(p, "4913");
	test_mounted_rename(p, "notes", "notes~");
	test_mounted_save(p, "notes", "two");
	test_mounted_unlink(p, "notes~");
	expect(p, "notes", 2, "two");
	assert_int_equal(test_project_node(p, "notes"), node);
	assert_false(test_project_was_ever(p, "notes~"));
	assert_false(test_project_was_ever(p, "4913"));
}

static void vim_may_keep_its_backup(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "notes", "one");
	expect(p, "notes", 1, "one");
	node = test_project_node(p, "notes");
	test_mounted_rename(p, "notes", "notes~");
	test_mounted_save(p, "notes", "two");
	expect(p, "notes", 2, "two");
	assert_int_equal(test_project_node(p, "notes"), node);
	expect(p, "notes~", 1, "one");
}

static void rsync_renames_a_hidden_temporary(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x.png", "one");
	expect(p, "x.png", 1, "one");
	test_mounted_save(p, ".x.png.a1B2c3", "two");
	test_mounted_rename(p, ".x.png.a1B2c3", "x.png");
	expect(p, "x.png", 2, "two");
	assert_false(test_project_was_ever(p, ".x.png.a1B2c3"));
}

static void a_document_folder_may_be_swapped_whole(void **state)
{
	struct test_project *p = *state;
	uint64_t dir;
	uint64_t file;

	test_mounted_mkdir(p, "x.rtfd");
	test_mounted_save(p, "x.rtfd/TXT.rtf", "one");
	test_mounted_save(p, "x.rtfd/pic.png", "picture");
	expect(p, "x.rtfd/TXT.rtf", 1, "one");
	dir = test_project_node(p, "x.rtfd");
	file = test_project_node(p, "x.rtfd/TXT.rtf");
	test_mounted_mkdir(p, "x.rtfd.sb-1a2b3c4d-AbCdEf");
	test_mounted_save(p, "x.rtfd.sb-1a2b3c4d-AbCdEf/TXT.rtf", "two");
	test_mounted_save(p, "x.rtfd.sb-1a2b3c4d-AbCdEf/new.png", "more");
	test_mounted_exchange(p, "x.rtfd.sb-1a2b3c4d-AbCdEf", "x.rtfd");
	test_mounted_unlink(p, "x.rtfd.sb-1a2b3c4d-AbCdEf/TXT.rtf");
	test_mounted_unlink(p, "x.rtfd.sb-1a2b3c4d-AbCdEf/pic.png");
	test_mounted_rmdir(p, "x.rtfd.sb-1a2b3c4d-AbCdEf");
	expect(p, "x.rtfd/TXT.rtf", 2, "two");
	assert_int_equal(test_project_node(p, "x.rtfd"), dir);
	assert_int_equal(test_project_node(p, "x.rtfd/TXT.rtf"), file);
	assert_int_equal(test_project_node(p, "x.rtfd/pic.png"), 0);
	expect(p, "x.rtfd/new.png", 1, "more");
	assert_false(test_project_was_ever(p, "x.rtfd.sb-1a2b3c4d-AbCdEf"));
}

static void office_swaps_by_two_renames(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "plan.docx", "one");
	expect(p, "plan.docx", 1, "one");
	node = test_project_node(p, "plan.docx");
	test_mounted_save(p, "~$plan.docx", "lock");
	test_mounted_save(p, "~WRD0001.tmp", "two");
	test_mounted_rename(p, "plan.docx", "~WRL0002.tmp");
	test_mounted_rename(p, "~WRD0001.tmp", "plan.docx");
	test_mounted_unlink(p, "~WRL0002.tmp");
	test_mounted_unlink(p, "~$plan.docx");
	expect(p, "plan.docx", 2, "two");
	assert_int_equal(test_project_node(p, "plan.docx"), node);
	assert_false(test_project_was_ever(p, "~$plan.docx"));
}

static void unlink_and_create_is_a_change(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "x", "one");
	expect(p, "x", 1, "one");
	node = test_project_node(p, "x");
	test_mounted_unlink(p, "x");
	test_mounted_save(p, "x", "two");
	expect(p, "x", 2, "two");
	assert_int_equal(test_project_node(p, "x"), node);
}

static void an_exchange_keeps_both_lines(void **state)
{
	struct test_project *p = *state;
	uint64_t a;
	uint64_t b;

	test_mounted_save(p, "a", "A");
	test_mounted_save(p, "b", "B");
	test_mounted_settle(p);
	a = test_project_node(p, "a");
	b = test_project_node(p, "b");
	test_mounted_exchange(p, "a", "b");
	expect(p, "a", 2, "B");
	expect(p, "b", 2, "A");
	assert_int_equal(test_project_node(p, "a"), a);
	assert_int_equal(test_project_node(p, "b"), b);
}

static void a_rename_follows_the_file(void **state)
{
	struct test_project *p = *state;
	uint64_t node;

	test_mounted_save(p, "old", "one");
	expect(p, "old", 1, "one");
	node = test_project_node(p, "old");
	test_mounted_rename(p, "old", "new");
	test_mounted_settle(p);
	assert_int_equal(test_project_node(p, "new"), node);
	assert_int_equal(test_project_node(p, "old"), 0);
	test_mounted_save(p, "new", "two");
	expect(p, "new", 2, "two");
}

static void a_save_in_a_folder_that_moves_is_found(void **state)
{
	struct test_project *p = *state;
	uint64_t dir;

	test_mounted_mkdir(p, "a");
	test_mounted_save(p, "a/x", "one");
	expect(p, "a/x", 1, "one");
	dir = test_project_node(p, "a");
	test_mounted_save(p, "a/x", "two");
	test_mounted_rename(p, "a", "b");
	expect(p, "b/x", 2, "two");
	assert_int_equal(test_project_node(p, "b"), dir);
}

static void truncating_in_place_is_a_save(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "x.svg", "one");
	expect(p, "x.svg", 1, "one");
	test_mounted_save(p, "x.svg", "two");
	expect(p, "x.svg", 2, "two");
	/* Two saves within the quiet time are one. */
	test_mounted_save(p, "x.svg", "three");
	test_mounted_save(p, "x.svg", "four");
	expect(p, "x.svg", 3, "four");
	/* The same bytes again are none. */
	test_mounted_save(p, "x.svg", "four");
	expect(p, "x.svg", 3, "four");
}

static bool has_versions(struct test_project *p, void *ctx)
{
	const size_t *n = ctx;

	return test_project_count_versions(p, "x.clip") >= *n;
}

static void a_file_that_stays_open_is_kept_when_it_rests(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_status st;
	size_t n = 2;
	int fd;

	test_mounted_save(p, "x.clip", "aaaa");
	expect(p, "x.clip", 1, "aaaa");
	fd = test_mounted_open(p, "x.clip", false);
	assert_int_equal(pwrite(fd, "bb", 2, 1), 2);
	test_mounted_fsync(p, fd);
	test_project_wait(p, has_versions, &n);
	test_project_expect_version(p, "x.clip", 1, "abba");
	/* Without fsync it takes longer, but it comes. */
	assert_int_equal(pwrite(fd, "c", 1, 0), 1);
	n = 3;
	test_project_wait(p, has_versions, &n);
	test_project_expect_version(p, "x.clip", 2, "cbba");
	vault_capture_status(p->capture, &st);
	assert_int_equal(st.open, 1);
	test_mounted_close(p, fd, "x.clip");
	expect(p, "x.clip", 3, "cbba");
}

static void a_shared_mapping_is_a_save(void **state)
{
	struct test_project *p = *state;
	char *map;
	int fd;

	test_mounted_save(p, "x.bin", "aaaa");
	expect(p, "x.bin", 1, "aaaa");
	vault_capture_opening(p->capture, vault_span_str("x.bin"), false);
	fd = openat(p->fd, "x.bin", O_RDWR);
	assert_true(fd >= 0);
	{
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		vault_capture_opened(p->capture, st.st_dev, st.st_ino,
				     vault_span_str("x.bin"));
	}
	map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	map[2] = 'Z';
	assert_int_equal(msync(map, 4, MS_SYNC), 0);
	assert_int_equal(munmap(map, 4), 0);
	test_mounted_close(p, fd, "x.bin");
	expect(p, "x.bin", 2, "aaZa");
}

static void an_unfinished_copy_is_no_version(void **state)
{
	struct test_project *p = *state;
	const struct timespec ts = { .tv_nsec = 40000000 };
	const int fd = test_mounted_open(p, "copy.psd", true);

	/* Longer than the quiet time, and never at rest. */
	for (int i = 0; i < 20; i++) {
		test_mounted_write(p, fd, "piece ");
		nanosleep(&ts, NULL);
	}
	assert_false(test_project_was_ever(p, "copy.psd"));
	test_mounted_close(p, fd, "copy.psd");
	test_mounted_settle(p);
	assert_int_equal(test_project_count_versions(p, "copy.psd"), 1);
}

static void links_made_and_edited_stay_together(void **state)
{
	struct test_project *p = *state;

	test_mounted_save(p, "a", "one");
	expect(p, "a", 1, "one");
	test_mounted_link(p, "a", "b");
	test_mounted_settle(p);
	assert_int_equal(test_project_node(p, "a"), test_project_node(p, "b"));
	test_mounted_save(p, "b", "two");
	expect(p, "a", 2, "two");
	assert_int_equal(test_project_node(p, "a"), test_project_node(p, "b"));
}

static void expect_same_row(struct test_project *p, const char *a,
			    const char *b)
{
	struct vault_version x, y;

	assert_int_equal(vault_tree_resolve(p->tree, vault_span_str(a),
					    VAULT_AT_NOW, &x),
			 VAULT_OK);
	assert_int_equal(vault_tree_resolve(p->tree, vault_span_str(b),
					    VAULT_AT_NOW, &y),
			 VAULT_OK);
	assert_true(vault_row_same(&x.row, &y.row));
}

/* One name is edited, a folder above the other is renamed: one moment. */
static void links_are_followed_into_a_folder_that_moved(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	test_mounted_mkdir(p, "d");
	test_mounted_mkdir(p, "d/sub");
	test_mounted_save(p, "d/f", "one");
	test_mounted_link(p, "d/f", "d/sub/g");
	test_mounted_settle(p);
	test_mounted_save(p, "d/sub/g", "two");
	test_mounted_rename(p, "d", "e");
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	expect_same_row(p, "e/f", "e/sub/g");
	test_mounted_save(p, "e/f", "three");
	test_mounted_rename(p, "e/sub", "sub");
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	expect_same_row(p, "e/f", "sub/g");
	assert_int_equal(test_project_count_versions(p, "sub/g"), 3);
}

static void links_of_a_symlink_change_together(void **state)
{
	struct test_project *p = *state;
	const struct timespec past[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };
	struct vault_moment m;

	assert_int_equal(symlinkat("there", p->fd, "a"), 0);
	vault_capture_changed(p->capture, vault_span_str("a"));
	test_mounted_link(p, "a", "b");
	test_mounted_settle(p);
	assert_int_equal(test_project_node(p, "a"), test_project_node(p, "b"));
	assert_int_equal(utimensat(p->fd, "b", past, AT_SYMLINK_NOFOLLOW), 0);
	vault_capture_changed(p->capture, vault_span_str("b"));
	m = test_project_sync(p);
	test_project_expect_disk(p, m.seq);
	expect_same_row(p, "a", "b");
}

static bool has_torn(struct test_project *p, void *ctx)
{
	struct vault_version v;

	return vault_tree_resolve(p->tree, vault_span_str(ctx), VAULT_AT_NOW,
				  &v) == VAULT_OK &&
	       v.row.size > 4;
}

/* Neither fsync nor rest ever comes; after its time a state is kept. */
static void a_file_that_never_rests_is_kept_now_and_then(void **state)
{
	struct test_project *p = *state;
	struct vault_capture_options o = test_project_options();
	const struct timespec ts = { .tv_nsec = 5000000 };
	char name[] = "log.exr";
	int fd;

	test_mounted_save(p, name, "base");
	test_mounted_settle(p);
	test_project_stop(p);
	o.open_quiet_ms = 60000;
	o.busy_ms = 100;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     true, &p->capture),
			 VAULT_OK);
	test_mounted_settle(p);
	fd = test_mounted_open(p, name, false);
	assert_int_equal(lseek(fd, 0, SEEK_END), 4);
	for (int i = 0; i < 4000 && !has_torn(p, name); i++) {
		test_mounted_write(p, fd, "more ");
		nanosleep(&ts, NULL);
	}
	assert_true(has_torn(p, name));
	test_mounted_close(p, fd, name);
	test_mounted_settle(p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_project_teardown)
	const struct CMUnitTest tests[] = {
		T(blender_writes_beside_and_rotates),
		T(krita_copies_a_backup_and_renames_a_temporary),
		T(gimp_replaces_through_gio),
		T(photoshop_renames_away_and_in),
		T(vim_moves_the_old_file_aside),
		T(vim_may_keep_its_backup),
		T(rsync_renames_a_hidden_temporary),
		T(a_document_folder_may_be_swapped_whole),
		T(office_swaps_by_two_renames),
		T(unlink_and_create_is_a_change),
		T(an_exchange_keeps_both_lines),
		T(a_rename_follows_the_file),
		T(a_save_in_a_folder_that_moves_is_found),
		T(truncating_in_place_is_a_save),
		T(a_file_that_stays_open_is_kept_when_it_rests),
		T(a_shared_mapping_is_a_save),
		T(a_file_that_never_rests_is_kept_now_and_then),
		T(an_unfinished_copy_is_no_version),
		T(links_made_and_edited_stay_together),
		T(links_are_followed_into_a_folder_that_moved),
		T(links_of_a_symlink_change_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
