/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/versions/project.h"
#include "versions/restore.h"

/* ---- names ---- */

static void expect_name(const char *name, const char *moment,
			const char *expected)
{
	struct vault_buf b = VAULT_BUF_INIT;

	assert_int_equal(
		vault_restore_beside_name(vault_span_str(name), moment, &b),
		VAULT_OK);
	assert_string_equal(vault_buf_cstr(&b), expected);
	vault_buf_release(&b);
}

static void the_last_extension_stays_last(void **state)
{
	(void)state;
	expect_name("hero.psd", "M", "hero (M).psd");
	expect_name("hero.tar.gz", "M", "hero.tar (M).gz");
	expect_name("README", "M", "README (M)");
	expect_name(".bashrc", "M", ".bashrc (M)");
	expect_name(".a.b", "M", ".a (M).b");
	expect_name("dot.", "M", "dot (M).");
}

static void a_name_is_cut_between_characters(void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;
	char name[256];

	(void)state;
	/* 125 letters of two bytes and ".psd". */
	for (size_t i = 0; i < 250; i += 2)
		memcpy(name + i, "\xC3\xA4", 2);
	memcpy(name + 250, ".psd", 5);
	assert_int_equal(vault_restore_beside_name(vault_span_str(name),
						   "2026-11-20_10-30-00", &b),
			 VAULT_OK);
	assert_true(b.len <= 255);
	assert_true(b.len >= 253);
	assert_memory_equal(b.data + b.len - 26, " (2026-11-20_10-30-00).psd",
			    26);
	for (size_t i = 0; i + 26 < b.len; i++)
		assert_int_equal(b.data[i], i % 2 == 0 ? 0xC3 : 0xA4);
	vault_buf_release(&b);
}

/* ---- trees ---- */

static void put(struct test_project *p, const char *name, const char *text)
{
	vault_scratch_write_str(p->fd, name, text);
}

static vault_err bring(struct test_project *p, const char *path, uint64_t at,
		       const char *to, bool replace)
{
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	uint64_t failed;
	vault_err err;

	assert_int_equal(vault_restore_writer_create(p->fd, to, &w, &sink),
			 VAULT_OK);
	err = vault_restore_walk(p->tree, vault_span_str(path), at, NULL, NULL,
				 &sink, &failed);
	if (err == VAULT_OK)
		err = vault_restore_writer_finish(w, replace);
	vault_restore_writer_destroy(w);
	return err;
}

/* Nothing of an unfinished restore may be left in the project. */
static void expect_no_leftovers(struct test_project *p)
{
	DIR *d = fdopendir(openat(p->fd, ".", O_RDONLY | O_DIRECTORY));
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		assert_null(strstr(e->d_name, "artvault-restore"));
	closedir(d);
}

static void expect_text(struct test_project *p, const char *name,
			const char *text)
{
	vault_scratch_expect(p->fd, name, vault_span_str(text));
}

static void a_file_comes_back_beside(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	put(p, "a/hero.psd", "one");
	m = test_project_sync(p);
	put(p, "a/hero.psd", "two");
	assert_int_equal(bring(p, "a/hero.psd", m.seq, "old.psd", false),
			 VAULT_OK);
	expect_text(p, "old.psd", "one");
	expect_text(p, "a/hero.psd", "two");
	expect_no_leftovers(p);
}

static void a_name_that_is_taken_is_not_touched(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	put(p, "hero", "one");
	m = test_project_sync(p);
	put(p, "taken", "mine");
	assert_int_equal(bring(p, "hero", m.seq, "taken", false),
			 VAULT_ERR_EXISTS);
	expect_text(p, "taken", "mine");
	vault_scratch_mkdirs(p->fd, "dir");
	assert_int_equal(bring(p, "hero", m.seq, "dir", false),
			 VAULT_ERR_EXISTS);
	expect_no_leftovers(p);
}

