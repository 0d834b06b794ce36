/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/base/log.h"

#define N_PATHS 8

/* End the test with what could not be done to which name. */
static void must(bool done, const char *what, const char *name)
{
	if (!done)
		fail_msg("%s %s: %s", what, name, strerror(errno));
}

void vault_scratch_init(struct vault_scratch *s)
{
	const char *base = getenv("TMPDIR");

	snprintf(s->path, sizeof(s->path), "%s/vault-test-XXXXXX",
		 base != NULL && base[0] != 0 ? base : "/tmp");
	must(mkdtemp(s->path) != NULL, "make", s->path);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(s->fd >= 0, "open", s->path);
}

void vault_scratch_release(struct vault_scratch *s)
{
	close(s->fd);
	s->fd = -1;
	vault_scratch_remove(AT_FDCWD, s->path);
}

const char *vault_scratch_path(const struct vault_scratch *s, const char *name)
{
	static char paths[N_PATHS][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % N_PATHS];

	snprintf(path, PATH_MAX, "%s/%s", s->path, name);
	return path;
}

int vault_scratch_setup(void **state)
{
	struct vault_scratch *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	vault_scratch_init(s);
	*state = s;
	return 0;
}

int vault_scratch_teardown(void **state)
{
	struct vault_scratch *s = *state;

	vault_scratch_release(s);
	free(s);
	return 0;
}

static void keep_quiet(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	if (getenv("VAULT_TEST_LOG") != NULL)
		fprintf(stderr, "%s\n", line);
}

int vault_scratch_quiet(void **state)
{
	(void)state;
	vault_log_set_sink(keep_quiet, NULL);
	return 0;
}

void vault_scratch_in_memory(void)
{
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
}

/* Empties the directory behind `fd` (closing it), as far as `dev` reaches. */
static void empty(int fd, dev_t dev)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;
	struct stat st;

	assert_non_null(dir);
	fchmod(fd, 0700); /* tests leave folders nobody may enter */
	while ((e = readdir(dir)) != NULL) {
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (!S_ISDIR(st.st_mode) || st.st_dev != dev)
			continue;
		fchmodat(fd, e->d_name, 0700, 0);
		sub = openat(fd, e->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			empty(sub, dev);
		unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

void vault_scratch_remove(int dirfd, const char *name)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &st) == 0, "remove", name);
	empty(fd, st.st_dev);
	must(unlinkat(dirfd, name, AT_REMOVEDIR) == 0, "remove", name);
}

struct vault_scratch_random vault_scratch_seed(uint64_t seed)
{
	return (struct vault_scratch_random){ .state = seed };
}

/* splitmix64 (Vigna): every seed is a good one. */
uint64_t vault_scratch_next(struct vault_scratch_random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t vault_scratch_below(struct vault_scratch_random *r, uint64_t n)
{
	assert_true(n > 0);
	return vault_scratch_next(r) % n;
}

void vault_scratch_fill(struct vault_scratch_random *r, uint8_t *p, size_t n)
{
	while (n > 0) {
		const uint64_t v = vault_scratch_next(r);
		const size_t part = n < sizeof(v) ? n : sizeof(v);

		memcpy(p, &v, part);
		p += part;
		n -= part;
	}
}

void vault_scratch_bytes(struct vault_scratch_random *r, struct vault_buf *b,
			 size_t n)
{
	const size_t before = b->len;

	assert_int_equal(vault_buf_fill(b, 0, n), VAULT_OK);
	if (n > 0)
		vault_scratch_fill(r, b->data + before, n);
}

/* Writes all of `bytes` at `at`, or from where the file stands when < 0. */
static void write_all(int fd, const char *name, off_t at,
		      struct vault_span bytes)
{
	while (bytes.len > 0) {
		const ssize_t n =
			at < 0 ? write(fd, bytes.data, bytes.len)
			       : pwrite(fd, bytes.data, bytes.len, at);

		if (n < 0 && errno == EINTR)
			continue;
		must(n > 0, "write", name);
		bytes = vault_span_from(bytes, (size_t)n);
		if (at >= 0)
			at += n;
	}
}

void vault_scratch_mkdirs(int dirfd, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", name);
	for (char *p = path + 1; path[0] != 0; p++) {
		const char here = *p;

		if (here != '/' && here != 0)
			continue;
		*p = 0;
		must(mkdirat(dirfd, path, 0755) == 0 || errno == EEXIST, "make",
		     path);
		*p = here;
		if (here == 0)
			break;
	}
}

static void make_parents(int dirfd, const char *name)
{
	const char *slash = strrchr(name, '/');
	char path[PATH_MAX];

	if (slash == NULL || slash == name)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
	vault_scratch_mkdirs(dirfd, path);
}

void vault_scratch_write(int dirfd, const char *name, struct vault_span bytes)
{
	int fd;

	make_parents(dirfd, name);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0644);
	must(fd >= 0, "create", name);
	write_all(fd, name, -1, bytes);
	must(close(fd) == 0, "close", name);
}

