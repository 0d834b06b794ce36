/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_XATTRS_H
#define VAULT_VERSIONS_XATTRS_H

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * A set of extended attributes as bytes: sorted by name, so that equal sets
 * are equal bytes and share one content. POSIX ACLs are among them under
 * their system.posix_acl_* names, as the kernel gives them.
 */

/* Read all attributes of an open file (O_PATH will do: it goes through
 * /proc/self/fd). Those the caller may not read are left out. Empty: none. */
VAULT_MUST_CHECK vault_err vault_xattrs_read(int fd, struct vault_buf *out);

/* Non-OK stops. Spans last for the call. CORRUPT if `packed` is malformed. */
typedef vault_err vault_xattrs_visit(void *ctx, struct vault_span name,
				     struct vault_span value);
VAULT_MUST_CHECK vault_err vault_xattrs_each(struct vault_span packed,
					     vault_xattrs_visit *visit,
					     void *ctx);
/* NOT_FOUND. `*value` points into `packed`. */
VAULT_MUST_CHECK vault_err vault_xattrs_get(struct vault_span packed,
					    struct vault_span name,
					    struct vault_span *value);

#endif
