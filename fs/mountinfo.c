/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/log.h"

extern char **environ;

/* The table writes blanks, tabs, newlines and backslashes as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				       (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /mount/point rw - type source options", proc(5). */
static bool parse(char *line, const char *path, struct vault_mountinfo *out)
{
	char *fields[5];
	char *save = NULL;
	char *type;
	unsigned major;
	unsigned minor;
	char *tail = strstr(line, " - ");

	if (tail == NULL)
		return false;
	*tail = '\0';
	type = strtok_r(tail + 3, " \n", &save);
	for (size_t i = 0; i < 5; i++) {
		fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (fields[i] == NULL)
			return false;
	}
	unescape(fields[4]);
	if (type == NULL || strcmp(fields[4], path) != 0 ||
	    sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return false;
	out->dev = makedev(major, minor);
	out->ours = strcmp(type, "fuse." VAULT_MOUNTINFO_SUBTYPE) == 0;
	return true;
}

vault_err vault_mountinfo_at(const char *path, struct vault_mountinfo *out)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	vault_err err = VAULT_ERR_NOT_FOUND;
	struct vault_mountinfo found;
	char *line = NULL;
	size_t room = 0;

	if (f == NULL)
		return vault_err_from_errno(errno);
	/* Later lines are mounted on top. */
	while (getline(&line, &room, f) > 0) {
		if (parse(line, path, &found)) {
			*out = found;
			err = VAULT_OK;
		}
	}
	free(line);
	fclose(f);
	return err;
}

bool vault_mountinfo_is_dead(const char *path)
{
	struct vault_mountinfo at;
	struct statvfs st;

	/* Attributes may be answered from a cache; this never is. A daemon
	 * that dies while we ask gives the second answer. */
	return vault_mountinfo_at(path, &at) == VAULT_OK && at.ours &&
	       statvfs(path, &st) != 0 &&
	       (errno == ENOTCONN || errno == ECONNABORTED);
}

/* Users unmount through the set-user-id helper. */
static vault_err by_helper(const char *path, bool lazy)
{
	char name[] = "fusermount3";
	char quiet[] = "-q";
	char unmount[] = "-u";
	char lazily[] = "-z";
	char *target = strdup(path);
	char *argv[] = { name, quiet, unmount, target, lazy ? lazily : NULL,
			 NULL };
	posix_spawn_file_actions_t actions;
	vault_err err = VAULT_ERR_BUSY;
	int status;
	pid_t pid;

	if (target == NULL)
		return VAULT_ERR_NOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	if (posix_spawnp(&pid, name, &actions, NULL, argv, environ) != 0)
		err = VAULT_ERR_NOT_FOUND;
	else if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		 WEXITSTATUS(status) == 0)
		err = VAULT_OK;
	posix_spawn_file_actions_destroy(&actions);
	free(target);
	return err;
}

/* Where the set-user-id helper finds its end of the socket. */
#define HELPER_FD 3

/* Our environment and one word more; `*out` is the caller's to free. */
static vault_err with_word(char *word, char ***out)
{
	size_t n = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (env == NULL)
		return VAULT_ERR_NOMEM;
	memcpy(env, environ, n * sizeof(*env));
	env[n] = word;
	*out = env;
	return VAULT_OK;
}

static vault_err spawn_helper(const char *path, const char *options, int sock,
			      pid_t *pid)
{
	char name[] = "fusermount3";
	char with[] = "-o";
	char end[] = "--";
	char word[] = "_FUSE_COMMFD=3";
	char *words = strdup(options);
	char *target = strdup(path);
	char *argv[] = { name, with, words, end, target, NULL };
	posix_spawn_file_actions_t actions;
	char **env = NULL;
	vault_err err = VAULT_ERR_NOMEM;

	posix_spawn_file_actions_init(&actions);
	if (words == NULL || target == NULL ||
	    posix_spawn_file_actions_adddup2(&actions, sock, HELPER_FD) != 0)
		goto out;
	err = with_word(word, &env);
	if (err == VAULT_OK &&
	    posix_spawnp(pid, name, &actions, NULL, argv, env) != 0)
		err = VAULT_ERR_NOT_FOUND;
out:
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	free(words);
	free(target);
	return err;
}

/* The helper sends one byte, and with it the descriptor of the mount. */
static vault_err receive_fd(int sock, int *out)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return VAULT_ERR_IO; /* the helper has said why */
	memcpy(out, CMSG_DATA(c), sizeof(int));
	return VAULT_OK;
}

vault_err vault_mountinfo_mount_by_helper(const char *path, const char *options,
					  int *out)
{
	vault_err err;
	pid_t pid = 0;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return vault_err_from_errno(errno);
	err = spawn_helper(path, options, pair[0], &pid);
	close(pair[0]);
	if (err == VAULT_OK)
		err = receive_fd(pair[1], out);
	else
		vault_log_error("fusermount3: %s; users mount with it (Debian: "
				"package fuse3)",
				vault_err_text(err));
	close(pair[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

vault_err vault_mountinfo_unmount(const char *path, bool lazy)
{
	const int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);

	if (geteuid() != 0)
		return by_helper(path, lazy);
	if (umount2(path, flags) != 0)
		return errno == EINVAL ? VAULT_ERR_NOT_FOUND
				       : vault_err_from_errno(errno);
	return VAULT_OK;
}
