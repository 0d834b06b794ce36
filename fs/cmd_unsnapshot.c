/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

static const struct argp_option options[] = {
	{ "undo", 'u', NULL, 0, "bring a removed name back", 0 },
	{ 0 },
};

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *name = vault_args_operand(args, 0);
	const bool undo = vault_args_has(args, 'u');
	struct vault_tree *t = env->project->tree;
	vault_err err;

	err = undo ? vault_snapshot_undo(t, vault_span_str(name))
		   : vault_snapshot_remove(t, vault_span_str(name));
	switch (err) {
	case VAULT_OK:
		return VAULT_EXIT_DONE;
	case VAULT_ERR_NOT_FOUND:
		return vault_command_fail(
			env, name,
			undo ? "no snapshot of that name was removed in the "
			       "last 30 days"
			     : "no snapshot of that name");
	case VAULT_ERR_EXISTS:
		return vault_command_fail(env, name,
					  "a snapshot of that name exists");
	default:
		return vault_command_fail_err(env, name, err);
	}
}

const struct vault_command vault_cmd_unsnapshot = {
	.usage = { .name = "unsnapshot",
		   .operands = "NAME",
		   .summary = "Remove a snapshot's name; the moment stays.",
		   .details = "For 30 days --undo brings the name back.",
		   .options = options,
		   .n_min = 1,
		   .n_max = 1 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
