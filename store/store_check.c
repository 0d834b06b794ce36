/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/bytes.h"
#include "store/base/log.h"
#include "store/catchup.h"
#include "store/compare.h"
#include "store/entries.h"
#include "store/identity.h"
#include "store/replay.h"
#include "store/small.h"
#include "store/state.h"
#include "store/survey.h"

/*
 * A check sees the vault as it was at one moment: it takes `writing` once, to
 * sync, to bring the index up to date and to open iterators on it, and from
 * then on reads what lay before the end of the newest pack. Appending goes on
 * beside it.
 */

#define RESUME_NAME "check"
#define RESUME_BYTES 28 /* uuid, pack u32, offset u64 */
/* Where the check is, is noted every so many bytes. */
#define RESUME_EVERY ((uint64_t)256 << 20)

struct check {
	struct vault_store *s;
	bool data;
	vault_finding_sink *sink;
	vault_check_progress *progress;
	void *ctx;
	int cachefd;

	struct vault_survey survey;
	uint32_t newest;
	uint64_t newest_end;
	struct vault_compare *compare; /* NULL: cannot be compared */
	bool entries_damaged; /* the packs lack something the index may have */

	uint64_t done;
	uint64_t total;
	/* The check goes on from here; never moves past a finding. */
	uint32_t resume_pack;
	uint64_t resume_offset;
	uint64_t noted; /* `done` when that was last written */
	bool found;
};

static vault_err find(struct check *c, const struct vault_finding *f)
{
	c->found = true;
	return c->sink == NULL ? VAULT_OK : c->sink(c->ctx, f);
}

/* Where a pack ends by what is known, 0 where nothing is. */
static uint64_t stated_end(const struct check *c,
			   const struct vault_survey_pack *p)
{
	return p->id == c->newest ? c->newest_end : p->stated;
}

static uint64_t end_of(const struct check *c, const struct vault_survey_pack *p)
{
	const uint64_t stated = stated_end(c, p);

	return stated != 0 && stated < p->len ? stated : p->len;
}

/* ---- where an interrupted check goes on ---- */

static void note_resume(struct check *c)
{
	uint8_t b[RESUME_BYTES];

	if (!c->data)
		return;
	memcpy(b, c->s->params.uuid, 16);
	vault_bytes_put_le32(b + 16, c->resume_pack);
	vault_bytes_put_le64(b + 20, c->resume_offset);
	c->noted = c->done;
	if (vault_small_write(c->s->io, c->cachefd, RESUME_NAME, 0600,
			      vault_span(b, sizeof(b))) != VAULT_OK)
		vault_log_debug("check: an interruption will begin it again");
}

static void read_resume(struct check *c)
{
	struct vault_buf b = VAULT_BUF_INIT;

	if (c->data &&
	    vault_small_read(c->s->io, c->cachefd, RESUME_NAME, RESUME_BYTES,
			     &b) == VAULT_OK &&
	    b.len == RESUME_BYTES &&
	    memcmp(b.data, c->s->params.uuid, 16) == 0) {
		c->resume_pack = vault_bytes_get_le32(b.data + 16);
		c->resume_offset = vault_bytes_get_le64(b.data + 20);
	}
	vault_buf_release(&b);
}

/* Everything before `offset` of `pack` has been checked. */
static vault_err advance(struct check *c, uint32_t pack, uint64_t offset,
			 uint64_t bytes)
{
	vault_err err = VAULT_OK;

	c->done += bytes;
	if (!c->found) {
		c->resume_pack = pack;
		c->resume_offset = offset;
	}
	if (c->progress != NULL)
		err = c->progress(c->ctx, c->done, c->total);
	if (err != VAULT_OK || c->done - c->noted >= RESUME_EVERY)
		note_resume(c);
	return err;
}

/* ---- packs ---- */

static bool is_entry(uint8_t type)
{
	return type >= VAULT_RECORD_COMMIT && type <= VAULT_RECORD_RETIRE;
}

