/* SPDX-License-Identifier: Apache-2.0 */
/* The same random operations through the mount and on a plain folder beside
 * it: every result, and the trees in the end, are the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

#include "store/base/buf.h"
#include "tests/support/mounted.h"
#include "tests/support/scratch.h"

#define STEPS 12000
#define OPEN_MAX_HERE 6
#define BYTES_MAX 70000

/* One of the two sides; both do the same. */
struct side {
	int root;
	int open[OPEN_MAX_HERE];
};

struct world {
	struct vault_scratch scratch;
	struct vault_mounted m;
	struct vault_scratch_random random;
	struct side sides[2]; /* the mount, the plain folder */
	uint8_t bytes[BYTES_MAX];
};

/* One operation, chosen once and done twice. */
struct step {
	unsigned what;
	char a[40];
	char b[40];
	unsigned slot;
	unsigned flags;
	off_t off;
	size_t len;
	uint8_t seed;
};

static void random_name(struct world *w, char *out, size_t room)
{
	static const char *const dirs[] = { "", "d0/", "d1/", "d0/e0/",
					    "d1/e1/" };
	static const char *const names[] = { "a",  "b",	 "c",  "d0",
					     "d1", "e0", "e1", "x y" };

	snprintf(out, room, "%s%s", dirs[vault_scratch_below(&w->random, 5)],
		 names[vault_scratch_below(&w->random, 8)]);
}

static struct step random_step(struct world *w)
{
	struct vault_scratch_random *r = &w->random;
	struct step s = {
		.what = (unsigned)vault_scratch_below(r, 24),
		.slot = (unsigned)vault_scratch_below(r, OPEN_MAX_HERE),
		.flags = (unsigned)vault_scratch_next(r),
		.off = (off_t)vault_scratch_below(r, 200000),
		.len = (size_t)vault_scratch_below(r, BYTES_MAX),
		.seed = (uint8_t)vault_scratch_next(r),
	};

	random_name(w, s.a, sizeof(s.a));
	random_name(w, s.b, sizeof(s.b));
	return s;
}

static int open_flags(unsigned n)
{
	static const int flags[] = {
		O_RDWR,
		O_RDONLY,
		O_WRONLY | O_APPEND,
		O_RDWR | O_CREAT,
		O_RDWR | O_CREAT | O_TRUNC,
		O_RDWR | O_CREAT | O_EXCL,
		O_WRONLY | O_CREAT | O_APPEND,
		O_RDONLY | O_CREAT,
	};

	return flags[n % 8];
}

static long reopen(struct side *d, const struct step *s)
{
	if (d->open[s->slot] >= 0)
		close(d->open[s->slot]);
	d->open[s->slot] = openat(d->root, s->a, open_flags(s->flags), 0666);
	return d->open[s->slot] >= 0 ? 0 : -errno;
}

static uint64_t sum_of(const uint8_t *p, size_t n)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211U;
	return h;
}

static long with_file(struct world *w, struct side *d, const struct step *s)
{
	static uint8_t read_back[BYTES_MAX];
	const int fd = d->open[s->slot];
	struct stat st;
	ssize_t n;

	switch (s->what) {
	case 0:
	case 1:
	case 2:
		memset(w->bytes, s->seed, s->len);
		return pwrite(fd, w->bytes, s->len, s->off);
	case 3:
		memset(w->bytes, s->seed, s->len);
		return write(fd, w->bytes, s->len);
	case 4:
	case 5:
		n = pread(fd, read_back, s->len, s->off);
		return n <= 0 ? n : (long)(sum_of(read_back, (size_t)n) >> 1);
	case 6:
		return ftruncate(fd, s->off);
	case 7:
		return fsync(fd);
	case 8:
		return fallocate(fd,
				 (s->flags & 1) != 0
					 ? FALLOC_FL_PUNCH_HOLE |
						   FALLOC_FL_KEEP_SIZE
					 : 0,
				 s->off, (off_t)s->len + 1);
	default:
		if (fstat(fd, &st) != 0)
			return -1;
		return (long)st.st_size * 100000 + (long)st.st_nlink * 10000 +
		       (long)(st.st_mode & 07777);
	}
}

