/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_ACCESS_H
#define VAULT_FS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/tree.h"

/*
 * Who may read the past.
 *
 * A caller may open, list or read a link or attribute of an old version if
 * the recorded mode and ACL allow it, and those of the live node (followed
 * through renames; deleted: only its recorded owner and root) do now, and the
 * search bits of the recorded ancestors and of the present ones do. Root may
 * read everything. Pure functions of what they are given and of the disk.
 */
struct vault_caller {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary */
	size_t n_groups;
};

enum { VAULT_MAY_READ = 4, VAULT_MAY_WRITE = 2, VAULT_MAY_SEARCH = 1 };

/*
 * POSIX permission check with an access ACL as the kernel packs it in
 * system.posix_acl_access (empty: none). As acl(5), "ACCESS CHECK ALGORITHM".
 */
bool vault_access_allows(const struct vault_caller *who, mode_t mode, uid_t uid,
			 gid_t gid, struct vault_span acl, int want);

/*
 * The whole rule for the version that `path` (relative to the project) had
 * at `at`. VAULT_OK, DENIED, or an error of looking.
 */
VAULT_MUST_CHECK vault_err vault_access_past(struct vault_tree *t,
					     int projectfd,
					     const struct vault_caller *who,
					     struct vault_span path,
					     uint64_t at, int want);

/*
 * The same for one version of a node wherever it was then (the timeline has
 * versions under other names): `dir` and `name` are where it was at `at`.
 */
VAULT_MUST_CHECK vault_err vault_access_version(
	struct vault_tree *t, int projectfd, const struct vault_caller *who,
	uint64_t dir, struct vault_span name, uint64_t at, int want);

#endif
