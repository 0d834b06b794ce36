/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scan.h"

#include <errno.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/base/log.h"

/* Hopping over payloads wants little at a time, reading them much. */
#define HOP_BYTES ((size_t)4 << 10)
#define READ_BYTES ((size_t)1 << 20)
#define SECTOR 4096

void vault_scan_init(struct vault_scan *s, struct vault_packs *packs,
		     const uint8_t uuid[16], uint32_t pack, uint64_t from,
		     uint64_t end, enum vault_scan_depth depth)
{
	*s = (struct vault_scan){ .packs = packs,
				  .end = end,
				  .depth = depth,
				  .unreadable = VAULT_SCAN_READABLE };
	memcpy(s->at.uuid, uuid, sizeof(s->at.uuid));
	s->at.pack = pack;
	s->at.offset = from;
}

void vault_scan_release(struct vault_scan *s)
{
	vault_buf_release(&s->window);
}

/* Sector by sector; the ones that cannot be read become zeros. */
static void read_around_flaws(struct vault_scan *s, uint64_t off, size_t len)
{
	memset(s->window.data, 0, len);
	for (size_t i = 0; i < len; i += SECTOR) {
		const size_t n = len - i < SECTOR ? len - i : SECTOR;
		size_t got;

		if (vault_packs_read(s->packs, s->at.pack, off + i,
				     s->window.data + i, n, &got) == VAULT_OK)
			continue;
		vault_log_error("packs/%08u.pack: unreadable at %llu: %s",
				s->at.pack, (unsigned long long)(off + i),
				strerror(errno));
		if (off + i < s->unreadable)
			s->unreadable = off + i;
	}
	s->window.len = len;
}

/* Have [off, off + len) in the window. The range lies before the end. */
static vault_err fill(struct vault_scan *s, uint64_t off, size_t len,
		      size_t at_least)
{
	size_t want = len > at_least ? len : at_least;
	size_t got;
	vault_err err;

	if (off >= s->window_off && off + len <= s->window_off + s->window.len)
		return VAULT_OK;
	if (want > s->end - off)
		want = (size_t)(s->end - off);
	vault_buf_clear(&s->window);
	err = vault_buf_reserve(&s->window, want);
	if (err != VAULT_OK)
		return err;
	s->window_off = off;
	err = vault_packs_read(s->packs, s->at.pack, off, s->window.data, want,
			       &got);
	if (err != VAULT_OK && err != VAULT_ERR_IO)
		return err;
	if (err != VAULT_OK) {
		read_around_flaws(s, off, want);
		return VAULT_OK;
	}
	/* Shorter than its own length said: as if the rest were zeros. */
	memset(s->window.data + got, 0, want - got);
	s->window.len = want;
	return VAULT_OK;
}

static const uint8_t *window_at(const struct vault_scan *s, uint64_t off)
{
	return s->window.data + (off - s->window_off);
}

/* Does a sound record begin at `off`? The header is in the window. */
static bool record_at(const struct vault_scan *s, uint64_t off,
		      struct vault_frame *out)
{
	struct vault_frame_at at = s->at;

	at.offset = off;
	return vault_frame_unpack(&at, window_at(s, off), out) == VAULT_OK &&
	       vault_frame_bytes(out->head.stored_len) <= s->end - off;
}

/* Move to the next place where a record begins, or the end. */
static vault_err skip_gap(struct vault_scan *s)
{
	const size_t step = VAULT_RECORD_ALIGN;
	uint64_t off = s->at.offset + step;
	struct vault_frame f;
	vault_err err;

	off -= off % step;
	while (off < s->end && s->end - off >= VAULT_RECORD_HEADER_BYTES) {
		err = fill(s, off, VAULT_RECORD_HEADER_BYTES, READ_BYTES);
		if (err != VAULT_OK)
			return err;
		if (vault_bytes_get_le32(window_at(s, off)) ==
			    VAULT_RECORD_MAGIC &&
		    record_at(s, off, &f)) {
			s->at.offset = off;
			return VAULT_OK;
		}
		off += step;
	}
	s->at.offset = s->end;
	return VAULT_OK;
}

static bool wants_payload(const struct vault_scan *s, uint8_t type)
{
	switch (s->depth) {
	case VAULT_SCAN_HEADERS:
		return false;
	case VAULT_SCAN_ENTRIES:
		return type != VAULT_RECORD_CHUNK &&
		       type != VAULT_RECORD_RECIPE &&
		       type != VAULT_RECORD_FOOTER;
	case VAULT_SCAN_ALL:
		return true;
	}
	return true;
}

