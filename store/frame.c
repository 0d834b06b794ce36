/* SPDX-License-Identifier: Apache-2.0 */
#include "store/frame.h"

#include <assert.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/digest.h"

/* What a header checksum covers: the stored fields and where they lie. */
static uint64_t header_sum(const struct vault_frame_at *at,
			   const uint8_t *header)
{
	uint8_t all[VAULT_RECORD_OFF_HEADER_SUM + 28];
	uint8_t *p = all + VAULT_RECORD_OFF_HEADER_SUM;

	memcpy(all, header, VAULT_RECORD_OFF_HEADER_SUM);
	memcpy(p, at->uuid, 16);
	vault_bytes_put_le32(p + 16, at->pack);
	vault_bytes_put_le64(p + 20, at->offset);
	return vault_digest_sum64(vault_span(all, sizeof(all)));
}

static void put_header(const struct vault_frame_at *at,
		       const struct vault_frame *f, uint64_t payload_sum,
		       uint8_t *p)
{
	const struct vault_record_head *h = &f->head;

	vault_bytes_put_le32(p + VAULT_RECORD_OFF_MAGIC, VAULT_RECORD_MAGIC);
	p[VAULT_RECORD_OFF_TYPE] = h->type;
	p[VAULT_RECORD_OFF_CODEC] = h->codec;
	p[VAULT_RECORD_OFF_DEPTH] = h->depth;
	p[VAULT_RECORD_OFF_FLAGS] = h->flags;
	vault_bytes_put_le32(p + VAULT_RECORD_OFF_RAW_LEN, h->raw_len);
	vault_bytes_put_le32(p + VAULT_RECORD_OFF_STORED_LEN, h->stored_len);
	memcpy(p + VAULT_RECORD_OFF_ID, h->id.b, 16);
	memcpy(p + VAULT_RECORD_OFF_BASE, h->base.b, 16);
	vault_bytes_put_le64(p + VAULT_RECORD_OFF_SEQ, h->seq);
	vault_bytes_put_le64(p + VAULT_RECORD_OFF_DURABLE, f->durable);
	vault_bytes_put_le64(p + VAULT_RECORD_OFF_PAYLOAD_SUM, payload_sum);
	vault_bytes_put_le64(p + VAULT_RECORD_OFF_HEADER_SUM,
			     header_sum(at, p));
}

vault_err vault_frame_pack(const struct vault_frame_at *at,
			   const struct vault_frame *f,
			   struct vault_span stored, struct vault_buf *out)
{
	const uint64_t size = vault_frame_bytes(f->head.stored_len);
	uint8_t *p;
	vault_err err;

	assert(stored.len == f->head.stored_len);
	assert(at->offset % VAULT_RECORD_ALIGN == 0);
	err = vault_buf_reserve(out, out->len + size);
	if (err != VAULT_OK)
		return err;
	p = out->data + out->len;
	put_header(at, f, vault_digest_sum64(stored), p);
	p += VAULT_RECORD_HEADER_BYTES;
	if (stored.len > 0)
		memcpy(p, stored.data, stored.len);
	memset(p + stored.len, 0,
	       size - VAULT_RECORD_HEADER_BYTES - stored.len);
	out->len += size;
	return VAULT_OK;
}

vault_err vault_frame_unpack(const struct vault_frame_at *at, const uint8_t *p,
			     struct vault_frame *out)
{
	struct vault_frame f = { 0 };
	struct vault_record_head *h = &f.head;

	if (vault_bytes_get_le32(p + VAULT_RECORD_OFF_MAGIC) !=
	    VAULT_RECORD_MAGIC)
		return VAULT_ERR_CORRUPT;
	f.header_sum = vault_bytes_get_le64(p + VAULT_RECORD_OFF_HEADER_SUM);
	if (f.header_sum != header_sum(at, p))
		return VAULT_ERR_CORRUPT;
	h->type = p[VAULT_RECORD_OFF_TYPE];
	h->codec = p[VAULT_RECORD_OFF_CODEC];
	h->depth = p[VAULT_RECORD_OFF_DEPTH];
	h->flags = p[VAULT_RECORD_OFF_FLAGS];
	h->raw_len = vault_bytes_get_le32(p + VAULT_RECORD_OFF_RAW_LEN);
	h->stored_len = vault_bytes_get_le32(p + VAULT_RECORD_OFF_STORED_LEN);
	memcpy(h->id.b, p + VAULT_RECORD_OFF_ID, 16);
	memcpy(h->base.b, p + VAULT_RECORD_OFF_BASE, 16);
	h->seq = vault_bytes_get_le64(p + VAULT_RECORD_OFF_SEQ);
	f.durable = vault_bytes_get_le64(p + VAULT_RECORD_OFF_DURABLE);
	f.payload_sum = vault_bytes_get_le64(p + VAULT_RECORD_OFF_PAYLOAD_SUM);
	if (h->stored_len > VAULT_RECORD_MAX)
		return VAULT_ERR_CORRUPT;
	*out = f;
	return VAULT_OK;
}

