/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/versions/past.h"

/*
 * The tree, case by case; test_tree_model.c compares it with a simple model
 * over random pasts.
 */

/* Answers of visitors, as text: names separated by blanks. */
struct text {
	char b[4096];
	size_t len;
};

static void say(struct text *t, const char *format, struct vault_span name,
		long long number)
{
	t->len += (size_t)snprintf(
		t->b + t->len, sizeof(t->b) - t->len, format, (int)name.len,
		name.len > 0 ? (const char *)name.data : "", number);
	assert_true(t->len < sizeof(t->b));
}

static vault_err say_name(void *ctx, struct vault_span name,
			  const struct vault_version *v)
{
	(void)v;
	say(ctx, "%.*s ", name, 0);
	return VAULT_OK;
}

static vault_err say_ever(void *ctx, struct vault_span name,
			  const struct vault_version *v)
{
	say(ctx, v->row.kind == VAULT_KIND_NONE ? "%.*s-%lld " : "%.*s+%lld ",
	    name, (long long)v->row.node);
	return VAULT_OK;
}

static vault_err say_place(void *ctx, uint64_t dir, struct vault_span name,
			   const struct vault_version *v)
{
	(void)v;
	say(ctx, "%.*s@%lld ", name, (long long)dir);
	return VAULT_OK;
}

static vault_err say_step(void *ctx, uint64_t dir, struct vault_span name,
			  const struct vault_version *v)
{
	(void)dir;
	say(ctx, "%.*s:%lld ", name,
	    v->row.size == 0 ? 0 : (long long)v->row.size - 1000);
	return VAULT_OK;
}

static vault_err say_inode(void *ctx, uint64_t dir, struct vault_span name)
{
	say(ctx, "%.*s@%lld ", name, (long long)dir);
	return VAULT_OK;
}

static vault_err say_change(void *ctx, struct vault_span path,
			    const struct vault_version *before,
			    const struct vault_version *after)
{
	const bool was = before->row.kind != VAULT_KIND_NONE;
	const bool is = after->row.kind != VAULT_KIND_NONE;

	assert_true(was || is);
	say(ctx, was && is ? "%.*s~ " : is ? "%.*s+ " : "%.*s- ", path, 0);
	return VAULT_OK;
}

static vault_err count_change(void *ctx, struct vault_span path,
			      const struct vault_version *before,
			      const struct vault_version *after)
{
	unsigned *n = ctx;

	assert_true(path.len > 0);
	assert_int_equal(before->row.kind, VAULT_KIND_NONE);
	assert_int_not_equal(after->row.kind, VAULT_KIND_NONE);
	(*n)++;
	return VAULT_OK;
}

static const char *list(struct vault_past *p, uint64_t dir, uint64_t at,
			const char *after, struct text *t)
{
	t->len = 0;
	t->b[0] = '\0';
	assert_int_equal(vault_tree_list(p->tree, dir, at,
					 vault_span_str(after), say_name, t),
			 VAULT_OK);
	return t->b;
}

static const char *places(struct vault_past *p, uint64_t node, uint64_t at,
			  struct text *t)
{
	t->len = 0;
	t->b[0] = '\0';
	assert_int_equal(vault_tree_places(p->tree, node, at, say_place, t),
			 VAULT_OK);
	return t->b;
}

static const char *timeline(struct vault_past *p, uint64_t node, struct text *t)
{
	t->len = 0;
	t->b[0] = '\0';
	assert_int_equal(vault_tree_timeline(p->tree, node, say_step, t),
			 VAULT_OK);
	return t->b;
}

static const char *diff(struct vault_past *p, uint64_t dir, uint64_t from,
			uint64_t to, struct text *t)
{
	t->len = 0;
	t->b[0] = '\0';
	assert_int_equal(vault_tree_diff(p->tree, dir, from, to, say_change, t),
			 VAULT_OK);
	return t->b;
}

static vault_err look(struct vault_past *p, const char *path, uint64_t at)
{
	struct vault_version v;

	return vault_tree_resolve(p->tree, vault_span_str(path), at, &v);
}

