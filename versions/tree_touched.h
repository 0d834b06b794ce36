/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_TREE_TOUCHED_H
#define VAULT_VERSIONS_TREE_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "store/index.h"
#include "versions/commit.h"

/*
 * Which directories a commit touched: those that hold a changed name, and
 * everything above them. Internal to versions/. Each has one key for the
 * commit; its value names what changed right in it and which directories in
 * it lead further down, so that comparing two moments never reads a
 * directory that is as it was, nor the unchanged names of one that is not.
 */
struct vault_tree_touched {
	bool list; /* the names were left out: read the directory instead */
	struct vault_span below; /* ids of directories, 8 bytes each */
	struct vault_span names; /* each behind a byte that is its length */
};

/*
 * Put the keys of commit `seq` into `b`. `rows` are in order; those not in
 * `effective` changed nothing. Nodes from `fresh` on are new: nobody asks
 * what changed in a directory that was not there before. `x` shows the state
 * before the commit.
 */
VAULT_MUST_CHECK vault_err vault_tree_touched_write(
	struct vault_index *x, struct vault_batch *b, uint64_t seq,
	uint64_t fresh, const struct vault_commit_row *rows,
	const bool *effective, size_t n_rows);

/* INDEX: malformed. The spans point into `value`. */
VAULT_MUST_CHECK vault_err vault_tree_touched_parse(
	struct vault_span value, struct vault_tree_touched *out);
/* Cut the first name off `names`; false when there is none left. */
bool vault_tree_touched_name(struct vault_span *names, struct vault_span *out);

#endif
