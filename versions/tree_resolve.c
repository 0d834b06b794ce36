/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_internal.h"

/* Cut the first name off `path`. */
static struct vault_span first_name(struct vault_span *path)
{
	const uint8_t *slash = memchr(path->data, '/', path->len);
	struct vault_span name = *path;

	if (slash == NULL) {
		*path = VAULT_SPAN_EMPTY;
		return name;
	}
	name.len = (size_t)(slash - path->data);
	*path = vault_span_from(*path, name.len + 1);
	return name;
}

vault_err vault_tree_resolve(struct vault_tree *t, struct vault_span path,
			     uint64_t at, struct vault_version *out)
{
	uint64_t dir = VAULT_NODE_ROOT;
	struct vault_version v;
	vault_err err;

	if (path.len == 0)
		return vault_tree_lookup(t, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
					 at, out);
	for (;;) {
		const struct vault_span name = first_name(&path);

		err = vault_tree_lookup(t, dir, name, at, &v);
		if (err != VAULT_OK)
			return err;
		if (path.len == 0)
			break;
		if (v.row.kind != VAULT_KIND_DIR)
			return VAULT_ERR_NOT_DIR;
		dir = v.row.node;
	}
	*out = v;
	return VAULT_OK;
}

/*
 * Try every directory that `name` has been up to `at`, newest first. What was
 * below one of them counts only as it was while it had this name.
 */
static vault_err known(struct vault_tree *t, uint64_t dir,
		       struct vault_span path, uint64_t at,
		       struct vault_version *out)
{
	const struct vault_span name = first_name(&path);
	uint64_t until = at; /* the last commit of the row's reign */
	uint64_t node = VAULT_NODE_NONE;
	struct vault_version v;
	vault_err err;

	if (path.len == 0)
		return vault_tree_last_known(t, dir, name, at, out);
	for (;;) {
		err = vault_tree_row_at(t, dir, name, until, &v);
		if (err != VAULT_OK)
			return err;
		if (v.row.kind == VAULT_KIND_DIR && v.row.node != node) {
			err = known(t, v.row.node, path, until, out);
			if (err != VAULT_ERR_NOT_FOUND)
				return err;
		}
		node = v.row.kind == VAULT_KIND_DIR ? v.row.node
						    : VAULT_NODE_NONE;
		if (v.seq == 0)
			return VAULT_ERR_NOT_FOUND;
		until = v.seq - 1;
	}
}

vault_err vault_tree_resolve_last_known(struct vault_tree *t,
					struct vault_span path, uint64_t at,
					struct vault_version *out)
{
	if (path.len == 0)
		return vault_tree_last_known(t, VAULT_DIR_ABOVE,
					     VAULT_SPAN_EMPTY, at, out);
	return known(t, VAULT_NODE_ROOT, path, at, out);
}
