/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/chunk_cache.h"

/* Fills a chunk with the first byte of its id, and counts. */
struct loader {
	atomic_uint loads;
	useconds_t pause;
	vault_err fail;
};

static vault_err load(void *ctx, const struct vault_id *id, uint8_t *out,
		      uint32_t len)
{
	struct loader *l = ctx;

	atomic_fetch_add(&l->loads, 1);
	usleep(l->pause);
	if (l->fail != VAULT_OK)
		return l->fail;
	memset(out, id->b[0], len);
	return VAULT_OK;
}

static struct vault_id number(unsigned n)
{
	return (struct vault_id){ { (uint8_t)n, (uint8_t)(n >> 8), 1 } };
}

static void hold_and_drop(struct vault_chunk_cache *c, struct loader *l,
			  unsigned n, uint32_t len)
{
	const struct vault_id id = number(n);
	struct vault_cached_chunk *chunk = NULL;
	struct vault_span bytes;

	assert_int_equal(vault_chunk_cache_hold(c, &id, len, load, l, &chunk),
			 VAULT_OK);
	bytes = vault_chunk_cache_bytes(chunk);
	assert_int_equal(bytes.len, len);
	assert_int_equal(bytes.data[len - 1], (uint8_t)n);
	vault_chunk_cache_drop(c, chunk);
}

static void what_is_here_is_not_loaded_again(void **state)
{
	struct loader l = { 0 };
	struct vault_chunk_cache *c = NULL;

	(void)state;
	assert_int_equal(vault_chunk_cache_create(1 << 20, &c), VAULT_OK);
	for (int i = 0; i < 10; i++)
		hold_and_drop(c, &l, 7, 1000);
	assert_int_equal(l.loads, 1);
	vault_chunk_cache_destroy(c);
	vault_chunk_cache_destroy(NULL);
}

static void what_was_not_used_for_long_goes(void **state)
{
	struct loader l = { 0 };
	struct vault_chunk_cache *c = NULL;
	const struct vault_id first = number(0);
	const struct vault_id last = number(999);
	struct vault_cached_chunk *chunk;

	(void)state;
	assert_int_equal(vault_chunk_cache_create(100000, &c), VAULT_OK);
	for (unsigned i = 0; i < 1000; i++)
		hold_and_drop(c, &l, i, 1000);
	assert_null(vault_chunk_cache_peek(c, &first, 1000));
	chunk = vault_chunk_cache_peek(c, &last, 1000);
	assert_non_null(chunk);
	vault_chunk_cache_drop(c, chunk);
	/* Larger than the whole budget: still one at a time. */
	hold_and_drop(c, &l, 1000, 1000000);
	vault_chunk_cache_destroy(c);
}

static void what_is_held_outlives_being_pushed_out(void **state)
{
	struct loader l = { 0 };
	struct vault_chunk_cache *c = NULL;
	const struct vault_id id = number(5);
	struct vault_cached_chunk *held = NULL;

	(void)state;
	assert_int_equal(vault_chunk_cache_create(100000, &c), VAULT_OK);
	assert_int_equal(vault_chunk_cache_hold(c, &id, 1000, load, &l, &held),
			 VAULT_OK);
	for (unsigned i = 6; i < 1000; i++)
		hold_and_drop(c, &l, i, 1000);
	assert_null(vault_chunk_cache_peek(c, &id, 1000));
	assert_int_equal(vault_chunk_cache_bytes(held).data[999], 5);
	vault_chunk_cache_drop(c, held);
	vault_chunk_cache_destroy(c);
}

struct reader {
	struct vault_chunk_cache *c;
	struct loader *l;
	vault_err err;
};

static void *read_one(void *arg)
{
	struct reader *r = arg;
	const struct vault_id id = number(3);
	struct vault_cached_chunk *chunk = NULL;

	r->err = vault_chunk_cache_hold(r->c, &id, 5000, load, r->l, &chunk);
	if (r->err == VAULT_OK)
		vault_chunk_cache_drop(r->c, chunk);
	return NULL;
}

static void read_by_eight(struct vault_chunk_cache *c, struct loader *l,
			  vault_err want)
{
	struct reader readers[8];
	pthread_t threads[8];

	for (int i = 0; i < 8; i++) {
		readers[i] = (struct reader){ c, l, VAULT_OK };
		assert_int_equal(pthread_create(&threads[i], NULL, read_one,
						&readers[i]),
				 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].err, want);
	}
}

static void however_many_ask_it_is_loaded_once(void **state)
{
	struct loader l = { .pause = 20000 };
	struct vault_chunk_cache *c = NULL;

	(void)state;
	assert_int_equal(vault_chunk_cache_create(1 << 20, &c), VAULT_OK);
	read_by_eight(c, &l, VAULT_OK);
	assert_int_equal(l.loads, 1);
	vault_chunk_cache_destroy(c);
}

static void a_failure_reaches_all_and_is_not_kept(void **state)
{
	struct loader l = { .pause = 5000, .fail = VAULT_ERR_CORRUPT };
	struct vault_chunk_cache *c = NULL;

	(void)state;
	assert_int_equal(vault_chunk_cache_create(1 << 20, &c), VAULT_OK);
	read_by_eight(c, &l, VAULT_ERR_CORRUPT);
	l.fail = VAULT_OK;
	hold_and_drop(c, &l, 3, 5000);
	vault_chunk_cache_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_here_is_not_loaded_again),
		cmocka_unit_test(what_was_not_used_for_long_goes),
		cmocka_unit_test(what_is_held_outlives_being_pushed_out),
		cmocka_unit_test(however_many_ask_it_is_loaded_once),
		cmocka_unit_test(a_failure_reaches_all_and_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
