/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/versions/model.h"

/*
 * Whatever the tree answers about a random past is compared with what its
 * model says; so are its answers after the index was lost and built anew.
 */

/* What was heard from a visitor. */
struct heard {
	char b[1 << 16];
	size_t len;
};

static void hear(struct heard *h, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void hear(struct heard *h, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	h->len += (size_t)vsnprintf(h->b + h->len, sizeof(h->b) - h->len,
				    format, args);
	va_end(args);
	assert_true(h->len < sizeof(h->b));
}

static void hear_row(struct heard *h, const char *name, size_t len,
		     const struct vault_row *row, uint64_t seq)
{
	hear(h, "%.*s: %d node %llu size %llu mode %o mtime %lld seq %llu\n",
	     (int)len, name, (int)row->kind, (unsigned long long)row->node,
	     (unsigned long long)row->size, row->mode, (long long)row->mtime_ns,
	     (unsigned long long)seq);
}

static void hear_side(struct heard *h, const struct vault_row *row)
{
	if (row->kind == VAULT_KIND_NONE)
		hear(h, " nothing");
	else
		hear(h, " %d %llu %o %lld", (int)row->kind,
		     (unsigned long long)row->size, row->mode,
		     (long long)row->mtime_ns);
}

static vault_err hear_entry(void *ctx, struct vault_span name,
			    const struct vault_version *v)
{
	hear_row(ctx, (const char *)name.data, name.len, &v->row, v->seq);
	return VAULT_OK;
}

static vault_err hear_place(void *ctx, uint64_t dir, struct vault_span name,
			    const struct vault_version *v)
{
	hear(ctx, "%llu ", (unsigned long long)dir);
	return hear_entry(ctx, name, v);
}

static vault_err hear_inode(void *ctx, uint64_t dir, struct vault_span name)
{
	hear(ctx, "%llu %.*s\n", (unsigned long long)dir, (int)name.len,
	     (const char *)name.data);
	return VAULT_OK;
}

static vault_err hear_change(void *ctx, struct vault_span path,
			     const struct vault_version *before,
			     const struct vault_version *after)
{
	hear(ctx, "%.*s", (int)path.len, (const char *)path.data);
	hear_side(ctx, &before->row);
	hear_side(ctx, &after->row);
	hear(ctx, "\n");
	return VAULT_OK;
}

static vault_err hear_moment(void *ctx, const struct vault_moment *m)
{
	hear(ctx, "%llu\n", (unsigned long long)m->seq);
	return VAULT_OK;
}

static struct heard got, want;

static void start(void)
{
	got.len = want.len = 0;
	got.b[0] = want.b[0] = '\0';
}

static void compare(void)
{
	assert_string_equal(got.b, want.b);
}

/* Names in the order of their bytes. */
static const size_t *sorted(void)
{
	static size_t order[MODEL_NAMES];

	for (size_t i = 0; i < MODEL_NAMES; i++) {
		size_t rank = 0;

		for (size_t k = 0; k < MODEL_NAMES; k++)
			rank += strcmp(model_names[k], model_names[i]) < 0;
		order[rank] = i;
	}
	return order;
}

/* ---- each question ---- */

static void check_lookup(struct vault_past *p, const struct model *m,
			 const struct model_state *s, uint64_t at)
{
	for (size_t d = 0; d < m->n_dirs; d++) {
		for (size_t n = 0; n < MODEL_NAMES; n++) {
			const struct model_entry *e = &s->e[d][n];
			struct vault_version v;
			const vault_err err = vault_tree_lookup(
				p->tree, m->dir_ids[d],
				vault_span_str(model_names[n]), at, &v);

			assert_int_equal(err, e->there ? VAULT_OK
						       : VAULT_ERR_NOT_FOUND);
			if (!e->there)
				continue;
			assert_true(vault_row_same(&v.row, &e->row));
			assert_int_equal(v.row.node, e->row.node);
			assert_int_equal(v.seq, e->seq);
		}
	}
}

static void check_list(struct vault_past *p, const struct model *m,
		       const struct model_state *s, uint64_t at, size_t dir,
		       const char *after)
{
	const size_t *order = sorted();

	start();
	for (size_t i = 0; i < MODEL_NAMES; i++) {
		const struct model_entry *e = &s->e[dir][order[i]];

		if (e->there && strcmp(model_names[order[i]], after) > 0)
			hear_row(&want, model_names[order[i]],
				 strlen(model_names[order[i]]), &e->row,
				 e->seq);
	}
	assert_int_equal(vault_tree_list(p->tree, m->dir_ids[dir], at,
					 vault_span_str(after), hear_entry,
					 &got),
			 VAULT_OK);
	compare();
}

static void check_ever(struct vault_past *p, const struct model *m, size_t dir)
{
	const size_t *order = sorted();

	start();
	for (size_t i = 0; i < MODEL_NAMES; i++) {
		const struct model_written *last = NULL, *alive = NULL;
		struct vault_row row;

		for (size_t k = 0; k < m->n_log; k++) {
			if (m->log[k].dir != dir || m->log[k].name != order[i])
				continue;
			last = &m->log[k];
			if (last->row.kind != VAULT_KIND_NONE)
				alive = last;
		}
		if (last == NULL)
			continue;
		row = alive->row;
		row.kind = last->row.kind;
		hear_row(&want, model_names[order[i]],
			 strlen(model_names[order[i]]), &row,
			 m->moments[last->commit].seq);
	}
	assert_int_equal(vault_tree_list_ever(p->tree, m->dir_ids[dir],
					      hear_entry, &got),
			 VAULT_OK);
	compare();
}

/* The path of a directory that can be reached, ending in "/" but for "". */
static void path_of(const struct model *m, const struct model_state *s,
		    size_t dir, char *out, size_t size)
{
	size_t parent, name;
	char above[1024];

	out[0] = '\0';
	if (dir == 0 || !model_parent(m, s, dir, &parent, &name))
		return;
	path_of(m, s, parent, above, sizeof(above));
	assert_true((size_t)snprintf(out, size, "%s%s/", above,
				     model_names[name]) < size);
}

static void check_paths(struct vault_past *p, const struct model *m,
			const struct model_state *s, uint64_t at)
{
	for (size_t d = 0; d < m->n_dirs; d++) {
		struct vault_buf path = VAULT_BUF_INIT;
		struct vault_version v;
		char text[1024];
		const vault_err err =
			vault_tree_dir_path(p->tree, m->dir_ids[d], at, &path);

		if (!model_reaches(m, s, d)) {
			assert_int_equal(err, VAULT_ERR_NOT_FOUND);
			continue;
		}
		assert_int_equal(err, VAULT_OK);
		path_of(m, s, d, text, sizeof(text));
		assert_int_equal(path.len, strlen(text) - (d != 0));
		assert_memory_equal(vault_buf_cstr(&path), text, path.len);
		for (size_t n = 0; n < MODEL_NAMES; n++) {
			const size_t len = strlen(text);
			const struct model_entry *e = &s->e[d][n];

			snprintf(text + len, sizeof(text) - len, "%s",
				 model_names[n]);
			assert_int_equal(
				vault_tree_resolve(
					p->tree, vault_span_str(text), at, &v),
				e->there ? VAULT_OK : VAULT_ERR_NOT_FOUND);
			if (e->there) {
				assert_int_equal(v.row.node, e->row.node);
				assert_int_equal(v.seq, e->seq);
			}
			text[len] = '\0';
		}
		vault_buf_release(&path);
	}
}

/* Directories in the order of their ids, which is the order of making. */
static void check_places(struct vault_past *p, const struct model *m,
			 const struct model_state *s, uint64_t at,
			 uint64_t node)
{
	const size_t *order = sorted();

	start();
	for (size_t d = 0; d < m->n_dirs; d++) {
		if (!model_reaches(m, s, d))
			continue;
		for (size_t i = 0; i < MODEL_NAMES; i++) {
			const struct model_entry *e = &s->e[d][order[i]];

			if (!e->there || e->row.node != node)
				continue;
			hear(&want, "%llu ", (unsigned long long)m->dir_ids[d]);
			hear_row(&want, model_names[order[i]],
				 strlen(model_names[order[i]]), &e->row,
				 e->seq);
		}
	}
	assert_int_equal(vault_tree_places(p->tree, node, at, hear_place, &got),
			 VAULT_OK);
	compare();
}

static void check_timeline(struct vault_past *p, const struct model *m,
			   uint64_t node)
{
	const size_t *order = sorted();
	const struct vault_row *last = NULL;

	start();
	for (size_t c = 0; c < MODEL_COMMITS; c++) {
		for (size_t d = 0; d < m->n_dirs; d++) {
			for (size_t i = 0; i < MODEL_NAMES; i++) {
				const struct model_written *w = NULL;

				for (size_t k = 0; k < m->n_log; k++)
					if (m->log[k].commit == c &&
					    m->log[k].dir == d &&
					    m->log[k].name == order[i] &&
					    m->log[k].row.kind !=
						    VAULT_KIND_NONE &&
					    m->log[k].row.node == node)
						w = &m->log[k];
				if (w == NULL ||
				    (last != NULL &&
				     vault_row_same_content(last, &w->row)))
					continue;
				last = &w->row;
				hear(&want, "%llu ",
				     (unsigned long long)m->dir_ids[d]);
				hear_row(&want, model_names[order[i]],
					 strlen(model_names[order[i]]), &w->row,
					 m->moments[c].seq);
			}
		}
	}
	assert_int_equal(vault_tree_timeline(p->tree, node, hear_place, &got),
			 VAULT_OK);
	compare();
}

/* By walking both trees, every name of them. */
static void walk_both(const struct model *m, const struct model_state *a,
		      size_t da, const struct model_state *b, size_t db,
		      const char *path)
{
	const size_t *order = sorted();
	static const struct model_entry none;

	for (size_t i = 0; i < MODEL_NAMES; i++) {
		const struct model_entry *x =
			da == SIZE_MAX ? &none : &a->e[da][order[i]];
		const struct model_entry *y =
			db == SIZE_MAX ? &none : &b->e[db][order[i]];
		size_t na = SIZE_MAX, nb = SIZE_MAX;
		char here[1024];

		snprintf(here, sizeof(here), "%s%s%s", path,
			 path[0] == '\0' ? "" : "/", model_names[order[i]]);
		if (!vault_row_same(&x->row, &y->row)) {
			hear(&want, "%s", here);
			hear_side(&want, &x->row);
			hear_side(&want, &y->row);
			hear(&want, "\n");
		}
		if (x->row.kind == VAULT_KIND_DIR)
			na = model_dir_index(m, x->row.node);
		if (y->row.kind == VAULT_KIND_DIR)
			nb = model_dir_index(m, y->row.node);
		if (na != SIZE_MAX || nb != SIZE_MAX)
			walk_both(m, a, na, b, nb, here);
	}
}

static void check_diff(struct vault_past *p, const struct model *m, size_t dir,
		       size_t i, size_t j)
{
	const struct model_state *a = &m->past[i + 1];
	const struct model_state *b = &m->past[j + 1];

	start();
	walk_both(m, a, model_reaches(m, a, dir) ? dir : SIZE_MAX, b,
		  model_reaches(m, b, dir) ? dir : SIZE_MAX, "");
	assert_int_equal(vault_tree_diff(p->tree, m->dir_ids[dir],
					 m->moments[i].seq, m->moments[j].seq,
					 hear_change, &got),
			 VAULT_OK);
	compare();
}

static void check_below(struct vault_past *p, const struct model *m, size_t dir)
{
	bool pending = false;
	uint64_t seqs[MODEL_COMMITS];
	size_t n = 0;

	for (size_t i = 0; i < MODEL_COMMITS; i++) {
		pending = pending || m->touched[i][dir];
		if (m->moments[i].partial)
			continue;
		if (pending)
			seqs[n++] = m->moments[i].seq;
		pending = false;
	}
	start();
	while (n-- > 0)
		hear(&want, "%llu\n", (unsigned long long)seqs[n]);
	assert_int_equal(vault_moment_each_below(p->tree, m->dir_ids[dir],
						 false, 0, hear_moment, &got),
			 VAULT_OK);
	compare();
}

static void check_live(struct vault_past *p, const struct model *m)
{
	const struct model_state *s = &m->past[MODEL_COMMITS];
	const size_t *order = sorted();
	uint64_t bytes, versions;

	for (size_t d = 0; d < m->n_dirs; d++) {
		for (size_t n = 0; n < MODEL_NAMES; n++) {
			const struct model_entry *e = &s->e[d][n];
			struct vault_live l;
			const vault_err err = vault_tree_live(
				p->tree, m->dir_ids[d],
				vault_span_str(model_names[n]), &l);

			assert_int_equal(err, e->there ? VAULT_OK
						       : VAULT_ERR_NOT_FOUND);
			if (!e->there)
				continue;
			assert_int_equal(l.backing.ino, e->ino);
			assert_int_equal(l.version.seq, e->seq);
			start();
			for (size_t x = 0; x < m->n_dirs; x++)
				for (size_t i = 0; i < MODEL_NAMES; i++)
					if (s->e[x][order[i]].there &&
					    s->e[x][order[i]].ino == e->ino)
						hear(&want, "%llu %s\n",
						     (unsigned long long)
							     m->dir_ids[x],
						     model_names[order[i]]);
			assert_int_equal(vault_tree_by_inode(p->tree, 3, e->ino,
							     hear_inode, &got),
					 VAULT_OK);
			compare();
		}
	}
	assert_int_equal(vault_tree_totals(p->tree, &bytes, &versions),
			 VAULT_OK);
	assert_int_equal(versions, m->versions);
	assert_int_equal(bytes, m->logical_bytes);
}

static void check_moment(struct vault_past *p, const struct model *m,
			 const struct model_state *s, uint64_t at,
			 struct vault_scratch_random *r)
{
	check_lookup(p, m, s, at);
	check_paths(p, m, s, at);
	for (size_t d = 0; d < m->n_dirs; d++) {
		check_list(p, m, s, at, d, "");
		check_list(p, m, s, at, d,
			   model_names[vault_scratch_below(r, MODEL_NAMES)]);
	}
	for (int n = 0; n < 10 && m->n_log > 0; n++) {
		const struct model_written *w =
			&m->log[vault_scratch_below(r, m->n_log)];

		if (w->row.kind != VAULT_KIND_NONE)
			check_places(p, m, s, at, w->row.node);
	}
}

static void check_all(struct vault_past *p, const struct model *m,
		      uint64_t seed)
{
	struct vault_scratch_random r = vault_scratch_seed(seed);

	for (size_t i = 0; i < MODEL_COMMITS;
	     i += 1 + (size_t)vault_scratch_below(&r, 8))
		check_moment(p, m, &m->past[i + 1], m->moments[i].seq, &r);
	check_moment(p, m, &m->past[MODEL_COMMITS], VAULT_AT_NOW, &r);
	check_moment(p, m, &m->past[0], m->moments[0].seq - 1, &r);
	check_live(p, m);
	for (size_t d = 0; d < m->n_dirs; d++) {
		check_ever(p, m, d);
		check_below(p, m, d);
	}
	for (int n = 0; n < 40; n++) {
		const struct model_written *w =
			&m->log[vault_scratch_below(&r, m->n_log)];

		if (w->row.kind == VAULT_KIND_FILE)
			check_timeline(p, m, w->row.node);
	}
	for (int n = 0; n < 150; n++)
		check_diff(p, m, (size_t)vault_scratch_below(&r, m->n_dirs),
			   (size_t)vault_scratch_below(&r, MODEL_COMMITS),
			   (size_t)vault_scratch_below(&r, MODEL_COMMITS));
	for (size_t i = 1; i < MODEL_COMMITS; i++)
		check_diff(p, m, 0, i - 1, i);
}

static void check_seed(struct vault_past *p, uint64_t seed)
{
	struct model *m = malloc(sizeof(*m));
	struct vault_buf before = VAULT_BUF_INIT;
	struct vault_buf after = VAULT_BUF_INIT;

	assert_non_null(m);
	model_make(p, m, seed);
	check_all(p, m, seed + 1);
	vault_past_dump(p, &before);
	vault_past_reopen(p, false);
	vault_past_dump(p, &after);
	assert_true(vault_span_equal(vault_buf_span(&before),
				     vault_buf_span(&after)));
	vault_past_reopen(p, true);
	vault_past_dump(p, &after);
	assert_true(vault_span_equal(vault_buf_span(&before),
				     vault_buf_span(&after)));
	check_all(p, m, seed + 2);
	vault_buf_release(&before);
	vault_buf_release(&after);
	free(m);
}

static void any_past_is_as_the_model_remembers_it_1(void **state)
{
	check_seed(*state, 1000);
}

static void any_past_is_as_the_model_remembers_it_2(void **state)
{
	check_seed(*state, 2000);
}

static void any_past_is_as_the_model_remembers_it_3(void **state)
{
	check_seed(*state, 3000);
}

#define T(test)                                                 \
	cmocka_unit_test_setup_teardown(test, vault_past_setup, \
					vault_past_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_past_is_as_the_model_remembers_it_1),
		T(any_past_is_as_the_model_remembers_it_2),
		T(any_past_is_as_the_model_remembers_it_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
