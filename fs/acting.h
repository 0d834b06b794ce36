/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_ACTING_H
#define VAULT_FS_ACTING_H

#include <stdbool.h>

#include "fs/access.h"
#include "store/base/err.h"

/*
 * Acting as somebody else, for one thread and a few system calls.
 *
 * A daemon of root writes into the live tree with the uid and groups of
 * whoever asked, so that the kernel's own rules decide. Only file access
 * changes (fsuid, fsgid, supplementary groups), only for the calling thread;
 * root's special rights over files go with it. A daemon of a plain user can
 * act as nobody else: for it both calls do nothing.
 *
 * Nothing of the vault may be opened while it lasts: the vault is not theirs.
 */
struct vault_acting {
	bool changed;
};

/* DENIED: the kernel refused; nothing was changed. */
VAULT_MUST_CHECK vault_err vault_acting_begin(const struct vault_caller *who,
					      struct vault_acting *out);
/* Be oneself again. A daemon that cannot would be dangerous: it aborts. */
void vault_acting_end(struct vault_acting *id);

/* The calling process as a caller; `groups` (of room for `max`) is filled. */
struct vault_caller vault_acting_self(gid_t *groups, size_t max);

#endif
