/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever becomes of the daemon, the real folder is there. */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/mountinfo.h"
#include "tests/support/mounted.h"
#include "tests/support/scratch.h"

/* What the daemon's death may cost, and how long a start may take here. */
#define GONE_MS 1000
#define START_MS 20000

struct fixture {
	struct vault_scratch scratch;
	struct vault_mounted m;
	char file[300];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	f->m.back = -1;
	vault_scratch_init(&f->scratch);
	vault_scratch_write_str(f->scratch.fd, "project/file", "live");
	snprintf(f->file, sizeof(f->file), "%s/project/file", f->scratch.path);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vault_mounted_clean(&f->m);
	vault_scratch_release(&f->scratch);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	const struct vault_mount_options o = vault_mounted_options();

	vault_mounted_start(&f->m, vault_scratch_path(&f->scratch, "project"),
			    NULL, &o);
}

static bool is_readable(void *ctx)
{
	const struct fixture *f = ctx;
	char bytes[8];
	const int fd = open(f->file, O_RDONLY);
	const bool ok = fd >= 0 && read(fd, bytes, 4) == 4 &&
			memcmp(bytes, "live", 4) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool is_unmounted(void *ctx)
{
	const struct fixture *f = ctx;

	return !vault_mounted_at(f->m.mountpoint);
}

struct successor {
	struct fixture *f;
	pid_t former;
};

static bool is_mounted_anew(void *ctx)
{
	const struct successor *s = ctx;

	return vault_mounted_find(&s->f->m) && s->f->m.daemon != s->former &&
	       vault_mounted_at(s->f->m.mountpoint) &&
	       !vault_mountinfo_is_dead(s->f->m.mountpoint) &&
	       is_readable(s->f);
}

static bool has_ended(void *ctx)
{
	const struct fixture *f = ctx;
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)f->m.watcher, &info,
		      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == f->m.watcher;
}

/* ---- claims ---- */

static void after_a_kill_the_files_show_and_the_mount_comes_back(void **state)
{
	struct fixture *f = *state;
	struct successor s = { .f = f };
	int fd;

	start(f);
	for (int n = 0; n < 2; n++) {
		s.former = f->m.daemon;
		kill(s.former, SIGKILL);
		vault_mounted_wait(is_readable, f, GONE_MS,
				   "the file is readable again");
		vault_mounted_wait(is_mounted_anew, &s, START_MS,
				   "a new daemon serves");
	}
	fd = open(f->file, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "LIVE", 4, 0), 4);
	close(fd);
	vault_scratch_expect(f->m.back, "file", vault_span_str("LIVE"));
	vault_mounted_stop(&f->m);
}

static void after_many_deaths_the_real_folder_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct successor s = { .f = f };

	start(f);
	for (int n = 0; n < 4; n++) {
		s.former = f->m.daemon;
		kill(s.former, SIGKILL);
		vault_mounted_wait(is_mounted_anew, &s, START_MS,
				   "a new daemon serves");
	}
	kill(f->m.daemon, SIGKILL);
	vault_mounted_wait(has_ended, f, START_MS, "the watcher gives up");
	assert_true(is_unmounted(f));
	assert_true(is_readable(f));
}

static pid_t start_in_foreground(struct fixture *f)
{
	struct vault_mount_options o = vault_mounted_options();
	struct vault_place place = { 0 };
	pid_t pid;

	o.foreground = true;
	snprintf(place.project, sizeof(place.project), "%s/project",
		 f->scratch.path);
	strcpy(f->m.mountpoint, place.project);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exit(vault_mount_main(&place, NULL, &o));
	f->m.watcher = pid; /* for the teardown */
	for (int ms = 0; ms < START_MS && is_unmounted(f); ms += 10)
		usleep(10000);
	assert_false(is_unmounted(f));
	vault_mounted_wait(is_readable, f, START_MS, "it is served");
	return pid;
}

