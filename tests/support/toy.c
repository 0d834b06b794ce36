/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/digest.h"
#include "store/pack_format.h"

vault_err vault_toy_apply(void *ctx, struct vault_index *index,
			  struct vault_batch *batch,
			  const struct vault_entry *e)
{
	const uint8_t *sign = memchr(e->payload.data, '=', e->payload.len);
	struct vault_span key = e->payload;
	uint8_t seq[8];

	(void)ctx;
	vault_bytes_put_be64(seq, e->seq);
	if (sign == NULL) {
		vault_batch_delete(batch, index, VAULT_CF_ROW, key);
	} else {
		key.len = (size_t)(sign - key.data);
		vault_batch_put(batch, index, VAULT_CF_ROW, key,
				vault_span_from(e->payload, key.len + 1));
	}
	vault_batch_put(batch, index, VAULT_CF_MOMENT,
			vault_span(seq, sizeof(seq)), key);
	return VAULT_OK;
}

struct vault_store_options vault_toy_options(void)
{
	return (struct vault_store_options){
		.apply = vault_toy_apply,
		.threads = 2,
		.pack_size = 64 << 10,
	};
}

struct vault_store *vault_toy_open(int dirfd,
				   const struct vault_store_options *options)
{
	const struct vault_store_options usual = vault_toy_options();
	struct vault_store *s = NULL;

	if (options == NULL)
		options = &usual;
	if (!vault_store_exists(dirfd))
		assert_int_equal(
			vault_store_create(dirfd, options->io,
					   &vault_store_params_default),
			VAULT_OK);
	assert_int_equal(vault_store_open(dirfd, options, &s), VAULT_OK);
	return s;
}

uint64_t vault_toy_set(struct vault_store *s, const char *key,
		       const char *value)
{
	struct vault_buf text = VAULT_BUF_INIT;
	uint64_t seq = 0;

	assert_int_equal(vault_buf_printf(&text, "%s=%s", key, value),
			 VAULT_OK);
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_buf_span(&text), &seq),
			 VAULT_OK);
	vault_buf_release(&text);
	return seq;
}

bool vault_toy_has(struct vault_store *s, const char *key, const char *value)
{
	struct vault_buf v = VAULT_BUF_INIT;
	vault_err err;
	bool same;

	err = vault_index_get(vault_store_index(s), VAULT_CF_ROW,
			      vault_span_str(key), &v);
	same = err == VAULT_OK &&
	       vault_span_equal(vault_buf_span(&v), vault_span_str(value));
	vault_buf_release(&v);
	return same;
}

vault_err vault_toy_put(struct vault_store *s, struct vault_span bytes,
			struct vault_id *id)
{
	struct vault_record_head h = {
		.type = VAULT_RECORD_CHUNK,
		.raw_len = (uint32_t)bytes.len,
		.stored_len = (uint32_t)bytes.len,
		.id = vault_digest_id(vault_records_secret(s), 0, bytes),
	};
	struct vault_record_place place;

	*id = h.id;
	return vault_records_append(s, &h, bytes, &place);
}

vault_err vault_toy_get(struct vault_store *s, const struct vault_id *id,
			struct vault_span bytes)
{
	struct vault_buf stored = VAULT_BUF_INIT;
	struct vault_record_place place;
	struct vault_record_head h;
	bool found = false;
	vault_err err;

	err = vault_records_find(s, 1, id, &place, &found);
	if (err == VAULT_OK && !found)
		err = VAULT_ERR_DANGLING;
	if (err == VAULT_OK)
		err = vault_records_read(s, &place, &h, &stored);
	if (err == VAULT_OK) {
		assert_true(vault_id_equal(&h.id, id));
		assert_true(vault_span_equal(vault_buf_span(&stored), bytes));
	}
	vault_buf_release(&stored);
	return err;
}

vault_err vault_toy_keep(struct vault_store *s, enum vault_entry_type type,
			 const char *key, struct vault_span bytes)
{
	struct vault_buf entry = VAULT_BUF_INIT;
	struct vault_content c;
	uint64_t seq;
	vault_err err;

	err = vault_store_put_span(s, bytes, &c);
	if (err != VAULT_OK)
		return err;
	assert_int_equal(vault_buf_printf(&entry, "%s=", key), VAULT_OK);
	assert_int_equal(
		vault_buf_append(&entry, vault_span(c.id.b, sizeof(c.id.b))),
		VAULT_OK);
	err = vault_store_append(s, type, vault_buf_span(&entry), &seq);
	vault_buf_release(&entry);
	return err;
}

void vault_toy_expect(struct vault_store *s, const struct vault_buf *value,
		      struct vault_span bytes)
{
	struct vault_buf is = VAULT_BUF_INIT;
	struct vault_id id;

	assert_int_equal(value->len, sizeof(id.b));
	memcpy(id.b, value->data, sizeof(id.b));
	assert_int_equal(vault_store_read_all(s, &id, 1 << 20, &is), VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&is), bytes));
	vault_buf_release(&is);
}

vault_err vault_toy_count(void *ctx, const struct vault_finding *f)
{
	struct vault_toy_findings *c = ctx;

	assert_non_null(f->text);
	c->n[f->kind]++;
	c->all++;
	return VAULT_OK;
}

struct vault_toy_findings vault_toy_check(struct vault_store *s, bool data)
{
	struct vault_toy_findings c = { { 0 }, 0 };

	assert_int_equal(vault_store_check(s, data, vault_toy_count, NULL, &c),
			 VAULT_OK);
	return c;
}

void vault_toy_dump(struct vault_store *s, struct vault_buf *out)
{
	static const enum vault_cf families[] = { VAULT_CF_CHUNK, VAULT_CF_ROW,
						  VAULT_CF_MOMENT };

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		assert_int_equal(vault_buf_append_str(out, "--\n"), VAULT_OK);
		assert_int_equal(vault_store_dump(s, families[i], NULL, out),
				 VAULT_OK);
	}
}
