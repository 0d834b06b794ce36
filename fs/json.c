/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/json.h"

#include <stdlib.h>
#include <string.h>

#include "store/digest.h"
#include "versions/when.h"

#define DUMP_FLAGS \
	(JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6))
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void begin(struct vault_json_doc *d, json_t *root)
{
	d->root = root;
	d->failed = root == NULL;
}

void vault_json_array(struct vault_json_doc *d)
{
	begin(d, json_array());
}

void vault_json_object(struct vault_json_doc *d)
{
	begin(d, json_object());
}

void vault_json_release(struct vault_json_doc *d)
{
	json_decref(d->root);
	d->root = NULL;
}

/* Both take over `value` whatever happens. */
static void set(struct vault_json_doc *d, json_t *object, const char *key,
		json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		d->failed = true;
}

static void add(struct vault_json_doc *d, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		d->failed = true;
}

json_t *vault_json_add_object(struct vault_json_doc *d, json_t *array)
{
	json_t *object = json_object();

	add(d, array, object);
	return d->failed ? NULL : object;
}

json_t *vault_json_set_array(struct vault_json_doc *d, json_t *object,
			     const char *key)
{
	json_t *array = json_array();

	set(d, object, key, array);
	return d->failed ? NULL : array;
}

/* The least code point that may take `len` bytes. */
static bool is_shortest(uint32_t point, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	return point >= least[len];
}

size_t vault_json_utf8_length(struct vault_span s)
{
	uint32_t point;
	size_t len;

	if (s.len == 0)
		return 0;
	if (s.data[0] < 0x80)
		return 1;
	if (s.data[0] >= 0xF5 || s.data[0] < 0xC2)
		return 0;
	len = s.data[0] < 0xE0 ? 2 : s.data[0] < 0xF0 ? 3 : 4;
	if (s.len < len)
		return 0;
	point = s.data[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s.data[i] & 0xC0) != 0x80)
			return 0;
		point = point << 6 | (s.data[i] & 0x3Fu);
	}
	if (!is_shortest(point, len) || point > 0x10FFFF ||
	    (point >= 0xD800 && point <= 0xDFFF))
		return 0;
	return len;
}

/* `text` as UTF-8; `*exact` tells whether nothing had to be replaced. */
static vault_err to_utf8(struct vault_span text, struct vault_buf *out,
			 bool *exact)
{
	*exact = true;
	while (text.len > 0) {
		const size_t len = vault_json_utf8_length(text);
		vault_err err;

		if (len > 0) {
			err = vault_buf_append(out, vault_span(text.data, len));
		} else {
			err = vault_buf_append_str(out, REPLACEMENT);
			*exact = false;
		}
		if (err != VAULT_OK)
			return err;
		text = vault_span_from(text, len > 0 ? len : 1);
	}
	return VAULT_OK;
}

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != 0 && strchr("-._~/", c) != NULL);
}

static vault_err to_percent(struct vault_span text, struct vault_buf *out)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < text.len && err == VAULT_OK; i++) {
		if (is_plain(text.data[i]))
			err = vault_buf_put_u8(out, text.data[i]);
		else
			err = vault_buf_printf(out, "%%%02X", text.data[i]);
	}
	return err;
}

static json_t *string_of(const struct vault_buf *b)
{
	return json_stringn(b->len > 0 ? (const char *)b->data : "", b->len);
}

static void set_bytes(struct vault_json_doc *d, json_t *object, const char *key,
		      struct vault_span text)
{
	struct vault_buf percent = VAULT_BUF_INIT;
	struct vault_buf name = VAULT_BUF_INIT;

	if (vault_buf_printf(&name, "%s_bytes", key) != VAULT_OK ||
	    to_percent(text, &percent) != VAULT_OK ||
	    vault_buf_cstr(&name) == NULL)
		d->failed = true;
	else
		set(d, object, (const char *)name.data, string_of(&percent));
	vault_buf_release(&name);
	vault_buf_release(&percent);
}

void vault_json_set_text(struct vault_json_doc *d, json_t *object,
			 const char *key, struct vault_span text)
{
	struct vault_buf utf8 = VAULT_BUF_INIT;
	bool exact;

	if (to_utf8(text, &utf8, &exact) != VAULT_OK) {
		d->failed = true;
	} else {
		set(d, object, key, string_of(&utf8));
		if (!exact)
			set_bytes(d, object, key, text);
	}
	vault_buf_release(&utf8);
}

void vault_json_set_str(struct vault_json_doc *d, json_t *object,
			const char *key, const char *text)
{
	vault_json_set_text(d, object, key, vault_span_str(text));
}

void vault_json_set_int(struct vault_json_doc *d, json_t *object,
			const char *key, uint64_t value)
{
	/* JSON's integers here are signed; nothing we count comes near. */
	set(d, object, key,
	    json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void vault_json_set_real(struct vault_json_doc *d, json_t *object,
			 const char *key, double value)
{
	set(d, object, key, json_real(value));
}

void vault_json_set_bool(struct vault_json_doc *d, json_t *object,
			 const char *key, bool value)
{
	set(d, object, key, json_boolean(value));
}

void vault_json_set_null(struct vault_json_doc *d, json_t *object,
			 const char *key)
{
	set(d, object, key, json_null());
}

void vault_json_set_time(struct vault_json_doc *d, json_t *object,
			 const char *key, int64_t seconds)
{
	char text[VAULT_WHEN_NAME_MAX];

	vault_when_rfc3339(seconds, text);
	vault_json_set_str(d, object, key, text);
}

void vault_json_set_digest(struct vault_json_doc *d, json_t *object,
			   const char *key, const struct vault_digest *digest)
{
	char hex[VAULT_DIGEST_HEX];

	vault_digest_hex(digest, hex);
	vault_json_set_str(d, object, key, hex);
}

void vault_json_add_text(struct vault_json_doc *d, json_t *array,
			 struct vault_span text)
{
	struct vault_buf utf8 = VAULT_BUF_INIT;
	bool exact;

	if (to_utf8(text, &utf8, &exact) != VAULT_OK)
		d->failed = true;
	else
		add(d, array, string_of(&utf8));
	vault_buf_release(&utf8);
}

static int append_text(const char *text, size_t len, void *ctx)
{
	return vault_buf_append(ctx, vault_span(text, len)) == VAULT_OK ? 0
									: -1;
}

vault_err vault_json_write(const struct vault_json_doc *d,
			   struct vault_buf *out)
{
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err = VAULT_ERR_NOMEM;

	if (d->failed ||
	    json_dump_callback(d->root, append_text, &text, DUMP_FLAGS) != 0)
		goto out;
	err = vault_buf_put_u8(&text, '\n');
	if (err == VAULT_OK)
		err = vault_buf_append(out, vault_buf_span(&text));

out:
	vault_buf_release(&text);
	return err;
}

vault_err vault_json_print(const struct vault_json_doc *d, FILE *to)
{
	if (d->failed)
		return VAULT_ERR_NOMEM;
	if (json_dumpf(d->root, to, DUMP_FLAGS) != 0 || fputc('\n', to) == EOF)
		return VAULT_ERR_IO;
	return VAULT_OK;
}
