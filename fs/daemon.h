/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_DAEMON_H
#define VAULT_FS_DAEMON_H

#include <stdbool.h>

#include "fs/mount.h"

/*
 * The daemon of one mount: opens the project, mounts, serves until somebody
 * unmounts or a signal asks it to end, and closes everything again.
 */
struct vault_daemon_job {
	const struct vault_place *place;
	const char *mountpoint; /* absolute, without links */
	const struct vault_mount_options *options;
	int watcherfd;	      /* for vault_watch_tell() */
	bool set_index_aside; /* before opening */
};

/* Returns the exit code of the process, 0 after a clean end. Until the mount
 * answers, what goes wrong is said on stderr. */
int vault_daemon_run(const struct vault_daemon_job *job);

/* The vault's name in the root of the project, NULL when it lies elsewhere.
 * `*inside`: it lies deeper in the project, where it cannot stay hidden. */
const char *vault_daemon_vault_name(const struct vault_place *place,
				    bool *inside);

#endif
