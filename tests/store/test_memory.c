/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/codec.h"
#include "store/objects.h"
#include "store/pack_format.h"
#include "store/store.h"
#include "tests/support/scarce.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * The nth allocation of our own code fails, for every n (every STRIDEth, but
 * for VAULT_TORTURE): an error comes out, nothing acknowledged is lost, and
 * nothing is left by halves.
 */
#define STRIDE 3
#define STEPS 4

static void content_of(unsigned i, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(i);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, i % 2 == 0 ? 900 : 40000);
}

/* The bytes of all steps, made while memory is plenty. */
static struct vault_buf contents[STEPS];

static vault_err do_step(struct vault_store *s, unsigned i)
{
	struct vault_content c;
	uint8_t entry[32];
	uint64_t seq;
	int len;
	vault_err err;

	err = vault_store_put_span(s, vault_buf_span(&contents[i]), &c);
	if (err != VAULT_OK)
		return err;
	len = snprintf((char *)entry, sizeof(entry), "key%u=", i);
	memcpy(entry + len, c.id.b, 16);
	return vault_store_append(s, VAULT_ENTRY_COMMIT,
				  vault_span(entry, (size_t)len + 16), &seq);
}

/* NOT_FOUND where the step is not there; any error but of memory ends it. */
static vault_err read_step(struct vault_store *s, unsigned i)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_id id;
	char key[16];
	vault_err err;

	snprintf(key, sizeof(key), "key%u", i);
	err = vault_index_get(vault_store_index(s), VAULT_CF_ROW,
			      vault_span_str(key), &b);
	if (err != VAULT_OK)
		goto out;
	memcpy(id.b, b.data, sizeof(id.b));
	err = vault_store_read_all(s, &id, 1 << 20, &b);
	if (err == VAULT_OK)
		assert_true(vault_span_equal(vault_buf_span(&b),
					     vault_buf_span(&contents[i])));

out:
	vault_buf_release(&b);
	return err;
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

/* Everything that is done with a store, each part going on after errors. */
static void use(struct vault_store *s, bool *acked)
{
	struct vault_buf dump = VAULT_BUF_INIT;
	vault_err err;

	for (unsigned i = 0; i < STEPS; i++) {
		acked[i] = do_step(s, i) == VAULT_OK || acked[i];
		err = read_step(s, i);
		assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM ||
			    (err == VAULT_ERR_NOT_FOUND && !acked[i]));
	}
	err = vault_store_dump(s, VAULT_CF_CHUNK, NULL, &dump);
	assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM);
	err = vault_store_check(s, true, no_finding, NULL, NULL);
	assert_true(err == VAULT_OK || vault_scarce_failed());
	vault_buf_release(&dump);
}

static void one(long n, bool with_index)
{
	struct vault_store_options o = vault_toy_options();
	bool acked[STEPS] = { false };
	struct vault_scratch d;
	struct vault_store *s = NULL;
	vault_err err;

	vault_scratch_init(&d);
	s = vault_toy_open(d.fd, &o);
	acked[0] = do_step(s, 0) == VAULT_OK;
	vault_store_close(s);
	if (!with_index)
		vault_scratch_remove(d.fd, "index");

	vault_scarce_begin(n);
	err = vault_store_open(d.fd, &o, &s);
	if (err == VAULT_OK) {
		use(s, acked);
		vault_store_close(s);
	} else {
		assert_true(vault_scarce_failed());
	}
	(void)vault_scarce_end();

	assert_int_equal(vault_store_open(d.fd, &o, &s), VAULT_OK);
	assert_int_equal(vault_store_damage(s), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		err = read_step(s, i);
		assert_true(err == VAULT_OK ||
			    (err == VAULT_ERR_NOT_FOUND && !acked[i]));
	}
	assert_int_equal(vault_store_check(s, true, no_finding, NULL, NULL),
			 VAULT_OK);
	vault_store_close(s);
	vault_scratch_release(&d);
}

static void want_of_memory_is_an_error_and_no_more(void **state)
{
	const long stride = getenv("VAULT_TORTURE") != NULL ? 1 : STRIDE;
	long n = 0;

	(void)state;
	do {
		one(n, n % 2 == 0);
		n += stride;
	} while (vault_scarce_failed());
	print_message("%ld allocations\n", n);
	assert_true(n > 50);
}

/* ---- one thing at a time, on a thread that has nothing yet ---- */

static const struct vault_store_params small_chunks = {
	.chunk_min = 256,
	.chunk_avg = 512,
	.chunk_max = 2048,
	.zone = "UTC",
};

#define LARGE ((size_t)1 << 20) /* of so many chunks that leaves are made */

