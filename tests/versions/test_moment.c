/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/versions/past.h"
#include "versions/when.h"

/* Moments: their times, their order, and which of them are shown. */

struct seen {
	struct vault_moment m[20000];
	size_t n;
};
static struct seen seen;

static vault_err see(void *ctx, const struct vault_moment *m)
{
	struct seen *s = ctx;

	assert_true(s->n < sizeof(s->m) / sizeof(s->m[0]));
	assert_false(m->partial);
	if (s->n > 0) {
		assert_true(m->seq < s->m[s->n - 1].seq);
		assert_true(m->time < s->m[s->n - 1].time);
	}
	s->m[s->n++] = *m;
	return VAULT_OK;
}

static const struct seen *all(struct vault_past *p)
{
	seen.n = 0;
	assert_int_equal(vault_moment_each(p->tree, see, &seen), VAULT_OK);
	return &seen;
}

static const struct seen *below(struct vault_past *p, uint64_t dir, bool thin,
				int64_t now)
{
	seen.n = 0;
	assert_int_equal(
		vault_moment_each_below(p->tree, dir, thin, now, see, &seen),
		VAULT_OK);
	return &seen;
}

static void write_file(struct vault_past *p, uint64_t dir, const char *name,
		       uint64_t node, uint64_t content)
{
	vault_past_add(p, dir, name, vault_past_file(node, content));
}

static void times_are_unique_and_rise_however_fast_commits_come(void **state)
{
	struct vault_past *p = *state;
	const int64_t start = time(NULL);
	struct vault_moment last = vault_past_root(p);

	assert_true(last.time >= start);
	for (unsigned i = 1; i < 20; i++) {
		struct vault_moment m;

		write_file(p, 1, "f", 2, i);
		m = vault_past_commit(p);
		assert_true(m.seq > last.seq);
		assert_true(m.time > last.time);
		/* The clock's own reading is kept beside it. */
		assert_true(m.clock_ns / 1000000000 <= time(NULL));
		last = m;
	}
	vault_past_reopen(p, false);
	write_file(p, 1, "f", 2, 99);
	assert_true(vault_past_commit(p).time > last.time);
	last = all(p)->m[0];
	vault_past_reopen(p, true);
	write_file(p, 1, "f", 2, 100);
	assert_true(vault_past_commit(p).time > last.time);
}

/* As a commit does that was made while one before it could not be read. */
static void a_time_that_is_taken_hides_no_moment(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment first;

	first = vault_past_root(p);
	for (uint64_t i = 1; i <= 3; i++) {
		write_file(p, 1, "f", 2, i);
		vault_past_at(p, first.time, i == 2);
	}
	for (unsigned again = 0; again < 2; again++) {
		vault_past_reopen(p, again == 1);
		assert_int_equal(all(p)->n, 3); /* one of four is partial */
		assert_int_equal(all(p)->m[0].time, first.time + 3);
		assert_int_equal(all(p)->m[1].time, first.time + 1);
		assert_int_equal(all(p)->m[2].time, first.time);
	}
}

static void an_empty_commit_is_no_moment(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m;

	assert_int_equal(vault_tree_commit(p->tree, p->commit, VAULT_CAUSE_SAVE,
					   false, &m),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_moment_latest(p->tree, &m), VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_moment_first(p->tree, &m), VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_moment_get(p->tree, 0, &m), VAULT_ERR_NOT_FOUND);
	assert_int_equal(all(p)->n, 0);
}

static void what_was_committed_is_told_of_the_moment(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m, got;

	vault_past_root(p);
	for (int cause = VAULT_CAUSE_SAVE; cause <= VAULT_CAUSE_SNAPSHOT;
	     cause++) {
		write_file(p, 1, "f", 2, (uint64_t)cause);
		write_file(p, 1, "g", 3, (uint64_t)cause);
		write_file(p, 1, "g", 3, (uint64_t)cause + 50);
		m = vault_past_commit_as(p, (enum vault_cause)cause, false);
		assert_int_equal(vault_commit_count(p->commit), 0);
		assert_int_equal(vault_moment_get(p->tree, m.seq, &got),
				 VAULT_OK);
		assert_int_equal(got.cause, cause);
		assert_int_equal(got.n_rows, 2);
		assert_int_equal(got.time, m.time);
		assert_int_equal(got.clock_ns, m.clock_ns);
		assert_int_equal(vault_moment_latest(p->tree, &got), VAULT_OK);
		assert_int_equal(got.seq, m.seq);
	}
}

