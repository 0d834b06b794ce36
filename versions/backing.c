/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/row.h"
#include "versions/row_format.h"

vault_err vault_backing_pack(const struct vault_backing *b,
			     struct vault_buf *out)
{
	uint8_t p[VAULT_BACKING_BYTES];

	vault_bytes_put_le64(p, b->dev);
	vault_bytes_put_le64(p + 8, b->ino);
	vault_bytes_put_le64(p + 16, (uint64_t)b->ctime_ns);
	vault_bytes_put_le64(p + 24, (uint64_t)b->btime_ns);
	p[32] = b->racy ? VAULT_BACKING_RACY : 0;
	return vault_buf_append(out, vault_span(p, sizeof(p)));
}

vault_err vault_backing_unpack(struct vault_reader *in,
			       struct vault_backing *out)
{
	struct vault_backing b;
	uint8_t flags;

	b.dev = vault_reader_le64(in);
	b.ino = vault_reader_le64(in);
	b.ctime_ns = (int64_t)vault_reader_le64(in);
	b.btime_ns = (int64_t)vault_reader_le64(in);
	flags = vault_reader_u8(in);
	if (in->failed || flags & ~VAULT_BACKING_RACY)
		return VAULT_ERR_CORRUPT;
	b.racy = flags & VAULT_BACKING_RACY;
	*out = b;
	return VAULT_OK;
}
