/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes are found again, follow renames, and go when nobody needs them. */
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

#include "fs/inode.h"
#include "tests/support/scratch.h"

struct fixture {
	struct vault_scratch scratch;
	struct vault_inode_table *t;
};

static int set_up(void **state, bool handles)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	vault_scratch_init(&f->scratch);
	vault_scratch_write_str(f->scratch.fd, "a/b/file", "x");
	assert_int_equal(
		vault_inode_table_create(f->scratch.fd, handles, &f->t),
		VAULT_OK);
	return 0;
}

static int with_handles(void **state)
{
	return set_up(state, true);
}

static int by_names(void **state)
{
	return set_up(state, false);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vault_inode_table_destroy(f->t);
	vault_scratch_release(&f->scratch);
	free(f);
	return 0;
}

static struct vault_inode *look(struct fixture *f, struct vault_inode *dir,
				const char *name)
{
	struct vault_inode *i = NULL;
	struct vault_inode_fd fd;
	struct stat st;

	assert_int_equal(vault_inode_reach(f->t, dir, &fd), 0);
	assert_int_equal(vault_inode_lookup(f->t, dir, fd.fd, name, &st, &i),
			 0);
	vault_inode_unreach(&fd);
	return i;
}

static int reach(struct fixture *f, struct vault_inode *i, ino_t *ino)
{
	struct vault_inode_fd fd;
	struct stat st;
	const int err = vault_inode_reach(f->t, i, &fd);

	if (err != 0)
		return err;
	assert_int_equal(fstatat(fd.fd, "", &st, AT_EMPTY_PATH), 0);
	*ino = st.st_ino;
	vault_inode_unreach(&fd);
	return 0;
}

static void expect_path(struct fixture *f, struct vault_inode *i,
			const char *name, const char *path)
{
	struct vault_buf b = VAULT_BUF_INIT;

	assert_true(vault_inode_path(f->t, i, name, &b));
	assert_non_null(vault_buf_cstr(&b));
	assert_string_equal((char *)b.data, path);
	vault_buf_release(&b);
}

/* Rename on the disk and in the table, as the file system does. */
static void move(struct fixture *f, struct vault_inode *from_parent,
		 const char *from, const char *from_path,
		 struct vault_inode *to_parent, const char *to,
		 const char *to_path)
{
	struct vault_inode_victim over = { .fd = -1 };
	struct vault_inode_key key;
	struct stat st;
	struct vault_inode_move m = { .from_parent = from_parent,
				      .from = from,
				      .key = &key,
				      .to_parent = to_parent,
				      .to = to };

	assert_int_equal(vault_inode_stat(f->scratch.fd, from_path, &st, &key),
			 0);
	if (vault_inode_victim_open(f->scratch.fd, to_path, &over) == 0)
		m.over = &over;
	assert_int_equal(
		renameat(f->scratch.fd, from_path, f->scratch.fd, to_path), 0);
	vault_inode_moved(f->t, &m);
	vault_inode_victim_close(&over);
}

static void a_file_is_one_inode_until_the_kernel_lets_go(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *a = look(f, vault_inode_root(f->t), "a");
	struct vault_inode *b = look(f, a, "b");
	struct vault_inode *file = look(f, b, "file");
	ino_t ino;

	assert_ptr_equal(look(f, b, "file"), file);
	assert_int_equal(vault_inode_table_count(f->t), 4);
	expect_path(f, file, NULL, "a/b/file");
	expect_path(f, b, "new", "a/b/new");
	assert_int_equal(reach(f, file, &ino), 0);
	assert_int_equal(ino, vault_inode_key(file)->ino);

	/* Parents stay for their children, whatever order is kept. */
	vault_inode_forget(f->t, a, 1);
	vault_inode_forget(f->t, b, 1);
	assert_int_equal(vault_inode_table_count(f->t), 4);
	assert_int_equal(reach(f, file, &ino), 0);
	vault_inode_forget(f->t, file, 1);
	assert_int_equal(vault_inode_table_count(f->t), 4);
	vault_inode_forget(f->t, file, 1);
	assert_int_equal(vault_inode_table_count(f->t), 1);
}

static void a_moved_folder_is_found_with_all_below(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	struct vault_inode *a = look(f, root, "a");
	struct vault_inode *b = look(f, a, "b");
	struct vault_inode *file = look(f, b, "file");
	ino_t ino;

	move(f, a, "b", "a/b", root, "c", "c");
	expect_path(f, file, NULL, "c/file");
	assert_int_equal(reach(f, file, &ino), 0);
	assert_int_equal(ino, vault_inode_key(file)->ino);
	vault_inode_forget(f->t, a, 1);
	vault_inode_forget(f->t, b, 1);
	vault_inode_forget(f->t, file, 1);
	assert_int_equal(vault_inode_table_count(f->t), 1);
}