static uint64_t node_at(struct vault_past *p, const char *path, uint64_t at)
{
	struct vault_version v;

	assert_int_equal(
		vault_tree_resolve(p->tree, vault_span_str(path), at, &v),
		VAULT_OK);
	return v.row.node;
}

static void a_version_holds_from_its_commit_until_the_next(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b, c, d;
	struct vault_version v;

	a = vault_past_root(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 10));
	b = vault_past_commit(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 20));
	c = vault_past_commit(p);
	vault_past_remove(p, 1, "f");
	d = vault_past_commit(p);

	assert_int_equal(look(p, "f", a.seq), VAULT_ERR_NOT_FOUND);
	for (uint64_t at = b.seq; at < c.seq; at++) {
		assert_int_equal(vault_tree_lookup(p->tree, 1,
						   vault_span_str("f"), at, &v),
				 VAULT_OK);
		assert_int_equal(v.row.size, 1010);
		assert_int_equal(v.seq, b.seq);
	}
	assert_int_equal(
		vault_tree_lookup(p->tree, 1, vault_span_str("f"), c.seq, &v),
		VAULT_OK);
	assert_int_equal(v.row.size, 1020);
	assert_int_equal(look(p, "f", d.seq), VAULT_ERR_NOT_FOUND);
	assert_int_equal(look(p, "f", VAULT_AT_NOW), VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_last_known(p->tree, 1, vault_span_str("f"),
					       VAULT_AT_NOW, &v),
			 VAULT_OK);
	assert_int_equal(v.seq, c.seq);
	assert_int_equal(vault_tree_last_known(p->tree, 1, vault_span_str("f"),
					       a.seq, &v),
			 VAULT_ERR_NOT_FOUND);
}

static void before_the_first_moment_there_is_nothing(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m;
	struct text t;

	assert_int_equal(look(p, "", VAULT_AT_NOW), VAULT_ERR_NOT_FOUND);
	assert_string_equal(list(p, 1, VAULT_AT_NOW, "", &t), "");
	vault_past_add(p, 1, "f", vault_past_file(2, 10));
	m = vault_past_root(p);
	assert_int_equal(look(p, "", m.seq), VAULT_OK);
	assert_int_equal(node_at(p, "", m.seq), VAULT_NODE_ROOT);
	assert_int_equal(look(p, "", m.seq - 1), VAULT_ERR_NOT_FOUND);
	assert_string_equal(list(p, 1, m.seq - 1, "", &t), "");
	assert_string_equal(list(p, 1, m.seq, "", &t), "f ");
}

static void names_that_share_a_beginning_are_kept_apart(void **state)
{
	/* A name and its continuations sort around the key's own bytes. */
	static const char *const names[] = { "a",     "a\x01", "a\x01\x01",
					     "a b",   "aa",    "aaa",
					     "a\xff", "b",     "\xff\xff" };
	struct vault_past *p = *state;
	struct vault_moment m[9];
	struct vault_version v;
	struct text t;

	vault_past_root(p);
	for (unsigned i = 0; i < 9; i++) {
		for (unsigned n = 0; n < 9; n += i % 2 + 1)
			vault_past_add(p, 1, names[n],
				       vault_past_file(2 + n, 100 * i + n + 1));
		m[i] = vault_past_commit(p);
	}
	for (unsigned i = 0; i < 9; i++) {
		for (unsigned n = 0; n < 9; n++) {
			const unsigned wrote = n % 2 == 0 ? i : i - i % 2;

			assert_int_equal(
				vault_tree_lookup(p->tree, 1,
						  vault_span_str(names[n]),
						  m[i].seq, &v),
				VAULT_OK);
			assert_int_equal(v.row.size,
					 1000 + 100 * wrote + n + 1);
		}
		assert_string_equal(list(p, 1, m[i].seq, "a\x01\x01", &t),
				    "a b aa aaa a\xff b \xff\xff ");
		assert_string_equal(list(p, 1, m[i].seq, "aaaa", &t),
				    "a\xff b \xff\xff ");
	}
	assert_int_equal(look(p, "a\x02", VAULT_AT_NOW), VAULT_ERR_NOT_FOUND);
	assert_int_equal(look(p, "aaaa", m[3].seq), VAULT_ERR_NOT_FOUND);
}

