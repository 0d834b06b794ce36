/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index.h"
#include "versions/name_format.h"
#include "versions/snapshot_internal.h"

vault_err vault_snapshot_key(struct vault_span name, struct vault_buf *key)
{
	vault_err err;

	vault_buf_clear(key);
	err = vault_buf_put_u8(key, VAULT_NAME_STANDS);
	return err != VAULT_OK ? err : vault_buf_append(key, name);
}

/* With the sequence of the removing entry; several removals of a name. */
vault_err vault_snapshot_key_removal(struct vault_span name, uint64_t seq,
				     struct vault_buf *key)
{
	vault_err err;

	vault_buf_clear(key);
	err = vault_buf_put_u8(key, VAULT_NAME_REMOVED);
	if (err == VAULT_OK)
		err = vault_buf_append(key, name);
	if (err == VAULT_OK)
		err = vault_buf_put_u8(key, 0);
	if (err == VAULT_OK)
		err = vault_buf_put_be64(key, ~seq);
	return err;
}

vault_err vault_snapshot_key_removed(struct vault_index *x,
				     struct vault_span name,
				     struct vault_buf *key,
				     struct vault_buf *value)
{
	struct vault_iter *it = NULL;
	struct vault_buf first = VAULT_BUF_INIT;
	struct vault_span prefix;
	vault_err err;

	err = vault_snapshot_key_removal(name, UINT64_MAX, &first);
	if (err == VAULT_OK)
		err = vault_iter_create(x, VAULT_CF_NAME, VAULT_SPAN_EMPTY,
					VAULT_SPAN_EMPTY, &it);
	if (err != VAULT_OK)
		goto out;
	vault_iter_seek(it, vault_buf_span(&first));
	err = vault_iter_error(it);
	if (err != VAULT_OK)
		goto out;
	prefix = vault_span(first.data, first.len - 8);
	if (!vault_iter_valid(it) || vault_iter_key(it).len != first.len ||
	    !vault_span_starts(vault_iter_key(it), prefix)) {
		err = VAULT_ERR_NOT_FOUND;
		goto out;
	}
	vault_buf_clear(key);
	vault_buf_clear(value);
	err = vault_buf_append(key, vault_iter_key(it));
	if (err == VAULT_OK)
		err = vault_buf_append(value, vault_iter_value(it));
out:
	vault_iter_destroy(it);
	vault_buf_release(&first);
	return err;
}
