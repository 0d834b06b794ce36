/* SPDX-License-Identifier: Apache-2.0 */
#include "store/entries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"
#include "store/frame.h"
#include "store/replay.h"
#include "store/state.h"

void vault_entries_distrust_index(void *ctx)
{
	const struct vault_store *s = ctx;
	const int fd = openat(s->dirfd, VAULT_INDEX_MARK_NAME,
			      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0) {
		vault_log_error("index: failed; it will be rebuilt when the "
				"vault is opened again");
		close(fd);
	} else if (errno != EEXIST) {
		vault_log_error("index: failed, and %s could not be made: %s",
				VAULT_INDEX_MARK_NAME, strerror(errno));
	}
}

static bool is_durable(const struct vault_appender *a,
		       const struct vault_record_place *p)
{
	return p->pack != a->pack || p->offset < a->durable;
}

static void put_place(struct vault_store *s, struct vault_batch *b,
		      const struct vault_pending_row *row)
{
	uint8_t value[VAULT_PLACE_BYTES];

	vault_frame_pack_place(&row->place, value);
	vault_batch_put(b, s->index, VAULT_CF_CHUNK,
			vault_span(row->id.b, sizeof(row->id.b)),
			vault_span(value, sizeof(value)));
}

/* Every durable pending place into the batch. */
static void put_places(struct vault_store *s, struct vault_batch *b)
{
	const struct vault_pending *p = &s->appender.pending;

	for (size_t i = 0; i < p->n_slots; i++)
		if (!vault_id_is_none(&p->slots[i].id) &&
		    is_durable(&s->appender, &p->slots[i].place))
			put_place(s, b, &p->slots[i]);
}

/* Forget those places again, now that the index has them. */
static vault_err forget_places(struct vault_store *s)
{
	struct vault_appender *a = &s->appender;
	struct vault_pending left = { 0 };
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < a->pending.n_slots; i++) {
		const struct vault_pending_row *row = &a->pending.slots[i];

		if (vault_id_is_none(&row->id) || is_durable(a, &row->place))
			continue;
		err = vault_pending_reserve(&left);
		if (err != VAULT_OK)
			goto out;
		vault_pending_set(&left, &row->id, &row->place);
	}
	pthread_mutex_lock(&a->lock);
	vault_pending_release(&a->pending);
	a->pending = left;
	pthread_mutex_unlock(&a->lock);
	left = (struct vault_pending){ 0 };

out:
	vault_pending_release(&left);
	return err;
}

/* How far all packs are applied, into the batch. */
static void put_applied(struct vault_store *s, struct vault_batch *b)
{
	struct vault_appender *a = &s->appender;
	struct vault_appender_end e;

	for (size_t i = 0; i < a->left.len; i += sizeof(e)) {
		memcpy(&e, a->left.data + i, sizeof(e));
		vault_replay_put_applied(b, s->index, e.pack, &e.last);
	}
	if (a->synced.end != 0)
		vault_replay_put_applied(b, s->index, a->pack, &a->synced);
}

/* The durable places in one batch; with `all`, how far packs are applied. */
static vault_err index_places(struct vault_store *s, bool all)
{
	struct vault_batch *b;
	vault_err err;

	err = vault_batch_create(&b);
	if (err != VAULT_OK)
		return err;
	put_places(s, b);
	if (all)
		put_applied(s, b);
	err = vault_index_write(s->index, b);
	if (err == VAULT_OK && all)
		vault_buf_clear(&s->appender.left);
	if (err == VAULT_OK)
		err = forget_places(s);
	vault_batch_destroy(b);
	return err;
}

vault_err vault_entries_index_places(struct vault_store *s)
{
	return index_places(s, false);
}

vault_err vault_entries_index_all(struct vault_store *s)
{
	return index_places(s, true);
}

/* The durable entry and all that came before it, in one batch. */
static vault_err apply(struct vault_store *s, const struct vault_entry *e)
{
	struct vault_replay r = {
		.packs = s->packs,
		.uuid = s->params.uuid,
		.index = s->index,
		.apply = s->options.apply,
		.apply_ctx = s->options.apply_ctx,
	};
	struct vault_batch *b;
	vault_err err;

	err = vault_batch_create(&b);
	if (err != VAULT_OK)
		return err;
	put_places(s, b);
	put_applied(s, b);
	err = vault_replay_apply(&r, b, e);
	if (err == VAULT_OK) {
		vault_buf_clear(&s->appender.left);
		err = forget_places(s);
	}
	vault_batch_destroy(b);
	return err;
}

/* Append and sync; nothing of it counts otherwise. */
static vault_err make_durable(struct vault_store *s,
			      const struct vault_record_head *h,
			      struct vault_span payload, uint64_t *seq)
{
	const struct vault_scan_last before = s->appender.last;
	struct vault_record_place place;
	vault_err err;

	err = vault_appender_add(&s->appender, h, payload, &place);
	if (err != VAULT_OK)
		return err;
	*seq = s->appender.last.seq;
	err = vault_appender_sync(&s->appender);
	if (err != VAULT_OK && !s->appender.broken)
		vault_appender_retract(&s->appender, &before);
	return err;
}

/*
 * An entry was durable but did not reach the index. Nothing newer may be
 * applied before it: it is kept, and tried again before the next one.
 */
static void fall_behind(struct vault_store *s, const struct vault_entry *e,
			vault_err err)
{
	s->behind = true;
	s->late_type = e->type;
	s->late_seq = e->seq;
	vault_buf_clear(&s->late_payload);
	s->late_kept =
		vault_buf_append(&s->late_payload, e->payload) == VAULT_OK;
	vault_log_error("vault: a durable entry could not be put into the "
			"index (%s); it will be before the next one, or when "
			"the vault is opened again",
			vault_err_text(err));
}

static vault_err catch_up(struct vault_store *s)
{
	const struct vault_entry e = {
		.type = s->late_type,
		.seq = s->late_seq,
		.payload = vault_buf_span(&s->late_payload),
	};
	vault_err err;

	if (!s->behind)
		return VAULT_OK;
	if (!s->late_kept)
		return VAULT_ERR_INDEX;
	err = apply(s, &e);
	if (err == VAULT_OK) {
		s->behind = false;
		vault_buf_release(&s->late_payload);
	}
	return err;
}

vault_err vault_store_append(struct vault_store *s, enum vault_entry_type type,
			     struct vault_span payload, uint64_t *seq)
{
	const struct vault_record_head h = {
		.type = (uint8_t)type,
		.raw_len = (uint32_t)payload.len,
		.stored_len = (uint32_t)payload.len,
	};
	struct vault_entry e = { .type = type, .payload = payload };
	vault_err err;

	if (payload.len > VAULT_RECORD_MAX)
		return VAULT_ERR_TOO_BIG;
	pthread_mutex_lock(&s->writing);
	err = catch_up(s);
	if (err != VAULT_OK)
		goto out;
	err = make_durable(s, &h, payload, &e.seq);
	if (err != VAULT_OK)
		goto out;
	err = apply(s, &e);
	if (err != VAULT_OK) {
		fall_behind(s, &e, err);
		goto out;
	}
	vault_appender_mark(&s->appender);
	*seq = e.seq;

out:
	pthread_mutex_unlock(&s->writing);
	return err;
}
