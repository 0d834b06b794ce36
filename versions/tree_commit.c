/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "versions/commit.h"
#include "versions/tree_internal.h"

/* Whole seconds, always later than the last one, whatever the clock does. */
static int64_t next_time(const struct vault_tree *t, int64_t clock)
{
	return clock > t->last_time ? clock : t->last_time + 1;
}

/* Nodes may come from elsewhere than vault_tree_new_node(). */
static void take_ids(struct vault_tree *t, uint64_t top)
{
	uint64_t next = atomic_load(&t->next_node);

	while (next <= top && top < UINT64_MAX &&
	       !atomic_compare_exchange_weak(&t->next_node, &next, top + 1))
		;
}

vault_err vault_tree_commit(struct vault_tree *t, struct vault_commit *c,
			    enum vault_cause cause, bool partial,
			    struct vault_moment *out)
{
	struct vault_buf payload = VAULT_BUF_INIT;
	struct vault_commit_head head = { .cause = cause, .partial = partial };
	struct timespec now;
	uint64_t seq;
	vault_err err;

	if (vault_commit_count(c) == 0)
		return VAULT_ERR_INVALID;
	take_ids(t, vault_commit_top(c));
	pthread_mutex_lock(&t->append_lock);
	clock_gettime(CLOCK_REALTIME, &now);
	head.clock_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	head.time = next_time(t, now.tv_sec);
	err = vault_commit_encode(c, &head, &payload);
	if (err == VAULT_OK)
		err = vault_tree_append(t, VAULT_ENTRY_COMMIT,
					vault_buf_span(&payload), &seq);
	if (err == VAULT_OK)
		t->last_time = head.time;
	pthread_mutex_unlock(&t->append_lock);
	vault_buf_release(&payload);
	if (err != VAULT_OK)
		return err;
	*out = (struct vault_moment){
		.seq = seq,
		.time = head.time,
		.clock_ns = head.clock_ns,
		.cause = cause,
		.partial = partial,
		.n_rows = (uint32_t)vault_commit_count(c),
	};
	vault_commit_clear(c);
	return VAULT_OK;
}
