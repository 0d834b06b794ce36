/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_SNAPSHOT_H
#define VAULT_FS_VIEW_SNAPSHOT_H

#include "fs/view_core.h"
#include "store/base/err.h"

/*
 * Names of moments as directories of the root's `.history`: made, renamed and
 * removed by the project's owner and by root. All else in the views is
 * read-only. The functions answer the request, now or later, when they
 * return OK, and leave it to the caller when they do not. Any thread.
 */
VAULT_MUST_CHECK vault_err vault_view_snapshot_make(
	struct vault_view *v, fuse_req_t req,
	const struct vault_view_node *parent, const char *name);
VAULT_MUST_CHECK vault_err vault_view_snapshot_remove(
	struct vault_view *v, fuse_req_t req,
	const struct vault_view_node *parent, const char *name);
VAULT_MUST_CHECK vault_err vault_view_snapshot_rename(
	struct vault_view *v, fuse_req_t req,
	const struct vault_view_node *parent, const char *name,
	const struct vault_view_node *newparent, const char *newname,
	unsigned flags);

/* Answers when everything finished is durable. */
VAULT_MUST_CHECK vault_err vault_view_snapshot_sync(struct vault_view *v,
						    fuse_req_t req);

#endif
