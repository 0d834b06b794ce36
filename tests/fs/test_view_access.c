/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may read the past, through a real mount: the kernel's own checks, our
 * rule behind them, and the caches of the kernel between the two.
 * test_access.c holds the rule itself against the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "tests/support/bed.h"

enum { ALICE = 1001, BOB = 1002 };

/* What a user tries; the answer is the errno, 0 for success. */
struct attempt {
	struct vault_bed *b;
	const char *path;
	enum { READ, LIST, LINK, XATTR, XATTRS, STAT } what;
};

static int try_it(void *ctx)
{
	struct attempt *a = ctx;
	char full[600];
	char value[64];
	int fd = -1;

	snprintf(full, sizeof(full), "%s/mnt/%s", a->b->scratch.path, a->path);
	errno = 0;
	switch (a->what) {
	case READ:
		fd = open(full, O_RDONLY | O_NOFOLLOW);
		return fd >= 0 && read(fd, value, 1) >= 0 ? 0 : errno;
	case LIST:
		fd = open(full, O_RDONLY | O_DIRECTORY);
		return fd >= 0 ? 0 : errno;
	case LINK:
		return readlink(full, value, sizeof(value)) >= 0 ? 0 : errno;
	case XATTR:
		return lgetxattr(full, "user.artvault.digest", value,
				 sizeof(value)) >= 0
			       ? 0
			       : errno;
	case XATTRS:
		return llistxattr(full, value, sizeof(value)) >= 0 ? 0 : errno;
	case STAT:
		return faccessat(AT_FDCWD, full, F_OK, AT_SYMLINK_NOFOLLOW)
			       ? errno
			       : 0;
	}
	return 255;
}

