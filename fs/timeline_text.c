/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/timeline_text.h"

#include <inttypes.h>

#include "store/digest.h"
#include "versions/when.h"

/* Length of the UTF-8 sequence at the front of `s`; 0: it is none. */
static size_t utf8_length(struct vault_span s)
{
	const uint8_t c = s.data[0];
	const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? c : c & (0x7fu >> n);
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (n == 1)
		return 1;
	if (c < 0xc2 || c > 0xf4 || s.len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.data[i] & 0x3fu);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	return n;
}

vault_err vault_timeline_text_string(struct vault_buf *out, struct vault_span s)
{
	vault_err err = vault_buf_append_str(out, "\"");

	while (err == VAULT_OK && s.len > 0) {
		const size_t n = utf8_length(s);
		const uint8_t c = s.data[0];

		if (n == 0)
			err = vault_buf_append_str(out, "\\ufffd");
		else if (c == '"' || c == '\\')
			err = vault_buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			err = vault_buf_printf(out, "\\u%04x", c);
		else
			err = vault_buf_append(out, vault_span(s.data, n));
		s = vault_span_from(s, n == 0 ? 1 : n);
	}
	if (err == VAULT_OK)
		err = vault_buf_append_str(out, "\"");
	return err;
}

static vault_err json_step(const struct vault_timeline_step *s,
			   struct vault_buf *out)
{
	char moment[VAULT_WHEN_NAME_MAX];
	char time[VAULT_WHEN_NAME_MAX];
	char digest[VAULT_DIGEST_HEX];
	vault_err err;

	vault_when_name(s->moment.time, moment);
	vault_when_rfc3339(s->moment.time, time);
	vault_digest_hex(&s->version.row.digest, digest);
	err = vault_buf_append_str(out, "  {\"file\": ");
	if (err == VAULT_OK)
		err = vault_timeline_text_string(out, vault_buf_span(&s->file));
	if (err == VAULT_OK)
		err = vault_buf_printf(
			out,
			", \"moment\": \"%s\", \"time\": \"%s\","
			" \"size\": %" PRIu64 ", \"digest\": \"%s\"}",
			moment, time, s->version.row.size, digest);
	return err;
}

vault_err vault_timeline_text_json(const struct vault_timeline *steps,
				   struct vault_buf *out)
{
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err = vault_buf_append_str(&text, "[");

	for (size_t i = 0; err == VAULT_OK && i < steps->n; i++) {
		err = vault_buf_append_str(&text, i == 0 ? "\n" : ",\n");
		if (err == VAULT_OK)
			err = json_step(&steps->steps[i], &text);
	}
	if (err == VAULT_OK)
		err = vault_buf_append_str(&text,
					   steps->n == 0 ? "]\n" : "\n]\n");
	if (err == VAULT_OK)
		err = vault_buf_append(out, vault_buf_span(&text));
	vault_buf_release(&text);
	return err;
}

/* Names are foreign bytes; what would move a terminal's cursor is left out. */
static vault_err append_printable(struct vault_buf *out, struct vault_span s)
{
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && s.len > 0) {
		const size_t n = utf8_length(s);
		const uint8_t c = s.data[0];

		if (n == 0 || c < 0x20 || c == 0x7f)
			err = vault_buf_append_str(out, "?");
		else
			err = vault_buf_append(out, vault_span(s.data, n));
		s = vault_span_from(s, n == 0 ? 1 : n);
	}
	return err;
}

/* "saved", and under which name where it was not the one asked for. */
static vault_err append_change(struct vault_tree *t, struct vault_span path,
			       const struct vault_timeline_step *s, bool first,
			       struct vault_buf *out)
{
	struct vault_buf then = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_append_str(out, first ? "first" : "saved");
	if (err == VAULT_OK && (s->version.row.flags & VAULT_ROW_TORN) != 0)
		err = vault_buf_append_str(out, ", while being written");
	if (err != VAULT_OK)
		return err;
	err = vault_tree_dir_path(t, s->dir, s->version.seq, &then);
	if (err == VAULT_OK && then.len > 0)
		err = vault_buf_append_str(&then, "/");
	if (err == VAULT_OK)
		err = vault_buf_append(&then, vault_buf_span(&s->name));
	if (err == VAULT_OK && !vault_span_equal(vault_buf_span(&then), path)) {
		err = vault_buf_append_str(out, " as ");
		if (err == VAULT_OK)
			err = append_printable(out, vault_buf_span(&then));
	}
	/* A folder that cannot be named takes nothing from the version. */
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	vault_buf_release(&then);
	return err;
}

static vault_err table_step(struct vault_tree *t, struct vault_span path,
			    const struct vault_timeline_step *s, bool first,
			    struct vault_buf *out)
{
	char moment[VAULT_WHEN_NAME_MAX];
	char digest[VAULT_DIGEST_HEX];
	vault_err err;

	vault_when_name(s->moment.time, moment);
	vault_digest_hex(&s->version.row.digest, digest);
	err = vault_buf_printf(out, "%-24s  %15" PRIu64 "  %s  ", moment,
			       s->version.row.size, digest);
	if (err == VAULT_OK)
		err = append_change(t, path, s, first, out);
	if (err == VAULT_OK)
		err = vault_buf_append_str(out, "\n");
	return err;
}

vault_err vault_timeline_text_table(struct vault_tree *t,
				    struct vault_span path,
				    const struct vault_timeline *steps,
				    struct vault_buf *out)
{
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err;

	err = append_printable(&text, path);
	if (err == VAULT_OK)
		err = vault_buf_printf(&text, ": %zu version%s\n\n", steps->n,
				       steps->n == 1 ? "" : "s");
	if (err == VAULT_OK)
		err = vault_buf_printf(&text, "%-24s  %15s  %-32s  %s\n",
				       "moment", "bytes", "digest", "change");
	for (size_t i = 0; err == VAULT_OK && i < steps->n; i++)
		err = table_step(t, path, &steps->steps[i], i == 0, &text);
	if (err == VAULT_OK)
		err = vault_buf_append(out, vault_buf_span(&text));
	vault_buf_release(&text);
	return err;
}