struct work {
	struct vault_store *s;
	struct vault_buf bytes;
	struct vault_content c;
	struct vault_buf out; /* with room for all */
	vault_err err;
};

static vault_err large_read(void *ctx, uint64_t off, void *buf, size_t len,
			    size_t *got)
{
	const struct work *w = ctx;
	const struct vault_span rest =
		vault_span_from(vault_buf_span(&w->bytes), (size_t)off);

	*got = rest.len < len ? rest.len : len;
	if (*got > 0)
		memcpy(buf, rest.data, *got);
	return VAULT_OK;
}

static vault_err put_alike(struct work *w)
{
	const struct vault_source src = { .ctx = w, .read = large_read };
	struct vault_content c;
	vault_err err;

	/* Every time another edit. */
	w->bytes.data[w->bytes.len / 3]++;
	err = vault_store_put(w->s, &src, &w->c.id, &c);
	if (err == VAULT_OK)
		w->c = c;
	else
		w->bytes.data[w->bytes.len / 3]--;
	return err;
}

static vault_err read_whole(struct work *w)
{
	struct vault_buf b = VAULT_BUF_INIT;
	vault_err err = vault_store_read_all(w->s, &w->c.id, 2 * LARGE, &b);

	if (err == VAULT_OK)
		assert_true(vault_span_equal(vault_buf_span(&b),
					     vault_buf_span(&w->bytes)));
	vault_buf_release(&b);
	return err;
}

/* A little here and there, through the cache. */
static vault_err read_pieces(struct work *w)
{
	struct vault_content_file *f = NULL;
	uint64_t start, end;
	size_t got;
	vault_err err;

	err = vault_store_open_content(w->s, &w->c.id, &f);
	for (uint64_t off = 7; err == VAULT_OK && off < w->bytes.len;
	     off += LARGE / 9) {
		uint8_t piece[100];

		err = vault_content_file_read(f, off, piece, sizeof(piece),
					      &got);
		if (err == VAULT_OK)
			assert_memory_equal(piece, w->bytes.data + off, got);
	}
	if (err == VAULT_OK)
		err = vault_content_file_next_data(f, 0, &start, &end);
	if (err == VAULT_OK)
		assert_true(start == 0 && end == LARGE);
	vault_content_file_close(f);
	return err;
}

static vault_err check_structure(struct work *w)
{
	return vault_store_check_content(w->s, &w->c.id, false);
}

static vault_err check_bytes(struct work *w)
{
	return vault_store_check_content(w->s, &w->c.id, true);
}

static vault_err check_vault(struct work *w)
{
	return vault_store_check(w->s, true, NULL, NULL, NULL);
}

static vault_err lean_on_another(struct work *w)
{
	const struct vault_span raw = vault_span(w->bytes.data, 9000);
	const struct vault_span base = vault_span(w->bytes.data + 500, 9000);
	struct vault_buf packed = VAULT_BUF_INIT;
	vault_err err;

	err = vault_codec_pack_prefix(raw, base, 3, &packed);
	if (err == VAULT_OK)
		err = vault_codec_unpack(VAULT_CODEC_ZSTD_PREFIX,
					 vault_buf_span(&packed), base,
					 w->out.data, 9000);
	if (err == VAULT_OK)
		assert_memory_equal(w->out.data, raw.data, 9000);
	vault_buf_release(&packed);
	return err;
}

static vault_err unpack_alone(struct work *w)
{
	uint8_t room[1000], zeros[1000] = { 0 };
	struct vault_span stored;
	enum vault_codec codec;
	vault_err err;

	err = vault_codec_pack(vault_span(zeros, sizeof(zeros)), 1, room,
			       &stored, &codec);
	if (err == VAULT_OK)
		err = vault_codec_unpack(VAULT_CODEC_ZSTD, stored,
					 VAULT_SPAN_EMPTY, w->out.data,
					 sizeof(zeros));
	return err;
}

static vault_err put_and_get_object(struct work *w)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_id id;
	vault_err err;

	err = vault_objects_put(w->s, VAULT_RECORD_CHUNK,
				vault_span(w->bytes.data, 5000), &id);
	if (err == VAULT_OK)
		err = vault_objects_get(w->s, VAULT_RECORD_CHUNK, &id, &b);
	if (err == VAULT_OK)
		assert_true(vault_span_equal(vault_buf_span(&b),
					     vault_span(w->bytes.data, 5000)));
	vault_buf_release(&b);
	return err;
}

static vault_err get_object(struct work *w)
{
	struct vault_buf b = VAULT_BUF_INIT;
	vault_err err =
		vault_objects_get(w->s, VAULT_RECORD_RECIPE, &w->c.id, &b);

	vault_buf_release(&b);
	return err;
}

