/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_COMMAND_H
#define VAULT_FS_COMMAND_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "fs/access.h"
#include "fs/args.h"
#include "fs/project.h"
#include "versions/moment.h"
#include "versions/restore.h"

/*
 * Commands: the same functions, whether the daemon runs them for a client or
 * the program itself does on a vault that is not mounted.
 *
 * A command sees a project, its arguments and two streams; what it must write
 * outside the project goes through `restore_to`, which is a local writer or
 * the client's. It returns an exit code: 0 done, 1 failed, 2 usage (`check`
 * has its own). Commands run on their own thread in the daemon; several at
 * once. A command writes its own reasons to `err`, as "artvault: PATH:
 * reason": the log of the daemon is not seen by whoever asked.
 */
struct vault_command_env {
	struct vault_project *project;
	bool mounted;	       /* the daemon runs this */
	const char *live_path; /* for status: "not mounted" or livefs' text */
	const char *shadowed;  /* for status; "" none; a path a line */
	const char *inside;    /* client's directory relative to the project */
	struct vault_caller caller; /* whoever asked; root may all */
	FILE *out;
	FILE *err;
	bool out_is_tty;
	bool err_is_tty;
	/* Has whoever asked gone away? Long work stops then. May be NULL. */
	bool (*gone)(void *ctx);
	void *gone_ctx;
	/* Make a sink that writes `dest` on the side of whoever asked; where
	 * that is a directory, `name` in it. EXISTS. */
	vault_err (*restore_to)(void *ctx, const char *dest, const char *name,
				struct vault_restore_sink *sink);
	/* Put it in place (ok) or throw it away. */
	vault_err (*restore_done)(void *ctx, bool ok);
	void *restore_ctx;
};

/* Exit codes. */
enum {
	VAULT_EXIT_DONE = 0,
	VAULT_EXIT_FAILED = 1,
	VAULT_EXIT_USAGE = 2,
	VAULT_EXIT_CHECK_USAGE = 64, /* of `check`: usage or could not run */
};

struct vault_command {
	struct vault_args_usage usage;
	int usage_exit;	  /* when its words are wrong or it could not run */
	bool dir_operand; /* its operand stands for -C */
	/* `env->project` is open; `args` are its words. */
	int (*run)(struct vault_command_env *env,
		   const struct vault_args *args);
};

/* All that run on an open project, in the order of the manual; ends with a
 * NULL name. */
extern const struct vault_command *const vault_commands[];
/* NULL: there is none. */
const struct vault_command *vault_command_find(const char *name);

/*
 * Read argv[0..argc) (argv[0] is the command's name) without a word on any
 * error and run it: the daemon's way. Usage errors give its usage exit.
 */
int vault_command_run(struct vault_command_env *env, int argc, char **argv);

/* ---- for the commands themselves ---- */

/* "artvault: WHAT: reason" on env->err; returns VAULT_EXIT_FAILED. */
int vault_command_fail(struct vault_command_env *env, const char *what,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int vault_command_fail_err(struct vault_command_env *env, const char *what,
			   vault_err err);

/*
 * PATH as its user writes it (relative to env->inside, or absolute) as a path
 * relative to the project, "" for the root. NULL is the directory itself.
 * FORBIDDEN: it leaves the project; INVALID: it names a view or the vault.
 * Both were said on env->err.
 */
VAULT_MUST_CHECK vault_err vault_command_path(struct vault_command_env *env,
					      const char *path,
					      struct vault_buf *out);

/* The moment that WHEN means; the reason for none was said on env->err. */
VAULT_MUST_CHECK vault_err vault_command_when(struct vault_command_env *env,
					      const char *when,
					      struct vault_moment *out);

/* May whoever asked see this version? A vault_restore_may; ctx is the env
 * and a moment. */
struct vault_command_may {
	struct vault_command_env *env;
	uint64_t at;
};
vault_err vault_command_may(void *ctx, struct vault_span path,
			    const struct vault_version *v);

/*
 * The project's capture engine: the daemon's, or one that is started here
 * without watching and stopped with the project. Reasons are said.
 */
VAULT_MUST_CHECK vault_err vault_command_capture(struct vault_command_env *env,
						 struct vault_capture **out);

/* Sync with a progress bar on a terminal; the reason is said. */
VAULT_MUST_CHECK vault_err vault_command_sync(struct vault_command_env *env,
					      enum vault_cause cause,
					      struct vault_moment *out);

/* Say on env->err what was not kept and why (`path` not empty: of that path
 * alone), and that capture is paused if it is. */
void vault_command_sync_losses(struct vault_command_env *env,
			       struct vault_span path);

/* A path or name for people: control bytes and invalid UTF-8 as \xNN. */
void vault_command_print_text(FILE *to, struct vault_span text);

#endif
