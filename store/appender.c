/* SPDX-License-Identifier: Apache-2.0 */
#include "store/appender.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/base/log.h"

#define TEMPORARY "next.tmp"
#define BUFFER_BYTES ((size_t)1 << 20)

struct moved {
	struct vault_id id; /* none: an entry */
	uint32_t from_pack;
	uint32_t to_pack;
	uint64_t from;
	uint64_t to;
};

/* Say once what the disk refused; `errno` is the reason. */
static vault_err failure(const char *doing, uint32_t pack)
{
	const int number = errno;

	vault_log_error("packs/%08" PRIu32 ".pack: %s: %s", pack, doing,
			strerror(number));
	return vault_err_from_errno(number);
}

void vault_appender_init(struct vault_appender *a, const struct vault_io *io,
			 int dirfd, struct vault_packs *packs,
			 const struct vault_params *params, uint64_t pack_size)
{
	*a = (struct vault_appender){
		.io = io,
		.dirfd = dirfd,
		.packs = packs,
		.params = *params,
		.pack_size = pack_size,
		.fd = -1,
		.next_seq = 1,
	};
	pthread_mutex_init(&a->lock, NULL);
}

static void close_pack(struct vault_appender *a)
{
	if (a->fd >= 0)
		a->io->close(a->io->ctx, a->fd);
	a->fd = -1;
}

void vault_appender_release(struct vault_appender *a)
{
	close_pack(a);
	vault_buf_release(&a->buffer);
	vault_buf_release(&a->moved);
	vault_buf_release(&a->left);
	vault_pending_release(&a->pending);
	pthread_mutex_destroy(&a->lock);
}

static struct vault_scan_last last_of(uint64_t offset,
				      const struct vault_frame *f,
				      uint64_t size)
{
	return (struct vault_scan_last){
		.offset = offset,
		.end = offset + size,
		.seq = f->head.seq,
		.header_sum = f->header_sum,
		.type = f->head.type,
	};
}

static struct vault_frame_at at(const struct vault_appender *a, uint32_t pack,
				uint64_t offset)
{
	struct vault_frame_at where = { .pack = pack, .offset = offset };

	memcpy(where.uuid, a->params.uuid, sizeof(where.uuid));
	return where;
}

static bool has_place(uint8_t type)
{
	return type == VAULT_RECORD_CHUNK || type == VAULT_RECORD_RECIPE;
}

/* ---- a new pack, invisible until it is whole ---- */

struct fresh {
	int fd;
	uint32_t pack;
	uint64_t written;
	struct vault_buf buffer;
	struct vault_scan_last last;
	struct vault_buf moved;
};

static vault_err fresh_flush(struct vault_appender *a, struct fresh *f)
{
	vault_err err;

	err = vault_io_write_all(a->io, f->fd, vault_buf_span(&f->buffer),
				 f->written);
	if (err != VAULT_OK)
		return failure("write", f->pack);
	f->written += f->buffer.len;
	vault_buf_clear(&f->buffer);
	return VAULT_OK;
}

static vault_err fresh_add(struct vault_appender *a, struct fresh *f,
			   const struct vault_record_head *h,
			   struct vault_span stored)
{
	const uint64_t offset = f->written + f->buffer.len;
	const struct vault_frame_at where = at(a, f->pack, offset);
	struct vault_frame frame = { .head = *h };
	const size_t start = f->buffer.len;
	vault_err err;

	err = vault_frame_pack(&where, &frame, stored, &f->buffer);
	if (err != VAULT_OK)
		return err;
	err = vault_frame_unpack(&where, f->buffer.data + start, &frame);
	assert(err == VAULT_OK);
	f->last = last_of(offset, &frame, vault_frame_bytes(h->stored_len));
	if (f->buffer.len >= BUFFER_BYTES)
		err = fresh_flush(a, f);
	return err;
}