static int as(struct vault_bed *b, uid_t uid, int what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int as(struct vault_bed *b, uid_t uid, int what, const char *format, ...)
{
	char path[512];
	struct attempt a = { .b = b, .path = path };
	va_list args;

	a.what = what;
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	/* First by root, so that whatever can be cached is. */
	assert_int_equal(vault_bed_as(0, try_it, &a), 0);
	return vault_bed_as(uid, try_it, &a);
}

static void put(struct vault_bed *b, const char *name, mode_t mode, uid_t uid)
{
	vault_scratch_write_str(b->projectfd, name, name);
	assert_int_equal(fchownat(b->projectfd, name, uid, uid, 0), 0);
	assert_int_equal(fchmodat(b->projectfd, name, mode, 0), 0);
}

static void mode(struct vault_bed *b, const char *name, mode_t mode)
{
	assert_int_equal(fchmodat(b->projectfd, name, mode, 0), 0);
}

static void both_the_old_and_the_present_mode_must_allow_it(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	put(b, "opened", 0600, ALICE);
	put(b, "closed", 0644, ALICE);
	put(b, "same", 0644, ALICE);
	vault_bed_commit(b, m1);
	mode(b, "opened", 0644);
	mode(b, "closed", 0600);
	vault_bed_commit(b, m2);
	assert_int_equal(as(b, BOB, READ, ".history/%s/opened", m1), EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/opened", m2), 0);
	assert_int_equal(as(b, BOB, READ, ".history/%s/closed", m1), EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/closed", m2), EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/same", m1), 0);
	assert_int_equal(as(b, BOB, XATTR, ".history/%s/same", m1), 0);
	assert_int_equal(as(b, BOB, XATTR, ".history/%s/closed", m1), EACCES);
	assert_int_equal(as(b, ALICE, READ, ".history/%s/closed", m1), 0);
	assert_int_equal(as(b, ALICE, XATTR, ".history/%s/closed", m1), 0);
	/* Not even what was never committed counts: the disk does. */
	mode(b, "same", 0600);
	assert_int_equal(as(b, BOB, READ, ".history/%s/same", m1), EACCES);
	mode(b, "same", 0644);
	assert_int_equal(as(b, BOB, READ, ".history/%s/same", m1), 0);
}

static void folders_on_the_way_count_then_and_now(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	put(b, "closed/in/f", 0644, ALICE);
	put(b, "opened/in/f", 0644, ALICE);
	assert_int_equal(symlinkat("x", b->projectfd, "closed/in/link"), 0);
	mode(b, "opened", 0700);
	vault_bed_commit(b, m1);
	mode(b, "closed", 0700);
	mode(b, "opened", 0755);
	vault_bed_commit(b, m2);
	assert_int_equal(as(b, BOB, READ, ".history/%s/closed/in/f", m1),
			 EACCES);
	assert_int_equal(as(b, BOB, LINK, ".history/%s/closed/in/link", m1),
			 EACCES);
	assert_int_equal(as(b, BOB, LIST, ".history/%s/closed", m1), EACCES);
	assert_int_equal(as(b, BOB, LIST, ".history/%s/closed/in", m1), EACCES);
	assert_int_equal(as(b, BOB, LIST, "closed/.history/%s", m1), EACCES);
	/* The file is the same version in both moments, the way to it not. */
	assert_int_equal(as(b, BOB, READ, ".history/%s/opened/in/f", m1),
			 EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/opened/in/f", m2), 0);
	assert_int_equal(as(b, BOB, READ, ".history/%s/opened/in/f", m1),
			 EACCES);
	assert_int_equal(as(b, BOB, LIST, ".history/%s/opened/in", m2), 0);
	assert_int_equal(as(b, BOB, LIST, ".history/%s/opened/in", m1), EACCES);
}

static void a_file_is_followed_to_where_it_is_now(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	put(b, "public/f", 0644, ALICE);
	vault_scratch_mkdirs(b->projectfd, "private");
	mode(b, "private", 0700);
	vault_bed_commit(b, m1);
	assert_int_equal(as(b, BOB, READ, ".history/%s/public/f", m1), 0);
	assert_int_equal(
		renameat(b->projectfd, "public/f", b->projectfd, "private/f"),
		0);
	vault_bed_commit(b, m2);
	assert_int_equal(as(b, BOB, READ, ".history/%s/public/f", m1), EACCES);
	assert_int_equal(as(b, BOB, READ, ".timeline/public/f/%s", m1), EACCES);
}

static void what_was_deleted_is_its_owners(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	put(b, "d/hers", 0666, ALICE);
	put(b, "d/stays", 0644, ALICE);
	vault_bed_commit(b, m1);
	assert_int_equal(as(b, BOB, READ, ".history/%s/d/hers", m1), 0);
	vault_scratch_remove(b->projectfd, "d/hers");
	vault_bed_commit(b, m2);
	assert_int_equal(as(b, BOB, READ, ".history/%s/d/hers", m1), EACCES);
	assert_int_equal(as(b, ALICE, READ, ".history/%s/d/hers", m1), 0);
	assert_int_equal(as(b, BOB, READ, ".timeline/d/hers/%s", m1), EACCES);
	assert_int_equal(as(b, BOB, LIST, ".timeline/d/hers"), EACCES);
	assert_int_equal(as(b, BOB, READ, ".timeline/d/hers/@timeline.txt"),
			 EACCES);
	assert_int_equal(as(b, ALICE, READ, ".timeline/d/hers/%s", m1), 0);
	assert_int_equal(as(b, ALICE, READ, ".timeline/d/hers/@timeline.json"),
			 0);
	assert_int_equal(as(b, BOB, READ, ".timeline/d/stays/%s", m1), 0);
}

static void a_timeline_tells_nothing_of_closed_folders(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX];

	put(b, "private/f.psd", 0644, ALICE);
	put(b, "open/mine.psd", 0600, ALICE);
	mode(b, "private", 0700);
	vault_bed_commit(b, m);
	assert_int_equal(as(b, BOB, LIST, ".timeline"), 0);
	assert_int_equal(as(b, BOB, LIST, ".timeline/private"), EACCES);
	assert_int_equal(as(b, BOB, STAT, ".timeline/private/f.psd"), EACCES);
	assert_int_equal(as(b, BOB, STAT, ".timeline/private/f.psd/%s.psd", m),
			 EACCES);
	assert_int_equal(as(b, BOB, LIST, ".timeline/open"), 0);
	assert_int_equal(as(b, BOB, LIST, ".timeline/open/mine.psd"), EACCES);
	assert_int_equal(as(b, BOB, STAT, ".timeline/open/mine.psd/%s.psd", m),
			 EACCES);
	assert_int_equal(
		as(b, BOB, READ, ".timeline/open/mine.psd/@timeline.txt"),
		EACCES);
	assert_int_equal(
		as(b, ALICE, READ, ".timeline/open/mine.psd/%s.psd", m), 0);
}

static void set_acl(struct vault_bed *b, const char *name, unsigned perm)
{
	/* owner rw, user BOB `perm`, group -, mask rwx, others - */
	static const uint16_t tags[] = { 1, 2, 4, 0x10, 0x20 };
	const unsigned perms[] = { 6, perm, 0, 7, 0 };
	uint8_t acl[4 + 5 * 8];

	vault_bytes_put_le32(acl, 2);
	for (size_t i = 0; i < 5; i++) {
		uint8_t *p = acl + 4 + 8 * i;

		vault_bytes_put_le16(p, tags[i]);
		vault_bytes_put_le16(p + 2, (uint16_t)perms[i]);
		vault_bytes_put_le32(p + 4, tags[i] == 2 ? BOB : UINT32_MAX);
	}
	assert_int_equal(setxattr(vault_scratch_path(&b->scratch, name),
				  "system.posix_acl_access", acl, sizeof(acl),
				  0),
			 0);
}

static void acls_count_then_and_now(void **state)
{
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];

	put(b, "given", 0600, ALICE);
	put(b, "taken", 0600, ALICE);
	set_acl(b, "project/given", 0);
	set_acl(b, "project/taken", 4);
	vault_bed_commit(b, m1);
	set_acl(b, "project/given", 4);
	set_acl(b, "project/taken", 0);
	vault_bed_commit(b, m2);
	assert_int_equal(as(b, BOB, READ, ".history/%s/given", m1), EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/given", m2), 0);
	assert_int_equal(as(b, BOB, READ, ".history/%s/taken", m1), EACCES);
	assert_int_equal(as(b, BOB, READ, ".history/%s/taken", m2), EACCES);
	set_acl(b, "project/taken", 4);
	assert_int_equal(as(b, BOB, READ, ".history/%s/taken", m1), 0);
	assert_int_equal(as(b, BOB, READ, ".history/%s/taken", m2), EACCES);
}

/* Further groups are not in the request: the daemon looks them up. */
static int with_a_further_group(void *ctx)
{
	const gid_t group = 3000;

	if (setgroups(1, &group) != 0 || setresgid(BOB, BOB, BOB) != 0 ||
	    setresuid(BOB, BOB, BOB) != 0)
		return 255;
	return try_it(ctx);
}

static void further_groups_count(void **state)
{
	struct vault_bed *b = *state;
	char m[VAULT_WHEN_NAME_MAX], path[128];
	struct attempt a = { .b = b, .path = path, .what = READ };

	put(b, "shared", 0640, ALICE);
	assert_int_equal(fchownat(b->projectfd, "shared", ALICE, 3000, 0), 0);
	vault_bed_commit(b, m);
	snprintf(path, sizeof(path), ".history/%s/shared", m);
	assert_int_equal(vault_bed_as(0, with_a_further_group, &a), 0);
	assert_int_equal(as(b, BOB, READ, "%s", path), EACCES);
}

/* Every mode of a file then, now, and of its folder then and now. */
static void no_combination_leaks(void **state)
{
	static const mode_t files[] = { 0644, 0640, 0600, 0604 };
	static const mode_t dirs[] = { 0755, 0700, 0711, 0750 };
	struct vault_bed *b = *state;
	char m1[VAULT_WHEN_NAME_MAX], m2[VAULT_WHEN_NAME_MAX];
	unsigned allowed = 0;
	char name[64];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "d%03u/f", i);
		put(b, name, files[i % 4], ALICE);
		name[4] = 0;
		mode(b, name, dirs[i / 16 % 4]);
	}
	vault_bed_commit(b, m1);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "d%03u/f", i);
		mode(b, name, files[i / 4 % 4]);
		name[4] = 0;
		mode(b, name, dirs[i / 64]);
	}
	vault_bed_commit(b, m2);
	for (unsigned i = 0; i < 256; i++) {
		const bool may = (files[i % 4] & files[i / 4 % 4] & 4) != 0 &&
				 (dirs[i / 16 % 4] & dirs[i / 64] & 1) != 0;

		assert_int_equal(as(b, BOB, READ, ".history/%s/d%03u/f", m1, i),
				 may ? 0 : EACCES);
		allowed += may;
	}
	assert_in_range(allowed, 1, 255);
}

int main(void)
{
#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, vault_bed_setup, \
					vault_bed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_the_old_and_the_present_mode_must_allow_it),
		TEST(folders_on_the_way_count_then_and_now),
		TEST(a_file_is_followed_to_where_it_is_now),
		TEST(what_was_deleted_is_its_owners),
		TEST(a_timeline_tells_nothing_of_closed_folders),
		TEST(acls_count_then_and_now),
		TEST(further_groups_count),
		TEST(no_combination_leaks),
	};

	if (!vault_bed_possible())
		return 77;
	return cmocka_run_group_tests_name("view access", tests, NULL, NULL);
}
