/* SPDX-License-Identifier: Apache-2.0 */
#include "store/chunker.h"

#include <assert.h>

#include "store/gear.h"

/*
 * The gear hash shifts left once per byte, so its top bits have seen the
 * most bytes: masks are taken from the top. After as many equal bytes as it
 * has bits it no longer changes.
 */
#define HASH_BITS 64

static uint64_t top_bits(unsigned n)
{
	assert(n > 0 && n < HASH_BITS);
	return UINT64_MAX << (HASH_BITS - n);
}

vault_err vault_chunker_init(struct vault_chunker *c,
			     const struct vault_chunk_sizes *sizes)
{
	const struct vault_chunk_sizes s = *sizes;
	unsigned bits = 0;

	if (s.min < VAULT_CHUNK_FLOOR || s.max > VAULT_CHUNK_CEILING ||
	    s.min >= s.avg || s.avg >= s.max || (s.avg & (s.avg - 1)) != 0)
		return VAULT_ERR_INVALID;

	while ((s.avg >> bits) > 1)
		bits++;

	/* Two bits either way pull sizes toward the average (FastCDC, NC 2). */
	*c = (struct vault_chunker){
		.sizes = s,
		.hard = top_bits(bits + 2),
		.easy = top_bits(bits - 2),
	};
	return VAULT_OK;
}

/* How far into the input the open chunk reaches `size`, but at most `end`. */
static size_t until(const struct vault_chunker *c, size_t size, size_t end)
{
	const size_t left = c->filled < size ? size - c->filled : 0;

	return left < end ? left : end;
}

/* Taken four at a time, the loop costs little more than the hash. */
#define STEP(k)                                              \
	do {                                                 \
		hash = (hash << 1) + vault_gear[p[i + (k)]]; \
		if ((hash & mask) == 0) {                    \
			i += (k) + 1;                        \
			goto hit;                            \
		}                                            \
	} while (0)

/* Hash p[*pos..end) and stop just past the first byte that `mask` accepts. */
static bool roll(struct vault_chunker *c, const uint8_t *p, size_t *pos,
		 size_t end, uint64_t mask)
{
	uint64_t hash = c->hash;
	size_t i = *pos;

	for (; i + 4 <= end; i += 4) {
		STEP(0);
		STEP(1);
		STEP(2);
		STEP(3);
	}
	for (; i < end; i++)
		STEP(0);
	c->hash = hash;
	*pos = i;
	return false;

hit:
	c->hash = hash;
	*pos = i;
	return true;
}
#undef STEP

/* Count `taken` bytes into the open chunk, or close it. */
static size_t take(struct vault_chunker *c, size_t taken, bool cut)
{
	c->filled = cut ? 0 : c->filled + taken;
	if (cut)
		c->hash = 0;
	return taken;
}

size_t vault_chunker_scan(struct vault_chunker *c, struct vault_span in,
			  bool *cut)
{
	const size_t room = c->sizes.max - c->filled;
	const size_t end = in.len < room ? in.len : room;
	const size_t mid = until(c, c->sizes.avg, end);
	size_t pos = until(c, c->sizes.min, end); /* never hash below min */

	assert(c->filled < c->sizes.max);

	*cut = roll(c, in.data, &pos, mid, c->hard) ||
	       roll(c, in.data, &pos, end, c->easy) || pos == room;
	return take(c, pos, *cut);
}

size_t vault_chunker_zeros(struct vault_chunker *c, uint64_t n, bool *cut)
{
	static const uint8_t zeros[HASH_BITS];
	const size_t room = c->sizes.max - c->filled;
	const size_t end = n < room ? (size_t)n : room;
	const size_t start = until(c, c->sizes.min, end);
	const size_t warm = end - start < HASH_BITS ? end - start : HASH_BITS;
	size_t taken;

	/* Below the smallest size bytes only count. */
	c->filled += start;
	if (warm == 0) {
		*cut = false;
		return start;
	}

	/* What came before is still in the hash: a cut may follow from it. */
	taken = start + vault_chunker_scan(c, vault_span(zeros, warm), cut);
	if (*cut)
		return taken;

	/* From here on the hash stands still, and it is not one that cuts. */
	c->filled += end - taken;
	*cut = c->filled == c->sizes.max;
	(void)take(c, 0, *cut);
	return end;
}
