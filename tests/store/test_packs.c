/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "store/pack_format.h"
#include "store/state.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * Records in packs: many packs, bad sectors, syncs that cannot be repaired,
 * a layer above that fails, checks that are interrupted.
 */
#define LEN 3000

static struct vault_span bytes_of(unsigned n, uint8_t *buf)
{
	struct vault_scratch_random r = vault_scratch_seed(n + 1);

	vault_scratch_fill(&r, buf, LEN);
	return vault_span(buf, LEN);
}

static struct vault_id put(struct vault_store *s, unsigned n)
{
	uint8_t buf[LEN];
	struct vault_id id;

	assert_int_equal(vault_toy_put(s, bytes_of(n, buf), &id), VAULT_OK);
	return id;
}

static vault_err get(struct vault_store *s, unsigned n)
{
	uint8_t buf[LEN];
	const struct vault_span b = bytes_of(n, buf);
	const struct vault_id id =
		vault_digest_id(vault_records_secret(s), 0, b);

	return vault_toy_get(s, &id, b);
}

static void more_packs_than_descriptors_are_kept_open(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s;

	o.pack_size = 8 << 10; /* one record of ours */
	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < 100; i++) {
		put(s, i);
		put(s, 1000 + i);
	}
	vault_toy_set(s, "done", "yes");
	assert_true(vault_scratch_exists(d->fd, "packs/00000100.pack"));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(get(s, i), VAULT_OK);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
	vault_scratch_remove(d->fd, "index");
	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 100; i-- > 0;)
		assert_int_equal(get(s, 1000 + i), VAULT_OK);
	vault_store_close(s);
}

static void what_is_not_synced_yet_can_be_read(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_record_place places[3];
	struct vault_store *s;
	struct vault_id ids[3];
	bool found[3];

	s = vault_toy_open(d->fd, NULL);
	ids[0] = put(s, 0);
	ids[1] = VAULT_ID_NONE;
	memset(ids[2].b, 7, sizeof(ids[2].b));
	assert_int_equal(get(s, 0), VAULT_OK);
	assert_int_equal(vault_records_find(s, 3, ids, places, found),
			 VAULT_OK);
	assert_true(found[0] && !found[1] && !found[2]);
	vault_store_close(s);
	/* Closing syncs it, too. */
	s = vault_toy_open(d->fd, NULL);
	assert_int_equal(get(s, 0), VAULT_OK);
	vault_store_close(s);
}

/* So many that their places go to the index before any entry does. */
static void a_huge_content_does_not_fill_the_memory(void **state)
{
	enum { N = 30000 };
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	struct vault_id id;
	char text[16];

	o.pack_size = 256 << 10;
	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "chunk %u", i);
		assert_int_equal(vault_toy_put(s, vault_span_str(text), &id),
				 VAULT_OK);
	}
	assert_in_range(s->appender.pending.n_rows, 1, N / 2);
	for (unsigned again = 0; again < 2; again++) {
		for (unsigned i = 0; i < N; i += 7) {
			snprintf(text, sizeof(text), "chunk %u", i);
			id = vault_digest_id(vault_records_secret(s), 0,
					     vault_span_str(text));
			assert_int_equal(
				vault_toy_get(s, &id, vault_span_str(text)),
				VAULT_OK);
		}
		assert_int_equal(vault_toy_check(s, false).all, 0);
		vault_store_close(s);
		s = vault_toy_open(d->fd, &o);
	}
	vault_store_close(s);
}

/* Of two records with one id, the later counts, then and after a rebuild. */
static void the_later_record_counts(void **state)
{
	struct vault_scratch *d = *state;
	const struct vault_record_head h = {
		.type = VAULT_RECORD_CHUNK,
		.raw_len = 5,
		.stored_len = 5,
		.id = { { 1, 2, 3 } },
	};
	struct vault_record_place place;
	struct vault_store *s;

	s = vault_toy_open(d->fd, NULL);
	assert_int_equal(
		vault_records_append(s, &h, vault_span_str("early"), &place),
		VAULT_OK);
	vault_toy_set(s, "a", "1");
	assert_int_equal(
		vault_records_append(s, &h, vault_span_str("later"), &place),
		VAULT_OK);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			vault_toy_get(s, &h.id, vault_span_str("later")),
			VAULT_OK);
		vault_store_close(s);
		if (i == 1)
			vault_scratch_remove(d->fd, "index");
		s = vault_toy_open(d->fd, NULL);
	}
	vault_store_close(s);
}

