/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "fs/live_writer.h"
#include "versions/path.h"
#include "versions/when.h"

enum {
	OPT_AT = VAULT_ARGS_OWN,
	OPT_TO,
	OPT_REPLACE,
};

static const struct argp_option options[] = {
	{ "at", OPT_AT, "WHEN", 0, "the moment to bring back (required)", 0 },
	{ "to", OPT_TO, "DEST", 0,
	  "write there instead; relative to where you are", 0 },
	{ "replace", OPT_REPLACE, NULL, 0,
	  "put it in the place of what is there now, which is kept first", 0 },
	{ 0 },
};

struct restore {
	struct vault_command_env *env;
	const char *operand;
	const char *when;
	struct vault_buf path;
	struct vault_moment moment;
	bool damaged; /* something could not be read and was said */
};

/* Restore into `sink`. Damage is said and the rest is kept. */
static vault_err walk(struct restore *r, const struct vault_restore_sink *sink)
{
	struct vault_command_may may = { .env = r->env, .at = r->moment.seq };
	uint64_t failed = 0;
	vault_err err;

	err = vault_restore_walk(r->env->project->tree,
				 vault_buf_span(&r->path), r->moment.seq,
				 vault_command_may, &may, sink, &failed);
	if (failed > 0 && (err == VAULT_OK || err == VAULT_ERR_CORRUPT ||
			   err == VAULT_ERR_DANGLING)) {
		vault_command_fail(r->env, r->operand,
				   "%" PRIu64 " entries could not be brought "
				   "back; `artvault check --data` names them",
				   failed);
		r->damaged = true;
	}
	return err;
}

static int fail(struct restore *r, const char *what, vault_err err)
{
	switch (err) {
	case VAULT_ERR_EXISTS:
		return vault_command_fail(r->env, what,
					  "exists and is not written over");
	case VAULT_ERR_CORRUPT:
	case VAULT_ERR_DANGLING:
		return vault_command_fail(r->env, what,
					  "%s; nothing was restored",
					  vault_err_text(err));
	case VAULT_ERR_CANCELLED:
		return vault_command_fail(r->env, what,
					  "interrupted; nothing was restored");
	default:
		return vault_command_fail_err(r->env, what, err);
	}
}

/* What was restored is whole but for what was said. */
static bool is_partial(const struct restore *r, vault_err err)
{
	return r->damaged &&
	       (err == VAULT_ERR_CORRUPT || err == VAULT_ERR_DANGLING);
}

/* ---- --to DEST ---- */

/* The project itself has no name in itself: its folder's serves. */
static const char *own_name(struct restore *r)
{
	const char *root = r->env->project->place.project;
	const char *slash = strrchr(root, '/');

	if (r->path.len == 0)
		return slash != NULL && slash[1] != '\0' ? slash + 1
							 : "project";
	return (const char *)vault_path_name(vault_buf_span(&r->path)).data;
}

static int restore_to(struct restore *r, const char *dest)
{
	struct vault_command_env *env = r->env;
	struct vault_restore_sink sink;
	vault_err finished;
	vault_err err;

	if (vault_buf_cstr(&r->path) == NULL)
		return fail(r, r->operand, VAULT_ERR_NOMEM);
	err = env->restore_to(env->restore_ctx, dest, own_name(r), &sink);
	if (err != VAULT_OK)
		return fail(r, dest, err);
	err = walk(r, &sink);
	finished = env->restore_done(env->restore_ctx,
				     err == VAULT_OK || is_partial(r, err));
	if (err != VAULT_OK && !is_partial(r, err))
		return fail(r, dest, err);
	if (finished != VAULT_OK)
		return fail(r, dest, finished);
	return r->damaged ? VAULT_EXIT_FAILED : VAULT_EXIT_DONE;
}

/* ---- into the live tree ---- */

static vault_err beside_name(const struct restore *r, struct vault_buf *out)
{
	char moment[VAULT_WHEN_NAME_MAX];

	vault_when_name(r->moment.time, moment);
	return vault_restore_beside_name(
		vault_path_name(vault_buf_span(&r->path)), moment, out);
}

static int say_where(struct restore *r, struct vault_span dir,
		     struct vault_span name)
{
	FILE *out = r->env->out;

	if (dir.len > 0) {
		vault_command_print_text(out, dir);
		fputc('/', out);
	}
	vault_command_print_text(out, name);
	fputc('\n', out);
	return r->damaged ? VAULT_EXIT_FAILED : VAULT_EXIT_DONE;
}