static void in_the_foreground_a_kill_only_unmounts(void **state)
{
	struct fixture *f = *state;
	const pid_t pid = start_in_foreground(f);
	int status;

	kill(pid, SIGKILL);
	vault_mounted_wait(is_unmounted, f, GONE_MS, "it is unmounted");
	assert_true(is_readable(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	f->m.watcher = 0;
	usleep(300000);
	assert_true(is_unmounted(f));
}

static void in_the_foreground_sigterm_ends_it_cleanly(void **state)
{
	struct fixture *f = *state;
	const pid_t pid = start_in_foreground(f);
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	f->m.watcher = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(is_unmounted(f));
	assert_true(is_readable(f));
}

static void sigterm_ends_it_cleanly(void **state)
{
	struct fixture *f = *state;

	start(f);
	kill(f->m.daemon, SIGTERM);
	vault_mounted_wait(has_ended, f, START_MS, "the watcher ends too");
	assert_true(is_unmounted(f));
	assert_true(is_readable(f));
}

static void a_plain_unmount_ends_it_cleanly(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(vault_mountinfo_unmount(f->m.mountpoint, false), 0);
	vault_mounted_wait(has_ended, f, START_MS, "the watcher ends too");
	assert_true(is_readable(f));
}

static void the_watcher_outlives_signals_to_its_group(void **state)
{
	struct fixture *f = *state;
	struct successor s = { .f = f };

	start(f);
	kill(f->m.watcher, SIGTERM);
	kill(f->m.watcher, SIGINT);
	kill(f->m.watcher, SIGHUP);
	s.former = f->m.daemon;
	kill(s.former, SIGKILL);
	vault_mounted_wait(is_mounted_anew, &s, START_MS,
			   "a new daemon serves");
	vault_mounted_stop(&f->m);
}

static void a_mount_in_use_is_not_taken_away(void **state)
{
	struct fixture *f = *state;
	int fd;

	start(f);
	fd = open(f->file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(vault_mount_unmount(f->m.mountpoint), 1);
	assert_true(vault_mounted_at(f->m.mountpoint));
	assert_true(is_readable(f));
	close(fd);
	vault_mounted_stop(&f->m);
}

static int n_set_aside(const struct fixture *f)
{
	const int fd = openat(f->m.back, VAULT_PROJECT_VAULT_NAME,
			      O_RDONLY | O_DIRECTORY);
	struct dirent *de;
	DIR *d = fdopendir(fd);
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)) != NULL)
		if (strncmp(de->d_name, "index.aside-", 12) == 0)
			n++;
	closedir(d);
	return n;
}

static void two_deaths_in_a_row_set_the_index_aside(void **state)
{
	struct fixture *f = *state;
	struct successor s = { .f = f };

	start(f);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(n_set_aside(f), 0);
		s.former = f->m.daemon;
		kill(s.former, SIGKILL);
		vault_mounted_wait(is_mounted_anew, &s, START_MS,
				   "a new daemon serves");
	}
	assert_int_equal(n_set_aside(f), 1);
	vault_mounted_stop(&f->m);
}

/* ---- refusals ---- */

static int try_mount(const char *project, const char *mountpoint)
{
	const struct vault_mount_options o = vault_mounted_options();
	struct vault_place place = { 0 };

	snprintf(place.project, sizeof(place.project), "%s", project);
	return vault_mount_main(&place, mountpoint, &o);
}

static void what_cannot_be_mounted_is_refused_and_stays_as_it_was(void **state)
{
	struct fixture *f = *state;
	char project[300];

	snprintf(project, sizeof(project), "%s/project", f->scratch.path);
	vault_scratch_mkdirs(f->scratch.fd, "project/inside");
	vault_scratch_mkdirs(f->scratch.fd, "elsewhere");
	vault_scratch_write_str(f->scratch.fd, "plain", "x");

	assert_int_equal(
		try_mount(project, vault_scratch_path(&f->scratch, "nothing")),
		1);
	assert_int_equal(
		try_mount(project, vault_scratch_path(&f->scratch, "plain")),
		1);
	assert_int_equal(
		try_mount(project,
			  vault_scratch_path(&f->scratch, "project/inside")),
		1);
	assert_false(vault_scratch_exists(f->scratch.fd, "project/.artvault"));
	start(f);
	/* Again in place, and again elsewhere: one daemon for one vault. */
	assert_int_equal(try_mount(project, NULL), 1);
	assert_int_equal(try_mount(project, vault_scratch_path(&f->scratch,
							       "elsewhere")),
			 1);
	assert_true(is_readable(f));
	vault_mounted_stop(&f->m);
	assert_int_equal(vault_mount_unmount(project), 1);
}