/* ---- a disk with a bad sector, and syncs that fail for good ---- */

static struct {
	struct vault_io io;
	off_t bad_from;
	off_t bad_to;
	bool reads_fail;
	bool syncs_fail;
} disk;

static ssize_t bad_pread(void *ctx, int fd, void *buf, size_t len, off_t off)
{
	if (disk.reads_fail && off < disk.bad_to &&
	    off + (off_t)len > disk.bad_from) {
		errno = EIO;
		return -1;
	}
	return vault_io_system.pread(ctx, fd, buf, len, off);
}

static int bad_fdatasync(void *ctx, int fd)
{
	if (disk.syncs_fail) {
		errno = EIO;
		return -1;
	}
	return vault_io_system.fdatasync(ctx, fd);
}

static struct vault_store_options bad_disk(void)
{
	struct vault_store_options o = vault_toy_options();

	memset(&disk, 0, sizeof(disk));
	disk.io = vault_io_system;
	disk.io.pread = bad_pread;
	disk.io.fdatasync = bad_fdatasync;
	o.io = &disk.io;
	o.pack_size = 1 << 20;
	return o;
}

static void set_all(struct vault_store *s, unsigned n)
{
	char key[16];

	for (unsigned i = 0; i < n; i++) {
		put(s, i);
		snprintf(key, sizeof(key), "key%u", i);
		vault_toy_set(s, key, "value");
	}
}

static void expect_all(struct vault_store *s, unsigned n)
{
	char key[16];

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(get(s, i), VAULT_OK);
		snprintf(key, sizeof(key), "key%u", i);
		assert_true(vault_toy_has(s, key, "value"));
	}
	assert_int_equal(vault_toy_check(s, true).all, 0);
}

/* A cable that was loose for a while is no reason to forget anything. */
static void what_could_not_be_read_once_is_there_when_it_can(void **state)
{
	const struct vault_store_options o = bad_disk();
	struct vault_scratch *d = *state;
	struct vault_store *s = vault_toy_open(d->fd, &o);
	off_t len;

	set_all(s, 20);
	len = (off_t)vault_store_pack_bytes(s);
	vault_store_close(s);
	for (off_t bad = 0; bad < len; bad += 4096) {
		bool late;

		/* Without the index nothing says how much was synced. */
		vault_scratch_remove(d->fd, "index");
		disk.reads_fail = true;
		disk.bad_from = bad;
		disk.bad_to = len;
		late = vault_store_open(d->fd, &o, &s) == VAULT_OK;
		if (late) {
			vault_toy_set(s, "late", "value");
			vault_store_close(s);
		}
		disk.reads_fail = false;

		s = vault_toy_open(d->fd, &o);
		expect_all(s, 20);
		assert_true(vault_toy_has(s, "late", "value") == late);
		vault_toy_set(s, "late", "");
		vault_store_close(s);
	}
}

static void an_unreadable_sector_costs_what_lies_in_it(void **state)
{
	const struct vault_store_options o = bad_disk();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	unsigned whole = 0;

	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < 20; i++)
		put(s, i);
	vault_toy_set(s, "key", "value");
	vault_store_close(s);

	disk.reads_fail = true;
	disk.bad_from = 20480;
	disk.bad_to = 20481;
	for (unsigned again = 0; again < 2; again++) {
		s = vault_toy_open(d->fd, &o);
		assert_true(vault_toy_has(s, "key", "value"));
		assert_true(vault_toy_check(s, true).n[VAULT_FINDING_DAMAGED] >
			    0);
		whole = 0;
		for (unsigned i = 0; i < 20; i++)
			whole += get(s, i) == VAULT_OK;
		assert_true(whole >= 17 && whole < 20);
		vault_store_close(s);
		vault_scratch_remove(d->fd, "index");
	}
}

