/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_TIMELINE_H
#define VAULT_FS_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/moment.h"
#include "versions/tree.h"

/*
 * The distinct versions of what is, or was last, at a path, as people see
 * them: one entry a moment, named after it with the path's last extension.
 *
 * The lineage is the node's, through all its names; a version that came with
 * an unlisted batch is named after the complete moment that holds it. Pure
 * reading; any thread.
 */

/* Where something was, and what it was there. */
struct vault_timeline_place {
	uint64_t dir;
	struct vault_buf name;
	struct vault_version version; /* never a tombstone */
	bool now;		      /* it is there now */
};
#define VAULT_TIMELINE_PLACE_INIT \
	((struct vault_timeline_place){ .name = VAULT_BUF_INIT })
void vault_timeline_place_release(struct vault_timeline_place *p);

/*
 * What is at `path` now, or was last, through directories that may be gone.
 * NOT_FOUND: never anything.
 */
VAULT_MUST_CHECK vault_err
vault_timeline_find(struct vault_tree *t, struct vault_span path,
		    struct vault_timeline_place *out);

struct vault_timeline_step {
	struct vault_buf file; /* the entry's name: moment and extension */
	struct vault_buf name; /* of the file then, in directory `dir` */
	uint64_t dir;
	struct vault_version version;
	struct vault_moment moment;
};

struct vault_timeline {
	struct vault_timeline_step *steps; /* oldest first */
	size_t n;
};
#define VAULT_TIMELINE_INIT ((struct vault_timeline){ NULL, 0 })
void vault_timeline_release(struct vault_timeline *t);

/* All steps of the node at `place`; `path` gives the extension. */
VAULT_MUST_CHECK vault_err vault_timeline_load(
	struct vault_tree *t, struct vault_span path,
	const struct vault_timeline_place *place, struct vault_timeline *out);

/*
 * The one step named `file`, without making the others' names. NOT_FOUND.
 * The caller releases `out` with vault_timeline_step_release().
 */
VAULT_MUST_CHECK vault_err
vault_timeline_step(struct vault_tree *t, struct vault_span path,
		    const struct vault_timeline_place *place,
		    struct vault_span file, struct vault_timeline_step *out);
void vault_timeline_step_release(struct vault_timeline_step *s);

/* ".psd" of "a/hero.psd", ".gz" of "x.tar.gz"; nothing of ".profile". */
struct vault_span vault_timeline_extension(struct vault_span path);

#endif
