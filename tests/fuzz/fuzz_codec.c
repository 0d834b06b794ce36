/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/base/bytes.h"
#include "store/codec.h"
#include "tests/fuzz/fuzz.h"

#define LARGEST ((uint32_t)1 << 20)

/*
 * One byte of codec, a u32 of raw length, a u16 of base length, the base, and
 * the stored bytes. The output lies in memory of exactly its size.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vault_reader in = vault_reader(vault_span(data, size));
	const uint8_t codec = vault_reader_u8(&in);
	const uint32_t raw_len = vault_reader_le32(&in) % LARGEST;
	const uint16_t base_len = vault_reader_le16(&in);
	const struct vault_span base = vault_reader_take(&in, base_len);
	uint8_t *out;

	if (in.failed)
		return 0;
	out = malloc(raw_len > 0 ? raw_len : 1);
	if (out == NULL)
		abort();
	if (vault_codec_unpack(codec, in.left, base, out, raw_len) ==
		    VAULT_OK &&
	    codec >= VAULT_CODEC_COUNT)
		abort();
	free(out);
	return 0;
}