static void a_directorys_rename_touches_nothing_below_it(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b;
	struct vault_buf path = VAULT_BUF_INIT;
	struct text t;

	vault_past_add(p, 1, "chars", vault_past_dir(2));
	vault_past_add(p, 2, "hero", vault_past_dir(3));
	vault_past_add(p, 3, "face.psd", vault_past_file(4, 1));
	a = vault_past_root(p);
	vault_past_remove(p, 1, "chars");
	vault_past_add(p, 1, "figures", vault_past_dir(2));
	b = vault_past_commit(p);

	assert_int_equal(look(p, "chars/hero/face.psd", a.seq), VAULT_OK);
	assert_int_equal(look(p, "figures/hero/face.psd", a.seq),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(look(p, "figures/hero/face.psd", b.seq), VAULT_OK);
	assert_int_equal(look(p, "chars/hero/face.psd", b.seq),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_dir_path(p->tree, 3, a.seq, &path),
			 VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&path),
				     vault_span_str("chars/hero")));
	assert_int_equal(vault_tree_dir_path(p->tree, 3, b.seq, &path),
			 VAULT_OK);
	assert_true(vault_span_equal(vault_buf_span(&path),
				     vault_span_str("figures/hero")));
	assert_string_equal(places(p, 4, a.seq, &t), "face.psd@3 ");
	assert_string_equal(places(p, 2, b.seq, &t), "figures@1 ");
	assert_string_equal(timeline(p, 4, &t), "face.psd:1 ");
	vault_buf_release(&path);
}

static void a_removed_directory_hides_what_it_held(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b;
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_version v;
	struct text t;

	vault_past_add(p, 1, "d", vault_past_dir(2));
	vault_past_add(p, 2, "e", vault_past_dir(3));
	vault_past_add(p, 3, "f", vault_past_file(4, 1));
	a = vault_past_root(p);
	vault_past_remove(p, 1, "d"); /* and no row for what is below */
	b = vault_past_commit(p);

	assert_int_equal(look(p, "d/e/f", b.seq), VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_dir_path(p->tree, 3, b.seq, &path),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_dir_path(p->tree, 2, b.seq, &path),
			 VAULT_ERR_NOT_FOUND);
	assert_string_equal(places(p, 4, b.seq, &t), "");
	assert_string_equal(places(p, 4, VAULT_AT_NOW, &t), "");
	assert_string_equal(places(p, 4, a.seq, &t), "f@3 ");
	assert_string_equal(diff(p, 1, a.seq, b.seq, &t), "d- d/e- d/e/f- ");
	assert_string_equal(diff(p, 3, a.seq, b.seq, &t), "f- ");
	assert_int_equal(vault_tree_resolve_last_known(p->tree,
						       vault_span_str("d/e/f"),
						       VAULT_AT_NOW, &v),
			 VAULT_OK);
	assert_int_equal(v.row.node, 4);
	vault_buf_release(&path);
}

