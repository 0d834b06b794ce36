/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "store/base/log.h"

/*
 * Small on purpose: the index of a million files is some hundred megabytes of
 * which little is hot, and the daemon is to stay below 100 MB.
 */
#define BLOCK_CACHE_BYTES ((size_t)32 << 20)
#define CACHE_SHARD_BITS 2
#define WRITE_BUFFER_BYTES ((size_t)16 << 20) /* over all families */
#define WAL_BYTES ((uint64_t)64 << 20)
#define OPEN_FILES 256
#define BLOOM_BITS 10.0
#define INFO_LOG_HEAD_ONLY 5 /* 3 would add errors, 6 is no level */
/* More than an open writes: a log's head, a manifest, options. */
#define PROBE_BYTES ((off_t)256 << 10)

/* The family that RocksDB insists on is our META. */
static const char *const family_names[VAULT_CF_COUNT] = {
	[VAULT_CF_META] = "default",	[VAULT_CF_CHUNK] = "chunk",
	[VAULT_CF_ROW] = "row",		[VAULT_CF_LIVE] = "live",
	[VAULT_CF_INODE] = "inode",	[VAULT_CF_NODE] = "node",
	[VAULT_CF_TOUCHED] = "touched", [VAULT_CF_MOMENT] = "moment",
	[VAULT_CF_NAME] = "name",	[VAULT_CF_FACTS] = "facts",
	[VAULT_CF_SEARCH] = "search",
};

struct vault_index {
	rocksdb_t *db;
	rocksdb_options_t *options[VAULT_CF_COUNT];
	rocksdb_column_family_handle_t *cf[VAULT_CF_COUNT];
	rocksdb_cache_t *cache;
	rocksdb_readoptions_t *reading;
	rocksdb_writeoptions_t *writing;
	vault_index_alarm *alarm; /* set once, before other threads come */
	void *alarm_ctx;
};

struct vault_batch {
	rocksdb_writebatch_t *wb;
};

struct vault_iter {
	const struct vault_index *x;
	rocksdb_iterator_t *it;
	rocksdb_readoptions_t *reading;
	struct vault_buf lower; /* RocksDB keeps pointers to the bounds */
	struct vault_buf upper;
};

/* Log RocksDB's message, free it, and tell who wants to know. */
static vault_err index_failure(const struct vault_index *x, const char *doing,
			       char *message)
{
	vault_log_error("index: %s: %s", doing, message);
	rocksdb_free(message);
	if (x->alarm != NULL)
		x->alarm(x->alarm_ctx);
	return VAULT_ERR_INDEX;
}

static bool wants_bloom(enum vault_cf cf)
{
	return cf == VAULT_CF_CHUNK || cf == VAULT_CF_LIVE ||
	       cf == VAULT_CF_FACTS;
}

