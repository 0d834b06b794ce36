/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "store/store.h"
#include "tests/versions/past.h"
#include "versions/name_format.h"
#include "versions/snapshot_internal.h"
#include "versions/when.h"

/* Names of moments: given, taken away, brought back, moved. */

static struct vault_span str(const char *s)
{
	return vault_span_str(s);
}

static vault_err set(struct vault_past *p, const char *name, uint64_t seq)
{
	return vault_snapshot_set(p->tree, str(name), seq, VAULT_SPAN_EMPTY,
				  VAULT_SPAN_EMPTY);
}

static vault_err drop(struct vault_past *p, const char *name)
{
	return vault_snapshot_remove(p->tree, str(name));
}

static vault_err undo(struct vault_past *p, const char *name)
{
	return vault_snapshot_undo(p->tree, str(name));
}

static vault_err move(struct vault_past *p, const char *from, const char *to)
{
	return vault_snapshot_rename(p->tree, str(from), str(to));
}

/* Which moment a name stands for; 0: it does not stand. */
static uint64_t seq_of(struct vault_past *p, const char *name)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	const vault_err err = vault_snapshot_get(p->tree, str(name), &s);
	const uint64_t seq = s.seq;

	vault_snapshot_release(&s);
	if (err == VAULT_ERR_NOT_FOUND)
		return 0;
	assert_int_equal(err, VAULT_OK);
	return seq;
}

static vault_err say_name(void *ctx, const struct vault_snapshot *s)
{
	char *text = ctx;
	const size_t len = strlen(text);

	assert_int_equal(s->removed_at, 0);
	snprintf(text + len, 1000 - len, "%.*s ", (int)s->name.len,
		 (const char *)s->name.data);
	return VAULT_OK;
}

static const char *standing(struct vault_past *p)
{
	static char text[1000];

	text[0] = '\0';
	assert_int_equal(vault_snapshot_each(p->tree, say_name, text),
			 VAULT_OK);
	return text;
}

static uint64_t make_moment(struct vault_past *p, uint64_t content)
{
	vault_past_add(p, 1, "f", vault_past_file(2, content));
	return vault_past_commit(p).seq;
}

static void a_name_keeps_what_was_said_with_it(void **state)
{
	struct vault_past *p = *state;
	const uint64_t seq = make_moment(p, 1);
	const int64_t before = time(NULL);
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;

	assert_int_equal(vault_snapshot_set(p->tree, str("client review"), seq,
					    str("the blue one\nis theirs"),
					    str("client\nfinal\n")),
			 VAULT_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			vault_snapshot_get(p->tree, str("client review"), &s),
			VAULT_OK);
		assert_int_equal(s.seq, seq);
		assert_true(s.set_at >= before && s.set_at <= time(NULL));
		assert_int_equal(s.removed_at, 0);
		assert_true(vault_span_equal(vault_buf_span(&s.name),
					     str("client review")));
		assert_true(vault_span_equal(vault_buf_span(&s.note),
					     str("the blue one\nis theirs")));
		assert_true(vault_span_equal(vault_buf_span(&s.tags),
					     str("client\nfinal\n")));
		vault_past_reopen(p, i == 1);
	}
	vault_snapshot_release(&s);
}

static void a_name_stands_once_and_only_for_a_moment_that_is(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	const uint64_t b = make_moment(p, 2);

	assert_int_equal(set(p, "x", b + 1000), VAULT_ERR_NOT_FOUND);
	assert_int_equal(set(p, "x", a), VAULT_OK);
	assert_int_equal(set(p, "x", b), VAULT_ERR_EXISTS);
	assert_int_equal(seq_of(p, "x"), a);
	assert_int_equal(set(p, "y", a), VAULT_OK);
	assert_int_equal(set(p, "Y", b), VAULT_OK);
	assert_int_equal(set(p, "a\xc3\xa4", b), VAULT_OK);
	assert_string_equal(standing(p), "Y a\xc3\xa4 x y ");
}

