/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/moment.h"

#include <time.h>

#include "store/base/log.h"
#include "versions/tree_format.h"
#include "versions/tree_internal.h"

vault_err vault_moment_unpack(struct vault_span value, struct vault_moment *out)
{
	struct vault_reader r = vault_reader(value);
	struct vault_moment m;
	uint8_t cause, flags;

	m.seq = vault_reader_le64(&r);
	m.time = (int64_t)vault_reader_le64(&r);
	m.clock_ns = (int64_t)vault_reader_le64(&r);
	cause = vault_reader_u8(&r);
	flags = vault_reader_u8(&r);
	m.n_rows = vault_reader_le32(&r);
	if (!vault_reader_done(&r) || cause < VAULT_CAUSE_SAVE ||
	    cause > VAULT_CAUSE_SNAPSHOT) {
		vault_log_error("moment: damaged in the index");
		return VAULT_ERR_INDEX;
	}
	m.cause = (enum vault_cause)cause;
	m.partial = flags & VAULT_TREE_MOMENT_PARTIAL;
	*out = m;
	return VAULT_OK;
}

vault_err vault_moment_put(struct vault_index *x, struct vault_batch *b,
			   const struct vault_moment *m)
{
	const struct vault_tree_key by_seq =
		vault_tree_key_moment(VAULT_TREE_MOMENT_BY_SEQ, m->seq);
	const struct vault_tree_key by_time = vault_tree_key_moment(
		VAULT_TREE_MOMENT_BY_TIME, vault_tree_key_time(m->time));
	uint8_t v[VAULT_TREE_MOMENT_BYTES];

	vault_bytes_put_le64(v, m->seq);
	vault_bytes_put_le64(v + 8, (uint64_t)m->time);
	vault_bytes_put_le64(v + 16, (uint64_t)m->clock_ns);
	v[24] = (uint8_t)m->cause;
	v[25] = m->partial ? VAULT_TREE_MOMENT_PARTIAL : 0;
	vault_bytes_put_le32(v + 26, m->n_rows);
	vault_batch_put(b, x, VAULT_CF_MOMENT, vault_tree_key_span(&by_seq),
			vault_span(v, sizeof(v)));
	if (!m->partial)
		vault_batch_put(b, x, VAULT_CF_MOMENT,
				vault_tree_key_span(&by_time),
				vault_span(v, sizeof(v)));
	return VAULT_OK;
}

/* The moment that the iterator is at, if it is under `by`. NOT_FOUND. */
static vault_err here(const struct vault_iter *it, char by,
		      struct vault_moment *out)
{
	vault_err err;

	if (!vault_iter_valid(it)) {
		err = vault_iter_error(it);
		return err != VAULT_OK ? err : VAULT_ERR_NOT_FOUND;
	}
	if (vault_iter_key(it).len != 9 ||
	    vault_iter_key(it).data[0] != (uint8_t)by)
		return VAULT_ERR_NOT_FOUND;
	return vault_moment_unpack(vault_iter_value(it), out);
}

/* The last not after `n` under `by`, or the first not before it. */
static vault_err nearest(struct vault_tree *t, char by, uint64_t n, bool back,
			 struct vault_moment *out)
{
	const struct vault_tree_key key = vault_tree_key_moment(by, n);
	struct vault_tree_cursor c;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_MOMENT, &c);
	if (err != VAULT_OK)
		return err;
	if (back)
		vault_iter_seek_back(c.it, vault_tree_key_span(&key));
	else
		vault_iter_seek(c.it, vault_tree_key_span(&key));
	err = here(c.it, by, out);
	vault_tree_cursor_give(t, &c);
	return err;
}

vault_err vault_moment_get(struct vault_tree *t, uint64_t seq,
			   struct vault_moment *out)
{
	struct vault_moment m;
	vault_err err;

	err = nearest(t, VAULT_TREE_MOMENT_BY_SEQ, seq, false, &m);
	if (err == VAULT_OK && m.seq != seq)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		*out = m;
	return err;
}

vault_err vault_moment_latest(struct vault_tree *t, struct vault_moment *out)
{
	return nearest(t, VAULT_TREE_MOMENT_BY_TIME, UINT64_MAX, true, out);
}

vault_err vault_moment_first(struct vault_tree *t, struct vault_moment *out)
{
	return nearest(t, VAULT_TREE_MOMENT_BY_TIME, 0, false, out);
}

vault_err vault_moment_as_of(struct vault_tree *t, int64_t time,
			     struct vault_moment *out)
{
	return nearest(t, VAULT_TREE_MOMENT_BY_TIME, vault_tree_key_time(time),
		       true, out);
}

/*
 * Times rise with sequences, so a complete moment beside any sequence is
 * found through the time of the commit (of whatever kind) beside it.
 */
vault_err vault_moment_before(struct vault_tree *t, uint64_t seq,
			      struct vault_moment *out)
{
	struct vault_moment m;
	vault_err err;

	if (seq == 0)
		return VAULT_ERR_NOT_FOUND;
	err = nearest(t, VAULT_TREE_MOMENT_BY_SEQ, seq - 1, true, &m);
	if (err == VAULT_OK)
		err = vault_moment_as_of(t, m.time, &m);
	if (err == VAULT_OK)
		*out = m;
	return err;
}

vault_err vault_moment_of(struct vault_tree *t, uint64_t seq,
			  struct vault_moment *out)
{
	struct vault_moment m;
	vault_err err;

	err = nearest(t, VAULT_TREE_MOMENT_BY_SEQ, seq, false, &m);
	if (err == VAULT_OK && m.partial)
		err = nearest(t, VAULT_TREE_MOMENT_BY_TIME,
			      vault_tree_key_time(m.time), false, &m);
	if (err == VAULT_OK)
		*out = m;
	return err;
}