static void replacing_swaps_files_and_folders(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;
	struct vault_moment now;

	put(p, "d/a", "one");
	put(p, "d/sub/b", "one");
	put(p, "f", "one");
	m = test_project_sync(p);
	put(p, "d/a", "two");
	put(p, "d/new", "two");
	vault_scratch_remove(p->fd, "d/sub");
	put(p, "f", "two");
	assert_int_equal(bring(p, "d", m.seq, "d", true), VAULT_OK);
	assert_int_equal(bring(p, "f", m.seq, "f", true), VAULT_OK);
	expect_text(p, "d/a", "one");
	expect_text(p, "d/sub/b", "one");
	expect_text(p, "f", "one");
	assert_false(vault_scratch_exists(p->fd, "d/new"));
	/* A folder may take a file's place and the other way round. */
	assert_int_equal(bring(p, "d", m.seq, "f", true), VAULT_OK);
	expect_text(p, "f/a", "one");
	assert_int_equal(bring(p, "f", m.seq, "d", true), VAULT_OK);
	expect_text(p, "d", "one");
	expect_no_leftovers(p);
	now = test_project_sync(p);
	test_project_expect_disk(p, now.seq);
}

static void a_read_only_folder_can_be_replaced(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;
	struct stat st;

	put(p, "d/e/f", "one");
	assert_int_equal(fchmodat(p->fd, "d/e", 0500, 0), 0);
	m = test_project_sync(p);
	assert_int_equal(bring(p, "d", m.seq, "d", true), VAULT_OK);
	assert_int_equal(fstatat(p->fd, "d/e", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0500);
	expect_text(p, "d/e/f", "one");
	expect_no_leftovers(p);
}

static void what_was_not_there_says_so(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;

	put(p, "a", "one");
	m = test_project_sync(p);
	assert_int_equal(bring(p, "b", m.seq, "x", false), VAULT_ERR_NOT_FOUND);
	assert_false(vault_scratch_exists(p->fd, "x"));
	expect_no_leftovers(p);
}

static vault_err deny_b(void *ctx, struct vault_span path,
			const struct vault_version *v)
{
	(void)ctx;
	(void)v;
	return vault_span_equal(path, vault_span_str("d/b")) ? VAULT_ERR_DENIED
							     : VAULT_OK;
}

static void what_may_not_be_seen_is_left_out_and_counted(void **state)
{
	struct test_project *p = *state;
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_moment m;
	uint64_t failed = 0;

	put(p, "d/a", "a");
	put(p, "d/b/c", "c");
	put(p, "d/e", "e");
	m = test_project_sync(p);
	assert_int_equal(vault_restore_writer_create(p->fd, "out", &w, &sink),
			 VAULT_OK);
	assert_int_equal(vault_restore_walk(p->tree, vault_span_str("d"), m.seq,
					    deny_b, NULL, &sink, &failed),
			 VAULT_OK);
	assert_int_equal(vault_restore_writer_finish(w, false), VAULT_OK);
	vault_restore_writer_destroy(w);
	assert_int_equal(failed, 1);
	expect_text(p, "out/a", "a");
	expect_text(p, "out/e", "e");
	assert_false(vault_scratch_exists(p->fd, "out/b"));
}

static void a_writer_that_is_given_up_leaves_nothing(void **state)
{
	struct test_project *p = *state;
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_moment m;
	uint64_t failed;

	put(p, "d/a", "a");
	m = test_project_sync(p);
	assert_int_equal(vault_restore_writer_create(p->fd, "out", &w, &sink),
			 VAULT_OK);
	assert_int_equal(vault_restore_walk(p->tree, vault_span_str("d"), m.seq,
					    NULL, NULL, &sink, &failed),
			 VAULT_OK);
	vault_restore_writer_destroy(w);
	assert_false(vault_scratch_exists(p->fd, "out"));
	expect_no_leftovers(p);
}

/* A vault's bytes are foreign: no path in them leads out of the folder. */
static void no_path_leads_elsewhere(void **state)
{
	static const char *const paths[] = { "..",  "../x",   "a/../../x",
					     "/x",  "a//x",   "a/./x",
					     "./x", "link/x", "a/link/x" };
	struct test_project *p = *state;
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_restore_item item = {
		.row = { .kind = VAULT_KIND_DIR, .mode = 0755, .node = 1 }
	};

	assert_int_equal(vault_restore_writer_create(p->fd, "out", &w, &sink),
			 VAULT_OK);
	assert_int_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	item.path = vault_span_str("a");
	assert_int_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	item.row.kind = VAULT_KIND_SYMLINK;
	item.target = vault_span_str("../..");
	item.path = vault_span_str("link");
	assert_int_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	assert_int_equal(sink.end(sink.ctx, &item), VAULT_OK);
	item.path = vault_span_str("a/link");
	assert_int_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	assert_int_equal(sink.end(sink.ctx, &item), VAULT_OK);
	item.row.kind = VAULT_KIND_FILE;
	item.target = VAULT_SPAN_EMPTY;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		item.path = vault_span_str(paths[i]);
		assert_int_not_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	}
	item.path = vault_span_str("a/y");
	item.link_to = vault_span_str("../../x");
	assert_int_equal(sink.begin(sink.ctx, &item), VAULT_OK);
	assert_int_not_equal(sink.end(sink.ctx, &item), VAULT_OK);
	vault_restore_writer_destroy(w);
	assert_false(vault_scratch_exists(p->fd, "x"));
	assert_false(vault_scratch_exists(p->scratch.fd, "x"));
	expect_no_leftovers(p);
}

