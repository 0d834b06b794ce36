/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/bytes.h"

#define SMALLEST_CAP ((size_t)64)

void vault_buf_release(struct vault_buf *b)
{
	if (b == NULL)
		return;
	free(b->data);
	*b = VAULT_BUF_INIT;
}

vault_err vault_buf_reserve(struct vault_buf *b, size_t cap)
{
	size_t want = b->cap < SMALLEST_CAP ? SMALLEST_CAP : b->cap;
	uint8_t *data;

	if (cap <= b->cap)
		return VAULT_OK;
	while (want < cap) {
		if (want > SIZE_MAX / 2)
			return VAULT_ERR_NOMEM;
		want *= 2;
	}
	data = realloc(b->data, want);
	if (data == NULL)
		return VAULT_ERR_NOMEM;
	b->data = data;
	b->cap = want;
	return VAULT_OK;
}

/* Room for `n` more bytes. */
static vault_err grow(struct vault_buf *b, size_t n)
{
	if (n > SIZE_MAX - b->len)
		return VAULT_ERR_NOMEM;
	return vault_buf_reserve(b, b->len + n);
}

vault_err vault_buf_append(struct vault_buf *b, struct vault_span s)
{
	vault_err err;

	if (s.len == 0)
		return VAULT_OK;
	err = grow(b, s.len);
	if (err != VAULT_OK)
		return err;
	memcpy(b->data + b->len, s.data, s.len);
	b->len += s.len;
	return VAULT_OK;
}

vault_err vault_buf_append_str(struct vault_buf *b, const char *s)
{
	return vault_buf_append(b, vault_span_str(s));
}

vault_err vault_buf_fill(struct vault_buf *b, uint8_t value, size_t n)
{
	vault_err err;

	if (n == 0)
		return VAULT_OK;
	err = grow(b, n);
	if (err != VAULT_OK)
		return err;
	memset(b->data + b->len, value, n);
	b->len += n;
	return VAULT_OK;
}

vault_err vault_buf_printf(struct vault_buf *b, const char *format, ...)
{
	va_list args;
	vault_err err;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return VAULT_ERR_INVALID;

	err = grow(b, (size_t)n + 1);
	if (err != VAULT_OK)
		return err;
	va_start(args, format);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
	return VAULT_OK;
}

const char *vault_buf_cstr(struct vault_buf *b)
{
	if (grow(b, 1) != VAULT_OK)
		return NULL;
	b->data[b->len] = 0;
	return (const char *)b->data;
}

vault_err vault_buf_put_u8(struct vault_buf *b, uint8_t v)
{
	return vault_buf_append(b, vault_span(&v, 1));
}

vault_err vault_buf_put_le16(struct vault_buf *b, uint16_t v)
{
	uint8_t raw[2];

	vault_bytes_put_le16(raw, v);
	return vault_buf_append(b, vault_span(raw, sizeof(raw)));
}

vault_err vault_buf_put_le32(struct vault_buf *b, uint32_t v)
{
	uint8_t raw[4];

	vault_bytes_put_le32(raw, v);
	return vault_buf_append(b, vault_span(raw, sizeof(raw)));
}

vault_err vault_buf_put_le64(struct vault_buf *b, uint64_t v)
{
	uint8_t raw[8];

	vault_bytes_put_le64(raw, v);
	return vault_buf_append(b, vault_span(raw, sizeof(raw)));
}

vault_err vault_buf_put_be64(struct vault_buf *b, uint64_t v)
{
	uint8_t raw[8];

	vault_bytes_put_be64(raw, v);
	return vault_buf_append(b, vault_span(raw, sizeof(raw)));
}

void vault_buf_move(struct vault_buf *to, struct vault_buf *from)
{
	assert(to != from);
	vault_buf_release(to);
	*to = *from;
	*from = VAULT_BUF_INIT;
}
