/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mounted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
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
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/mountinfo.h"

void vault_mounted_or_skip(void)
{
	if (access("/dev/fuse", F_OK) == 0 &&
	    (geteuid() == 0 || access("/dev/fuse", R_OK | W_OK) == 0))
		return;
	fprintf(stderr, "skipped: no /dev/fuse that may be opened\n");
	exit(77);
}

#define NOBODY 65534
#define GENTLE_MS 5000

/* The same device under rights that a desktop's has. */
static bool open_device_to_all(void)
{
	char node[] = "/tmp/vault-fuse-XXXXXX";
	int fd = mkstemp(node);
	bool ok;

	if (fd < 0)
		return false;
	close(fd);
	ok = unlink(node) == 0 &&
	     mknod(node, S_IFCHR | 0600, makedev(10, 229)) == 0 &&
	     chmod(node, 0666) == 0 &&
	     mount(node, "/dev/fuse", NULL, MS_BIND, NULL) == 0;
	unlink(node);
	return ok;
}

void vault_mounted_become_user(void)
{
	if (geteuid() != 0)
		return;
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    open_device_to_all() && setgroups(0, NULL) == 0 &&
	    setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	    setresuid(NOBODY, NOBODY, NOBODY) == 0) {
		setenv("XDG_RUNTIME_DIR", "/tmp", 1);
		return;
	}
	fprintf(stderr, "skipped: no mount namespace of our own: %s\n",
		strerror(errno));
	exit(77);
}

struct vault_mount_options vault_mounted_options(void)
{
	struct vault_mount_options o = {
		.allow_other = geteuid() == 0,
		.capture = vault_capture_options_default,
	};

	o.capture.quiet_ms = 100;
	o.capture.open_quiet_ms = 500;
	o.capture.min_free_bytes = 0;
	o.capture.min_free_percent = 0;
	return o;
}

static pid_t parent_of(pid_t pid)
{
	char path[40];
	long parent = 0;
	char state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*d (%*[^)]) %c %ld", &state, &parent) != 2)
		parent = 0;
	fclose(f);
	return state == 'Z' ? 0 : (pid_t)parent;
}

/* The newest living child of `parent`; 0: none. */
static pid_t child_of(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	pid_t found = 0;

	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		const pid_t pid = (pid_t)strtol(de->d_name, NULL, 10);

		if (pid > found && parent_of(pid) == parent)
			found = pid;
	}
	closedir(d);
	return found;
}

bool vault_mounted_find(struct vault_mounted *m)
{
	m->daemon = child_of(m->watcher);
	return m->daemon != 0;
}

/* Kill them; the daemon's parent is found before that is nobody. */
static void kill_both(struct vault_mounted *m)
{
	if (m->watcher <= 0)
		return;
	vault_mounted_find(m);
	kill(m->watcher, SIGKILL);
	if (m->daemon > 0)
		kill(m->daemon, SIGKILL);
	if (vault_mounted_at(m->mountpoint) &&
	    vault_mountinfo_unmount(m->mountpoint, true) != VAULT_OK)
		fprintf(stderr, "%s: stays mounted\n", m->mountpoint);
}

/* A test that dies of a signal has no teardown: somebody waits for that. */
static pid_t start_guard(struct vault_mounted *m)
{
	const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	pid_t pid;

	assert_true(pidfd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setsid();
		while (poll(&p, 1, -1) < 0)
			;
		kill_both(m);
		_exit(0);
	}
	close(pidfd);
	return pid;
}

static void stop_guard(struct vault_mounted *m)
{
	if (m->guard <= 0)
		return;
	kill(m->guard, SIGKILL);
	while (waitpid(m->guard, NULL, 0) < 0 && errno == EINTR)
		;
	m->guard = 0;
}

void vault_mounted_start(struct vault_mounted *m, const char *project,
			 const char *mountpoint,
			 const struct vault_mount_options *options)
{
	struct vault_place place = { 0 };

	stop_guard(m);
	if (m->back > 0)
		close(m->back);
	*m = (struct vault_mounted){ .back = -1 };
	assert_non_null(realpath(project, place.project));
	assert_true(strlen(place.project) < sizeof(m->project));
	strcpy(m->project, place.project);
	strcpy(m->mountpoint, place.project);
	if (mountpoint != NULL)
		snprintf(m->mountpoint, sizeof(m->mountpoint), "%s",
			 mountpoint);
	m->back = open(project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Behind a dead mount there is nothing to open yet. */
	assert_true(m->back >= 0 || errno == ENOTCONN);
	assert_int_equal(vault_mount_main(&place, mountpoint, options), 0);
	m->watcher = child_of(getpid());
	assert_true(m->watcher != 0);
	assert_true(vault_mounted_find(m));
	m->guard = start_guard(m);
	assert_true(vault_mounted_at(m->mountpoint));
}

bool vault_mounted_at(const char *path)
{
	struct vault_mountinfo at;

	return vault_mountinfo_at(path, &at) == VAULT_OK && at.ours;
}

static void forget_processes(struct vault_mounted *m)
{
	stop_guard(m);
	if (m->watcher > 0)
		while (waitpid(m->watcher, NULL, 0) < 0 && errno == EINTR)
			;
	m->watcher = 0;
	m->daemon = 0;
}

void vault_mounted_stop(struct vault_mounted *m)
{
	assert_int_equal(vault_mount_unmount(m->mountpoint), 0);
	assert_false(vault_mounted_at(m->mountpoint));
	forget_processes(m);
}

/* What still runs gets a moment to end by itself, as it should: a daemon
 * that is killed counts no coverage and finds no leaks. */
static void end_gently(struct vault_mounted *m)
{
	struct pollfd p = { .events = POLLIN };

	if (m->watcher <= 0 || !vault_mounted_find(m) ||
	    !vault_mounted_at(m->mountpoint))
		return;
	p.fd = (int)syscall(SYS_pidfd_open, m->watcher, 0);
	if (p.fd < 0)
		return;
	if (vault_mountinfo_unmount(m->mountpoint, true) == VAULT_OK)
		poll(&p, 1, GENTLE_MS);
	close(p.fd);
}

void vault_mounted_clean(struct vault_mounted *m)
{
	end_gently(m);
	kill_both(m);
	forget_processes(m);
	if (m->back >= 0)
		close(m->back);
	m->back = -1;
}

void vault_mounted_wait(vault_mounted_condition *done, void *ctx, int ms,
			const char *what)
{
	const struct timespec pause = { .tv_nsec = 5000000 };

	for (int spent = 0; spent < ms; spent += 5) {
		if (done(ctx))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("waited %d ms in vain: %s", ms, what);
}