static void a_sync_that_cannot_be_repaired_ends_writing_only(void **state)
{
	const struct vault_store_options o = bad_disk();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	uint8_t buf[LEN];
	struct vault_id id;
	uint64_t seq;

	s = vault_toy_open(d->fd, &o);
	put(s, 0);
	vault_toy_set(s, "before", "1");
	put(s, 1);
	disk.syncs_fail = true;
	disk.reads_fail = true;
	disk.bad_from = (off_t)vault_store_pack_bytes(s);
	disk.bad_to = disk.bad_from + 4000;
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("lost=1"), &seq),
			 VAULT_ERR_IO);
	disk.syncs_fail = false;
	disk.reads_fail = false;
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("lost=2"), &seq),
			 VAULT_ERR_IO);
	assert_int_equal(vault_toy_put(s, bytes_of(2, buf), &id), VAULT_ERR_IO);
	assert_int_equal(get(s, 0), VAULT_OK);
	assert_true(vault_toy_has(s, "before", "1"));
	assert_false(vault_toy_has(s, "lost", "1"));
	vault_store_close(s);

	s = vault_toy_open(d->fd, &o);
	assert_int_equal(get(s, 0), VAULT_OK);
	assert_true(vault_toy_has(s, "before", "1"));
	vault_toy_set(s, "after", "1");
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
}

/* Readers that found a place before its pack was left still get the bytes. */
static void a_failed_sync_moves_records_under_their_readers(void **state)
{
	struct vault_store_options o = bad_disk();
	struct vault_record_place place;
	struct vault_scratch *d = *state;
	struct vault_buf stored = VAULT_BUF_INIT;
	struct vault_record_head h;
	struct vault_store *s;
	struct vault_id id;
	uint8_t buf[LEN];
	uint64_t seq;
	bool found;

	s = vault_toy_open(d->fd, &o);
	id = put(s, 0);
	assert_int_equal(vault_records_find(s, 1, &id, &place, &found),
			 VAULT_OK);
	disk.syncs_fail = true;
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("key=1"), &seq),
			 VAULT_ERR_IO);
	assert_int_equal(vault_toy_put(s, bytes_of(1, buf), &id), VAULT_ERR_IO);
	assert_int_equal(get(s, 0), VAULT_OK);
	disk.syncs_fail = false;
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("key=2"), &seq),
			 VAULT_OK);
	assert_int_equal(vault_records_read(s, &place, &h, &stored), VAULT_OK);
	assert_int_equal(stored.len, LEN);
	assert_int_equal(get(s, 0), VAULT_OK);
	assert_true(vault_toy_has(s, "key", "2"));
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
	s = vault_toy_open(d->fd, &o);
	assert_int_equal(vault_store_damage(s), 0);
	assert_int_equal(get(s, 0), VAULT_OK);
	assert_true(vault_toy_has(s, "key", "2"));
	vault_store_close(s);
	vault_buf_release(&stored);
}

/* ---- a layer above that fails ---- */

static vault_err apply_answer;

static vault_err failing_apply(void *ctx, struct vault_index *index,
			       struct vault_batch *batch,
			       const struct vault_entry *e)
{
	if (apply_answer != VAULT_OK)
		return apply_answer;
	return vault_toy_apply(ctx, index, batch, e);
}

/* Nothing may overtake it, whether the store is closed meanwhile or not. */
static void an_entry_that_was_not_applied_is_applied_first(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	uint64_t seq;

	o.apply = failing_apply;
	apply_answer = VAULT_OK;
	s = vault_toy_open(d->fd, &o);
	vault_toy_set(s, "a", "1");
	for (unsigned i = 0; i < 2; i++) {
		apply_answer = VAULT_ERR_NOMEM;
		assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
						    vault_span_str("b=2"),
						    &seq),
				 VAULT_ERR_NOMEM);
		assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
						    vault_span_str("c=3"),
						    &seq),
				 VAULT_ERR_NOMEM);
		assert_int_equal(
			vault_toy_check(s, false).n[VAULT_FINDING_INDEX], 1);
		apply_answer = VAULT_OK;
		if (i == 0) {
			vault_store_close(s);
			s = vault_toy_open(d->fd, &o);
		} else {
			vault_toy_set(s, "d", "4");
			assert_true(vault_toy_has(s, "d", "4"));
		}
		assert_true(vault_toy_has(s, "a", "1"));
		assert_true(vault_toy_has(s, "b", "2"));
		assert_false(vault_toy_has(s, "c", "3"));
		assert_int_equal(vault_toy_check(s, false).all, 0);
	}
	vault_store_close(s);
}

