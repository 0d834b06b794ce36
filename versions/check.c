/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/check.h"

#include <stdlib.h>

#include "store/pack_format.h"
#include "versions/commit.h"
#include "versions/tree_internal.h"

/*
 * Two passes: the store reads its packs, then every row of the tree is asked
 * for its contents. A content is checked once, however many versions share
 * it, so its verdict is remembered by id.
 */

struct verdict {
	struct vault_id id; /* none: the slot is free */
	vault_err err;
};

/* Open addressing; ids are hashes themselves. */
struct verdicts {
	struct verdict *slots;
	size_t n;
	size_t cap;
};

struct run {
	struct vault_tree *t;
	bool data;
	const struct vault_check_sink *sink;
	enum vault_check_result result;
	struct verdicts verdicts;
	uint64_t *lost_seqs; /* commits whose record is damaged */
	size_t n_lost;
	size_t cap_lost;
	uint64_t units; /* of progress that each pass counts for */
};

static void worsen(struct run *r, enum vault_check_result to)
{
	if (r->result < to)
		r->result = to;
}

/* ---- what is known of contents ---- */

static struct verdict *slot_of(struct verdict *slots, size_t cap,
			       const struct vault_id *id)
{
	size_t i = (size_t)vault_bytes_get_le64(id->b) & (cap - 1);

	while (!vault_id_is_none(&slots[i].id) &&
	       !vault_id_equal(&slots[i].id, id))
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static vault_err grow(struct verdicts *v)
{
	const size_t cap = v->cap == 0 ? 1024 : v->cap * 2;
	struct verdict *slots = calloc(cap, sizeof(slots[0]));

	if (slots == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; i < v->cap; i++)
		if (!vault_id_is_none(&v->slots[i].id))
			*slot_of(slots, cap, &v->slots[i].id) = v->slots[i];
	free(v->slots);
	v->slots = slots;
	v->cap = cap;
	return VAULT_OK;
}

/* OK, CORRUPT, DANGLING of a content in `*verdict`; fails for other causes. */
static vault_err judge(struct run *r, const struct vault_id *id,
		       vault_err *verdict)
{
	struct verdict *slot;
	vault_err err;

	if (vault_id_is_none(id)) {
		*verdict = VAULT_OK;
		return VAULT_OK;
	}
	if (r->verdicts.n * 4 >= r->verdicts.cap * 3) {
		err = grow(&r->verdicts);
		if (err != VAULT_OK)
			return err;
	}
	slot = slot_of(r->verdicts.slots, r->verdicts.cap, id);
	if (vault_id_is_none(&slot->id)) {
		err = vault_store_check_content(r->t->store, id, r->data);
		if (err == VAULT_ERR_NOT_FOUND)
			err = VAULT_ERR_DANGLING;
		if (err != VAULT_OK && err != VAULT_ERR_CORRUPT &&
		    err != VAULT_ERR_DANGLING)
			return err;
		*slot = (struct verdict){ *id, err };
		r->verdicts.n++;
	}
	*verdict = slot->err;
	return VAULT_OK;
}

/* ---- the store's findings ---- */

static vault_err note_lost(struct run *r, uint64_t seq)
{
	const size_t cap = r->cap_lost == 0 ? 16 : r->cap_lost * 2;
	uint64_t *seqs;

	if (r->n_lost == r->cap_lost) {
		seqs = realloc(r->lost_seqs, cap * sizeof(seqs[0]));
		if (seqs == NULL)
			return VAULT_ERR_NOMEM;
		r->lost_seqs = seqs;
		r->cap_lost = cap;
	}
	r->lost_seqs[r->n_lost++] = seq;
	return VAULT_OK;
}

static bool is_entry(uint8_t record_type)
{
	return record_type >= VAULT_ENTRY_COMMIT &&
	       record_type <= VAULT_ENTRY_RETIRE;
}

/*
 * A pack's header and its params say nothing that is not known otherwise, and
 * a gap of one record without a payload was a mark.
 */
static bool is_of_no_weight(const struct vault_finding *f)
{
	if (f->offset == 0)
		return f->len == VAULT_PACK_HEADER_BYTES;
	if (f->offset == VAULT_PACK_HEADER_BYTES)
		return f->len == VAULT_PACK_FIRST - VAULT_PACK_HEADER_BYTES;
	return f->len == VAULT_RECORD_HEADER_BYTES;
}

/*
 * A damaged chunk or recipe is as bad as the versions that need it, which the
 * second pass finds out. An entry is needed by itself. What is not known to
 * be either may have been an entry.
 */
static vault_err judge_damage(struct run *r, const struct vault_finding *f)
{
	if (f->record_type != 0 && !is_entry(f->record_type)) {
		worsen(r, VAULT_CHECK_REPAIRABLE);
		return VAULT_OK;
	}
	if (f->record_type == 0 && f->kind == VAULT_FINDING_DAMAGED &&
	    is_of_no_weight(f)) {
		worsen(r, VAULT_CHECK_REPAIRABLE);
		return VAULT_OK;
	}
	worsen(r, VAULT_CHECK_LOST);
	if (f->record_type == VAULT_ENTRY_COMMIT && f->seq != 0)
		return note_lost(r, f->seq);
	return VAULT_OK;
}

static vault_err on_finding(void *ctx, const struct vault_finding *f)
{
	struct run *r = ctx;
	vault_err err = VAULT_OK;

	switch (f->kind) {
	case VAULT_FINDING_INDEX:
	case VAULT_FINDING_SMALL:
		worsen(r, VAULT_CHECK_REPAIRABLE);
		break;
	case VAULT_FINDING_DAMAGED:
	case VAULT_FINDING_MISSING:
		err = judge_damage(r, f);
		break;
	}
	if (err != VAULT_OK || r->sink->finding == NULL)
		return err;
	return r->sink->finding(r->sink->ctx, f);
}

static vault_err on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct run *r = ctx;

	r->units = total;
	if (r->sink->progress == NULL)
		return VAULT_OK;
	return r->sink->progress(r->sink->ctx, done, total * 2);
}

