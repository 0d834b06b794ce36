/* SPDX-License-Identifier: Apache-2.0 */
#include "store/records.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "store/base/log.h"
#include "store/entries.h"
#include "store/frame.h"
#include "store/state.h"

/* Pending places are handed to the index once so many can be. */
#define PENDING_ROWS 16384

vault_err vault_records_append(struct vault_store *s,
			       const struct vault_record_head *h,
			       struct vault_span stored,
			       struct vault_record_place *out)
{
	const uint32_t pack = s->appender.pack;
	vault_err err;

	assert(h->type == VAULT_RECORD_CHUNK || h->type == VAULT_RECORD_RECIPE);
	pthread_mutex_lock(&s->writing);
	err = vault_appender_add(&s->appender, h, stored, out);
	/* A pack was sealed: its places need not be held in memory. */
	if (err == VAULT_OK && s->appender.pack != pack && !s->behind &&
	    s->appender.pending.n_rows >= PENDING_ROWS &&
	    vault_entries_index_places(s) != VAULT_OK)
		vault_log_debug("index: places stay in memory");
	pthread_mutex_unlock(&s->writing);
	return err;
}

static vault_err damaged(struct vault_store *s,
			 const struct vault_record_place *p, const char *what)
{
	vault_log_error("packs/%08" PRIu32 ".pack: at %" PRIu64 ": %s", p->pack,
			p->offset, what);
	atomic_fetch_add(&s->damage, 1);
	return VAULT_ERR_CORRUPT;
}

/* Header and payload as they lie in buffer or file. */
static vault_err fetch(struct vault_store *s,
		       const struct vault_record_place *p,
		       struct vault_buf *out)
{
	const size_t size = VAULT_RECORD_HEADER_BYTES + p->stored_len;
	size_t got;
	vault_err err;

	err = vault_appender_read(&s->appender, p, out);
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	err = vault_buf_reserve(out, size);
	if (err != VAULT_OK)
		return err;
	err = vault_packs_read(s->packs, p->pack, p->offset, out->data, size,
			       &got);
	if (err == VAULT_ERR_NOMEM || err == VAULT_ERR_BUSY)
		return err;
	if (err != VAULT_OK)
		return damaged(s, p, strerror(errno));
	if (got < size)
		return damaged(s, p, "the pack ends before the record does");
	out->len = size;
	return VAULT_OK;
}

/* Is it the record that the place speaks of, and sound? */
static bool is_record(const struct vault_store *s,
		      const struct vault_record_place *p,
		      const struct vault_buf *raw, struct vault_frame *out)
{
	struct vault_frame_at at = { .pack = p->pack, .offset = p->offset };

	memcpy(at.uuid, s->params.uuid, sizeof(at.uuid));
	return vault_frame_unpack(&at, raw->data, out) == VAULT_OK &&
	       out->head.stored_len == p->stored_len &&
	       out->head.raw_len == p->raw_len &&
	       vault_frame_payload_ok(
		       out, vault_span(raw->data + VAULT_RECORD_HEADER_BYTES,
				       p->stored_len));
}

vault_err vault_records_read(struct vault_store *s,
			     const struct vault_record_place *place,
			     struct vault_record_head *head,
			     struct vault_buf *stored)
{
	struct vault_record_place p = *place;
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_frame frame;
	vault_err err;

	/* The caller's memory serves again: fresh pages cost more than reading. */
	vault_buf_move(&raw, stored);
	vault_buf_clear(&raw);
	vault_appender_moved(&s->appender, &p);
	err = fetch(s, &p, &raw);
	/* It may have moved while we looked. */
	if (err == VAULT_OK && !is_record(s, &p, &raw, &frame)) {
		if (vault_appender_moved(&s->appender, &p))
			err = fetch(s, &p, &raw);
		if (err == VAULT_OK && !is_record(s, &p, &raw, &frame))
			err = damaged(s, &p, "the record is damaged");
	}
	if (err != VAULT_OK)
		goto out;
	*head = frame.head;
	memmove(raw.data, raw.data + VAULT_RECORD_HEADER_BYTES, p.stored_len);
	raw.len = p.stored_len;
	vault_buf_move(stored, &raw);

out:
	vault_buf_release(&raw);
	return err;
}

/* Ask the index for those not found yet, a handful at a time. */
#define ASK 64

static vault_err find_indexed(struct vault_store *s, size_t n,
			      const struct vault_id *ids,
			      struct vault_record_place *places, bool *found)
{
	struct vault_span keys[ASK] = { { NULL, 0 } };
	struct vault_buf values[ASK];
	bool there[ASK];
	size_t which[ASK];
	size_t asked = 0;
	vault_err err;

	for (size_t i = 0; i < n; i++) {
		if (found[i] || vault_id_is_none(&ids[i]))
			continue;
		keys[asked] = vault_span(ids[i].b, sizeof(ids[i].b));
		values[asked] = VAULT_BUF_INIT;
		which[asked++] = i;
	}
	if (asked == 0)
		return VAULT_OK;
	err = vault_index_get_many(s->index, VAULT_CF_CHUNK, asked, keys,
				   values, there);
	for (size_t k = 0; k < asked; k++) {
		if (err == VAULT_OK && there[k]) {
			err = vault_frame_unpack_place(
				vault_buf_span(&values[k]), &places[which[k]]);
			found[which[k]] = err == VAULT_OK;
		}
		vault_buf_release(&values[k]);
	}
	return err;
}

vault_err vault_records_find(struct vault_store *s, size_t n,
			     const struct vault_id *ids,
			     struct vault_record_place *places, bool *found)
{
	vault_err err = VAULT_OK;

	/* First what is pending: it leaves there only once indexed. */
	for (size_t i = 0; i < n; i++)
		found[i] =
			vault_appender_find(&s->appender, &ids[i], &places[i]);
	for (size_t i = 0; i < n && err == VAULT_OK; i += ASK)
		err = find_indexed(s, n - i < ASK ? n - i : ASK, ids + i,
				   places + i, found + i);
	return err;
}

const uint8_t *vault_records_secret(const struct vault_store *s)
{
	return s->params.secret;
}

unsigned vault_records_id_bits(const struct vault_store *s)
{
	return s->options.id_bits;
}

struct vault_put_pool *vault_records_pool(struct vault_store *s)
{
	return s->pool;
}