static void what_was_last_at_a_path_is_found_through_the_dead(void **state)
{
	struct vault_past *p = *state;
	struct vault_version v;
	const struct vault_span path = vault_span_str("d/f");
	struct vault_moment renamed;

	/* d(2)/f(3) is written, then d is renamed and goes on changing. */
	vault_past_add(p, 1, "d", vault_past_dir(2));
	vault_past_add(p, 2, "f", vault_past_file(3, 1));
	vault_past_root(p);
	vault_past_remove(p, 1, "d");
	vault_past_add(p, 1, "moved", vault_past_dir(2));
	renamed = vault_past_commit(p);
	vault_past_add(p, 2, "f", vault_past_file(3, 2));
	vault_past_commit(p);
	assert_int_equal(
		vault_tree_resolve_last_known(p->tree, path, VAULT_AT_NOW, &v),
		VAULT_OK);
	assert_int_equal(v.row.size, 1001);
	assert_true(v.seq < renamed.seq);

	/* A file takes the directory's name; the path leads past it. */
	vault_past_add(p, 1, "d", vault_past_file(5, 9));
	vault_past_commit(p);
	assert_int_equal(vault_tree_resolve(p->tree, path, VAULT_AT_NOW, &v),
			 VAULT_ERR_NOT_DIR);
	assert_int_equal(
		vault_tree_resolve_last_known(p->tree, path, VAULT_AT_NOW, &v),
		VAULT_OK);
	assert_int_equal(v.row.node, 3);

	/* Another directory of the name, which never had the file. */
	vault_past_add(p, 1, "d", vault_past_dir(6));
	vault_past_add(p, 6, "g", vault_past_file(7, 1));
	vault_past_commit(p);
	assert_int_equal(
		vault_tree_resolve_last_known(p->tree, path, VAULT_AT_NOW, &v),
		VAULT_OK);
	assert_int_equal(v.row.node, 3);
	assert_int_equal(vault_tree_resolve_last_known(p->tree,
						       vault_span_str("d/g"),
						       VAULT_AT_NOW, &v),
			 VAULT_OK);
	assert_int_equal(v.row.node, 7);
	assert_int_equal(vault_tree_resolve_last_known(p->tree,
						       vault_span_str("d/h"),
						       VAULT_AT_NOW, &v),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_resolve_last_known(
				 p->tree, vault_span_str(""), VAULT_AT_NOW, &v),
			 VAULT_OK);
	assert_int_equal(v.row.node, VAULT_NODE_ROOT);
}

static void hard_links_are_places_of_one_node(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b, c;
	struct text t;

	vault_past_add(p, 1, "d", vault_past_dir(2));
	vault_past_add(p, 1, "x", vault_past_file(3, 1));
	a = vault_past_root(p);
	vault_past_add(p, 2, "y", vault_past_file(3, 1));
	b = vault_past_commit(p);
	vault_past_add(p, 1, "x", vault_past_file(3, 2));
	vault_past_add(p, 2, "y", vault_past_file(3, 2));
	vault_past_commit(p);
	vault_past_remove(p, 1, "x");
	c = vault_past_commit(p);

	assert_string_equal(places(p, 3, a.seq, &t), "x@1 ");
	assert_string_equal(places(p, 3, b.seq, &t), "x@1 y@2 ");
	assert_string_equal(places(p, 3, c.seq, &t), "y@2 ");
	assert_string_equal(timeline(p, 3, &t), "x:1 x:2 ");
	t.len = 0;
	assert_int_equal(vault_tree_by_inode(p->tree, 1, 3, say_inode, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "y@2 ");
}

static void a_timeline_has_a_step_for_each_change_of_content(void **state)
{
	struct vault_past *p = *state;
	struct vault_row touched = vault_past_file(2, 20);
	struct vault_row torn = vault_past_file(2, 30);
	struct text t;

	vault_past_root(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 10));
	vault_past_commit(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 20));
	vault_past_commit(p);
	touched.mtime_ns = 5; /* no other content */
	vault_past_add(p, 1, "f", touched);
	vault_past_commit(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 10));
	vault_past_commit(p);
	/* A rename is no step, a change after it is one. */
	vault_past_remove(p, 1, "f");
	vault_past_add(p, 1, "g", vault_past_file(2, 10));
	vault_past_commit(p);
	torn.flags = VAULT_ROW_TORN;
	vault_past_add(p, 1, "g", torn);
	vault_past_commit_as(p, VAULT_CAUSE_SAVE, true);
	assert_string_equal(timeline(p, 2, &t), "f:10 f:20 f:10 g:30 ");
	/* Another node under the old name is another timeline. */
	vault_past_add(p, 1, "f", vault_past_file(3, 40));
	vault_past_commit(p);
	assert_string_equal(timeline(p, 2, &t), "f:10 f:20 f:10 g:30 ");
	assert_string_equal(timeline(p, 3, &t), "f:40 ");
	assert_string_equal(timeline(p, 99, &t), "");
}

