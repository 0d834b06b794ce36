/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_H
#define VAULT_FS_VIEW_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/capture.h"
#include "versions/tree.h"

/*
 * The past as files: `.history` and `.timeline` (and the names `.diff` and
 * `.layers`, which are reserved and not there yet: ENOENT, EPERM on creation).
 *
 * Node ids of views carry VAULT_VIEW_NODE_BIT, which no live node id has; the
 * session's operations send each request to the live tree or here by that
 * bit. Every operation replies to its request itself, now or later, from any
 * thread. The kernel keeps nothing that a new moment changes (names that may
 * come to mean something else, their absence, listings of `.history`): a
 * moment shows as soon as it is committed, and nobody has to be told.
 *
 * st_ino in the past: files by version record, directories by path and moment;
 * both have the top bit set, which no backing inode has.
 */
struct vault_view;

#define VAULT_VIEW_NODE_BIT ((fuse_ino_t)1 << 62)

enum vault_view_listing {
	VAULT_VIEW_LIST_ROOT,	/* views are listed at the mount's root */
	VAULT_VIEW_LIST_HIDDEN, /* nowhere; they resolve all the same */
};

struct vault_view_options {
	enum vault_view_listing listing;
	uid_t owner; /* of the project; owns .history and may name snapshots */
	gid_t group;
};

/* Borrows all; they must outlive it. */
VAULT_MUST_CHECK vault_err vault_view_create(
	struct vault_tree *t, struct vault_capture *c, int projectfd,
	const struct vault_view_options *options, struct vault_view **out);
void vault_view_destroy(struct vault_view *v);

/*
 * Wait for requests that are still to be answered (mkdir and fsync of
 * `.history`): before the session and the capture end, with no more coming.
 */
void vault_view_wait(struct vault_view *v);

static inline bool vault_view_owns(fuse_ino_t ino)
{
	return (ino & VAULT_VIEW_NODE_BIT) != 0;
}

/* Is `name` one of .history, .diff, .layers, .timeline? */
bool vault_view_reserved(struct vault_span name);

/* The i-th name to list in the mount's root, NULL past the last. */
const char *vault_view_listed(const struct vault_view *v, unsigned i);

/*
 * A live directory was asked for a reserved name that is no real entry there:
 * `dirpath` is the directory's path relative to the project. NOT_FOUND.
 * On success the entry's lookup count has been raised by one.
 */
VAULT_MUST_CHECK vault_err vault_view_enter(struct vault_view *v,
					    struct vault_span dirpath,
					    struct vault_span name,
					    struct fuse_entry_param *out);

/* Requests on nodes that vault_view_owns(). */
void vault_view_lookup(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		       const char *name);
void vault_view_forget(struct vault_view *v, fuse_ino_t ino, uint64_t n);
void vault_view_getattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino);
void vault_view_readlink(struct vault_view *v, fuse_req_t req, fuse_ino_t ino);
void vault_view_open(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		     struct fuse_file_info *fi);
void vault_view_read(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		     size_t size, off_t off, struct fuse_file_info *fi);
void vault_view_lseek(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		      off_t off, int whence, struct fuse_file_info *fi);
void vault_view_release(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi);
void vault_view_opendir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi);
void vault_view_readdir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			size_t size, off_t off, struct fuse_file_info *fi,
			bool plus);
void vault_view_releasedir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi);
/* fsync of `.history` acknowledges everything finished. */
void vault_view_fsyncdir(struct vault_view *v, fuse_req_t req, fuse_ino_t ino);
void vault_view_getxattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			 const char *name, size_t size);
void vault_view_listxattr(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
			  size_t size);
void vault_view_access(struct vault_view *v, fuse_req_t req, fuse_ino_t ino,
		       int mask);
void vault_view_statfs(struct vault_view *v, fuse_req_t req, fuse_ino_t ino);
/* Snapshots: only in the root's `.history`; everything else is EROFS. */
void vault_view_mkdir(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		      const char *name);
void vault_view_rmdir(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		      const char *name);
void vault_view_rename(struct vault_view *v, fuse_req_t req, fuse_ino_t parent,
		       const char *name, fuse_ino_t newparent,
		       const char *newname, unsigned flags);

#endif