static vault_err take_record(struct vault_scan *s, struct vault_scan_item *item)
{
	const uint32_t len = item->frame.head.stored_len;
	vault_err err;

	item->size = vault_frame_bytes(len);
	s->at.offset += item->size;
	if (!wants_payload(s, item->frame.head.type))
		return VAULT_OK;
	if (len > 0) {
		err = fill(s, item->offset, VAULT_RECORD_HEADER_BYTES + len,
			   s->depth == VAULT_SCAN_ALL ? READ_BYTES : 0);
		if (err != VAULT_OK)
			return err;
		item->stored = vault_span(window_at(s, item->offset) +
						  VAULT_RECORD_HEADER_BYTES,
					  len);
	}
	if (!vault_frame_payload_ok(&item->frame, item->stored))
		item->kind = VAULT_SCAN_BAD_PAYLOAD;
	return VAULT_OK;
}

vault_err vault_scan_next(struct vault_scan *s, struct vault_scan_item *out)
{
	struct vault_scan_item item = { .kind = VAULT_SCAN_RECORD,
					.offset = s->at.offset };
	vault_err err;

	if (s->at.offset >= s->end)
		return VAULT_ERR_NOT_FOUND;
	if (s->end - s->at.offset >= VAULT_RECORD_HEADER_BYTES) {
		err = fill(s, s->at.offset, VAULT_RECORD_HEADER_BYTES,
			   s->depth == VAULT_SCAN_ALL ? READ_BYTES : HOP_BYTES);
		if (err != VAULT_OK)
			return err;
		if (record_at(s, s->at.offset, &item.frame)) {
			err = take_record(s, &item);
			goto out;
		}
	}
	item.kind = VAULT_SCAN_GAP;
	err = skip_gap(s);
	item.size = s->at.offset - item.offset;

out:
	if (err == VAULT_OK)
		*out = item;
	return err;
}

/* A flaw, and the last sound record before it. */
struct flaw {
	uint64_t offset;
	struct vault_scan_last before;
};

static struct vault_scan_last last_of(const struct vault_scan_item *item)
{
	return (struct vault_scan_last){
		.offset = item->offset,
		.end = item->offset + item->size,
		.seq = item->frame.head.seq,
		.header_sum = item->frame.header_sum,
		.type = item->frame.head.type,
	};
}

/* Collect flaws and evidence up to the end of the file. */
static vault_err survey(struct vault_scan *scan, struct vault_scan_tail *t,
			uint64_t *durable, struct vault_buf *flaws)
{
	struct vault_scan_item item;
	vault_err err;

	while ((err = vault_scan_next(scan, &item)) == VAULT_OK) {
		if (item.kind != VAULT_SCAN_GAP) {
			if (item.frame.durable > *durable)
				*durable = item.frame.durable;
			if (item.frame.head.seq > t->largest_seq)
				t->largest_seq = item.frame.head.seq;
		}
		if (item.kind == VAULT_SCAN_RECORD) {
			const struct vault_scan_last before = t->last;

			t->last = last_of(&item);
			vault_scan_last_pass(&t->last, &before);
		} else {
			const struct flaw f = { item.offset, t->last };

			err = vault_buf_append(flaws,
					       vault_span(&f, sizeof(f)));
			if (err != VAULT_OK)
				return err;
		}
	}
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

vault_err vault_scan_find_tail(struct vault_packs *packs,
			       const uint8_t uuid[16], uint32_t pack,
			       const struct vault_scan_last *from,
			       uint64_t durable, struct vault_scan_tail *out)
{
	struct vault_scan_tail t = { .end = vault_packs_len(packs, pack),
				     .largest_seq = from->seq,
				     .last = *from };
	struct vault_buf flaws = VAULT_BUF_INIT;
	struct vault_scan scan;
	struct flaw f;
	vault_err err;

	vault_scan_init(&scan, packs, uuid, pack, from->end, t.end,
			VAULT_SCAN_ALL);
	err = survey(&scan, &t, &durable, &flaws);
	if (err != VAULT_OK)
		goto out;
	if (scan.unreadable != VAULT_SCAN_READABLE) {
		t.unreadable = true;
		t.unseen =
			(t.end - scan.unreadable) / VAULT_RECORD_HEADER_BYTES +
			1;
		t.largest_seq += t.unseen;
	}
	for (size_t i = 0; i < flaws.len; i += sizeof(f)) {
		memcpy(&f, flaws.data + i, sizeof(f));
		if (f.offset >= durable && !t.unreadable) {
			t.end = f.offset;
			t.last = f.before;
			break;
		}
	}
	*out = t;

out:
	vault_buf_release(&flaws);
	vault_scan_release(&scan);
	return err;
}
