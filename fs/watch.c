/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "fs/logfile.h"
#include "fs/mountinfo.h"
#include "store/base/log.h"

/* This many deaths within so many seconds: stop trying. */
#define DEATHS_MAX 5
#define DEATHS_WINDOW_S 60

/* A daemon that lived this long did not die of its index. */
#define INDEX_TRUST_S 60

/* Before the third start in a row and later ones. */
#define PAUSE_S 2

void vault_watch_tell(int fd, enum vault_watch_word word)
{
	const uint8_t byte = (uint8_t)word;
	ssize_t n;

	do {
		n = write(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
}

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* The watcher's log lines; its own open lasts for one line. */
static void say(const struct vault_watch_job *job, const char *text, int detail)
{
	const int fd = open(job->vault, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		syslog(LOG_DAEMON | LOG_ERR, "artvault: %s: %s (%d)",
		       job->mountpoint, text, detail);
		return;
	}
	vault_logfile_start(fd);
	vault_logfile_quiet();
	vault_log_error("%s: %s (%d)", job->mountpoint, text, detail);
	vault_logfile_stop();
	close(fd);
}

/* How one daemon fared. */
struct life {
	bool opened;
	bool mounted;
	bool ended; /* it said so */
	int64_t began;
	int status; /* from waitpid(), for a child */
};

/* The terminal is not ours to keep. */
static void to_null(void)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int n = 0; n < 3; n++)
		dup2(fd, n);
	if (fd > 2)
		close(fd);
}

/* Listen until the last word, which is the end of the pipe. */
static void listen_to(int fd, struct life *life, int *readyfd)
{
	uint8_t word;
	ssize_t n;

	life->began = now_s();
	for (;;) {
		n = read(fd, &word, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		life->opened = life->opened || word == VAULT_WATCH_OPENING;
		life->ended = word == VAULT_WATCH_ENDING;
		if (word == VAULT_WATCH_MOUNTED) {
			life->mounted = true;
			if (*readyfd >= 0) {
				vault_watch_tell(*readyfd, VAULT_WATCH_MOUNTED);
				close(*readyfd);
				*readyfd = -1;
				to_null();
			}
		}
	}
}

/* Make the real folder show. Mounts may lie on one another: only dead ones
 * of ours go. */
static void detach(const struct vault_watch_job *job)
{
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && vault_mountinfo_is_dead(job->mountpoint))
		err = vault_mountinfo_unmount(job->mountpoint, true);
	if (err != VAULT_OK)
		say(job, "the dead mount could not be detached", (int)err);
}

/* Signals meant for the daemon, or for a whole terminal, are not for us. */
static void ignore_signals(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void heed_signals(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

static bool start(const struct vault_watch_job *job, int readyfd, bool aside,
		  int *listenfd, pid_t *pid)
{
	int pipefd[2];

	if (pipe2(pipefd, O_CLOEXEC) != 0)
		return false;
	fflush(NULL); /* what waits to be printed is printed once */
	*pid = fork();
	if (*pid == 0) {
		close(pipefd[0]);
		if (readyfd >= 0)
			close(readyfd);
		heed_signals();
		exit(job->daemon(job->ctx, pipefd[1], aside));
	}
	close(pipefd[1]);
	if (*pid < 0) {
		close(pipefd[0]);
		return false;
	}
	*listenfd = pipefd[0];
	return true;
}

static bool live_once(const struct vault_watch_job *job, int *readyfd,
		      bool aside, struct life *life)
{
	int fd;
	pid_t pid;

	*life = (struct life){ 0 };
	if (!start(job, *readyfd, aside, &fd, &pid)) {
		say(job, "the daemon could not be started", errno);
		return false;
	}
	listen_to(fd, life, readyfd);
	close(fd);
	/* Detach before reaping: a large process takes a while to go. */
	if (!life->ended)
		detach(job);
	while (waitpid(pid, &life->status, 0) < 0 && errno == EINTR)
		;
	return true;
}

/* Deaths of late. */
struct deaths {
	int64_t at[DEATHS_MAX];
	unsigned n;
	unsigned with_index; /* in a row */
};

/* Count one; false: enough. */
static bool count(struct deaths *d, const struct life *life)
{
	const int64_t now = now_s();
	int64_t oldest;

	d->at[d->n++ % DEATHS_MAX] = now;
	oldest = d->at[d->n % DEATHS_MAX];
	if (life->opened && now - life->began < INDEX_TRUST_S)
		d->with_index++;
	else
		d->with_index = life->opened ? 1 : 0;
	return d->n < DEATHS_MAX || now - oldest > DEATHS_WINDOW_S;
}

static int cause_of(const struct life *life)
{
	return WIFSIGNALED(life->status) ? WTERMSIG(life->status)
					 : WEXITSTATUS(life->status);
}

int vault_watch_run(const struct vault_watch_job *job, int readyfd)
{
	struct deaths deaths = { 0 };
	struct life life;
	bool ever = false;

	ignore_signals();
	for (;;) {
		const bool aside = deaths.with_index >= 2;

		if (!live_once(job, &readyfd, aside, &life))
			return 1;
		if (!ever && !life.mounted) {
			if (WIFSIGNALED(life.status))
				vault_log_error("the daemon died while "
						"starting: signal %d",
						WTERMSIG(life.status));
			return 1;
		}
		ever = true;
		if (aside)
			deaths.with_index = 0;
		if (life.ended)
			return 0;
		if (!count(&deaths, &life)) {
			say(job, "the daemon dies again and again; not mounted",
			    cause_of(&life));
			return 1;
		}
		say(job, "the daemon died; mounting again", cause_of(&life));
		if (deaths.n > 2)
			sleep(PAUSE_S);
	}
}

pid_t vault_watch_beside(const struct vault_watch_job *job, int *watcherfd)
{
	struct life life = { 0 };
	int no_ready = -1;
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) != 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pipefd[1]);
		setsid();
		ignore_signals();
		listen_to(pipefd[0], &life, &no_ready);
		if (!life.ended)
			detach(job);
		exit(0);
	}
	close(pipefd[0]);
	if (pid < 0)
		close(pipefd[1]);
	else
		*watcherfd = pipefd[1];
	return pid;
}
