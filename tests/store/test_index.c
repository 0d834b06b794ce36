/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "store/index.h"
#include "tests/support/scratch.h"

static struct vault_index *open_index(struct vault_scratch *d)
{
	struct vault_index *x = NULL;

	assert_int_equal(
		vault_index_open(vault_scratch_path(d, "index"), true, &x),
		VAULT_OK);
	return x;
}

static void put(struct vault_index *x, enum vault_cf cf, const char *key,
		const char *value)
{
	struct vault_batch *b;

	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	vault_batch_put(b, x, cf, vault_span_str(key), vault_span_str(value));
	assert_int_equal(vault_index_write(x, b), VAULT_OK);
	vault_batch_destroy(b);
}

static bool has(struct vault_index *x, enum vault_cf cf, const char *key,
		const char *value)
{
	struct vault_buf v = VAULT_BUF_INIT;
	bool same = false;

	if (vault_index_get(x, cf, vault_span_str(key), &v) == VAULT_OK)
		same = vault_span_equal(vault_buf_span(&v),
					vault_span_str(value));
	vault_buf_release(&v);
	return same;
}

static void families_are_apart_and_survive_closing(void **state)
{
	struct vault_index *x = open_index(*state);

	put(x, VAULT_CF_META, "key", "meta");
	put(x, VAULT_CF_SEARCH, "key", "search");
	assert_true(has(x, VAULT_CF_META, "key", "meta"));
	vault_index_close(x);
	x = open_index(*state);
	assert_true(has(x, VAULT_CF_META, "key", "meta"));
	assert_true(has(x, VAULT_CF_SEARCH, "key", "search"));
	assert_false(has(x, VAULT_CF_ROW, "key", "meta"));
	assert_true(vault_index_disk_bytes(x) > 0);
	vault_index_close(x);
	vault_index_close(NULL);
}

static void a_batch_is_empty_once_written(void **state)
{
	struct vault_index *x = open_index(*state);
	struct vault_batch *b;
	size_t empty;

	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	empty = vault_batch_bytes(b);
	vault_batch_put(b, x, VAULT_CF_ROW, vault_span_str("a"),
			vault_span_str("1"));
	assert_true(vault_batch_bytes(b) > empty);
	vault_batch_clear(b);
	assert_int_equal(vault_batch_bytes(b), empty);
	vault_batch_put(b, x, VAULT_CF_ROW, vault_span_str("b"),
			vault_span_str("2"));
	assert_int_equal(vault_index_write(x, b), VAULT_OK);
	assert_int_equal(vault_batch_bytes(b), empty);
	vault_batch_delete(b, x, VAULT_CF_ROW, vault_span_str("b"));
	assert_true(has(x, VAULT_CF_ROW, "b", "2"));
	assert_false(has(x, VAULT_CF_ROW, "a", "1"));
	assert_int_equal(vault_index_write(x, b), VAULT_OK);
	assert_false(has(x, VAULT_CF_ROW, "b", "2"));
	vault_batch_destroy(b);
	vault_batch_destroy(NULL);
	vault_index_close(x);
}

static void many_keys_are_found_in_one_call(void **state)
{
	enum { N = 300 };
	static char names[N][16];
	static struct vault_span keys[N];
	static struct vault_buf values[N];
	static bool found[N];
	struct vault_index *x = open_index(*state);

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "key%d", i);
		keys[i] = vault_span_str(names[i]);
		if (i % 3 != 0)
			put(x, VAULT_CF_CHUNK, names[i], names[i]);
	}
	assert_int_equal(
		vault_index_get_many(x, VAULT_CF_CHUNK, N, keys, values, found),
		VAULT_OK);
	for (int i = 0; i < N; i++) {
		assert_int_equal(found[i], i % 3 != 0);
		if (found[i])
			assert_true(vault_span_equal(vault_buf_span(&values[i]),
						     keys[i]));
		vault_buf_release(&values[i]);
	}
	vault_index_close(x);
}

static void expect_key(const struct vault_iter *it, const char *key)
{
	assert_int_equal(vault_iter_valid(it), key != NULL);
	if (key != NULL)
		assert_true(vault_span_equal(vault_iter_key(it),
					     vault_span_str(key)));
	else
		assert_int_equal(vault_iter_error(it), VAULT_OK);
}

static void an_iterator_keeps_its_bounds_and_its_moment(void **state)
{
	struct vault_index *x = open_index(*state);
	struct vault_iter *it;

	for (const char *k = "abcdef"; *k != 0; k++) {
		const char key[2] = { *k, 0 };

		put(x, VAULT_CF_ROW, key, key);
	}
	assert_int_equal(vault_iter_create(x, VAULT_CF_ROW, vault_span_str("b"),
					   vault_span_str("e"), &it),
			 VAULT_OK);
	put(x, VAULT_CF_ROW, "bb", "later");
	vault_iter_seek_first(it);
	expect_key(it, "b");
	assert_true(
		vault_span_equal(vault_iter_value(it), vault_span_str("b")));
	vault_iter_next(it);
	expect_key(it, "c");
	vault_iter_seek_last(it);
	expect_key(it, "d");
	vault_iter_next(it);
	expect_key(it, NULL);
	vault_iter_seek(it, vault_span_str("bx"));
	expect_key(it, "c");
	vault_iter_seek_back(it, vault_span_str("bx"));
	expect_key(it, "b");
	vault_iter_prev(it);
	expect_key(it, NULL);
	vault_iter_destroy(it);
	vault_iter_destroy(NULL);

	assert_int_equal(vault_iter_create(x, VAULT_CF_ROW, VAULT_SPAN_EMPTY,
					   VAULT_SPAN_EMPTY, &it),
			 VAULT_OK);
	vault_iter_seek_last(it);
	expect_key(it, "f");
	vault_iter_seek(it, vault_span_str("bb"));
	expect_key(it, "bb");
	vault_iter_destroy(it);
	vault_index_close(x);
}

