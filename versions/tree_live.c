/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/log.h"
#include "versions/tree_internal.h"

vault_err vault_tree_live_unpack(struct vault_span value,
				 struct vault_live *out)
{
	struct vault_reader r = vault_reader(value);
	struct vault_live l;
	vault_err err;

	l.version.seq = vault_reader_le64(&r);
	err = vault_row_unpack(&r, &l.version.row);
	if (err == VAULT_OK)
		err = vault_backing_unpack(&r, &l.backing);
	if (err != VAULT_OK || !vault_reader_done(&r) ||
	    l.version.row.kind == VAULT_KIND_NONE) {
		vault_log_error("tree: a damaged live row in the index");
		return VAULT_ERR_INDEX;
	}
	*out = l;
	return VAULT_OK;
}

vault_err vault_tree_live(struct vault_tree *t, uint64_t dir,
			  struct vault_span name, struct vault_live *out)
{
	struct vault_buf value = VAULT_BUF_INIT;
	struct vault_tree_key key;
	vault_err err;

	if (name.len > VAULT_NAME_MAX)
		return VAULT_ERR_NOT_FOUND;
	key = vault_tree_key_live(dir, name);
	err = vault_index_get(t->index, VAULT_CF_LIVE,
			      vault_tree_key_span(&key), &value);
	if (err == VAULT_OK)
		err = vault_tree_live_unpack(vault_buf_span(&value), out);
	vault_buf_release(&value);
	return err;
}

vault_err vault_tree_live_each(struct vault_iter *it, uint64_t dir,
			       struct vault_span after,
			       vault_tree_live_visit *visit, void *ctx)
{
	const struct vault_tree_key key =
		vault_tree_key_live(dir, VAULT_SPAN_EMPTY);
	const struct vault_tree_key past = vault_tree_key_row_past(dir, after);
	const struct vault_span prefix = vault_tree_key_span(&key);
	struct vault_live l;
	struct vault_span k;
	vault_err err = VAULT_OK;

	vault_iter_seek(it,
			after.len == 0 ? prefix : vault_tree_key_span(&past));
	while (err == VAULT_OK && vault_iter_valid(it)) {
		k = vault_iter_key(it);
		if (!vault_span_starts(k, prefix))
			break;
		err = vault_tree_live_unpack(vault_iter_value(it), &l);
		if (err == VAULT_OK)
			err = visit(ctx, vault_span_from(k, 8), &l);
		vault_iter_next(it);
	}
	return err != VAULT_OK ? err : vault_iter_error(it);
}

vault_err vault_tree_live_list(struct vault_tree *t, uint64_t dir,
			       vault_tree_live_visit *visit, void *ctx)
{
	struct vault_tree_cursor c;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_LIVE, &c);
	if (err != VAULT_OK)
		return err;
	err = vault_tree_live_each(c.it, dir, VAULT_SPAN_EMPTY, visit, ctx);
	vault_tree_cursor_give(t, &c);
	return err;
}
