/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon is killed again and again while files are saved: what was
 * acknowledged is there for ever, and the files never go away for long. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/control.h"
#include "store/base/buf.h"
#include "fs/mountinfo.h"
#include "tests/support/mounted.h"
#include "tests/support/scratch.h"

#define N_FILES 4
#define N_KILLS 4 /* one more and the watcher would give up */
#define VERSION_BYTES 30000
#define GONE_MS 1000
#define START_MS 60000

struct fixture {
	struct vault_scratch scratch;
	struct vault_mounted m;
	char project[300];
	pid_t writer;
	int acks; /* the writer's numbers that were acknowledged */
};

/* Version `n` is bytes that only it has. */
static void version(unsigned n, struct vault_buf *out)
{
	struct vault_scratch_random r = vault_scratch_seed(n + 1000);

	vault_buf_clear(out);
	vault_scratch_bytes(&r, out, VERSION_BYTES + n % 7);
}

/* ---- the writer, a process of its own; trouble is tried again ---- */

static bool write_file(const char *path, const struct vault_buf *b, int flags)
{
	const int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
	bool ok = fd >= 0 && write(fd, b->data, b->len) == (ssize_t)b->len;

	if (fd >= 0 && close(fd) != 0)
		ok = false;
	return ok;
}

/* Some programs write in place, some beside and rename. */
static bool save(const char *project, unsigned n)
{
	struct vault_buf b = VAULT_BUF_INIT;
	char path[400];
	char temp[420];
	bool ok;

	version(n, &b);
	snprintf(path, sizeof(path), "%s/file%u.psd", project, n % N_FILES);
	snprintf(temp, sizeof(temp), "%s~", path);
	if (n / N_FILES % 2 == 0)
		ok = write_file(path, &b, O_TRUNC);
	else
		ok = write_file(temp, &b, O_TRUNC) && rename(temp, path) == 0;
	vault_buf_release(&b);
	return ok;
}

/*
 * Save with the same daemon, or none, from beginning to end. What is opened in
 * the real folder and written after a mount has covered it was never seen: as
 * every change behind the mount it is found by the next scan, and no sync
 * promises that.
 */
static bool save_through_one(const char *project, unsigned n)
{
	const int dir = open(project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat before;
	struct stat after;
	bool ok;

	ok = dir >= 0 && save(project, n) && fstat(dir, &before) == 0 &&
	     stat(project, &after) == 0 && before.st_dev == after.st_dev;
	if (dir >= 0)
		close(dir);
	return ok;
}

static bool acknowledged(const char *project)
{
	char word[] = "sync";
	char *argv[] = { word, NULL };
	char socket[4096];
	bool ran = false;
	const ssize_t n = getxattr(project, VAULT_PROJECT_SOCKET_XATTR, socket,
				   sizeof(socket) - 1);

	if (n <= 0)
		return false;
	socket[n] = '\0';
	return vault_control_call(socket, "", 1, argv, &ran) == 0 && ran;
}

static void write_for_ever(const char *project, int acks)
{
	const int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	for (unsigned n = 0;; n++) {
		while (!save_through_one(project, n))
			usleep(1000);
		/* Between a death and the next mount the real folder was
		 * written: a sync that comes later covers that, too. */
		if (acknowledged(project) &&
		    write(acks, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

/* ---- the fixture ---- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vault_mount_options o = vault_mounted_options();
	int fds[2];

	assert_non_null(f);
	*state = f;
	vault_scratch_init(&f->scratch);
	vault_scratch_write_str(f->scratch.fd, "project/file", "live");
	vault_mounted_start(&f->m, vault_scratch_path(&f->scratch, "project"),
			    NULL, &o);
	strcpy(f->project, f->m.project);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	f->acks = fds[0];
	f->writer = fork();
	assert_true(f->writer >= 0);
	if (f->writer == 0)
		write_for_ever(f->project, fds[1]);
	close(fds[1]);
	return 0;
}

static void stop_writer(struct fixture *f)
{
	if (f->writer <= 0)
		return;
	kill(f->writer, SIGKILL);
	waitpid(f->writer, NULL, 0);
	f->writer = 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop_writer(f);
	vault_mounted_clean(&f->m);
	vault_scratch_release(&f->scratch);
	close(f->acks);
	free(f);
	return 0;
}

/* ---- claims ---- */

static bool is_readable(void *ctx)
{
	const struct fixture *f = ctx;
	char path[400];
	char bytes[4];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "%s/file", f->project);
	fd = open(path, O_RDONLY);
	ok = fd >= 0 && read(fd, bytes, 4) == 4 && !memcmp(bytes, "live", 4);
	if (fd >= 0)
		close(fd);
	return ok;
}

struct successor {
	struct fixture *f;
	pid_t former;
};

static bool serves_anew(void *ctx)
{
	const struct successor *s = ctx;
	struct fixture *f = s->f;

	return vault_mounted_find(&f->m) && f->m.daemon != s->former &&
	       vault_mounted_at(f->project) &&
	       !vault_mountinfo_is_dead(f->project) && is_readable(f);
}

/* Is version `n` among what the timeline of its file holds? */
static bool is_kept(const struct fixture *f, unsigned n)
{
	struct vault_buf want = VAULT_BUF_INIT;
	struct vault_buf got = VAULT_BUF_INIT;
	char path[400];
	struct dirent *de;
	bool found = false;
	DIR *d;

	version(n, &want);
	snprintf(path, sizeof(path), "%s/.timeline/file%u.psd", f->project,
		 n % N_FILES);
	d = opendir(path);
	assert_non_null(d);
	while (!found && (de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.' || de->d_name[0] == '@')
			continue;
		vault_scratch_read(dirfd(d), de->d_name, &got);
		found = vault_span_equal(vault_buf_span(&got),
					 vault_buf_span(&want));
	}
	closedir(d);
	vault_buf_release(&want);
	vault_buf_release(&got);
	return found;
}

static void what_was_acknowledged_outlives_every_death(void **state)
{
	struct fixture *f = *state;
	struct vault_scratch_random r = vault_scratch_seed(5);
	struct successor s = { .f = f };
	unsigned n_acks = 0;
	unsigned n;

	for (int i = 0; i < N_KILLS; i++) {
		usleep(300000 + (useconds_t)vault_scratch_below(&r, 900000));
		s.former = f->m.daemon;
		kill(s.former, SIGKILL);
		vault_mounted_wait(is_readable, f, GONE_MS,
				   "the files are there");
		vault_mounted_wait(serves_anew, &s, START_MS,
				   "a new daemon serves");
	}
	/* At least one round is acknowledged behind the last death. */
	assert_int_equal(read(f->acks, &n, sizeof(n)), sizeof(n));
	assert_true(is_kept(f, n));
	usleep(500000);
	stop_writer(f);
	while (read(f->acks, &n, sizeof(n)) == sizeof(n)) {
		if (!is_kept(f, n))
			fail_msg("version %u was acknowledged and is gone", n);
		n_acks++;
	}
	print_message("%u acknowledged versions, all there\n", n_acks + 1);
	vault_mounted_stop(&f->m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_acknowledged_outlives_every_death, setup,
			teardown),
	};

	vault_mounted_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
