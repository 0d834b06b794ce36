/* SPDX-License-Identifier: Apache-2.0 */

/* `.history` through a real mount. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "tests/support/bed.h"

#define TOP_BIT ((uint64_t)1 << 63)

/* `format` below the mount's root, in storage that is reused after 64 calls. */
static const char *at(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static const char *at(const char *format, ...)
{
	static char paths[64][512];
	static unsigned next;
	char *p = paths[next++ % 64];
	va_list args;

	va_start(args, format);
	vsnprintf(p, sizeof(paths[0]), format, args);
	va_end(args);
	return p;
}

static struct stat stat_of(const struct vault_bed *b, const char *path)
{
	struct stat st;

	if (fstatat(b->mntfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static int error_of_stat(const struct vault_bed *b, const char *path)
{
	struct stat st;

	return fstatat(b->mntfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0
								      : errno;
}

static bool lists(const struct vault_bed *b, const char *dir, const char *name)
{
	int fd = openat(b->mntfd, dir, O_RDONLY | O_DIRECTORY);
	bool found = false;
	struct dirent *e;
	DIR *d;

	assert_true(fd >= 0);
	d = fdopendir(fd);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		found = found || !strcmp(e->d_name, name);
	closedir(d);
	return found;
}

static size_t count_listed(const struct vault_bed *b, const char *dir)
{
	int fd = openat(b->mntfd, dir, O_RDONLY | O_DIRECTORY);
	size_t n = 0;
	struct dirent *e;
	DIR *d;

	assert_true(fd >= 0);
	d = fdopendir(fd);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' && strcmp(e->d_name, "CACHEDIR.TAG");
	closedir(d);
	return n;
}

static void write_live(struct vault_bed *b, const char *name, const char *text)
{
	vault_scratch_write_str(b->mntfd, name, text);
}

static void expect_text(struct vault_bed *b, const char *path, const char *text)
{
	vault_scratch_expect(b->mntfd, path, vault_span_str(text));
}

/* ---- the tree as it was ---- */

static void make_rich_tree(struct vault_bed *b)
{
	const struct timespec old[2] = { { 1000000000, 123456789 },
					 { 1000000000, 123456789 } };
	struct vault_scratch_random r = vault_scratch_seed(7);
	struct vault_buf bytes = VAULT_BUF_INIT;
	const int fd = b->projectfd;
	char acl[44] = { 2 };
	int hero;

	vault_scratch_bytes(&r, &bytes, 3000000);
	vault_scratch_write(fd, "hero.psd", vault_buf_span(&bytes));
	vault_scratch_write_str(fd, "chars/a/deep.txt", "deep");
	vault_scratch_write_str(fd, "empty", "");
	vault_scratch_write_str(fd, "tool", "#!/bin/sh\n");
	vault_scratch_mkdirs(fd, "nothing/in/it");
	assert_int_equal(symlinkat("../somewhere else", fd, "chars/link"), 0);
	assert_int_equal(fchmodat(fd, "tool", 04755, 0), 0);
	assert_int_equal(fchmodat(fd, "empty", 0, 0), 0);
	assert_int_equal(fchmodat(fd, "chars/a", 01770, 0), 0);
	assert_int_equal(fchownat(fd, "chars/a/deep.txt", 1234, 4321, 0), 0);
	assert_int_equal(mkfifoat(fd, "chars/pipe", 0640), 0);
	hero = openat(fd, "hero.psd", O_RDONLY);
	assert_int_equal(fsetxattr(hero, "user.note", "n\0te", 4, 0), 0);
	assert_int_equal(fsetxattr(hero, "user.artvault.moment", "mine", 4, 0),
			 0);
	acl[4] = 1, acl[6] = 6;			/* owner */
	acl[12] = 2, acl[14] = 4, acl[16] = 77; /* user 77 may read */
	acl[20] = 4, acl[22] = 4;
	acl[28] = 0x10, acl[30] = 4;
	acl[36] = 0x20;
	for (unsigned i = 0; i < 5; i++)
		if (i != 1)
			memset(acl + 8 + 8 * i, 0xff, 4);
	assert_int_equal(fsetxattr(hero, "system.posix_acl_access", acl, 44, 0),
			 0);
	close(hero);
	assert_int_equal(utimensat(fd, "hero.psd", old, 0), 0);
	assert_int_equal(utimensat(fd, "chars", old, 0), 0);
	vault_buf_release(&bytes);
}

/* Contents, then names, types, modes, owners, times and targets. */
static void expect_same_tree(struct vault_bed *b, const char *one,
			     const char *other)
{
	setenv("ONE", one, 1);
	setenv("OTHER", other, 1);
	assert_int_equal(
		vault_bed_shell(
			b,
			"list() { (eval cd \"$1\" && find . -exec stat -c "
			"'%n %F %a %u %g %Y %y %N' {} + | sort; "
			"find . -type f -exec stat -c '%n %s' {} + | sort); }; "
			"eval diff -r -x pipe --no-dereference $ONE $OTHER && "
			"list \"$ONE\" >../one; list \"$OTHER\" >../other; "
			"diff ../one ../other && grep -q hero ../one"),
		0);
}

static void a_moment_is_the_whole_tree_as_it_was(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	const char *copied;
	char value[64];

	make_rich_tree(b);
	assert_int_equal(vault_bed_shell(b, "cp -a ../project ../aside && "
					    "chmod u-s ../aside/tool"),
			 0);
	vault_bed_commit(b, m);
	assert_int_equal(
		vault_bed_shell(b, "rm -r chars && mv nothing something && "
				   "echo more >> hero.psd && rm empty"),
		0);
	setenv("MOMENT", m, 1);
	expect_same_tree(b, "../aside", ".history/$MOMENT");
	assert_int_equal(vault_bed_shell(b, "cp -a .history/$MOMENT ../copy"),
			 0);
	expect_same_tree(b, "../aside", "../copy");
	copied = vault_scratch_path(&b->scratch, "copy/hero.psd");
	assert_int_equal(lgetxattr(copied, "user.note", value, 16), 4);
	assert_int_equal(
		lgetxattr(copied, "system.posix_acl_access", value, 64), 44);
	/* A copy does not say that it is of some moment. */
	assert_int_equal(lgetxattr(copied, "user.artvault.moment", value, 16),
			 -1);
	assert_int_equal(lgetxattr(copied, "user.artvault.digest", value, 16),
			 -1);
}

static void sizes_and_links_are_those_of_the_past(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	struct stat st;

	make_rich_tree(b);
	vault_bed_commit(b, m);
	st = stat_of(b, at(".history/%s/hero.psd", m));
	assert_int_equal(st.st_size, 3000000);
	assert_int_equal(st.st_blocks, (3000000 + 511) / 512);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(st.st_ctim.tv_sec, 1000000000);
	assert_true(st.st_ino & TOP_BIT);
	st = stat_of(b, at(".history/%s/tool", m));
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	st = stat_of(b, at(".history/%s/chars/a", m));
	assert_int_equal(st.st_mode, S_IFDIR | 01770);
	assert_int_equal(st.st_nlink, 2);
	st = stat_of(b, at(".history/%s/chars/pipe", m));
	assert_int_equal(st.st_mode, S_IFIFO | 0640);
}

/* ---- names ---- */

static void every_way_of_naming_a_time_leads_there(void **state)
{
	static const char *const later[] = { "latest", "2099", "2099-01-01",
					     "@99999999999" };
	struct vault_bed *b = *state;
	struct vault_moment one, two;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];
	char text[VAULT_WHEN_NAME_MAX];

	write_live(b, "f", "one");
	one = vault_bed_commit(b, m1);
	write_live(b, "f", "two");
	two = vault_bed_commit(b, m2);
	assert_true(two.time > one.time);
	expect_text(b, at(".history/%s/f", m1), "one");
	expect_text(b, at(".history/%s/f", m2), "two");
	expect_text(b, ".history/previous/f", "one");
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		expect_text(b, at(".history/%s/f", later[i]), "two");
	expect_text(b, at(".history/@%lld/f", (long long)one.time), "one");
	vault_when_gmt(one.time, text);
	expect_text(b, at(".history/%s/f", text), "one");
	vault_when_rfc3339(one.time, text);
	expect_text(b, at(".history/%s/f", text), "one");
	/* Nothing of these is listed. */
	assert_false(lists(b, ".history", "latest"));
	assert_false(lists(b, ".history", text));
	assert_true(lists(b, ".history", m1));
	assert_true(lists(b, ".history", m2));
}

static void what_is_no_moment_is_not_there(void **state)
{
	static const char *const names[] = {
		"now",	 "nonsense",   "1999",	".history",  ".timeline",
		".diff", ".layers",    "..x",	"latest2",   "2026-13-77",
		".git",	 "0000-00-00", ".gmtx", "@GMT-nope",
	};
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];

	write_live(b, "f", "one");
	vault_bed_commit(b, m);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (error_of_stat(b, at(".history/%s", names[i])) != ENOENT)
			fail_msg("%s is there", names[i]);
	}
	assert_int_equal(error_of_stat(b, ".diff"), ENOENT);
	assert_int_equal(error_of_stat(b, ".layers"), ENOENT);
	assert_int_equal(error_of_stat(b, at(".history/%s/.history", m)),
			 ENOENT);
	assert_int_equal(error_of_stat(b, at(".history/%s/.timeline", m)),
			 ENOENT);
	assert_int_equal(error_of_stat(b, at(".history/%s/.layers", m)),
			 ENOENT);
	assert_int_equal(error_of_stat(b, "f/.history"), ENOTDIR);
	assert_int_equal(mkdirat(b->mntfd, ".diff", 0755), -1);
	assert_int_equal(errno, EPERM);
}

static void a_subfolder_lists_only_what_changed_below_it(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];
	char m3[VAULT_WHEN_NAME_MAX];

	write_live(b, "a/x/f", "one");
	write_live(b, "b/g", "one");
	vault_bed_commit(b, m1);
	write_live(b, "b/g", "two");
	vault_bed_commit(b, m2);
	write_live(b, "a/x/f", "two");
	vault_bed_commit(b, m3);
	assert_true(lists(b, "a/.history", m1));
	assert_false(lists(b, "a/.history", m2));
	assert_true(lists(b, "a/.history", m3));
	assert_int_equal(count_listed(b, "a/.history"), 2);
	assert_int_equal(count_listed(b, "b/.history"), 2);
	assert_int_equal(count_listed(b, ".history"), 3);
	/* What is not listed resolves all the same. */
	expect_text(b, at("a/.history/%s/x/f", m2), "one");
	expect_text(b, at("a/x/.history/%s/f", m3), "two");
	expect_text(b, at("a/x/.history/previous/f"), "one");
	/* A folder has no past before it was there. */
	write_live(b, "new/f", "x");
	assert_int_equal(error_of_stat(b, at("new/.history/%s", m1)), ENOENT);
	assert_int_equal(count_listed(b, "new/.history"), 0);
}

static void the_views_are_listed_at_the_root_alone(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];

	write_live(b, "a/f", "x");
	vault_bed_commit(b, m);
	assert_true(lists(b, ".", ".history"));
	assert_true(lists(b, ".", ".timeline"));
	assert_false(lists(b, ".", ".diff"));
	assert_false(lists(b, ".", ".layers"));
	assert_false(lists(b, "a", ".history"));
	assert_false(lists(b, at(".history/%s", m), ".history"));
	assert_int_equal(error_of_stat(b, "a/.history"), 0);
}