void vault_scratch_write_str(int dirfd, const char *name, const char *text)
{
	vault_scratch_write(dirfd, name, vault_span_str(text));
}

void vault_scratch_read(int dirfd, const char *name, struct vault_buf *b)
{
	const int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	must(fd >= 0, "open", name);
	vault_buf_clear(b);
	do {
		assert_int_equal(vault_buf_reserve(b, b->len + 65536),
				 VAULT_OK);
		n = read(fd, b->data + b->len, b->cap - b->len);
		must(n >= 0, "read", name);
		b->len += (size_t)n;
	} while (n > 0);
	close(fd);
}

void vault_scratch_patch(int dirfd, const char *name, uint64_t at,
			 struct vault_span bytes)
{
	const int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	must(fd >= 0, "open", name);
	write_all(fd, name, (off_t)at, bytes);
	must(close(fd) == 0, "close", name);
}

void vault_scratch_flip(int dirfd, const char *name, uint64_t at, uint8_t mask)
{
	const int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	must(fd >= 0, "open", name);
	must(pread(fd, &byte, 1, (off_t)at) == 1, "read a byte of", name);
	byte ^= mask;
	must(pwrite(fd, &byte, 1, (off_t)at) == 1, "write", name);
	must(close(fd) == 0, "close", name);
}

uint64_t vault_scratch_size(int dirfd, const char *name)
{
	struct stat st;

	must(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "stat", name);
	return (uint64_t)st.st_size;
}

bool vault_scratch_exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void copy_link(int from, int to, const char *name)
{
	char target[PATH_MAX];
	const ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	must(n >= 0, "read the link", name);
	target[n] = 0;
	must(symlinkat(target, to, name) == 0, "link", name);
}

static void copy_file(int from, int to, const char *name, mode_t mode)
{
	struct vault_buf b = VAULT_BUF_INIT;

	vault_scratch_read(from, name, &b);
	vault_scratch_write(to, name, vault_buf_span(&b));
	must(fchmodat(to, name, mode & 07777, 0) == 0, "chmod", name);
	vault_buf_release(&b);
}

static void copy_entries(int from, int to);

static void copy_entry(int from, int to, const char *name)
{
	struct stat st;
	int sub_from;
	int sub_to;

	must(fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "stat", name);
	if (S_ISLNK(st.st_mode)) {
		copy_link(from, to, name);
	} else if (S_ISREG(st.st_mode)) {
		copy_file(from, to, name, st.st_mode);
	} else if (S_ISDIR(st.st_mode)) {
		must(mkdirat(to, name, st.st_mode & 0777) == 0, "make", name);
		sub_from =
			openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		sub_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(sub_from >= 0 && sub_to >= 0, "open", name);
		copy_entries(sub_from, sub_to);
		close(sub_to);
	}
}

/* Closes `from`. */
static void copy_entries(int from, int to)
{
	DIR *dir = fdopendir(from);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			copy_entry(from, to, e->d_name);
	}
	closedir(dir);
}

void vault_scratch_copy_tree(int dirfd, const char *from, const char *to)
{
	int fd_from = openat(dirfd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd_to;

	must(fd_from >= 0, "open", from);
	must(mkdirat(dirfd, to, 0700) == 0, "make", to);
	fd_to = openat(dirfd, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd_to >= 0, "open", to);
	copy_entries(fd_from, fd_to);
	close(fd_to);
}

void vault_scratch_expect(int dirfd, const char *name, struct vault_span bytes)
{
	struct vault_buf b = VAULT_BUF_INIT;

	vault_scratch_read(dirfd, name, &b);
	assert_int_equal(b.len, bytes.len);
	if (b.len > 0)
		assert_memory_equal(b.data, bytes.data, bytes.len);
	vault_buf_release(&b);
}
