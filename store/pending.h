/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PENDING_H
#define VAULT_STORE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/records.h"

/*
 * Places of chunks and recipes that were appended and which the index does
 * not know yet: a hash table from id to place. Internal to store/. The caller
 * holds the struct and a lock around it.
 */
struct vault_pending_row {
	struct vault_id id; /* none: an empty slot */
	struct vault_record_place place;
};

struct vault_pending {
	struct vault_pending_row *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_rows;
};

/* Give up all rows and the memory. */
void vault_pending_release(struct vault_pending *p);
/* Room for one more row, so that the next set cannot fail. NOMEM. */
VAULT_MUST_CHECK vault_err vault_pending_reserve(struct vault_pending *p);
/* Add or replace, after a reserve. */
void vault_pending_set(struct vault_pending *p, const struct vault_id *id,
		       const struct vault_record_place *place);
/* NULL where the id is not pending; lasts until the table changes. */
struct vault_record_place *vault_pending_get(const struct vault_pending *p,
					     const struct vault_id *id);

#endif