static void what_is_not_there_is_not_made(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_index *x = NULL;

	assert_int_equal(
		vault_index_open(vault_scratch_path(d, "index"), false, &x),
		VAULT_ERR_NOT_FOUND);
	assert_false(vault_scratch_exists(d->fd, "index"));
	assert_null(x);
}

static void what_is_no_database_is_refused(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_index *x = NULL;

	vault_scratch_write_str(d->fd, "index/CURRENT", "nonsense\n");
	assert_int_equal(
		vault_index_open(vault_scratch_path(d, "index"), false, &x),
		VAULT_ERR_INDEX);
	assert_null(x);
}

static void count_alarm(void *ctx)
{
	++*(unsigned *)ctx;
}

/* Damage met while reading is an error, and told to who asked to be. */
static void a_damaged_block_raises_the_alarm(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_index *x = open_index(d);
	struct vault_buf v = VAULT_BUF_INIT;
	struct vault_iter *it;
	unsigned alarms = 0;
	char command[400];

	for (unsigned i = 0; i < 3000; i++) {
		char key[32];

		snprintf(key, sizeof(key), "%08x", i * 2654435u);
		put(x, VAULT_CF_ROW, key, key);
	}
	vault_index_close(x);
	/* Early in the largest table: a block of rows. */
	snprintf(command, sizeof(command),
		 "f=$(ls -S %s/index/*.sst | head -1); "
		 "printf XXXX | dd of=$f bs=1 seek=1000 conv=notrunc 2>&1",
		 d->path);
	assert_true(system(command) == 0);
	x = open_index(d);
	vault_index_set_alarm(x, count_alarm, &alarms);
	assert_int_equal(vault_iter_create(x, VAULT_CF_ROW, VAULT_SPAN_EMPTY,
					   VAULT_SPAN_EMPTY, &it),
			 VAULT_OK);
	vault_iter_seek_first(it);
	while (vault_iter_valid(it))
		vault_iter_next(it);
	assert_int_equal(vault_iter_error(it), VAULT_ERR_INDEX);
	assert_int_equal(alarms, 1);
	vault_iter_destroy(it);
	assert_int_equal(vault_index_get(x, VAULT_CF_ROW,
					 vault_span_str("00000000"), &v),
			 VAULT_ERR_INDEX);
	assert_int_equal(alarms, 2);
	vault_index_close(x);
	vault_buf_release(&v);
}

/* As on a full disk: no write to any file gets through any more. */
static void refuse_writes(bool refuse)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = refuse ? 0 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_cannot_be_written_fails_and_no_more(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_index *x = open_index(d);
	struct vault_batch *b = NULL;
	struct vault_buf v = VAULT_BUF_INIT;
	vault_err err;

	put(x, VAULT_CF_ROW, "key", "before");
	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	refuse_writes(true);
	for (unsigned i = 0; i < 3; i++) {
		vault_batch_put(b, x, VAULT_CF_ROW, vault_span_str("key"),
				vault_span_str("after"));
		assert_int_equal(vault_index_write(x, b), VAULT_ERR_INDEX);
	}
	vault_batch_destroy(b);
	vault_index_close(x);
	x = NULL;
	/* That is not the index's fault, which would be to build it anew. */
	err = vault_index_open(vault_scratch_path(d, "index"), false, &x);
	assert_int_not_equal(err, VAULT_OK);
	assert_int_not_equal(err, VAULT_ERR_INDEX);
	refuse_writes(false);
	x = open_index(d);
	assert_int_equal(
		vault_index_get(x, VAULT_CF_ROW, vault_span_str("key"), &v),
		VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&v), vault_span_str("before")));
	vault_index_close(x);
	vault_buf_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(families_are_apart_and_survive_closing),
		VAULT_SCRATCH_TEST(a_batch_is_empty_once_written),
		VAULT_SCRATCH_TEST(many_keys_are_found_in_one_call),
		VAULT_SCRATCH_TEST(an_iterator_keeps_its_bounds_and_its_moment),
		VAULT_SCRATCH_TEST(what_is_not_there_is_not_made),
		VAULT_SCRATCH_TEST(what_is_no_database_is_refused),
		VAULT_SCRATCH_TEST(a_damaged_block_raises_the_alarm),
		VAULT_SCRATCH_TEST(what_cannot_be_written_fails_and_no_more),
	};

	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
