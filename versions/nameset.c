/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/nameset.h"

#include <stdlib.h>

void vault_nameset_release(struct vault_nameset *s)
{
	vault_buf_release(&s->bytes);
	free(s->items);
	*s = VAULT_NAMESET_INIT;
}

vault_err vault_nameset_add(struct vault_nameset *s, struct vault_span name)
{
	const size_t cap = s->cap == 0 ? 16 : s->cap * 2;
	const size_t off = s->bytes.len;
	struct vault_nameset_item *items;
	vault_err err;

	if (s->n_items == s->cap) {
		items = realloc(s->items, cap * sizeof(items[0]));
		if (items == NULL)
			return VAULT_ERR_NOMEM;
		s->items = items;
		s->cap = cap;
	}
	err = vault_buf_append(&s->bytes, name);
	if (err != VAULT_OK)
		return err;
	s->items[s->n_items++] = (struct vault_nameset_item){ off, name.len };
	return VAULT_OK;
}

struct vault_span vault_nameset_get(const struct vault_nameset *s, size_t i)
{
	return vault_span(s->bytes.data + s->items[i].off, s->items[i].len);
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct vault_nameset *s = ctx;
	const struct vault_nameset_item *x = a;
	const struct vault_nameset_item *y = b;

	return vault_span_compare(vault_span(s->bytes.data + x->off, x->len),
				  vault_span(s->bytes.data + y->off, y->len));
}

void vault_nameset_settle(struct vault_nameset *s)
{
	size_t n = 0;

	if (s->n_items == 0)
		return;
	qsort_r(s->items, s->n_items, sizeof(s->items[0]), compare, s);
	for (size_t i = 1; i < s->n_items; i++)
		if (compare(&s->items[n], &s->items[i], s) != 0)
			s->items[++n] = s->items[i];
	s->n_items = n + 1;
}
