/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_KNOWN_H
#define VAULT_STORE_KNOWN_H

#include <stdbool.h>

#include "store/base/err.h"
#include "store/id.h"
#include "store/records.h"

/*
 * Where the chunks of one content lie: a table made once from the content's
 * recipe, asked before the index when the next version of it comes in. It
 * takes some 100 bytes a chunk and stops at VAULT_KNOWN_MOST chunks (16 GB at
 * the usual sizes); the rest is left to the index. Immutable once made; any
 * thread.
 */
struct vault_known;

#define VAULT_KNOWN_MOST ((size_t)256 * 1024)

/* Whatever a damaged recipe keeps from being read is simply not known. */
VAULT_MUST_CHECK vault_err vault_known_create(struct vault_store *s,
					      const struct vault_id *content,
					      struct vault_known **out);
void vault_known_destroy(struct vault_known *k);
/* `k` may be NULL. */
bool vault_known_find(const struct vault_known *k, const struct vault_id *id,
		      struct vault_record_place *place);

#endif
