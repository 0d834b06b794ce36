/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_internal.h"

/*
 * Stepping over a row costs a tenth of a seek, and most names have few rows:
 * so a few steps are tried first.
 */
#define STEPS_BEFORE_SEEK 8

/* One name of a directory on its way past the iterator. */
struct place {
	uint64_t dir;
	uint8_t bytes[VAULT_NAME_MAX];
	struct vault_span name; /* in bytes */
};

/* Is the iterator at a row of `dir`? Then `*name` and `*seq` say which. */
static vault_err here(const struct vault_iter *it, uint64_t dir,
		      struct vault_span *name, uint64_t *seq)
{
	uint64_t found;
	vault_err err;

	if (!vault_iter_valid(it)) {
		err = vault_iter_error(it);
		return err != VAULT_OK ? err : VAULT_ERR_NOT_FOUND;
	}
	if (!vault_tree_key_row_parse(vault_iter_key(it), &found, name, seq))
		return VAULT_ERR_INDEX;
	return found == dir ? VAULT_OK : VAULT_ERR_NOT_FOUND;
}

/* Remember the name the iterator is at; the iterator will move. */
static void hold(struct place *p, uint64_t dir, struct vault_span name)
{
	if (name.len > 0)
		memcpy(p->bytes, name.data, name.len);
	p->dir = dir;
	p->name = vault_span(p->bytes, name.len);
}

/*
 * Move to the newest row of `p` not younger than `at`; NOT_FOUND if there is
 * none, and then the iterator is at a row of a later name.
 */
static vault_err to_row(struct vault_iter *it, const struct place *p,
			uint64_t at, struct vault_version *out)
{
	struct vault_span name;
	vault_err err;

	for (unsigned step = 0;; step++) {
		err = here(it, p->dir, &name, &out->seq);
		if (err != VAULT_OK)
			return err;
		if (!vault_span_equal(name, p->name))
			return VAULT_ERR_NOT_FOUND;
		if (out->seq <= at)
			return vault_tree_row_unpack(vault_iter_value(it),
						     &out->row);
		if (step == STEPS_BEFORE_SEEK) {
			const struct vault_tree_key k =
				vault_tree_key_row(p->dir, p->name, at);

			vault_iter_seek(it, vault_tree_key_span(&k));
		} else {
			vault_iter_next(it);
		}
	}
}

/* Move past every row of `p`. */
static void past(struct vault_iter *it, const struct place *p)
{
	const struct vault_tree_key k =
		vault_tree_key_row_past(p->dir, p->name);
	struct vault_span name;
	uint64_t seq;

	for (unsigned step = 0; step < STEPS_BEFORE_SEEK; step++) {
		if (here(it, p->dir, &name, &seq) != VAULT_OK ||
		    !vault_span_equal(name, p->name))
			return;
		vault_iter_next(it);
	}
	vault_iter_seek(it, vault_tree_key_span(&k));
}

/* What a walk over the names of a directory does with each of them. */
typedef vault_err visit_place(struct vault_iter *it, const struct place *p,
			      uint64_t at, vault_tree_visit *visit, void *ctx);

static vault_err each_place(struct vault_tree *t, uint64_t dir, uint64_t at,
			    struct vault_span after, visit_place *each,
			    vault_tree_visit *visit, void *ctx)
{
	struct vault_tree_cursor c;
	struct vault_tree_key start;
	struct place p;
	struct vault_span name;
	uint64_t seq;
	vault_err err;

	if (after.len > 0)
		start = vault_tree_key_row_past(dir, after);
	else
		start = vault_tree_key_live(dir, VAULT_SPAN_EMPTY);
	err = vault_tree_cursor_take(t, VAULT_CF_ROW, &c);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek(c.it, vault_tree_key_span(&start));
	while ((err = here(c.it, dir, &name, &seq)) == VAULT_OK) {
		hold(&p, dir, name);
		err = each(c.it, &p, at, visit, ctx);
		if (err != VAULT_OK)
			goto out;
		past(c.it, &p);
	}
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
out:
	vault_tree_cursor_give(t, &c);
	return err;
}