static void a_removed_name_comes_back_as_it_was(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;

	assert_int_equal(drop(p, "x"), VAULT_ERR_NOT_FOUND);
	assert_int_equal(undo(p, "x"), VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_snapshot_set(p->tree, str("x"), a, str("note"),
					    str("tag\n")),
			 VAULT_OK);
	assert_int_equal(undo(p, "x"), VAULT_ERR_NOT_FOUND);
	assert_int_equal(drop(p, "x"), VAULT_OK);
	assert_int_equal(seq_of(p, "x"), 0);
	assert_string_equal(standing(p), "");
	assert_int_equal(drop(p, "x"), VAULT_ERR_NOT_FOUND);
	vault_past_reopen(p, true);
	assert_int_equal(undo(p, "x"), VAULT_OK);
	assert_int_equal(vault_snapshot_get(p->tree, str("x"), &s), VAULT_OK);
	assert_int_equal(s.seq, a);
	assert_int_equal(s.removed_at, 0);
	assert_true(vault_span_equal(vault_buf_span(&s.note), str("note")));
	assert_true(vault_span_equal(vault_buf_span(&s.tags), str("tag\n")));
	assert_int_equal(undo(p, "x"), VAULT_ERR_NOT_FOUND);
	vault_snapshot_release(&s);
}

static void several_removals_come_back_one_by_one(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	const uint64_t b = make_moment(p, 2);

	assert_int_equal(set(p, "x", a), VAULT_OK);
	assert_int_equal(drop(p, "x"), VAULT_OK);
	assert_int_equal(set(p, "x", b), VAULT_OK);
	assert_int_equal(undo(p, "x"), VAULT_ERR_EXISTS);
	assert_int_equal(drop(p, "x"), VAULT_OK);
	assert_int_equal(undo(p, "x"), VAULT_OK);
	assert_int_equal(seq_of(p, "x"), b);
	assert_int_equal(move(p, "x", "newer"), VAULT_OK);
	assert_int_equal(undo(p, "x"), VAULT_OK);
	assert_int_equal(seq_of(p, "x"), a);
	/* A name that begins with another one is another one. */
	assert_int_equal(drop(p, "x"), VAULT_OK);
	assert_int_equal(undo(p, "xx"), VAULT_ERR_NOT_FOUND);
	assert_int_equal(undo(p, ""), VAULT_ERR_NOT_FOUND);
}

static void after_thirty_days_it_is_too_late(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	struct vault_snapshot_op op = {
		.op = VAULT_NAME_REMOVE,
		.name = str("x"),
		.time = time(NULL) - VAULT_SNAPSHOT_UNDO_SECONDS - 60,
	};
	struct vault_buf b = VAULT_BUF_INIT;
	uint64_t seq;

	assert_int_equal(set(p, "x", a), VAULT_OK);
	assert_int_equal(vault_snapshot_form_pack_op(&op, &b), VAULT_OK);
	assert_int_equal(vault_store_append(vault_tree_store(p->tree),
					    VAULT_ENTRY_NAME,
					    vault_buf_span(&b), &seq),
			 VAULT_OK);
	assert_int_equal(seq_of(p, "x"), 0);
	assert_int_equal(undo(p, "x"), VAULT_ERR_NOT_FOUND);
	/* Just in time. */
	assert_int_equal(set(p, "x", a), VAULT_OK);
	op.time += 120;
	vault_buf_clear(&b);
	assert_int_equal(vault_snapshot_form_pack_op(&op, &b), VAULT_OK);
	assert_int_equal(vault_store_append(vault_tree_store(p->tree),
					    VAULT_ENTRY_NAME,
					    vault_buf_span(&b), &seq),
			 VAULT_OK);
	assert_int_equal(undo(p, "x"), VAULT_OK);
	vault_buf_release(&b);
}

