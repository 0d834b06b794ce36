/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pending.h"

#include <assert.h>
#include <stdlib.h>

#include "store/base/bytes.h"

#define SMALLEST 1024

void vault_pending_release(struct vault_pending *p)
{
	free(p->slots);
	*p = (struct vault_pending){ 0 };
}

/* The slot that holds `id`, or the empty one where it belongs. */
static struct vault_pending_row *slot(struct vault_pending_row *slots,
				      size_t n_slots, const struct vault_id *id)
{
	/* Tests shorten ids, so both halves count. */
	const uint64_t h = (vault_bytes_get_le64(id->b) ^
			    vault_bytes_get_le64(id->b + 8)) *
			   UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 20) & (n_slots - 1);

	while (!vault_id_is_none(&slots[i].id) &&
	       !vault_id_equal(&slots[i].id, id))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

vault_err vault_pending_reserve(struct vault_pending *p)
{
	const size_t n = p->n_slots == 0 ? SMALLEST : 2 * p->n_slots;
	struct vault_pending_row *slots;

	if ((p->n_rows + 1) * 4 <= p->n_slots * 3)
		return VAULT_OK;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; i < p->n_slots; i++)
		if (!vault_id_is_none(&p->slots[i].id))
			*slot(slots, n, &p->slots[i].id) = p->slots[i];
	free(p->slots);
	p->slots = slots;
	p->n_slots = n;
	return VAULT_OK;
}

void vault_pending_set(struct vault_pending *p, const struct vault_id *id,
		       const struct vault_record_place *place)
{
	struct vault_pending_row *row;

	assert(!vault_id_is_none(id));
	assert(p->n_rows < p->n_slots);
	row = slot(p->slots, p->n_slots, id);
	if (vault_id_is_none(&row->id))
		p->n_rows++;
	row->id = *id;
	row->place = *place;
}

struct vault_record_place *vault_pending_get(const struct vault_pending *p,
					     const struct vault_id *id)
{
	struct vault_pending_row *row;

	if (p->n_rows == 0 || vault_id_is_none(id))
		return NULL;
	row = slot(p->slots, p->n_slots, id);
	return vault_id_is_none(&row->id) ? NULL : &row->place;
}