/* Header and params record. */
static vault_err fresh_begin(struct vault_appender *a, struct fresh *f,
			     uint64_t prev_end)
{
	uint8_t header[VAULT_PACK_HEADER_BYTES];
	uint8_t params[VAULT_PARAMS_BYTES];
	const struct vault_record_head h = {
		.type = VAULT_RECORD_PARAMS,
		.raw_len = VAULT_PARAMS_BYTES,
		.stored_len = VAULT_PARAMS_BYTES,
		.seq = a->next_seq,
	};
	vault_err err;

	*f = (struct fresh){ .pack = a->pack + 1 };
	f->fd = a->io->openat(a->io->ctx, a->dirfd, TEMPORARY,
			      O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (f->fd < 0)
		return failure("create", f->pack);
	a->next_seq++;
	a->params.prev_pack = a->pack;
	a->params.prev_end = prev_end;
	vault_params_pack(&a->params, params);
	vault_frame_pack_header(a->params.uuid, f->pack, header);
	err = vault_buf_append(&f->buffer, vault_span(header, sizeof(header)));
	if (err == VAULT_OK)
		err = fresh_add(a, f, &h, vault_span(params, sizeof(params)));
	return err;
}

/* Make it durable under its name. */
static vault_err fresh_publish(struct vault_appender *a, struct fresh *f)
{
	char name[VAULT_PACK_NAME_BYTES];
	vault_err err;

	err = fresh_flush(a, f);
	if (err != VAULT_OK)
		return err;
	if (a->io->fdatasync(a->io->ctx, f->fd) < 0)
		return failure("sync", f->pack);
	vault_packs_name(f->pack, name);
	if (a->io->renameat(a->io->ctx, a->dirfd, TEMPORARY, name) < 0)
		return failure("rename", f->pack);
	if (a->io->syncdir(a->io->ctx, a->dirfd) < 0) {
		err = failure("sync directory", f->pack);
		a->io->unlinkat(a->io->ctx, a->dirfd, name, 0);
		return err;
	}
	return vault_packs_set(a->packs, f->pack, f->written);
}

/* Give up one that was not published; harmless afterwards. */
static void fresh_release(struct vault_appender *a, struct fresh *f)
{
	if (f->fd >= 0) {
		a->io->close(a->io->ctx, f->fd);
		a->io->unlinkat(a->io->ctx, a->dirfd, TEMPORARY, 0);
	}
	vault_buf_release(&f->buffer);
	vault_buf_release(&f->moved);
}

/* Without memory for it, the next open reads that pack once more. */
static void keep_end(struct vault_appender *a,
		     const struct vault_appender_end *e)
{
	if (vault_buf_append(&a->left, vault_span(e, sizeof(*e))) != VAULT_OK)
		vault_log_debug("packs: no memory to note a pack's end");
}

/* The published pack is the one we append to from now on. */
static void adopt(struct vault_appender *a, struct fresh *f)
{
	const struct vault_appender_end left = {
		.pack = a->pack,
		.last = { .end = a->params.prev_end },
	};

	if (a->pack != 0 && !a->unreadable)
		keep_end(a, &left);
	a->unreadable = false;
	pthread_mutex_lock(&a->lock);
	close_pack(a);
	a->fd = f->fd;
	a->pack = f->pack;
	a->written = f->written;
	vault_buf_clear(&a->buffer);
	pthread_mutex_unlock(&a->lock);
	a->durable = f->written;
	a->last = f->last;
	a->synced = f->last;
	a->suspect = false;
	f->fd = -1;
}

/* Begin the next pack; the newest one ends at `prev_end`. */
static vault_err new_pack(struct vault_appender *a, uint64_t prev_end)
{
	struct fresh f;
	vault_err err;

	err = fresh_begin(a, &f, prev_end);
	if (err == VAULT_OK)
		err = fresh_publish(a, &f);
	if (err == VAULT_OK)
		adopt(a, &f);
	fresh_release(a, &f);
	return err;
}

/* ---- leaving a pack whose sync failed ---- */

static vault_err carry(struct vault_appender *a, struct fresh *f,
		       uint64_t offset, const struct vault_record_head *h,
		       struct vault_span stored)
{
	const struct moved m = {
		.id = h->id,
		.from_pack = a->pack,
		.to_pack = f->pack,
		.from = offset,
		.to = f->written + f->buffer.len,
	};
	vault_err err;

	if (h->type == VAULT_RECORD_MARK || h->type == VAULT_RECORD_FOOTER)
		return VAULT_OK;
	err = vault_buf_append(&f->moved, vault_span(&m, sizeof(m)));
	return err != VAULT_OK ? err : fresh_add(a, f, h, stored);
}

/* What is in the file but was never acknowledged, read back. */
static vault_err carry_written(struct vault_appender *a, struct fresh *f)
{
	struct vault_scan_item item;
	struct vault_scan scan;
	vault_err err;

	vault_scan_init(&scan, a->packs, a->params.uuid, a->pack, a->durable,
			a->written, VAULT_SCAN_ALL);
	while ((err = vault_scan_next(&scan, &item)) == VAULT_OK) {
		if (item.kind != VAULT_SCAN_RECORD) {
			vault_log_error("packs/%08" PRIu32 ".pack: what was "
					"written at %" PRIu64 " cannot be read "
					"back; the vault takes nothing more "
					"until it is opened again",
					a->pack, item.offset);
			a->broken = true;
			err = VAULT_ERR_IO;
			break;
		}
		err = carry(a, f, item.offset, &item.frame.head, item.stored);
		if (err != VAULT_OK)
			break;
	}
	vault_scan_release(&scan);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

static vault_err carry_buffer(struct vault_appender *a, struct fresh *f)
{
	size_t i = 0;
	vault_err err = VAULT_OK;

	while (i < a->buffer.len && err == VAULT_OK) {
		const struct vault_frame_at where =
			at(a, a->pack, a->written + i);
		const uint8_t *p = a->buffer.data + i;
		struct vault_frame frame;

		err = vault_frame_unpack(&where, p, &frame);
		assert(err == VAULT_OK); /* our own memory */
		err = carry(a, f, where.offset, &frame.head,
			    vault_span(p + VAULT_RECORD_HEADER_BYTES,
				       frame.head.stored_len));
		i += vault_frame_bytes(frame.head.stored_len);
	}
	return err;
}

/* Point the pending rows and later readers to the new places. */
static void redirect(struct vault_appender *a, const struct fresh *f)
{
	struct moved m;

	for (size_t i = 0; i < f->moved.len; i += sizeof(m)) {
		struct vault_record_place *p;

		memcpy(&m, f->moved.data + i, sizeof(m));
		p = vault_pending_get(&a->pending, &m.id);
		if (p != NULL && p->pack == m.from_pack &&
		    p->offset == m.from) {
			p->pack = m.to_pack;
			p->offset = m.to;
		}
	}
}

/*
 * Rewrite into a new pack what the suspect one did not acknowledge. Until it
 * is published, nothing of the present state changes.
 */
static vault_err leave_pack(struct vault_appender *a)
{
	const uint32_t old = a->pack;
	const uint64_t end = a->durable;
	struct fresh f;
	vault_err err;

	err = fresh_begin(a, &f, end);
	if (err == VAULT_OK)
		err = carry_written(a, &f);
	if (err == VAULT_OK)
		err = carry_buffer(a, &f);
	if (err == VAULT_OK)
		err = vault_buf_reserve(&a->moved, a->moved.len + f.moved.len);
	if (err == VAULT_OK)
		err = fresh_publish(a, &f);
	if (err != VAULT_OK)
		goto out;

	pthread_mutex_lock(&a->lock);
	redirect(a, &f);
	err = vault_buf_append(&a->moved, vault_buf_span(&f.moved));
	assert(err == VAULT_OK); /* reserved above */
	pthread_mutex_unlock(&a->lock);
	/* The leftovers are outside what the new pack's params state. */
	(void)a->io->ftruncate(a->io->ctx, a->fd, (off_t)end);
	adopt(a, &f);
	vault_log_warn("packs/%08" PRIu32 ".pack: left at %" PRIu64
		       " after a failed sync; %zu records were written again "
		       "to packs/%08" PRIu32 ".pack",
		       old, end, f.moved.len / sizeof(struct moved), a->pack);

out:
	fresh_release(a, &f);
	return err;
}

/* ---- appending ---- */

static uint64_t end_of(const struct vault_appender *a)
{
	return a->written + a->buffer.len;
}

/* Bring the buffer to the file: all of it or, for all we count, nothing. */
static vault_err flush(struct vault_appender *a)
{
	vault_err err;

	if (a->buffer.len == 0)
		return VAULT_OK;
	err = vault_io_write_all(a->io, a->fd, vault_buf_span(&a->buffer),
				 a->written);
	if (err != VAULT_OK) {
		err = failure("write", a->pack);
		if (a->io->ftruncate(a->io->ctx, a->fd, (off_t)a->written) < 0)
			a->suspect = true;
		return err;
	}
	pthread_mutex_lock(&a->lock);
	a->written += a->buffer.len;
	vault_buf_clear(&a->buffer);
	pthread_mutex_unlock(&a->lock);
	return vault_packs_set(a->packs, a->pack, a->written);
}

/* Put one record into the buffer. */
static vault_err buffer_record(struct vault_appender *a,
			       const struct vault_record_head *h,
			       struct vault_span stored,
			       struct vault_record_place *out)
{
	const uint64_t offset = end_of(a);
	const struct vault_frame_at where = at(a, a->pack, offset);
	const struct vault_scan_last before = a->last;
	struct vault_frame frame = { .head = *h, .durable = a->durable };
	struct vault_record_place place = {
		.pack = a->pack,
		.raw_len = h->raw_len,
		.stored_len = h->stored_len,
		.offset = offset,
	};
	size_t start;
	vault_err err;

	frame.head.seq = a->next_seq;
	pthread_mutex_lock(&a->lock);
	err = vault_pending_reserve(&a->pending);
	if (err != VAULT_OK)
		goto out;
	start = a->buffer.len;
	err = vault_frame_pack(&where, &frame, stored, &a->buffer);
	if (err != VAULT_OK)
		goto out;
	if (has_place(h->type))
		vault_pending_set(&a->pending, &h->id, &place);
	err = vault_frame_unpack(&where, a->buffer.data + start, &frame);
	assert(err == VAULT_OK);
	a->last = last_of(offset, &frame, vault_frame_bytes(h->stored_len));
	vault_scan_last_pass(&a->last, &before);
	a->next_seq++;
	*out = place;

out:
	pthread_mutex_unlock(&a->lock);
	return err;
}

/* Shorten the buffer to what it held, dropping the newest record. */
static void unbuffer(struct vault_appender *a, uint64_t end,
		     const struct vault_scan_last *before)
{
	assert(end >= a->written && end <= end_of(a));
	pthread_mutex_lock(&a->lock);
	a->buffer.len = (size_t)(end - a->written);
	pthread_mutex_unlock(&a->lock);
	a->last = *before;
}

static int by_row_id(const void *a, const void *b)
{
	const int c = memcmp(a, b, 16);

	/* Of one id twice, the later place comes later. */
	if (c != 0)
		return c;
	return memcmp((const uint8_t *)a + VAULT_FOOTER_OFF_PLACE,
		      (const uint8_t *)b + VAULT_FOOTER_OFF_PLACE, 4);
}

static void put_row(const struct vault_scan_item *item, uint8_t *b)
{
	const struct vault_record_head *h = &item->frame.head;

	memset(b, 0, VAULT_FOOTER_ROW_BYTES);
	if (has_place(h->type))
		memcpy(b + VAULT_FOOTER_OFF_ID, h->id.b, 16);
	else
		vault_bytes_put_be64(b + VAULT_FOOTER_OFF_ID + 8, h->seq);
	vault_bytes_put_le32(b + VAULT_FOOTER_OFF_PLACE,
			     (uint32_t)(item->offset / VAULT_RECORD_ALIGN));
	vault_bytes_put_le32(b + VAULT_FOOTER_OFF_RAW_LEN, h->raw_len);
	vault_bytes_put_le32(b + VAULT_FOOTER_OFF_STORED_LEN, h->stored_len);
	b[VAULT_FOOTER_OFF_TYPE] = h->type;
	b[VAULT_FOOTER_OFF_TYPE + 1] = h->codec;
	b[VAULT_FOOTER_OFF_TYPE + 2] = h->depth;
	b[VAULT_FOOTER_OFF_TYPE + 3] = h->flags;
}

/* The rows of a footer, from the headers of the pack itself. */
static vault_err gather_footer(struct vault_appender *a, struct vault_buf *rows)
{
	struct vault_scan_item item;
	struct vault_scan scan;
	uint8_t row[VAULT_FOOTER_ROW_BYTES];
	vault_err err;

	vault_scan_init(&scan, a->packs, a->params.uuid, a->pack,
			VAULT_PACK_FIRST, a->written, VAULT_SCAN_HEADERS);
	while ((err = vault_scan_next(&scan, &item)) == VAULT_OK) {
		if (item.kind == VAULT_SCAN_GAP ||
		    item.frame.head.type == VAULT_RECORD_MARK)
			continue;
		put_row(&item, row);
		err = vault_buf_append(rows, vault_span(row, sizeof(row)));
		if (err != VAULT_OK)
			break;
	}
	vault_scan_release(&scan);
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	if (rows->len > 0)
		qsort(rows->data, rows->len / VAULT_FOOTER_ROW_BYTES,
		      VAULT_FOOTER_ROW_BYTES, by_row_id);
	return VAULT_OK;
}

static vault_err sync_file(struct vault_appender *a)
{
	if (a->durable == a->written)
		return VAULT_OK;
	if (a->io->fdatasync(a->io->ctx, a->fd) < 0) {
		a->suspect = true;
		return failure("sync", a->pack);
	}
	a->durable = a->written;
	a->synced = a->last;
	return VAULT_OK;
}

/* Finish the pack: footer, sync. It takes no record after this. */
static vault_err seal(struct vault_appender *a)
{
	struct vault_buf rows = VAULT_BUF_INIT;
	struct vault_record_head h = { .type = VAULT_RECORD_FOOTER };
	struct vault_scan_last before;
	struct vault_record_place place;
	uint64_t end;
	vault_err err;

	err = flush(a);
	if (err == VAULT_OK)
		err = gather_footer(a, &rows);
	if (err != VAULT_OK)
		goto out;
	before = a->last;
	end = end_of(a);
	h.raw_len = h.stored_len = (uint32_t)rows.len;
	err = buffer_record(a, &h, vault_buf_span(&rows), &place);
	if (err != VAULT_OK)
		goto out;
	err = flush(a);
	if (err != VAULT_OK) {
		unbuffer(a, end, &before);
		goto out;
	}
	err = sync_file(a);
	if (err == VAULT_OK)
		close_pack(a);

out:
	vault_buf_release(&rows);
	return err;
}

/* Have a sound pack with room for `size` bytes more. */
static vault_err make_room(struct vault_appender *a, uint64_t size)
{
	vault_err err;

	if (a->broken)
		return VAULT_ERR_IO;
	if (a->suspect) {
		err = leave_pack(a);
		if (err != VAULT_OK)
			return err;
	}
	if (a->fd >= 0 && end_of(a) + size > a->pack_size &&
	    end_of(a) > VAULT_PACK_FIRST) {
		err = seal(a);
		if (err != VAULT_OK && a->suspect)
			err = leave_pack(a);
		if (err != VAULT_OK)
			return err;
	}
	if (a->fd < 0)
		return new_pack(a, a->written);
	return VAULT_OK;
}

vault_err vault_appender_add(struct vault_appender *a,
			     const struct vault_record_head *h,
			     struct vault_span stored,
			     struct vault_record_place *out)
{
	vault_err err;

	if (stored.len > VAULT_RECORD_MAX)
		return VAULT_ERR_TOO_BIG;
	err = make_room(a, vault_frame_bytes(h->stored_len));
	if (err != VAULT_OK)
		return err;
	if (a->buffer.len >= BUFFER_BYTES) {
		err = flush(a);
		if (err != VAULT_OK)
			return err;
	}
	return buffer_record(a, h, stored, out);
}

vault_err vault_appender_sync(struct vault_appender *a)
{
	vault_err err;

	if (a->broken)
		return VAULT_ERR_IO;
	if (a->suspect)
		return leave_pack(a);
	if (a->fd < 0)
		return VAULT_OK;
	err = flush(a);
	if (err == VAULT_OK)
		err = sync_file(a);
	if (err != VAULT_OK && a->suspect)
		err = leave_pack(a);
	return err;
}

void vault_appender_retract(struct vault_appender *a,
			    const struct vault_scan_last *before)
{
	const uint64_t end = a->last.offset;

	if (end >= a->written) {
		unbuffer(a, end, before);
		return;
	}
	assert(a->buffer.len == 0 && end >= a->durable);
	(void)a->io->ftruncate(a->io->ctx, a->fd, (off_t)end);
	pthread_mutex_lock(&a->lock);
	a->written = end;
	pthread_mutex_unlock(&a->lock);
	a->last = *before;
}

void vault_appender_mark(struct vault_appender *a)
{
	const struct vault_record_head h = { .type = VAULT_RECORD_MARK };
	const struct vault_scan_last before = a->last;
	const uint64_t end = end_of(a);
	struct vault_record_place place;

	if (a->fd < 0 || a->suspect || a->broken || a->buffer.len > 0)
		return;
	if (before.type == VAULT_RECORD_MARK)
		return;
	if (buffer_record(a, &h, VAULT_SPAN_EMPTY, &place) != VAULT_OK)
		return;
	if (flush(a) != VAULT_OK)
		unbuffer(a, end, &before);
}

vault_err vault_appender_resume(struct vault_appender *a, uint32_t pack,
				const struct vault_scan_tail *tail,
				uint64_t stated, uint64_t next_seq)
{
	const uint64_t len = vault_packs_len(a->packs, pack);
	char name[VAULT_PACK_NAME_BYTES];
	vault_err err = VAULT_OK;

	a->pack = pack;
	a->next_seq = next_seq;
	a->written = stated > tail->end ? stated : tail->end;
	a->durable = a->written;
	a->last = tail->last;
	a->last.end = a->written;
	a->unreadable = tail->unreadable;
	/* The index reads such a pack again. */
	a->synced = a->unreadable ? (struct vault_scan_last){ 0 } : a->last;
	if (stated > tail->end)
		return VAULT_OK;

	vault_packs_name(pack, name);
	a->fd = a->io->openat(a->io->ctx, a->dirfd, name, O_RDWR | O_NOFOLLOW,
			      0);
	if (a->fd < 0)
		return failure("open", pack);
	if (len > tail->end) {
		vault_log_info("packs/%s: cut %" PRIu64 " bytes at %" PRIu64
			       " that were never acknowledged",
			       name, len - tail->end, tail->end);
		if (a->io->ftruncate(a->io->ctx, a->fd, (off_t)tail->end) < 0)
			return failure("cut", pack);
		err = vault_packs_set(a->packs, pack, tail->end);
	}
	/* What a killed process wrote is acknowledged only from here on. */
	if (err == VAULT_OK && a->io->fdatasync(a->io->ctx, a->fd) < 0)
		err = failure("sync", pack);
	if (tail->last.type == VAULT_RECORD_FOOTER || tail->unreadable ||
	    err != VAULT_OK)
		close_pack(a);
	return err;
}

vault_err vault_appender_begin(struct vault_appender *a)
{
	return new_pack(a, 0);
}

/* ---- what readers ask ---- */

vault_err vault_appender_read(struct vault_appender *a,
			      const struct vault_record_place *p,
			      struct vault_buf *out)
{
	const uint64_t size = vault_frame_bytes(p->stored_len);
	vault_err err = VAULT_ERR_NOT_FOUND;
	uint64_t start;

	pthread_mutex_lock(&a->lock);
	if (p->pack == a->pack && p->offset >= a->written) {
		start = p->offset - a->written;
		if (start <= a->buffer.len && size <= a->buffer.len - start) {
			vault_buf_clear(out);
			err = vault_buf_append(
				out, vault_span(a->buffer.data + start, size));
		}
	}
	pthread_mutex_unlock(&a->lock);
	return err;
}

bool vault_appender_moved(struct vault_appender *a,
			  struct vault_record_place *p)
{
	bool found = false;
	struct moved m;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->moved.len && !found; i += sizeof(m)) {
		memcpy(&m, a->moved.data + i, sizeof(m));
		if (m.from_pack == p->pack && m.from == p->offset) {
			p->pack = m.to_pack;
			p->offset = m.to;
			found = true;
		}
	}
	pthread_mutex_unlock(&a->lock);
	return found;
}

bool vault_appender_find(struct vault_appender *a, const struct vault_id *id,
			 struct vault_record_place *out)
{
	const struct vault_record_place *p;

	pthread_mutex_lock(&a->lock);
	p = vault_pending_get(&a->pending, id);
	if (p != NULL)
		*out = *p;
	pthread_mutex_unlock(&a->lock);
	return p != NULL;
}
