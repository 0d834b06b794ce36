/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_HISTORY_H
#define VAULT_FS_VIEW_HISTORY_H

#include "fs/view_core.h"
#include "fs/view_list.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * `.history`: moments by all their names, and the trees as of then.
 * Any thread.
 */

/* `.history` of the directory `dirpath`. */
VAULT_MUST_CHECK vault_err
vault_view_history_enter(struct vault_view *v, struct vault_span dirpath,
			 struct vault_view_found *out);

/* What `name` is in a HISTORY, GMT or PAST. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_view_history_find(
	struct vault_view *v, const struct vault_view_node *parent,
	struct vault_span name, struct vault_view_found *out);

/*
 * The directory of `parent`, a HISTORY or GMT, as of moment `seq`, under the
 * name it was listed with; `fixed` says that the name will always mean it.
 */
VAULT_MUST_CHECK vault_err vault_view_history_moment(
	struct vault_view *v, const struct vault_view_node *parent,
	struct vault_span name, uint64_t seq, bool fixed,
	struct vault_view_found *out);

/* The entries of a HISTORY, GMT or PAST, without "." and "..". */
VAULT_MUST_CHECK vault_err
vault_view_history_list(struct vault_view *v, const struct vault_view_node *n,
			struct vault_view_list *out);

/*
 * A version that `name` had in directory `dir`, a file, link or device, as a
 * node of its own; `at` is the moment it was reached through, whose names mean
 * it for ever (0: none, and its name may come to mean another).
 */
VAULT_MUST_CHECK vault_err vault_view_history_version(
	struct vault_view *v, uint64_t dir, struct vault_span name,
	const struct vault_version *version, uint64_t at,
	struct vault_view_found *out);

#endif
