/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_list.h"

#include <stdlib.h>

void vault_view_list_release(struct vault_view_list *l)
{
	vault_buf_release(&l->names);
	free(l->items);
	*l = VAULT_VIEW_LIST_INIT;
}

static vault_err add_text(struct vault_view_list *l, struct vault_span s,
			  size_t *offset)
{
	const size_t at = l->names.len;
	vault_err err;

	err = vault_buf_append(&l->names, s);
	if (err == VAULT_OK)
		err = vault_buf_put_u8(&l->names, 0);
	*offset = at;
	return err;
}

static vault_err add_item(struct vault_view_list *l,
			  const struct vault_view_list_item *item)
{
	if (l->n == l->cap) {
		const size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct vault_view_list_item *items =
			realloc(l->items, cap * sizeof(*items));

		if (items == NULL)
			return VAULT_ERR_NOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = *item;
	return VAULT_OK;
}

vault_err vault_view_list_add(struct vault_view_list *l, struct vault_span name,
			      mode_t type, const struct vault_view_key *key)
{
	struct vault_view_list_item item = {
		.ino = vault_view_nodes_ino(key),
		.seq = key->seq,
		.type = type,
		.kind = key->kind,
	};
	vault_err err;

	err = add_text(l, name, &item.name);
	item.then = item.name;
	return err == VAULT_OK ? add_item(l, &item) : err;
}

vault_err vault_view_list_add_version(struct vault_view_list *l,
				      struct vault_span name, mode_t type,
				      uint64_t dir, struct vault_span then,
				      uint64_t seq)
{
	const struct vault_view_key key = {
		.kind = VAULT_VIEW_VERSION,
		.dir = dir,
		.seq = seq,
		.path = then,
	};
	struct vault_view_list_item item = {
		.ino = vault_view_nodes_ino(&key),
		.dir = dir,
		.seq = seq,
		.type = type,
		.kind = VAULT_VIEW_VERSION,
	};
	vault_err err;

	err = add_text(l, name, &item.name);
	item.then = item.name;
	if (err == VAULT_OK && !vault_span_equal(name, then))
		err = add_text(l, then, &item.then);
	return err == VAULT_OK ? add_item(l, &item) : err;
}
