/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/cmd.h"
#include "fs/control.h"
#include "fs/destination.h"
#include "fs/acting.h"
#include "store/base/log.h"

#define MAX_GROUPS 65536

static const struct vault_cmd_local *const local_commands[] = {
	&vault_cmd_mount,
	&vault_cmd_unmount,
	&vault_cmd_rebuild_index,
};
#define N_LOCAL (sizeof(local_commands) / sizeof(*local_commands))

/* What a command was called with, whole. */
struct call {
	const char *dir;
	const char *vault;
	int argc;
	char **argv; /* argv[0] is the command's name */
};

/* ---- signals ---- */

/* Set by SIGINT, SIGTERM, SIGHUP: long work stops, and what was half
 * restored is removed on the way out. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* Only where there is something to put in order: everything else may end
 * at any point, since a vault may. */
static void catch_signals(const struct vault_command *c)
{
	/* Without SA_RESTART: waiting for the daemon ends as well. The second
	 * signal does what signals do. */
	const struct sigaction catch = { .sa_handler = on_signal,
					 .sa_flags = (int)SA_RESETHAND };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL); /* a failed write says it */
	if (c != &vault_cmd_restore && c != &vault_cmd_check &&
	    c != &vault_cmd_status)
		return;
	sigaction(SIGINT, &catch, NULL);
	sigaction(SIGTERM, &catch, NULL);
	sigaction(SIGHUP, &catch, NULL);
}

static bool is_interrupted(void *ctx)
{
	(void)ctx;
	return interrupted != 0;
}

/* ---- a command on a vault that is not mounted ---- */

struct local_restore {
	struct vault_destination *destination;
	struct vault_restore_sink inner;
};

static vault_err check_signal(void)
{
	return interrupted != 0 ? VAULT_ERR_CANCELLED : VAULT_OK;
}

static vault_err local_begin(void *ctx, const struct vault_restore_item *item)
{
	const struct local_restore *l = ctx;
	const vault_err err = check_signal();

	return err == VAULT_OK ? l->inner.begin(l->inner.ctx, item) : err;
}

static vault_err local_data(void *ctx, uint64_t off, struct vault_span bytes)
{
	const struct local_restore *l = ctx;
	const vault_err err = check_signal();

	return err == VAULT_OK ? l->inner.data(l->inner.ctx, off, bytes) : err;
}

static vault_err local_end(void *ctx, const struct vault_restore_item *item)
{
	const struct local_restore *l = ctx;

	return l->inner.end(l->inner.ctx, item);
}

static vault_err local_leave(void *ctx, const struct vault_restore_item *item)
{
	const struct local_restore *l = ctx;

	return l->inner.leave(l->inner.ctx, item);
}

static vault_err local_restore_to(void *ctx, const char *dest, const char *name,
				  struct vault_restore_sink *sink)
{
	struct local_restore *l = ctx;
	const vault_err err =
		vault_destination_open(dest, name, &l->destination, &l->inner);

	if (err == VAULT_OK)
		*sink = (struct vault_restore_sink){ .ctx = l,
						     .begin = local_begin,
						     .data = local_data,
						     .end = local_end,
						     .leave = local_leave };
	return err;
}

static vault_err local_restore_done(void *ctx, bool ok)
{
	struct local_restore *l = ctx;

	return vault_destination_finish(l->destination, ok);
}

static int run_on(struct vault_project *project, const struct call *call,
		  const char *inside)
{
	struct local_restore restore = { 0 };
	gid_t *groups = calloc(MAX_GROUPS, sizeof(*groups));
	struct vault_command_env env = {
		.project = project,
		.live_path = "not mounted",
		.shadowed = "",
		.inside = inside,
		.out = stdout,
		.err = stderr,
		.out_is_tty = isatty(STDOUT_FILENO) == 1,
		.err_is_tty = isatty(STDERR_FILENO) == 1,
		.gone = is_interrupted,
		.restore_to = local_restore_to,
		.restore_done = local_restore_done,
		.restore_ctx = &restore,
	};
	int code;

	if (groups == NULL)
		return VAULT_EXIT_FAILED;
	env.caller = vault_acting_self(groups, MAX_GROUPS);
	code = vault_command_run(&env, call->argc, call->argv);
	free(groups);
	return code;
}

