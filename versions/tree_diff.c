/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/nameset.h"
#include "versions/tree_internal.h"
#include "versions/tree_touched.h"

/*
 * Two moments are compared directory by directory. Where a directory is the
 * same node on both sides, only the names that commits between the two have
 * touched are looked at; where it is not, all names of both sides are.
 */
struct diff {
	struct vault_tree *t;
	uint64_t from;
	uint64_t to;
	vault_tree_change *visit;
	void *ctx;
	struct vault_buf path;
};

static vault_err add_listed(void *ctx, struct vault_span name,
			    const struct vault_version *v)
{
	(void)v;
	return vault_nameset_add(ctx, name);
}

/* All names that a directory has on one side; none if there is none. */
static vault_err add_all(struct diff *d, uint64_t dir, uint64_t at,
			 struct vault_nameset *names)
{
	if (dir == VAULT_NODE_NONE)
		return VAULT_OK;
	return vault_tree_list(d->t, dir, at, VAULT_SPAN_EMPTY, add_listed,
			       names);
}

/* The name of a directory that led further down, on one side. */
static vault_err add_dir(struct vault_iter *nodes, uint64_t dir, uint64_t at,
			 uint64_t parent, struct vault_nameset *names)
{
	struct vault_span name;
	uint64_t above;
	vault_err err;

	err = vault_tree_dir_parent(nodes, dir, at, &above, &name);
	if (err == VAULT_ERR_NOT_FOUND)
		return VAULT_OK;
	if (err != VAULT_OK || above != parent)
		return err;
	return vault_nameset_add(names, name);
}

static vault_err add_touched(struct diff *d, struct vault_iter *nodes,
			     uint64_t dir, struct vault_span value,
			     struct vault_nameset *names, bool *list)
{
	struct vault_tree_touched touched;
	struct vault_span name;
	vault_err err;

	err = vault_tree_touched_parse(value, &touched);
	if (err != VAULT_OK)
		return err;
	*list = *list || touched.list;
	while (err == VAULT_OK &&
	       vault_tree_touched_name(&touched.names, &name))
		err = vault_nameset_add(names, name);
	for (size_t i = 0; err == VAULT_OK && i < touched.below.len; i += 8) {
		const uint64_t below =
			vault_bytes_get_le64(touched.below.data + i);

		err = add_dir(nodes, below, d->from, dir, names);
		if (err == VAULT_OK)
			err = add_dir(nodes, below, d->to, dir, names);
	}
	return err;
}

/* The names in `dir` that any commit between the two moments touched. */
static vault_err add_between(struct diff *d, uint64_t dir,
			     struct vault_nameset *names)
{
	const uint64_t low = d->from < d->to ? d->from : d->to;
	const uint64_t high = d->from < d->to ? d->to : d->from;
	const struct vault_tree_key key = vault_tree_key_pair(dir, high);
	struct vault_tree_cursor touched = { 0 };
	struct vault_tree_cursor nodes = { 0 };
	uint64_t found, seq;
	bool list = false;
	vault_err err;

	err = vault_tree_cursor_take(d->t, VAULT_CF_TOUCHED, &touched);
	if (err == VAULT_OK)
		err = vault_tree_cursor_take(d->t, VAULT_CF_NODE, &nodes);
	if (err != VAULT_OK)
		goto out;
	vault_iter_seek(touched.it, vault_tree_key_span(&key));
	while (err == VAULT_OK && !list && vault_iter_valid(touched.it) &&
	       vault_tree_key_pair_parse(vault_iter_key(touched.it), &found,
					 &seq) &&
	       found == dir && seq > low) {
		err = add_touched(d, nodes.it, dir,
				  vault_iter_value(touched.it), names, &list);
		vault_iter_next(touched.it);
	}
	if (err == VAULT_OK)
		err = vault_iter_error(touched.it);
	if (err == VAULT_OK && list)
		err = add_all(d, dir, d->from, names);
	if (err == VAULT_OK && list)
		err = add_all(d, dir, d->to, names);
out:
	vault_tree_cursor_give(d->t, &touched);
	vault_tree_cursor_give(d->t, &nodes);
	return err;
}

