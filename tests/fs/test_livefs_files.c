/* SPDX-License-Identifier: Apache-2.0 */
/* What files of the live tree hold, and whose they are, is as on the disk
 * behind it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/buf.h"
#include "tests/fs/twin.h"

#define NOBODY 65534

/* Run `body` as an ordinary user; its asserts fail the test here. */
typedef int body(const struct twin *f);

static void as_nobody(const struct twin *f, const gid_t *groups, size_t n,
		      body *run)
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (syscall(SYS_setgroups, n, groups) != 0 ||
		    setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(99);
		_exit(run(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(x)                                                      \
	do {                                                          \
		if (!(x)) {                                           \
			fprintf(stderr, "%d: %s: %s\n", __LINE__, #x, \
				strerror(errno));                     \
			return 1;                                     \
		}                                                     \
	} while (0)

/* ---- bytes ---- */

static void appending_goes_to_the_end_and_can_be_switched_off(void **state)
{
	struct twin *f = *state;
	int fd;

	fd = openat(f->mnt, "app", O_CREAT | O_WRONLY | O_APPEND, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "aaa", 3), 3);
	vault_scratch_patch(f->m.back, "app", 3, vault_span_str("behind"));
	assert_int_equal(write(fd, "bbb", 3), 3);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(pwrite(fd, "C", 1, 0), 1);
	close(fd);
	vault_scratch_expect(f->m.back, "app", vault_span_str("Caabehindbbb"));
}

static void large_writes_and_reads_come_back_exact(void **state)
{
	struct twin *f = *state;
	struct vault_scratch_random r = vault_scratch_seed(7);
	struct vault_buf bytes = VAULT_BUF_INIT;

	vault_scratch_bytes(&r, &bytes, (9 << 20) + 12345);
	vault_scratch_write(f->mnt, "large", vault_buf_span(&bytes));
	vault_scratch_expect(f->m.back, "large", vault_buf_span(&bytes));
	vault_scratch_expect(f->mnt, "large", vault_buf_span(&bytes));
	vault_buf_release(&bytes);
}

static void direct_io_of_any_alignment_works(void **state)
{
	struct twin *f = *state;
	char bytes[100];
	int fd;

	memset(bytes, 'd', sizeof(bytes));
	fd = openat(f->mnt, "direct", O_CREAT | O_RDWR | O_DIRECT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, 100, 33), 100);
	assert_int_equal(pread(fd, bytes, 50, 40), 50);
	assert_int_equal(bytes[49], 'd');
	close(fd);
	assert_int_equal(vault_scratch_size(f->m.back, "direct"), 133);
}

static void shared_mappings_reach_the_file(void **state)
{
	struct twin *f = *state;
	struct vault_buf b = VAULT_BUF_INIT;
	char *map;
	int fd;

	fd = openat(f->mnt, "mapped", O_CREAT | O_RDWR, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 10000), 0);
	map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	memset(map + 4000, 'm', 5000);
	assert_int_equal(munmap(map, 10000), 0);
	close(fd);
	vault_scratch_read(f->m.back, "mapped", &b);
	assert_int_equal(b.len, 10000);
	assert_int_equal(b.data[3999], 0);
	assert_int_equal(b.data[4000], 'm');
	assert_int_equal(b.data[8999], 'm');
	assert_int_equal(b.data[9000], 0);
	vault_buf_release(&b);
}

static void holes_stay_holes_and_are_found(void **state)
{
	struct twin *f = *state;
	off_t data;
	int back;
	int fd;

	fd = openat(f->mnt, "sparse", O_CREAT | O_RDWR, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 10 << 20), 0);
	assert_int_equal(pwrite(fd, "x", 1, 5 << 20), 1);
	assert_int_equal(fsync(fd), 0);
	twin_same(f, "sparse");
	back = openat(f->m.back, "sparse", O_RDONLY);
	data = lseek(back, 0, SEEK_DATA);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), data);
	assert_int_equal(lseek(fd, data, SEEK_HOLE),
			 lseek(back, data, SEEK_HOLE));
	twin_refused((int)lseek(fd, 11 << 20, SEEK_DATA), ENXIO);
	assert_int_equal(fallocate(fd, 0, 0, 1 << 20), 0);
	assert_int_equal(fallocate(fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   5 << 20, 1 << 20),
			 0);
	assert_int_equal(fsync(fd), 0);
	twin_same(f, "sparse");
	close(fd);
	close(back);
}

