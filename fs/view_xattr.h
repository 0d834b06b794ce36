/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_XATTR_H
#define VAULT_FS_VIEW_XATTR_H

#include "fs/view_core.h"
#include "store/base/err.h"

/*
 * Extended attributes in the views: a version's own, and what this program
 * says of it (user.artvault.*), which answers by name and is never listed,
 * so that copies of an old file do not carry it. Both answer the request when
 * they return OK, and leave it to the caller when they do not. Any thread.
 */
VAULT_MUST_CHECK vault_err vault_view_xattr_get(struct vault_view *v,
						fuse_req_t req,
						const struct vault_view_node *n,
						const char *name, size_t size);
VAULT_MUST_CHECK vault_err
vault_view_xattr_list(struct vault_view *v, fuse_req_t req,
		      const struct vault_view_node *n, size_t size);

#endif