static vault_err find_item(struct check *c, uint32_t pack,
			   const struct vault_scan_item *item)
{
	struct vault_finding f = {
		.kind = VAULT_FINDING_DAMAGED,
		.pack = pack,
		.offset = item->offset,
		.len = item->size,
	};
	char text[160];

	if (item->kind == VAULT_SCAN_GAP) {
		c->entries_damaged = true;
		snprintf(text, sizeof(text),
			 "packs/%08" PRIu32 ".pack: no record can be read in "
			 "the %" PRIu64 " bytes at %" PRIu64,
			 pack, item->size, item->offset);
	} else {
		f.record_type = item->frame.head.type;
		f.id = item->frame.head.id;
		f.seq = item->frame.head.seq;
		if (is_entry(f.record_type))
			c->entries_damaged = true;
		snprintf(text, sizeof(text),
			 "packs/%08" PRIu32 ".pack: the record at %" PRIu64
			 " does not match its checksum",
			 pack, item->offset);
	}
	f.text = text;
	return find(c, &f);
}

static vault_err find_missing(struct check *c, uint32_t pack, uint64_t from,
			      uint64_t len)
{
	struct vault_finding f = {
		.kind = VAULT_FINDING_MISSING,
		.pack = pack,
		.offset = from,
		.len = len,
	};
	char text[120];

	c->entries_damaged = true;
	if (from == 0)
		snprintf(text, sizeof(text),
			 "packs/%08" PRIu32 ".pack is missing", pack);
	else
		snprintf(text, sizeof(text),
			 "packs/%08" PRIu32 ".pack ends at %" PRIu64
			 ", %" PRIu64 " bytes early",
			 pack, from, len);
	f.text = text;
	return find(c, &f);
}

static vault_err find_header(struct check *c, const struct vault_survey_pack *p)
{
	struct vault_finding f = {
		.kind = VAULT_FINDING_DAMAGED,
		.pack = p->id,
		.len = p->foreign ? p->len : VAULT_PACK_HEADER_BYTES,
	};
	char text[120];

	snprintf(text, sizeof(text), "packs/%08" PRIu32 ".pack: %s", p->id,
		 p->foreign ? "of another vault" : "the header is damaged");
	f.text = text;
	if (p->foreign)
		c->entries_damaged = true;
	return find(c, &f);
}

static vault_err scan_records(struct check *c, struct vault_scan *scan,
			      uint32_t pack)
{
	struct vault_scan_item item;
	vault_err err;

	while ((err = vault_scan_next(scan, &item)) == VAULT_OK) {
		if (item.kind != VAULT_SCAN_RECORD)
			err = find_item(c, pack, &item);
		if (err == VAULT_OK)
			err = advance(c, pack, item.offset + item.size,
				      item.size);
		if (err != VAULT_OK)
			return err;
	}
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

static vault_err check_pack(struct check *c, const struct vault_survey_pack *p)
{
	const uint64_t end = end_of(c, p);
	uint64_t from = VAULT_PACK_HEADER_BYTES;
	struct vault_scan scan;
	vault_err err;

	if (p->id < c->resume_pack)
		return advance(c, c->resume_pack, c->resume_offset, end);
	if (p->foreign || p->header_bad) {
		err = find_header(c, p);
		if (err != VAULT_OK || p->foreign)
			return err;
	}
	if (end < stated_end(c, p)) {
		err = find_missing(c, p->id, end, stated_end(c, p) - end);
		if (err != VAULT_OK)
			return err;
	}
	if (p->id == c->resume_pack && c->resume_offset > from &&
	    c->resume_offset <= end)
		from = c->resume_offset;
	c->done += from;
	vault_scan_init(&scan, c->s->packs, c->s->params.uuid, p->id, from, end,
			c->data ? VAULT_SCAN_ALL : VAULT_SCAN_ENTRIES);
	err = scan_records(c, &scan, p->id);
	vault_scan_release(&scan);
	return err;
}

/* Packs are numbered without gaps. */
static vault_err check_packs(struct check *c)
{
	uint32_t next = 1;
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < c->survey.n_packs && err == VAULT_OK; i++) {
		const struct vault_survey_pack *p = &c->survey.packs[i];

		for (; next < p->id && err == VAULT_OK; next++)
			err = find_missing(c, next, 0, 0);
		if (err == VAULT_OK && p->id <= c->newest)
			err = check_pack(c, p);
		next = p->id + 1;
	}
	/* The newest one, or its end, may be what is gone. */
	for (; next <= c->newest && err == VAULT_OK; next++)
		err = find_missing(c, next, 0, c->newest_end);
	return err;
}

