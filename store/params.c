/* SPDX-License-Identifier: Apache-2.0 */
#include "store/params.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/base/bytes.h"
#include "store/chunker.h"

const struct vault_store_params vault_store_params_default = {
	.chunk_min = 16 << 10,
	.chunk_avg = 64 << 10,
	.chunk_max = 256 << 10,
	.zone = "UTC",
};

/* What the chunker would accept, and a zone that one line of text can hold. */
static bool shown_ok(const struct vault_store_params *s)
{
	const struct vault_chunk_sizes sizes = {
		.min = s->chunk_min,
		.avg = s->chunk_avg,
		.max = s->chunk_max,
	};
	const char *end = memchr(s->zone, 0, sizeof(s->zone));
	struct vault_chunker c;

	if (vault_chunker_init(&c, &sizes) != VAULT_OK)
		return false;
	if (end == NULL || end == s->zone)
		return false;
	for (const char *p = s->zone; p < end; p++)
		if ((unsigned char)*p <= ' ')
			return false;
	return true;
}

static vault_err random_bytes(uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vault_err_from_errno(errno);
		p += got;
		n -= (size_t)got;
	}
	return VAULT_OK;
}

vault_err vault_params_invent(const struct vault_store_params *shown,
			      struct vault_params *out)
{
	struct vault_params p = { 0 };
	vault_err err;

	if (!shown_ok(shown))
		return VAULT_ERR_INVALID;
	p.shown.chunk_min = shown->chunk_min;
	p.shown.chunk_avg = shown->chunk_avg;
	p.shown.chunk_max = shown->chunk_max;
	memcpy(p.shown.zone, shown->zone, strlen(shown->zone));
	err = random_bytes(p.uuid, sizeof(p.uuid));
	if (err == VAULT_OK)
		err = random_bytes(p.secret, sizeof(p.secret));
	if (err != VAULT_OK)
		return err;
	/* Version 4, variant 1: random. */
	p.uuid[6] = (uint8_t)((p.uuid[6] & 0x0f) | 0x40);
	p.uuid[8] = (uint8_t)((p.uuid[8] & 0x3f) | 0x80);
	*out = p;
	return VAULT_OK;
}

void vault_params_pack(const struct vault_params *p,
		       uint8_t out[VAULT_PARAMS_BYTES])
{
	memset(out, 0, VAULT_PARAMS_BYTES);
	vault_bytes_put_le32(out + VAULT_PARAMS_OFF_FORMAT, VAULT_FORMAT);
	vault_bytes_put_le32(out + VAULT_PARAMS_OFF_MIN, p->shown.chunk_min);
	vault_bytes_put_le32(out + VAULT_PARAMS_OFF_AVG, p->shown.chunk_avg);
	vault_bytes_put_le32(out + VAULT_PARAMS_OFF_MAX, p->shown.chunk_max);
	memcpy(out + VAULT_PARAMS_OFF_UUID, p->uuid, sizeof(p->uuid));
	memcpy(out + VAULT_PARAMS_OFF_SECRET, p->secret, sizeof(p->secret));
	memcpy(out + VAULT_PARAMS_OFF_ZONE, p->shown.zone,
	       sizeof(p->shown.zone));
	vault_bytes_put_le32(out + VAULT_PARAMS_OFF_PREV, p->prev_pack);
	vault_bytes_put_le64(out + VAULT_PARAMS_OFF_PREV_END, p->prev_end);
}

vault_err vault_params_unpack(struct vault_span bytes, struct vault_params *out)
{
	struct vault_params p = { 0 };
	const uint8_t *d = bytes.data;

	if (bytes.len < 4)
		return VAULT_ERR_CORRUPT;
	if (vault_bytes_get_le32(d + VAULT_PARAMS_OFF_FORMAT) > VAULT_FORMAT)
		return VAULT_ERR_NEWER;
	if (bytes.len != VAULT_PARAMS_BYTES)
		return VAULT_ERR_CORRUPT;
	p.shown.chunk_min = vault_bytes_get_le32(d + VAULT_PARAMS_OFF_MIN);
	p.shown.chunk_avg = vault_bytes_get_le32(d + VAULT_PARAMS_OFF_AVG);
	p.shown.chunk_max = vault_bytes_get_le32(d + VAULT_PARAMS_OFF_MAX);
	memcpy(p.uuid, d + VAULT_PARAMS_OFF_UUID, sizeof(p.uuid));
	memcpy(p.secret, d + VAULT_PARAMS_OFF_SECRET, sizeof(p.secret));
	memcpy(p.shown.zone, d + VAULT_PARAMS_OFF_ZONE, sizeof(p.shown.zone));
	p.prev_pack = vault_bytes_get_le32(d + VAULT_PARAMS_OFF_PREV);
	p.prev_end = vault_bytes_get_le64(d + VAULT_PARAMS_OFF_PREV_END);
	if (!shown_ok(&p.shown))
		return VAULT_ERR_CORRUPT;
	*out = p;
	return VAULT_OK;
}

