/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_DIR_H
#define VAULT_FS_VIEW_DIR_H

#include "fs/view_core.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Directories of the views: finding a name in one, and reading one from
 * opening to closing. Functions that take a request answer it when they
 * return OK, and leave it to the caller when they do not. Any thread.
 */

/* What `name` is in the directory `parent`. NOT_FOUND; NOT_DIR. */
VAULT_MUST_CHECK vault_err
vault_view_dir_find(struct vault_view *v, const struct vault_view_node *parent,
		    struct vault_span name, struct vault_view_found *out);

/* What the directory holds is taken now, and kept in `fi` until its release.
 * DENIED: the caller may not list it. */
VAULT_MUST_CHECK vault_err vault_view_dir_open(struct vault_view *v,
					       fuse_req_t req,
					       const struct vault_view_node *n,
					       struct fuse_file_info *fi);
/* Entries from offset `off` on, at most `size` bytes; with `plus`, each is
 * looked up for the kernel. */
VAULT_MUST_CHECK vault_err vault_view_dir_read(
	struct vault_view *v, fuse_req_t req, const struct vault_view_node *n,
	size_t size, off_t off, struct fuse_file_info *fi, bool plus);
void vault_view_dir_release(struct vault_view *v, struct fuse_file_info *fi);

#endif