static void an_entry_that_is_refused_is_reported_and_passed_over(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s = NULL;

	s = vault_toy_open(d->fd, NULL);
	vault_toy_set(s, "a", "1");
	vault_store_close(s);
	vault_scratch_remove(d->fd, "index");
	o.apply = failing_apply;
	apply_answer = VAULT_ERR_NOMEM;
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_NOMEM);
	apply_answer = VAULT_ERR_CORRUPT;
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_OK);
	assert_int_equal(vault_store_damage(s), 1);
	assert_false(vault_toy_has(s, "a", "1"));
	vault_store_close(s);
	apply_answer = VAULT_OK;
}

static unsigned index_errors;

static vault_err old_index_apply(void *ctx, struct vault_index *index,
				 struct vault_batch *batch,
				 const struct vault_entry *e)
{
	if (index_errors > 0) {
		index_errors--;
		return VAULT_ERR_INDEX;
	}
	return vault_toy_apply(ctx, index, batch, e);
}

/* The layer above finds that the index cannot take an entry: built anew. */
static void an_index_that_cannot_take_an_entry_is_replaced(void **state)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s = NULL;

	s = vault_toy_open(d->fd, NULL);
	vault_toy_set(s, "a", "1");
	vault_store_close(s);
	vault_scratch_copy_tree(d->fd, "index", "old");
	s = vault_toy_open(d->fd, NULL);
	put(s, 1);
	vault_toy_set(s, "b", "2");
	vault_store_close(s);
	vault_scratch_remove(d->fd, "index");
	assert_int_equal(rename(vault_scratch_path(d, "old"),
				vault_scratch_path(d, "index")),
			 0);
	o.apply = old_index_apply;
	index_errors = 1;
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_OK);
	assert_true(vault_store_was_rebuilt(s));
	assert_int_equal(vault_store_damage(s), 0);
	assert_true(vault_toy_has(s, "a", "1"));
	assert_true(vault_toy_has(s, "b", "2"));
	assert_int_equal(get(s, 1), VAULT_OK);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
}

static void a_vault_with_senseless_params_is_not_made(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store_params p = vault_store_params_default;

	p.chunk_avg = p.chunk_max;
	assert_int_equal(vault_store_create(d->fd, NULL, &p),
			 VAULT_ERR_INVALID);
	p = vault_store_params_default;
	p.zone[0] = 0;
	assert_int_equal(vault_store_create(d->fd, NULL, &p),
			 VAULT_ERR_INVALID);
	memset(p.zone, 'x', sizeof(p.zone));
	assert_int_equal(vault_store_create(d->fd, NULL, &p),
			 VAULT_ERR_INVALID);
	strcpy(p.zone, "two words");
	assert_int_equal(vault_store_create(d->fd, NULL, &p),
			 VAULT_ERR_INVALID);
	assert_false(vault_store_exists(d->fd));
}

/* ---- interrupted checks ---- */

struct stopping {
	struct vault_toy_findings found;
	uint64_t stop_at;
	uint64_t first; /* `done` when first told */
	bool told;
};

static vault_err note_stopping(void *ctx, const struct vault_finding *f)
{
	return vault_toy_count(&((struct stopping *)ctx)->found, f);
}

static vault_err stop(void *ctx, uint64_t done, uint64_t total)
{
	struct stopping *c = ctx;

	assert_true(done <= total);
	if (!c->told)
		c->first = done;
	c->told = true;
	return done >= c->stop_at ? VAULT_ERR_CANCELLED : VAULT_OK;
}

static void an_interrupted_check_goes_on_where_it_was(void **state)
{
	struct stopping first = { .stop_at = 100000 };
	struct stopping second = { .stop_at = UINT64_MAX };
	struct vault_scratch *d = *state;
	struct vault_store *s;

	s = vault_toy_open(d->fd, NULL);
	for (unsigned i = 0; i < 40; i++)
		put(s, i);
	vault_toy_set(s, "key", "value");
	assert_int_equal(
		vault_store_check(s, true, note_stopping, stop, &first),
		VAULT_ERR_CANCELLED);
	assert_true(vault_scratch_exists(d->fd, "cache/check"));
	assert_int_equal(
		vault_store_check(s, true, note_stopping, stop, &second),
		VAULT_OK);
	/* The first pack is passed over in one step. */
	assert_true(second.first >= 60000);
	assert_int_equal(second.found.all, 0);
	assert_false(vault_scratch_exists(d->fd, "cache/check"));
	vault_store_close(s);
}

