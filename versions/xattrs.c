/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/xattrs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "store/base/bytes.h"
#include "versions/xattrs_format.h"

#define PROC_PATH_MAX 40

static int by_name(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

/* All names, each with its terminator; empty where there are none. */
static vault_err list_names(const char *path, struct vault_buf *out)
{
	for (;;) {
		ssize_t n = listxattr(path, NULL, 0);
		vault_err err;

		if (n == 0 || (n < 0 && errno == ENOTSUP))
			return VAULT_OK;
		if (n < 0)
			return vault_err_from_errno(errno);
		err = vault_buf_reserve(out, (size_t)n);
		if (err != VAULT_OK)
			return err;
		n = listxattr(path, (char *)out->data, out->cap);
		if (n < 0 && errno == ERANGE)
			continue; /* it grew meanwhile */
		if (n < 0)
			return vault_err_from_errno(errno);
		out->len = (size_t)n;
		return VAULT_OK;
	}
}

/* The value; `*there` is false when it may not be read or is gone. */
static vault_err read_value(const char *path, const char *name,
			    struct vault_buf *out, bool *there)
{
	*there = false;
	for (;;) {
		ssize_t n = getxattr(path, name, NULL, 0);
		vault_err err;

		if (n >= 0) {
			err = vault_buf_reserve(out, (size_t)n + 1);
			if (err != VAULT_OK)
				return err;
			n = getxattr(path, name, out->data, out->cap);
		}
		if (n < 0 && errno == ERANGE)
			continue;
		if (n < 0 && errno == EIO)
			return VAULT_ERR_IO;
		if (n < 0)
			return VAULT_OK;
		out->len = (size_t)n;
		*there = true;
		return VAULT_OK;
	}
}

static vault_err pack_one(const char *path, const char *name,
			  struct vault_buf *value, struct vault_buf *out)
{
	const struct vault_span n = vault_span_str(name);
	bool there;
	vault_err err;

	err = read_value(path, name, value, &there);
	if (err != VAULT_OK || !there)
		return err;
	if (out->len == 0)
		err = vault_buf_put_u8(out, VAULT_XATTRS_VERSION);
	if (err == VAULT_OK)
		err = vault_buf_put_le16(out, (uint16_t)n.len);
	if (err == VAULT_OK)
		err = vault_buf_put_le32(out, (uint32_t)value->len);
	if (err == VAULT_OK)
		err = vault_buf_append(out, n);
	if (err == VAULT_OK)
		err = vault_buf_append(out, vault_buf_span(value));
	return err;
}

static vault_err pack_all(const char *path, struct vault_buf *names,
			  struct vault_buf *out)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const char **sorted;
	const char *p = (const char *)names->data;
	const char *end = p + names->len;
	size_t n = 0;
	vault_err err = VAULT_OK;

	/* A name and its terminator take two bytes at least. */
	sorted = malloc((names->len / 2 + 1) * sizeof(*sorted));
	if (sorted == NULL)
		return VAULT_ERR_NOMEM;
	for (; p < end; p += strlen(p) + 1) {
		if (*p != '\0')
			sorted[n++] = p;
	}
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n && err == VAULT_OK; i++)
		err = pack_one(path, sorted[i], &value, out);
	free(sorted);
	vault_buf_release(&value);
	return err;
}

vault_err vault_xattrs_read(int fd, struct vault_buf *out)
{
	struct vault_buf names = VAULT_BUF_INIT;
	struct vault_buf packed = VAULT_BUF_INIT;
	char path[PROC_PATH_MAX];
	vault_err err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = list_names(path, &names);
	if (err == VAULT_OK && names.len > 0)
		err = pack_all(path, &names, &packed);
	if (err == VAULT_OK)
		vault_buf_move(out, &packed);
	vault_buf_release(&names);
	vault_buf_release(&packed);
	return err;
}

/* The next attribute; false at the end or on damage (then in->failed). */
static bool next(struct vault_reader *in, struct vault_span *name,
		 struct vault_span *value)
{
	struct vault_span last = *name;
	uint16_t name_len;
	uint32_t value_len;

	if (in->failed || in->left.len == 0)
		return false;
	name_len = vault_reader_le16(in);
	value_len = vault_reader_le32(in);
	*name = vault_reader_take(in, name_len);
	*value = vault_reader_take(in, value_len);
	if (name_len == 0 || name_len > VAULT_XATTRS_NAME_MAX ||
	    value_len > VAULT_XATTRS_VALUE_MAX)
		in->failed = true;
	if (!in->failed && (memchr(name->data, 0, name->len) != NULL ||
			    vault_span_compare(last, *name) >= 0))
		in->failed = true;
	return !in->failed;
}

static struct vault_reader begin(struct vault_span packed)
{
	struct vault_reader in = vault_reader(packed);

	if (packed.len > 0 && vault_reader_u8(&in) != VAULT_XATTRS_VERSION)
		in.failed = true;
	return in;
}

vault_err vault_xattrs_each(struct vault_span packed, vault_xattrs_visit *visit,
			    void *ctx)
{
	struct vault_reader in = begin(packed);
	struct vault_span name = VAULT_SPAN_EMPTY;
	struct vault_span value;
	vault_err err;

	while (next(&in, &name, &value)) {
		err = visit(ctx, name, value);
		if (err != VAULT_OK)
			return err;
	}
	return in.failed ? VAULT_ERR_CORRUPT : VAULT_OK;
}

vault_err vault_xattrs_get(struct vault_span packed, struct vault_span name,
			   struct vault_span *value)
{
	struct vault_reader in = begin(packed);
	struct vault_span at = VAULT_SPAN_EMPTY;
	struct vault_span found;

	while (next(&in, &at, &found)) {
		if (vault_span_equal(at, name)) {
			*value = found;
			return VAULT_OK;
		}
	}
	return in.failed ? VAULT_ERR_CORRUPT : VAULT_ERR_NOT_FOUND;
}
