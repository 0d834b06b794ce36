/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_PROJECT_H
#define VAULT_FS_PROJECT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

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
	char vault[PATH_MAX];	/* absolute; "" if only a mount was found */
	char mount[PATH_MAX];	/* absolute mountpoint; "" if not mounted */
	char socket[PATH_MAX];	/* the daemon's; "" if not mounted */
	char inside[PATH_MAX];	/* the given path relative to the project */
};

/*
 * Find the project, vault and daemon that `dir` (NULL: the current directory)
 * and `vault` (--vault, or NULL) mean: up the directories for a mount of ours
 * (its root answers the xattr VAULT_PROJECT_SOCKET_XATTR) or a `.artvault`
 * folder; with `vault`, its config names the project and its uuid the daemon's
 * socket. NOT_FOUND, with a line logged that says what was looked for; STALE:
 * a mount whose daemon is gone is in the way, logged with what to do.
 */
#define VAULT_PROJECT_SOCKET_XATTR "user.artvault.socket"
VAULT_MUST_CHECK vault_err vault_project_find(const char *dir,
					      const char *vault,
					      struct vault_place *out);

/* The same for who can make a vault where there is none: NOT_FOUND is not
 * logged, and means just that; INVALID: there is no such folder. */
VAULT_MUST_CHECK vault_err vault_project_find_quietly(const char *dir,
						      const char *vault,
						      struct vault_place *out);

/*
 * The place of a project that is to be mounted: `project` and `vault` (NULL:
 * `.artvault` in the project) as their user wrote them, made absolute. The
 * vault need not be there yet. NOT_FOUND, NOT_DIR, STALE; logged.
 */
VAULT_MUST_CHECK vault_err vault_project_place(const char *project,
					       const char *vault,
					       struct vault_place *out);

/*
 * The socket of the daemon of vault `uuid`, as the calling user would make
 * it: /run/artvault/<uuid>/socket for root, $XDG_RUNTIME_DIR/artvault/… for
 * others (/tmp/artvault-<uid>/… without such a directory). With `make` its
 * directory is made: 0700, for root 0711 so that the project's owner gets
 * through to a socket that is theirs alone. DENIED: somebody else's directory
 * is in the way; INVALID: not a uuid.
 */
VAULT_MUST_CHECK vault_err vault_project_socket_path(const char *uuid,
						     bool make,
						     char out[PATH_MAX]);

struct vault_project {
	int projectfd; /* -1: the project's folder is not there (any more) */
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
 * NO_SPACE, NOT_FOUND (no vault, and not `create`), FOREIGN (the vault
 * belongs to another project that is still there), INVALID (a vault inside
 * the project that is not `.artvault`, a project inside its vault). With
 * `create` also EXISTS: the project's root has a real entry named like a view.
 */
VAULT_MUST_CHECK vault_err vault_project_open(const struct vault_place *place,
					      bool create,
					      struct vault_project **out);
/* Stops the capture if one runs. Accepts NULL. */
void vault_project_close(struct vault_project *p);

/* Open only the vault's directory of `place`; NOT_FOUND and so on, logged. */
VAULT_MUST_CHECK vault_err
vault_project_open_vault_dir(const struct vault_place *place, int *out);

/* EXISTS, logged: `projectfd` holds a real entry named like a view. */
VAULT_MUST_CHECK vault_err vault_project_check_names(int projectfd,
						     const char *project);
/* Is it one of .history, .diff, .layers, .timeline? */
bool vault_project_is_view(struct vault_span name);

/*
 * The vault's name in the project's root, for what hides it there, or NULL
 * when it lies elsewhere.
 */
const char *vault_project_vault_name(const struct vault_project *p);

/* If `path` is `dir` or below it, the rest without a leading slash; else
 * NULL. Both absolute and normalised. */
const char *vault_project_below(const char *dir, const char *path);

#endif
