/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_SWEEP_H
#define VAULT_VERSIONS_SWEEP_H

#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/plan.h"

/*
 * The disk against LIVE. A directory's names, sorted, are merged with its
 * recorded names in one pass; an unchanged file costs one statx and no
 * question to the index. What differs goes into the plan. Each directory is
 * open only while its own names are looked at, so depth costs no descriptors.
 *
 * Unless the plan is forced, a name that is not at rest (an event is pending,
 * or its times are too young) is left to its own timer.
 */

/* Everything, from the root down. */
VAULT_MUST_CHECK vault_err vault_sweep_all(struct vault_plan *p);

/* What is in the directory `path`, node `dir`, and below. */
VAULT_MUST_CHECK vault_err vault_sweep_dir(struct vault_plan *p, uint64_t dir,
					   struct vault_span path);

#endif