static long with_names(struct world *w, struct side *d, const struct step *s)
{
	const struct timespec times[2] = { { s->off, 5 }, { s->off + 1, 7 } };
	char target[80];
	ssize_t n;

	(void)w;
	switch (s->what) {
	case 10:
		return mkdirat(d->root, s->a, 0777);
	case 11:
		return unlinkat(d->root, s->a, 0);
	case 12:
		return unlinkat(d->root, s->a, AT_REMOVEDIR);
	case 13:
	case 14:
		return renameat(d->root, s->a, d->root, s->b);
	case 15:
		return renameat2(d->root, s->a, d->root, s->b, 1);
	case 16:
		return renameat2(d->root, s->a, d->root, s->b, 2);
	case 17:
		return linkat(d->root, s->a, d->root, s->b, 0);
	case 18:
		return symlinkat(s->b, d->root, s->a);
	case 19:
		n = readlinkat(d->root, s->a, target, sizeof(target));
		return n < 0 ? n
			     : (long)(sum_of((uint8_t *)target, (size_t)n) >>
				      1);
	case 20:
		return fchmodat(d->root, s->a, s->flags & 07777, 0);
	case 21:
		return utimensat(d->root, s->a, times, AT_SYMLINK_NOFOLLOW);
	case 22:
		return mknodat(d->root, s->a, S_IFSOCK | 0644, 0);
	default:
		return mknodat(d->root, s->a, S_IFREG | (s->flags & 0777), 0);
	}
}

static long do_step(struct world *w, struct side *d, const struct step *s)
{
	long r;

	errno = 0;
	if (s->what < 10) {
		if (d->open[s->slot] < 0 || (s->flags & 0x700) == 0)
			return reopen(d, s);
		r = with_file(w, d, s);
	} else {
		r = with_names(w, d, s);
	}
	return r == -1 ? -errno : r;
}

/* ---- comparing trees ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_ours(const struct dirent *de)
{
	static const char *const ours[] = { ".",     "..",	".history",
					    ".diff", ".layers", ".timeline" };

	for (size_t i = 0; i < 6; i++)
		if (strcmp(de->d_name, ours[i]) == 0)
			return 0;
	return 1;
}

static void describe_file(struct vault_buf *out, int dir, const char *name,
			  const struct stat *st)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	char target[80] = "";

	if (S_ISLNK(st->st_mode))
		assert_true(readlinkat(dir, name, target, sizeof(target) - 1) >=
			    0);
	else if (S_ISREG(st->st_mode) && faccessat(dir, name, R_OK, 0) == 0)
		vault_scratch_read(dir, name, &bytes);
	assert_int_equal(
		vault_buf_printf(
			out, " %ld %s %016llx", (long)st->st_size, target,
			(unsigned long long)sum_of(bytes.data, bytes.len)),
		VAULT_OK);
	vault_buf_release(&bytes);
}

static void describe(struct vault_buf *out, int dir, const char *path)
{
	struct dirent **list = NULL;
	const int fd = openat(dir, path, O_RDONLY | O_DIRECTORY);
	int n;

	/* As an ordinary user: its rights may have been taken away. */
	if (fd < 0) {
		assert_int_equal(vault_buf_printf(out, "%s: %d\n", path, errno),
				 VAULT_OK);
		return;
	}
	n = scandirat(dir, path, &list, not_ours, by_name);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		struct stat st;

		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			assert_int_equal(
				vault_buf_printf(out, "%s: %d\n", name, errno),
				VAULT_OK);
			free(list[i]);
			continue;
		}
		assert_int_equal(vault_buf_printf(out, "%s/%s %o %u", path,
						  name, st.st_mode,
						  (unsigned)st.st_nlink),
				 VAULT_OK);
		if (!S_ISDIR(st.st_mode))
			describe_file(out, fd, name, &st);
		assert_int_equal(vault_buf_append_str(out, "\n"), VAULT_OK);
		if (S_ISDIR(st.st_mode))
			describe(out, fd, name);
		free(list[i]);
	}
	free(list);
	close(fd);
}

static void expect_same_trees(struct world *w)
{
	struct vault_buf a = VAULT_BUF_INIT;
	struct vault_buf b = VAULT_BUF_INIT;

	describe(&a, w->sides[0].root, ".");
	describe(&b, w->sides[1].root, ".");
	assert_non_null(vault_buf_cstr(&a));
	assert_non_null(vault_buf_cstr(&b));
	assert_string_equal((char *)a.data, (char *)b.data);
	vault_buf_release(&a);
	vault_buf_release(&b);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct vault_mount_options o = vault_mounted_options();

	assert_non_null(w);
	*state = w;
	for (size_t n = 0; n < 2; n++) {
		w->sides[n].root = -1;
		for (size_t i = 0; i < OPEN_MAX_HERE; i++)
			w->sides[n].open[i] = -1;
	}
	vault_scratch_init(&w->scratch);
	vault_scratch_mkdirs(w->scratch.fd, "project");
	vault_scratch_mkdirs(w->scratch.fd, "plain");
	vault_mounted_start(&w->m, vault_scratch_path(&w->scratch, "project"),
			    NULL, &o);
	w->sides[0].root = open(w->m.mountpoint, O_RDONLY | O_DIRECTORY);
	w->sides[1].root =
		openat(w->scratch.fd, "plain", O_RDONLY | O_DIRECTORY);
	assert_true(w->sides[0].root >= 0 && w->sides[1].root >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t n = 0; n < 2; n++) {
		for (size_t i = 0; i < OPEN_MAX_HERE; i++)
			if (w->sides[n].open[i] >= 0)
				close(w->sides[n].open[i]);
		if (w->sides[n].root >= 0)
			close(w->sides[n].root);
	}
	vault_mounted_clean(&w->m);
	vault_scratch_release(&w->scratch);
	free(w);
	return 0;
}

