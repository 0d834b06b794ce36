/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/chunk_cache.h"
#include "store/chunker.h"
#include "store/digest.h"
#include "store/layout.h"
#include "store/objects.h"
#include "store/pack_format.h"
#include "store/put.h"
#include "store/records.h"
#include "store/store.h"

/* How far the whole-content digest has got. */
enum progress { NOT_BEGUN, RUNNING, MATCHES };

struct vault_content_file {
	struct vault_store *store;
	struct vault_chunk_cache *cache;
	struct vault_layout *layout;
	struct vault_content info;

	pthread_mutex_t lock; /* of all below */
	enum progress progress;
	uint64_t digested; /* bytes from the start, while RUNNING */
	struct vault_digest_stream *digest;
};

vault_err vault_store_open_content(struct vault_store *s,
				   const struct vault_id *id,
				   struct vault_content_file **out)
{
	struct vault_content_file *f = calloc(1, sizeof(*f));
	vault_err err;

	if (f == NULL)
		return VAULT_ERR_NOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->store = s;
	f->cache = vault_put_pool_cache(vault_records_pool(s));
	err = vault_layout_open(s, id, &f->layout);
	if (err != VAULT_OK) {
		vault_content_file_close(f);
		return err;
	}
	f->info = vault_layout_info(f->layout);
	*out = f;
	return VAULT_OK;
}

