/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/bytes.h"
#include "versions/commit.h"
#include "versions/name_format.h"
#include "versions/snapshot_internal.h"

static vault_err put_text(struct vault_buf *out, struct vault_span text)
{
	vault_err err;

	if (text.len > VAULT_NAME_TEXT_MAX)
		return VAULT_ERR_TOO_BIG;
	err = vault_buf_put_le32(out, (uint32_t)text.len);
	return err != VAULT_OK ? err : vault_buf_append(out, text);
}

static struct vault_span take_text(struct vault_reader *r)
{
	const uint32_t len = vault_reader_le32(r);

	if (len > VAULT_NAME_TEXT_MAX)
		r->failed = true;
	return vault_reader_take(r, len);
}

vault_err vault_snapshot_form_pack_op(const struct vault_snapshot_op *op,
				      struct vault_buf *out)
{
	vault_err err;

	err = vault_buf_put_u8(out, VAULT_NAME_VERSION);
	if (err == VAULT_OK)
		err = vault_buf_put_u8(out, op->op);
	if (err == VAULT_OK)
		err = vault_buf_put_le16(out, 0);
	if (err == VAULT_OK)
		err = vault_buf_put_le64(out, (uint64_t)op->time);
	if (err == VAULT_OK)
		err = vault_buf_put_le64(out, op->seq);
	if (err == VAULT_OK)
		err = put_text(out, op->name);
	if (err == VAULT_OK)
		err = put_text(out, op->to);
	if (err == VAULT_OK)
		err = put_text(out, op->note);
	if (err == VAULT_OK)
		err = put_text(out, op->tags);
	return err;
}

/* Does it say what its operation needs, and nothing more? */
static bool sound(const struct vault_snapshot_op *op)
{
	const bool set = op->op == VAULT_NAME_SET;

	if (op->op < VAULT_NAME_SET || op->op > VAULT_NAME_RENAME ||
	    op->name.len == 0 || op->name.len > VAULT_NAME_MAX ||
	    op->to.len > VAULT_NAME_MAX)
		return false;
	if ((op->op == VAULT_NAME_RENAME) != (op->to.len > 0))
		return false;
	return set || (op->seq == 0 && op->note.len == 0 && op->tags.len == 0);
}

vault_err vault_snapshot_form_unpack_op(struct vault_span bytes,
					struct vault_snapshot_op *out)
{
	struct vault_reader r = vault_reader(bytes);
	struct vault_snapshot_op op;
	const uint8_t version = vault_reader_u8(&r);
	uint16_t zero;

	if (!r.failed && version > VAULT_NAME_VERSION)
		return VAULT_ERR_NEWER;
	op.op = vault_reader_u8(&r);
	zero = vault_reader_le16(&r);
	op.time = (int64_t)vault_reader_le64(&r);
	op.seq = vault_reader_le64(&r);
	op.name = take_text(&r);
	op.to = take_text(&r);
	op.note = take_text(&r);
	op.tags = take_text(&r);
	if (!vault_reader_done(&r) || version != VAULT_NAME_VERSION ||
	    zero != 0 || !sound(&op))
		return VAULT_ERR_CORRUPT;
	*out = op;
	return VAULT_OK;
}

vault_err vault_snapshot_form_pack_value(const struct vault_snapshot_value *v,
					 struct vault_buf *out)
{
	vault_err err;

	err = vault_buf_put_le64(out, v->seq);
	if (err == VAULT_OK)
		err = vault_buf_put_le64(out, (uint64_t)v->set_at);
	if (err == VAULT_OK)
		err = vault_buf_put_le64(out, (uint64_t)v->removed_at);
	if (err == VAULT_OK)
		err = put_text(out, v->note);
	if (err == VAULT_OK)
		err = put_text(out, v->tags);
	return err;
}

vault_err vault_snapshot_form_unpack_value(struct vault_span bytes,
					   struct vault_snapshot_value *out)
{
	struct vault_reader r = vault_reader(bytes);
	struct vault_snapshot_value v;

	v.seq = vault_reader_le64(&r);
	v.set_at = (int64_t)vault_reader_le64(&r);
	v.removed_at = (int64_t)vault_reader_le64(&r);
	v.note = take_text(&r);
	v.tags = take_text(&r);
	if (!vault_reader_done(&r))
		return VAULT_ERR_INDEX;
	*out = v;
	return VAULT_OK;
}
