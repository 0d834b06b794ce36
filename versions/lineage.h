/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_LINEAGE_H
#define VAULT_VERSIONS_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "versions/engine.h"

/*
 * Which node a new name is. If its inode (told from a reused number by its
 * birth time, or by size and mtime where there is none) is recorded under a
 * name that is gone from the disk, it was renamed and is that node; under a
 * name that still has it, it is a hard link and the same node. Under a name
 * that has another inode by now, that name kept its node: this one is new.
 */
struct vault_lineage {
	bool found;
	struct vault_version version; /* the row of the other name */
};

/* Not finding any is no error: `out->found` says so. */
VAULT_MUST_CHECK vault_err
vault_lineage_find(struct vault_capture *c, const struct vault_ingest_stat *st,
		   struct vault_lineage *out);

/* Every recorded path of the inode, as it is named now. Non-OK stops. */
typedef vault_err vault_lineage_visit(void *ctx, struct vault_span path);
VAULT_MUST_CHECK vault_err vault_lineage_each_name(
	struct vault_capture *c, const struct vault_ingest_stat *st,
	vault_lineage_visit *visit, void *ctx);

#endif
