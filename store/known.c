/* SPDX-License-Identifier: Apache-2.0 */
#include "store/known.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/layout.h"

/* How many ids go to the index at once. */
#define BATCH 256

struct row {
	struct vault_id id; /* none: the row is empty */
	struct vault_record_place place;
};

struct vault_known {
	size_t n;
	size_t mask; /* rows less one; a power of two, at most half full */
	struct row *rows;
};

static struct row *slot(struct row *rows, size_t mask,
			const struct vault_id *id)
{
	size_t i = vault_bytes_get_le64(id->b) & mask;

	while (!vault_id_is_none(&rows[i].id) &&
	       !vault_id_equal(&rows[i].id, id))
		i = (i + 1) & mask;
	return &rows[i];
}

static vault_err grow(struct vault_known *k)
{
	const size_t n_rows = k->rows == NULL ? 64 : 2 * (k->mask + 1);
	struct row *rows = calloc(n_rows, sizeof(*rows));

	if (rows == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; k->rows != NULL && i <= k->mask; i++)
		if (!vault_id_is_none(&k->rows[i].id))
			*slot(rows, n_rows - 1, &k->rows[i].id) = k->rows[i];
	free(k->rows);
	k->rows = rows;
	k->mask = n_rows - 1;
	return VAULT_OK;
}

static vault_err add(struct vault_known *k, const struct vault_id *id,
		     const struct vault_record_place *place)
{
	struct row *row;

	if (k->rows == NULL || 2 * k->n > k->mask) {
		const vault_err err = grow(k);

		if (err != VAULT_OK)
			return err;
	}
	row = slot(k->rows, k->mask, id);
	k->n += vault_id_is_none(&row->id);
	*row = (struct row){ *id, *place };
	return VAULT_OK;
}

/* Ask where a batch of ids lies and note those that are there. */
static vault_err add_batch(struct vault_known *k, struct vault_store *s,
			   const struct vault_id *ids, size_t n)
{
	struct vault_record_place places[BATCH];
	bool found[BATCH];
	vault_err err;

	if (n == 0)
		return VAULT_OK;
	err = vault_records_find(s, n, ids, places, found);
	for (size_t i = 0; i < n && err == VAULT_OK; i++)
		if (found[i])
			err = add(k, &ids[i], &places[i]);
	return err;
}

static vault_err add_all(struct vault_known *k, struct vault_store *s,
			 struct vault_layout *l)
{
	const uint64_t size = vault_layout_info(l).size;
	struct vault_id ids[BATCH];
	struct vault_piece p;
	size_t n = 0;
	vault_err err = VAULT_OK;

	for (uint64_t off = 0; off < size && k->n + n < VAULT_KNOWN_MOST;
	     off = p.start + p.len) {
		err = vault_layout_at(l, off, &p);
		if (err != VAULT_OK)
			break;
		if (vault_id_is_none(&p.id))
			continue;
		ids[n++] = p.id;
		if (n == BATCH) {
			err = add_batch(k, s, ids, n);
			n = 0;
			if (err != VAULT_OK)
				return err;
		}
	}
	/* What a damaged recipe does not say is asked of the index later. */
	if (err == VAULT_ERR_CORRUPT || err == VAULT_ERR_DANGLING)
		err = VAULT_OK;
	return err == VAULT_OK ? add_batch(k, s, ids, n) : err;
}

vault_err vault_known_create(struct vault_store *s,
			     const struct vault_id *content,
			     struct vault_known **out)
{
	struct vault_known *k = calloc(1, sizeof(*k));
	struct vault_layout *l = NULL;
	vault_err err;

	if (k == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_layout_open(s, content, &l);
	if (err == VAULT_OK)
		err = add_all(k, s, l);
	else if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_CORRUPT ||
		 err == VAULT_ERR_NEWER)
		err = VAULT_OK;
	vault_layout_close(l);
	if (err == VAULT_OK)
		*out = k;
	else
		vault_known_destroy(k);
	return err;
}

void vault_known_destroy(struct vault_known *k)
{
	if (k == NULL)
		return;
	free(k->rows);
	free(k);
}

bool vault_known_find(const struct vault_known *k, const struct vault_id *id,
		      struct vault_record_place *place)
{
	const struct row *row;

	if (k == NULL || k->rows == NULL)
		return false;
	row = slot(k->rows, k->mask, id);
	if (vault_id_is_none(&row->id))
		return false;
	*place = row->place;
	return true;
}
