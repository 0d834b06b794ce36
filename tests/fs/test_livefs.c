/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the live tree, and listings, are as on the disk behind it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fs/twin.h"

/* ---- names ---- */

static void what_is_made_here_is_there_and_the_same(void **state)
{
	struct twin *f = *state;

	vault_scratch_write_str(f->mnt, "made/file", "bytes");
	assert_int_equal(symlinkat("../anywhere", f->mnt, "made/link"), 0);
	assert_int_equal(mkfifoat(f->mnt, "made/fifo", 0640), 0);
	assert_int_equal(linkat(f->mnt, "made/file", f->mnt, "made/twin", 0),
			 0);
	twin_same(f, "made");
	twin_same(f, "made/file");
	twin_same(f, "made/link");
	twin_same(f, "made/fifo");
	twin_same(f, "made/twin");
	vault_scratch_expect(f->m.back, "made/twin", vault_span_str("bytes"));
	twin_same(f, "old");
}

static void changes_behind_the_mount_show_within_a_second(void **state)
{
	struct twin *f = *state;

	vault_scratch_write_str(f->mnt, "behind/file", "one");
	vault_scratch_write_str(f->m.back, "behind/file", "and two");
	vault_scratch_write_str(f->m.back, "behind/new", "new");
	assert_int_equal(unlinkat(f->m.back, "behind/file", 0), 0);
	vault_scratch_write_str(f->m.back, "behind/file", "three is longest");
	vault_scratch_expect(f->mnt, "behind/new", vault_span_str("new"));
	usleep(1100000);
	vault_scratch_expect(f->mnt, "behind/file",
			     vault_span_str("three is longest"));
}

