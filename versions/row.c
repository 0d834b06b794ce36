/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/row.h"

#include "versions/row_format.h"

/* XXH3-128 of no bytes, as `xxhsum -H128 /dev/null` prints it. */
static const struct vault_digest empty_digest = {
	{ 0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60, 0x01, 0xc3,
	  0x24, 0x46, 0x8d, 0x49, 0x7f }
};

static const struct {
	enum vault_kind kind;
	mode_t bits;
} types[] = {
	{ VAULT_KIND_FILE, S_IFREG },	 { VAULT_KIND_DIR, S_IFDIR },
	{ VAULT_KIND_SYMLINK, S_IFLNK }, { VAULT_KIND_FIFO, S_IFIFO },
	{ VAULT_KIND_SOCKET, S_IFSOCK }, { VAULT_KIND_CHAR, S_IFCHR },
	{ VAULT_KIND_BLOCK, S_IFBLK },
};

mode_t vault_row_type_bits(enum vault_kind kind)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].kind == kind)
			return types[i].bits;
	return 0;
}

enum vault_kind vault_row_kind_of(mode_t mode)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].bits == (mode & S_IFMT))
			return types[i].kind;
	return VAULT_KIND_NONE;
}

static bool has_content(enum vault_kind kind)
{
	return kind == VAULT_KIND_FILE || kind == VAULT_KIND_SYMLINK;
}

static bool has_rdev(enum vault_kind kind)
{
	return kind == VAULT_KIND_CHAR || kind == VAULT_KIND_BLOCK;
}

bool vault_row_same_content(const struct vault_row *a,
			    const struct vault_row *b)
{
	return a->kind == b->kind && a->size == b->size && a->rdev == b->rdev &&
	       vault_id_equal(&a->content, &b->content);
}

bool vault_row_same(const struct vault_row *a, const struct vault_row *b)
{
	if (a->kind == VAULT_KIND_NONE || b->kind == VAULT_KIND_NONE)
		return a->kind == b->kind;
	return vault_row_same_content(a, b) && a->flags == b->flags &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime_ns == b->mtime_ns &&
	       vault_id_equal(&a->xattrs, &b->xattrs);
}

/* What any row must be, whether it comes from a caller or from a disk. */
static bool sound(const struct vault_row *r)
{
	if (r->kind <= VAULT_KIND_NONE || r->kind > VAULT_KIND_BLOCK ||
	    r->node == VAULT_NODE_NONE || r->mode & ~VAULT_ROW_MODE_ALL ||
	    r->flags & ~VAULT_ROW_FLAGS_ALL)
		return false;
	if (!has_content(r->kind) &&
	    (r->size != 0 || !vault_id_is_none(&r->content)))
		return false;
	if (r->size != 0 && vault_id_is_none(&r->content))
		return false;
	return has_rdev(r->kind) || r->rdev == 0;
}

static uint8_t fields_of(const struct vault_row *r)
{
	unsigned has = 0;

	if (r->flags != 0)
		has |= VAULT_ROW_HAS_FLAGS;
	if (r->rdev != 0)
		has |= VAULT_ROW_HAS_RDEV;
	if (r->size != 0)
		has |= VAULT_ROW_HAS_SIZE;
	if (!vault_id_is_none(&r->content))
		has |= VAULT_ROW_HAS_CONTENT;
	if (!vault_id_is_none(&r->xattrs))
		has |= VAULT_ROW_HAS_XATTRS;
	return (uint8_t)has;
}

/* The longest row: all fields there. */
#define ROW_BYTES_MAX (2 + 2 + 4 + 4 + 8 + 8 + 1 + 8 + 8 + 32 + 16)

static uint8_t *put16(uint8_t *p, const uint8_t *bytes)
{
	memcpy(p, bytes, 16);
	return p + 16;
}

static uint8_t *put_optional(uint8_t *p, const struct vault_row *r, uint8_t has)
{
	if (has & VAULT_ROW_HAS_FLAGS)
		*p++ = (uint8_t)r->flags;
	if (has & VAULT_ROW_HAS_RDEV) {
		vault_bytes_put_le64(p, r->rdev);
		p += 8;
	}
	if (has & VAULT_ROW_HAS_SIZE) {
		vault_bytes_put_le64(p, r->size);
		p += 8;
	}
	if (has & VAULT_ROW_HAS_CONTENT) {
		p = put16(p, r->content.b);
		p = put16(p, r->digest.b);
	}
	if (has & VAULT_ROW_HAS_XATTRS)
		p = put16(p, r->xattrs.b);
	return p;
}

vault_err vault_row_pack(const struct vault_row *r, struct vault_buf *out)
{
	uint8_t bytes[ROW_BYTES_MAX];
	uint8_t *p = bytes;
	const uint8_t has = fields_of(r);

	*p++ = (uint8_t)r->kind;
	if (r->kind == VAULT_KIND_NONE)
		return vault_buf_append(out, vault_span(bytes, 1));
	if (!sound(r))
		return VAULT_ERR_INVALID;
	*p++ = has;
	vault_bytes_put_le16(p, (uint16_t)r->mode);
	vault_bytes_put_le32(p + 2, r->uid);
	vault_bytes_put_le32(p + 6, r->gid);
	vault_bytes_put_le64(p + 10, (uint64_t)r->mtime_ns);
	vault_bytes_put_le64(p + 18, r->node);
	p = put_optional(p + 26, r, has);
	return vault_buf_append(out, vault_span(bytes, (size_t)(p - bytes)));
}

static void take16(struct vault_reader *in, uint8_t *to)
{
	const struct vault_span s = vault_reader_take(in, 16);

	if (s.len == 16)
		memcpy(to, s.data, 16);
}

static void take_optional(struct vault_reader *in, struct vault_row *r,
			  uint8_t has)
{
	if (has & VAULT_ROW_HAS_FLAGS)
		r->flags = vault_reader_u8(in);
	if (has & VAULT_ROW_HAS_RDEV)
		r->rdev = vault_reader_le64(in);
	if (has & VAULT_ROW_HAS_SIZE)
		r->size = vault_reader_le64(in);
	if (has & VAULT_ROW_HAS_CONTENT) {
		take16(in, r->content.b);
		take16(in, r->digest.b);
	} else if (has_content(r->kind)) {
		r->digest = empty_digest;
	}
	if (has & VAULT_ROW_HAS_XATTRS)
		take16(in, r->xattrs.b);
}

vault_err vault_row_unpack(struct vault_reader *in, struct vault_row *out)
{
	struct vault_row r = { 0 };
	const uint8_t kind = vault_reader_u8(in);
	uint8_t has;

	if (kind > VAULT_KIND_BLOCK || in->failed)
		return VAULT_ERR_CORRUPT;
	r.kind = (enum vault_kind)kind;
	if (r.kind == VAULT_KIND_NONE) {
		*out = r;
		return VAULT_OK;
	}
	has = vault_reader_u8(in);
	r.mode = vault_reader_le16(in);
	r.uid = vault_reader_le32(in);
	r.gid = vault_reader_le32(in);
	r.mtime_ns = (int64_t)vault_reader_le64(in);
	r.node = vault_reader_le64(in);
	take_optional(in, &r, has);
	/* Only the form that the packer writes is accepted: a field that is
	 * said to be there and holds nothing is damage. */
	if (in->failed || !sound(&r) || fields_of(&r) != has)
		return VAULT_ERR_CORRUPT;
	*out = r;
	return VAULT_OK;
}
