/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/digest.h"
#include "store/index.h"
#include "store/pack_format.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * An index that opens, but is not what the packs say: of another past, of
 * another layout, begun and never finished, damaged where nobody looks on
 * open. Whatever it is, it is noticed before a wrong row is believed, set
 * aside, and built anew from the packs.
 */
#define N 12

static void key_of(unsigned i, char key[16])
{
	snprintf(key, 16, "key%u", i);
}

static struct vault_span bytes_of(unsigned i, char text[32])
{
	snprintf(text, 32, "the bytes of chunk %u", i);
	return vault_span_str(text);
}

static void fill(struct vault_store *s, unsigned from, unsigned to,
		 const char *value)
{
	for (unsigned i = from; i < to; i++) {
		struct vault_id id;
		char text[32], key[16];

		assert_int_equal(vault_toy_put(s, bytes_of(i, text), &id),
				 VAULT_OK);
		key_of(i, key);
		vault_toy_set(s, key, value);
	}
}

static void expect_filled(struct vault_store *s, unsigned n, const char *value)
{
	for (unsigned i = 0; i < n; i++) {
		char text[32], key[16];
		const struct vault_span b = bytes_of(i, text);
		const struct vault_id id =
			vault_digest_id(vault_records_secret(s), 0, b);

		key_of(i, key);
		assert_true(vault_toy_has(s, key, value));
		assert_int_equal(vault_toy_get(s, &id, b), VAULT_OK);
	}
}

static vault_err note(void *ctx, const struct vault_finding *f)
{
	unsigned *n = ctx;

	assert_int_equal(f->kind, VAULT_FINDING_INDEX);
	assert_true(strlen(f->text) > 0);
	++*n;
	return VAULT_OK;
}

static unsigned check(struct vault_store *s)
{
	unsigned n = 0;

	assert_int_equal(vault_store_check(s, true, note, NULL, &n), VAULT_OK);
	return n;
}

static void make_vault(int dirfd)
{
	struct vault_store *s = vault_toy_open(dirfd, NULL);

	fill(s, 0, N, "one");
	vault_store_close(s);
}

/* Open; the index must have been built anew, and all be there. */
static void expect_rebuilt(int dirfd)
{
	struct vault_store *s = vault_toy_open(dirfd, NULL);

	assert_true(vault_store_was_rebuilt(s));
	assert_int_equal(vault_store_damage(s), 0);
	expect_filled(s, N, "one");
	assert_int_equal(check(s), 0);
	vault_store_close(s);
}

