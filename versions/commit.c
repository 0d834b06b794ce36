/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/commit.h"

#include <stdlib.h>

#include "versions/commit_format.h"

/* One row that was added; its name and packed bytes lie in the arena. */
struct item {
	uint64_t dir;
	size_t off;
	uint32_t len; /* of name, row and backing together */
	uint32_t name_len;
};

struct vault_commit {
	struct vault_buf arena;
	struct item *items;
	size_t n_items;
	size_t cap;
	uint64_t top; /* the largest node or directory named */
};

vault_err vault_commit_create(struct vault_commit **out)
{
	struct vault_commit *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return VAULT_ERR_NOMEM;
	*out = c;
	return VAULT_OK;
}

void vault_commit_destroy(struct vault_commit *c)
{
	if (c == NULL)
		return;
	vault_buf_release(&c->arena);
	free(c->items);
	free(c);
}

void vault_commit_clear(struct vault_commit *c)
{
	vault_buf_clear(&c->arena);
	c->n_items = 0;
	c->top = 0;
}

size_t vault_commit_count(const struct vault_commit *c)
{
	return c->n_items;
}

size_t vault_commit_bytes(const struct vault_commit *c)
{
	return c->arena.cap + c->cap * sizeof(c->items[0]);
}

uint64_t vault_commit_top(const struct vault_commit *c)
{
	return c->top;
}

bool vault_commit_name_ok(uint64_t dir, struct vault_span name)
{
	if (dir == VAULT_DIR_ABOVE)
		return name.len == 0;
	if (name.len == 0 || name.len > VAULT_NAME_MAX)
		return false;
	if (memchr(name.data, '/', name.len) != NULL ||
	    memchr(name.data, 0, name.len) != NULL)
		return false;
	return !vault_span_equal(name, vault_span_str(".")) &&
	       !vault_span_equal(name, vault_span_str(".."));
}

/* The root is node 1, and nothing else is. */
static bool place_ok(uint64_t dir, struct vault_span name,
		     const struct vault_row *row)
{
	if (!vault_commit_name_ok(dir, name))
		return false;
	if (row->kind == VAULT_KIND_NONE)
		return dir != VAULT_DIR_ABOVE;
	if ((dir == VAULT_DIR_ABOVE) != (row->node == VAULT_NODE_ROOT))
		return false;
	return dir != VAULT_DIR_ABOVE || row->kind == VAULT_KIND_DIR;
}

static vault_err grow(struct vault_commit *c)
{
	const size_t cap = c->cap == 0 ? 64 : c->cap * 2;
	struct item *items;

	if (c->n_items < c->cap)
		return VAULT_OK;
	items = realloc(c->items, cap * sizeof(items[0]));
	if (items == NULL)
		return VAULT_ERR_NOMEM;
	c->items = items;
	c->cap = cap;
	return VAULT_OK;
}

vault_err vault_commit_add(struct vault_commit *c, uint64_t dir,
			   struct vault_span name, const struct vault_row *row,
			   const struct vault_backing *backing)
{
	const size_t off = c->arena.len;
	const bool gone = row->kind == VAULT_KIND_NONE;
	vault_err err;

	if (!place_ok(dir, name, row) || (!gone && backing == NULL))
		return VAULT_ERR_INVALID;
	if (c->n_items >= UINT32_MAX)
		return VAULT_ERR_TOO_BIG;
	err = grow(c);
	if (err == VAULT_OK)
		err = vault_buf_append(&c->arena, name);
	if (err == VAULT_OK)
		err = vault_row_pack(row, &c->arena);
	if (err == VAULT_OK && !gone)
		err = vault_backing_pack(backing, &c->arena);
	if (err != VAULT_OK) {
		c->arena.len = off;
		return err;
	}
	c->items[c->n_items++] = (struct item){
		.dir = dir,
		.off = off,
		.len = (uint32_t)(c->arena.len - off),
		.name_len = (uint32_t)name.len,
	};
	if (c->top < dir)
		c->top = dir;
	if (c->top < row->node)
		c->top = row->node;
	return VAULT_OK;
}

static struct vault_span name_of(const struct vault_commit *c,
				 const struct item *i)
{
	return vault_span(c->arena.data + i->off, i->name_len);
}

static int by_place(const struct vault_commit *c, const struct item *x,
		    const struct item *y)
{
	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return vault_span_compare(name_of(c, x), name_of(c, y));
}

