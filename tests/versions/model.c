/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/versions/model.h"

const char *const model_names[MODEL_NAMES] = { "a",  "a.b",	 "aa",	"b",
					       "zz", "\xc3\xa4", "\x01" };

size_t model_dir_index(const struct model *m, uint64_t id)
{
	for (size_t i = 0; i < m->n_dirs; i++)
		if (m->dir_ids[i] == id)
			return i;
	return SIZE_MAX;
}

bool model_parent(const struct model *m, const struct model_state *s,
		  size_t dir, size_t *parent, size_t *name)
{
	for (size_t d = 0; d < m->n_dirs; d++) {
		for (size_t n = 0; n < MODEL_NAMES; n++) {
			if (s->e[d][n].there &&
			    s->e[d][n].row.kind == VAULT_KIND_DIR &&
			    s->e[d][n].row.node == m->dir_ids[dir]) {
				*parent = d;
				*name = n;
				return true;
			}
		}
	}
	return false;
}

bool model_reaches(const struct model *m, const struct model_state *s,
		   size_t dir)
{
	size_t name;

	while (dir != 0)
		if (!model_parent(m, s, dir, &dir, &name))
			return false;
	return true;
}

static bool is_above(const struct model *m, const struct model_state *s,
		     size_t above, size_t dir)
{
	size_t name;

	while (dir != above) {
		if (dir == 0 || !model_parent(m, s, dir, &dir, &name))
			return false;
	}
	return true;
}

/* A directory that can be reached. */
static size_t some_dir(const struct model *m, const struct model_state *s,
		       struct vault_scratch_random *r)
{
	size_t dir;

	do
		dir = (size_t)vault_scratch_below(r, m->n_dirs);
	while (!model_reaches(m, s, dir));
	return dir;
}

/* All names of a node change together. */
static void write_node(struct model *m, struct model_state *s, uint64_t node,
		       struct vault_row row)
{
	for (size_t d = 0; d < m->n_dirs; d++)
		for (size_t n = 0; n < MODEL_NAMES; n++)
			if (s->e[d][n].there && s->e[d][n].row.node == node)
				s->e[d][n].row = row;
}

static void save(struct model *m, struct model_state *s, struct model_entry *e,
		 struct vault_scratch_random *r, uint64_t fresh)
{
	struct vault_row row;

	if (!e->there || e->row.kind == VAULT_KIND_DIR) {
		if (e->there && vault_scratch_below(r, 4) != 0)
			return;
		/* New, or a file in the place of a directory. */
		*e = (struct model_entry){ .there = true, .ino = fresh };
		e->row = vault_past_file(fresh, m->next_content++);
		return;
	}
	row = e->row;
	switch (vault_scratch_below(r, 4)) {
	case 0:
		row.mode ^= 0111; /* nothing but metadata */
		break;
	case 1: /* back to an earlier content */
		row = vault_past_file(row.node,
				      vault_scratch_below(r, m->next_content));
		break;
	default:
		row = vault_past_file(row.node, m->next_content++);
	}
	write_node(m, s, row.node, row);
	if (vault_scratch_below(r, 3) == 0)
		e->ino = fresh; /* replaced by renaming onto it */
}

static void make_dir(struct model *m, struct model_entry *e, uint64_t fresh)
{
	if (m->n_dirs == MODEL_DIRS ||
	    (e->there && e->row.kind == VAULT_KIND_DIR))
		return;
	*e = (struct model_entry){ .there = true, .ino = fresh };
	e->row = vault_past_dir(fresh);
	m->dir_ids[m->n_dirs++] = fresh;
}

static void link_or_move(struct model *m, struct model_state *s, size_t dir,
			 size_t name, struct vault_scratch_random *r, bool move)
{
	const size_t to_dir = some_dir(m, s, r);
	const size_t to_name = (size_t)vault_scratch_below(r, MODEL_NAMES);
	struct model_entry *from = &s->e[dir][name];
	struct model_entry *to = &s->e[to_dir][to_name];

	if (!from->there || from == to)
		return;
	if (from->row.kind == VAULT_KIND_DIR &&
	    (!move ||
	     is_above(m, s, model_dir_index(m, from->row.node), to_dir)))
		return;
	if (to->there && to->row.kind == VAULT_KIND_DIR &&
	    is_above(m, s, model_dir_index(m, to->row.node), dir))
		return;
	*to = *from;
	if (move)
		*from = (struct model_entry){ 0 };
}

static void change(struct model *m, struct model_state *s,
		   struct vault_scratch_random *r, uint64_t fresh)
{
	const size_t dir = some_dir(m, s, r);
	const size_t name = (size_t)vault_scratch_below(r, MODEL_NAMES);
	struct model_entry *e = &s->e[dir][name];

