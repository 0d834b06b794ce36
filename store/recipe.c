/* SPDX-License-Identifier: Apache-2.0 */
#include "store/recipe.h"

#include <assert.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/chunker.h"
#include "store/codec.h"
#include "store/recipe_format.h"

/* ---- parsing ---- */

static size_t entry_bytes(bool branch)
{
	return branch ? VAULT_RECIPE_LEAF_ENTRY : VAULT_RECIPE_CHUNK_ENTRY;
}

struct vault_recipe_entry vault_recipe_entry(const struct vault_recipe *r,
					     uint32_t i)
{
	const size_t bytes = entry_bytes(r->branch);
	const uint8_t *p = r->entries.data + i * bytes;
	struct vault_recipe_entry e;

	assert(i < r->n);
	memcpy(e.id.b, p, sizeof(e.id.b));
	if (r->branch) {
		e.len = vault_bytes_get_le64(p + VAULT_RECIPE_LEAF_OFF_SPAN);
		e.holes = (e.len & VAULT_RECIPE_SPAN_HOLES) != 0;
		e.len &= ~VAULT_RECIPE_SPAN_HOLES;
	} else {
		e.len = vault_bytes_get_le32(p + VAULT_RECIPE_CHUNK_OFF_LEN);
		e.holes = vault_id_is_none(&e.id);
	}
	return e;
}

/* May an entry be as it is? */
static bool entry_sound(bool branch, const struct vault_recipe_entry *e)
{
	const bool none = vault_id_is_none(&e->id);

	if (e->len == 0)
		return false;
	if (branch)
		return !none;
	return e->len <= (none ? VAULT_RECIPE_HOLE_MAX : VAULT_CHUNK_CEILING);
}

/* Check every entry and add them up into `size` and `holes`. */
static vault_err sum_entries(struct vault_recipe *r)
{
	if (r->n > r->entries.len / entry_bytes(r->branch) ||
	    r->entries.len != r->n * entry_bytes(r->branch))
		return VAULT_ERR_CORRUPT;
	r->size = 0;
	r->holes = false;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct vault_recipe_entry e = vault_recipe_entry(r, i);

		/* No content is longer than a file offset can say. */
		if (!entry_sound(r->branch, &e) ||
		    e.len > (uint64_t)INT64_MAX - r->size)
			return VAULT_ERR_CORRUPT;
		r->size += e.len;
		r->holes |= e.holes;
	}
	return VAULT_OK;
}

/* The header's common part; `kind` is what it says it is. */
static vault_err parse_header(struct vault_reader *in, uint8_t *kind,
			      uint32_t *n)
{
	const uint8_t version = vault_reader_u8(in);
	const uint8_t says = vault_reader_u8(in);
	const uint16_t reserved = vault_reader_le16(in);
	const uint32_t count = vault_reader_le32(in);

	if (in->failed || version == 0)
		return VAULT_ERR_CORRUPT;
	if (version > VAULT_RECIPE_VERSION)
		return VAULT_ERR_NEWER;
	if (reserved != 0)
		return VAULT_ERR_CORRUPT;
	*kind = says;
	*n = count;
	return VAULT_OK;
}

vault_err vault_recipe_parse_root(struct vault_span bytes,
				  struct vault_recipe *out)
{
	struct vault_reader in = vault_reader(bytes);
	struct vault_recipe r = { 0 };
	struct vault_span digest;
	uint8_t kind;
	uint64_t size;
	vault_err err;

	err = parse_header(&in, &kind, &r.n);
	if (err != VAULT_OK)
		return err;
	size = vault_reader_le64(&in);
	digest = vault_reader_take(&in, sizeof(r.digest.b));
	if (in.failed ||
	    (kind != VAULT_RECIPE_FLAT && kind != VAULT_RECIPE_BRANCH))
		return VAULT_ERR_CORRUPT;
	r.branch = kind == VAULT_RECIPE_BRANCH;
	memcpy(r.digest.b, digest.data, sizeof(r.digest.b));
	r.entries = in.left;
	err = sum_entries(&r);
	if (err != VAULT_OK)
		return err;
	if (r.size != size)
		return VAULT_ERR_CORRUPT;
	*out = r;
	return VAULT_OK;
}

