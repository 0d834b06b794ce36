/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_CONTROL_H
#define VAULT_FS_CONTROL_H

#include "fs/command.h"
#include "store/base/err.h"

/*
 * The daemon's socket: a client sends a command's words, the daemon runs the
 * command and streams back what it prints, what it restores and its exit
 * code. Only the project's owner and root are served (SO_PEERCRED). Frames
 * are {type u8, length u32 le, bytes}; both ends treat the other's lengths,
 * types and paths as hostile. A client that goes away cancels its command.
 */
struct vault_control;

struct vault_control_options {
	struct vault_project *project;
	uid_t owner; /* served besides root */
	/* Called for every command for its live parts. */
	void (*describe)(void *ctx, struct vault_command_env *env);
	/* The client asked to unmount: everything finished is durable. */
	void (*unmount)(void *ctx);
	void *ctx;
};

/* Listen on `path` (made, 0700 directory, replaced if stale). */
VAULT_MUST_CHECK vault_err vault_control_start(
	const char *path, const struct vault_control_options *options,
	struct vault_control **out);
/* Stop serving, wait for running commands, remove the socket and its folder. */
void vault_control_stop(struct vault_control *c);

/*
 * The client: run `argv` in the daemon behind `socket`, print what comes on
 * stdout and stderr, write what is restored, return the exit code. `*ran` is
 * false when nobody answered (the caller then tries without a daemon).
 */
int vault_control_call(const char *socket, const char *inside, int argc,
		       char **argv, bool *ran);

#endif