static void list_ever_shows_the_dead_with_what_they_were(void **state)
{
	struct vault_past *p = *state;
	struct text t = { .len = 0 };

	vault_past_add(p, 1, "a", vault_past_file(2, 1));
	vault_past_add(p, 1, "b", vault_past_dir(3));
	vault_past_add(p, 1, "c", vault_past_file(4, 1));
	vault_past_root(p);
	vault_past_remove(p, 1, "b");
	vault_past_add(p, 1, "c", vault_past_file(5, 1));
	vault_past_commit(p);
	assert_int_equal(vault_tree_list_ever(p->tree, 1, say_ever, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "a+2 b-3 c+5 ");
}

static void a_tombstone_for_nothing_leaves_no_trace(void **state)
{
	struct vault_past *p = *state;
	struct vault_version v;
	struct text t = { .len = 0, .b = "" };

	vault_past_root(p);
	vault_past_remove(p, 1, "never");
	vault_past_commit(p);
	assert_int_equal(vault_tree_list_ever(p->tree, 1, say_ever, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "");
	assert_int_equal(vault_tree_last_known(p->tree, 1,
					       vault_span_str("never"),
					       VAULT_AT_NOW, &v),
			 VAULT_ERR_NOT_FOUND);
}

static void a_difference_is_what_differs_and_no_more(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b, c;
	struct text t;
	char name[32];
	unsigned n = 0;

	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "dir%02u", i);
		vault_past_add(p, 1, name, vault_past_dir(100 + i));
		for (unsigned f = 0; f < 20; f++) {
			snprintf(name, sizeof(name), "file%02u", f);
			vault_past_add(p, 100 + i, name,
				       vault_past_file(1000 + 100 * i + f,
						       i * 20 + f + 1));
		}
	}
	a = vault_past_root(p);
	vault_past_add(p, 107, "file03", vault_past_file(1703, 9999));
	vault_past_add(p, 107, "new", vault_past_file(9000, 5));
	vault_past_remove(p, 109, "file11");
	b = vault_past_commit(p);
	vault_past_add(p, 107, "file03", vault_past_file(1703, 7 * 20 + 3 + 1));
	c = vault_past_commit(p);

	assert_string_equal(diff(p, 1, a.seq, b.seq, &t),
			    "dir07/file03~ dir07/new+ dir09/file11- ");
	assert_string_equal(diff(p, 1, b.seq, a.seq, &t),
			    "dir07/file03~ dir07/new- dir09/file11+ ");
	assert_string_equal(diff(p, 1, a.seq, c.seq, &t),
			    "dir07/new+ dir09/file11- ");
	assert_string_equal(diff(p, 107, a.seq, VAULT_AT_NOW, &t), "new+ ");
	assert_string_equal(diff(p, 108, a.seq, VAULT_AT_NOW, &t), "");
	assert_string_equal(diff(p, 1, c.seq, c.seq, &t), "");
	assert_int_equal(
		vault_tree_diff(p->tree, 1, a.seq - 1, a.seq, count_change, &n),
		VAULT_OK);
	assert_int_equal(n, 50 * 21);
	n = 0;
	assert_int_equal(vault_tree_diff(p->tree, 107, a.seq - 1, a.seq,
					 count_change, &n),
			 VAULT_OK);
	assert_int_equal(n, 20);
}

/* Visitors that have had enough at once. */
static vault_err stop_name(void *ctx, struct vault_span name,
			   const struct vault_version *v)
{
	unsigned *calls = ctx;

	(void)name;
	(void)v;
	(*calls)++;
	return VAULT_ERR_CANCELLED;
}

static vault_err stop_live(void *ctx, struct vault_span name,
			   const struct vault_live *l)
{
	(void)l;
	return stop_name(ctx, name, NULL);
}

static vault_err stop_place(void *ctx, uint64_t dir, struct vault_span name,
			    const struct vault_version *v)
{
	(void)dir;
	return stop_name(ctx, name, v);
}

static vault_err stop_inode(void *ctx, uint64_t dir, struct vault_span name)
{
	(void)dir;
	return stop_name(ctx, name, NULL);
}

static vault_err stop_change(void *ctx, struct vault_span path,
			     const struct vault_version *before,
			     const struct vault_version *after)
{
	(void)after;
	return stop_name(ctx, path, before);
}

