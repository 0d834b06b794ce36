/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_READERS_H
#define VAULT_VERSIONS_READERS_H

#include <stddef.h>

#include "store/base/err.h"
#include "versions/engine.h"
#include "versions/plan.h"

/*
 * Read the files of a batch on several threads; each job's `err` and `result`
 * tell what came of it. CANCELLED: the engine is stopping.
 */
VAULT_MUST_CHECK vault_err vault_readers_run(struct vault_capture *c,
					     struct vault_job *jobs, size_t n);

/* Make the calling thread yield the disk and the processor to everybody. */
void vault_readers_be_modest(void);

#endif
