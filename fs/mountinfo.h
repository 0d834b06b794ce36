/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_MOUNTINFO_H
#define VAULT_FS_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/base/err.h"

/*
 * What the kernel's mount table says, without touching what is mounted: a
 * mount whose daemon is gone, or is ourselves, must not be asked.
 */
#define VAULT_MOUNTINFO_SUBTYPE "artvault"

struct vault_mountinfo {
	dev_t dev;
	bool ours; /* type fuse.artvault */
};

/* The topmost mount exactly at `path` (absolute, without links). NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_mountinfo_at(const char *path,
					      struct vault_mountinfo *out);

/* Is there a mount of ours at `path` whose daemon is gone? Asks it. */
bool vault_mountinfo_is_dead(const char *path);

/*
 * Unmount what is at `path`, by ourselves as root, else by fusermount3; with
 * `lazy` also when it is in use. BUSY, or another reason that is not logged.
 */
VAULT_MUST_CHECK vault_err vault_mountinfo_unmount(const char *path, bool lazy);

/*
 * Mount as a plain user, through fusermount3 with `options`; `*out` is the
 * descriptor to serve, for the caller to close. libfuse would fork and set an
 * environment in the child, which other threads' locks can stop for ever;
 * nothing but the exec happens between here and there. The helper says on
 * stderr why it refuses (IO). NOT_FOUND: there is no helper.
 */
VAULT_MUST_CHECK vault_err vault_mountinfo_mount_by_helper(const char *path,
							   const char *options,
							   int *out);

#endif