/* What a name was on one side; kind NONE where nothing was. */
static vault_err side(struct diff *d, uint64_t dir, struct vault_span name,
		      uint64_t at, struct vault_version *out)
{
	vault_err err = VAULT_ERR_NOT_FOUND;

	*out = (struct vault_version){ 0 };
	if (dir != VAULT_NODE_NONE)
		err = vault_tree_lookup(d->t, dir, name, at, out);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

static vault_err push(struct vault_buf *path, struct vault_span name)
{
	vault_err err = VAULT_OK;

	if (path->len > 0)
		err = vault_buf_put_u8(path, '/');
	return err != VAULT_OK ? err : vault_buf_append(path, name);
}

static uint64_t dir_of(const struct vault_version *v)
{
	return v->row.kind == VAULT_KIND_DIR ? v->row.node : VAULT_NODE_NONE;
}

static vault_err compare_dirs(struct diff *d, uint64_t a, uint64_t b);

static vault_err compare_name(struct diff *d, uint64_t a, uint64_t b,
			      struct vault_span name)
{
	const size_t len = d->path.len;
	struct vault_version before, after;
	vault_err err;

	err = side(d, a, name, d->from, &before);
	if (err == VAULT_OK)
		err = side(d, b, name, d->to, &after);
	if (err == VAULT_OK)
		err = push(&d->path, name);
	if (err == VAULT_OK && !vault_row_same(&before.row, &after.row))
		err = d->visit(d->ctx, vault_buf_span(&d->path), &before,
			       &after);
	if (err == VAULT_OK)
		err = compare_dirs(d, dir_of(&before), dir_of(&after));
	d->path.len = len;
	return err;
}

/* `a` is a directory at `from`, `b` at `to`; either may be none. */
static vault_err compare_dirs(struct diff *d, uint64_t a, uint64_t b)
{
	struct vault_nameset names = VAULT_NAMESET_INIT;
	vault_err err;

	if (a == VAULT_NODE_NONE && b == VAULT_NODE_NONE)
		return VAULT_OK;
	if (a == b) {
		err = add_between(d, a, &names);
	} else {
		err = add_all(d, a, d->from, &names);
		if (err == VAULT_OK)
			err = add_all(d, b, d->to, &names);
	}
	vault_nameset_settle(&names);
	for (size_t i = 0; err == VAULT_OK && i < names.n_items; i++)
		err = compare_name(d, a, b, vault_nameset_get(&names, i));
	vault_nameset_release(&names);
	return err;
}

/* `dir` if it is there then, with all above it. */
static vault_err if_there(struct vault_tree *t, uint64_t dir, uint64_t at,
			  uint64_t *out)
{
	bool there;
	vault_err err;

	err = vault_tree_dir_reachable(t, dir, at, &there);
	if (err == VAULT_OK)
		*out = there ? dir : VAULT_NODE_NONE;
	return err;
}

vault_err vault_tree_diff(struct vault_tree *t, uint64_t dir, uint64_t from,
			  uint64_t to, vault_tree_change *visit, void *ctx)
{
	struct diff d = { t, from, to, visit, ctx, VAULT_BUF_INIT };
	struct vault_tree_state state;
	uint64_t a, b;
	vault_err err;

	/* The present must not move on while it is compared. */
	err = vault_tree_state_get(t->index, &state);
	if (err != VAULT_OK)
		return err;
	if (from == VAULT_AT_NOW)
		d.from = state.last_seq;
	if (to == VAULT_AT_NOW)
		d.to = state.last_seq;
	err = if_there(t, dir, d.from, &a);
	if (err == VAULT_OK)
		err = if_there(t, dir, d.to, &b);
	if (err == VAULT_OK)
		err = compare_dirs(&d, a, b);
	vault_buf_release(&d.path);
	return err;
}