static void names_of_any_bytes_up_to_255_work(void **state)
{
	struct twin *f = *state;
	char name[257];

	for (int i = 0; i < 255; i++)
		name[i] = (char)(i % 255 + 1 == '/' ? 'x' : i % 255 + 1);
	name[255] = '\0';
	vault_scratch_mkdirs(f->mnt, "bytes");

	const int dir = openat(f->mnt, "bytes", O_RDONLY | O_DIRECTORY);

	assert_true(dir >= 0);
	vault_scratch_write_str(dir, name, "x");
	vault_scratch_expect(dir, name, vault_span_str("x"));
	name[255] = 'y';
	name[256] = '\0';
	twin_refused(openat(dir, name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	close(dir);
}

static void paths_longer_than_the_kernel_takes_at_once_are_reached(void **state)
{
	struct twin *f = *state;
	char name[201];
	int dir;
	int back;

	memset(name, 'd', 200);
	name[200] = '\0';
	dir = openat(f->mnt, ".", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 30; i++) {
		int next;

		assert_int_equal(mkdirat(dir, name, 0755), 0);
		next = openat(dir, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	vault_scratch_write_str(dir, "deep", "down");
	vault_scratch_expect(dir, "deep", vault_span_str("down"));
	close(dir);
	back = openat(f->m.back, ".", O_RDONLY | O_DIRECTORY);
	vault_scratch_remove(back, name);
	close(back);
}

static void renames_replace_refuse_or_exchange(void **state)
{
	struct twin *f = *state;

	vault_scratch_write_str(f->mnt, "ren/a", "a");
	vault_scratch_write_str(f->mnt, "ren/b", "b");
	twin_refused(renameat2(f->mnt, "ren/a", f->mnt, "ren/b", 1), EEXIST);
	assert_int_equal(renameat2(f->mnt, "ren/a", f->mnt, "ren/b", 2), 0);
	vault_scratch_expect(f->mnt, "ren/a", vault_span_str("b"));
	vault_scratch_expect(f->mnt, "ren/b", vault_span_str("a"));
	assert_int_equal(renameat(f->mnt, "ren/a", f->mnt, "ren/b"), 0);
	vault_scratch_expect(f->mnt, "ren/b", vault_span_str("b"));
	assert_false(vault_scratch_exists(f->mnt, "ren/a"));
	assert_false(vault_scratch_exists(f->m.back, "ren/a"));
}

static void a_moved_folder_takes_what_is_in_it_along(void **state)
{
	struct twin *f = *state;
	struct stat st;
	int fd;

	vault_scratch_write_str(f->mnt, "tree/sub/file", "x");
	fd = openat(f->mnt, "tree/sub/file", O_RDWR);
	assert_true(fd >= 0);
	vault_scratch_mkdirs(f->mnt, "tree2");
	assert_int_equal(renameat(f->mnt, "tree/sub", f->mnt, "tree2/moved"),
			 0);
	assert_int_equal(pwrite(fd, "yz", 2, 1), 2);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3);
	close(fd);
	vault_scratch_expect(f->m.back, "tree2/moved/file",
			     vault_span_str("xyz"));
	vault_scratch_write_str(f->mnt, "tree2/moved/more", "m");
	vault_scratch_expect(f->m.back, "tree2/moved/more",
			     vault_span_str("m"));
}

static void an_unlinked_open_file_goes_on_working(void **state)
{
	struct twin *f = *state;
	char bytes[8] = "";
	struct stat st;
	int fd;

	fd = openat(f->mnt, "ghost", O_CREAT | O_RDWR, 0644);
	assert_true(fd >= 0);
	assert_int_equal(unlinkat(f->mnt, "ghost", 0), 0);
	assert_int_equal(write(fd, "boo", 3), 3);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), 3);
	assert_string_equal(bytes, "boo");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(ftruncate(fd, 1), 0);
	assert_int_equal(fsetxattr(fd, "user.seen", "1", 1, 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 1);
	close(fd);
}

static void errors_are_those_of_the_disk(void **state)
{
	struct twin *f = *state;

	vault_scratch_write_str(f->mnt, "err/dir/file", "x");
	twin_refused(unlinkat(f->mnt, "err/nothing", 0), ENOENT);
	twin_refused(unlinkat(f->mnt, "err/dir", AT_REMOVEDIR), ENOTEMPTY);
	twin_refused(unlinkat(f->mnt, "err/dir", 0), EISDIR);
	twin_refused(unlinkat(f->mnt, "err/dir/file", AT_REMOVEDIR), ENOTDIR);
	twin_refused(mkdirat(f->mnt, "err/dir", 0755), EEXIST);
	twin_refused(renameat(f->mnt, "err/dir", f->mnt, "err/dir/below"),
		     EINVAL);
	vault_scratch_write_str(f->mnt, "err/other", "x");
	twin_refused(renameat(f->mnt, "err/dir", f->mnt, "err/other"), ENOTDIR);
	twin_refused(renameat(f->mnt, "err/other", f->mnt, "err/dir"), EISDIR);
	twin_refused(
		openat(f->mnt, "err/dir/file", O_CREAT | O_EXCL | O_RDWR, 0600),
		EEXIST);
	twin_refused(openat(f->mnt, "err/dir/file/x", O_RDONLY), ENOTDIR);
	twin_refused(openat(f->mnt, "err/dir", O_RDWR), EISDIR);
	twin_refused(linkat(f->mnt, "err/dir", f->mnt, "err/l", 0), EPERM);
	twin_refused(openat(f->mnt, "err", O_TMPFILE | O_RDWR, 0600),
		     EOPNOTSUPP);
}

/* ---- names that are not the user's ---- */

static void the_vault_is_not_there(void **state)
{
	struct twin *f = *state;
	const char *v = VAULT_PROJECT_VAULT_NAME;
	struct dirent *de;
	struct stat st;
	DIR *d;

	assert_int_equal(fstatat(f->m.back, v, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	twin_refused(fstatat(f->mnt, v, &st, 0), ENOENT);
	twin_refused(mkdirat(f->mnt, v, 0755), EPERM);
	twin_refused(openat(f->mnt, v, O_CREAT | O_RDWR, 0600), EPERM);
	twin_refused(symlinkat("x", f->mnt, v), EPERM);
	twin_refused(renameat(f->mnt, "old", f->mnt, v), EPERM);
	twin_refused(renameat(f->mnt, v, f->mnt, "stolen"), ENOENT);
	twin_refused(openat(f->mnt, "deep/../.artvault/lock", O_RDONLY),
		     ENOENT);
	d = fdopendir(openat(f->mnt, ".", O_RDONLY | O_DIRECTORY));
	assert_non_null(d);
	while ((de = readdir(d)) != NULL)
		assert_string_not_equal(de->d_name, v);
	closedir(d);
	/* Deeper in the tree it is a name like any other. */
	vault_scratch_write_str(f->mnt, "deep/.artvault", "mine");
	vault_scratch_expect(f->mnt, "deep/.artvault", vault_span_str("mine"));
}

static void names_of_views_cannot_be_made_anywhere(void **state)
{
	static const char *const names[] = { ".diff", ".layers" };
	struct twin *f = *state;
	char path[64];
	struct stat st;

	vault_scratch_write_str(f->mnt, "views/file", "x");
	for (size_t i = 0; i < 2; i++) {
		for (int deep = 0; deep < 2; deep++) {
			snprintf(path, sizeof(path), "%s%s",
				 deep ? "views/" : "", names[i]);
			twin_refused(fstatat(f->mnt, path, &st, 0), ENOENT);
			twin_refused(mkdirat(f->mnt, path, 0755), EPERM);
			twin_refused(
				openat(f->mnt, path, O_CREAT | O_RDWR, 0600),
				EPERM);
			twin_refused(symlinkat("x", f->mnt, path), EPERM);
			twin_refused(mknodat(f->mnt, path, S_IFIFO | 0600, 0),
				     EPERM);
			twin_refused(
				linkat(f->mnt, "views/file", f->mnt, path, 0),
				EPERM);
			twin_refused(
				renameat(f->mnt, "views/file", f->mnt, path),
				EPERM);
		}
	}
}

static void a_real_entry_below_the_root_shadows_the_view(void **state)
{
	struct twin *f = *state;

	vault_scratch_expect(f->mnt, "deep/.layers", vault_span_str("real"));
	/* It may go; then the name is the view's. */
	assert_int_equal(
		renameat(f->mnt, "deep/.layers", f->mnt, "deep/layers"), 0);
	twin_refused(renameat(f->mnt, "deep/layers", f->mnt, "deep/.layers"),
		     EPERM);
}

static void the_root_tells_where_the_daemon_listens(void **state)
{
	struct twin *f = *state;
	char value[4096];
	char list[4096];
	ssize_t n;

	n = fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, value, sizeof(value));
	assert_true(n > 1);
	assert_int_equal(value[0], '/');
	assert_int_equal(fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, NULL, 0),
			 n);
	twin_refused(
		(int)fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, value, 1),
		ERANGE);
	twin_refused(fsetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, "x", 1, 0),
		     EPERM);
	n = flistxattr(f->mnt, list, sizeof(list));
	assert_true(n >= 0);
	assert_null(memmem(list, (size_t)n, "artvault", 8));
}

