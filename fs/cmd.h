/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_CMD_H
#define VAULT_FS_CMD_H

#include "fs/command.h"

/*
 * One cmd_<name>.c for each command or small group of them: how it is called
 * and what it does. What all commands share is in fs/command.h.
 */
extern const struct vault_command vault_cmd_cat;
extern const struct vault_command vault_cmd_check;
extern const struct vault_command vault_cmd_ignored;
extern const struct vault_command vault_cmd_log;
extern const struct vault_command vault_cmd_ls;
extern const struct vault_command vault_cmd_restore;
extern const struct vault_command vault_cmd_snapshot;
extern const struct vault_command vault_cmd_status;
extern const struct vault_command vault_cmd_sync;
extern const struct vault_command vault_cmd_unsnapshot;

/* These run without an open vault, in the program itself. `dir` and `vault`
 * are -C and --vault, or NULL. */
struct vault_cmd_local {
	struct vault_args_usage usage;
	int (*run)(const struct vault_args *args, const char *dir,
		   const char *vault);
};
extern const struct vault_cmd_local vault_cmd_mount;
extern const struct vault_cmd_local vault_cmd_unmount;
extern const struct vault_cmd_local vault_cmd_rebuild_index;

#endif