static void a_hard_link_is_found_by_the_name_that_is_left(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	struct vault_inode_victim v;
	struct vault_inode *file;
	ino_t ino;

	vault_scratch_write_str(f->scratch.fd, "one", "1");
	assert_int_equal(linkat(f->scratch.fd, "one", f->scratch.fd, "two", 0),
			 0);
	file = look(f, root, "one");
	assert_ptr_equal(look(f, root, "two"), file);
	expect_path(f, file, NULL, "two");
	assert_int_equal(vault_inode_victim_open(f->scratch.fd, "two", &v), 0);
	assert_int_equal(unlinkat(f->scratch.fd, "two", 0), 0);
	vault_inode_unlinked(f->t, root, "two", &v);
	vault_inode_victim_close(&v);
	expect_path(f, file, NULL, "one");
	assert_int_equal(reach(f, file, &ino), 0);
	vault_inode_forget(f->t, file, 2);
	assert_int_equal(vault_inode_table_count(f->t), 1);
}

static void what_was_just_unlinked_is_still_reached(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	struct vault_inode *files[300];
	struct vault_inode_victim v;
	char name[16];
	ino_t ino;

	for (size_t n = 0; n < 300; n++) {
		snprintf(name, sizeof(name), "f%d", (int)n);
		vault_scratch_write_str(f->scratch.fd, name, "x");
		files[n] = look(f, root, name);
		assert_int_equal(
			vault_inode_victim_open(f->scratch.fd, name, &v), 0);
		assert_int_equal(unlinkat(f->scratch.fd, name, 0), 0);
		vault_inode_unlinked(f->t, root, name, &v);
		vault_inode_victim_close(&v);
		assert_int_equal(reach(f, files[n], &ino), 0);
		assert_int_equal(ino, vault_inode_key(files[n])->ino);
	}
	/* The oldest have made room. */
	assert_int_equal(reach(f, files[0], &ino), ESTALE);
	assert_int_equal(reach(f, files[299], &ino), 0);
	for (size_t n = 0; n < 300; n++)
		vault_inode_forget(f->t, files[n], 1);
	assert_int_equal(vault_inode_table_count(f->t), 1);
}

static void another_file_of_the_same_name_is_another_inode(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	struct vault_inode *old;
	struct vault_inode *new;
	ino_t ino;

	vault_scratch_write_str(f->scratch.fd, "n", "old");
	old = look(f, root, "n");
	vault_scratch_write_str(f->scratch.fd, "other", "new");
	assert_int_equal(renameat(f->scratch.fd, "other", f->scratch.fd, "n"),
			 0);
	new = look(f, root, "n");
	assert_ptr_not_equal(old, new);
	/* Replaced behind our back: never the wrong file. */
	assert_int_equal(reach(f, old, &ino), ESTALE);
	assert_int_equal(reach(f, new, &ino), 0);
	assert_int_equal(ino, vault_inode_key(new)->ino);
	vault_inode_forget(f->t, old, 1);
	vault_inode_forget(f->t, new, 1);
}

static void folders_turned_inside_out_behind_us_make_no_loop(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	struct vault_inode *a = look(f, root, "a");
	struct vault_inode *b = look(f, a, "b");
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_inode *again = NULL;
	struct stat st;
	int fd;

	assert_int_equal(renameat(f->scratch.fd, "a/b", f->scratch.fd, "b"), 0);
	assert_int_equal(renameat(f->scratch.fd, "a", f->scratch.fd, "b/a"), 0);
	fd = openat(f->scratch.fd, "b", O_PATH | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(vault_inode_lookup(f->t, b, fd, "a", &st, &again), 0);
	close(fd);
	assert_ptr_equal(again, a);
	/* Where b is now we have not been told. */
	assert_false(vault_inode_path(f->t, a, NULL, &path));
	assert_ptr_equal(look(f, root, "b"), b);
	expect_path(f, a, NULL, "b/a");
	vault_inode_forget(f->t, a, 2);
	vault_inode_forget(f->t, b, 2);
	assert_int_equal(vault_inode_table_count(f->t), 1);
	vault_buf_release(&path);
}

static void many_inodes_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct vault_inode *root = vault_inode_root(f->t);
	static struct vault_inode *files[5000];
	char name[16];

	for (size_t n = 0; n < 5000; n++) {
		snprintf(name, sizeof(name), "m%d", (int)n);
		vault_scratch_write_str(f->scratch.fd, name, "");
		files[n] = look(f, root, name);
	}
	assert_int_equal(vault_inode_table_count(f->t), 5001);
	for (size_t n = 0; n < 5000; n++) {
		snprintf(name, sizeof(name), "m%d", (int)n);
		assert_ptr_equal(look(f, root, name), files[n]);
		vault_inode_forget(f->t, files[n], 2);
	}
	assert_int_equal(vault_inode_table_count(f->t), 1);
}

#define BOTH(f)                                                      \
	cmocka_unit_test_setup_teardown(f, with_handles, tear_down), \
		cmocka_unit_test_setup_teardown(f, by_names, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_file_is_one_inode_until_the_kernel_lets_go),
		BOTH(a_moved_folder_is_found_with_all_below),
		BOTH(a_hard_link_is_found_by_the_name_that_is_left),
		BOTH(what_was_just_unlinked_is_still_reached),
		BOTH(another_file_of_the_same_name_is_another_inode),
		cmocka_unit_test_setup_teardown(
			folders_turned_inside_out_behind_us_make_no_loop,
			by_names, tear_down),
		BOTH(many_inodes_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