vault_err vault_recipe_parse_leaf(struct vault_span bytes,
				  struct vault_recipe *out)
{
	struct vault_reader in = vault_reader(bytes);
	struct vault_recipe r = { 0 };
	uint8_t kind;
	vault_err err;

	err = parse_header(&in, &kind, &r.n);
	if (err != VAULT_OK)
		return err;
	if (kind != VAULT_RECIPE_LEAF || r.n == 0 ||
	    r.n > VAULT_RECIPE_LEAF_MAX)
		return VAULT_ERR_CORRUPT;
	r.entries = in.left;
	err = sum_entries(&r);
	if (err != VAULT_OK)
		return err;
	*out = r;
	return VAULT_OK;
}

/* ---- making ---- */

void vault_recipe_builder_init(struct vault_recipe_builder *b,
			       vault_recipe_keep *keep, void *ctx)
{
	*b = (struct vault_recipe_builder){ .keep = keep, .ctx = ctx };
}

void vault_recipe_builder_release(struct vault_recipe_builder *b)
{
	vault_buf_release(&b->chunks);
	vault_buf_release(&b->leaves);
}

static void put_header(uint8_t *p, uint8_t kind, uint32_t n)
{
	p[VAULT_RECIPE_OFF_VERSION] = VAULT_RECIPE_VERSION;
	p[VAULT_RECIPE_OFF_KIND] = kind;
	vault_bytes_put_le16(p + VAULT_RECIPE_OFF_RESERVED, 0);
	vault_bytes_put_le32(p + VAULT_RECIPE_OFF_COUNT, n);
}

/*
 * Chunk entries are collected behind room for the longer header, a root's; a
 * leaf begins with the last bytes of that room.
 */
static struct vault_span leaf_bytes(struct vault_recipe_builder *b)
{
	const size_t skip = VAULT_RECIPE_ROOT_HEADER - VAULT_RECIPE_LEAF_HEADER;

	put_header(b->chunks.data + skip, VAULT_RECIPE_LEAF, b->n);
	return vault_span_from(vault_buf_span(&b->chunks), skip);
}

/* Append one entry behind room for a root's header. */
static vault_err append_entry(struct vault_buf *to, const struct vault_id *id,
			      struct vault_span rest)
{
	vault_err err = VAULT_OK;

	if (to->len == 0)
		err = vault_buf_fill(to, 0, VAULT_RECIPE_ROOT_HEADER);
	if (err == VAULT_OK)
		err = vault_buf_append(to, vault_span(id->b, sizeof(id->b)));
	return err == VAULT_OK ? vault_buf_append(to, rest) : err;
}

/* The open leaf is done: keep it, and name it in the root. */
static vault_err close_leaf(struct vault_recipe_builder *b)
{
	uint8_t span[8];
	struct vault_id id;
	vault_err err;

	err = b->keep(b->ctx, leaf_bytes(b), &id);
	if (err != VAULT_OK)
		return err;
	vault_bytes_put_le64(
		span, b->span | (b->holes ? VAULT_RECIPE_SPAN_HOLES : 0));
	err = append_entry(&b->leaves, &id, vault_span(span, sizeof(span)));
	if (err != VAULT_OK)
		return err;
	if (b->leaves.len > VAULT_CODEC_RAW_MAX)
		return VAULT_ERR_TOO_BIG;
	b->n_leaves++;
	vault_buf_clear(&b->chunks);
	b->n = 0;
	b->span = 0;
	b->holes = false;
	return VAULT_OK;
}

