/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_FILE_H
#define VAULT_FS_VIEW_FILE_H

#include "fs/view_core.h"
#include "store/base/err.h"

/*
 * Files and links of the views. An open file holds its content open; bytes
 * are checked by the store before they are given out. The functions answer
 * the request when they return OK, and leave it to the caller when they do
 * not. Any thread.
 */
VAULT_MUST_CHECK vault_err vault_view_file_open(struct vault_view *v,
						fuse_req_t req,
						struct vault_view_node *n,
						struct fuse_file_info *fi);
VAULT_MUST_CHECK vault_err vault_view_file_read(struct vault_view *v,
						fuse_req_t req, size_t size,
						off_t off,
						struct fuse_file_info *fi);
void vault_view_file_lseek(fuse_req_t req, off_t off, int whence,
			   struct fuse_file_info *fi);
void vault_view_file_release(struct vault_view *v, struct fuse_file_info *fi);
VAULT_MUST_CHECK vault_err vault_view_file_readlink(
	struct vault_view *v, fuse_req_t req, const struct vault_view_node *n);

#endif