static vault_err as_of(struct vault_iter *it, const struct place *p,
		       uint64_t at, vault_tree_visit *visit, void *ctx)
{
	struct vault_version v;
	const vault_err err = to_row(it, p, at, &v);

	if (err == VAULT_ERR_NOT_FOUND ||
	    (err == VAULT_OK && v.row.kind == VAULT_KIND_NONE))
		return VAULT_OK;
	return err != VAULT_OK ? err : visit(ctx, p->name, &v);
}

struct live_walk {
	vault_tree_visit *visit;
	void *ctx;
};

static vault_err live_entry(void *ctx, struct vault_span name,
			    const struct vault_live *l)
{
	const struct live_walk *w = ctx;

	return w->visit(w->ctx, name, &l->version);
}

/*
 * Has any name of the directory changed after `at`? Its own iterator: it must
 * not be older than the one over LIVE that the answer is for.
 */
static vault_err changed_since(struct vault_tree *t, uint64_t dir, uint64_t at,
			       bool *out)
{
	const struct vault_tree_key key =
		vault_tree_key_pair(dir, VAULT_AT_NOW);
	struct vault_iter *it;
	uint64_t found, seq;
	vault_err err;

	err = vault_iter_create(t->index, VAULT_CF_TOUCHED, VAULT_SPAN_EMPTY,
				VAULT_SPAN_EMPTY, &it);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek(it, vault_tree_key_span(&key));
	err = vault_iter_error(it);
	if (err == VAULT_OK)
		*out = vault_iter_valid(it) &&
		       vault_tree_key_pair_parse(vault_iter_key(it), &found,
						 &seq) &&
		       found == dir && seq > at;
	vault_iter_destroy(it);
	return err;
}

/*
 * LIVE holds no superseded rows, and most directories are as they were long
 * ago: where nothing changed since `at`, it is the answer, in half the time.
 */
vault_err vault_tree_list(struct vault_tree *t, uint64_t dir, uint64_t at,
			  struct vault_span after, vault_tree_visit *visit,
			  void *ctx)
{
	struct live_walk w = { visit, ctx };
	struct vault_tree_cursor c;
	bool changed = dir == VAULT_DIR_ABOVE && at != VAULT_AT_NOW;
	vault_err err;

	if (after.len > VAULT_NAME_MAX)
		after.len = VAULT_NAME_MAX;
	err = vault_tree_cursor_take(t, VAULT_CF_LIVE, &c);
	if (err != VAULT_OK)
		return err;
	if (at != VAULT_AT_NOW && !changed)
		err = changed_since(t, dir, at, &changed);
	if (err == VAULT_OK && !changed)
		err = vault_tree_live_each(c.it, dir, after, live_entry, &w);
	vault_tree_cursor_give(t, &c);
	if (err == VAULT_OK && changed)
		err = each_place(t, dir, at, after, as_of, visit, ctx);
	return err;
}

/* The newest row; of a tombstone the row before it, with its own sequence. */
static vault_err ever(struct vault_iter *it, const struct place *p, uint64_t at,
		      vault_tree_visit *visit, void *ctx)
{
	struct vault_version v, older;
	vault_err err;

	err = to_row(it, p, at, &v);
	if (err != VAULT_OK)
		return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
	older = v;
	while (older.row.kind == VAULT_KIND_NONE) {
		vault_iter_next(it);
		err = to_row(it, p, at, &older);
		if (err != VAULT_OK)
			return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
	}
	older.seq = v.seq;
	older.row.kind = v.row.kind;
	return visit(ctx, p->name, &older);
}

vault_err vault_tree_list_ever(struct vault_tree *t, uint64_t dir,
			       vault_tree_visit *visit, void *ctx)
{
	return each_place(t, dir, VAULT_AT_NOW, VAULT_SPAN_EMPTY, ever, visit,
			  ctx);
}
