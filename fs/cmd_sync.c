/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

/* Silent when all went well, as sync(1) is. */
static int run(struct vault_command_env *env, const struct vault_args *args)
{
	(void)args;
	if (vault_command_sync(env, VAULT_CAUSE_SYNC, NULL) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	/* The rest is durable; what could not be kept is said, not hidden. */
	vault_command_sync_losses(env, VAULT_SPAN_EMPTY);
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
