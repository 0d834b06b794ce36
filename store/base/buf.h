/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_BASE_BUF_H
#define VAULT_STORE_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Owned, growing bytes. The caller holds the struct, initialises it with
 * VAULT_BUF_INIT and releases it; a released buffer is empty and may be used
 * again. Functions that can fail leave the buffer as it was. Growth doubles,
 * so appending is amortised constant. Not shared between threads.
 */
struct vault_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

#define VAULT_BUF_INIT ((struct vault_buf){ NULL, 0, 0 })

/* Free the bytes; accepts an empty buffer. */
void vault_buf_release(struct vault_buf *b);

/* Forget the bytes, keep the memory. */
static inline void vault_buf_clear(struct vault_buf *b)
{
	b->len = 0;
}

/* Make sure `cap` is at least `cap`. NOMEM. */
VAULT_MUST_CHECK vault_err vault_buf_reserve(struct vault_buf *b, size_t cap);

/* Append; `s` must not lie inside `b`. NOMEM. */
VAULT_MUST_CHECK vault_err vault_buf_append(struct vault_buf *b,
					    struct vault_span s);
VAULT_MUST_CHECK vault_err vault_buf_append_str(struct vault_buf *b,
						const char *s);
VAULT_MUST_CHECK vault_err vault_buf_fill(struct vault_buf *b, uint8_t value,
					  size_t n);

/* Append formatted text, without a terminator. NOMEM. */
VAULT_MUST_CHECK vault_err vault_buf_printf(struct vault_buf *b,
					    const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Make sure a 0 byte follows the contents (not counted in `len`) and return
 * them as a C string that lasts until `b` is next changed. NULL: no memory.
 */
const char *vault_buf_cstr(struct vault_buf *b);

/* Append integers, little-endian; and one big-endian form for index keys. */
VAULT_MUST_CHECK vault_err vault_buf_put_u8(struct vault_buf *b, uint8_t v);
VAULT_MUST_CHECK vault_err vault_buf_put_le16(struct vault_buf *b, uint16_t v);
VAULT_MUST_CHECK vault_err vault_buf_put_le32(struct vault_buf *b, uint32_t v);
VAULT_MUST_CHECK vault_err vault_buf_put_le64(struct vault_buf *b, uint64_t v);
VAULT_MUST_CHECK vault_err vault_buf_put_be64(struct vault_buf *b, uint64_t v);

/* Release what `to` held, give it what `from` holds, leave `from` empty. */
void vault_buf_move(struct vault_buf *to, struct vault_buf *from);

static inline struct vault_span vault_buf_span(const struct vault_buf *b)
{
	return (struct vault_span){ b->data, b->len };
}

#endif
