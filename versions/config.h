/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_CONFIG_H
#define VAULT_VERSIONS_CONFIG_H

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The vault's `config`: lines of `key=value`, `#` comments, made by the store
 * (format, uuid, zone) and read and extended here (project: where the live
 * files are; views, quiet, min-free … for people). Unknown keys are kept.
 */

/* NOT_FOUND: no such key (or no config). */
VAULT_MUST_CHECK vault_err vault_config_get(int vaultfd, const char *key,
					    struct vault_buf *value);
/* Set or replace one line, atomically and durably. INVALID: the key or value
 * could not be read back (a newline, blanks at an end). */
VAULT_MUST_CHECK vault_err vault_config_set(int vaultfd, const char *key,
					    struct vault_span value);

#endif