static void a_hole_stays_a_hole(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;
	struct stat st;
	int fd = openat(p->fd, "sparse", O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
	assert_int_equal(ftruncate(fd, 128 << 20), 0);
	close(fd);
	m = test_project_sync(p);
	assert_int_equal(bring(p, "sparse", m.seq, "back", false), VAULT_OK);
	assert_int_equal(fstatat(p->fd, "back", &st, 0), 0);
	assert_int_equal(st.st_size, 128 << 20);
	assert_true(st.st_blocks * 512 < 8 << 20);
	test_project_sync(p);
}

/* More of them than the walk makes room for at first. */
static void many_links_come_back_as_links(void **state)
{
	struct test_project *p = *state;
	struct vault_moment m;
	struct stat st;
	char one[24];
	char two[24];

	for (int i = 0; i < 100; i++) {
		snprintf(one, sizeof(one), "d/a%d", i);
		snprintf(two, sizeof(two), "d/z%d", i);
		put(p, one, one);
		assert_int_equal(linkat(p->fd, one, p->fd, two, 0), 0);
	}
	m = test_project_sync(p);
	assert_int_equal(bring(p, "d", m.seq, "out", false), VAULT_OK);
	for (int i = 0; i < 100; i++) {
		snprintf(one, sizeof(one), "out/z%d", i);
		assert_int_equal(fstatat(p->fd, one, &st, 0), 0);
		assert_int_equal(st.st_nlink, 2);
		snprintf(two, sizeof(two), "d/a%d", i);
		expect_text(p, one, two);
	}
}

static void add_row(struct vault_commit *c, const char *name,
		    const struct vault_row *row)
{
	const struct vault_backing backing = { .dev = 1, .ino = row->node };

	assert_int_equal(vault_commit_add(c, VAULT_NODE_ROOT,
					  vault_span_str(name), row, &backing),
			 VAULT_OK);
}

/* Contents that are not in the vault: files and links are missing and
 * counted, a file whose attributes alone are gone is there without them. */
static void what_is_not_in_the_vault_is_counted(void **state)
{
	struct test_project *p = *state;
	struct vault_commit *c;
	struct vault_version v;
	struct vault_row row;
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_moment m;
	uint64_t failed = 0;

	put(p, "file", "whole");
	test_project_sync(p);
	assert_int_equal(vault_tree_resolve(p->tree, vault_span_str("file"),
					    VAULT_AT_NOW, &v),
			 VAULT_OK);
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	row = v.row;
	row.node = vault_tree_new_node(p->tree);
	row.xattrs.b[0] = 1;
	add_row(c, "bare", &row);
	row.node = vault_tree_new_node(p->tree);
	row.xattrs = VAULT_ID_NONE;
	row.content.b[0] ^= 1;
	add_row(c, "gone", &row);
	row.node = vault_tree_new_node(p->tree);
	row.kind = VAULT_KIND_SYMLINK;
	add_row(c, "link", &row);
	assert_int_equal(
		vault_tree_commit(p->tree, c, VAULT_CAUSE_SAVE, false, &m),
		VAULT_OK);
	vault_commit_destroy(c);

	assert_int_equal(vault_restore_writer_create(p->fd, "out", &w, &sink),
			 VAULT_OK);
	assert_int_equal(vault_restore_walk(p->tree, VAULT_SPAN_EMPTY, m.seq,
					    NULL, NULL, &sink, &failed),
			 VAULT_ERR_DANGLING);
	assert_int_equal(vault_restore_writer_finish(w, false), VAULT_OK);
	vault_restore_writer_destroy(w);
	assert_int_equal(failed, 3);
	expect_text(p, "out/file", "whole");
	expect_text(p, "out/bare", "whole");
	assert_false(vault_scratch_exists(p->fd, "out/gone"));
	assert_false(vault_scratch_exists(p->fd, "out/link"));
}

static void damage_is_counted_and_the_rest_comes(void **state)
{
	struct test_project *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_buf bytes = VAULT_BUF_INIT;
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_moment m;
	uint64_t failed = 0;
	struct dirent *e;
	DIR *d;
	vault_err err;

	vault_scratch_bytes(&r, &bytes, 3 << 20);
	vault_scratch_write(p->fd, "d/big", vault_buf_span(&bytes));
	put(p, "d/a", "small and before");
	put(p, "d/z", "small and behind");
	m = test_project_sync(p);
	vault_tree_close(p->tree);
	d = fdopendir(openat(p->vaultfd, "packs", O_RDONLY | O_DIRECTORY));
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char name[300];

		if (strstr(e->d_name, ".pack") == NULL)
			continue;
		snprintf(name, sizeof(name), "packs/%s", e->d_name);
		vault_scratch_flip(p->vaultfd, name, 2 << 20, 0x10);
	}
	closedir(d);
	p->tree = NULL;
	assert_int_equal(vault_tree_open(p->vaultfd, NULL, &p->tree), VAULT_OK);
	assert_int_equal(vault_restore_writer_create(p->fd, "out", &w, &sink),
			 VAULT_OK);
	err = vault_restore_walk(p->tree, vault_span_str("d"), m.seq, NULL,
				 NULL, &sink, &failed);
	assert_true(err == VAULT_ERR_CORRUPT || err == VAULT_ERR_DANGLING);
	assert_int_equal(failed, 1);
	assert_int_equal(vault_restore_writer_finish(w, false), VAULT_OK);
	vault_restore_writer_destroy(w);
	expect_text(p, "out/a", "small and before");
	expect_text(p, "out/z", "small and behind");
	assert_false(vault_scratch_exists(p->fd, "out/big"));
	vault_buf_release(&bytes);
}

int main(void)
{
#define T(f)                                                   \
	cmocka_unit_test_setup_teardown(f, test_project_setup, \
					test_project_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_extension_stays_last),
		cmocka_unit_test(a_name_is_cut_between_characters),
		T(a_file_comes_back_beside),
		T(a_name_that_is_taken_is_not_touched),
		T(replacing_swaps_files_and_folders),
		T(a_read_only_folder_can_be_replaced),
		T(what_was_not_there_says_so),
		T(what_may_not_be_seen_is_left_out_and_counted),
		T(a_writer_that_is_given_up_leaves_nothing),
		T(no_path_leads_elsewhere),
		T(a_hole_stays_a_hole),
		T(many_links_come_back_as_links),
		T(what_is_not_in_the_vault_is_counted),
		T(damage_is_counted_and_the_rest_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