	switch (vault_scratch_below(r, 10)) {
	case 0:
		*e = (struct model_entry){
			0
		}; /* what is below stays as it is */
		break;
	case 1:
	case 2:
		make_dir(m, e, fresh);
		break;
	case 3:
		link_or_move(m, s, dir, name, r, true);
		break;
	case 4:
		link_or_move(m, s, dir, name, r, false);
		break;
	case 5:
		if (e->there && e->row.kind == VAULT_KIND_DIR)
			e->row.mtime_ns++;
		break;
	default:
		save(m, s, e, r, fresh);
	}
}

static bool same_entry(const struct model_entry *a, const struct model_entry *b)
{
	if (a->there != b->there)
		return false;
	return !a->there ||
	       (vault_row_same(&a->row, &b->row) && a->row.node == b->row.node);
}

/* The content that a node had last before commit `i`; NULL: none. */
static const struct vault_row *last_of(const struct model *m, uint64_t node)
{
	for (size_t i = m->n_log; i-- > 0;)
		if (m->log[i].row.kind != VAULT_KIND_NONE &&
		    m->log[i].row.node == node)
			return &m->log[i].row;
	return NULL;
}

static void count(struct model *m, const struct model_entry *was,
		  const struct model_entry *is)
{
	const struct vault_row *last;

	if (!is->there || is->row.kind != VAULT_KIND_FILE)
		return;
	if (was->there && vault_row_same_content(&was->row, &is->row))
		return;
	last = last_of(m, is->row.node);
	if (last != NULL && vault_row_same_content(last, &is->row))
		return;
	m->versions++;
	m->logical_bytes += is->row.size;
}

static void add_row(struct vault_past *p, struct model *m, size_t dir,
		    size_t name, const struct model_entry *e)
{
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };
	const struct vault_backing backing = { .dev = 3, .ino = e->ino };

	assert_int_equal(vault_commit_add(p->commit, m->dir_ids[dir],
					  vault_span_str(model_names[name]),
					  e->there ? &e->row : &gone,
					  e->there ? &backing : NULL),
			 VAULT_OK);
}

/* Everything at or below a directory, by identity: does it differ? */
static bool subtree_differs(const struct model *m, const struct model_state *a,
			    const struct model_state *b, size_t dir)
{
	for (size_t n = 0; n < MODEL_NAMES; n++) {
		const struct model_entry *x = &a->e[dir][n];
		const struct model_entry *y = &b->e[dir][n];

		if (x->there != y->there || (x->there && x->seq != y->seq))
			return true;
		if (x->there && x->row.kind == VAULT_KIND_DIR &&
		    subtree_differs(m, a, b, model_dir_index(m, x->row.node)))
			return true;
	}
	return false;
}

static void commit(struct vault_past *p, struct model *m, size_t i,
		   struct vault_scratch_random *r)
{
	const struct model_state *was = &m->past[i];
	struct model_state *is = &m->past[i + 1];
	const bool partial =
		i + 1 < MODEL_COMMITS && vault_scratch_below(r, 6) == 0;
	const size_t first = m->n_log;
	struct vault_row root = vault_past_dir(VAULT_NODE_ROOT);

	for (size_t d = 0; d < m->n_dirs; d++) {
		for (size_t n = 0; n < MODEL_NAMES; n++) {
			if (same_entry(&was->e[d][n], &is->e[d][n])) {
				/* Another file behind it begins no version. */
				if (was->e[d][n].ino != is->e[d][n].ino)
					add_row(p, m, d, n, &is->e[d][n]);
				is->e[d][n].seq = was->e[d][n].seq;
				continue;
			}
			add_row(p, m, d, n, &is->e[d][n]);
			count(m, &was->e[d][n], &is->e[d][n]);
			m->log[m->n_log++] =
				(struct model_written){ i, d, n,
							is->e[d][n].row };
			if (!is->e[d][n].there)
				m->log[m->n_log - 1].row.kind = VAULT_KIND_NONE;
		}
	}
	root.mtime_ns += (int64_t)i + 1;
	if (m->n_log == first) /* a moment in which only the root changed */
		vault_past_add(p, VAULT_DIR_ABOVE, "", root);
	m->moments[i] = vault_past_commit_as(p, VAULT_CAUSE_SAVE, partial);
	for (size_t k = first; k < m->n_log; k++)
		is->e[m->log[k].dir][m->log[k].name].seq = m->moments[i].seq;
	for (size_t d = 0; d < m->n_dirs; d++)
		m->touched[i][d] = d == 0 || subtree_differs(m, was, is, d);
}

void model_make(struct vault_past *p, struct model *m, uint64_t seed)
{
	struct vault_scratch_random r = vault_scratch_seed(seed);

	memset(m, 0, sizeof(*m));
	m->dir_ids[m->n_dirs++] = VAULT_NODE_ROOT;
	m->next_content = 1;
	for (size_t i = 0; i < MODEL_COMMITS; i++) {
		const size_t n = 1 + (size_t)vault_scratch_below(&r, 12);

		m->past[i + 1] = m->past[i];
		for (size_t k = 0; k < n; k++)
			change(m, &m->past[i + 1], &r,
			       vault_tree_new_node(p->tree));
		commit(p, m, i, &r);
	}
}
