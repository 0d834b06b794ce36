/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_COMMAND_H
#define VAULT_FS_COMMAND_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "fs/access.h"
#include "fs/project.h"
#include "versions/restore.h"

/*
 * Commands: the same functions, whether the daemon runs them for a client or
 * the program itself does on a vault that is not mounted.
 *
 * A command sees a project, its arguments and two streams; what it must write
 * outside the project goes through `restore`, which is a local writer or the
 * client's. It returns an exit code: 0 done, 1 failed, 2 usage (`check` has
 * its own). Commands run on their own thread in the daemon; several at once.
 */
struct vault_command_env {
	struct vault_project *project;
	const char *live_path; /* for status: "not mounted" or livefs' text */
	const char *shadowed;  /* for status; "" none */
	const char *inside;    /* client's directory relative to the project */
	struct vault_caller caller; /* whoever asked; root may all */
	FILE *out;
	FILE *err;
	bool out_is_tty;
	bool err_is_tty;
	/* Make a sink that writes `dest` on the side of whoever asked. */
	vault_err (*restore_to)(void *ctx, const char *dest,
				struct vault_restore_sink *sink);
	/* Put it in place (ok) or throw it away. */
	vault_err (*restore_done)(void *ctx, bool ok);
	void *restore_ctx;
};

struct vault_command {
	const char *name;
	const char *args;    /* "[--json] WHEN [PATH]" */
	const char *summary; /* one line */
	int (*run)(struct vault_command_env *env, int argc, char **argv);
};

/* All of them, by name; ends with a NULL name. */
extern const struct vault_command vault_commands[];

#endif
