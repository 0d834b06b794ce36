/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_RECIPE_H
#define VAULT_STORE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"

/*
 * A recipe says of which chunks a content consists (store/FORMAT.md,
 * "Recipes"). Its root holds size and digest, and either the chunks
 * themselves or, for large contents, the ids of leaves that hold them. Zeros
 * of whole chunks are holes: entries with no id, which name no record.
 *
 * This module turns recipes into bytes and back and knows no store. Parsing
 * takes foreign bytes: what it accepts has entries of sound lengths that add
 * up. Pure functions; any thread.
 */

/* An entry of a root or leaf: a chunk, a hole, or a leaf with its span. */
struct vault_recipe_entry {
	struct vault_id id; /* none: a hole */
	uint64_t len;	    /* never 0 */
	bool holes;	    /* it is a hole, or a leaf that has some */
};

/* A parsed root or leaf; borrows the bytes it was parsed from. */
struct vault_recipe {
	bool branch;		    /* the entries are leaves */
	uint32_t n;		    /* entries */
	uint64_t size;		    /* what they add up to */
	bool holes;		    /* some entry is a hole or has some */
	struct vault_digest digest; /* of a root */
	struct vault_span entries;
};

/* CORRUPT: not a root. NEWER: of a version this program does not know. */
VAULT_MUST_CHECK vault_err vault_recipe_parse_root(struct vault_span bytes,
						   struct vault_recipe *out);
VAULT_MUST_CHECK vault_err vault_recipe_parse_leaf(struct vault_span bytes,
						   struct vault_recipe *out);

/* Entry `i` < n. */
struct vault_recipe_entry vault_recipe_entry(const struct vault_recipe *r,
					     uint32_t i);

/* ---- making one ---- */

/* Keeps a finished leaf and says which id it got. */
typedef vault_err vault_recipe_keep(void *ctx, struct vault_span leaf,
				    struct vault_id *id);

/*
 * Collects the chunks of a content in order. Leaves are handed to `keep` as
 * soon as they are full, so memory stays at 24 bytes a leaf. The result is a
 * function of the chunks alone. Caller-owned; the fields are private.
 */
struct vault_recipe_builder {
	vault_recipe_keep *keep;
	void *ctx;
	uint64_t size;
	uint64_t hole;		 /* zeros not yet made into entries */
	uint32_t n;		 /* entries in `chunks` */
	uint32_t n_leaves;	 /* entries in `leaves` */
	bool branch;		 /* leaves are being made */
	uint64_t span;		 /* of the open leaf */
	bool holes;		 /* the open leaf has some */
	struct vault_buf chunks; /* header and chunk entries, not yet a leaf */
	struct vault_buf leaves; /* header and leaf entries */
};

/* An empty recipe; finished leaves are handed to `keep`. */
void vault_recipe_builder_init(struct vault_recipe_builder *b,
			       vault_recipe_keep *keep, void *ctx);
void vault_recipe_builder_release(struct vault_recipe_builder *b);

/* A chunk of `len` bytes, 0 < len <= VAULT_CHUNK_CEILING. Passes on what
 * `keep` says; the builder is then of no use. */
VAULT_MUST_CHECK vault_err
vault_recipe_builder_chunk(struct vault_recipe_builder *b,
			   const struct vault_id *id, uint32_t len);
/* `len` zeros in whole chunks; adjoining ones become one. */
void vault_recipe_builder_hole(struct vault_recipe_builder *b, uint64_t len);

/*
 * Close the recipe; `*root` borrows from the builder. TOO_BIG: more leaves
 * than a record can hold (some 40 TB at the usual sizes).
 */
VAULT_MUST_CHECK vault_err vault_recipe_builder_end(
	struct vault_recipe_builder *b, const struct vault_digest *digest,
	struct vault_span *root);

#endif
