/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/base/buf.h"
#include "versions/ignore.h"

static const char *why_text(enum vault_ignore_why why)
{
	switch (why) {
	case VAULT_IGNORE_NOT:
		return "kept";
	case VAULT_IGNORE_TEMPORARY:
		return "left out: a temporary name";
	case VAULT_IGNORE_CACHE:
		return "left out: a cache of an application";
	case VAULT_IGNORE_RULE:
		return "left out: a rule of a .artvaultignore";
	default:
		return "left out: a name of artvault itself";
	}
}

/* Say of one path what becomes of it. */
static int explain(struct vault_command_env *env, struct vault_ignore *g,
		   const char *operand)
{
	struct vault_buf path = VAULT_BUF_INIT;
	int code = VAULT_EXIT_FAILED;
	bool is_dir = false;
	struct stat st;

	if (vault_command_path(env, operand, &path) != VAULT_OK ||
	    vault_buf_cstr(&path) == NULL)
		goto out;
	if (path.len == 0 ||
	    (fstatat(env->project->projectfd, (const char *)path.data, &st,
		     AT_SYMLINK_NOFOLLOW) == 0 &&
	     S_ISDIR(st.st_mode)))
		is_dir = true;
	vault_command_print_text(env->out, vault_span_str(operand));
	fprintf(env->out, ": %s\n",
		why_text(path.len == 0
				 ? VAULT_IGNORE_NOT
				 : vault_ignore_ask(g, vault_buf_span(&path),
						    is_dir)));
	code = VAULT_EXIT_DONE;

out:
	vault_buf_release(&path);
	return code;
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	struct vault_project *p = env->project;
	struct vault_ignore *g = NULL;
	int code = VAULT_EXIT_DONE;
	vault_err err;

	if (args->n_operands == 0) {
		fputs(vault_ignore_defaults(), env->out);
		return VAULT_EXIT_DONE;
	}
	if (p->projectfd < 0)
		return vault_command_fail(env, p->place.project,
					  "the project's folder is not there");
	err = vault_ignore_load(p->projectfd, &g);
	if (err != VAULT_OK)
		return vault_command_fail_err(env, p->place.project, err);
	for (unsigned i = 0; i < args->n_operands; i++)
		if (explain(env, g, args->operands[i]) != VAULT_EXIT_DONE)
			code = VAULT_EXIT_FAILED;
	vault_ignore_destroy(g);
	return code;
}

const struct vault_command vault_cmd_ignored = {
	.usage = { .name = "ignored",
		   .operands = "[PATH...]",
		   .summary = "The built-in rules for what makes no versions, "
			      "or why each PATH makes none.",
		   .details = "A file .artvaultignore in any folder adds "
			      "rules and takes them back, in the syntax of "
			      "gitignore.",
		   .n_max = VAULT_ARGS_ANY },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
