/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store/digest.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/* Bytes that no other number gives. */
static struct vault_span bytes_of(unsigned n, uint8_t *buf, size_t len)
{
	struct vault_scratch_random r = vault_scratch_seed(n + 1);

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)vault_scratch_next(&r);
	return vault_span(buf, len);
}

#define SOME 2000

/* Chunks and entries numbered from..to-1, `per` chunks an entry. */
static void fill(struct vault_store *s, unsigned from, unsigned to)
{
	uint8_t buf[SOME];
	struct vault_id id;
	char key[32];

	for (unsigned i = from; i < to; i++) {
		assert_int_equal(vault_toy_put(s, bytes_of(i, buf, SOME), &id),
				 VAULT_OK);
		snprintf(key, sizeof(key), "key%u", i);
		vault_toy_set(s, key, "value");
	}
}

static void expect_filled(struct vault_store *s, unsigned from, unsigned to)
{
	uint8_t buf[SOME];
	struct vault_id id;
	char key[32];

	for (unsigned i = from; i < to; i++) {
		const struct vault_span b = bytes_of(i, buf, SOME);

		id = vault_digest_id(vault_records_secret(s), 0, b);
		assert_int_equal(vault_toy_get(s, &id, b), VAULT_OK);
		snprintf(key, sizeof(key), "key%u", i);
		assert_true(vault_toy_has(s, key, "value"));
	}
}

static void a_new_vault_has_its_files_and_opens(void **state)
{
	struct vault_scratch *scratch = *state;
	struct vault_store *s;
	struct stat st;

	assert_false(vault_store_exists(scratch->fd));
	s = vault_toy_open(scratch->fd, NULL);
	assert_true(vault_store_exists(scratch->fd));
	assert_int_equal(strlen(vault_store_uuid(s)), 36);
	assert_string_equal(vault_store_params(s)->zone, "UTC");
	assert_false(vault_store_was_rebuilt(s));
	assert_int_equal(fstatat(scratch->fd, "secret", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, VAULT_SECRET_BYTES);
	assert_int_equal(fstatat(scratch->fd, "packs/00000001.pack", &st, 0),
			 0);
	vault_store_close(s);
	assert_int_equal(vault_store_create(scratch->fd, NULL,
					    &vault_store_params_default),
			 VAULT_ERR_EXISTS);
}

static void what_was_appended_is_there_after_reopening(void **state)
{
	struct vault_scratch *scratch = *state;
	struct vault_buf before = VAULT_BUF_INIT;
	struct vault_buf after = VAULT_BUF_INIT;
	struct vault_store *s;

	s = vault_toy_open(scratch->fd, NULL);
	fill(s, 0, 100);
	expect_filled(s, 0, 100);
	vault_toy_dump(s, &before);
	vault_store_close(s);

	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_store_damage(s), 0);
	assert_false(vault_store_was_rebuilt(s));
	expect_filled(s, 0, 100);
	vault_toy_dump(s, &after);
	assert_true(vault_span_equal(vault_buf_span(&before),
				     vault_buf_span(&after)));
	fill(s, 100, 120);
	expect_filled(s, 0, 120);
	vault_store_close(s);
	vault_buf_release(&before);
	vault_buf_release(&after);
}

static void a_deleted_index_is_rebuilt_the_same(void **state)
{
	struct vault_scratch *scratch = *state;
	struct vault_buf before = VAULT_BUF_INIT;
	struct vault_buf after = VAULT_BUF_INIT;
	struct vault_store *s;

	s = vault_toy_open(scratch->fd, NULL);
	fill(s, 0, 100);
	vault_toy_dump(s, &before);
	vault_store_close(s);

	vault_scratch_remove(scratch->fd, "index");
	s = vault_toy_open(scratch->fd, NULL);
	assert_true(vault_store_was_rebuilt(s));
	assert_int_equal(vault_store_damage(s), 0);
	expect_filled(s, 0, 100);
	vault_toy_dump(s, &after);
	assert_true(vault_span_equal(vault_buf_span(&before),
				     vault_buf_span(&after)));
	vault_store_close(s);
	vault_buf_release(&before);
	vault_buf_release(&after);
}