/* ---- listing ---- */

static void a_listing_can_be_left_and_taken_up_again(void **state)
{
	struct twin *f = *state;
	static char names[700][NAME_MAX + 1];
	long at[700];
	char name[32];
	struct dirent *de;
	size_t n = 0;
	DIR *d;

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "list/%d", i);
		vault_scratch_write_str(f->mnt, name, "");
	}
	d = fdopendir(openat(f->mnt, "list", O_RDONLY | O_DIRECTORY));
	assert_non_null(d);
	for (;;) {
		at[n] = telldir(d);
		de = readdir(d);
		if (de == NULL)
			break;
		snprintf(names[n++], sizeof(names[0]), "%s", de->d_name);
		assert_true(n < 700);
	}
	assert_int_equal(n, 502);
	for (size_t i = 0; i < n; i += 37) {
		seekdir(d, at[i]);
		de = readdir(d);
		assert_non_null(de);
		assert_string_equal(de->d_name, names[i]);
	}
	rewinddir(d);
	vault_scratch_write_str(f->mnt, "list/late", "");
	rewinddir(d);
	for (n = 0; readdir(d) != NULL; n++)
		;
	assert_int_equal(n, 503);
	closedir(d);
}

static void removing_while_listing_empties_a_folder(void **state)
{
	struct twin *f = *state;
	char name[32];
	struct dirent *de;
	DIR *d;
	int fd;

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "rm/%d", i);
		vault_scratch_write_str(f->mnt, name, "");
	}
	fd = openat(f->mnt, "rm", O_RDONLY | O_DIRECTORY);
	d = fdopendir(fd);
	assert_non_null(d);
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			assert_int_equal(unlinkat(fd, de->d_name, 0), 0);
	closedir(d);
	assert_int_equal(unlinkat(f->mnt, "rm", AT_REMOVEDIR), 0);
}

/* With --user: as one, who mounts through fusermount3. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_here_is_there_and_the_same),
		cmocka_unit_test(changes_behind_the_mount_show_within_a_second),
		cmocka_unit_test(names_of_any_bytes_up_to_255_work),
		cmocka_unit_test(
			paths_longer_than_the_kernel_takes_at_once_are_reached),
		cmocka_unit_test(renames_replace_refuse_or_exchange),
		cmocka_unit_test(a_moved_folder_takes_what_is_in_it_along),
		cmocka_unit_test(an_unlinked_open_file_goes_on_working),
		cmocka_unit_test(errors_are_those_of_the_disk),
		cmocka_unit_test(the_vault_is_not_there),
		cmocka_unit_test(names_of_views_cannot_be_made_anywhere),
		cmocka_unit_test(a_real_entry_below_the_root_shadows_the_view),
		cmocka_unit_test(the_root_tells_where_the_daemon_listens),
		cmocka_unit_test(a_listing_can_be_left_and_taken_up_again),
		cmocka_unit_test(removing_while_listing_empties_a_folder),
	};

	vault_mounted_or_skip();
	if (argc > 1 && strcmp(argv[1], "--user") == 0)
		vault_mounted_become_user();
	return cmocka_run_group_tests(tests, twin_setup, twin_teardown);
}
