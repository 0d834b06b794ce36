/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/timeline_text.h"

#include <inttypes.h>

#include "fs/json.h"
#include "store/digest.h"
#include "versions/when.h"

static void json_step(struct vault_json_doc *d,
		      const struct vault_timeline_step *s)
{
	char moment[VAULT_WHEN_NAME_MAX];
	json_t *o = vault_json_add_object(d, d->root);

	vault_when_name(s->moment.time, moment);
	vault_json_set_text(d, o, "file", vault_buf_span(&s->file));
	vault_json_set_str(d, o, "moment", moment);
	vault_json_set_time(d, o, "time", s->moment.time);
	vault_json_set_int(d, o, "size", s->version.row.size);
	vault_json_set_digest(d, o, "digest", &s->version.row.digest);
}

vault_err vault_timeline_text_json(const struct vault_timeline *steps,
				   struct vault_buf *out)
{
	struct vault_json_doc d;
	vault_err err;

	vault_json_array(&d);
	for (size_t i = 0; i < steps->n; i++)
		json_step(&d, &steps->steps[i]);
	err = vault_json_write(&d, out);
	vault_json_release(&d);
	return err;
}

/* Names are foreign bytes; what would move a terminal's cursor is left out. */
static vault_err append_printable(struct vault_buf *out, struct vault_span s)
{
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && s.len > 0) {
		const size_t n = vault_json_utf8_length(s);
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
