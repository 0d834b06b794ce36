/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/base/log.h"
#include "store/frame.h"

/* Layout of the whole index, versions/ included; another one is rebuilt. */
#define INDEX_FORMAT 1

/* Keys of META. Packs are "p" and the id, big-endian. */
#define KEY_UUID "uuid"
#define KEY_PACK 'p'
#define KEY_PACK_BYTES 5
#define APPLIED_BYTES 33

/* Places are written when so much has gathered. */
#define BATCH_BYTES ((size_t)1 << 20)

/* Where an entry lies, until all are known and in order. */
struct entry_ref {
	uint64_t seq;
	uint64_t offset;
	uint32_t pack;
};

static int by_seq(const void *a, const void *b)
{
	const struct entry_ref *x = a;
	const struct entry_ref *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->pack > y->pack) - (x->pack < y->pack);
}

static void tell(struct vault_replay *r, uint32_t pack,
		 const struct vault_scan_item *item, const char *what)
{
	if (r->damaged != NULL)
		r->damaged(r->damaged_ctx, pack, item, what);
}

static vault_err take_place(struct vault_replay *r, struct vault_batch *b,
			    uint32_t pack, const struct vault_scan_item *item)
{
	const struct vault_record_head *h = &item->frame.head;
	const struct vault_record_place p = {
		.pack = pack,
		.raw_len = h->raw_len,
		.stored_len = h->stored_len,
		.offset = item->offset,
	};
	uint8_t value[VAULT_PLACE_BYTES];

	vault_frame_pack_place(&p, value);
	vault_batch_put(b, r->index, VAULT_CF_CHUNK,
			vault_span(h->id.b, sizeof(h->id.b)),
			vault_span(value, sizeof(value)));
	if (vault_batch_bytes(b) < BATCH_BYTES)
		return VAULT_OK;
	return vault_index_write(r->index, b);
}

static vault_err take_item(struct vault_replay *r, struct vault_batch *b,
			   struct vault_buf *refs, uint32_t pack,
			   const struct vault_scan_item *item)
{
	const struct vault_record_head *h = &item->frame.head;
	const struct entry_ref ref = { .seq = h->seq,
				       .offset = item->offset,
				       .pack = pack };

	if (item->kind == VAULT_SCAN_GAP) {
		tell(r, pack, item, "no record can be read here");
		return VAULT_OK;
	}
	r->n_records++;
	if (h->seq > r->largest_seq)
		r->largest_seq = h->seq;
	if (item->kind == VAULT_SCAN_BAD_PAYLOAD) {
		tell(r, pack, item, "the record does not match its checksum");
		return VAULT_OK;
	}
	switch (h->type) {
	case VAULT_RECORD_CHUNK:
	case VAULT_RECORD_RECIPE:
		return take_place(r, b, pack, item);
	case VAULT_RECORD_COMMIT:
	case VAULT_RECORD_NAME:
	case VAULT_RECORD_NOTE:
	case VAULT_RECORD_RETIRE:
		return vault_buf_append(refs, vault_span(&ref, sizeof(ref)));
	default:
		return VAULT_OK;
	}
}

static vault_err take_span(struct vault_replay *r, struct vault_batch *b,
			   struct vault_buf *refs,
			   struct vault_replay_span *span)
{
	struct vault_scan_item item;
	struct vault_scan scan;
	vault_err err;

	vault_scan_init(&scan, r->packs, r->uuid, span->pack, span->from,
			span->end, VAULT_SCAN_ENTRIES);
	while ((err = vault_scan_next(&scan, &item)) == VAULT_OK) {
		err = take_item(r, b, refs, span->pack, &item);
		if (err != VAULT_OK)
			break;
	}
	/* From there on it is read again when the vault is opened again. */
	if (scan.unreadable < span->end)
		span->end = scan.unreadable;
	vault_scan_release(&scan);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

/* Is it the entry's own fault, so that leaving it out is all one can do? */
static bool refuses(vault_err err)
{
	switch (err) {
	case VAULT_ERR_CORRUPT:
	case VAULT_ERR_SYNTAX:
	case VAULT_ERR_INVALID:
	case VAULT_ERR_NEWER:
	case VAULT_ERR_NOT_FOUND:
	case VAULT_ERR_DANGLING:
		return true;
	default:
		return false;
	}
}

vault_err vault_replay_apply(struct vault_replay *r, struct vault_batch *b,
			     const struct vault_entry *e)
{
	const vault_err err = r->apply(r->apply_ctx, r->index, b, e);

	if (err == VAULT_OK)
		return vault_index_write(r->index, b);
	vault_batch_clear(b);
	return err;
}

static vault_err apply_ref(struct vault_replay *r, struct vault_batch *b,
			   const struct entry_ref *ref)
{
	const uint64_t end = vault_packs_len(r->packs, ref->pack);
	struct vault_scan_item item;
	struct vault_scan scan;
	struct vault_entry e;
	vault_err err;

	vault_scan_init(&scan, r->packs, r->uuid, ref->pack, ref->offset, end,
			VAULT_SCAN_ENTRIES);
	err = vault_scan_next(&scan, &item);
	/* Sound a moment ago: what it is will be seen at the next open. */
	if (err == VAULT_OK && item.kind != VAULT_SCAN_RECORD)
		err = VAULT_ERR_IO;
	if (err != VAULT_OK)
		goto out;
	e.type = (enum vault_entry_type)item.frame.head.type;
	e.seq = ref->seq;
	e.payload = item.stored;
	err = vault_replay_apply(r, b, &e);
	if (err != VAULT_OK && refuses(err)) {
		tell(r, ref->pack, &item, vault_err_text(err));
		err = VAULT_OK;
	}

out:
	vault_scan_release(&scan);
	return err;
}

static vault_err apply_refs(struct vault_replay *r, struct vault_batch *b,
			    struct vault_buf *refs)
{
	struct entry_ref ref;
	vault_err err = VAULT_OK;