/* Restore into the live tree as `name` beside the path. */
static int restore_live(struct restore *r, struct vault_span name, bool replace)
{
	const struct vault_span path = vault_buf_span(&r->path);
	const struct vault_span last = vault_path_name(path);
	const struct vault_span dir = vault_span(
		path.data, path.len == last.len ? 0 : path.len - last.len - 1);
	struct vault_live_writer *w = NULL;
	struct vault_restore_sink sink;
	vault_err err;

	err = vault_live_writer_create(r->env->project, &r->env->caller, dir,
				       name, &w, &sink);
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		return vault_command_fail(r->env, r->operand,
					  "its folder is not there any more; "
					  "restore the folder, or use --to");
	if (err != VAULT_OK)
		return fail(r, r->operand, err);
	err = walk(r, &sink);
	if (replace && is_partial(r, err)) {
		vault_live_writer_destroy(w);
		return fail(r, r->operand, err); /* never a worse live file */
	}
	if (err == VAULT_OK || is_partial(r, err))
		err = vault_live_writer_finish(w, replace);
	vault_live_writer_destroy(w);
	if (err != VAULT_OK)
		return fail(r, r->operand, err);
	return say_where(r, dir, name);
}

static int restore_beside(struct restore *r)
{
	struct vault_buf name = VAULT_BUF_INIT;
	int code = VAULT_EXIT_FAILED;
	vault_err err;

	err = beside_name(r, &name);
	if (err != VAULT_OK)
		fail(r, r->operand, err);
	else
		code = restore_live(r, vault_buf_span(&name), false);
	vault_buf_release(&name);
	return code;
}

/* What is live now is durable before anything is put in its place. */
static int restore_replace(struct restore *r)
{
	if (vault_command_sync(r->env, VAULT_CAUSE_RESTORE, NULL) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	return restore_live(r, vault_path_name(vault_buf_span(&r->path)), true);
}

/* ---- the command ---- */

/* Was it there then, and may this be done to it? Says why not. */
static bool look(struct restore *r, bool to)
{
	struct vault_version v;
	const vault_err err =
		vault_tree_resolve(r->env->project->tree,
				   vault_buf_span(&r->path), r->moment.seq, &v);

	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		vault_command_fail(r->env, r->operand, "was not there at %s",
				   r->when);
	else if (err != VAULT_OK)
		vault_command_fail_err(r->env, r->operand, err);
	else if (r->path.len == 0 && !to)
		vault_command_fail(r->env, r->operand,
				   "is the project itself; use --to DEST");
	else if (!to && r->env->project->projectfd < 0)
		vault_command_fail(r->env, r->env->project->place.project,
				   "the project's folder is not there; use "
				   "--to DEST");
	else
		return true;
	return false;
}

static int run_parsed(struct restore *r, const char *to, bool replace)
{
	if (vault_command_when(r->env, r->when, &r->moment) != VAULT_OK ||
	    vault_command_path(r->env, r->operand, &r->path) != VAULT_OK ||
	    !look(r, to != NULL))
		return VAULT_EXIT_FAILED;
	if (to != NULL)
		return restore_to(r, to);
	return replace ? restore_replace(r) : restore_beside(r);
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *to = vault_args_value(args, OPT_TO);
	const bool replace = vault_args_has(args, OPT_REPLACE);
	struct restore r = { .env = env,
			     .operand = vault_args_operand(args, 0),
			     .when = vault_args_value(args, OPT_AT) };
	const int code = run_parsed(&r, to, replace);
	vault_buf_release(&r.path);
	return code;
}

/* Why these words cannot go together; NULL: they can. */
static const char *check_words(const struct vault_args *args)
{
	if (!vault_args_has(args, OPT_AT))
		return "--at WHEN expected";
	if (vault_args_has(args, OPT_TO) && vault_args_has(args, OPT_REPLACE))
		return "either --to or --replace";
	return NULL;
}

const struct vault_command vault_cmd_restore = {
	.usage = { .name = "restore",
		   .operands = "PATH",
		   .summary = "Bring a file or a folder back as it was.",
		   .details = "Without --to and --replace it comes beside the "
			      "live one, as `name (MOMENT).ext`, and nothing "
			      "is written over. DEST is as with cp: a folder, "
			      "or a new name.",
		   .options = options,
		   .check = check_words,
		   .n_min = 1,
		   .n_max = 1 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
