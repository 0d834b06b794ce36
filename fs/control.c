/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fs/control_session.h"
#include "store/base/log.h"

/*
 * One thread accepts, one serves each connection. `lock` guards the table of
 * connections; the threads are detached and counted by it, so that stop can
 * wait for them. A command that still runs two seconds after stop was asked
 * for is cut off from its client, which makes its next write fail.
 */
#define MAX_SESSIONS 16
#define STOP_GRACE_SECONDS 2

struct vault_control {
	struct vault_control_options options;
	char path[PATH_MAX];
	int listenfd;
	int stopfd; /* an eventfd that wakes the accepting thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t idle;	    /* a session has ended */
	int sessions[MAX_SESSIONS]; /* their sockets, -1 where free */
	unsigned n_sessions;
};

struct serving {
	struct vault_control *control;
	int fd;
	unsigned slot;
};

/* ---- sessions ---- */

static bool take_slot(struct vault_control *c, int fd, unsigned *slot)
{
	bool found = false;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < MAX_SESSIONS && !found; i++) {
		if (c->sessions[i] >= 0)
			continue;
		c->sessions[i] = fd;
		c->n_sessions++;
		*slot = i;
		found = true;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

static void give_slot(struct vault_control *c, unsigned slot)
{
	pthread_mutex_lock(&c->lock);
	close(c->sessions[slot]);
	c->sessions[slot] = -1;
	c->n_sessions--;
	pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
}

static void *serve(void *arg)
{
	struct serving *s = arg;
	struct vault_control *c = s->control;
	const unsigned slot = s->slot;

	vault_control_session_run(&c->options, s->fd);
	free(s);
	give_slot(c, slot);
	return NULL;
}

/* Start a thread without signals: they are for the main one. */
static int start_thread(pthread_t *thread, bool detached, void *(*run)(void *),
			void *arg)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t before;
	int number;

	number = pthread_attr_init(&attr);
	if (number != 0)
		return number;
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	number = pthread_create(thread, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return number;
}

static void start_session(struct vault_control *c, int fd)
{
	struct serving *s = malloc(sizeof(*s));
	pthread_t thread;
	unsigned slot;

	if (s == NULL) {
		close(fd);
		return;
	}
	if (!take_slot(c, fd, &slot)) {
		vault_control_session_refuse(
			fd, "too many commands at once; try again");
		close(fd);
		free(s);
		return;
	}
	*s = (struct serving){ .control = c, .fd = fd, .slot = slot };
	if (start_thread(&thread, true, serve, s) != 0) {
		vault_log_error("control: no thread for a command");
		free(s);
		give_slot(c, slot);
	}
}

static void *accept_all(void *arg)
{
	struct vault_control *c = arg;
	struct pollfd fds[2] = {
		{ .fd = c->stopfd, .events = POLLIN },
		{ .fd = c->listenfd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0) {
			const int fd =
				accept4(c->listenfd, NULL, NULL, SOCK_CLOEXEC);

			if (fd >= 0)
				start_session(c, fd);
		}
	}
	return NULL;
}

/* ---- the socket ---- */

vault_err vault_control_address(const char *path, struct sockaddr_un *out,
				int *dirfd)
{
	char copy[PATH_MAX];
	char name[PATH_MAX];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;
	int n;

	if (strlen(path) >= sizeof(copy))
		return VAULT_ERR_NAME_TOO_LONG;
	strcpy(copy, path);
	strcpy(name, path);
	fd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vault_err_from_errno(errno);
	n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", fd,
		     basename(name));
	if (n < 0 || (size_t)n >= sizeof(a.sun_path)) {
		close(fd);
		return VAULT_ERR_NAME_TOO_LONG;
	}
	*out = a;
	*dirfd = fd;
	return VAULT_OK;
}

/* The owner alone may connect. */
static bool make_private(const char *path, uid_t owner)
{
	if (geteuid() == 0 && owner != 0 && lchown(path, owner, (gid_t)-1) != 0)
		return false;
	return chmod(path, 0600) == 0;
}