void vault_params_uuid_text(const uint8_t uuid[16], char out[VAULT_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid[i] >> 4];
		*p++ = digits[uuid[i] & 15];
	}
	*p = 0;
}

vault_err vault_params_print(const struct vault_params *p,
			     struct vault_buf *out)
{
	char uuid[VAULT_UUID_TEXT];

	vault_params_uuid_text(p->uuid, uuid);
	return vault_buf_printf(
		out,
		"# An ArtisticVault. The packs hold all of this too.\n"
		"format=%d\nuuid=%s\nzone=%s\n"
		"chunk_min=%" PRIu32 "\nchunk_avg=%" PRIu32
		"\nchunk_max=%" PRIu32 "\n",
		VAULT_FORMAT, uuid, p->shown.zone, p->shown.chunk_min,
		p->shown.chunk_avg, p->shown.chunk_max);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_uuid(const char *s, uint8_t uuid[16])
{
	if (strlen(s) != VAULT_UUID_TEXT - 1)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		int high;
		int low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			return false;
		high = hex_digit(*s++);
		low = hex_digit(*s++);
		if (high < 0 || low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_u32(const char *s, uint32_t *out)
{
	char *end;
	const unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end != 0 || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

enum { HAS_FORMAT = 1, HAS_UUID = 2, HAS_ZONE = 4, HAS_SIZES = 8 };

/* One "key=value" line; which key it was is added to `*seen`. */
static bool parse_line(const char *key, const char *value,
		       struct vault_params *p, uint32_t *format, unsigned *seen)
{
	if (strcmp(key, "format") == 0) {
		*seen |= HAS_FORMAT;
		return parse_u32(value, format);
	}
	if (strcmp(key, "uuid") == 0) {
		*seen |= HAS_UUID;
		return parse_uuid(value, p->uuid);
	}
	if (strcmp(key, "zone") == 0) {
		*seen |= HAS_ZONE;
		if (strlen(value) >= sizeof(p->shown.zone))
			return false;
		memset(p->shown.zone, 0, sizeof(p->shown.zone));
		memcpy(p->shown.zone, value, strlen(value));
		return true;
	}
	if (strcmp(key, "chunk_min") == 0)
		return parse_u32(value, &p->shown.chunk_min);
	if (strcmp(key, "chunk_avg") == 0)
		return parse_u32(value, &p->shown.chunk_avg);
	if (strcmp(key, "chunk_max") == 0) {
		*seen |= HAS_SIZES;
		return parse_u32(value, &p->shown.chunk_max);
	}
	return true;
}

/* All lines of `text`, which is cut up. */
static bool parse_lines(char *text, struct vault_params *p, uint32_t *format,
			unsigned *seen)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *value = strchr(line, '=');

		if (line[0] == '#' || value == NULL)
			continue;
		*value++ = 0;
		if (!parse_line(line, value, p, format, seen))
			return false;
	}
	return true;
}

vault_err vault_params_parse(struct vault_span text, struct vault_params *out,
			     uint32_t *format)
{
	struct vault_buf copy = VAULT_BUF_INIT;
	struct vault_params p = { 0 };
	unsigned seen = 0;
	uint32_t f = 0;
	bool sound;
	vault_err err;

	err = vault_buf_append(&copy, text);
	if (err == VAULT_OK)
		err = vault_buf_put_u8(&copy, 0);
	if (err != VAULT_OK)
		goto out;
	sound = parse_lines((char *)copy.data, &p, &f, &seen);
	if ((seen & HAS_FORMAT) && f > VAULT_FORMAT) {
		*format = f;
		err = VAULT_ERR_NEWER;
		goto out;
	}
	if (!sound || f == 0 || !shown_ok(&p.shown) ||
	    seen != (HAS_FORMAT | HAS_UUID | HAS_ZONE | HAS_SIZES)) {
		err = VAULT_ERR_CORRUPT;
		goto out;
	}
	*format = f;
	*out = p;

out:
	vault_buf_release(&copy);
	return err;
}