/* What a command that could not run exits with. */
static int could_not_run(const struct vault_command *c, vault_err err)
{
	if (c->usage_exit != VAULT_EXIT_CHECK_USAGE)
		return VAULT_EXIT_FAILED;
	/* For `check`, packs that cannot be read are an answer. */
	return err == VAULT_ERR_CORRUPT ? 2 : VAULT_EXIT_CHECK_USAGE;
}

static int run_unmounted(const struct vault_command *c, const struct call *call,
			 const struct vault_place *place, bool create)
{
	struct vault_project *project;
	vault_err err;
	int code;

	err = vault_project_open(place, create, &project);
	if (err != VAULT_OK)
		return could_not_run(c, err);
	code = run_on(project, call, place->inside);
	vault_project_close(project);
	return code;
}

/* `sync` of a folder that its user names keeps it, vault or not yet; the
 * current directory alone is too easily the wrong one. */
static vault_err find_place(const struct vault_command *c,
			    const struct call *call, struct vault_place *place,
			    bool *create)
{
	vault_err err;

	if (c != &vault_cmd_sync || call->dir == NULL)
		return vault_project_find(call->dir, call->vault, place);
	err = vault_project_find_quietly(call->dir, call->vault, place);
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	*create = true;
	return vault_project_place(call->dir, call->vault, place);
}

/* The kernel hands a closed file to the daemon after close() has returned,
 * but before it hands over anything that is asked later: once this is
 * answered, every save made before the command is known. */
static void wait_for_closes(const struct vault_place *place)
{
	struct statvfs st;

	if (place->mount[0] != '\0')
		(void)statvfs(place->mount, &st);
}

static int run_once(const struct vault_command *c, const struct call *call)
{
	struct vault_place place;
	bool create = false;
	bool ran = false;
	vault_err err;
	int code;

	err = find_place(c, call, &place, &create);
	if (err != VAULT_OK)
		return could_not_run(c, err);
	if (place.socket[0] != '\0') {
		wait_for_closes(&place);
		code = vault_control_call(place.socket, place.inside,
					  call->argc, call->argv, &ran);
		if (ran)
			return code;
	}
	if (place.mount[0] != '\0') {
		vault_log_error("%s: the daemon does not answer; try again, "
				"or `artvault unmount %s`",
				place.mount, place.mount);
		return could_not_run(c, VAULT_ERR_BUSY);
	}
	return run_unmounted(c, call, &place, create);
}

/* ---- status --watch ---- */

static int run_watching(const struct vault_command *c, const struct call *call)
{
	const bool tty = isatty(STDOUT_FILENO) == 1;
	int code = VAULT_EXIT_DONE;

	while (interrupted == 0 && code == VAULT_EXIT_DONE) {
		if (tty)
			fputs("\033[H\033[J", stdout);
		code = run_once(c, call);
		if (fflush(stdout) != 0)
			break;
		if (interrupted == 0 && code == VAULT_EXIT_DONE)
			sleep(1);
	}
	return interrupted != 0 ? VAULT_EXIT_DONE : code;
}

/* ---- words ---- */

static int run_command(const struct vault_command *c, struct call *call,
		       char *shown)
{
	char *name = call->argv[0];
	struct vault_args args;
	vault_err err;
	bool watch;

	call->argv[0] = shown;
	err = vault_args_parse(&c->usage, call->argc, call->argv, false,
			       c->usage_exit, &args);
	call->argv[0] = name;
	if (err != VAULT_OK)
		return c->usage_exit;
	if (vault_args_has(&args, VAULT_ARGS_DIR))
		call->dir = vault_args_value(&args, VAULT_ARGS_DIR);
	if (vault_args_has(&args, VAULT_ARGS_VAULT))
		call->vault = vault_args_value(&args, VAULT_ARGS_VAULT);
	if (c->dir_operand && args.n_operands > 0)
		call->dir = vault_args_operand(&args, 0);
	if (vault_args_has(&args, VAULT_ARGS_VERBOSE))
		vault_log_set_level(VAULT_LOG_INFO);
	watch = c == &vault_cmd_status && vault_args_has(&args, 'w');
	vault_args_release(&args);
	catch_signals(c);
	return watch ? run_watching(c, call) : run_once(c, call);
}

