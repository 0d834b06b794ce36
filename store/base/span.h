/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_BASE_SPAN_H
#define VAULT_STORE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Borrowed bytes. A span never owns what it points to and is passed by value;
 * whoever made it says how long it lasts. `data` may be NULL only if `len` is
 * 0. The owning counterpart is struct vault_buf (buf.h); there is no third
 * form of bytes in this program.
 */
struct vault_span {
	const uint8_t *data;
	size_t len;
};

#define VAULT_SPAN_EMPTY ((struct vault_span){ NULL, 0 })

static inline struct vault_span vault_span(const void *data, size_t len)
{
	return (struct vault_span){ data, len };
}

/* Borrows a C string without its terminator. */
static inline struct vault_span vault_span_str(const char *s)
{
	return (struct vault_span){ (const uint8_t *)s, strlen(s) };
}

static inline bool vault_span_equal(struct vault_span a, struct vault_span b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

/* Order of bytes, a prefix sorting before what it begins: < 0, 0, > 0. */
static inline int vault_span_compare(struct vault_span a, struct vault_span b)
{
	const size_t n = a.len < b.len ? a.len : b.len;
	const int c = n == 0 ? 0 : memcmp(a.data, b.data, n);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool vault_span_starts(struct vault_span s, struct vault_span p)
{
	return s.len >= p.len && (p.len == 0 || !memcmp(s.data, p.data, p.len));
}

/* The part from `from` on; empty when `from` lies past the end. */
static inline struct vault_span vault_span_from(struct vault_span s,
						size_t from)
{
	if (from >= s.len)
		return VAULT_SPAN_EMPTY;
	return (struct vault_span){ s.data + from, s.len - from };
}

#endif
