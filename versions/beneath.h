/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_BENEATH_H
#define VAULT_VERSIONS_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Reaching files below a directory, and nowhere else: no "..", no link, no
 * magic link is followed on the way, whoever swaps directories meanwhile.
 */

/* As openat(), with O_CLOEXEC and O_NOFOLLOW; "" is the directory itself.
 * -1 with errno. */
int vault_beneath_open(int dirfd, const char *path, int flags);

/*
 * Open a file for reading without disturbing it: O_NOATIME where permitted,
 * and without waiting for the other end of a pipe.
 */
int vault_beneath_open_read(int dirfd, const char *path);

/* Is every name of a relative path a proper one (no "", ".", "..", 0)? */
bool vault_beneath_is_clean(struct vault_span path);

/* Remove what `name` in `dirfd` is, and all below it, following nothing. What
 * is mounted there is not ours to remove: BUSY, and it stays. */
VAULT_MUST_CHECK vault_err vault_beneath_remove(int dirfd, const char *name);

#endif
