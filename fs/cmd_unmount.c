/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount.h"
#include "store/base/log.h"

/* -C DIR, or --vault, stand for the mountpoint; any folder in it will do. */
static int unmount_found(const char *dir, const char *vault)
{
	struct vault_place place;

	if (vault_project_find(dir, vault, &place) != VAULT_OK)
		return VAULT_EXIT_FAILED;
	if (place.mount[0] == '\0') {
		vault_log_error("%s: not mounted", place.project);
		return VAULT_EXIT_FAILED;
	}
	return vault_mount_unmount(place.mount);
}

static int run(const struct vault_args *args, const char *dir,
	       const char *vault)
{
	const char *mountpoint = vault_args_operand(args, 0);

	if (mountpoint == NULL && dir == NULL && vault == NULL) {
		fprintf(stderr, "artvault unmount: MOUNTPOINT expected\nTry "
				"`artvault unmount --help' for more "
				"information.\n");
		return VAULT_EXIT_USAGE;
	}
	if (mountpoint == NULL)
		return unmount_found(dir, vault);
	if (dir != NULL && chdir(dir) != 0) {
		vault_log_error("%s: %s", dir, strerror(errno));
		return VAULT_EXIT_FAILED;
	}
	return vault_mount_unmount(mountpoint);
}

const struct vault_cmd_local vault_cmd_unmount = {
	.usage = { .name = "unmount",
		   .operands = "MOUNTPOINT",
		   .summary = "Make every finished save durable, then unmount; "
			      "returns when the daemon is gone.",
		   .details = "A dead mount is taken away, so that the real "
			      "folder shows again.",
		   .n_max = 1 },
	.run = run,
};
