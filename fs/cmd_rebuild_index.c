/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <stdio.h>
#include <unistd.h>

#include "store/base/log.h"

static int rebuild(const struct vault_place *place)
{
	vault_err err;
	int fd;

	if (vault_project_open_vault_dir(place, &fd) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	err = vault_tree_rebuild_index(fd);
	close(fd);
	if (err == VAULT_OK)
		return VAULT_EXIT_DONE;
	if (err == VAULT_ERR_BUSY)
		vault_log_error("%s: is in use; unmount its project first",
				place->vault);
	else
		vault_log_error("%s: the index could not be rebuilt: %s",
				place->vault, vault_err_text(err));
	return VAULT_EXIT_FAILED;
}

static int run(const struct vault_args *args, const char *dir,
	       const char *vault)
{
	struct vault_place place;

	(void)args;
	if (vault_project_find(dir, vault, &place) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	if (place.mount[0] != '\0') {
		vault_log_error("%s: is mounted; `artvault unmount` it first",
				place.mount);
		return VAULT_EXIT_FAILED;
	}
	return rebuild(&place);
}

const struct vault_cmd_local vault_cmd_rebuild_index = {
	.usage = { .name = "rebuild-index",
		   .operands = "",
		   .summary = "Throw the index away and build it anew from "
			      "the packs.",
		   .details = "Nothing can be lost by it: the packs are all "
			      "there is to keep. Not while mounted." },
	.run = run,
};