static void hidden_views_are_listed_nowhere_and_found_all_the_same(void **state)
{
	char m[VAULT_WHEN_NAME_MAX];
	struct vault_bed b;

	(void)state;
	vault_bed_init(&b, VAULT_VIEW_LIST_HIDDEN);
	write_live(&b, "a/f", "x");
	vault_bed_commit(&b, m);
	assert_false(lists(&b, ".", ".history"));
	assert_false(lists(&b, ".", ".timeline"));
	assert_int_equal(count_listed(&b, "."), 1);
	expect_text(&b, at(".history/%s/a/f", m), "x");
	expect_text(&b, at(".timeline/a/f/%s", m), "x");
	assert_int_equal(vault_bed_shell(&b, "test \"$(find . | wc -l)\" = 3"),
			 0);
	vault_bed_release(&b);
}

static void a_new_moment_is_there_at_once(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	write_live(b, "f", "one");
	vault_bed_commit(b, m1);
	assert_int_equal(count_listed(b, ".history"), 1);
	expect_text(b, ".history/latest/f", "one");
	write_live(b, "f", "two");
	vault_bed_commit(b, m2);
	assert_int_equal(count_listed(b, ".history"), 2);
	assert_int_equal(error_of_stat(b, at(".history/%s", m2)), 0);
	expect_text(b, ".history/latest/f", "two");
}

