/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/idmap.h"

#include <assert.h>
#include <stdlib.h>

void vault_idmap_release(struct vault_idmap *m)
{
	free(m->slots);
	*m = VAULT_IDMAP_INIT;
}

/* The slot that holds `id`, or the free one where it would go. */
static size_t find(const struct vault_idmap_slot *slots, size_t cap,
		   uint64_t id)
{
	/* Fibonacci hashing: ids come in runs. */
	size_t i = (size_t)((id * 0x9e3779b97f4a7c15u) >> 20) & (cap - 1);

	while (slots[i].value != VAULT_IDMAP_NONE && slots[i].id != id)
		i = (i + 1) & (cap - 1);
	return i;
}

size_t vault_idmap_get(const struct vault_idmap *m, uint64_t id)
{
	if (m->cap == 0)
		return VAULT_IDMAP_NONE;
	return m->slots[find(m->slots, m->cap, id)].value;
}

static vault_err grow(struct vault_idmap *m)
{
	const size_t cap = m->cap == 0 ? 64 : m->cap * 2;
	struct vault_idmap_slot *slots = malloc(cap * sizeof(slots[0]));

	if (slots == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; i < cap; i++)
		slots[i] = (struct vault_idmap_slot){ 0, VAULT_IDMAP_NONE };
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].value != VAULT_IDMAP_NONE)
			slots[find(slots, cap, m->slots[i].id)] = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
	return VAULT_OK;
}

vault_err vault_idmap_set(struct vault_idmap *m, uint64_t id, size_t value)
{
	vault_err err;
	size_t i;

	assert(value != VAULT_IDMAP_NONE);
	if (m->n * 4 >= m->cap * 3) {
		err = grow(m);
		if (err != VAULT_OK)
			return err;
	}
	i = find(m->slots, m->cap, id);
	if (m->slots[i].value == VAULT_IDMAP_NONE)
		m->n++;
	m->slots[i] = (struct vault_idmap_slot){ id, value };
	return VAULT_OK;
}