vault_err vault_moment_after(struct vault_tree *t, uint64_t seq,
			     struct vault_moment *out)
{
	if (seq == UINT64_MAX)
		return VAULT_ERR_NOT_FOUND;
	return vault_moment_of(t, seq + 1, out);
}

vault_err vault_moment_each(struct vault_tree *t, vault_moment_visit *visit,
			    void *ctx)
{
	const struct vault_tree_key key =
		vault_tree_key_moment(VAULT_TREE_MOMENT_BY_TIME, UINT64_MAX);
	struct vault_tree_cursor c;
	struct vault_moment m;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_MOMENT, &c);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_back(c.it, vault_tree_key_span(&key));
	while ((err = here(c.it, VAULT_TREE_MOMENT_BY_TIME, &m)) == VAULT_OK) {
		err = visit(ctx, &m);
		if (err != VAULT_OK)
			goto out;
		vault_iter_prev(c.it);
	}
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
out:
	vault_tree_cursor_give(t, &c);
	return err;
}

/* ---- below a directory ---- */

/* Which of the moments people see: the last one of each slot of time. */
struct thin {
	bool on;
	int64_t now;
	int64_t slot; /* of the one last shown */
	int width;    /* which row of the rules below it was shown by */
};

enum { ALL, HOURS, DAYS, MONTHS };

static int width_of(int64_t age)
{
	if (age <= 24 * 3600)
		return ALL;
	if (age <= 7 * 86400)
		return HOURS;
	return age <= 365 * 86400 ? DAYS : MONTHS;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Slots follow the clock on the wall: a day is a day there. */
static int64_t slot_of(int64_t time, int width)
{
	const time_t at = time;
	struct tm tm;

	if (width == ALL || localtime_r(&at, &tm) == NULL)
		return time;
	if (width == HOURS)
		return floor_div(time + tm.tm_gmtoff, 3600);
	if (width == DAYS)
		return floor_div(time + tm.tm_gmtoff, 86400);
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* Newest first, so the first one of a slot is its last in time. */
static bool shows(struct thin *t, int64_t time)
{
	const int width = width_of(t->now - time);
	int64_t slot;

	if (!t->on)
		return true;
	slot = slot_of(time, width);
	if (width != ALL && width == t->width && slot == t->slot)
		return false;
	t->width = width;
	t->slot = slot;
	return true;
}

/*
 * The complete moment that shows what commit `seq` did. Called with falling
 * sequences, so it is mostly the one just before the last answer: a step or
 * two back are tried before a seek.
 */
static vault_err shown_by(struct vault_tree *t, struct vault_iter *it,
			  uint64_t seq, struct vault_moment *out)
{
	const struct vault_tree_key key =
		vault_tree_key_moment(VAULT_TREE_MOMENT_BY_SEQ, seq);
	vault_err err = VAULT_ERR_NOT_FOUND;

	for (int step = 0; step < 4 && vault_iter_valid(it); step++) {
		err = here(it, VAULT_TREE_MOMENT_BY_SEQ, out);
		if (err != VAULT_OK || out->seq <= seq)
			break;
		vault_iter_prev(it);
	}
	if (err != VAULT_OK || out->seq != seq) {
		vault_iter_seek(it, vault_tree_key_span(&key));
		err = here(it, VAULT_TREE_MOMENT_BY_SEQ, out);
	}
	if (err == VAULT_OK && out->partial)
		err = vault_moment_of(t, seq, out);
	return err;
}

struct below {
	struct vault_tree *t;
	struct vault_iter *touched;
	struct vault_iter *moments;
	struct thin thin;
};

static vault_err each_below(struct below *b, uint64_t dir,
			    vault_moment_visit *visit, void *ctx)
{
	const struct vault_tree_key key = vault_tree_key_pair(dir, UINT64_MAX);
	uint64_t last = UINT64_MAX; /* two partial ones are shown by one */
	struct vault_moment m;
	uint64_t found, seq;
	vault_err err;

	vault_iter_seek(b->touched, vault_tree_key_span(&key));
	for (; vault_iter_valid(b->touched); vault_iter_next(b->touched)) {
		if (!vault_tree_key_pair_parse(vault_iter_key(b->touched),
					       &found, &seq))
			return VAULT_ERR_INDEX;
		if (found != dir)
			return VAULT_OK;
		err = shown_by(b->t, b->moments, seq, &m);
		if (err == VAULT_ERR_NOT_FOUND)
			continue; /* partial, and nothing complete since */
		if (err == VAULT_OK && m.seq != last && shows(&b->thin, m.time))
			err = visit(ctx, &m);
		if (err != VAULT_OK)
			return err;
		last = m.seq;
	}
	return vault_iter_error(b->touched);
}

vault_err vault_moment_each_below(struct vault_tree *t, uint64_t dir, bool thin,
				  int64_t now, vault_moment_visit *visit,
				  void *ctx)
{
	struct vault_tree_cursor touched = { 0 };
	struct vault_tree_cursor moments = { 0 };
	struct below b = { .t = t, .thin = { thin, now, 0, ALL } };
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_TOUCHED, &touched);
	if (err == VAULT_OK)
		err = vault_tree_cursor_take(t, VAULT_CF_MOMENT, &moments);
	if (err == VAULT_OK) {
		b.touched = touched.it;
		b.moments = moments.it;
		err = each_below(&b, dir, visit, ctx);
	}
	vault_tree_cursor_give(t, &touched);
	vault_tree_cursor_give(t, &moments);
	return err;
}