static void samba_finds_its_list(void **state)
{
	struct vault_bed *b = *state;
	struct vault_moment one;
	char m[VAULT_WHEN_NAME_MAX], gmt[VAULT_WHEN_NAME_MAX];

	write_live(b, "a/f", "one");
	one = vault_bed_commit(b, m);
	write_live(b, "g", "one");
	vault_bed_commit(b, m);
	vault_when_gmt(one.time, gmt);
	assert_false(lists(b, ".history", ".gmt"));
	assert_true(lists(b, ".history/.gmt", gmt));
	assert_int_equal(count_listed(b, ".history/.gmt"), 2);
	assert_int_equal(count_listed(b, "a/.history/.gmt"), 1);
	expect_text(b, at(".history/.gmt/%s/a/f", gmt), "one");
	/* Any other second, too; and nothing that is no such name. */
	vault_when_gmt(one.time + 5000, gmt);
	expect_text(b, at(".history/.gmt/%s/g", gmt), "one");
	assert_int_equal(error_of_stat(b, at(".history/.gmt/%s", m)), ENOENT);
	assert_int_equal(error_of_stat(b, ".history/.gmt/latest"), ENOENT);
}

static void crawlers_find_their_markers(void **state)
{
	struct vault_bed *b = *state;
	struct stat st;

	write_live(b, "a/f", "x");
	assert_true(lists(b, ".history", ".nomedia"));
	assert_true(lists(b, ".history", "CACHEDIR.TAG"));
	assert_false(lists(b, "a/.history", ".nomedia"));
	expect_text(b, ".history/.nomedia", "");
	expect_text(b, ".timeline/.ignore", "*\n");
	expect_text(b, "a/.history/CACHEDIR.TAG",
		    "Signature: 8a477f597d28d172789f06886806bc55\n");
	st = stat_of(b, ".history/.plexignore");
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(st.st_size, 2);
}