static void causes_have_words_of_their_own(void **state)
{
	(void)state;
	for (int a = VAULT_CAUSE_SAVE; a <= VAULT_CAUSE_SNAPSHOT; a++) {
		const char *text = vault_cause_text((enum vault_cause)a);

		assert_string_not_equal(text, "unknown");
		for (int b = VAULT_CAUSE_SAVE; b < a; b++)
			assert_string_not_equal(
				text, vault_cause_text((enum vault_cause)b));
	}
	assert_string_equal(vault_cause_text(VAULT_CAUSE_OFFLINE), "offline");
	assert_string_equal(vault_cause_text((enum vault_cause)99), "unknown");
}

/*
 * A past of moments ten seconds apart, every third one partial; each question
 * about it is answered by counting as well.
 */
#define N 60
#define START INT64_C(1700000000)

static void make_decades(struct vault_past *p, struct vault_moment *m)
{
	for (unsigned i = 0; i < N; i++) {
		write_file(p, 1, "f", 2, i + 1);
		vault_past_at(p, START + 10 * i, i % 3 == 1);
	}
	vault_past_reopen(p, false);
	for (unsigned i = 0; i < N; i++) {
		m[i].time = START + 10 * i;
		m[i].partial = i % 3 == 1;
		m[i].seq = 0;
	}
	/* Sequences from the complete ones; the store counts entries. */
	for (uint64_t seq = 0; seq < 100 * N; seq++) {
		struct vault_moment got;

		if (vault_moment_get(p->tree, seq, &got) != VAULT_OK)
			continue;
		m[(got.time - START) / 10] = got;
	}
}

/* The nearest complete one from `i` on in steps of `by`; NULL: none. */
static const struct vault_moment *complete(const struct vault_moment *m, int i,
					   int by)
{
	for (; i >= 0 && i < N; i += by)
		if (!m[i].partial)
			return &m[i];
	return NULL;
}

static void assert_answer(vault_err err, const struct vault_moment *got,
			  const struct vault_moment *want)
{
	assert_int_equal(err, want == NULL ? VAULT_ERR_NOT_FOUND : VAULT_OK);
	if (want != NULL) {
		assert_int_equal(got->seq, want->seq);
		assert_int_equal(got->time, want->time);
	}
}

static void partial_moments_are_never_found(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m[N], got;

	make_decades(p, m);
	for (int i = 0; i < N; i++) {
		assert_int_not_equal(m[i].seq, 0);
		for (int64_t d = 0; d < 10; d += 3)
			assert_answer(vault_moment_as_of(p->tree, m[i].time + d,
							 &got),
				      &got, complete(m, i, -1));
		assert_answer(vault_moment_of(p->tree, m[i].seq, &got), &got,
			      complete(m, i, 1));
		assert_answer(vault_moment_before(p->tree, m[i].seq, &got),
			      &got, complete(m, i - 1, -1));
		assert_answer(vault_moment_after(p->tree, m[i].seq, &got), &got,
			      complete(m, i + 1, 1));
	}
	assert_answer(vault_moment_as_of(p->tree, START - 1, &got), &got, NULL);
	assert_answer(vault_moment_as_of(p->tree, INT64_MIN, &got), &got, NULL);
	assert_answer(vault_moment_as_of(p->tree, INT64_MAX, &got), &got,
		      complete(m, N - 1, -1));
	assert_answer(vault_moment_before(p->tree, 0, &got), &got, NULL);
	assert_answer(vault_moment_after(p->tree, UINT64_MAX, &got), &got,
		      NULL);
	assert_int_equal(all(p)->n, N - N / 3);
	assert_int_equal(below(p, 1, false, 0)->n, N - N / 3);
}

static void times_before_the_epoch_keep_their_order(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m;

	for (int64_t t = -100; t <= 100; t += 20) {
		write_file(p, 1, "f", 2, (uint64_t)(t + 1000));
		vault_past_at(p, t, false);
	}
	vault_past_reopen(p, false);
	assert_int_equal(all(p)->n, 11);
	for (int64_t t = -100; t <= 100; t++) {
		assert_int_equal(vault_moment_as_of(p->tree, t, &m), VAULT_OK);
		assert_true(m.time <= t && m.time > t - 20);
	}
	assert_int_equal(vault_moment_as_of(p->tree, -101, &m),
			 VAULT_ERR_NOT_FOUND);
}

