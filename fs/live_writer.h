/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_LIVE_WRITER_H
#define VAULT_FS_LIVE_WRITER_H

#include <stdbool.h>

#include "fs/access.h"
#include "fs/project.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/restore.h"

/*
 * Restoring into the live tree: through the project's own directory (never
 * through a mount of it), as whoever asked, with the capture engine told of
 * every name that came. A sink around vault_restore_writer whose every call
 * takes the caller's identity and gives it back, since between the calls the
 * vault is read, which is not theirs.
 */
struct vault_live_writer;

/*
 * Write `name` into the live directory `dir` (relative to the project, ""
 * its root; links in it are not followed). NOT_FOUND, NOT_DIR: that directory
 * is not there; LOOP: a link is in the way. `caller` must outlive the writer.
 */
VAULT_MUST_CHECK vault_err vault_live_writer_create(
	struct vault_project *project, const struct vault_caller *caller,
	struct vault_span dir, struct vault_span name,
	struct vault_live_writer **out, struct vault_restore_sink *sink);
/* As vault_restore_writer_finish(). EXISTS without `replace`. */
VAULT_MUST_CHECK vault_err vault_live_writer_finish(struct vault_live_writer *w,
						    bool replace);
/* Remove what was not finished; accepts NULL. */
void vault_live_writer_destroy(struct vault_live_writer *w);

#endif