/* ---- nodes ---- */

static void an_unchanged_file_is_one_inode_through_all_moments(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];
	struct stat one, two;

	write_live(b, "a/same", "same");
	write_live(b, "a/other", "one");
	vault_bed_commit(b, m1);
	write_live(b, "a/other", "two");
	vault_bed_commit(b, m2);
	one = stat_of(b, at(".history/%s/a/same", m1));
	two = stat_of(b, at(".history/%s/a/same", m2));
	assert_int_equal(one.st_ino, two.st_ino);
	two = stat_of(b, at("a/.history/%s/same", m2));
	assert_int_equal(one.st_ino, two.st_ino);
	one = stat_of(b, at(".history/%s/a/other", m1));
	two = stat_of(b, at(".history/%s/a/other", m2));
	assert_true(one.st_ino != two.st_ino);
	one = stat_of(b, at(".history/%s/a", m1));
	two = stat_of(b, at(".history/%s/a", m2));
	assert_true(one.st_ino != two.st_ino);
	two = stat_of(b, "a");
	assert_true((two.st_ino & TOP_BIT) == 0);
}

static void a_working_directory_in_the_past_knows_its_name(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];

	write_live(b, "a/x/f", "x");
	vault_bed_commit(b, m);
	setenv("MOMENT", m, 1);
	assert_int_equal(
		vault_bed_shell(b, "here=$(pwd -P); "
				   "cd .history/$MOMENT/a/x && "
				   "cd ../../../latest/a/x && "
				   "cd ../../../../a/x/.history/$MOMENT && "
				   "test $(/bin/pwd) = "
				   "$here/a/x/.history/$MOMENT && "
				   "cd ../.. && test $(/bin/pwd) = $here/a/x"),
		0);
	assert_int_equal(vault_bed_shell(b, "find .history .timeline "
					    "-exec stat {} + >/dev/null && "
					    "ls -laR .history >/dev/null"),
			 0);
}

