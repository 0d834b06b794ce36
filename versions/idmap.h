/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_IDMAP_H
#define VAULT_VERSIONS_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

/*
 * From numbers (nodes, directories) to places in somebody's array: open
 * addressing, no deletion. The caller holds the struct, starts it with
 * VAULT_IDMAP_INIT and releases it. One thread.
 */
struct vault_idmap {
	struct vault_idmap_slot {
		uint64_t id;
		size_t value; /* VAULT_IDMAP_NONE: the slot is free */
	} * slots;
	size_t n;
	size_t cap; /* a power of two */
};

#define VAULT_IDMAP_INIT ((struct vault_idmap){ NULL, 0, 0 })
#define VAULT_IDMAP_NONE SIZE_MAX

void vault_idmap_release(struct vault_idmap *m);
/* VAULT_IDMAP_NONE: not there. */
size_t vault_idmap_get(const struct vault_idmap *m, uint64_t id);
/* Set or replace. `value` is anything but VAULT_IDMAP_NONE. NOMEM. */
VAULT_MUST_CHECK vault_err vault_idmap_set(struct vault_idmap *m, uint64_t id,
					   size_t value);

#endif
