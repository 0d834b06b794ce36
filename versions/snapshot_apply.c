/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/log.h"
#include "versions/commit.h"
#include "versions/name_format.h"
#include "versions/snapshot_internal.h"
#include "versions/tree_internal.h"

/* What all operations work on. */
struct work {
	struct vault_index *x;
	struct vault_batch *b;
	uint64_t seq;
	struct vault_buf key;
	struct vault_buf old;	 /* value that was there */
	struct vault_buf packed; /* value that will be */
};

static void drop(struct work *w)
{
	vault_batch_delete(w->b, w->x, VAULT_CF_NAME, vault_buf_span(&w->key));
}

static vault_err put(struct work *w, const struct vault_snapshot_value *v)
{
	vault_err err;

	vault_buf_clear(&w->packed);
	err = vault_snapshot_form_pack_value(v, &w->packed);
	if (err == VAULT_OK)
		vault_batch_put(w->b, w->x, VAULT_CF_NAME,
				vault_buf_span(&w->key),
				vault_buf_span(&w->packed));
	return err;
}

/* Find the name that stands; the work's key is its key. */
static vault_err standing(struct work *w, struct vault_span name,
			  struct vault_snapshot_value *out)
{
	vault_err err;

	err = vault_snapshot_key(name, &w->key);
	if (err == VAULT_OK)
		err = vault_index_get(w->x, VAULT_CF_NAME,
				      vault_buf_span(&w->key), &w->old);
	if (err == VAULT_OK)
		err = vault_snapshot_form_unpack_value(vault_buf_span(&w->old),
						       out);
	return err;
}

static vault_err apply_set(struct work *w, const struct vault_snapshot_op *op)
{
	const struct vault_snapshot_value v = {
		.seq = op->seq,
		.set_at = op->time,
		.note = op->note,
		.tags = op->tags,
	};
	const vault_err err = vault_snapshot_key(op->name, &w->key);

	return err != VAULT_OK ? err : put(w, &v);
}

static vault_err apply_remove(struct work *w,
			      const struct vault_snapshot_op *op)
{
	struct vault_snapshot_value v;
	vault_err err;

	err = standing(w, op->name, &v);
	if (err != VAULT_OK)
		return err;
	drop(w);
	v.removed_at = op->time;
	err = vault_snapshot_key_removal(op->name, w->seq, &w->key);
	return err != VAULT_OK ? err : put(w, &v);
}

static vault_err apply_undo(struct work *w, const struct vault_snapshot_op *op)
{
	struct vault_snapshot_value v;
	vault_err err;

	err = vault_snapshot_key_removed(w->x, op->name, &w->key, &w->old);
	if (err == VAULT_OK)
		err = vault_snapshot_form_unpack_value(vault_buf_span(&w->old),
						       &v);
	if (err != VAULT_OK)
		return err;
	drop(w);
	v.removed_at = 0;
	err = vault_snapshot_key(op->name, &w->key);
	return err != VAULT_OK ? err : put(w, &v);
}

static vault_err apply_rename(struct work *w,
			      const struct vault_snapshot_op *op)
{
	struct vault_snapshot_value v;
	vault_err err;

	err = standing(w, op->name, &v);
	if (err != VAULT_OK)
		return err;
	drop(w);
	err = vault_snapshot_key(op->to, &w->key);
	return err != VAULT_OK ? err : put(w, &v);
}

static vault_err apply_op(struct work *w, const struct vault_snapshot_op *op)
{
	switch (op->op) {
	case VAULT_NAME_SET:
		return apply_set(w, op);
	case VAULT_NAME_REMOVE:
		return apply_remove(w, op);
	case VAULT_NAME_UNDO:
		return apply_undo(w, op);
	default:
		return apply_rename(w, op);
	}
}

vault_err vault_snapshot_apply(void *ctx, struct vault_index *index,
			       struct vault_batch *batch,
			       const struct vault_entry *e)
{
	struct work w = { .x = index, .b = batch, .seq = e->seq };
	struct vault_tree_state state;
	struct vault_snapshot_op op;
	vault_err err;

	(void)ctx;
	err = vault_tree_state_get(index, &state);
	if (err == VAULT_OK && e->seq <= state.last_seq)
		return VAULT_OK; /* has been applied */
	if (err == VAULT_OK)
		err = vault_snapshot_form_unpack_op(e->payload, &op);
	if (err != VAULT_OK) {
		vault_log_error("snapshot: entry %llu: %s",
				(unsigned long long)e->seq,
				vault_err_text(err));
		goto out;
	}
	err = apply_op(&w, &op);
	/* The entry that gave the name was lost to damage, which is reported
	 * where it lies; there is nothing left to take away or to move. */
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	state.last_seq = e->seq;
	if (err == VAULT_OK)
		err = vault_tree_state_put(index, batch, &state);
out:
	vault_buf_release(&w.key);
	vault_buf_release(&w.old);
	vault_buf_release(&w.packed);
	return err;
}