static void a_rename_moves_the_name_alone(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	const uint64_t b = make_moment(p, 2);

	assert_int_equal(set(p, "x", a), VAULT_OK);
	assert_int_equal(set(p, "y", b), VAULT_OK);
	assert_int_equal(move(p, "x", "y"), VAULT_ERR_EXISTS);
	assert_int_equal(move(p, "z", "w"), VAULT_ERR_NOT_FOUND);
	assert_int_equal(move(p, "x", "2026-11-20"), VAULT_ERR_SYNTAX);
	assert_int_equal(move(p, "x", "x"), VAULT_OK);
	assert_int_equal(move(p, "x", "z"), VAULT_OK);
	assert_string_equal(standing(p), "y z ");
	assert_int_equal(seq_of(p, "z"), a);
	assert_int_equal(undo(p, "x"), VAULT_ERR_NOT_FOUND);
	vault_past_reopen(p, true);
	assert_string_equal(standing(p), "y z ");
	assert_int_equal(seq_of(p, "z"), a);
}

static void names_that_mislead_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		".hidden",
		"@GMT",
		"a..b",
		"a/b",
		"/",
		"tab\there",
		"line\n",
		"\x7f",
		"\xff",
		"\xc3",
		"\xc0\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xe2\x82",
		"latest",
		"previous",
		"now",
		"today",
		"yesterday",
		"2h-ago",
		"2026",
		"2026-11",
		"2026-11-20",
		"2026-11-20_10-30-00",
		"2026-11-20T10:30Z",
	};
	static const char *const good[] = {
		"a",
		"client-review",
		"v1.0",
		"2h",
		"a.b.c",
		"with blank",
		"\xc3\xa4\xc3\xb6",
		"\xe2\x82\xac",
		"\xf0\x9f\x8e\xa8",
		"2026-final",
		"-",
		"#1",
		"a@b",
		"Latest",
	};
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	char name[300];
	const char *why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		if (vault_snapshot_check_name(p->tree, str(bad[i]), &why) !=
		    VAULT_ERR_SYNTAX)
			fail_msg("'%s' was allowed", bad[i]);
		assert_non_null(why);
		assert_int_equal(set(p, bad[i], a), VAULT_ERR_SYNTAX);
	}
	assert_int_equal(
		vault_snapshot_check_name(p->tree, vault_span("a\0b", 3), &why),
		VAULT_ERR_SYNTAX);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
			vault_snapshot_check_name(p->tree, str(good[i]), &why),
			VAULT_OK);
		assert_int_equal(set(p, good[i], a), VAULT_OK);
		assert_int_equal(seq_of(p, good[i]), a);
	}
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(set(p, name, a), VAULT_ERR_SYNTAX);
	assert_int_equal(seq_of(p, name), 0);
	assert_int_equal(undo(p, name), VAULT_ERR_NOT_FOUND);
	name[255] = '\0';
	assert_int_equal(set(p, name, a), VAULT_OK);
}

static vault_err stop(void *ctx, const struct vault_snapshot *s)
{
	(void)ctx;
	(void)s;
	return VAULT_ERR_CANCELLED;
}

static void a_visitor_can_stop(void **state)
{
	struct vault_past *p = *state;

	assert_int_equal(set(p, "x", make_moment(p, 1)), VAULT_OK);
	assert_int_equal(vault_snapshot_each(p->tree, stop, NULL),
			 VAULT_ERR_CANCELLED);
}

/* ---- bytes ---- */