/* A daemon that walked into its own mount would wait for itself. */
static void a_vault_in_the_wrong_place_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct vault_mount_options o = vault_mounted_options();
	struct vault_place place = { 0 };
	char inside[300];

	vault_scratch_mkdirs(f->scratch.fd, "project/deep/vault");
	vault_scratch_mkdirs(f->scratch.fd, "vault/mnt");
	snprintf(place.project, sizeof(place.project), "%s/project",
		 f->scratch.path);
	snprintf(place.vault, sizeof(place.vault), "%s/project/deep/vault",
		 f->scratch.path);
	assert_int_equal(vault_mount_main(&place, NULL, &o), 1);
	snprintf(place.vault, sizeof(place.vault), "%s/vault", f->scratch.path);
	assert_int_equal(vault_mount_main(&place, place.vault, &o), 1);
	snprintf(inside, sizeof(inside), "%s/vault/mnt", f->scratch.path);
	assert_int_equal(vault_mount_main(&place, inside, &o), 1);
	assert_true(is_readable(f));
}

/* Nobody is left to help. */
static void kill_all(struct fixture *f)
{
	kill(f->m.watcher, SIGKILL);
	waitpid(f->m.watcher, NULL, 0);
	kill(f->m.daemon, SIGKILL);
	f->m.watcher = 0;
	usleep(200000);
	assert_true(vault_mountinfo_is_dead(f->m.mountpoint));
}

static void a_dead_mount_is_cleared_by_unmount_and_by_mount(void **state)
{
	struct fixture *f = *state;

	start(f);
	kill_all(f);
	assert_int_equal(vault_mount_unmount(f->m.mountpoint), 0);
	assert_true(is_readable(f));
	start(f);
	kill_all(f);
	start(f);
	assert_true(is_readable(f));
	vault_mounted_stop(&f->m);
}

/* As a shell completes it, with a slash behind; and from beside it. */
static void a_dead_mount_is_found_by_any_of_its_names(void **state)
{
	static const char *const ends[] = { "/", "//" };
	struct fixture *f = *state;
	char name[400];
	int here;

	for (size_t i = 0; i < 2; i++) {
		start(f);
		kill_all(f);
		snprintf(name, sizeof(name), "%s%s", f->m.mountpoint, ends[i]);
		assert_int_equal(vault_mount_unmount(name), 0);
		assert_true(is_readable(f));
	}
	start(f);
	kill_all(f);
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(here >= 0);
	assert_int_equal(fchdir(f->scratch.fd), 0);
	assert_int_equal(vault_mount_unmount("project/"), 0);
	assert_int_equal(vault_mount_unmount("nothing/"), 1);
	assert_int_equal(fchdir(here), 0);
	close(here);
	assert_true(is_readable(f));
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* With --user: as one, who mounts through fusermount3. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CLAIM(after_a_kill_the_files_show_and_the_mount_comes_back),
		CLAIM(after_many_deaths_the_real_folder_is_left_alone),
		CLAIM(in_the_foreground_a_kill_only_unmounts),
		CLAIM(in_the_foreground_sigterm_ends_it_cleanly),
		CLAIM(sigterm_ends_it_cleanly),
		CLAIM(a_plain_unmount_ends_it_cleanly),
		CLAIM(the_watcher_outlives_signals_to_its_group),
		CLAIM(a_mount_in_use_is_not_taken_away),
		CLAIM(two_deaths_in_a_row_set_the_index_aside),
		CLAIM(what_cannot_be_mounted_is_refused_and_stays_as_it_was),
		CLAIM(a_vault_in_the_wrong_place_is_refused),
		CLAIM(a_dead_mount_is_cleared_by_unmount_and_by_mount),
		CLAIM(a_dead_mount_is_found_by_any_of_its_names),
	};

	vault_mounted_or_skip();
	if (argc > 1 && strcmp(argv[1], "--user") == 0)
		vault_mounted_become_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