static int run_local(const struct vault_cmd_local *c, struct call *call,
		     char *shown)
{
	struct vault_args args;
	int code;

	call->argv[0] = shown;
	if (vault_args_parse(&c->usage, call->argc, call->argv, false,
			     VAULT_EXIT_USAGE, &args) != VAULT_OK)
		return VAULT_EXIT_USAGE;
	if (vault_args_has(&args, VAULT_ARGS_DIR))
		call->dir = vault_args_value(&args, VAULT_ARGS_DIR);
	if (vault_args_has(&args, VAULT_ARGS_VAULT))
		call->vault = vault_args_value(&args, VAULT_ARGS_VAULT);
	if (vault_args_has(&args, VAULT_ARGS_VERBOSE))
		vault_log_set_level(VAULT_LOG_INFO);
	code = c->run(&args, call->dir, call->vault);
	vault_args_release(&args);
	return code;
}

static void print_usage(FILE *to, const struct vault_args_usage *u)
{
	char words[64];

	snprintf(words, sizeof(words), "%s %s", u->name, u->operands);
	fprintf(to, "  %-28s %s\n", words, u->summary);
}

static int print_help(FILE *to, int code)
{
	fprintf(to, "Usage: artvault [-C DIR] [--vault DIR] COMMAND "
		    "[OPTION...] [WORD...]\n"
		    "Keeps every save of a project, and shows the past as "
		    "files.\n\n");
	print_usage(to, &vault_cmd_mount.usage);
	print_usage(to, &vault_cmd_unmount.usage);
	for (size_t i = 0; vault_commands[i] != NULL; i++)
		print_usage(to, &vault_commands[i]->usage);
	print_usage(to, &vault_cmd_rebuild_index.usage);
	fprintf(to, "\n`artvault COMMAND --help' tells more, and so does "
		    "`man artvault'.\n");
	return code;
}

static int print_version(void)
{
	printf("artvault " VAULT_VERSION "\n");
	return VAULT_EXIT_DONE;
}

static int run_named(struct call *call)
{
	const char *name = call->argv[0];
	const struct vault_command *c = vault_command_find(name);
	char shown[64];

	snprintf(shown, sizeof(shown), "artvault %s", name);
	if (c != NULL)
		return run_command(c, call, shown);
	for (size_t i = 0; i < N_LOCAL; i++)
		if (strcmp(name, local_commands[i]->usage.name) == 0)
			return run_local(local_commands[i], call, shown);
	fprintf(stderr,
		"artvault: %s: no such command; `artvault help' lists them\n",
		name);
	return VAULT_EXIT_USAGE;
}

static int run_help(struct call *call)
{
	char help[] = "--help";
	char *words[3] = { NULL, help, NULL };
	struct call about = { .argc = 2, .argv = words };

	if (call->argc < 2)
		return print_help(stdout, VAULT_EXIT_DONE);
	words[0] = call->argv[1];
	return run_named(&about);
}

int vault_program_main(int argc, char **argv)
{
	struct vault_args_global global;
	struct call call;

	argp_err_exit_status = VAULT_EXIT_USAGE;
	if (vault_args_global(argc, argv, &global) != VAULT_OK)
		return VAULT_EXIT_USAGE;
	call = (struct call){ .dir = global.dir,
			      .vault = global.vault,
			      .argc = argc - 1 - global.n_words,
			      .argv = argv + 1 + global.n_words };
	if (global.verbose)
		vault_log_set_level(VAULT_LOG_INFO);
	if (global.help)
		return print_help(stdout, VAULT_EXIT_DONE);
	if (global.version)
		return print_version();
	if (call.argc < 1)
		return print_help(stderr, VAULT_EXIT_USAGE);
	if (strcmp(call.argv[0], "help") == 0)
		return run_help(&call);
	if (strcmp(call.argv[0], "version") == 0)
		return print_version();
	return run_named(&call);
}
