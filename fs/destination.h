/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_DESTINATION_H
#define VAULT_FS_DESTINATION_H

#include <stdbool.h>

#include "store/base/err.h"
#include "versions/restore.h"

/*
 * DEST of `restore --to DEST`: written by the process whose command line it
 * is on, with its rights, whether the walk runs there or in the daemon. As
 * with cp: a directory means a new entry in it, anything else is the new
 * name, and nothing that is there is written over. Relative to the current
 * directory. Says nothing itself: the command does.
 */
struct vault_destination;

/* EXISTS; NOT_FOUND, NOT_DIR, DENIED: of the folder it is to be in. */
VAULT_MUST_CHECK vault_err vault_destination_open(
	const char *dest, const char *name, struct vault_destination **out,
	struct vault_restore_sink *sink);
/* Put it in place (`ok`) or remove what was written; frees it either way. */
VAULT_MUST_CHECK vault_err vault_destination_finish(struct vault_destination *d,
						    bool ok);

#endif