static void a_directory_lists_what_changed_below_it(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b, c, d;

	/* 1/2/3/f and 1/4/g */
	vault_past_add(p, 1, "a", vault_past_dir(2));
	vault_past_add(p, 2, "b", vault_past_dir(3));
	vault_past_add(p, 1, "c", vault_past_dir(4));
	a = vault_past_root(p);
	write_file(p, 3, "f", 5, 1);
	b = vault_past_commit(p);
	write_file(p, 4, "g", 6, 1);
	c = vault_past_commit(p);
	/* A move touches both ends, not what moves. */
	vault_past_remove(p, 2, "b");
	vault_past_add(p, 4, "b", vault_past_dir(3));
	d = vault_past_commit(p);

	(void)a;
	assert_int_equal(below(p, 1, false, 0)->n, 4);
	assert_int_equal(below(p, 2, false, 0)->n, 3);
	assert_int_equal(seen.m[0].seq, d.seq);
	assert_int_equal(seen.m[1].seq, b.seq);
	assert_int_equal(below(p, 3, false, 0)->n, 1);
	assert_int_equal(seen.m[0].seq, b.seq);
	assert_int_equal(below(p, 4, false, 0)->n, 2);
	assert_int_equal(seen.m[0].seq, d.seq);
	assert_int_equal(seen.m[1].seq, c.seq);
	/* From its new place it touches what is above it now. */
	write_file(p, 3, "f", 5, 2);
	vault_past_commit(p);
	assert_int_equal(below(p, 4, false, 0)->n, 3);
	assert_int_equal(below(p, 2, false, 0)->n, 3);
	assert_int_equal(below(p, 99, false, 0)->n, 0);
}

/* One moment every `step` seconds for three years, thinned by counting. */
static void thinning_keeps_the_last_of_each_slot(void **state)
{
	struct vault_past *p = *state;
	const int64_t now = 1795167000; /* 2026-11-20 09:30 UTC */
	const int64_t step = 1721;
	int64_t times[20000];
	size_t n = 0, kept = 0;
	const struct seen *s;

	assert_int_equal(vault_when_set_zone("Asia/Kathmandu"), VAULT_OK);
	/* 400 days densely enough, further back once in five days. */
	for (int64_t t = now - 3 * 366 * 86400; t <= now;
	     t += t < now - 400 * 86400 ? 5 * 86400
		  : t < now - 8 * 86400 ? 7 * step * 5
					: step)
		times[n++] = t;
	for (size_t i = 0; i < n; i++) {
		write_file(p, 1, "f", 2, i + 1);
		vault_past_at(p, times[i], false);
	}
	vault_past_reopen(p, false);

	s = below(p, 1, true, now);
	for (size_t i = n; i-- > 0;) {
		const int64_t t = times[i], age = now - t;
		const int64_t next = i + 1 < n ? times[i + 1] : INT64_MAX;
		const int64_t off = 5 * 3600 + 45 * 60;
		const time_t ta = t, tb = next;
		struct tm a, b;
		bool keep;

		if (age <= 86400 || next == INT64_MAX) {
			keep = true;
		} else if (age <= 7 * 86400) {
			keep = now - next <= 86400 ||
			       (t + off) / 3600 != (next + off) / 3600;
		} else if (age <= 365 * 86400) {
			keep = now - next <= 7 * 86400 ||
			       (t + off) / 86400 != (next + off) / 86400;
		} else {
			localtime_r(&ta, &a);
			localtime_r(&tb, &b);
			keep = now - next <= 365 * 86400 ||
			       a.tm_mon != b.tm_mon || a.tm_year != b.tm_year;
		}
		if (!keep)
			continue;
		assert_true(kept < s->n);
		assert_int_equal(s->m[kept].time, t);
		kept++;
	}
	assert_int_equal(kept, s->n);
	assert_true(s->n < n);
	assert_int_equal(below(p, 1, false, now)->n, n);
	assert_int_equal(vault_when_set_zone("UTC"), VAULT_OK);
}

static vault_err stop(void *ctx, const struct vault_moment *m)
{
	unsigned *calls = ctx;

	(void)m;
	(*calls)++;
	return VAULT_ERR_CANCELLED;
}