static vault_err make_dir(const char *path)
{
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy))
		return VAULT_ERR_NAME_TOO_LONG;
	strcpy(copy, path);
	if (mkdir(dirname(copy), 0700) != 0 && errno != EEXIST)
		return vault_err_from_errno(errno);
	return VAULT_OK;
}

static vault_err listen_at(const char *path, uid_t owner, int *out)
{
	struct sockaddr_un address;
	int dirfd = -1;
	int fd = -1;
	vault_err err;

	err = make_dir(path);
	if (err == VAULT_OK)
		err = vault_control_address(path, &address, &dirfd);
	if (err != VAULT_OK)
		goto out;
	/* We hold the vault's lock: a socket that is here is a dead one's. */
	unlink(address.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    !make_private(address.sun_path, owner) || listen(fd, 64) != 0) {
		err = vault_err_from_errno(errno);
		goto out;
	}
	*out = fd;
	fd = -1;

out:
	if (err != VAULT_OK)
		vault_log_error("%s: no socket could be made here: %s", path,
				vault_err_text(err));
	if (fd >= 0)
		close(fd);
	if (dirfd >= 0)
		close(dirfd);
	return err;
}

/* ---- life ---- */

static struct vault_control *new_control(
	const char *path, const struct vault_control_options *options)
{
	struct vault_control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->options = *options;
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->listenfd = -1;
	for (unsigned i = 0; i < MAX_SESSIONS; i++)
		c->sessions[i] = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->idle, NULL);
	c->stopfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c;
}

static void free_control(struct vault_control *c)
{
	if (c->listenfd >= 0)
		close(c->listenfd);
	if (c->stopfd >= 0)
		close(c->stopfd);
	pthread_cond_destroy(&c->idle);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

vault_err vault_control_start(const char *path,
			      const struct vault_control_options *options,
			      struct vault_control **out)
{
	struct vault_control *c = new_control(path, options);
	vault_err err = VAULT_ERR_NOMEM;

	if (c == NULL)
		return err;
	if (c->stopfd < 0)
		goto out;
	err = listen_at(path, options->owner, &c->listenfd);
	if (err != VAULT_OK)
		goto out;
	if (start_thread(&c->thread, false, accept_all, c) != 0) {
		vault_log_error("control: no thread to listen with");
		unlink(path);
		err = VAULT_ERR_NOMEM;
		goto out;
	}
	*out = c;
	c = NULL;

out:
	if (c != NULL)
		free_control(c);
	return err;
}

/* Wait for what runs; cut off what does not end in time. */
static void wait_for_sessions(struct vault_control *c)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_GRACE_SECONDS;
	pthread_mutex_lock(&c->lock);
	while (c->n_sessions > 0)
		if (pthread_cond_timedwait(&c->idle, &c->lock, &until) != 0)
			break;
	for (unsigned i = 0; i < MAX_SESSIONS; i++)
		if (c->sessions[i] >= 0)
			shutdown(c->sessions[i], SHUT_RDWR);
	while (c->n_sessions > 0)
		pthread_cond_wait(&c->idle, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* The socket, and the folder that was there for it alone. */
static void remove_socket(char *path)
{
	unlink(path);
	if (rmdir(dirname(path)) != 0 && errno != ENOENT &&
	    errno != ENOTEMPTY && errno != EEXIST)
		vault_log_debug("%s: %s", path, strerror(errno));
}

void vault_control_stop(struct vault_control *c)
{
	const uint64_t one = 1;

	if (c == NULL)
		return;
	remove_socket(c->path);
	if (write(c->stopfd, &one, sizeof(one)) != sizeof(one))
		vault_log_warn("control: %s", strerror(errno));
	pthread_join(c->thread, NULL);
	wait_for_sessions(c);
	free_control(c);
}
