/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_ENTRIES_H
#define VAULT_STORE_ENTRIES_H

#include "store/base/err.h"
#include "store/store.h"

/*
 * Handing what became durable to the index of an open store. Internal to
 * store/. The caller holds `writing` (store/state.h), except for the last.
 */

/* Write the places of all durable chunks and recipes, and forget them. */
VAULT_MUST_CHECK vault_err vault_entries_index_places(struct vault_store *s);

/* The same, with how far every pack is applied. Everything must be synced. */
VAULT_MUST_CHECK vault_err vault_entries_index_all(struct vault_store *s);

/*
 * A vault_index_alarm, with the store as `ctx`: leave a mark in the vault, so
 * that the next open builds the index anew. Any thread.
 */
void vault_entries_distrust_index(void *ctx);

#endif