/* Rows of one name stay in the order in which they were added. */
static int compare(const void *a, const void *b, void *ctx)
{
	const struct item *x = a;
	const struct item *y = b;
	const int places = by_place(ctx, x, y);

	return places != 0 ? places : (x->off > y->off) - (x->off < y->off);
}

/* Sort, and leave of each name the row that was added last. */
static void settle(struct vault_commit *c)
{
	size_t n = 0;

	if (c->n_items == 0)
		return;
	qsort_r(c->items, c->n_items, sizeof(c->items[0]), compare, c);
	for (size_t i = 1; i < c->n_items; i++) {
		if (by_place(c, &c->items[n], &c->items[i]) != 0)
			n++;
		c->items[n] = c->items[i];
	}
	c->n_items = n + 1;
}

static vault_err encode_item(const struct vault_commit *c, const struct item *i,
			     struct vault_buf *out)
{
	uint8_t place[9];
	vault_err err;

	vault_bytes_put_le64(place, i->dir);
	place[8] = (uint8_t)i->name_len;
	err = vault_buf_append(out, vault_span(place, sizeof(place)));
	if (err != VAULT_OK)
		return err;
	return vault_buf_append(out,
				vault_span(c->arena.data + i->off, i->len));
}

vault_err vault_commit_encode(struct vault_commit *c,
			      const struct vault_commit_head *head,
			      struct vault_buf *out)
{
	uint8_t h[VAULT_COMMIT_HEAD_BYTES] = { VAULT_COMMIT_VERSION };
	vault_err err;

	settle(c);
	h[1] = (uint8_t)head->cause;
	h[2] = head->partial ? VAULT_COMMIT_PARTIAL : 0;
	vault_bytes_put_le32(h + 4, (uint32_t)c->n_items);
	vault_bytes_put_le64(h + 8, (uint64_t)head->time);
	vault_bytes_put_le64(h + 16, (uint64_t)head->clock_ns);
	err = vault_buf_append(out, vault_span(h, sizeof(h)));
	for (size_t i = 0; err == VAULT_OK && i < c->n_items; i++)
		err = encode_item(c, &c->items[i], out);
	return err;
}

vault_err vault_commit_decode_head(struct vault_reader *in,
				   struct vault_commit_head *out)
{
	struct vault_commit_head h = { 0 };
	const uint8_t version = vault_reader_u8(in);
	const uint8_t cause = vault_reader_u8(in);
	const uint8_t flags = vault_reader_u8(in);
	const uint8_t zero = vault_reader_u8(in);

	if (!in->failed && version > VAULT_COMMIT_VERSION)
		return VAULT_ERR_NEWER;
	h.n_rows = vault_reader_le32(in);
	h.time = (int64_t)vault_reader_le64(in);
	h.clock_ns = (int64_t)vault_reader_le64(in);
	if (in->failed || version != VAULT_COMMIT_VERSION || zero != 0 ||
	    flags & ~VAULT_COMMIT_PARTIAL || cause < VAULT_CAUSE_SAVE ||
	    cause > VAULT_CAUSE_SNAPSHOT)
		return VAULT_ERR_CORRUPT;
	/* Bounds what a reader allocates by the bytes that are there. */
	if (h.n_rows == 0 ||
	    h.n_rows > in->left.len / VAULT_COMMIT_ROW_BYTES_MIN)
		return VAULT_ERR_CORRUPT;
	h.cause = (enum vault_cause)cause;
	h.partial = flags & VAULT_COMMIT_PARTIAL;
	*out = h;
	return VAULT_OK;
}

static bool rises(const struct vault_commit_row *a,
		  const struct vault_commit_row *b)
{
	if (a->dir != b->dir)
		return a->dir < b->dir;
	return vault_span_compare(a->name, b->name) < 0;
}

vault_err vault_commit_decode_row(struct vault_reader *in,
				  const struct vault_commit_row *before,
				  struct vault_commit_row *out)
{
	struct vault_commit_row r = { 0 };
	vault_err err;

	r.dir = vault_reader_le64(in);
	r.name = vault_reader_take(in, vault_reader_u8(in));
	err = vault_row_unpack(in, &r.row);
	if (err == VAULT_OK && r.row.kind != VAULT_KIND_NONE)
		err = vault_backing_unpack(in, &r.backing);
	if (err != VAULT_OK)
		return err;
	if (!place_ok(r.dir, r.name, &r.row) ||
	    (before != NULL && !rises(before, &r)))
		return VAULT_ERR_CORRUPT;
	*out = r;
	return VAULT_OK;
}
