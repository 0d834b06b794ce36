/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

/* One row as text; `value` is scratch. */
static vault_err print_row(enum vault_cf cf, struct vault_span key,
			   struct vault_buf *value, vault_index_strip *strip,
			   struct vault_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const size_t start = out->len;
	uint8_t *p;
	vault_err err;

	if (strip != NULL)
		strip(cf, key, value);
	err = vault_buf_fill(out, ' ', 2 * key.len + 2 * value->len + 2);
	if (err != VAULT_OK)
		return err;
	p = out->data + start;
	for (size_t i = 0; i < key.len; i++) {
		*p++ = (uint8_t)digits[key.data[i] >> 4];
		*p++ = (uint8_t)digits[key.data[i] & 15];
	}
	p++;
	for (size_t i = 0; i < value->len; i++) {
		*p++ = (uint8_t)digits[value->data[i] >> 4];
		*p++ = (uint8_t)digits[value->data[i] & 15];
	}
	*p = '\n';
	return VAULT_OK;
}

vault_err vault_store_dump(struct vault_store *s, enum vault_cf cf,
			   vault_index_strip *strip, struct vault_buf *out)
{
	struct vault_buf value = VAULT_BUF_INIT;
	struct vault_iter *it;
	vault_err err;

	err = vault_iter_create(vault_store_index(s), cf, VAULT_SPAN_EMPTY,
				VAULT_SPAN_EMPTY, &it);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_first(it);
	while (err == VAULT_OK && vault_iter_valid(it)) {
		vault_buf_clear(&value);
		err = vault_buf_append(&value, vault_iter_value(it));
		if (err == VAULT_OK)
			err = print_row(cf, vault_iter_key(it), &value, strip,
					out);
		vault_iter_next(it);
	}
	if (err == VAULT_OK)
		err = vault_iter_error(it);
	vault_iter_destroy(it);
	vault_buf_release(&value);
	return err;
}