static vault_err (*const things[])(struct work *w) = {
	put_alike,   read_whole,	 read_pieces,	  check_structure,
	check_bytes, check_vault,	 lean_on_another, unpack_alone,
	get_object,  put_and_get_object,
};

struct job {
	struct work *w;
	vault_err (*thing)(struct work *w);
	vault_err err;
};

static void *do_job(void *arg)
{
	struct job *j = arg;

	j->err = j->thing(j->w);
	return NULL;
}

/* On a thread of its own; allocation `n` in it fails, < 0: none. */
static vault_err do_thing(struct work *w, vault_err (*thing)(struct work *w),
			  long n)
{
	struct job j = { .w = w, .thing = thing };
	pthread_t thread;

	if (n >= 0)
		vault_scarce_begin(n);
	assert_int_equal(pthread_create(&thread, NULL, do_job, &j), 0);
	pthread_join(thread, NULL);
	(void)vault_scarce_end();
	return j.err;
}

static void work_begin(struct work *w, struct vault_scratch *d)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch_random r = vault_scratch_seed(9);
	const struct vault_source src = { .ctx = w, .read = large_read };

	memset(w, 0, sizeof(*w));
	assert_int_equal(vault_store_create(d->fd, NULL, &small_chunks),
			 VAULT_OK);
	w->s = vault_toy_open(d->fd, &o);
	vault_scratch_bytes(&r, &w->bytes, LARGE);
	assert_int_equal(vault_buf_reserve(&w->out, LARGE), VAULT_OK);
	assert_int_equal(vault_store_put(w->s, &src, NULL, &w->c), VAULT_OK);
	vault_toy_set(w->s, "key", "value");
}

static void nothing_that_wants_memory_spoils_the_next_try(void **state)
{
	const long step = getenv("VAULT_TORTURE") != NULL ? 1 : 5;
	struct vault_scratch *d = *state;
	struct work w;

	work_begin(&w, d);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		/* Each of the first ones, and then some of the many. */
		for (long n = 0; n < 400; n += n < 30 ? 1 : step * 7) {
			const vault_err err = do_thing(&w, things[i], n);

			if (!vault_scarce_failed())
				break;
			assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM);
		}
		assert_int_equal(do_thing(&w, things[i], -1), VAULT_OK);
		assert_int_equal(read_whole(&w), VAULT_OK);
	}
	assert_int_equal(vault_store_check(w.s, true, no_finding, NULL, NULL),
			 VAULT_OK);
	vault_store_close(w.s);
	vault_buf_release(&w.bytes);
	vault_buf_release(&w.out);
}

/* Durable, but neither applied nor remembered: nothing overtakes it. */
static void an_entry_that_memory_lacks_for_is_not_overtaken(void **state)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s = vault_toy_open(d->fd, &o);
	unsigned stuck = 0;

	/* The memory that each first append takes is taken. */
	vault_toy_set(s, "early", "0");
	for (long n = 0; n < 6; n++) {
		vault_err err;
		uint64_t seq;
		bool there;

		vault_scarce_begin_lasting(n, 20);
		err = vault_store_append(s, VAULT_ENTRY_COMMIT,
					 vault_span_str("early=1"), &seq);
		(void)vault_scarce_end();
		assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM);
		there = err == VAULT_OK;
		err = vault_store_append(s, VAULT_ENTRY_COMMIT,
					 vault_span_str("late=1"), &seq);
		assert_true(err == VAULT_OK || err == VAULT_ERR_INDEX);
		if (err == VAULT_ERR_INDEX) {
			assert_false(vault_toy_has(s, "late", "1"));
			stuck++;
			there = true;
		}
		vault_store_close(s);
		s = vault_toy_open(d->fd, &o);
		if (there)
			assert_true(vault_toy_has(s, "early", "1"));
		assert_int_equal(vault_toy_has(s, "late", "1"),
				 err == VAULT_OK);
		assert_int_equal(
			vault_store_check(s, true, no_finding, NULL, NULL),
			VAULT_OK);
		vault_toy_set(s, "early", "0");
		vault_toy_set(s, "late", "0");
	}
	assert_true(stuck > 0);
	vault_store_close(s);
}

static int prepare(void **state)
{
	(void)vault_scratch_quiet(state);
	for (unsigned i = 0; i < STEPS; i++)
		content_of(i, &contents[i]);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STEPS; i++)
		vault_buf_release(&contents[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_is_an_error_and_no_more),
		VAULT_SCRATCH_TEST(
			nothing_that_wants_memory_spoils_the_next_try),
		VAULT_SCRATCH_TEST(
			an_entry_that_memory_lacks_for_is_not_overtaken),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, prepare, clear);
}
