/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_format.h"
#include "versions/tree_internal.h"

/* Deeper than any path a kernel would take; ends a walk in a damaged index. */
#define DEPTH_MAX 4096

vault_err vault_tree_dir_parent(struct vault_iter *it, uint64_t dir,
				uint64_t at, uint64_t *parent,
				struct vault_span *name)
{
	const struct vault_tree_key key = vault_tree_key_pair(dir, at);
	uint64_t newest = 0;
	vault_err err;

	vault_iter_seek(it, vault_tree_key_span(&key));
	for (bool first = true; vault_iter_valid(it); first = false) {
		struct vault_span n;
		uint64_t node, seq, above;

		if (!vault_tree_key_node_parse(vault_iter_key(it), &node, &seq,
					       &above, &n))
			return VAULT_ERR_INDEX;
		if (node != dir || (!first && seq != newest))
			return VAULT_ERR_NOT_FOUND;
		newest = seq;
		/* A rename unlinks one name and links another in one commit;
		 * a directory never has two. */
		if (vault_iter_value(it).len == 1 &&
		    vault_iter_value(it).data[0] == VAULT_TREE_LINKED) {
			*parent = above;
			*name = n;
			return VAULT_OK;
		}
		vault_iter_next(it);
	}
	err = vault_iter_error(it);
	return err != VAULT_OK ? err : VAULT_ERR_NOT_FOUND;
}

/* Names from `dir` up to the root, each followed by its length (one byte), so
 * that they can be read from the end. */
static vault_err climb(struct vault_tree *t, uint64_t dir, uint64_t at,
		       struct vault_buf *names)
{
	struct vault_tree_cursor c = { 0 };
	vault_err err;

	if (dir == VAULT_NODE_ROOT)
		return VAULT_OK;
	err = vault_tree_cursor_take(t, VAULT_CF_NODE, &c);
	for (unsigned depth = 0; err == VAULT_OK && dir != VAULT_NODE_ROOT;
	     depth++) {
		struct vault_span name;

		err = depth < DEPTH_MAX ? vault_tree_dir_parent(c.it, dir, at,
								&dir, &name)
					: VAULT_ERR_INDEX;
		if (err == VAULT_OK)
			err = vault_buf_append(names, name);
		if (err == VAULT_OK)
			err = vault_buf_put_u8(names, (uint8_t)name.len);
	}
	vault_tree_cursor_give(t, &c);
	return err;
}

vault_err vault_tree_dir_path(struct vault_tree *t, uint64_t dir, uint64_t at,
			      struct vault_buf *path)
{
	struct vault_buf names = VAULT_BUF_INIT;
	struct vault_buf p = VAULT_BUF_INIT;
	vault_err err;
	size_t end;

	err = climb(t, dir, at, &names);
	if (err != VAULT_OK)
		goto out;
	for (end = names.len; end > 0 && err == VAULT_OK;) {
		const size_t len = names.data[end - 1];

		end -= len + 1;
		if (p.len > 0)
			err = vault_buf_put_u8(&p, '/');
		if (err == VAULT_OK)
			err = vault_buf_append(
				&p, vault_span(names.data + end, len));
	}
	if (err == VAULT_OK)
		vault_buf_move(path, &p);
out:
	vault_buf_release(&names);
	vault_buf_release(&p);
	return err;
}

vault_err vault_tree_dir_reachable(struct vault_tree *t, uint64_t dir,
				   uint64_t at, bool *out)
{
	struct vault_buf names = VAULT_BUF_INIT;
	const vault_err err = climb(t, dir, at, &names);

	vault_buf_release(&names);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
		return err;
	*out = err == VAULT_OK;
	return VAULT_OK;
}
