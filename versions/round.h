/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_ROUND_H
#define VAULT_VERSIONS_ROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/engine.h"
#include "versions/plan.h"

/*
 * Single names, as events point to them: where they are in the tree, with the
 * directories above them, which may be as new as they are; and a set of them
 * made into one moment. Used by the thread with the work lock, but for
 * vault_round_live().
 */

/* The newest row of a path. NOT_FOUND. Any thread. */
VAULT_MUST_CHECK vault_err vault_round_live(struct vault_capture *c,
					    struct vault_span path,
					    struct vault_live *out);

/*
 * Look at `names` (linked by `chain`; borrowed) and commit what differs as
 * one moment. `partial`: as one that is not listed. `*n_put_off` counts names
 * that must be looked at again. On an error nothing was committed.
 */
VAULT_MUST_CHECK vault_err vault_round_run(struct vault_capture *c,
					   const struct vault_dirty_name *names,
					   enum vault_cause cause, bool force,
					   bool partial, size_t *n_put_off);

/* Commit one row that was read already as a moment of its own: an older state
 * of `path`, whose row is `live` (NULL: it has none). */
VAULT_MUST_CHECK vault_err vault_round_commit_row(
	struct vault_capture *c, struct vault_span path,
	const struct vault_live *live, const struct vault_ingest_result *r);

#endif
