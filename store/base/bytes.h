/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_BASE_BYTES_H
#define VAULT_STORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/base/span.h"

/*
 * Integers as bytes, and a reader that cannot run over the end.
 *
 * Everything on disk is little-endian; index keys alone use big-endian, whose
 * byte order is the order of the numbers. The reader takes foreign bytes:
 * once a read asks for more than is left, it and every later one yield zeros
 * and `failed` stays set, so a parser checks once, at its end.
 */

static inline void vault_bytes_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void vault_bytes_put_le32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void vault_bytes_put_le64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void vault_bytes_put_be64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline uint16_t vault_bytes_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t vault_bytes_get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t vault_bytes_get_le64(const uint8_t *p)
{
	return (uint64_t)vault_bytes_get_le32(p) |
	       (uint64_t)vault_bytes_get_le32(p + 4) << 32;
}

static inline uint64_t vault_bytes_get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

struct vault_reader {
	struct vault_span left; /* what has not been read yet */
	bool failed;		/* some read asked for more than was left */
};

static inline struct vault_reader vault_reader(struct vault_span s)
{
	return (struct vault_reader){ .left = s, .failed = false };
}

/* Borrow the next `n` bytes; an empty span once failed. */
static inline struct vault_span vault_reader_take(struct vault_reader *r,
						  size_t n)
{
	struct vault_span taken;

	if (r->failed || n > r->left.len) {
		r->failed = true;
		return VAULT_SPAN_EMPTY;
	}
	taken = vault_span(r->left.data, n);
	r->left = vault_span_from(r->left, n);
	return taken;
}

static inline uint8_t vault_reader_u8(struct vault_reader *r)
{
	const struct vault_span s = vault_reader_take(r, 1);

	return s.len == 1 ? s.data[0] : 0;
}

static inline uint16_t vault_reader_le16(struct vault_reader *r)
{
	const struct vault_span s = vault_reader_take(r, 2);

	return s.len == 2 ? vault_bytes_get_le16(s.data) : 0;
}

static inline uint32_t vault_reader_le32(struct vault_reader *r)
{
	const struct vault_span s = vault_reader_take(r, 4);

	return s.len == 4 ? vault_bytes_get_le32(s.data) : 0;
}

static inline uint64_t vault_reader_le64(struct vault_reader *r)
{
	const struct vault_span s = vault_reader_take(r, 8);

	return s.len == 8 ? vault_bytes_get_le64(s.data) : 0;
}

static inline uint64_t vault_reader_be64(struct vault_reader *r)
{
	const struct vault_span s = vault_reader_take(r, 8);

	return s.len == 8 ? vault_bytes_get_be64(s.data) : 0;
}

/* Nothing left over and nothing missing. */
static inline bool vault_reader_done(const struct vault_reader *r)
{
	return !r->failed && r->left.len == 0;
}

#endif
