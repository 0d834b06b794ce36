/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PUT_H
#define VAULT_STORE_PUT_H

#include "store/base/err.h"

/*
 * The workers that hash, compare and pack chunks of large contents side by
 * side. Internal to store/; vault_store_put() is the way in (store/store.h).
 * Contents of one chunk are handled on the caller's own thread.
 */
struct vault_put_pool;

VAULT_MUST_CHECK vault_err vault_put_pool_create(unsigned threads,
						 struct vault_put_pool **out);
/* Waits for what is in hand. Accepts NULL. */
void vault_put_pool_destroy(struct vault_put_pool *p);

#endif
