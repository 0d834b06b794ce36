/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <string.h>

#include "store/base/buf.h"
#include "versions/when.h"

static const struct argp_option options[] = {
	{ "message", 'm', "NOTE", 0, "a note for people", 0 },
	{ "tag", 't', "T", 0, "a tag, for `log --tag`; any number", 0 },
	{ 0 },
};

/* Every tag with a newline after it. SYNTAX: one is empty or holds one. */
static vault_err collect_tags(const struct vault_args *args,
			      struct vault_buf *out)
{
	vault_err err = VAULT_OK;

	for (unsigned i = 0; i < args->n_options && err == VAULT_OK; i++) {
		const char *tag = args->options[i].value;

		if (args->options[i].key != 't')
			continue;
		if (tag[0] == '\0' || strchr(tag, '\n') != NULL)
			return VAULT_ERR_SYNTAX;
		err = vault_buf_printf(out, "%s\n", tag);
	}
	return err;
}

static int set_name(struct vault_command_env *env, const char *name,
		    struct vault_span note, struct vault_span tags)
{
	char moment[VAULT_WHEN_NAME_MAX];
	struct vault_moment m;
	vault_err err;

	if (vault_command_sync(env, VAULT_CAUSE_SNAPSHOT, &m) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	err = vault_snapshot_set(env->project->tree, vault_span_str(name),
				 m.seq, note, tags);
	if (err == VAULT_ERR_EXISTS)
		return vault_command_fail(env, name,
					  "a snapshot of that name exists; "
					  "`artvault unsnapshot` removes it");
	if (err != VAULT_OK)
		return vault_command_fail_err(env, name, err);
	vault_when_name(m.time, moment);
	fprintf(env->out, "%s\n", moment);
	return VAULT_EXIT_DONE;
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *name = vault_args_operand(args, 0);
	const char *note = vault_args_value(args, 'm');
	struct vault_snapshot old = VAULT_SNAPSHOT_INIT;
	struct vault_buf tags = VAULT_BUF_INIT;
	const char *why = "not a name for a snapshot";
	int code = VAULT_EXIT_FAILED;
	vault_err err;

	err = vault_snapshot_check_name(env->project->tree,
					vault_span_str(name), &why);
	if (err != VAULT_OK) {
		vault_command_fail(
			env, name, "%s",
			err == VAULT_ERR_SYNTAX ? why : vault_err_text(err));
		goto out;
	}
	/* Nothing is committed for a name that cannot be given. */
	err = vault_snapshot_get(env->project->tree, vault_span_str(name),
				 &old);
	if (err == VAULT_OK) {
		vault_command_fail(env, name,
				   "a snapshot of that name exists; "
				   "`artvault unsnapshot` removes it");
		goto out;
	}
	err = collect_tags(args, &tags);
	if (err != VAULT_OK) {
		vault_command_fail(env, name, "a tag is one line of text");
		goto out;
	}
	code = set_name(env, name, vault_span_str(note != NULL ? note : ""),
			vault_buf_span(&tags));

out:
	vault_snapshot_release(&old);
	vault_buf_release(&tags);
	return code;
}

const struct vault_command vault_cmd_snapshot = {
	.usage = { .name = "snapshot",
		   .operands = "NAME",
		   .summary = "Keep the present state and give it a name; "
			      "prints the moment.",
		   .details = "The name shows in .history beside the moments. "
			      "It may not look like a time, begin with `.` or "
			      "`@`, or contain `/` or `..`.",
		   .options = options,
		   .n_min = 1,
		   .n_max = 1 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