static rocksdb_block_based_table_options_t *table_options(enum vault_cf cf,
							  rocksdb_cache_t *c)
{
	rocksdb_block_based_table_options_t *t =
		rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(t, c);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(
		t, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(
		t, 1);
	/*
	 * Index and filter of a large table are megabytes: in one piece they
	 * would be read anew for each look-up whenever the cache cannot hold
	 * them, so they are cut into blocks as well.
	 */
	rocksdb_block_based_options_set_index_type(
		t, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(t, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
	rocksdb_block_based_options_set_format_version(t, 5);
	if (wants_bloom(cf))
		rocksdb_block_based_options_set_filter_policy(
			t, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	return t;
}

static rocksdb_options_t *family_options(enum vault_cf cf, bool create,
					 rocksdb_cache_t *cache)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *t = table_options(cf, cache);

	rocksdb_options_set_create_if_missing(o, create);
	rocksdb_options_set_create_missing_column_families(o, create);
	rocksdb_options_set_paranoid_checks(o, 1);
	rocksdb_options_set_wal_recovery_mode(o,
					      rocksdb_point_in_time_recovery);
	rocksdb_options_set_atomic_flush(o, 1);
	rocksdb_options_set_db_write_buffer_size(o, WRITE_BUFFER_BYTES);
	rocksdb_options_set_write_buffer_size(o, WRITE_BUFFER_BYTES / 2);
	rocksdb_options_set_max_total_wal_size(o, WAL_BYTES);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_max_file_opening_threads(o, 1);
	rocksdb_options_set_max_background_jobs(o, 2);
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	rocksdb_options_set_is_fd_close_on_exec(o, 1);
	/*
	 * What matters comes back as an error. Of its own log only the head
	 * cannot be turned off: see probe().
	 */
	rocksdb_options_set_info_log_level(o, INFO_LOG_HEAD_ONLY);
	rocksdb_options_set_keep_log_file_num(o, 2);
	rocksdb_options_set_max_log_file_size(o, (size_t)1 << 20);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_max_manifest_file_size(o, (size_t)4 << 20);
	rocksdb_options_set_manifest_preallocation_size(o, (size_t)64 << 10);

	rocksdb_options_set_block_based_table_factory(o, t);
	rocksdb_block_based_options_destroy(t);
	return o;
}

/* Few shards: 64, as RocksDB would choose, are too small for large blocks. */
static rocksdb_cache_t *make_cache(void)
{
	rocksdb_lru_cache_options_t *o = rocksdb_lru_cache_options_create();
	rocksdb_cache_t *cache;

	rocksdb_lru_cache_options_set_capacity(o, BLOCK_CACHE_BYTES);
	rocksdb_lru_cache_options_set_num_shard_bits(o, CACHE_SHARD_BITS);
	cache = rocksdb_cache_create_lru_opts(o);
	rocksdb_lru_cache_options_destroy(o);
	return cache;
}

static bool database_exists(const char *path)
{
	struct vault_buf name = VAULT_BUF_INIT;
	const char *current = NULL;
	struct stat st;
	bool there;

	if (vault_buf_printf(&name, "%s/CURRENT", path) == VAULT_OK)
		current = vault_buf_cstr(&name);
	there = current == NULL || stat(current, &st) == 0 || errno != ENOENT;
	vault_buf_release(&name);
	return there;
}

/* All other errors are the index's own. */
static bool is_of_disk(int failed)
{
	return failed == ENOSPC || failed == EDQUOT || failed == EFBIG ||
	       failed == EIO || failed == EROFS;
}

/*
 * Is there room for what an open writes? Where there is none the index is no
 * worse for it, and RocksDB must not find out: a second write to its log,
 * after one has failed, ends the process.
 */
static vault_err probe(const char *path)
{
	struct vault_buf name = VAULT_BUF_INIT;
	vault_err err;
	int failed = 0;
	int fd = -1;

	err = vault_buf_printf(&name, "%s/probe.tmp", path);
	if (err != VAULT_OK)
		goto out;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		failed = errno;
	else if ((fd = open(vault_buf_cstr(&name),
			    O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		failed = errno;
	else
		failed = posix_fallocate(fd, 0, PROBE_BYTES);
	if (failed != 0 && is_of_disk(failed))
		err = vault_err_from_errno(failed);
out:
	if (fd >= 0) {
		close(fd);
		unlink(vault_buf_cstr(&name));
	}
	vault_buf_release(&name);
	return err;
}

vault_err vault_index_open(const char *path, bool create,
			   struct vault_index **out)
{
	struct vault_index *x;
	char *message = NULL;
	vault_err err = VAULT_OK;

	if (!create && !database_exists(path))
		return VAULT_ERR_NOT_FOUND;
	err = probe(path);
	if (err != VAULT_OK) {
		vault_log_error("index: cannot be written to: %s",
				vault_err_text(err));
		return err;
	}
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return VAULT_ERR_NOMEM;

	x->cache = make_cache();
	x->reading = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(x->reading, 1);
	x->writing = rocksdb_writeoptions_create();
	for (unsigned i = 0; i < VAULT_CF_COUNT; i++)
		x->options[i] =
			family_options((enum vault_cf)i, create, x->cache);

	x->db = rocksdb_open_column_families(
		x->options[VAULT_CF_META], path, VAULT_CF_COUNT, family_names,
		(const rocksdb_options_t *const *)x->options, x->cf, &message);
	if (message != NULL) {
		x->db = NULL;
		err = index_failure(x, "open", message);
		goto out;
	}
	*out = x;
	x = NULL;

out:
	vault_index_close(x);
	return err;
}

/*
 * META last: it says how far the packs are applied, and must never be safe
 * before the rows it speaks of. What is not flushed is in the write-ahead log
 * or replayed from the packs.
 */
static void flush(struct vault_index *x)
{
	rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
	char *message = NULL;

	static_assert(VAULT_CF_META == 0, "META is flushed last");
	rocksdb_flushoptions_set_wait(o, 1);
	for (unsigned i = VAULT_CF_COUNT; i-- > 0 && message == NULL;)
		rocksdb_flush_cf(x->db, o, x->cf[i], &message);
	if (message != NULL) {
		vault_log_warn("index: flush: %s", message);
		rocksdb_free(message);
	}
	rocksdb_flushoptions_destroy(o);
}

void vault_index_close(struct vault_index *x)
{
	if (x == NULL)
		return;
	if (x->db != NULL) {
		flush(x);
		for (unsigned i = 0; i < VAULT_CF_COUNT; i++)
			rocksdb_column_family_handle_destroy(x->cf[i]);
		rocksdb_close(x->db);
	}
	for (unsigned i = 0; i < VAULT_CF_COUNT; i++)
		rocksdb_options_destroy(x->options[i]);
	rocksdb_readoptions_destroy(x->reading);
	rocksdb_writeoptions_destroy(x->writing);
	rocksdb_cache_destroy(x->cache);
	free(x);
}

void vault_index_set_alarm(struct vault_index *x, vault_index_alarm *alarm,
			   void *ctx)
{
	x->alarm = alarm;
	x->alarm_ctx = ctx;
}

/* Copy a value out of RocksDB's memory. */
static vault_err keep(const rocksdb_pinnableslice_t *v, struct vault_buf *out)
{
	size_t len;
	const char *data = rocksdb_pinnableslice_value(v, &len);

	vault_buf_clear(out);
	return vault_buf_append(out, vault_span(data, len));
}

vault_err vault_index_get(struct vault_index *x, enum vault_cf cf,
			  struct vault_span key, struct vault_buf *value)
{
	rocksdb_pinnableslice_t *v;
	char *message = NULL;
	vault_err err;

	v = rocksdb_get_pinned_cf(x->db, x->reading, x->cf[cf],
				  (const char *)key.data, key.len, &message);
	if (message != NULL)
		return index_failure(x, "get", message);
	if (v == NULL)
		return VAULT_ERR_NOT_FOUND;
	err = keep(v, value);
	rocksdb_pinnableslice_destroy(v);
	return err;
}

/* As many keys as are looked up in one call: bounds what lies on the stack. */
#define MANY 64

static vault_err get_some(struct vault_index *x, enum vault_cf cf, size_t n,
			  const struct vault_span *keys,
			  struct vault_buf *values, bool *found)
{
	const char *data[MANY] = { NULL };
	size_t len[MANY] = { 0 };
	rocksdb_pinnableslice_t *v[MANY] = { NULL };
	char *messages[MANY] = { NULL };
	vault_err err = VAULT_OK;

	assert(n <= MANY);
	for (size_t i = 0; i < n; i++) {
		data[i] = (const char *)keys[i].data;
		len[i] = keys[i].len;
	}
	rocksdb_batched_multi_get_cf(x->db, x->reading, x->cf[cf], n, data, len,
				     v, messages, false);
	for (size_t i = 0; i < n; i++) {
		if (messages[i] != NULL)
			err = index_failure(x, "get", messages[i]);
		found[i] = v[i] != NULL;
		if (v[i] != NULL && err == VAULT_OK)
			err = keep(v[i], &values[i]);
		rocksdb_pinnableslice_destroy(v[i]);
	}
	return err;
}

vault_err vault_index_get_many(struct vault_index *x, enum vault_cf cf,
			       size_t n, const struct vault_span *keys,
			       struct vault_buf *values, bool *found)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < n && err == VAULT_OK; i += MANY)
		err = get_some(x, cf, n - i < MANY ? n - i : MANY, keys + i,
			       values + i, found + i);
	return err;
}

vault_err vault_batch_create(struct vault_batch **out)
{
	struct vault_batch *b = malloc(sizeof(*b));

	if (b == NULL)
		return VAULT_ERR_NOMEM;
	b->wb = rocksdb_writebatch_create();
	*out = b;
	return VAULT_OK;
}

void vault_batch_destroy(struct vault_batch *b)
{
	if (b == NULL)
		return;
	rocksdb_writebatch_destroy(b->wb);
	free(b);
}

void vault_batch_clear(struct vault_batch *b)
{
	rocksdb_writebatch_clear(b->wb);
}

size_t vault_batch_bytes(const struct vault_batch *b)
{
	size_t n;

	(void)rocksdb_writebatch_data(b->wb, &n);
	return n;
}

void vault_batch_put(struct vault_batch *b, struct vault_index *x,
		     enum vault_cf cf, struct vault_span key,
		     struct vault_span value)
{
	rocksdb_writebatch_put_cf(b->wb, x->cf[cf], (const char *)key.data,
				  key.len, (const char *)value.data, value.len);
}

void vault_batch_delete(struct vault_batch *b, struct vault_index *x,
			enum vault_cf cf, struct vault_span key)
{
	rocksdb_writebatch_delete_cf(b->wb, x->cf[cf], (const char *)key.data,
				     key.len);
}

vault_err vault_index_write(struct vault_index *x, struct vault_batch *b)
{
	char *message = NULL;

	rocksdb_write(x->db, x->writing, b->wb, &message);
	rocksdb_writebatch_clear(b->wb);
	if (message != NULL)
		return index_failure(x, "write", message);
	return VAULT_OK;
}

static void set_bounds(struct vault_iter *it)
{
	if (it->lower.len > 0)
		rocksdb_readoptions_set_iterate_lower_bound(
			it->reading, (const char *)it->lower.data,
			it->lower.len);
	if (it->upper.len > 0)
		rocksdb_readoptions_set_iterate_upper_bound(
			it->reading, (const char *)it->upper.data,
			it->upper.len);
}

vault_err vault_iter_create(struct vault_index *x, enum vault_cf cf,
			    struct vault_span lower, struct vault_span upper,
			    struct vault_iter **out)
{
	struct vault_iter *it = calloc(1, sizeof(*it));
	vault_err err;

	if (it == NULL)
		return VAULT_ERR_NOMEM;
	it->x = x;
	err = vault_buf_append(&it->lower, lower);
	if (err == VAULT_OK)
		err = vault_buf_append(&it->upper, upper);
	if (err != VAULT_OK)
		goto out;

	it->reading = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(it->reading, 1);
	set_bounds(it);
	it->it = rocksdb_create_iterator_cf(x->db, it->reading, x->cf[cf]);
	*out = it;
	it = NULL;

out:
	vault_iter_destroy(it);
	return err;
}

void vault_iter_destroy(struct vault_iter *it)
{
	if (it == NULL)
		return;
	if (it->it != NULL)
		rocksdb_iter_destroy(it->it);
	if (it->reading != NULL)
		rocksdb_readoptions_destroy(it->reading);
	vault_buf_release(&it->lower);
	vault_buf_release(&it->upper);
	free(it);
}

void vault_iter_seek_first(struct vault_iter *it)
{
	rocksdb_iter_seek_to_first(it->it);
}

void vault_iter_seek_last(struct vault_iter *it)
{
	rocksdb_iter_seek_to_last(it->it);
}

void vault_iter_seek(struct vault_iter *it, struct vault_span key)
{
	rocksdb_iter_seek(it->it, (const char *)key.data, key.len);
}

void vault_iter_seek_back(struct vault_iter *it, struct vault_span key)
{
	rocksdb_iter_seek_for_prev(it->it, (const char *)key.data, key.len);
}

void vault_iter_next(struct vault_iter *it)
{
	rocksdb_iter_next(it->it);
}

void vault_iter_prev(struct vault_iter *it)
{
	rocksdb_iter_prev(it->it);
}

bool vault_iter_valid(const struct vault_iter *it)
{
	return rocksdb_iter_valid(it->it);
}

struct vault_span vault_iter_key(const struct vault_iter *it)
{
	size_t len;
	const char *data = rocksdb_iter_key(it->it, &len);

	return vault_span(data, len);
}

struct vault_span vault_iter_value(const struct vault_iter *it)
{
	size_t len;
	const char *data = rocksdb_iter_value(it->it, &len);

	return vault_span(data, len);
}

vault_err vault_iter_error(const struct vault_iter *it)
{
	char *message = NULL;

	rocksdb_iter_get_error(it->it, &message);
	if (message != NULL)
		return index_failure(it->x, "iterate", message);
	return VAULT_OK;
}

uint64_t vault_index_disk_bytes(struct vault_index *x)
{
	uint64_t sum = 0;
	uint64_t n;

	for (unsigned i = 0; i < VAULT_CF_COUNT; i++) {
		if (rocksdb_property_int_cf(x->db, x->cf[i],
					    "rocksdb.total-sst-files-size",
					    &n) == 0)
			sum += n;
		if (rocksdb_property_int_cf(x->db, x->cf[i],
					    "rocksdb.size-all-mem-tables",
					    &n) == 0)
			sum += n;
	}
	return sum;
}