/* People may set it; the packs go on saying what they were made with. */
static void the_zone_of_the_config_counts(void **state)
{
	static const char line[] = "zone=UTC";
	struct vault_scratch *scratch = *state;
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_store *s;
	const uint8_t *at;

	s = vault_toy_open(scratch->fd, NULL);
	vault_store_close(s);
	vault_scratch_read(scratch->fd, "config", &text);
	at = memmem(text.data, text.len, line, strlen(line));
	assert_non_null(at);
	vault_scratch_patch(scratch->fd, "config", (uint64_t)(at - text.data),
			    vault_span_str("zone=NZ#"));
	for (int i = 0; i < 2; i++) {
		s = vault_toy_open(scratch->fd, NULL);
		assert_string_equal(vault_store_params(s)->zone, "NZ#");
		vault_store_close(s);
	}
	vault_scratch_remove(scratch->fd, "config");
	s = vault_toy_open(scratch->fd, NULL);
	assert_string_equal(vault_store_params(s)->zone, "UTC");
	vault_store_close(s);
	vault_buf_release(&text);
}

static void only_one_may_have_it_open(void **state)
{
	const struct vault_store_options options = vault_toy_options();
	struct vault_scratch *scratch = *state;
	struct vault_store *second = NULL;
	struct vault_store *s;

	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_store_open(scratch->fd, &options, &second),
			 VAULT_ERR_BUSY);
	assert_null(second);
	vault_store_close(s);
	assert_int_equal(vault_store_open(scratch->fd, &options, &second),
			 VAULT_OK);
	vault_store_close(second);
}

static void a_sound_vault_checks_clean(void **state)
{
	struct vault_scratch *scratch = *state;
	struct vault_store *s;

	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	fill(s, 0, 100);
	assert_int_equal(vault_toy_check(s, false).all, 0);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	fill(s, 100, 110);
	vault_store_close(s);
	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
	assert_false(vault_scratch_exists(scratch->fd, "cache/check.index"));
}

static void a_row_too_many_or_too_few_is_found(void **state)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch *scratch = *state;
	struct vault_batch *b;
	struct vault_store *s;

	s = vault_toy_open(scratch->fd, NULL);
	fill(s, 0, 10);
	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	vault_batch_put(b, vault_store_index(s), VAULT_CF_ROW,
			vault_span_str("foreign"), VAULT_SPAN_EMPTY);
	vault_batch_delete(b, vault_store_index(s), VAULT_CF_ROW,
			   vault_span_str("key3"));
	assert_int_equal(vault_index_write(vault_store_index(s), b), VAULT_OK);
	vault_batch_destroy(b);
	assert_int_equal(vault_toy_check(s, false).n[VAULT_FINDING_INDEX], 2);
	vault_store_close(s);

	assert_int_equal(vault_store_rebuild_index(scratch->fd, &o), VAULT_OK);
	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_toy_check(s, false).all, 0);
	expect_filled(s, 0, 10);
	vault_store_close(s);
}

static void what_is_not_there_or_in_use_is_not_rebuilt(void **state)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch *scratch = *state;
	struct vault_store *s;

	assert_int_equal(vault_store_rebuild_index(scratch->fd, &o),
			 VAULT_ERR_NOT_FOUND);
	s = vault_toy_open(scratch->fd, NULL);
	fill(s, 0, 3);
	assert_int_equal(vault_store_rebuild_index(scratch->fd, &o),
			 VAULT_ERR_BUSY);
	expect_filled(s, 0, 3);
	/* Without the folder for its scratch index there is no check. */
	vault_scratch_remove(scratch->fd, "cache");
	assert_int_equal(vault_store_check(s, true, NULL, NULL, NULL),
			 VAULT_ERR_NOT_FOUND);
	vault_store_close(s);
	s = vault_toy_open(scratch->fd, NULL);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(a_new_vault_has_its_files_and_opens),
		VAULT_SCRATCH_TEST(what_was_appended_is_there_after_reopening),
		VAULT_SCRATCH_TEST(a_deleted_index_is_rebuilt_the_same),
		VAULT_SCRATCH_TEST(the_zone_of_the_config_counts),
		VAULT_SCRATCH_TEST(only_one_may_have_it_open),
		VAULT_SCRATCH_TEST(a_sound_vault_checks_clean),
		VAULT_SCRATCH_TEST(a_row_too_many_or_too_few_is_found),
		VAULT_SCRATCH_TEST(what_is_not_there_or_in_use_is_not_rebuilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
