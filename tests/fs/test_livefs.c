/* SPDX-License-Identifier: Apache-2.0 */
/* The live tree behaves as the disk behind it does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "tests/support/mounted.h"
#include "tests/support/scratch.h"

#define NOBODY 65534

/* One mount for all tests, on a folder of its own, so that the real folder
 * can be looked at beside it. */
struct fixture {
	struct vault_scratch scratch;
	struct vault_mounted m;
	int mnt; /* the mount's root */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vault_mount_options o = vault_mounted_options();

	assert_non_null(f);
	*state = f;
	f->mnt = -1;
	vault_scratch_init(&f->scratch);
	assert_int_equal(chmod(f->scratch.path, 0755), 0);
	vault_scratch_mkdirs(f->scratch.fd, "project");
	vault_scratch_mkdirs(f->scratch.fd, "mnt");
	vault_scratch_write_str(f->scratch.fd, "project/old", "was there");
	/* Older than the mount: it shadows a view. */
	vault_scratch_write_str(f->scratch.fd, "project/deep/.layers", "real");
	vault_mounted_start(&f->m, vault_scratch_path(&f->scratch, "project"),
			    vault_scratch_path(&f->scratch, "mnt"), &o);
	f->mnt = open(f->m.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->mnt >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->mnt >= 0)
		close(f->mnt);
	vault_mounted_clean(&f->m);
	vault_scratch_release(&f->scratch);
	free(f);
	return 0;
}

/* Fails with `number`. */
static void refused(int r, int number)
{
	const int got = errno;

	assert_int_equal(r, -1);
	assert_int_equal(got, number);
}

