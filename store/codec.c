/* SPDX-License-Identifier: Apache-2.0 */
#include "store/codec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "store/base/log.h"

/* Below this a probe costs more than it saves. */
#define PROBE_FROM ((size_t)16 * 1024)
#define PROBE_PIECES 3
#define PROBE_PIECE ((size_t)4 * 1024)
#define PROBE_BYTES (PROBE_PIECES * PROBE_PIECE)
#define PROBE_LEVEL (-5)

/* One part in this many must be saved, or the bytes are stored raw. */
#define WORTH 33

/* Shorter bytes are not tried: a record is padded to 16 bytes anyway. */
#define SMALLEST ((size_t)128)

struct contexts {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	uint8_t sample[PROBE_BYTES];
	uint8_t packed[PROBE_BYTES];
};

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static int contexts_error;

static void contexts_destroy(void *arg)
{
	struct contexts *x = arg;

	ZSTD_freeCCtx(x->pack);
	ZSTD_freeDCtx(x->unpack);
	free(x);
}

static void contexts_key_create(void)
{
	contexts_error = pthread_key_create(&contexts_key, contexts_destroy);
}

/* This thread's contexts, made at its first use; NULL: no memory. */
static struct contexts *contexts_get(void)
{
	struct contexts *x;

	pthread_once(&contexts_once, contexts_key_create);
	if (contexts_error != 0)
		return NULL;
	x = pthread_getspecific(contexts_key);
	if (x != NULL)
		return x;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->pack = ZSTD_createCCtx();
	x->unpack = ZSTD_createDCtx();
	if (x->pack == NULL || x->unpack == NULL ||
	    pthread_setspecific(contexts_key, x) != 0) {
		contexts_destroy(x);
		return NULL;
	}
	return x;
}

static vault_err pack_error(size_t code)
{
	vault_log_error("codec: zstd: %s", ZSTD_getErrorName(code));
	return VAULT_ERR_NOMEM; /* all zstd can lack at this size */
}

/*
 * Do the bytes use all values evenly? The sum of squares of the counts is
 * least for random bytes; a quarter above that means compressible for sure.
 */
static bool is_flat(const uint8_t *p, size_t n)
{
	uint32_t counts[4][256] = { 0 };
	uint64_t sum = 0;
	const uint64_t flat = (uint64_t)n * n / 256 + n;

	/* Four tables: equal neighbours do not wait for each other. */
	for (size_t i = 0; i + 4 <= n; i += 4) {
		counts[0][p[i]]++;
		counts[1][p[i + 1]]++;
		counts[2][p[i + 2]]++;
		counts[3][p[i + 3]]++;
	}
	for (size_t v = 0; v < 256; v++) {
		const uint64_t c = (uint64_t)counts[0][v] + counts[1][v] +
				   counts[2][v] + counts[3][v];

		sum += c * c;
	}
	return sum < flat + flat / 4;
}

/* Does a sample of `raw` say that compressing will not pay? */
static bool looks_random(struct contexts *x, struct vault_span raw)
{
	const size_t stride = raw.len / PROBE_PIECES;
	size_t n;

	if (raw.len < PROBE_FROM)
		return false;
	for (size_t i = 0; i < PROBE_PIECES; i++)
		memcpy(x->sample + i * PROBE_PIECE,
		       raw.data + i * stride + (stride - PROBE_PIECE) / 2,
		       PROBE_PIECE);
	if (!is_flat(x->sample, PROBE_BYTES))
		return false;
	n = ZSTD_compressCCtx(x->pack, x->packed, sizeof(x->packed), x->sample,
			      PROBE_BYTES, PROBE_LEVEL);
	return ZSTD_isError(n) || n > PROBE_BYTES - PROBE_BYTES / WORTH;
}

/* Compress into `room` bytes. The caller tells apart what an error means. */
static size_t compress(struct contexts *x, uint8_t *out, size_t room,
		       struct vault_span raw, struct vault_span base, int level)
{
	size_t code;

	ZSTD_CCtx_reset(x->pack, ZSTD_reset_session_and_parameters);
	code = ZSTD_CCtx_setParameter(x->pack, ZSTD_c_compressionLevel, level);
	if (ZSTD_isError(code))
		return code;
	if (base.len > 0) {
		code = ZSTD_CCtx_refPrefix(x->pack, base.data, base.len);
		if (ZSTD_isError(code))
			return code;
	}
	return ZSTD_compress2(x->pack, out, room, raw.data, raw.len);
}

