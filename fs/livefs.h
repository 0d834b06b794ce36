/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_LIVEFS_H
#define VAULT_FS_LIVEFS_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/view.h"
#include "store/base/err.h"
#include "versions/capture.h"

/*
 * The live tree: every request goes to the backing directory, as its caller,
 * and the capture engine is told what happened.
 *
 * Live inodes keep the identity of the backing file (st_ino). They are found
 * again by file handle where permitted (open_by_handle_at), else by parent
 * and name, never by one open descriptor an inode. Paths are resolved beneath
 * the project only; links are returned, never followed. Names of views and of
 * the vault at the root cannot be created (EPERM); the vault is not there.
 */
struct vault_livefs;

struct vault_livefs_options {
	bool root;		/* may act as other users, use file handles */
	const char *vault_name; /* hidden in the root; NULL: none */
	double attr_timeout;	/* seconds; at most 1 */
	const char *socket;	/* the control socket, which the root answers as
				   VAULT_PROJECT_SOCKET_XATTR; NULL: none */
};

/* Borrows all; they must outlive it. */
VAULT_MUST_CHECK vault_err vault_livefs_create(
	int projectfd, struct vault_capture *capture, struct vault_view *view,
	const struct vault_livefs_options *options, struct vault_livefs **out);
void vault_livefs_destroy(struct vault_livefs *l);

/* What `artvault status` says about the live path: "fallback: …". */
const char *vault_livefs_path_text(const struct vault_livefs *l);
/* Deeper real entries that shadow a view, newest last; "" none. */
VAULT_MUST_CHECK vault_err vault_livefs_shadowed(struct vault_livefs *l,
						 struct vault_buf *out);

/* The operations of the whole mount: live ones here, view ones passed on.
 * The session's userdata is the struct vault_livefs. */
extern const struct fuse_lowlevel_ops vault_livefs_ops;

#endif
