/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_MARKER_H
#define VAULT_FS_VIEW_MARKER_H

#include <stdbool.h>

#include "fs/view_core.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Files that keep indexers, media players and backup programs out of the
 * views, and the names that such programs ask for all the time in vain.
 * Constant tables; any thread.
 */

/* The i-th marker's name, NULL past the last. */
const char *vault_view_marker_name(unsigned i);

/* The marker called `name` in view root `parent`. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_view_marker_find(
	struct vault_view *v, const struct vault_view_node *parent,
	struct vault_span name, struct vault_view_found *out);

/* Is it a name that is asked for constantly and never there? */
bool vault_view_marker_probed(struct vault_span name);

#endif
