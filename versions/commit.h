/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_COMMIT_H
#define VAULT_VERSIONS_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/moment.h"
#include "versions/row.h"

/*
 * A commit as bytes. Internal to versions/: moment.h has the way to make one.
 *
 * The rows of a commit are written in order of directory and name, each name
 * once, so equal commits are equal bytes and whoever reads one can search it.
 * The decoder takes bytes from anywhere and refuses everything that the
 * encoder does not write.
 */

#define VAULT_NAME_MAX 255

struct vault_commit_head {
	enum vault_cause cause;
	bool partial;
	uint32_t n_rows;
	int64_t time;
	int64_t clock_ns;
};

struct vault_commit_row {
	uint64_t dir;
	struct vault_span name; /* points into the commit's bytes */
	struct vault_row row;
	struct vault_backing backing; /* all 0 for a tombstone */
};

/*
 * May `dir` hold `name`? A name is 1 to 255 bytes without "/" and NUL and
 * neither "." nor ".."; only directory 0 holds the empty one, and no other.
 */
bool vault_commit_name_ok(uint64_t dir, struct vault_span name);

/* Append the commit's bytes; `head->n_rows` is ignored and counted anew. */
VAULT_MUST_CHECK vault_err vault_commit_encode(
	struct vault_commit *c, const struct vault_commit_head *head,
	struct vault_buf *out);

/* CORRUPT; NEWER: a version of the layout that is not known. */
VAULT_MUST_CHECK vault_err vault_commit_decode_head(
	struct vault_reader *in, struct vault_commit_head *out);
/* The next row; `before` is the one before it, NULL for the first. CORRUPT. */
VAULT_MUST_CHECK vault_err vault_commit_decode_row(
	struct vault_reader *in, const struct vault_commit_row *before,
	struct vault_commit_row *out);

/* The largest id of a node or directory in any row; 0: no rows. */
uint64_t vault_commit_top(const struct vault_commit *c);

/* Forget the rows, keep the memory. */
void vault_commit_clear(struct vault_commit *c);

#endif
