/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/log.h"
#include "versions/tree_format.h"
#include "versions/tree_internal.h"

vault_err vault_tree_state_get(struct vault_index *x,
			       struct vault_tree_state *out)
{
	struct vault_buf value = VAULT_BUF_INIT;
	struct vault_tree_state s = { 0 };
	struct vault_reader r;
	uint8_t version;
	vault_err err;

	err = vault_index_get(x, VAULT_CF_META,
			      vault_span_str(VAULT_TREE_STATE_KEY), &value);
	if (err == VAULT_ERR_NOT_FOUND) {
		*out = s;
		err = VAULT_OK;
		goto out;
	}
	if (err != VAULT_OK)
		goto out;
	r = vault_reader(vault_buf_span(&value));
	version = vault_reader_u8(&r);
	s.last_seq = vault_reader_le64(&r);
	s.next_node = vault_reader_le64(&r);
	s.logical_bytes = vault_reader_le64(&r);
	s.versions = vault_reader_le64(&r);
	s.rows = vault_reader_le64(&r);
	if (version != VAULT_TREE_VERSION || !vault_reader_done(&r)) {
		vault_log_warn("tree: the index has another layout");
		err = VAULT_ERR_INDEX;
		goto out;
	}
	*out = s;
out:
	vault_buf_release(&value);
	return err;
}

vault_err vault_tree_state_put(struct vault_index *x, struct vault_batch *b,
			       const struct vault_tree_state *s)
{
	uint8_t v[VAULT_TREE_STATE_BYTES];

	v[0] = VAULT_TREE_VERSION;
	vault_bytes_put_le64(v + 1, s->last_seq);
	vault_bytes_put_le64(v + 9, s->next_node);
	vault_bytes_put_le64(v + 17, s->logical_bytes);
	vault_bytes_put_le64(v + 25, s->versions);
	vault_bytes_put_le64(v + 33, s->rows);
	vault_batch_put(b, x, VAULT_CF_META,
			vault_span_str(VAULT_TREE_STATE_KEY),
			vault_span(v, sizeof(v)));
	return VAULT_OK;
}
