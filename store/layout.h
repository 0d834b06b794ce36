/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_LAYOUT_H
#define VAULT_STORE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/id.h"
#include "store/store.h"

/*
 * Which piece of a content lies at which offset: a recipe, opened.
 *
 * Opening reads the root alone, whatever the size; leaves are read when an
 * offset inside them is asked for, and a bounded number of them is kept. An
 * offset is found by binary search. Immutable to its users; any thread.
 */
struct vault_layout;

/* A chunk or a hole. */
struct vault_piece {
	struct vault_id id; /* none: a hole */
	uint64_t start;
	uint64_t len;
};

/* NOT_FOUND: no such recipe. CORRUPT, NEWER: logged. */
VAULT_MUST_CHECK vault_err vault_layout_open(struct vault_store *s,
					     const struct vault_id *id,
					     struct vault_layout **out);
void vault_layout_close(struct vault_layout *l);
struct vault_content vault_layout_info(const struct vault_layout *l);

/*
 * The piece that holds offset `off`, which is less than the size. DANGLING,
 * CORRUPT: a leaf cannot be read; logged.
 */
VAULT_MUST_CHECK vault_err vault_layout_at(struct vault_layout *l, uint64_t off,
					   struct vault_piece *out);

/*
 * Where data begins at or after `off` and where it ends again, as
 * vault_content_file_next_data().
 */
VAULT_MUST_CHECK vault_err vault_layout_next_data(struct vault_layout *l,
						  uint64_t off, uint64_t *start,
						  uint64_t *end);

#endif