static void random_work_gives_the_same_as_on_the_disk(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 1; seed <= 2; seed++) {
		w->random = vault_scratch_seed(seed);
		for (int n = 0; n < STEPS; n++) {
			const struct step s = random_step(w);
			const long a = do_step(w, &w->sides[0], &s);
			const long b = do_step(w, &w->sides[1], &s);

			if (a != b)
				fail_msg("seed %d step %d: what %u \"%s\" "
					 "\"%s\": %ld, on the disk %ld",
					 (int)seed, n, s.what, s.a, s.b, a, b);
			if (n % 3000 == 0)
				expect_same_trees(w);
		}
		expect_same_trees(w);
	}
}

/* ---- many at once ---- */

#define THREADS 8
#define ROUNDS 1500

struct worker {
	pthread_t thread;
	int root;
	uint64_t seed;
	const char *wrong;
};

/* Results that a race may give; anything else is a fault. */
static bool fine(int r)
{
	return r >= 0 || errno == ENOENT || errno == EEXIST ||
	       errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR ||
	       errno == EINVAL;
}

static void *work(void *arg)
{
	struct worker *k = arg;
	struct vault_scratch_random r = vault_scratch_seed(k->seed);
	char a[40];
	char b[40];

	for (int n = 0; n < ROUNDS && k->wrong == NULL; n++) {
		const unsigned what = (unsigned)vault_scratch_below(&r, 7);
		int got = 0;

		snprintf(a, sizeof(a), "t%d/f%d",
			 (int)vault_scratch_below(&r, 3),
			 (int)vault_scratch_below(&r, 4));
		snprintf(b, sizeof(b), "t%d/f%d",
			 (int)vault_scratch_below(&r, 3),
			 (int)vault_scratch_below(&r, 4));
		if (what == 0)
			snprintf(a, sizeof(a), "t%d", n % 3);
		if (what == 0)
			snprintf(b, sizeof(b), "t%d", (n + 1) % 3);
		if (what == 0) {
			got = renameat2(k->root, a, k->root, b, 2);
		} else if (what == 1) {
			got = unlinkat(k->root, a, 0);
		} else if (what == 2) {
			got = linkat(k->root, a, k->root, b, 0);
		} else if (what == 3) {
			got = renameat(k->root, a, k->root, b);
		} else {
			got = openat(k->root, a, O_CREAT | O_RDWR, 0600);
			if (got >= 0) {
				const bool ok = pwrite(got, "abc", 3, 0) == 3 &&
						ftruncate(got, 1) == 0;

				if (!ok)
					k->wrong = strerror(errno);
				close(got);
			}
		}
		if (!fine(got))
			k->wrong = strerror(errno);
	}
	return NULL;
}

static void threads_that_rename_and_unlink_break_nothing(void **state)
{
	struct world *w = *state;
	struct worker k[THREADS];

	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%d", i);
		vault_scratch_mkdirs(w->sides[0].root, name);
	}
	for (size_t i = 0; i < THREADS; i++) {
		k[i] = (struct worker){ .root = w->sides[0].root,
					.seed = 100 + i };
		assert_int_equal(
			pthread_create(&k[i].thread, NULL, work, &k[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(k[i].thread, NULL);
		if (k[i].wrong != NULL)
			fail_msg("thread %d: %s", (int)i, k[i].wrong);
	}
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%d", i);
		vault_scratch_remove(w->sides[0].root, name);
		assert_false(vault_scratch_exists(w->m.back, name));
	}
}

/* With --user: as one, who mounts through fusermount3. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			random_work_gives_the_same_as_on_the_disk, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			threads_that_rename_and_unlink_break_nothing, setup,
			teardown),
	};

	vault_mounted_or_skip();
	if (argc > 1 && strcmp(argv[1], "--user") == 0)
		vault_mounted_become_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
