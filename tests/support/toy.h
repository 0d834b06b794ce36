/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_TOY_H
#define VAULT_TESTS_SUPPORT_TOY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/records.h"
#include "store/store.h"
#include "tests/support/scratch.h"

/*
 * The smallest layer above the store: an entry "key=value" becomes one row of
 * ROW, an entry "key" deletes it, and MOMENT counts them by sequence. Enough
 * to see that every entry is applied once, whole and in order.
 */
extern vault_store_apply vault_toy_apply;

/* Options with that layer; small packs, two threads. */
struct vault_store_options vault_toy_options(void);

/* Open the vault in `dirfd`, made first if there is none. */
struct vault_store *vault_toy_open(int dirfd,
				   const struct vault_store_options *options);

/* Append "key=value", which must succeed. */
uint64_t vault_toy_set(struct vault_store *s, const char *key,
		       const char *value);
/* Is the row there with this value? */
bool vault_toy_has(struct vault_store *s, const char *key, const char *value);

/* A chunk record with these bytes, raw, under the digest as its id. */
vault_err vault_toy_put(struct vault_store *s, struct vault_span bytes,
			struct vault_id *id);
/* Read it back; it must be these bytes. */
vault_err vault_toy_get(struct vault_store *s, const struct vault_id *id,
			struct vault_span bytes);

/* Put a content and append an entry "KEY=ID" of its id. */
vault_err vault_toy_keep(struct vault_store *s, enum vault_entry_type type,
			 const char *key, struct vault_span bytes);
/* The content that the row `value` names must be these bytes. */
void vault_toy_expect(struct vault_store *s, const struct vault_buf *value,
		      struct vault_span bytes);

/* What a check found, by kind. */
struct vault_toy_findings {
	unsigned n[VAULT_FINDING_SMALL + 1];
	unsigned all;
};
/* Counts one; `ctx` is a struct vault_toy_findings. */
vault_err vault_toy_count(void *ctx, const struct vault_finding *f);
/* vault_store_check(), which must come to its end. */
struct vault_toy_findings vault_toy_check(struct vault_store *s, bool data);

/* All that a rebuilt index must have in common with the one before. */
void vault_toy_dump(struct vault_store *s, struct vault_buf *out);

#endif
