/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fs/control.h"
#include "fs/daemon.h"
#include "fs/mountinfo.h"
#include "fs/watch.h"
#include "store/base/log.h"

/* How long an unmounted daemon may take to close its vault. */
#define GONE_TIMEOUT_MS 60000
/* How long a mount may still be there after the daemon was asked. */
#define UNMOUNT_TIMEOUT_MS 5000
#define POLL_MS 20

/* ---- checks before anything is touched ---- */

static bool is_below(const char *path, const char *dir)
{
	const size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || (len == 1 && path[1] != '\0'));
}

static bool check_device(void)
{
	int fd;

	if (access("/dev/fuse", F_OK) != 0) {
		vault_log_error("/dev/fuse: %s: this kernel has no FUSE, or "
				"its module is not loaded (modprobe fuse)",
				strerror(errno));
		return false;
	}
	/* Users get it from fusermount3, which may open what they may not. */
	if (geteuid() != 0)
		return true;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		vault_log_error("/dev/fuse: %s", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* The mountpoint without links, even where a dead mount lies on it. */
static bool resolve(const char *given, char out[PATH_MAX])
{
	char copy[PATH_MAX];
	char *slash;
	size_t len;

	if (realpath(given, out) != NULL)
		return true;
	if (errno != ENOTCONN || strlen(given) >= PATH_MAX)
		goto refuse;
	strcpy(copy, given);
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash == NULL) {
		if (realpath(".", out) == NULL)
			goto refuse;
		slash = copy;
	} else {
		*slash++ = '\0';
		if (realpath(copy[0] == '\0' ? "/" : copy, out) == NULL)
			goto refuse;
	}
	len = strlen(out);
	if (len + strlen(slash) + 2 > PATH_MAX) {
		errno = ENAMETOOLONG;
		goto refuse;
	}
	if (len > 1)
		out[len++] = '/';
	strcpy(out + len, slash);
	return true;
refuse:
	vault_log_error("%s: %s", given, strerror(errno));
	return false;
}

static bool check_mountpoint(const char *path)
{
	struct vault_mountinfo at;
	struct stat st;

	if (vault_mountinfo_at(path, &at) == VAULT_OK && at.ours) {
		if (!vault_mountinfo_is_dead(path)) {
			vault_log_error("%s: is mounted already", path);
			return false;
		}
		vault_log_warn("%s: the daemon of an earlier mount is gone; "
			       "unmounting what it left",
			       path);
		if (vault_mountinfo_unmount(path, true) != VAULT_OK) {
			vault_log_error("%s: could not be unmounted", path);
			return false;
		}
	}
	if (stat(path, &st) != 0) {
		vault_log_error("%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		vault_log_error("%s: is not a directory", path);
		return false;
	}
	return true;
}

/* A daemon must never walk into its own mount. */
static bool check_places(const struct vault_place *place,
			 const char *mountpoint)
{
	char vault[PATH_MAX + 16];
	struct vault_mountinfo at;
	bool inside;

	vault_daemon_vault_name(place, &inside);
	if (inside) {
		vault_log_error("%s: a vault lies in the root of its project "
				"or outside of it, not deeper inside",
				place->vault);
		return false;
	}
	snprintf(vault, sizeof(vault), "%s%s",
		 place->vault[0] != '\0' ? place->vault : place->project,
		 place->vault[0] != '\0' ? "" : "/" VAULT_PROJECT_VAULT_NAME);
	if (strcmp(mountpoint, vault) == 0 || is_below(mountpoint, vault)) {
		vault_log_error("%s: lies in the vault", mountpoint);
		return false;
	}
	if (is_below(mountpoint, place->project)) {
		vault_log_error("%s: lies inside the project %s; mount on the "
				"project itself or outside of it",
				mountpoint, place->project);
		return false;
	}
	if (vault_mountinfo_at(place->project, &at) == VAULT_OK && at.ours) {
		vault_log_error("%s: is mounted already", place->project);
		return false;
	}
	return true;
}

/* ---- mounting ---- */

struct mounting {
	const struct vault_place *place;
	const struct vault_mount_options *options;
	char mountpoint[PATH_MAX];
	char vault[PATH_MAX + 16];
};

static int run_daemon(void *ctx, int watcherfd, bool set_index_aside)
{
	const struct mounting *m = ctx;
	const struct vault_daemon_job job = {
		.place = m->place,
		.mountpoint = m->mountpoint,
		.options = m->options,
		.watcherfd = watcherfd,
		.set_index_aside = set_index_aside,
	};

	return vault_daemon_run(&job);
}

static int in_foreground(struct mounting *m, const struct vault_watch_job *job)
{
	int watcherfd = -1;
	const pid_t watcher = vault_watch_beside(job, &watcherfd);
	int code;

	if (watcher < 0) {
		vault_log_error("the watcher could not be started: %s",
				strerror(errno));
		return 1;
	}
	code = run_daemon(m, watcherfd, false);
	close(watcherfd);
	while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
		;
	return code;
}

/* Wait for the byte that says "mounted", and ask the mount itself. */
static int wait_ready(const struct mounting *m, int readyfd)
{
	struct statvfs st;
	uint8_t byte;
	ssize_t n;

	do {
		n = read(readyfd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		return 1; /* the daemon has said why */
	if (statvfs(m->mountpoint, &st) != 0) {
		vault_log_error("%s: mounted, but does not answer: %s",
				m->mountpoint, strerror(errno));
		return 1;
	}
	return 0;
}

static int in_background(struct mounting *m, const struct vault_watch_job *job)
{
	int readyfd[2];
	pid_t watcher;
	int code;

	fflush(NULL);
	if (pipe2(readyfd, O_CLOEXEC) != 0 || (watcher = fork()) < 0) {
		vault_log_error("the watcher could not be started: %s",
				strerror(errno));
		return 1;
	}
	if (watcher == 0) {
		close(readyfd[0]);
		setsid();
		if (chdir("/") != 0)
			_exit(1);
		exit(vault_watch_run(job, readyfd[1]));
	}
	close(readyfd[1]);
	code = wait_ready(m, readyfd[0]);
	close(readyfd[0]);
	if (code != 0)
		while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
			;
	return code;
}

int vault_mount_main(const struct vault_place *place, const char *mountpoint,
		     const struct vault_mount_options *options)
{
	struct mounting m = { .place = place, .options = options };
	const struct vault_watch_job job = {
		.mountpoint = m.mountpoint,
		.vault = m.vault,
		.daemon = run_daemon,
		.ctx = &m,
	};

	if (mountpoint == NULL)
		mountpoint = place->project;
	snprintf(m.vault, sizeof(m.vault), "%s%s",
		 place->vault[0] != '\0' ? place->vault : place->project,
		 place->vault[0] != '\0' ? "" : "/" VAULT_PROJECT_VAULT_NAME);
	if (!resolve(mountpoint, m.mountpoint) || !check_device() ||
	    !check_mountpoint(m.mountpoint) ||
	    !check_places(place, m.mountpoint))
		return 1;
	if (options->foreground)
		return in_foreground(&m, &job);
	return in_background(&m, &job);
}

/* ---- unmounting ---- */

/* The process that listens on `path`; 0 if nobody does. */
static pid_t listener(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	pid_t pid = 0;
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return 0;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		pid = cred.pid;
	close(fd);
	return pid;
}

/* A background daemon's parent is its watcher. */
static pid_t parent_of(pid_t pid)
{
	char path[40];
	long parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*d (%*[^)]) %*c %ld", &parent) != 1)
		parent = 0;
	fclose(f);
	return (pid_t)parent;
}

static bool same_program(pid_t a, pid_t b)
{
	char path[40];
	struct stat sa;
	struct stat sb;

	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)a);
	if (stat(path, &sa) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)b);
	return stat(path, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* In the foreground the parent is a shell, which stays. */
static bool is_watcher(pid_t parent, pid_t daemon)
{
	return parent > 1 && getsid(parent) == parent &&
	       getsid(daemon) == parent && same_program(parent, daemon);
}

static int pidfd_of(pid_t pid)
{
	return pid <= 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool wait_gone(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	bool gone = true;

	if (pidfd >= 0)
		gone = poll(&p, 1, GONE_TIMEOUT_MS) > 0;
	return gone;
}

static bool wait_unmounted(const char *path, dev_t dev)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	struct vault_mountinfo at;

	for (int ms = 0; ms < UNMOUNT_TIMEOUT_MS; ms += POLL_MS) {
		if (vault_mountinfo_at(path, &at) != VAULT_OK || at.dev != dev)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int unmount_dead(const char *path)
{
	const vault_err err = vault_mountinfo_unmount(path, true);

	if (err == VAULT_OK)
		return 0;
	vault_log_error("%s: its daemon is gone and it could not be unmounted: "
			"%s",
			path, vault_err_text(err));
	return 1;
}

/* Nobody to ask for a sync: unmounting is still possible. */
static int unmount_unasked(const char *path)
{
	const vault_err err = vault_mountinfo_unmount(path, false);

	if (err != VAULT_OK) {
		vault_log_error("%s: %s", path, vault_err_text(err));
		return 1;
	}
	vault_log_warn("%s: unmounted, but its daemon did not answer: what "
		       "changed last is found by the next mount",
		       path);
	return 0;
}

static int unmount_asked(const char *path, const char *socket, dev_t dev)
{
	char word[] = "unmount";
	char *argv[] = { word, NULL };
	const pid_t daemon_pid = listener(socket);
	const int daemonfd = pidfd_of(daemon_pid);
	const pid_t parent = daemon_pid > 0 ? parent_of(daemon_pid) : 0;
	const int watcherfd =
		is_watcher(parent, daemon_pid) ? pidfd_of(parent) : -1;
	bool ran = false;
	int code;

	code = vault_control_call(socket, "", 1, argv, &ran);
	if (!ran) {
		code = unmount_unasked(path);
	} else if (code == 0 && !wait_unmounted(path, dev)) {
		vault_log_error("%s: everything is kept, but a program still "
				"uses the mount: not unmounted",
				path);
		code = 1;
	}
	if (code == 0 && !wait_gone(daemonfd)) {
		vault_log_error("%s: unmounted; its daemon is still busy",
				path);
		code = 1;
	}
	if (code == 0)
		wait_gone(watcherfd);
	if (daemonfd >= 0)
		close(daemonfd);
	if (watcherfd >= 0)
		close(watcherfd);
	return code;
}

int vault_mount_unmount(const char *mountpoint)
{
	struct vault_mountinfo at;
	char path[PATH_MAX];
	char socket[PATH_MAX];
	ssize_t n;

	if (!resolve(mountpoint, path))
		return 1;
	if (vault_mountinfo_at(path, &at) != VAULT_OK || !at.ours) {
		vault_log_error("%s: is not a mount of artvault", path);
		return 1;
	}
	if (vault_mountinfo_is_dead(path))
		return unmount_dead(path);
	n = getxattr(path, VAULT_PROJECT_SOCKET_XATTR, socket,
		     sizeof(socket) - 1);
	if (n <= 0)
		return unmount_unasked(path);
	socket[n] = '\0';
	return unmount_asked(path, socket, at.dev);
}