vault_err vault_codec_pack(struct vault_span raw, int level, uint8_t *room,
			   struct vault_span *stored, enum vault_codec *codec)
{
	/* Anything longer is not worth it, so zstd may as well give up. */
	const size_t most = raw.len - raw.len / WORTH;
	struct contexts *x = contexts_get();
	size_t n;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	if (raw.len > VAULT_CODEC_RAW_MAX)
		return VAULT_ERR_TOO_BIG;
	if (raw.len < SMALLEST || looks_random(x, raw))
		goto raw;

	n = compress(x, room, most, raw, VAULT_SPAN_EMPTY, level);
	if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		goto raw;
	if (ZSTD_isError(n))
		return pack_error(n);
	*stored = vault_span(room, n);
	*codec = VAULT_CODEC_ZSTD;
	return VAULT_OK;

raw:
	*stored = raw;
	*codec = VAULT_CODEC_RAW;
	return VAULT_OK;
}

vault_err vault_codec_pack_prefix(struct vault_span raw, struct vault_span base,
				  int level, struct vault_buf *out)
{
	struct vault_buf packed = VAULT_BUF_INIT;
	struct contexts *x = contexts_get();
	vault_err err;
	size_t n;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	if (raw.len > VAULT_CODEC_RAW_MAX || base.len > VAULT_CODEC_RAW_MAX)
		return VAULT_ERR_TOO_BIG;
	err = vault_buf_reserve(&packed, ZSTD_compressBound(raw.len));
	if (err != VAULT_OK)
		goto out;
	n = compress(x, packed.data, packed.cap, raw, base, level);
	if (ZSTD_isError(n)) {
		err = pack_error(n);
		goto out;
	}
	packed.len = n;
	vault_buf_move(out, &packed);

out:
	vault_buf_release(&packed);
	return err;
}

/* Exactly one frame that says it holds `raw_len` bytes, and nothing else. */
static bool frame_fits(struct vault_span stored, uint32_t raw_len)
{
	const unsigned long long says =
		ZSTD_getFrameContentSize(stored.data, stored.len);

	return says == raw_len &&
	       ZSTD_findFrameCompressedSize(stored.data, stored.len) ==
		       stored.len;
}

static vault_err unzstd(struct vault_span stored, struct vault_span base,
			uint8_t *out, uint32_t raw_len)
{
	struct contexts *x = contexts_get();
	size_t n;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	if (!frame_fits(stored, raw_len))
		return VAULT_ERR_CORRUPT;
	ZSTD_DCtx_reset(x->unpack, ZSTD_reset_session_and_parameters);
	if (base.len > 0 &&
	    ZSTD_isError(ZSTD_DCtx_refPrefix(x->unpack, base.data, base.len)))
		return VAULT_ERR_NOMEM;
	n = ZSTD_decompressDCtx(x->unpack, out, raw_len, stored.data,
				stored.len);
	/* Contexts are not made big enough for a foreign frame: bad bytes. */
	return ZSTD_isError(n) || n != raw_len ? VAULT_ERR_CORRUPT : VAULT_OK;
}

vault_err vault_codec_unpack(uint8_t codec, struct vault_span stored,
			     struct vault_span base, uint8_t *out,
			     uint32_t raw_len)
{
	if (raw_len > VAULT_CODEC_RAW_MAX)
		return VAULT_ERR_CORRUPT;
	switch (codec) {
	case VAULT_CODEC_RAW:
		if (stored.len != raw_len || base.len != 0)
			return VAULT_ERR_CORRUPT;
		if (raw_len > 0)
			memcpy(out, stored.data, raw_len);
		return VAULT_OK;
	case VAULT_CODEC_ZSTD:
		if (base.len != 0)
			return VAULT_ERR_CORRUPT;
		return unzstd(stored, base, out, raw_len);
	case VAULT_CODEC_ZSTD_PREFIX:
		return unzstd(stored, base, out, raw_len);
	default:
		return VAULT_ERR_UNSUPPORTED;
	}
}