/* Two vaults that were one, and whose past has parted since. */
static void an_index_of_another_past_is_not_believed(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s;
	int fd;

	vault_scratch_mkdirs(d->fd, "a");
	fd = openat(d->fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	s = vault_toy_open(fd, NULL);
	vault_toy_set(s, "shared", "past");
	vault_store_close(s);
	vault_scratch_copy_tree(d->fd, "a", "b");
	s = vault_toy_open(fd, NULL);
	fill(s, 0, N, "one");
	vault_store_close(s);
	close(fd);

	fd = openat(d->fd, "b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	s = vault_toy_open(fd, NULL);
	fill(s, 0, N, "two");
	vault_store_close(s);
	vault_scratch_remove(d->fd, "b/index");
	vault_scratch_copy_tree(d->fd, "a/index", "b/index");
	s = vault_toy_open(fd, NULL);
	assert_true(vault_store_was_rebuilt(s));
	assert_true(vault_toy_has(s, "shared", "past"));
	expect_filled(s, N, "two");
	assert_int_equal(check(s), 0);
	vault_store_close(s);
	close(fd);
}

/* Set (or, without a value, delete) rows of META in a vault that is shut. */
static void set_meta(struct vault_scratch *d, struct vault_span key,
		     const struct vault_span *value)
{
	struct vault_index *x;
	struct vault_batch *b;

	assert_int_equal(
		vault_index_open(vault_scratch_path(d, "index"), false, &x),
		VAULT_OK);
	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	if (value != NULL)
		vault_batch_put(b, x, VAULT_CF_META, key, *value);
	else
		vault_batch_delete(b, x, VAULT_CF_META, key);
	assert_int_equal(vault_index_write(x, b), VAULT_OK);
	vault_batch_destroy(b);
	vault_index_close(x);
}

static void an_index_of_another_layout_is_built_anew(void **state)
{
	static const uint8_t pack[] = { 'p', 0, 0, 0, 1 };
	static const uint8_t odd_pack[] = { 'p', 0, 0, 0, 1, 0 };
	static const uint8_t layout_99[20] = { [16] = 99 };
	static const struct {
		struct vault_span key;
		struct vault_span value;
	} rows[] = {
		{ { (const uint8_t *)"uuid", 4 }, { layout_99, 20 } },
		{ { (const uint8_t *)"uuid", 4 }, { layout_99, 3 } },
		{ { pack, sizeof(pack) }, { layout_99, 7 } },
		{ { odd_pack, sizeof(odd_pack) }, { layout_99, 7 } },
	};
	struct vault_scratch *d = *state;

	make_vault(d->fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_meta(d, rows[i].key, &rows[i].value);
		expect_rebuilt(d->fd);
		assert_true(vault_scratch_exists(d->fd, "index.bad"));
	}
}

/* Nobody's index can be ours: then it has nothing, and learns all. */
static void an_index_that_knows_nothing_learns_everything(void **state)
{
	static const uint8_t pack[] = { 'p', 0, 0, 0, 1 };
	struct vault_scratch *d = *state;
	struct vault_store *s;

	make_vault(d->fd);
	set_meta(d, vault_span_str("uuid"), NULL);
	set_meta(d, vault_span(pack, sizeof(pack)), NULL);
	s = vault_toy_open(d->fd, NULL);
	expect_filled(s, N, "one");
	assert_int_equal(check(s), 0);
	vault_store_close(s);
}

static void what_is_left_of_an_index_is_set_aside(void **state)
{
	struct vault_scratch *d = *state;
	const struct vault_store_options o = vault_toy_options();

	make_vault(d->fd);
	/* A file without which RocksDB knows nothing of the others. */
	vault_scratch_remove(d->fd, "index/CURRENT");
	expect_rebuilt(d->fd);
	assert_true(vault_scratch_exists(d->fd, "index.bad"));
	/* What was set aside before may be anything by now. */
	vault_scratch_write_str(d->fd, "index.bad/deep/deeper/file", "x");
	vault_scratch_remove(d->fd, "index/CURRENT");
	expect_rebuilt(d->fd);
	assert_false(vault_scratch_exists(d->fd, "index.bad/deep"));
	vault_scratch_remove(d->fd, "index.bad");
	vault_scratch_write_str(d->fd, "index.bad", "a file");
	vault_scratch_remove(d->fd, "index");
	vault_scratch_write_str(d->fd, "index", "a file");
	expect_rebuilt(d->fd);
	assert_int_equal(vault_store_rebuild_index(d->fd, &o), VAULT_OK);
	assert_false(vault_scratch_exists(d->fd, "index.bad"));
}

/* ---- rows that differ ---- */

static void cut_to_one(enum vault_cf cf, struct vault_span key,
		       struct vault_buf *value)
{
	(void)cf;
	(void)key;
	if (value->len > 1)
		value->len = 1;
}

/* Put `value` in place of the value of every row. */
static void change_rows(struct vault_store *s, const char *value)
{
	struct vault_index *x = vault_store_index(s);
	struct vault_batch *b;

	assert_int_equal(vault_batch_create(&b), VAULT_OK);
	for (unsigned i = 0; i < N; i++) {
		char key[16];

		key_of(i, key);
		vault_batch_put(b, x, VAULT_CF_ROW, vault_span_str(key),
				vault_span_str(value));
	}
	assert_int_equal(vault_index_write(x, b), VAULT_OK);
	vault_batch_destroy(b);
}

static void rows_that_differ_are_told_and_then_counted(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s;

	make_vault(d->fd);
	s = vault_toy_open(d->fd, NULL);
	change_rows(s, "off");
	/* Five in full, and one line for all. */
	assert_int_equal(check(s), 6);
	vault_store_close(s);
	/* Where the layer above says that only the first byte counts, ... */
	o.strip = cut_to_one;
	s = vault_toy_open(d->fd, &o);
	assert_int_equal(check(s), 0);
	change_rows(s, "two");
	assert_int_equal(check(s), 6);
	vault_store_close(s);
}

/* A place that the index has wrong is never read from as if it were right. */
static void a_wrong_place_gives_no_wrong_bytes(void **state)
{
	static const struct {
		uint8_t value[VAULT_PLACE_BYTES];
		size_t len;
		vault_err find;
	} rows[] = {
		/* No pack; one that is not there; beyond the end of one. */
		{ { 0 }, VAULT_PLACE_BYTES, VAULT_OK },
		{ { 99 }, VAULT_PLACE_BYTES, VAULT_OK },
		{ { 1, [7] = 1 }, VAULT_PLACE_BYTES, VAULT_OK },
		/* Another record. */
		{ { 1, [5] = 0x10 }, VAULT_PLACE_BYTES, VAULT_OK },
		/* No place at all. */
		{ { 1, [4] = 3 }, VAULT_PLACE_BYTES, VAULT_ERR_INDEX },
		{ { 1 }, 3, VAULT_ERR_INDEX },
	};
	struct vault_scratch *d = *state;
	struct vault_store *s;

	make_vault(d->fd);
	s = vault_toy_open(d->fd, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vault_index *x = vault_store_index(s);
		struct vault_record_place place;
		struct vault_batch *b;
		char text[32];
		const struct vault_span bytes = bytes_of(1, text);
		const struct vault_id id =
			vault_digest_id(vault_records_secret(s), 0, bytes);
		bool found;

		assert_int_equal(vault_batch_create(&b), VAULT_OK);
		vault_batch_put(b, x, VAULT_CF_CHUNK,
				vault_span(id.b, sizeof(id.b)),
				vault_span(rows[i].value, rows[i].len));
		assert_int_equal(vault_index_write(x, b), VAULT_OK);
		vault_batch_destroy(b);
		assert_int_equal(vault_records_find(s, 1, &id, &place, &found),
				 rows[i].find);
		assert_int_equal(vault_toy_get(s, &id, bytes),
				 rows[i].find == VAULT_OK ? VAULT_ERR_CORRUPT
							  : VAULT_ERR_INDEX);
		assert_true(check(s) > 0);
	}
	vault_store_close(s);
}

/* ---- an index that is damaged where open does not look ---- */

static vault_err find(struct vault_store *s, const struct vault_id *id)
{
	struct vault_record_place place;
	bool found;

	return vault_records_find(s, 1, id, &place, &found);
}

/* Turn over bytes in all the large tables: only chunks fill any. */
static void damage_tables(struct vault_scratch *d)
{
	char command[500];

	snprintf(command, sizeof(command),
		 "find %s/index -name '*.sst' -size +60k | while read f; do "
		 "for at in 5000 9000 20000 40000; do printf XXXX | dd of=$f "
		 "bs=1 seek=$at conv=notrunc 2>/dev/null; done; echo $f; "
		 "done | grep -q sst",
		 d->path);
	assert_int_equal(system(command), 0);
}

static void a_failing_index_is_marked_and_rebuilt_by_the_next_open(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_buf dump = VAULT_BUF_INIT;
	struct vault_content c;
	const unsigned n = 6000;
	struct vault_store *s;
	vault_err err = VAULT_OK;
	struct vault_id id;
	char text[32];
	uint64_t seq;

	o.pack_size = 8 << 20;
	s = vault_toy_open(d->fd, &o);
	fill(s, 0, N, "one");
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(vault_toy_put(s, bytes_of(i, text), &id),
				 VAULT_OK);
	vault_toy_set(s, "key", "value");
	vault_store_close(s);
	damage_tables(d);

	s = vault_toy_open(d->fd, &o);
	assert_false(vault_store_was_rebuilt(s));
	for (unsigned i = 0; i < n && err == VAULT_OK; i++) {
		id = vault_digest_id(vault_records_secret(s), 0,
				     bytes_of(i, text));
		err = find(s, &id);
	}
	assert_int_equal(err, VAULT_ERR_INDEX);
	assert_true(vault_scratch_exists(d->fd, "index.rebuild"));
	assert_int_equal(vault_store_dump(s, VAULT_CF_CHUNK, NULL, &dump),
			 VAULT_ERR_INDEX);
	assert_true(check(s) > 0);
	/* Whether a new chunk is known cannot be told; but what needs no
	 * chunk still goes on, and nothing that counts is lost. */
	err = vault_store_put_span(s, vault_span_str(text), &c);
	assert_true(err == VAULT_OK || err == VAULT_ERR_INDEX);
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("late=entry"), &seq),
			 VAULT_OK);
	vault_store_close(s);

	s = vault_toy_open(d->fd, &o);
	assert_true(vault_store_was_rebuilt(s));
	assert_false(vault_scratch_exists(d->fd, "index.rebuild"));
	expect_filled(s, N, "one");
	assert_true(vault_toy_has(s, "late", "entry"));
	for (unsigned i = 0; i < n; i++) {
		const struct vault_span b = bytes_of(i, text);

		id = vault_digest_id(vault_records_secret(s), 0, b);
		assert_int_equal(vault_toy_get(s, &id, b), VAULT_OK);
	}
	assert_int_equal(check(s), 0);
	vault_store_close(s);
	vault_buf_release(&dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(an_index_of_another_past_is_not_believed),
		VAULT_SCRATCH_TEST(an_index_of_another_layout_is_built_anew),
		VAULT_SCRATCH_TEST(
			an_index_that_knows_nothing_learns_everything),
		VAULT_SCRATCH_TEST(what_is_left_of_an_index_is_set_aside),
		VAULT_SCRATCH_TEST(rows_that_differ_are_told_and_then_counted),
		VAULT_SCRATCH_TEST(a_wrong_place_gives_no_wrong_bytes),
		VAULT_SCRATCH_TEST(
			a_failing_index_is_marked_and_rebuilt_by_the_next_open),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