static void ranges_are_copied_between_files(void **state)
{
	struct twin *f = *state;
	loff_t from_off = 2;
	loff_t to_off = 1;
	int from;
	int to;

	vault_scratch_write_str(f->mnt, "from", "0123456789");
	vault_scratch_write_str(f->mnt, "to", "..........");
	from = openat(f->mnt, "from", O_RDONLY);
	to = openat(f->mnt, "to", O_WRONLY);
	assert_int_equal(copy_file_range(from, &from_off, to, &to_off, 5, 0),
			 5);
	close(from);
	close(to);
	vault_scratch_expect(f->m.back, "to", vault_span_str(".23456...."));
	vault_scratch_expect(f->mnt, "to", vault_span_str(".23456...."));
}

static void locks_hold_between_openers(void **state)
{
	struct twin *f = *state;
	struct flock l = { .l_type = F_WRLCK, .l_len = 10 };
	int a;
	int b;

	vault_scratch_write_str(f->mnt, "locked", "x");
	a = openat(f->mnt, "locked", O_RDWR);
	b = openat(f->mnt, "locked", O_RDWR);
	assert_int_equal(flock(a, LOCK_EX | LOCK_NB), 0);
	twin_refused(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	assert_int_equal(fcntl(a, F_OFD_SETLK, &l), 0);
	l = (struct flock){ .l_type = F_WRLCK, .l_len = 10 };
	twin_refused(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	close(a);
	assert_int_equal(flock(b, LOCK_EX | LOCK_NB), 0);
	close(b);
}

/* ---- attributes ---- */

static void times_are_set_left_and_set_to_now(void **state)
{
	struct twin *f = *state;
	struct timespec times[2] = { { 1000000000, 123456789 },
				     { 1500000000, 987654321 } };
	struct stat st;

	vault_scratch_write_str(f->mnt, "times", "x");
	assert_int_equal(utimensat(f->mnt, "times", times, 0), 0);
	twin_same(f, "times");
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	assert_int_equal(utimensat(f->mnt, "times", times, 0), 0);
	assert_int_equal(fstatat(f->mnt, "times", &st, 0), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	assert_true(st.st_mtim.tv_sec > 1500000000);
	twin_same(f, "times");
	assert_int_equal(symlinkat("nowhere", f->mnt, "times-link"), 0);
	times[0].tv_nsec = 1;
	times[1] = (struct timespec){ 5, 6 };
	assert_int_equal(
		utimensat(f->mnt, "times-link", times, AT_SYMLINK_NOFOLLOW), 0);
	twin_same(f, "times-link");
}

static void xattrs_pass_through(void **state)
{
	struct twin *f = *state;
	char path[512];
	char value[16];

	vault_scratch_write_str(f->mnt, "xattrs", "x");
	snprintf(path, sizeof(path), "%s/xattrs", f->m.mountpoint);
	assert_int_equal(setxattr(path, "user.a", "1234", 4, XATTR_CREATE), 0);
	twin_refused(setxattr(path, "user.a", "1", 1, XATTR_CREATE), EEXIST);
	twin_refused(setxattr(path, "user.b", "1", 1, XATTR_REPLACE), ENODATA);
	assert_int_equal(getxattr(path, "user.a", value, sizeof(value)), 4);
	assert_int_equal(getxattr(path, "user.a", NULL, 0), 4);
	twin_refused((int)getxattr(path, "user.a", value, 2), ERANGE);
	assert_int_equal(listxattr(path, NULL, 0), 7);
	snprintf(path, sizeof(path), "%s/xattrs", f->m.project);
	assert_int_equal(getxattr(path, "user.a", value, sizeof(value)), 4);
	snprintf(path, sizeof(path), "%s/xattrs", f->m.mountpoint);
	assert_int_equal(removexattr(path, "user.a"), 0);
	twin_refused((int)getxattr(path, "user.a", value, sizeof(value)),
		     ENODATA);
}

static void owners_and_modes_pass_through(void **state)
{
	struct twin *f = *state;

	vault_scratch_write_str(f->mnt, "owned", "x");
	assert_int_equal(fchmodat(f->mnt, "owned", 04751, 0), 0);
	twin_same(f, "owned");
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(f->mnt, "owned", 12, 34, 0), 0);
	twin_same(f, "owned");
	assert_int_equal(fchmodat(f->mnt, "owned", 06755, 0), 0);
	assert_int_equal(fchownat(f->mnt, "owned", (uid_t)-1, 35, 0), 0);
	twin_same(f, "owned");
}

static void the_disk_beneath_is_what_statfs_tells(void **state)
{
	struct twin *f = *state;
	struct statvfs a;
	struct statvfs b;

	assert_int_equal(fstatvfs(f->mnt, &a), 0);
	assert_int_equal(fstatvfs(f->m.back, &b), 0);
	assert_int_equal(a.f_blocks, b.f_blocks);
	assert_int_equal(a.f_bsize, b.f_bsize);
	assert_int_equal(a.f_namemax, b.f_namemax);
}

/* ---- as other users ---- */

static int make_things(const struct twin *f)
{
	struct stat st;
	int fd;

	umask(027);
	CHECK(mkdirat(f->mnt, "shared/d", 0777) == 0);
	CHECK(fstatat(f->mnt, "shared/d", &st, 0) == 0);
	CHECK(st.st_uid == NOBODY && st.st_gid == 77);
	CHECK((st.st_mode & 07777) == 02750);
	fd = openat(f->mnt, "shared/f", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0);
	CHECK(fstat(fd, &st) == 0);
	CHECK(st.st_uid == NOBODY && st.st_gid == 77);
	CHECK((st.st_mode & 07777) == 0640);
	close(fd);
	/* Not writable by its mode, but by the descriptor that made it. */
	fd = openat(f->mnt, "shared/ro", O_CREAT | O_RDWR, 0400);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	CHECK(symlinkat("x", f->mnt, "shared/l") == 0);
	CHECK(fstatat(f->mnt, "shared/l", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(st.st_uid == NOBODY);
	CHECK(mknodat(f->mnt, "shared/dev", S_IFCHR | 0600, 259) != 0 &&
	      errno == EPERM);
	CHECK(mkdirat(f->mnt, "private/d", 0777) != 0 && errno == EACCES);
	CHECK(openat(f->mnt, "private/secret", O_RDONLY) < 0 &&
	      errno == EACCES);
	return 0;
}

static void things_are_made_as_their_caller(void **state)
{
	struct twin *f = *state;
	const gid_t groups[] = { 77, 88 };

	if (geteuid() != 0)
		return;
	vault_scratch_mkdirs(f->mnt, "shared");
	assert_int_equal(fchownat(f->mnt, "shared", 0, 77, 0), 0);
	assert_int_equal(fchmodat(f->mnt, "shared", 02775, 0), 0);
	vault_scratch_write_str(f->mnt, "private/secret", "x");
	assert_int_equal(fchmodat(f->mnt, "private", 0755, 0), 0);
	assert_int_equal(fchmodat(f->mnt, "private/secret", 0600, 0), 0);
	/* Only by the group may they write here. */
	as_nobody(f, groups, 2, make_things);
	twin_same(f, "shared/d");
	twin_same(f, "shared/f");
}

static int write_and_truncate(const struct twin *f)
{
	struct stat st;
	int fd = openat(f->mnt, "suid/w", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0777);
	close(fd);
	fd = openat(f->mnt, "suid/t", O_WRONLY | O_TRUNC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0777);
	close(fd);
	fd = openat(f->mnt, "suid/f", O_WRONLY);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0777);
	close(fd);
	return 0;
}

static void writing_clears_set_id_bits(void **state)
{
	static const char *const names[] = { "suid/w", "suid/t", "suid/f" };
	struct twin *f = *state;
	struct stat st;

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < 3; i++) {
		vault_scratch_write_str(f->mnt, names[i], "content");
		assert_int_equal(fchmodat(f->mnt, names[i], 06777, 0), 0);
	}
	as_nobody(f, NULL, 0, write_and_truncate);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fstatat(f->m.back, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0777);
	}
}

static int run_unreadable(const struct twin *f)
{
	char path[512];
	int fd;

	fd = openat(f->mnt, "exec/true", O_RDONLY);
	CHECK(fd < 0 && errno == EACCES);
	snprintf(path, sizeof(path), "%s/exec/true", f->m.mountpoint);
	execl(path, path, (char *)NULL);
	CHECK(!"executed");
	return 1;
}

static void a_program_runs_that_may_not_be_read(void **state)
{
	struct twin *f = *state;
	struct vault_buf b = VAULT_BUF_INIT;

	if (geteuid() != 0)
		return;
	vault_scratch_read(AT_FDCWD, "/bin/true", &b);
	vault_scratch_write(f->mnt, "exec/true", vault_buf_span(&b));
	assert_int_equal(fchmodat(f->mnt, "exec/true", 0111, 0), 0);
	as_nobody(f, NULL, 0, run_unreadable);
	vault_buf_release(&b);
}

/* user::rwx group::r-x other::--- with mask and user 65534:rwx, as a default:
 * version 2, then {tag, perm, id}. */
static const uint8_t default_acl[] = {
	2,  0, 0, 0,			     /* version */
	1,  0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* USER_OBJ */
	2,  0, 7, 0, 0xfe, 0xff, 0,    0,    /* USER 65534 */
	4,  0, 5, 0, 0xff, 0xff, 0xff, 0xff, /* GROUP_OBJ */
	16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* MASK */
	32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* OTHER */
};

static int make_under_acl(const struct twin *f)
{
	struct stat st;

	umask(077);
	CHECK(mkdirat(f->mnt, "acl/d", 0777) == 0);
	CHECK(fstatat(f->mnt, "acl/d", &st, 0) == 0);
	/* The default list decides, the umask does not. */
	CHECK((st.st_mode & 0777) == 0770);
	return 0;
}

static void default_acls_stand_above_the_umask(void **state)
{
	struct twin *f = *state;
	char path[512];
	char value[256];

	if (geteuid() != 0)
		return;
	vault_scratch_mkdirs(f->mnt, "acl");
	assert_int_equal(fchmodat(f->mnt, "acl", 0777, 0), 0);
	snprintf(path, sizeof(path), "%s/acl", f->m.mountpoint);
	assert_int_equal(setxattr(path, "system.posix_acl_default", default_acl,
				  sizeof(default_acl), 0),
			 0);
	as_nobody(f, NULL, 0, make_under_acl);
	snprintf(path, sizeof(path), "%s/acl/d", f->m.mountpoint);
	assert_int_equal(getxattr(path, "system.posix_acl_default", value,
				  sizeof(value)),
			 sizeof(default_acl));
	snprintf(path, sizeof(path), "%s/acl/d", f->m.project);
	assert_int_equal(
		getxattr(path, "system.posix_acl_access", value, sizeof(value)),
		sizeof(default_acl));
}

/* With --user: as one, who mounts through fusermount3. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			appending_goes_to_the_end_and_can_be_switched_off),
		cmocka_unit_test(large_writes_and_reads_come_back_exact),
		cmocka_unit_test(direct_io_of_any_alignment_works),
		cmocka_unit_test(shared_mappings_reach_the_file),
		cmocka_unit_test(holes_stay_holes_and_are_found),
		cmocka_unit_test(ranges_are_copied_between_files),
		cmocka_unit_test(locks_hold_between_openers),
		cmocka_unit_test(times_are_set_left_and_set_to_now),
		cmocka_unit_test(xattrs_pass_through),
		cmocka_unit_test(owners_and_modes_pass_through),
		cmocka_unit_test(the_disk_beneath_is_what_statfs_tells),
		cmocka_unit_test(things_are_made_as_their_caller),
		cmocka_unit_test(writing_clears_set_id_bits),
		cmocka_unit_test(a_program_runs_that_may_not_be_read),
		cmocka_unit_test(default_acls_stand_above_the_umask),
	};

	vault_mounted_or_skip();
	if (argc > 1 && strcmp(argv[1], "--user") == 0)
		vault_mounted_become_user();
	return cmocka_run_group_tests(tests, twin_setup, twin_teardown);
}
