/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_COMPARE_H
#define VAULT_STORE_COMPARE_H

#include "store/base/err.h"
#include "store/replay.h"
#include "store/store.h"

/*
 * The index of an open store against one built anew from its packs, both
 * ways. Internal to store/. The index is seen as it was at create, however
 * long the run takes.
 */
struct vault_compare;

/* Hold on to the present state of the index. */
VAULT_MUST_CHECK vault_err vault_compare_create(struct vault_store *s,
						struct vault_compare **out);
void vault_compare_destroy(struct vault_compare *c);

/* One line for people; anything but VAULT_OK stops. */
typedef vault_err vault_compare_sink(void *ctx, const char *text);

/*
 * Build a scratch index from `spans` in the directory `cachefd`, and tell
 * what differs, at most a handful of rows a family.
 */
VAULT_MUST_CHECK vault_err vault_compare_run(
	struct vault_compare *c, int cachefd, struct vault_replay_span *spans,
	size_t n_spans, vault_compare_sink *sink, void *ctx);

#endif