	if (refs->len > 0)
		qsort(refs->data, refs->len / sizeof(ref), sizeof(ref), by_seq);
	for (size_t i = 0; i < refs->len && err == VAULT_OK; i += sizeof(ref)) {
		memcpy(&ref, refs->data + i, sizeof(ref));
		err = apply_ref(r, b, &ref);
	}
	return err;
}

vault_err vault_replay_run(struct vault_replay *r)
{
	struct vault_buf refs = VAULT_BUF_INIT;
	struct vault_batch *b = NULL;
	vault_err err;

	err = vault_batch_create(&b);
	for (size_t i = 0; i < r->n_spans && err == VAULT_OK; i++)
		err = take_span(r, b, &refs, &r->spans[i]);
	if (err == VAULT_OK)
		err = vault_index_write(r->index, b);
	if (err == VAULT_OK)
		err = apply_refs(r, b, &refs);
	vault_batch_destroy(b);
	vault_buf_release(&refs);
	return err;
}

/* ---- META ---- */

vault_err vault_replay_get_uuid(struct vault_index *x, uint8_t uuid[16])
{
	struct vault_buf v = VAULT_BUF_INIT;
	vault_err err;

	err = vault_index_get(x, VAULT_CF_META, vault_span_str(KEY_UUID), &v);
	if (err != VAULT_OK)
		goto out;
	if (v.len != 20 || vault_bytes_get_le32(v.data + 16) != INDEX_FORMAT) {
		vault_log_warn("index: of another layout");
		err = VAULT_ERR_INDEX;
		goto out;
	}
	memcpy(uuid, v.data, 16);

out:
	vault_buf_release(&v);
	return err;
}

vault_err vault_replay_put_uuid(struct vault_index *x, const uint8_t uuid[16])
{
	struct vault_batch *b;
	uint8_t value[20];
	vault_err err;

	err = vault_batch_create(&b);
	if (err != VAULT_OK)
		return err;
	memcpy(value, uuid, 16);
	vault_bytes_put_le32(value + 16, INDEX_FORMAT);
	vault_batch_put(b, x, VAULT_CF_META, vault_span_str(KEY_UUID),
			vault_span(value, sizeof(value)));
	err = vault_index_write(x, b);
	vault_batch_destroy(b);
	return err;
}

static void pack_key(uint32_t pack, uint8_t key[KEY_PACK_BYTES])
{
	key[0] = KEY_PACK;
	for (unsigned i = 0; i < 4; i++)
		key[1 + i] = (uint8_t)(pack >> (24 - 8 * i));
}

vault_err vault_replay_get_applied(struct vault_index *x, uint32_t pack,
				   struct vault_scan_last *out)
{
	struct vault_buf v = VAULT_BUF_INIT;
	uint8_t key[KEY_PACK_BYTES];
	vault_err err;

	pack_key(pack, key);
	err = vault_index_get(x, VAULT_CF_META, vault_span(key, sizeof(key)),
			      &v);
	if (err != VAULT_OK)
		goto out;
	if (v.len != APPLIED_BYTES) {
		err = VAULT_ERR_INDEX;
		goto out;
	}
	out->end = vault_bytes_get_le64(v.data);
	out->offset = vault_bytes_get_le64(v.data + 8);
	out->seq = vault_bytes_get_le64(v.data + 16);
	out->header_sum = vault_bytes_get_le64(v.data + 24);
	out->type = v.data[32];

out:
	vault_buf_release(&v);
	return err;
}

void vault_replay_put_applied(struct vault_batch *b, struct vault_index *x,
			      uint32_t pack, const struct vault_scan_last *l)
{
	uint8_t key[KEY_PACK_BYTES];
	uint8_t value[APPLIED_BYTES];

	pack_key(pack, key);
	vault_bytes_put_le64(value, l->end);
	vault_bytes_put_le64(value + 8, l->offset);
	vault_bytes_put_le64(value + 16, l->seq);
	vault_bytes_put_le64(value + 24, l->header_sum);
	value[32] = l->type;
	vault_batch_put(b, x, VAULT_CF_META, vault_span(key, sizeof(key)),
			vault_span(value, sizeof(value)));
}

vault_err vault_replay_newest_pack(struct vault_index *x, uint32_t *pack)
{
	static const uint8_t first[] = { KEY_PACK };
	static const uint8_t after[] = { KEY_PACK + 1 };
	struct vault_iter *it;
	struct vault_span key;
	vault_err err;

	err = vault_iter_create(x, VAULT_CF_META,
				vault_span(first, sizeof(first)),
				vault_span(after, sizeof(after)), &it);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_last(it);
	*pack = 0;
	if (!vault_iter_valid(it)) {
		err = vault_iter_error(it);
		goto out;
	}
	key = vault_iter_key(it);
	if (key.len != KEY_PACK_BYTES) {
		err = VAULT_ERR_INDEX;
		goto out;
	}
	for (unsigned i = 1; i < KEY_PACK_BYTES; i++)
		*pack = *pack << 8 | key.data[i];

out:
	vault_iter_destroy(it);
	return err;
}