static void everything_else_is_read_only(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	const char *f;

	write_live(b, "a/f", "x");
	vault_bed_commit(b, m);
	f = at(".history/%s/a/f", m);
#define READ_ONLY(call)                         \
	do {                                    \
		errno = 0;                      \
		assert_int_equal(call, -1);     \
		assert_int_equal(errno, EROFS); \
	} while (0)
	READ_ONLY(openat(b->mntfd, f, O_WRONLY));
	READ_ONLY(openat(b->mntfd, f, O_RDWR));
	READ_ONLY(openat(b->mntfd, f, O_RDONLY | O_TRUNC));
	READ_ONLY(openat(b->mntfd, ".history/new", O_CREAT | O_WRONLY, 0644));
	READ_ONLY(unlinkat(b->mntfd, f, 0));
	READ_ONLY(fchmodat(b->mntfd, f, 0600, 0));
	READ_ONLY(fchownat(b->mntfd, f, 1, 1, 0));
	READ_ONLY(utimensat(b->mntfd, f, NULL, 0));
	READ_ONLY(symlinkat("x", b->mntfd, at(".history/%s/a/s", m)));
	READ_ONLY(mkdirat(b->mntfd, at(".history/%s/a/d", m), 0755));
	READ_ONLY(mkdirat(b->mntfd, "a/.history/name", 0755));
	READ_ONLY(mkdirat(b->mntfd, ".timeline/name", 0755));
	READ_ONLY(unlinkat(b->mntfd, at(".history/%s/a", m), AT_REMOVEDIR));
	READ_ONLY(unlinkat(b->mntfd, at(".history/%s", m), AT_REMOVEDIR));
	READ_ONLY(unlinkat(b->mntfd, ".history/.nomedia", 0));
	READ_ONLY(renameat(b->mntfd, f, b->mntfd, at(".history/%s/a/g", m)));
	READ_ONLY(linkat(b->mntfd, f, b->mntfd, at(".history/%s/a/g", m), 0));
	READ_ONLY(setxattr(vault_scratch_path(&b->scratch, at("mnt/%s", f)),
			   "user.x", "y", 1, 0));
	expect_text(b, f, "x");
}

/* ---- reading ---- */

static void bytes_come_back_however_they_are_read(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_buf bytes = VAULT_BUF_INIT;
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	uint8_t part[5000];
	void *map;
	int fd;

	vault_scratch_bytes(&r, &bytes, 5 << 20);
	vault_scratch_write(b->mntfd, "big", vault_buf_span(&bytes));
	vault_bed_commit(b, m);
	vault_scratch_write_str(b->mntfd, "big", "gone");
	fd = openat(b->mntfd, at(".history/%s/big", m), O_RDONLY);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 300; i++) {
		const uint64_t off = vault_scratch_below(&r, bytes.len);
		const size_t left = bytes.len - off;
		const size_t want = left < sizeof(part) ? left : sizeof(part);

		assert_int_equal(pread(fd, part, sizeof(part), (off_t)off),
				 want);
		assert_memory_equal(part, bytes.data + off, want);
	}
	map = mmap(NULL, bytes.len, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_memory_equal(map, bytes.data, bytes.len);
	munmap(map, bytes.len);
	close(fd);
	vault_scratch_expect(b->mntfd, at(".history/%s/big", m),
			     vault_buf_span(&bytes));
	vault_buf_release(&bytes);
}