static void same_stat(const struct fixture *f, const char *name)
{
	struct stat a;
	struct stat b;

	assert_int_equal(fstatat(f->mnt, name, &a, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstatat(f->m.back, name, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mode, b.st_mode);
	assert_int_equal(a.st_nlink, b.st_nlink);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	assert_int_equal(a.st_size, b.st_size);
	assert_int_equal(a.st_blocks, b.st_blocks);
	assert_int_equal(a.st_rdev, b.st_rdev);
	assert_memory_equal(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim));
	assert_memory_equal(&a.st_ctim, &b.st_ctim, sizeof(a.st_ctim));
}

/* Run `body` as an ordinary user; its asserts fail the test here. */
typedef int body(const struct fixture *f);

static void as_nobody(const struct fixture *f, const gid_t *groups, size_t n,
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

/* ---- names ---- */

static void what_is_made_here_is_there_and_the_same(void **state)
{
	struct fixture *f = *state;

	vault_scratch_write_str(f->mnt, "made/file", "bytes");
	assert_int_equal(symlinkat("../anywhere", f->mnt, "made/link"), 0);
	assert_int_equal(mkfifoat(f->mnt, "made/fifo", 0640), 0);
	assert_int_equal(linkat(f->mnt, "made/file", f->mnt, "made/twin", 0),
			 0);
	same_stat(f, "made");
	same_stat(f, "made/file");
	same_stat(f, "made/link");
	same_stat(f, "made/fifo");
	same_stat(f, "made/twin");
	vault_scratch_expect(f->m.back, "made/twin", vault_span_str("bytes"));
	same_stat(f, "old");
}

static void changes_behind_the_mount_show_within_a_second(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;
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
	refused(openat(dir, name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	close(dir);
}

static void paths_longer_than_the_kernel_takes_at_once_are_reached(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;

	vault_scratch_write_str(f->mnt, "ren/a", "a");
	vault_scratch_write_str(f->mnt, "ren/b", "b");
	refused(renameat2(f->mnt, "ren/a", f->mnt, "ren/b", 1), EEXIST);
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;

	vault_scratch_write_str(f->mnt, "err/dir/file", "x");
	refused(unlinkat(f->mnt, "err/nothing", 0), ENOENT);
	refused(unlinkat(f->mnt, "err/dir", AT_REMOVEDIR), ENOTEMPTY);
	refused(unlinkat(f->mnt, "err/dir", 0), EISDIR);
	refused(unlinkat(f->mnt, "err/dir/file", AT_REMOVEDIR), ENOTDIR);
	refused(mkdirat(f->mnt, "err/dir", 0755), EEXIST);
	refused(renameat(f->mnt, "err/dir", f->mnt, "err/dir/below"), EINVAL);
	vault_scratch_write_str(f->mnt, "err/other", "x");
	refused(renameat(f->mnt, "err/dir", f->mnt, "err/other"), ENOTDIR);
	refused(renameat(f->mnt, "err/other", f->mnt, "err/dir"), EISDIR);
	refused(openat(f->mnt, "err/dir/file", O_CREAT | O_EXCL | O_RDWR, 0600),
		EEXIST);
	refused(openat(f->mnt, "err/dir/file/x", O_RDONLY), ENOTDIR);
	refused(openat(f->mnt, "err/dir", O_RDWR), EISDIR);
	refused(linkat(f->mnt, "err/dir", f->mnt, "err/l", 0), EPERM);
	refused(openat(f->mnt, "err", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
}

/* ---- names that are not the user's ---- */

static void the_vault_is_not_there(void **state)
{
	struct fixture *f = *state;
	const char *v = VAULT_PROJECT_VAULT_NAME;
	struct dirent *de;
	struct stat st;
	DIR *d;

	assert_int_equal(fstatat(f->m.back, v, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	refused(fstatat(f->mnt, v, &st, 0), ENOENT);
	refused(mkdirat(f->mnt, v, 0755), EPERM);
	refused(openat(f->mnt, v, O_CREAT | O_RDWR, 0600), EPERM);
	refused(symlinkat("x", f->mnt, v), EPERM);
	refused(renameat(f->mnt, "old", f->mnt, v), EPERM);
	refused(renameat(f->mnt, v, f->mnt, "stolen"), ENOENT);
	refused(openat(f->mnt, "deep/../.artvault/lock", O_RDONLY), ENOENT);
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
	struct fixture *f = *state;
	char path[64];
	struct stat st;

	vault_scratch_write_str(f->mnt, "views/file", "x");
	for (size_t i = 0; i < 2; i++) {
		for (int deep = 0; deep < 2; deep++) {
			snprintf(path, sizeof(path), "%s%s",
				 deep ? "views/" : "", names[i]);
			refused(fstatat(f->mnt, path, &st, 0), ENOENT);
			refused(mkdirat(f->mnt, path, 0755), EPERM);
			refused(openat(f->mnt, path, O_CREAT | O_RDWR, 0600),
				EPERM);
			refused(symlinkat("x", f->mnt, path), EPERM);
			refused(mknodat(f->mnt, path, S_IFIFO | 0600, 0),
				EPERM);
			refused(linkat(f->mnt, "views/file", f->mnt, path, 0),
				EPERM);
			refused(renameat(f->mnt, "views/file", f->mnt, path),
				EPERM);
		}
	}
}

static void a_real_entry_below_the_root_shadows_the_view(void **state)
{
	struct fixture *f = *state;

	vault_scratch_expect(f->mnt, "deep/.layers", vault_span_str("real"));
	/* It may go; then the name is the view's. */
	assert_int_equal(
		renameat(f->mnt, "deep/.layers", f->mnt, "deep/layers"), 0);
	refused(renameat(f->mnt, "deep/layers", f->mnt, "deep/.layers"), EPERM);
}

static void the_root_tells_where_the_daemon_listens(void **state)
{
	struct fixture *f = *state;
	char value[4096];
	char list[4096];
	ssize_t n;

	n = fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, value, sizeof(value));
	assert_true(n > 1);
	assert_int_equal(value[0], '/');
	assert_int_equal(fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, NULL, 0),
			 n);
	refused((int)fgetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, value, 1),
		ERANGE);
	refused(fsetxattr(f->mnt, VAULT_PROJECT_SOCKET_XATTR, "x", 1, 0),
		EPERM);
	n = flistxattr(f->mnt, list, sizeof(list));
	assert_true(n >= 0);
	assert_null(memmem(list, (size_t)n, "artvault", 8));
}

/* ---- bytes ---- */

static void appending_goes_to_the_end_and_can_be_switched_off(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
	off_t data;
	int back;
	int fd;

	fd = openat(f->mnt, "sparse", O_CREAT | O_RDWR, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 10 << 20), 0);
	assert_int_equal(pwrite(fd, "x", 1, 5 << 20), 1);
	assert_int_equal(fsync(fd), 0);
	same_stat(f, "sparse");
	back = openat(f->m.back, "sparse", O_RDONLY);
	data = lseek(back, 0, SEEK_DATA);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), data);
	assert_int_equal(lseek(fd, data, SEEK_HOLE),
			 lseek(back, data, SEEK_HOLE));
	refused((int)lseek(fd, 11 << 20, SEEK_DATA), ENXIO);
	assert_int_equal(fallocate(fd, 0, 0, 1 << 20), 0);
	assert_int_equal(fallocate(fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   5 << 20, 1 << 20),
			 0);
	assert_int_equal(fsync(fd), 0);
	same_stat(f, "sparse");
	close(fd);
	close(back);
}

static void ranges_are_copied_between_files(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;
	struct flock l = { .l_type = F_WRLCK, .l_len = 10 };
	int a;
	int b;

	vault_scratch_write_str(f->mnt, "locked", "x");
	a = openat(f->mnt, "locked", O_RDWR);
	b = openat(f->mnt, "locked", O_RDWR);
	assert_int_equal(flock(a, LOCK_EX | LOCK_NB), 0);
	refused(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	assert_int_equal(fcntl(a, F_OFD_SETLK, &l), 0);
	l = (struct flock){ .l_type = F_WRLCK, .l_len = 10 };
	refused(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	close(a);
	assert_int_equal(flock(b, LOCK_EX | LOCK_NB), 0);
	close(b);
}

/* ---- attributes ---- */

static void times_are_set_left_and_set_to_now(void **state)
{
	struct fixture *f = *state;
	struct timespec times[2] = { { 1000000000, 123456789 },
				     { 1500000000, 987654321 } };
	struct stat st;

	vault_scratch_write_str(f->mnt, "times", "x");
	assert_int_equal(utimensat(f->mnt, "times", times, 0), 0);
	same_stat(f, "times");
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	assert_int_equal(utimensat(f->mnt, "times", times, 0), 0);
	assert_int_equal(fstatat(f->mnt, "times", &st, 0), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	assert_true(st.st_mtim.tv_sec > 1500000000);
	same_stat(f, "times");
	assert_int_equal(symlinkat("nowhere", f->mnt, "times-link"), 0);
	times[0].tv_nsec = 1;
	times[1] = (struct timespec){ 5, 6 };
	assert_int_equal(
		utimensat(f->mnt, "times-link", times, AT_SYMLINK_NOFOLLOW), 0);
	same_stat(f, "times-link");
}

static void xattrs_pass_through(void **state)
{
	struct fixture *f = *state;
	char path[512];
	char value[16];

	vault_scratch_write_str(f->mnt, "xattrs", "x");
	snprintf(path, sizeof(path), "%s/xattrs", f->m.mountpoint);
	assert_int_equal(setxattr(path, "user.a", "1234", 4, XATTR_CREATE), 0);
	refused(setxattr(path, "user.a", "1", 1, XATTR_CREATE), EEXIST);
	refused(setxattr(path, "user.b", "1", 1, XATTR_REPLACE), ENODATA);
	assert_int_equal(getxattr(path, "user.a", value, sizeof(value)), 4);
	assert_int_equal(getxattr(path, "user.a", NULL, 0), 4);
	refused((int)getxattr(path, "user.a", value, 2), ERANGE);
	assert_int_equal(listxattr(path, NULL, 0), 7);
	snprintf(path, sizeof(path), "%s/xattrs", f->m.project);
	assert_int_equal(getxattr(path, "user.a", value, sizeof(value)), 4);
	snprintf(path, sizeof(path), "%s/xattrs", f->m.mountpoint);
	assert_int_equal(removexattr(path, "user.a"), 0);
	refused((int)getxattr(path, "user.a", value, sizeof(value)), ENODATA);
}

static void owners_and_modes_pass_through(void **state)
{
	struct fixture *f = *state;

	vault_scratch_write_str(f->mnt, "owned", "x");
	assert_int_equal(fchmodat(f->mnt, "owned", 04751, 0), 0);
	same_stat(f, "owned");
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(f->mnt, "owned", 12, 34, 0), 0);
	same_stat(f, "owned");
	assert_int_equal(fchmodat(f->mnt, "owned", 06755, 0), 0);
	assert_int_equal(fchownat(f->mnt, "owned", (uid_t)-1, 35, 0), 0);
	same_stat(f, "owned");
}

static void the_disk_beneath_is_what_statfs_tells(void **state)
{
	struct fixture *f = *state;
	struct statvfs a;
	struct statvfs b;

	assert_int_equal(fstatvfs(f->mnt, &a), 0);
	assert_int_equal(fstatvfs(f->m.back, &b), 0);
	assert_int_equal(a.f_blocks, b.f_blocks);
	assert_int_equal(a.f_bsize, b.f_bsize);
	assert_int_equal(a.f_namemax, b.f_namemax);
}

/* ---- as other users ---- */

static int make_things(const struct fixture *f)
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
	struct fixture *f = *state;
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
	same_stat(f, "shared/d");
	same_stat(f, "shared/f");
}

static int write_and_truncate(const struct fixture *f)
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
	struct fixture *f = *state;
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

static int run_unreadable(const struct fixture *f)
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
	struct fixture *f = *state;
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

static int make_under_acl(const struct fixture *f)
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
	struct fixture *f = *state;
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

/* ---- listing ---- */

static void a_listing_can_be_left_and_taken_up_again(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
		cmocka_unit_test(a_listing_can_be_left_and_taken_up_again),
		cmocka_unit_test(removing_while_listing_empties_a_folder),
	};

	vault_mounted_or_skip();
	if (argc > 1 && strcmp(argv[1], "--user") == 0)
		vault_mounted_become_user();
	return cmocka_run_group_tests(tests, setup, teardown);
}