void vault_content_file_close(struct vault_content_file *f)
{
	if (f == NULL)
		return;
	vault_layout_close(f->layout);
	vault_digest_stream_destroy(f->digest);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct vault_content vault_content_file_info(const struct vault_content_file *f)
{
	return f->info;
}

vault_err vault_content_file_next_data(struct vault_content_file *f,
				       uint64_t off, uint64_t *start,
				       uint64_t *end)
{
	return vault_layout_next_data(f->layout, off, start, end);
}

/* ---- the digest of the whole ---- */

/* A read from the start begins anew, but for what has matched once. */
static vault_err digest_begin(struct vault_content_file *f)
{
	vault_err err;

	vault_digest_stream_destroy(f->digest);
	f->digest = NULL;
	f->progress = NOT_BEGUN;
	err = vault_digest_stream_create(&f->digest);
	if (err != VAULT_OK)
		return err;
	f->progress = RUNNING;
	f->digested = 0;
	return VAULT_OK;
}

static vault_err digest_end(struct vault_content_file *f)
{
	const struct vault_digest got = vault_digest_stream_end(f->digest);
	char want[VAULT_DIGEST_HEX];

	vault_digest_stream_destroy(f->digest);
	f->digest = NULL;
	f->progress = NOT_BEGUN;
	if (memcmp(got.b, f->info.digest.b, sizeof(got.b)) != 0) {
		vault_digest_hex(&f->info.digest, want);
		vault_log_error("content %s: the bytes have another digest",
				want);
		return VAULT_ERR_CORRUPT;
	}
	f->progress = MATCHES;
	return VAULT_OK;
}

/* Bytes were read at `off`: digest them if they are the next in order. */
static vault_err digest_read(struct vault_content_file *f, uint64_t off,
			     struct vault_span bytes)
{
	vault_err err = VAULT_OK;

	pthread_mutex_lock(&f->lock);
	if (f->progress != MATCHES && off == 0)
		err = digest_begin(f);
	if (err == VAULT_OK && f->progress == RUNNING && off == f->digested) {
		vault_digest_stream_add(f->digest, bytes);
		f->digested += bytes.len;
		if (f->digested == f->info.size)
			err = digest_end(f);
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

/* ---- reading ---- */

static vault_err load(void *ctx, const struct vault_id *id, uint8_t *out,
		      uint32_t len)
{
	return vault_objects_read(ctx, VAULT_RECORD_CHUNK, id, out, len);
}

/* `len` bytes from `skip` on of a chunk. */
static vault_err read_chunk(struct vault_content_file *f,
			    const struct vault_piece *p, size_t skip,
			    uint8_t *buf, size_t len)
{
	const uint32_t chunk_len = (uint32_t)p->len;
	struct vault_cached_chunk *chunk;
	vault_err err;

	/* A whole chunk need not go through the cache, unless it is there. */
	chunk = vault_chunk_cache_peek(f->cache, &p->id, chunk_len);
	if (chunk == NULL && len == p->len)
		return load(f->store, &p->id, buf, chunk_len);
	if (chunk == NULL) {
		err = vault_chunk_cache_hold(f->cache, &p->id, chunk_len, load,
					     f->store, &chunk);
		if (err != VAULT_OK)
			return err;
	}
	memcpy(buf, vault_chunk_cache_bytes(chunk).data + skip, len);
	vault_chunk_cache_drop(f->cache, chunk);
	return VAULT_OK;
}

/* What of the piece at `off` lies within `len` bytes. */
static vault_err read_piece(struct vault_content_file *f, uint64_t off,
			    uint8_t *buf, size_t len, size_t *got)
{
	struct vault_piece p;
	uint64_t skip;
	size_t n;
	vault_err err;

	err = vault_layout_at(f->layout, off, &p);
	if (err != VAULT_OK)
		return err;
	skip = off - p.start;
	n = len < p.len - skip ? len : (size_t)(p.len - skip);
	if (vault_id_is_none(&p.id))
		memset(buf, 0, n);
	else
		err = read_chunk(f, &p, (size_t)skip, buf, n);
	if (err == VAULT_OK)
		*got = n;
	return err;
}

vault_err vault_content_file_read(struct vault_content_file *f, uint64_t off,
				  void *buf, size_t len, size_t *got)
{
	size_t done = 0;
	vault_err err = VAULT_OK;

	if (off >= f->info.size)
		len = 0;
	else if (len > f->info.size - off)
		len = (size_t)(f->info.size - off);
	while (done < len) {
		size_t n = 0;

		err = read_piece(f, off + done, (uint8_t *)buf + done,
				 len - done, &n);
		if (err != VAULT_OK)
			return err;
		done += n;
	}
	if (len > 0)
		err = digest_read(f, off, vault_span(buf, len));
	if (err == VAULT_OK)
		*got = len;
	return err;
}

vault_err vault_store_read_all(struct vault_store *s, const struct vault_id *id,
			       uint64_t limit, struct vault_buf *out)
{
	struct vault_content_file *f = NULL;
	struct vault_buf bytes = VAULT_BUF_INIT;
	size_t got = 0;
	vault_err err;

	err = vault_store_open_content(s, id, &f);
	if (err != VAULT_OK)
		return err;
	if (f->info.size > limit || f->info.size > SIZE_MAX / 2) {
		err = VAULT_ERR_TOO_BIG;
		goto out;
	}
	err = vault_buf_reserve(&bytes, (size_t)f->info.size);
	if (err == VAULT_OK)
		err = vault_content_file_read(f, 0, bytes.data,
					      (size_t)f->info.size, &got);
	if (err == VAULT_OK) {
		bytes.len = got;
		vault_buf_move(out, &bytes);
	}

out:
	vault_buf_release(&bytes);
	vault_content_file_close(f);
	return err;
}

/* ---- checking ---- */

/* Ids asked for at once. */
#define CHECK_BATCH 256

static vault_err check_ids(struct vault_store *s, const struct vault_id *ids,
			   size_t n)
{
	struct vault_record_place places[CHECK_BATCH];
	bool found[CHECK_BATCH];
	vault_err err;

	if (n == 0)
		return VAULT_OK;
	err = vault_records_find(s, n, ids, places, found);
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		if (found[i])
			continue;
		vault_log_error("store: a chunk is not there");
		err = VAULT_ERR_DANGLING;
	}
	return err;
}

static vault_err check_structure(struct vault_store *s, struct vault_layout *l)
{
	const uint64_t size = vault_layout_info(l).size;
	struct vault_id ids[CHECK_BATCH];
	struct vault_piece p;
	size_t n = 0;
	vault_err err;

	for (uint64_t off = 0; off < size; off = p.start + p.len) {
		err = vault_layout_at(l, off, &p);
		if (err != VAULT_OK)
			return err;
		if (vault_id_is_none(&p.id))
			continue;
		ids[n++] = p.id;
		if (n < CHECK_BATCH)
			continue;
		err = check_ids(s, ids, n);
		if (err != VAULT_OK)
			return err;
		n = 0;
	}
	return check_ids(s, ids, n);
}

static vault_err check_data(struct vault_store *s, struct vault_layout *l)
{
	const struct vault_content info = vault_layout_info(l);
	struct vault_digest_stream *digest = NULL;
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_digest got;
	struct vault_piece p;
	vault_err err;

	err = vault_digest_stream_create(&digest);
	if (err != VAULT_OK)
		return err;
	for (uint64_t off = 0; off < info.size; off = p.start + p.len) {
		err = vault_layout_at(l, off, &p);
		if (err != VAULT_OK)
			goto out;
		if (vault_id_is_none(&p.id)) {
			vault_digest_stream_add_zeros(digest, p.len);
			continue;
		}
		err = vault_buf_reserve(&raw, (size_t)p.len);
		if (err == VAULT_OK)
			err = load(s, &p.id, raw.data, (uint32_t)p.len);
		if (err != VAULT_OK)
			goto out;
		vault_digest_stream_add(digest,
					vault_span(raw.data, (size_t)p.len));
	}
	got = vault_digest_stream_end(digest);
	if (memcmp(got.b, info.digest.b, sizeof(got.b)) != 0) {
		vault_log_error("store: a content has another digest");
		err = VAULT_ERR_CORRUPT;
	}

out:
	vault_buf_release(&raw);
	vault_digest_stream_destroy(digest);
	return err;
}

vault_err vault_store_check_content(struct vault_store *s,
				    const struct vault_id *id, bool data)
{
	struct vault_layout *l = NULL;
	vault_err err;

	err = vault_layout_open(s, id, &l);
	if (err == VAULT_ERR_NOT_FOUND) {
		vault_log_error("store: a recipe is not there");
		return VAULT_ERR_DANGLING;
	}
	if (err != VAULT_OK)
		return err;
	err = data ? check_data(s, l) : check_structure(s, l);
	vault_layout_close(l);
	return err;
}