static void holes_are_still_holes(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	int fd, old;

	fd = openat(b->projectfd, "sparse", O_CREAT | O_RDWR, 0644);
	assert_int_equal(pwrite(fd, "x", 1, 4 << 20), 1);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	vault_bed_commit(b, m);
	old = openat(b->mntfd, at(".history/%s/sparse", m), O_RDONLY);
	assert_true(old >= 0);
	assert_int_equal(lseek(old, 0, SEEK_HOLE), 0);
	assert_in_range(lseek(old, 0, SEEK_DATA), 1 << 20, 4 << 20);
	assert_in_range(lseek(old, 4 << 20, SEEK_HOLE), (4 << 20) + 1, 8 << 20);
	assert_int_equal(lseek(old, 12 << 20, SEEK_DATA), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(lseek(old, 0, SEEK_END), 16 << 20);
	close(old);
	close(fd);
	vault_scratch_write_str(b->mntfd, "empty", "");
	vault_scratch_write_str(b->mntfd, "full", "abc");
	vault_bed_commit(b, m);
	old = openat(b->mntfd, at(".history/%s/full", m), O_RDONLY);
	assert_int_equal(lseek(old, 0, SEEK_DATA), 0);
	assert_int_equal(lseek(old, 1, SEEK_HOLE), 3);
	close(old);
	old = openat(b->mntfd, at(".history/%s/empty", m), O_RDONLY);
	assert_int_equal(lseek(old, 0, SEEK_DATA), -1);
	assert_int_equal(errno, ENXIO);
	close(old);
}

static void a_large_folder_lists_each_name_once(void **state)
{
	enum { N = 3000 };
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	bool *seen = calloc(N, sizeof(*seen));
	struct dirent *e;
	size_t n = 0;
	long half = -1;
	DIR *d;

	assert_non_null(seen);
	for (unsigned i = 0; i < N; i++)
		vault_scratch_write_str(b->projectfd, at("many/file%04u", i),
					"x");
	vault_bed_commit(b, m);
	d = fdopendir(openat(b->mntfd, at(".history/%s/many", m), O_RDONLY));
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		unsigned i;

		if (sscanf(e->d_name, "file%4u", &i) != 1)
			continue;
		assert_true(i < N && !seen[i]);
		assert_true(e->d_ino & TOP_BIT);
		assert_int_equal(e->d_type, DT_REG);
		seen[i] = true;
		if (++n == N / 2)
			half = telldir(d);
	}
	assert_int_equal(n, N);
	seekdir(d, half);
	for (n = 0; readdir(d) != NULL; n++)
		;
	assert_int_equal(n, N / 2);
	closedir(d);
	free(seen);
}

/* ---- many at once ---- */

struct reader {
	struct vault_bed *b;
	const char *moment;
	atomic_bool *stop;
	unsigned rounds;
	bool failed;
};

static bool reads(const struct vault_bed *b, const char *dir, const char *m,
		  const char *rest, char want)
{
	char path[128], byte = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s%s", dir, m,
		 rest[0] != 0 ? "/" : "", rest);
	fd = openat(b->mntfd, path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte == want || (want == 0 && byte != 0);
}

static bool walks(const struct vault_bed *b, const char *dir)
{
	DIR *d = fdopendir(openat(b->mntfd, dir, O_RDONLY | O_DIRECTORY));
	struct dirent *e;

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		/* All that is listed is there. */
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			break;
	}
	closedir(d);
	return e == NULL;
}

static void *read_on(void *arg)
{
	struct reader *r = arg;

	while (!atomic_load(r->stop) && !r->failed) {
		r->failed = !reads(r->b, ".history", r->moment, "a/f", '1') ||
			    !reads(r->b, ".history", "latest", "a/f", 0) ||
			    !reads(r->b, "a/.history", r->moment, "f", '1') ||
			    !reads(r->b, ".timeline/a/f", r->moment, "", '1') ||
			    !walks(r->b, ".history") ||
			    !walks(r->b, ".timeline/a/f");
		r->rounds++;
	}
	return NULL;
}

static void readers_and_new_moments_do_not_disturb_each_other(void **state)
{
	enum { READERS = 4, MOMENTS = 12 };
	struct vault_bed *b = *state;
	struct reader readers[READERS];
	pthread_t threads[READERS];
	char first[VAULT_WHEN_NAME_MAX], m[VAULT_WHEN_NAME_MAX];
	atomic_bool stop = false;

	write_live(b, "a/f", "1");
	vault_bed_commit(b, first);
	for (size_t i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ b, first, &stop, 0, false };
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_on, &readers[i]),
			0);
	}
	for (unsigned i = 0; i < MOMENTS; i++) {
		write_live(b, "a/f", at("%u", 2 + i));
		vault_bed_commit(b, m);
		assert_int_equal(mkdirat(b->mntfd, at(".history/n%u", i), 0755),
				 0);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].failed);
		assert_true(readers[i].rounds > 0);
	}
	assert_int_equal(count_listed(b, ".timeline/a/f"), MOMENTS + 1 + 2);
}