static void an_operation_comes_back_from_its_bytes(void **state)
{
	const struct vault_snapshot_op ops[] = {
		{ VAULT_NAME_SET, 5, 6, str("n"), VAULT_SPAN_EMPTY, str("note"),
		  str("tags\n") },
		{ VAULT_NAME_REMOVE, -5, 0, str("n"), VAULT_SPAN_EMPTY,
		  VAULT_SPAN_EMPTY, VAULT_SPAN_EMPTY },
		{ VAULT_NAME_UNDO, 7, 0, str("n"), VAULT_SPAN_EMPTY,
		  VAULT_SPAN_EMPTY, VAULT_SPAN_EMPTY },
		{ VAULT_NAME_RENAME, 8, 0, str("n"), str("to"),
		  VAULT_SPAN_EMPTY, VAULT_SPAN_EMPTY },
	};
	struct vault_scratch_random r = vault_scratch_seed(9);
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct vault_snapshot_op got;

		vault_buf_clear(&b);
		assert_int_equal(vault_snapshot_form_pack_op(&ops[i], &b),
				 VAULT_OK);
		assert_int_equal(
			vault_snapshot_form_unpack_op(vault_buf_span(&b), &got),
			VAULT_OK);
		assert_int_equal(got.op, ops[i].op);
		assert_int_equal(got.time, ops[i].time);
		assert_int_equal(got.seq, ops[i].seq);
		assert_true(vault_span_equal(got.name, ops[i].name));
		assert_true(vault_span_equal(got.to, ops[i].to));
		assert_true(vault_span_equal(got.note, ops[i].note));
		assert_true(vault_span_equal(got.tags, ops[i].tags));
		for (size_t n = 0; n < b.len; n++)
			assert_int_equal(vault_snapshot_form_unpack_op(
						 vault_span(b.data, n), &got),
					 VAULT_ERR_CORRUPT);
		for (int n = 0; n < 5000; n++) {
			const size_t at = vault_scratch_below(&r, b.len);
			const uint8_t was = b.data[at];

			b.data[at] = (uint8_t)vault_scratch_next(&r);
			(void)!vault_snapshot_form_unpack_op(vault_buf_span(&b),
							     &got);
			b.data[at] = was;
		}
		b.data[0] = VAULT_NAME_VERSION + 1;
		assert_int_equal(
			vault_snapshot_form_unpack_op(vault_buf_span(&b), &got),
			VAULT_ERR_NEWER);
	}
	vault_buf_release(&b);
}

static void a_note_of_any_size_is_kept_or_refused(void **state)
{
	struct vault_past *p = *state;
	const uint64_t a = make_moment(p, 1);
	struct vault_buf note = VAULT_BUF_INIT;
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;

	assert_int_equal(vault_buf_fill(&note, 'n', VAULT_NAME_TEXT_MAX + 1),
			 VAULT_OK);
	assert_int_equal(vault_snapshot_set(p->tree, str("x"), a,
					    vault_buf_span(&note),
					    VAULT_SPAN_EMPTY),
			 VAULT_ERR_TOO_BIG);
	assert_int_equal(seq_of(p, "x"), 0);
	note.len--;
	assert_int_equal(vault_snapshot_set(p->tree, str("x"), a,
					    vault_buf_span(&note),
					    VAULT_SPAN_EMPTY),
			 VAULT_OK);
	assert_int_equal(vault_snapshot_get(p->tree, str("x"), &s), VAULT_OK);
	assert_int_equal(s.note.len, note.len);
	vault_snapshot_release(&s);
	vault_buf_release(&note);
}

#define T(test)                                                 \
	cmocka_unit_test_setup_teardown(test, vault_past_setup, \
					vault_past_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_keeps_what_was_said_with_it),
		T(a_name_stands_once_and_only_for_a_moment_that_is),
		T(a_removed_name_comes_back_as_it_was),
		T(several_removals_come_back_one_by_one),
		T(after_thirty_days_it_is_too_late),
		T(a_rename_moves_the_name_alone),
		T(names_that_mislead_are_refused),
		T(a_visitor_can_stop),
		cmocka_unit_test(an_operation_comes_back_from_its_bytes),
		T(a_note_of_any_size_is_kept_or_refused),
	};

	if (vault_when_set_zone("UTC") != VAULT_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
