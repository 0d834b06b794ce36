/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "versions/commit.h"
#include "versions/snapshot_internal.h"

/* What was accepted must come out of the encoder byte for byte. */
static void check(struct vault_span bytes)
{
	struct vault_reader in = vault_reader(bytes);
	struct vault_commit_row before, row;
	struct vault_commit_head head;
	struct vault_commit *c = NULL;
	struct vault_buf again = VAULT_BUF_INIT;

	if (vault_commit_decode_head(&in, &head) != VAULT_OK)
		return;
	if (vault_commit_create(&c) != VAULT_OK)
		abort();
	for (uint32_t i = 0; i < head.n_rows; i++) {
		if (vault_commit_decode_row(&in, i == 0 ? NULL : &before,
					    &row) != VAULT_OK)
			goto out;
		if (vault_commit_add(c, row.dir, row.name, &row.row,
				     &row.backing) != VAULT_OK)
			abort();
		before = row;
	}
	if (!vault_reader_done(&in))
		goto out;
	if (vault_commit_encode(c, &head, &again) != VAULT_OK ||
	    !vault_span_equal(vault_buf_span(&again), bytes))
		abort();
out:
	vault_buf_release(&again);
	vault_commit_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vault_span bytes = vault_span(data, size);
	struct vault_snapshot_op op;
	struct vault_buf again = VAULT_BUF_INIT;

	check(bytes);
	if (vault_snapshot_form_unpack_op(bytes, &op) == VAULT_OK &&
	    (vault_snapshot_form_pack_op(&op, &again) != VAULT_OK ||
	     !vault_span_equal(vault_buf_span(&again), bytes)))
		abort();
	vault_buf_release(&again);
	return 0;
}
