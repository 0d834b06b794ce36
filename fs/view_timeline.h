/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_TIMELINE_H
#define VAULT_FS_VIEW_TIMELINE_H

#include "fs/view_core.h"
#include "fs/view_list.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * `.timeline`: a folder for everything that is or ever was; that of a file
 * holds its distinct versions side by side. Whatever was last at a path
 * decides what the path is. Any thread.
 */

/* `.timeline` of the directory `dirpath`. */
VAULT_MUST_CHECK vault_err
vault_view_timeline_enter(struct vault_view *v, struct vault_span dirpath,
			  struct vault_view_found *out);

/* What `name` is in a TIMELINE. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_view_timeline_find(
	struct vault_view *v, const struct vault_view_node *parent,
	struct vault_span name, struct vault_view_found *out);

/* The entries of a TIMELINE, without "." and "..". */
VAULT_MUST_CHECK vault_err
vault_view_timeline_list(struct vault_view *v, const struct vault_view_node *n,
			 struct vault_view_list *out);

#endif