static void a_visitors_error_stops_the_walk_and_comes_back(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment a, b;
	unsigned calls = 0;

	vault_past_add(p, 1, "a", vault_past_file(2, 1));
	vault_past_add(p, 1, "b", vault_past_file(2, 1));
	a = vault_past_root(p);
	vault_past_add(p, 1, "a", vault_past_file(2, 2));
	vault_past_add(p, 1, "b", vault_past_file(2, 2));
	b = vault_past_commit(p);
	assert_int_equal(vault_tree_list(p->tree, 1, a.seq, VAULT_SPAN_EMPTY,
					 stop_name, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(vault_tree_list(p->tree, 1, VAULT_AT_NOW,
					 VAULT_SPAN_EMPTY, stop_name, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(vault_tree_list_ever(p->tree, 1, stop_name, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(vault_tree_live_list(p->tree, 1, stop_live, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(
		vault_tree_places(p->tree, 2, b.seq, stop_place, &calls),
		VAULT_ERR_CANCELLED);
	assert_int_equal(vault_tree_timeline(p->tree, 2, stop_place, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(vault_tree_by_inode(p->tree, 1, 2, stop_inode, &calls),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(
		vault_tree_diff(p->tree, 1, a.seq, b.seq, stop_change, &calls),
		VAULT_ERR_CANCELLED);
	assert_int_equal(calls, 8);
}

static void node_ids_are_never_given_out_twice(void **state)
{
	struct vault_past *p = *state;
	uint64_t a, b;

	vault_past_root(p);
	a = vault_tree_new_node(p->tree);
	assert_true(a > VAULT_NODE_ROOT);
	b = vault_tree_new_node(p->tree);
	assert_true(b > a);
	vault_past_add(p, 1, "f", vault_past_file(b, 1));
	vault_past_commit(p);
	vault_past_remove(p, 1, "f");
	vault_past_commit(p);
	vault_past_reopen(p, true);
	assert_true(vault_tree_new_node(p->tree) > b);
	/* An id from elsewhere counts too. */
	vault_past_add(p, 1, "g", vault_past_dir(1000000));
	vault_past_commit(p);
	assert_true(vault_tree_new_node(p->tree) > 1000000);
	vault_past_reopen(p, false);
	assert_true(vault_tree_new_node(p->tree) > 1000000);
}

static void totals_count_what_copies_would_have_cost(void **state)
{
	struct vault_past *p = *state;
	struct vault_row touched = vault_past_file(2, 10);
	uint64_t bytes, versions;

	vault_past_root(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 10));
	vault_past_add(p, 1, "link", vault_past_file(2, 10)); /* not again */
	vault_past_add(p, 1, "copy", vault_past_file(3, 10)); /* again */
	vault_past_commit(p);
	touched.mode = 0600;
	vault_past_add(p, 1, "f", touched); /* not again */
	vault_past_commit(p);
	vault_past_remove(p, 1, "copy");
	vault_past_add(p, 1, "moved", vault_past_file(3, 10)); /* not again */
	vault_past_commit(p);
	vault_past_add(p, 1, "f", vault_past_file(2, 20)); /* again, once */
	vault_past_add(p, 1, "link", vault_past_file(2, 20));
	vault_past_commit(p);
	assert_int_equal(vault_tree_totals(p->tree, &bytes, &versions),
			 VAULT_OK);
	assert_int_equal(versions, 3);
	assert_int_equal(bytes, 1010 + 1010 + 1020);
	vault_past_reopen(p, true);
	assert_int_equal(vault_tree_totals(p->tree, &bytes, &versions),
			 VAULT_OK);
	assert_int_equal(versions, 3);
	assert_int_equal(bytes, 1010 + 1010 + 1020);
}

static void the_live_row_knows_its_backing_file(void **state)
{
	struct vault_past *p = *state;
	const struct vault_backing there = {
		.dev = 7, .ino = 8, .ctime_ns = 9, .btime_ns = 10, .racy = true
	};
	const struct vault_backing elsewhere = { .dev = 7, .ino = 11 };
	const struct vault_row row = vault_past_file(2, 10);
	struct vault_live l, renewed;
	struct text t = { .len = 0, .b = "" };

	vault_past_root(p);
	assert_int_equal(vault_commit_add(p->commit, 1, vault_span_str("f"),
					  &row, &there),
			 VAULT_OK);
	vault_past_commit(p);
	assert_int_equal(vault_tree_live(p->tree, 1, vault_span_str("f"), &l),
			 VAULT_OK);
	assert_int_equal(l.backing.dev, 7);
	assert_int_equal(l.backing.ino, 8);
	assert_int_equal(l.backing.ctime_ns, 9);
	assert_int_equal(l.backing.btime_ns, 10);
	assert_true(l.backing.racy);
	assert_int_equal(vault_tree_by_inode(p->tree, 7, 8, say_inode, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "f@1 ");

	/* Another inode behind the name: the old one is known no more. */
	assert_int_equal(vault_commit_add(p->commit, 1, vault_span_str("f"),
					  &row, &elsewhere),
			 VAULT_OK);
	vault_past_commit(p);
	/* The row is the same: the version is the one that was. */
	assert_int_equal(
		vault_tree_live(p->tree, 1, vault_span_str("f"), &renewed),
		VAULT_OK);
	assert_int_equal(renewed.version.seq, l.version.seq);
	assert_int_equal(renewed.backing.ino, 11);
	t.len = 0;
	t.b[0] = '\0';
	assert_int_equal(vault_tree_by_inode(p->tree, 7, 8, say_inode, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "");
	assert_int_equal(vault_tree_by_inode(p->tree, 7, 11, say_inode, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "f@1 ");
	vault_past_remove(p, 1, "f");
	vault_past_commit(p);
	t.len = 0;
	t.b[0] = '\0';
	assert_int_equal(vault_tree_by_inode(p->tree, 7, 11, say_inode, &t),
			 VAULT_OK);
	assert_string_equal(t.b, "");
	assert_int_equal(vault_tree_live(p->tree, 1, vault_span_str("f"), &l),
			 VAULT_ERR_NOT_FOUND);
}

static void names_too_long_for_any_directory_are_not_found(void **state)
{
	struct vault_past *p = *state;
	struct vault_version v;
	struct vault_live l;
	char name[400];
	struct text t;

	memset(name, 'x', sizeof(name));
	vault_past_root(p);
	assert_int_equal(
		vault_tree_lookup(p->tree, 1, vault_span(name, 400), 5, &v),
		VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_lookup(p->tree, 1, vault_span(name, 400),
					   VAULT_AT_NOW, &v),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(
		vault_tree_last_known(p->tree, 1, vault_span(name, 256), 5, &v),
		VAULT_ERR_NOT_FOUND);
	assert_int_equal(vault_tree_live(p->tree, 1, vault_span(name, 256), &l),
			 VAULT_ERR_NOT_FOUND);
	name[399] = '\0';
	assert_string_equal(list(p, 1, VAULT_AT_NOW, name, &t), "");
}

#define T(test)                                                 \
	cmocka_unit_test_setup_teardown(test, vault_past_setup, \
					vault_past_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_version_holds_from_its_commit_until_the_next),
		T(before_the_first_moment_there_is_nothing),
		T(names_that_share_a_beginning_are_kept_apart),
		T(a_directorys_rename_touches_nothing_below_it),
		T(a_removed_directory_hides_what_it_held),
		T(what_was_last_at_a_path_is_found_through_the_dead),
		T(hard_links_are_places_of_one_node),
		T(a_timeline_has_a_step_for_each_change_of_content),
		T(list_ever_shows_the_dead_with_what_they_were),
		T(a_tombstone_for_nothing_leaves_no_trace),
		T(a_difference_is_what_differs_and_no_more),
		T(a_visitors_error_stops_the_walk_and_comes_back),
		T(node_ids_are_never_given_out_twice),
		T(totals_count_what_copies_would_have_cost),
		T(the_live_row_knows_its_backing_file),
		T(names_too_long_for_any_directory_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
