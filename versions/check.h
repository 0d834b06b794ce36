/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_CHECK_H
#define VAULT_VERSIONS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/store.h"
#include "versions/tree.h"

/*
 * Is everything that was acknowledged still there? The store checks its
 * packs and the index; this module adds which versions and paths a damage
 * touches, exactly: a version is lost only if one of its own bytes is.
 */
enum vault_check_result {
	VAULT_CHECK_CLEAN = 0,
	VAULT_CHECK_REPAIRABLE = 1, /* nothing is lost: rebuild-index, or a
				       torn tail that the next open cuts */
	VAULT_CHECK_LOST = 2,
};

/* One damaged version; `path` is where it was, `moment` when it began. */
struct vault_check_version {
	struct vault_span path;
	struct vault_version version;
	int64_t moment_time;
	vault_err reason; /* CORRUPT or DANGLING */
};

struct vault_check_sink {
	void *ctx;
	vault_err (*finding)(void *ctx, const struct vault_finding *f);
	vault_err (*version)(void *ctx, const struct vault_check_version *v);
	vault_err (*progress)(void *ctx, uint64_t done, uint64_t total);
};

/*
 * vault_store_check(), then every content that a version names. Members of
 * `sink` may be NULL; whatever they return but OK stops the check and is
 * passed on. Runs beside captures.
 */
VAULT_MUST_CHECK vault_err vault_check_run(struct vault_tree *t, bool data,
					   const struct vault_check_sink *sink,
					   enum vault_check_result *out);

#endif
