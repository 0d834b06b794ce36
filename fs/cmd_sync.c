/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include "store/base/buf.h"

struct told {
	struct vault_command_env *env;
	unsigned n;
};

static vault_err tell(void *ctx, struct vault_span path, const char *reason,
		      int64_t time)
{
	struct told *t = ctx;

	(void)time;
	fputs("artvault: ", t->env->err);
	vault_command_print_text(t->env->err, path);
	fprintf(t->env->err, ": not kept: %s\n", reason);
	t->n++;
	return VAULT_OK;
}

/* Silent when all went well, as sync(1) is. */
static int run(struct vault_command_env *env, const struct vault_args *args)
{
	struct told told = { .env = env };
	vault_err err;

	(void)args;
	if (vault_command_sync(env, VAULT_CAUSE_SYNC, NULL) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	/* The rest is durable; what could not be kept is said, not hidden. */
	err = vault_capture_each_not_kept(env->project->capture, tell, &told);
	if (err != VAULT_OK)
		return vault_command_fail_err(env, "sync", err);
	return VAULT_EXIT_DONE;
}

const struct vault_command vault_cmd_sync = {
	.usage = { .name = "sync",
		   .operands = "[MOUNTPOINT]",
		   .summary = "Keep every finished save now, and return when "
			      "all of it is durable.",
		   .details = "Unmounted, the project is scanned for what "
			      "changed and that is committed; a folder that "
			      "is named and has no vault gets one.",
		   .n_max = 1 },
	.usage_exit = VAULT_EXIT_USAGE,
	.dir_operand = true,
	.run = run,
};