static vault_err check_small(struct check *c)
{
	struct vault_finding f = { .kind = VAULT_FINDING_SMALL };
	bool config_same;
	bool secret_same;
	vault_err err;

	err = vault_identity_compare(c->s->io, c->s->dirfd, &c->s->params,
				     &config_same, &secret_same);
	if (err == VAULT_OK && !config_same) {
		f.text = "config is missing or not what the packs say";
		err = find(c, &f);
	}
	if (err == VAULT_OK && !secret_same) {
		f.text = "secret is missing or not what the packs say";
		err = find(c, &f);
	}
	return err;
}

/* ---- the index ---- */

static vault_err find_index(void *ctx, const char *text)
{
	const struct vault_finding f = { .kind = VAULT_FINDING_INDEX,
					 .text = text };

	return find(ctx, &f);
}

static vault_err check_index(struct check *c)
{
	struct vault_replay_span *spans;
	size_t n = 0;
	vault_err err;

	if (c->compare == NULL)
		return find_index(c, "the index lacks an entry that is "
				     "durable; the next open adds it");
	if (c->entries_damaged) {
		/* The index may well be the better of the two. */
		vault_log_info("check: the index is not compared with damaged "
			       "packs");
		return VAULT_OK;
	}
	spans = calloc(c->survey.n_packs + 1, sizeof(*spans));
	if (spans == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; i < c->survey.n_packs; i++) {
		const struct vault_survey_pack *p = &c->survey.packs[i];

		if (p->id <= c->newest)
			spans[n++] = (struct vault_replay_span){
				.pack = p->id,
				.from = VAULT_PACK_HEADER_BYTES,
				.end = end_of(c, p),
			};
	}
	err = vault_compare_run(c->compare, c->cachefd, spans, n, find_index,
				c);
	free(spans);
	return err;
}

/* ---- the whole ---- */

/* Bring everything to one state, and hold on to that state. */
static vault_err freeze(struct check *c)
{
	struct vault_store *s = c->s;
	struct vault_appender *a = &s->appender;
	vault_err err;

	pthread_mutex_lock(&s->writing);
	err = vault_appender_sync(a);
	if (err == VAULT_OK && !s->behind)
		err = vault_entries_index_all(s);
	if (err == VAULT_OK && !s->behind)
		err = vault_compare_create(s, &c->compare);
	if (err == VAULT_ERR_INDEX)
		err = find_index(c, "the index cannot be read");
	c->newest = a->pack;
	c->newest_end = a->durable;
	pthread_mutex_unlock(&s->writing);
	if (err == VAULT_OK)
		err = vault_survey_make(s->packs, &s->params, &c->survey);
	return err;
}

static void add_up(struct check *c)
{
	for (size_t i = 0; i < c->survey.n_packs; i++)
		if (c->survey.packs[i].id <= c->newest)
			c->total += end_of(c, &c->survey.packs[i]);
}

vault_err vault_store_check(struct vault_store *s, bool data,
			    vault_finding_sink *sink,
			    vault_check_progress *progress, void *ctx)
{
	struct check c = {
		.s = s,
		.data = data,
		.sink = sink,
		.progress = progress,
		.ctx = ctx,
	};
	vault_err err;

	c.cachefd = openat(s->dirfd, VAULT_CACHE_NAME,
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.cachefd < 0) {
		vault_log_error("vault: %s: %s", VAULT_CACHE_NAME,
				strerror(errno));
		return vault_err_from_errno(errno);
	}
	err = freeze(&c);
	if (err != VAULT_OK)
		goto out;
	add_up(&c);
	read_resume(&c);
	err = check_small(&c);
	if (err == VAULT_OK)
		err = check_packs(&c);
	if (err == VAULT_OK)
		err = check_index(&c);
	if (err == VAULT_OK && data)
		s->io->unlinkat(s->io->ctx, c.cachefd, RESUME_NAME, 0);

out:
	vault_compare_destroy(c.compare);
	vault_survey_release(&c.survey);
	close(c.cachefd);
	return err;
}