bool vault_frame_payload_ok(const struct vault_frame *f,
			    struct vault_span stored)
{
	return stored.len == f->head.stored_len &&
	       vault_digest_sum64(stored) == f->payload_sum;
}

void vault_frame_pack_header(const uint8_t uuid[16], uint32_t pack,
			     uint8_t *out)
{
	memset(out, 0, VAULT_PACK_HEADER_BYTES);
	memcpy(out, VAULT_PACK_MAGIC, VAULT_PACK_MAGIC_BYTES);
	vault_bytes_put_le32(out + VAULT_PACK_OFF_VERSION, VAULT_FORMAT);
	vault_bytes_put_le32(out + VAULT_PACK_OFF_ID, pack);
	memcpy(out + VAULT_PACK_OFF_UUID, uuid, 16);
	vault_bytes_put_le64(
		out + VAULT_PACK_OFF_SUM,
		vault_digest_sum64(vault_span(out, VAULT_PACK_OFF_SUM)));
}

vault_err vault_frame_unpack_header(const uint8_t *bytes, uint8_t uuid[16],
				    uint32_t *pack, uint32_t *version)
{
	const uint64_t sum =
		vault_digest_sum64(vault_span(bytes, VAULT_PACK_OFF_SUM));
	uint32_t v;

	if (memcmp(bytes, VAULT_PACK_MAGIC, VAULT_PACK_MAGIC_BYTES) != 0 ||
	    vault_bytes_get_le64(bytes + VAULT_PACK_OFF_SUM) != sum)
		return VAULT_ERR_CORRUPT;
	v = vault_bytes_get_le32(bytes + VAULT_PACK_OFF_VERSION);
	*version = v;
	if (v > VAULT_FORMAT)
		return VAULT_ERR_NEWER;
	if (v == 0)
		return VAULT_ERR_CORRUPT;
	*pack = vault_bytes_get_le32(bytes + VAULT_PACK_OFF_ID);
	memcpy(uuid, bytes + VAULT_PACK_OFF_UUID, 16);
	return VAULT_OK;
}

void vault_frame_pack_place(const struct vault_record_place *p,
			    uint8_t out[VAULT_PLACE_BYTES])
{
	vault_bytes_put_le32(out + VAULT_PLACE_OFF_PACK, p->pack);
	vault_bytes_put_le64(out + VAULT_PLACE_OFF_OFFSET, p->offset);
	vault_bytes_put_le32(out + VAULT_PLACE_OFF_RAW_LEN, p->raw_len);
	vault_bytes_put_le32(out + VAULT_PLACE_OFF_STORED_LEN, p->stored_len);
}

vault_err vault_frame_unpack_place(struct vault_span bytes,
				   struct vault_record_place *out)
{
	struct vault_record_place p;

	if (bytes.len != VAULT_PLACE_BYTES)
		return VAULT_ERR_INDEX;
	p.pack = vault_bytes_get_le32(bytes.data + VAULT_PLACE_OFF_PACK);
	p.offset = vault_bytes_get_le64(bytes.data + VAULT_PLACE_OFF_OFFSET);
	p.raw_len = vault_bytes_get_le32(bytes.data + VAULT_PLACE_OFF_RAW_LEN);
	p.stored_len =
		vault_bytes_get_le32(bytes.data + VAULT_PLACE_OFF_STORED_LEN);
	if (p.stored_len > VAULT_RECORD_MAX ||
	    p.offset % VAULT_RECORD_ALIGN != 0)
		return VAULT_ERR_INDEX;
	*out = p;
	return VAULT_OK;
}