static void what_an_interrupted_check_found_is_found_again(void **state)
{
	struct stopping first = { .stop_at = 60000 };
	struct stopping second = { .stop_at = UINT64_MAX };
	struct vault_scratch *d = *state;
	struct vault_store *s;

	s = vault_toy_open(d->fd, NULL);
	for (unsigned i = 0; i < 40; i++)
		put(s, i);
	vault_toy_set(s, "key", "value");
	vault_scratch_flip(d->fd, "packs/00000001.pack", 20000, 1);
	assert_int_equal(
		vault_store_check(s, true, note_stopping, stop, &first),
		VAULT_ERR_CANCELLED);
	assert_int_equal(first.found.n[VAULT_FINDING_DAMAGED], 1);
	assert_int_equal(
		vault_store_check(s, true, note_stopping, stop, &second),
		VAULT_OK);
	assert_int_equal(second.found.n[VAULT_FINDING_DAMAGED], 1);
	vault_store_close(s);
}

/* ---- side by side ---- */

struct side {
	struct vault_store *s;
	atomic_bool ended;
	atomic_uint n;
};

static void *append_on(void *arg)
{
	struct side *side = arg;
	char key[32];

	while (!atomic_load(&side->ended)) {
		const unsigned n = atomic_fetch_add(&side->n, 1);

		put(side->s, 5000 + n);
		snprintf(key, sizeof(key), "side%u", n);
		vault_toy_set(side->s, key, "value");
	}
	return NULL;
}

static void checks_and_reads_run_beside_appends(void **state)
{
	struct vault_scratch *d = *state;
	struct side side = { 0 };
	pthread_t thread;

	side.s = vault_toy_open(d->fd, NULL);
	for (unsigned i = 0; i < 30; i++)
		put(side.s, i);
	vault_toy_set(side.s, "key", "value");
	assert_int_equal(pthread_create(&thread, NULL, append_on, &side), 0);
	for (unsigned again = 0; again < 5; again++) {
		assert_int_equal(vault_toy_check(side.s, true).all, 0);
		for (unsigned i = 0; i < 30; i++)
			assert_int_equal(get(side.s, i), VAULT_OK);
	}
	atomic_store(&side.ended, true);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&side.n) > 1);
	for (unsigned i = 0; i < atomic_load(&side.n); i++)
		assert_int_equal(get(side.s, 5000 + i), VAULT_OK);
	vault_store_close(side.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(more_packs_than_descriptors_are_kept_open),
		VAULT_SCRATCH_TEST(what_is_not_synced_yet_can_be_read),
		VAULT_SCRATCH_TEST(the_later_record_counts),
		VAULT_SCRATCH_TEST(a_huge_content_does_not_fill_the_memory),
		VAULT_SCRATCH_TEST(
			an_index_that_cannot_take_an_entry_is_replaced),
		VAULT_SCRATCH_TEST(an_unreadable_sector_costs_what_lies_in_it),
		VAULT_SCRATCH_TEST(
			what_could_not_be_read_once_is_there_when_it_can),
		VAULT_SCRATCH_TEST(
			a_sync_that_cannot_be_repaired_ends_writing_only),
		VAULT_SCRATCH_TEST(
			a_failed_sync_moves_records_under_their_readers),
		VAULT_SCRATCH_TEST(
			an_entry_that_was_not_applied_is_applied_first),
		VAULT_SCRATCH_TEST(
			an_entry_that_is_refused_is_reported_and_passed_over),
		VAULT_SCRATCH_TEST(a_vault_with_senseless_params_is_not_made),
		VAULT_SCRATCH_TEST(an_interrupted_check_goes_on_where_it_was),
		VAULT_SCRATCH_TEST(
			what_an_interrupted_check_found_is_found_again),
		VAULT_SCRATCH_TEST(checks_and_reads_run_beside_appends),
	};

	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