/* ---- attributes ---- */

static ssize_t get(struct vault_bed *b, const char *path, const char *name,
		   char *value, size_t size)
{
	return lgetxattr(vault_scratch_path(&b->scratch, at("mnt/%s", path)),
			 name, value, size);
}

static void a_version_says_when_it_began_and_what_it_holds(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];
	char hex[VAULT_DIGEST_HEX];
	struct vault_digest digest = vault_digest_of(vault_span_str("one"));
	char value[256];
	const char *f;

	write_live(b, "f", "one");
	vault_bed_commit(b, m1);
	write_live(b, "g", "two");
	vault_bed_commit(b, m2);
	f = at(".history/%s/f", m2);
	assert_int_equal(get(b, f, "user.artvault.moment", value, 256),
			 strlen(m1));
	assert_memory_equal(value, m1, strlen(m1));
	vault_digest_hex(&digest, hex);
	assert_int_equal(get(b, f, "user.artvault.digest", NULL, 0), 32);
	assert_int_equal(get(b, f, "user.artvault.digest", value, 256), 32);
	assert_memory_equal(value, hex, 32);
	assert_int_equal(get(b, f, "user.artvault.digest", value, 5), -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(
		llistxattr(vault_scratch_path(&b->scratch, at("mnt/%s", f)),
			   value, 256),
		0);
}

static void a_versions_own_attributes_are_kept(void **state)
{
	static const char *const none[] = {
		"user.artvault.label",	    "user.artvault.kind",
		"user.artvault.dimensions", "user.xdg.comment",
		"security.capability",	    "user.nothing",
	};
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];
	char value[256];
	const char *f;
	ssize_t n;

	make_rich_tree(b);
	vault_bed_commit(b, m);
	f = at(".history/%s/hero.psd", m);
	assert_int_equal(get(b, f, "user.note", value, 256), 4);
	assert_memory_equal(value, "n\0te", 4);
	assert_int_equal(get(b, f, "system.posix_acl_access", value, 256), 44);
	/* Our word goes before one that the file brought with it. */
	assert_int_equal(get(b, f, "user.artvault.moment", value, 256),
			 strlen(m));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(get(b, f, none[i], value, 256), -1);
		assert_int_equal(errno, ENODATA);
	}
	n = llistxattr(vault_scratch_path(&b->scratch, at("mnt/%s", f)), value,
		       256);
	assert_int_equal(n, sizeof("system.posix_acl_access") +
				    sizeof("user.note"));
}

int main(void)
{
#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, vault_bed_setup, \
					vault_bed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_moment_is_the_whole_tree_as_it_was),
		TEST(sizes_and_links_are_those_of_the_past),
		TEST(every_way_of_naming_a_time_leads_there),
		TEST(what_is_no_moment_is_not_there),
		TEST(a_subfolder_lists_only_what_changed_below_it),
		TEST(the_views_are_listed_at_the_root_alone),
		cmocka_unit_test(
			hidden_views_are_listed_nowhere_and_found_all_the_same),
		TEST(a_new_moment_is_there_at_once),
		TEST(samba_finds_its_list),
		TEST(crawlers_find_their_markers),
		TEST(an_unchanged_file_is_one_inode_through_all_moments),
		TEST(a_working_directory_in_the_past_knows_its_name),
		TEST(everything_else_is_read_only),
		TEST(bytes_come_back_however_they_are_read),
		TEST(holes_are_still_holes),
		TEST(a_large_folder_lists_each_name_once),
		TEST(readers_and_new_moments_do_not_disturb_each_other),
		TEST(a_version_says_when_it_began_and_what_it_holds),
		TEST(a_versions_own_attributes_are_kept),
	};

	if (!vault_bed_possible())
		return 77;
	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
