/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_PROJECT_H
#define VAULT_FS_PROJECT_H

#include <limits.h>
#include <stdbool.h>

#include "store/base/err.h"
#include "versions/capture.h"
#include "versions/tree.h"

/*
 * A project and its vault, found and opened.
 *
 * Everything that runs on a vault, the daemon as well as a command without a
 * daemon, holds one of these. The project and vault directories are opened
 * before anything is mounted over them and are reached through their
 * descriptors only, so the daemon never walks into its own mount.
 */
#define VAULT_PROJECT_VAULT_NAME ".artvault"

/* Where things are, as far as a path tells. */
struct vault_place {
	char project[PATH_MAX]; /* absolute; "" if only a vault was found */
	char vault[PATH_MAX];	/* absolute; "" unless outside or unmounted */
	char mount[PATH_MAX];	/* absolute mountpoint; "" if not mounted */
	char socket[PATH_MAX];	/* the daemon's; "" if not mounted */
	char inside[PATH_MAX];	/* the given path relative to the project */
};

/*
 * Find the project, vault and daemon that `dir` (NULL: the current directory)
 * and `vault` (--vault, or NULL) mean: up the directories for a mount of ours
 * (its root answers the xattr VAULT_PROJECT_SOCKET_XATTR) or a `.artvault`
 * folder; with `vault`, its config names the project and its uuid the daemon's
 * socket. NOT_FOUND, with a line logged that says what was looked for.
 */
#define VAULT_PROJECT_SOCKET_XATTR "user.artvault.socket"
VAULT_MUST_CHECK vault_err vault_project_find(const char *dir,
					      const char *vault,
					      struct vault_place *out);

/* $XDG_RUNTIME_DIR/artvault/<uuid>, or /run/artvault/<uuid> for root (0700,
 * made when `make` is set). */
VAULT_MUST_CHECK vault_err vault_project_socket_path(const char *uuid,
						     bool make,
						     char out[PATH_MAX]);

struct vault_project {
	int projectfd;
	int vaultfd;
	struct vault_place place;
	struct vault_tree *tree;
	struct vault_capture *capture;
};

/*
 * Open the vault of `place`, with `create` make one where there is none
 * (mode 0700, zone from the system), remember the project's path in its
 * config, set the process's zone. Capture is not started. Every refusal is
 * logged with its path and reason: BUSY (another daemon), NEWER, DENIED,
 * NO_SPACE, EXISTS (the project's root has a real entry named like a view).
 */
VAULT_MUST_CHECK vault_err vault_project_open(const struct vault_place *place,
					      bool create,
					      struct vault_project **out);
/* Stops the capture if one runs. Accepts NULL. */
void vault_project_close(struct vault_project *p);

#endif
