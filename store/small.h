/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_SMALL_H
#define VAULT_STORE_SMALL_H

#include <sys/types.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/io.h"

/*
 * The vault's small files, which are replaced as a whole, and its lock.
 * Internal to store/. `dirfd` is the directory they lie in. Failures are
 * logged with the file's name.
 */

/* Replace `name`, durably: a crash leaves the old file or the new one. */
VAULT_MUST_CHECK vault_err vault_small_write(const struct vault_io *io,
					     int dirfd, const char *name,
					     mode_t mode,
					     struct vault_span bytes);

/* Read all of it. NOT_FOUND (not logged); TOO_BIG beyond `limit`. */
VAULT_MUST_CHECK vault_err vault_small_read(const struct vault_io *io,
					    int dirfd, const char *name,
					    size_t limit,
					    struct vault_buf *out);

/*
 * Take the lock file, which then holds our pid; `*fd` keeps it until it is
 * closed. BUSY: another process (whose pid is logged) or handle has it.
 */
VAULT_MUST_CHECK vault_err vault_small_lock(int dirfd, int *fd);

#endif
