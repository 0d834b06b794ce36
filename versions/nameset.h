/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_NAMESET_H
#define VAULT_VERSIONS_NAMESET_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * A set of names, gathered in any order and read in the order of their bytes.
 * The caller holds the struct, starts it with VAULT_NAMESET_INIT and releases
 * it. One thread.
 */
struct vault_nameset {
	struct vault_buf bytes;
	struct vault_nameset_item {
		size_t off;
		size_t len;
	} * items;
	size_t n_items;
	size_t cap;
};

#define VAULT_NAMESET_INIT \
	((struct vault_nameset){ VAULT_BUF_INIT, NULL, 0, 0 })

void vault_nameset_release(struct vault_nameset *s);
/* The bytes are copied. NOMEM. */
VAULT_MUST_CHECK vault_err vault_nameset_add(struct vault_nameset *s,
					     struct vault_span name);
/* Put in order, each name once. To be called before reading. */
void vault_nameset_settle(struct vault_nameset *s);
/* Lasts until the next add. */
struct vault_span vault_nameset_get(const struct vault_nameset *s, size_t i);

#endif
