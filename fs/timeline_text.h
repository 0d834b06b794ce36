/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_TIMELINE_TEXT_H
#define VAULT_FS_TIMELINE_TEXT_H

#include "fs/timeline.h"
#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/tree.h"

/*
 * A timeline as text: `@timeline.txt` for people, `@timeline.json` for
 * programs. The same steps give the same bytes. Pure functions; any thread.
 */

/*
 * A heading and one line a version: moment, size in bytes, what happened,
 * digest. `t` gives the folders that versions under other names were in.
 */
VAULT_MUST_CHECK vault_err vault_timeline_text_table(
	struct vault_tree *t, struct vault_span path,
	const struct vault_timeline *steps, struct vault_buf *out);

/* An array of {file, moment, time, size, digest}; time is RFC 3339 in UTC. */
VAULT_MUST_CHECK vault_err vault_timeline_text_json(
	const struct vault_timeline *steps, struct vault_buf *out);

#endif
