/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_CODEC_H
#define VAULT_STORE_CODEC_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * How the bytes of a record are packed: the only door to zstd.
 *
 * Packing decides by itself whether compressing pays: bytes that look random
 * in a sample, or that would shrink by less than a thirty-third, are stored
 * as they are. A codec may lean on the raw bytes of another record, its base
 * (an older version of the same thing); whoever reads fetches the base first.
 *
 * Unpacking takes foreign bytes and yields exactly the length that it was
 * told, or VAULT_ERR_CORRUPT. Any thread; each keeps its own contexts, which
 * go when the thread ends.
 */

/* Values are on disk: store/FORMAT.md, "Codecs". */
enum vault_codec {
	VAULT_CODEC_RAW = 0,
	VAULT_CODEC_ZSTD = 1,	     /* one zstd frame */
	VAULT_CODEC_ZSTD_PREFIX = 2, /* the same, with a base as prefix */
	VAULT_CODEC_COUNT,
};

/* The longest chain of bases below a record. */
#define VAULT_CODEC_DEPTH_MAX 3

/* No record is longer than this when unpacked. */
#define VAULT_CODEC_RAW_MAX ((uint32_t)1 << 26)

/*
 * Levels of zstd: while saves are being kept, and in the background. On a
 * mixed project -1 is 4 % larger than 1, half as fast again on large files
 * and twice as fast on small ones.
 */
#define VAULT_CODEC_LEVEL_CAPTURE (-1)
#define VAULT_CODEC_LEVEL_REPACK 3

/*
 * Pack `raw`. `*stored` is either `raw` itself or lies at `room`, where there
 * must be space for raw.len bytes. TOO_BIG beyond RAW_MAX.
 */
VAULT_MUST_CHECK vault_err vault_codec_pack(struct vault_span raw, int level,
					    uint8_t *room,
					    struct vault_span *stored,
					    enum vault_codec *codec);

/*
 * Pack `raw` with `base` as its prefix, into `out` (replaced). The result is
 * always VAULT_CODEC_ZSTD_PREFIX, be it small or not. TOO_BIG beyond RAW_MAX.
 */
VAULT_MUST_CHECK vault_err vault_codec_pack_prefix(struct vault_span raw,
						   struct vault_span base,
						   int level,
						   struct vault_buf *out);

/*
 * Unpack to exactly `raw_len` bytes at `out`. `base` is the raw bytes of the
 * base, empty for codecs without one. CORRUPT for anything that is not a
 * packing of `raw_len` bytes; what is at `out` is then undefined. UNSUPPORTED:
 * a codec this program does not know.
 */
VAULT_MUST_CHECK vault_err vault_codec_unpack(uint8_t codec,
					      struct vault_span stored,
					      struct vault_span base,
					      uint8_t *out, uint32_t raw_len);

#endif