/* One more entry for the open leaf, and its end if it ends there. */
static vault_err add_to_leaf(struct vault_recipe_builder *b,
			     const struct vault_id *id, uint32_t len)
{
	const bool hole = vault_id_is_none(id);
	uint8_t raw[4];
	vault_err err;

	vault_bytes_put_le32(raw, len);
	err = append_entry(&b->chunks, id, vault_span(raw, sizeof(raw)));
	if (err != VAULT_OK)
		return err;
	b->n++;
	b->span += len;
	b->holes |= hole;
	if (b->n == VAULT_RECIPE_LEAF_MAX ||
	    (b->n >= VAULT_RECIPE_LEAF_MIN && !hole &&
	     vault_bytes_get_le32(id->b) < VAULT_RECIPE_LEAF_CUT))
		return close_leaf(b);
	return VAULT_OK;
}

/* Too many chunks for a flat root: begin again, making leaves. */
static vault_err become_branch(struct vault_recipe_builder *b)
{
	struct vault_buf held = VAULT_BUF_INIT;
	const uint32_t n = b->n;
	vault_err err = VAULT_OK;

	vault_buf_move(&held, &b->chunks);
	b->branch = true;
	b->n = 0;
	for (uint32_t i = 0; i < n && err == VAULT_OK; i++) {
		const uint8_t *p = held.data + VAULT_RECIPE_ROOT_HEADER +
				   i * (size_t)VAULT_RECIPE_CHUNK_ENTRY;
		struct vault_id id;

		memcpy(id.b, p, sizeof(id.b));
		err = add_to_leaf(
			b, &id,
			vault_bytes_get_le32(p + VAULT_RECIPE_CHUNK_OFF_LEN));
	}
	vault_buf_release(&held);
	return err;
}

static vault_err add_entry(struct vault_recipe_builder *b,
			   const struct vault_id *id, uint32_t len)
{
	uint8_t raw[4];
	vault_err err;

	b->size += len;
	if (b->branch)
		return add_to_leaf(b, id, len);
	vault_bytes_put_le32(raw, len);
	err = append_entry(&b->chunks, id, vault_span(raw, sizeof(raw)));
	if (err != VAULT_OK)
		return err;
	b->n++;
	return b->n > VAULT_RECIPE_FLAT_MAX ? become_branch(b) : VAULT_OK;
}

static vault_err flush_hole(struct vault_recipe_builder *b)
{
	vault_err err = VAULT_OK;

	while (b->hole > 0 && err == VAULT_OK) {
		const uint32_t len = b->hole < VAULT_RECIPE_HOLE_MAX
					     ? (uint32_t)b->hole
					     : VAULT_RECIPE_HOLE_MAX;

		b->hole -= len;
		err = add_entry(b, &VAULT_ID_NONE, len);
	}
	return err;
}

vault_err vault_recipe_builder_chunk(struct vault_recipe_builder *b,
				     const struct vault_id *id, uint32_t len)
{
	vault_err err;

	assert(len > 0 && len <= VAULT_CHUNK_CEILING);
	assert(!vault_id_is_none(id));
	err = flush_hole(b);
	return err == VAULT_OK ? add_entry(b, id, len) : err;
}

void vault_recipe_builder_hole(struct vault_recipe_builder *b, uint64_t len)
{
	b->hole += len;
}

vault_err vault_recipe_builder_end(struct vault_recipe_builder *b,
				   const struct vault_digest *digest,
				   struct vault_span *root)
{
	struct vault_buf *bytes;
	vault_err err;

	err = flush_hole(b);
	if (err == VAULT_OK && b->branch && b->n > 0)
		err = close_leaf(b);
	if (err != VAULT_OK)
		return err;
	bytes = b->branch ? &b->leaves : &b->chunks;
	if (bytes->len == 0) {
		err = vault_buf_fill(bytes, 0, VAULT_RECIPE_ROOT_HEADER);
		if (err != VAULT_OK)
			return err;
	}
	put_header(bytes->data,
		   b->branch ? VAULT_RECIPE_BRANCH : VAULT_RECIPE_FLAT,
		   b->branch ? b->n_leaves : b->n);
	vault_bytes_put_le64(bytes->data + VAULT_RECIPE_OFF_SIZE, b->size);
	memcpy(bytes->data + VAULT_RECIPE_OFF_DIGEST, digest->b,
	       sizeof(digest->b));
	*root = vault_buf_span(bytes);
	return VAULT_OK;
}