static void a_visitor_can_stop(void **state)
{
	struct vault_past *p = *state;
	unsigned calls = 0;

	vault_past_root(p);
	write_file(p, 1, "f", 2, 1);
	vault_past_commit(p);
	assert_int_equal(vault_moment_each(p->tree, stop, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(
		vault_moment_each_below(p->tree, 1, false, 0, stop, &calls),
		VAULT_ERR_CANCELLED);
	assert_int_equal(calls, 2);
}

/* ---- what people type ---- */

static vault_err resolve(struct vault_past *p, const char *text, int64_t now,
			 struct vault_moment *m)
{
	return vault_when_resolve(p->tree, vault_span_str(text), now, m);
}

static void words_and_times_resolve_to_moments(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m[N], got;
	char name[VAULT_WHEN_NAME_MAX];

	assert_int_equal(resolve(p, "latest", START, &got),
			 VAULT_ERR_NOT_FOUND);
	make_decades(p, m);
	for (int i = 0; i < N; i++) {
		vault_when_name(m[i].time, name);
		assert_answer(resolve(p, name, START, &got), &got,
			      complete(m, i, -1));
		vault_when_gmt(m[i].time + 9, name);
		assert_answer(resolve(p, name, START, &got), &got,
			      complete(m, i, -1));
	}
	assert_int_equal(resolve(p, "latest", START, &got), VAULT_OK);
	assert_int_equal(got.seq, complete(m, N - 1, -1)->seq);
	assert_int_equal(resolve(p, "previous", START, &got), VAULT_OK);
	assert_answer(
		vault_moment_before(p->tree, complete(m, N - 1, -1)->seq, &got),
		&got, complete(m, N - 3, -1));
	/* The future is the latest; before the first there is nothing. */
	assert_int_equal(resolve(p, "2037", START, &got), VAULT_OK);
	assert_int_equal(got.seq, complete(m, N - 1, -1)->seq);
	assert_int_equal(resolve(p, "2020-01-01", START, &got),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(resolve(p, "60s-ago", START + 10 * N, &got), VAULT_OK);
	assert_int_equal(got.seq, complete(m, N - 6, -1)->seq);
	assert_int_equal(resolve(p, "now", START, &got), VAULT_ERR_INVALID);
	assert_int_equal(resolve(p, "no such thing", START, &got),
			 VAULT_ERR_SYNTAX);
}

static void a_snapshots_name_resolves(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m[N], got;

	make_decades(p, m);
	assert_int_equal(vault_snapshot_set(p->tree, vault_span_str("review"),
					    m[6].seq, VAULT_SPAN_EMPTY,
					    VAULT_SPAN_EMPTY),
			 VAULT_OK);
	assert_int_equal(resolve(p, "review", START, &got), VAULT_OK);
	assert_int_equal(got.seq, m[6].seq);
	/* The name of a partial state means what completes it. */
	assert_int_equal(vault_snapshot_set(p->tree, vault_span_str("half"),
					    m[7].seq, VAULT_SPAN_EMPTY,
					    VAULT_SPAN_EMPTY),
			 VAULT_OK);
	assert_int_equal(resolve(p, "half", START, &got), VAULT_OK);
	assert_int_equal(got.seq, m[8].seq);
	assert_int_equal(
		vault_snapshot_remove(p->tree, vault_span_str("review")),
		VAULT_OK);
	assert_int_equal(resolve(p, "review", START, &got), VAULT_ERR_SYNTAX);
}

static void with_one_moment_there_is_no_previous(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m;

	vault_past_root(p);
	assert_int_equal(resolve(p, "previous", 0, &m), VAULT_ERR_NOT_FOUND);
	assert_int_equal(resolve(p, "latest", 0, &m), VAULT_OK);
}

#define T(test)                                                 \
	cmocka_unit_test_setup_teardown(test, vault_past_setup, \
					vault_past_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(times_are_unique_and_rise_however_fast_commits_come),
		T(a_time_that_is_taken_hides_no_moment),
		T(an_empty_commit_is_no_moment),
		T(what_was_committed_is_told_of_the_moment),
		T(causes_have_words_of_their_own),
		T(partial_moments_are_never_found),
		T(times_before_the_epoch_keep_their_order),
		T(a_directory_lists_what_changed_below_it),
		T(thinning_keeps_the_last_of_each_slot),
		T(a_visitor_can_stop),
		T(words_and_times_resolve_to_moments),
		T(a_snapshots_name_resolves),
		T(with_one_moment_there_is_no_previous),
	};

	if (vault_when_set_zone("UTC") != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