/* ---- every version ---- */

static int compare_seqs(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static bool commit_is_lost(const struct run *r, uint64_t seq)
{
	return r->n_lost > 0 && bsearch(&seq, r->lost_seqs, r->n_lost,
					sizeof(seq), compare_seqs) != NULL;
}

/* Where the version was, as well as can be told. */
static vault_err path_of(struct run *r, uint64_t dir, struct vault_span name,
			 uint64_t seq, struct vault_buf *path)
{
	vault_err err;

	if (dir == VAULT_DIR_ABOVE)
		return VAULT_OK;
	err = vault_tree_dir_path(r->t, dir, seq, path);
	if (err == VAULT_ERR_NOT_FOUND)
		err = vault_buf_append_str(path, "?");
	if (err == VAULT_OK && path->len > 0)
		err = vault_buf_put_u8(path, '/');
	if (err == VAULT_OK)
		err = vault_buf_append(path, name);
	return err;
}

static vault_err report(struct run *r, uint64_t dir, struct vault_span name,
			const struct vault_version *v, vault_err reason)
{
	struct vault_check_version found = { .version = *v, .reason = reason };
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_moment m;
	vault_err err;

	worsen(r, VAULT_CHECK_LOST);
	if (r->sink->version == NULL)
		return VAULT_OK;
	err = path_of(r, dir, name, v->seq, &path);
	if (err != VAULT_OK)
		goto out;
	err = vault_moment_of(r->t, v->seq, &m);
	if (err == VAULT_ERR_NOT_FOUND)
		err = vault_moment_get(r->t, v->seq, &m); /* still partial */
	if (err == VAULT_OK)
		found.moment_time = m.time;
	else if (err != VAULT_ERR_NOT_FOUND)
		goto out;
	found.path = vault_buf_span(&path);
	err = r->sink->version(r->sink->ctx, &found);
out:
	vault_buf_release(&path);
	return err;
}

static vault_err check_row(struct run *r, struct vault_span key,
			   struct vault_span value)
{
	struct vault_version v;
	struct vault_span name;
	uint64_t dir;
	vault_err err, content, xattrs;

	if (!vault_tree_key_row_parse(key, &dir, &name, &v.seq))
		return VAULT_ERR_INDEX;
	err = vault_tree_row_unpack(value, &v.row);
	if (err == VAULT_OK)
		err = judge(r, &v.row.content, &content);
	if (err == VAULT_OK)
		err = judge(r, &v.row.xattrs, &xattrs);
	if (err != VAULT_OK)
		return err;
	if (content == VAULT_OK)
		content = xattrs;
	if (content == VAULT_OK && commit_is_lost(r, v.seq))
		content = VAULT_ERR_CORRUPT;
	return content == VAULT_OK ? VAULT_OK
				   : report(r, dir, name, &v, content);
}

static vault_err progress(const struct run *r, uint64_t done, uint64_t total)
{
	const uint64_t units = r->units > 0 ? r->units : 1;
	uint64_t part;

	if (r->sink->progress == NULL)
		return VAULT_OK;
	part = total == 0 || done >= total
		       ? units
		       : (uint64_t)((double)done / (double)total *
				    (double)units);
	return r->sink->progress(r->sink->ctx, r->units + part,
				 r->units + units);
}

/* How often progress is told. */
#define ROWS_A_STEP 256

static vault_err check_rows(struct run *r)
{
	struct vault_iter *it = NULL;
	struct vault_tree_state state;
	uint64_t n = 0;
	vault_err err;

	if (r->n_lost > 0)
		qsort(r->lost_seqs, r->n_lost, sizeof(r->lost_seqs[0]),
		      compare_seqs);
	err = vault_tree_state_get(r->t->index, &state);
	/* Its own iterator: it will be in use for long. */
	if (err == VAULT_OK)
		err = vault_iter_create(r->t->index, VAULT_CF_ROW,
					VAULT_SPAN_EMPTY, VAULT_SPAN_EMPTY,
					&it);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_first(it);
	for (; err == VAULT_OK && vault_iter_valid(it); vault_iter_next(it)) {
		err = check_row(r, vault_iter_key(it), vault_iter_value(it));
		if (err == VAULT_OK && ++n % ROWS_A_STEP == 0)
			err = progress(r, n, state.rows);
	}
	if (err == VAULT_OK)
		err = vault_iter_error(it);
	if (err == VAULT_OK)
		err = progress(r, 1, 1);
	vault_iter_destroy(it);
	return err;
}

vault_err vault_check_run(struct vault_tree *t, bool data,
			  const struct vault_check_sink *sink,
			  enum vault_check_result *out)
{
	struct run r = {
		.t = t, .data = data, .sink = sink, .result = VAULT_CHECK_CLEAN
	};
	vault_err err;

	err = vault_store_check(t->store, data, on_finding, on_progress, &r);
	if (err == VAULT_OK)
		err = check_rows(&r);
	if (err == VAULT_OK)
		*out = r.result;
	free(r.verdicts.slots);
	free(r.lost_seqs);
	return err;
}
