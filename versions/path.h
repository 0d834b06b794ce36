/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_PATH_H
#define VAULT_VERSIONS_PATH_H

#include <stddef.h>

#include "store/base/span.h"

/*
 * Paths taken apart.
 *
 * A path is relative to the project: names with one slash between each two,
 * none at either end; the empty path is the project itself. Nothing here
 * looks at a disk, and what is answered borrows from the path that was given.
 * Any thread.
 */

/* Where the last name begins; 0 if there is but one, or none. */
size_t vault_path_name_at(struct vault_span path);

/* The last name; empty for the project. */
struct vault_span vault_path_name(struct vault_span path);

/* What is above the last name; the project is above itself. */
struct vault_span vault_path_parent(struct vault_span path);

/* A copy with a terminator, which the caller frees; NULL: no memory. */
char *vault_path_copy(struct vault_span path);

#endif
