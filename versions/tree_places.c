/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree_internal.h"

static vault_err place(struct vault_tree *t, uint64_t node, uint64_t at,
		       const struct vault_tree_links *l,
		       const struct vault_tree_link *i, vault_tree_place *visit,
		       void *ctx)
{
	const struct vault_span name = vault_tree_links_name(l, i);
	struct vault_version v;
	bool there;
	vault_err err;

	err = vault_tree_lookup(t, i->dir, name, at, &v);
	if (err == VAULT_ERR_NOT_FOUND ||
	    (err == VAULT_OK && v.row.node != node))
		return VAULT_OK; /* a commit came between: gone by now */
	if (err != VAULT_OK)
		return err;
	if (i->dir != VAULT_DIR_ABOVE) {
		err = vault_tree_dir_reachable(t, i->dir, at, &there);
		if (err != VAULT_OK || !there)
			return err;
	}
	return visit(ctx, i->dir, name, &v);
}

vault_err vault_tree_places(struct vault_tree *t, uint64_t node, uint64_t at,
			    vault_tree_place *visit, void *ctx)
{
	struct vault_tree_links l = VAULT_TREE_LINKS_INIT;
	vault_err err;

	err = vault_tree_links_read(t, node, at, &l);
	for (size_t i = 0; err == VAULT_OK && i < l.n_items; i++)
		if (l.items[i].linked)
			err = place(t, node, at, &l, &l.items[i], visit, ctx);
	vault_tree_links_release(&l);
	return err;
}
