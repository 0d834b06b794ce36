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

#include "store/store.h"
#include "tests/support/fault.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * Die at every call that changes the disk, or have it fail, and look at what
 * is there afterwards: everything acknowledged, nothing by halves, no damage
 * reported where there is none, and the same index however it was come by.
 *
 * Plainly run, every STRIDEth call is taken; with VAULT_TORTURE in the
 * environment, each one.
 */
#define STRIDE 11
#define STEPS 14
#define COPY_EVERY 4

/* One run of the workload, and what it was told. */
struct run {
	struct vault_scratch dir;
	struct vault_fault *fault;
	bool tried[STEPS];
	bool acked[STEPS];
	unsigned n_copies; /* of the index, "copy0" and on */
};

static unsigned stride(void)
{
	return getenv("VAULT_TORTURE") != NULL ? 1 : STRIDE;
}

static struct vault_store_options options(const struct vault_io *io)
{
	struct vault_store_options o = vault_toy_options();

	o.io = io;
	o.pack_size = 48 << 10;
	return o;
}

static const struct vault_store_params params = {
	.chunk_min = 1024,
	.chunk_avg = 4096,
	.chunk_max = 16384,
	.zone = "UTC",
};

/* The bytes of step `i`: now one chunk, now many, partly those of before. */
static void content_of(unsigned i, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(i / 2);

	vault_buf_clear(b);
	if (i % 4 == 3)
		vault_scratch_bytes(&r, b, 30000);
	else
		vault_scratch_bytes(&r, b, 700 + 150 * i);
	assert_int_equal(vault_buf_printf(b, "%u", i), VAULT_OK);
}

static void key_of(unsigned i, char key[16])
{
	snprintf(key, 16, "key%u", i);
}

static vault_err do_step(struct vault_store *s, unsigned i)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	char key[16];
	vault_err err;

	content_of(i, &bytes);
	key_of(i, key);
	err = vault_toy_keep(s,
			     i % 5 == 4 ? VAULT_ENTRY_NAME : VAULT_ENTRY_COMMIT,
			     key, vault_buf_span(&bytes));
	vault_buf_release(&bytes);
	return err;
}

/* Is the content that the row names there, to the byte? */
static void expect_content(struct vault_store *s, unsigned i,
			   const struct vault_buf *row)
{
	struct vault_buf should = VAULT_BUF_INIT;

	content_of(i, &should);
	vault_toy_expect(s, row, vault_buf_span(&should));
	vault_buf_release(&should);
}

static void expect_steps(struct vault_store *s, const struct run *run)
{
	struct vault_buf row = VAULT_BUF_INIT;
	char key[16];

	for (unsigned i = 0; i < STEPS; i++) {
		vault_err err;

		key_of(i, key);
		err = vault_index_get(vault_store_index(s), VAULT_CF_ROW,
				      vault_span_str(key), &row);
		if (err == VAULT_OK) {
			assert_true(run->tried[i]);
			expect_content(s, i, &row);
		} else {
			assert_int_equal(err, VAULT_ERR_NOT_FOUND);
			assert_false(run->acked[i]);
		}
	}
	vault_buf_release(&row);
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

/* ---- the workload ---- */

static void make_vault(struct run *run)
{
	struct vault_store_options o = options(NULL);
	struct vault_store *s;

	assert_int_equal(vault_store_create(run->dir.fd, NULL, &params),
			 VAULT_OK);
	assert_int_equal(vault_store_open(run->dir.fd, &o, &s), VAULT_OK);
	vault_store_close(s);
}

static void copy_index(struct run *run)
{
	char name[16];

	snprintf(name, sizeof(name), "copy%u", run->n_copies++);
	vault_scratch_copy_tree(run->dir.fd, "index", name);
}

static void play(struct run *run, const struct vault_fault_plan *plan)
{
	struct vault_store_options o;
	struct vault_store *s;

	*run = (struct run){ 0 };
	vault_scratch_init(&run->dir);
	make_vault(run);
	run->fault = vault_fault_create(run->dir.fd, plan);
	o = options(vault_fault_io(run->fault));
	if (vault_store_open(run->dir.fd, &o, &s) != VAULT_OK)
		return;
	for (unsigned i = 0; i < STEPS; i++) {
		run->tried[i] = true;
		run->acked[i] = do_step(s, i) == VAULT_OK;
		if (i % COPY_EVERY == 0)
			copy_index(run);
	}
	/* Whatever went wrong, what was acknowledged can be read now. */
	expect_steps(s, run);
	vault_store_close(s);
}

static void end(struct run *run)
{
	vault_fault_destroy(run->fault);
	vault_scratch_release(&run->dir);
}

/* ---- what is there afterwards ---- */

static void expect_vault(const struct run *run, int dirfd,
			 struct vault_buf *dump)
{
	struct vault_store_options o = options(NULL);
	struct vault_store *s;

	assert_int_equal(vault_store_open(dirfd, &o, &s), VAULT_OK);
	assert_int_equal(vault_store_damage(s), 0);
	expect_steps(s, run);
	vault_buf_clear(dump);
	vault_toy_dump(s, dump);
	vault_store_close(s);
}

/* Same index, once opened, however it was come by? */
static void expect_same(const struct run *run, int dirfd,
			const struct vault_buf *should)
{
	struct vault_buf dump = VAULT_BUF_INIT;

	expect_vault(run, dirfd, &dump);
	assert_true(vault_span_equal(vault_buf_span(&dump),
				     vault_buf_span(should)));
	vault_buf_release(&dump);
}

/* Halve one of the index's files. */
static void truncate_in_index(int dirfd, const char *kind)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "f=$(ls /proc/%d/fd/%d/index/*%s* | tail -1) && "
		 "truncate -s $(($(stat -c %%s \"$f\") / 2)) \"$f\"",
		 (int)getpid(), dirfd, kind);
	assert_int_equal(system(command), 0);
}

static void use_index(const struct run *run, struct vault_scratch *image,
		      const char *which)
{
	struct vault_scratch from = run->dir;

	vault_scratch_remove(image->fd, "index");
	if (which == NULL)
		return;
	/* Beside each other below one folder, as the copy wants it. */
	{
		char command[700];

		snprintf(command, sizeof(command), "cp -a %s/%s %s/index",
			 from.path, which, image->path);
		assert_int_equal(system(command), 0);
	}
}

/* The vault goes on working: one more step, and a check of every byte. */
static void expect_usable(const struct run *run, int dirfd)
{
	struct vault_store_options o = options(NULL);
	struct run more = *run;
	struct vault_store *s;

	assert_int_equal(vault_store_open(dirfd, &o, &s), VAULT_OK);
	more.tried[STEPS - 1] = true;
	assert_int_equal(do_step(s, STEPS - 1), VAULT_OK);
	more.acked[STEPS - 1] = true;
	expect_steps(s, &more);
	assert_int_equal(vault_store_check(s, true, no_finding, NULL, NULL),
			 VAULT_OK);
	vault_store_close(s);
	assert_int_equal(vault_store_open(dirfd, &o, &s), VAULT_OK);
	expect_steps(s, &more);
	vault_store_close(s);
}

static void examine(const struct run *run, enum vault_fault_policy policy,
		    uint64_t seed)
{
	struct vault_buf dump = VAULT_BUF_INIT;
	struct vault_scratch image;
	char name[16];

	vault_scratch_init(&image);
	vault_fault_image(run->fault, policy, seed, image.fd);

	use_index(run, &image, NULL);
	expect_vault(run, image.fd, &dump);
	use_index(run, &image, "index");
	expect_same(run, image.fd, &dump);
	use_index(run, &image, "index");
	truncate_in_index(image.fd, seed % 2 == 0 ? "MANIFEST" : ".log");
	expect_same(run, image.fd, &dump);
	for (unsigned i = 0; i < run->n_copies; i++) {
		snprintf(name, sizeof(name), "copy%u", i);
		use_index(run, &image, name);
		expect_same(run, image.fd, &dump);
	}
	expect_usable(run, image.fd);
	vault_buf_release(&dump);
	vault_scratch_release(&image);
}

/* Tearing is a matter of chance: a few throws, when there is time. */
static void examine_all(const struct run *run, enum vault_fault_policy policy,
			unsigned at)
{
	const unsigned throws =
		policy == VAULT_FAULT_TEAR && stride() == 1 ? 4 : 1;

	for (unsigned i = 0; i < throws; i++)
		examine(run, policy, at + 1000 * i);
}

static void sweep(enum vault_fault_kind kind, unsigned lasting,
		  const enum vault_fault_policy *policies, unsigned n_policies)
{
	struct vault_fault_plan plan = { .kind = kind, .lasting = lasting };
	bool happened = true;

	if (kind == VAULT_FAULT_CRASH)
		plan.lasting = 1;
	for (plan.at = 0; happened; plan.at += stride()) {
		struct run run;

		play(&run, &plan);
		happened = vault_fault_happened(run.fault);
		for (unsigned i = 0; i < n_policies; i++)
			examine_all(&run, policies[i], plan.at);
		end(&run);
	}
	print_message("%u calls\n", plan.at);
}

static const enum vault_fault_policy all[] = { VAULT_FAULT_DROP,
					       VAULT_FAULT_KEEP,
					       VAULT_FAULT_TEAR };
static const enum vault_fault_policy ends[] = { VAULT_FAULT_DROP,
						VAULT_FAULT_KEEP };

static void a_power_cut_loses_nothing_acknowledged(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_CRASH, 1, all, 3);
}

static void a_failed_call_loses_nothing_acknowledged(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_EIO, 1, ends, 2);
}

static void a_disk_that_keeps_failing_loses_nothing_acknowledged(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_EIO, 6, ends, 2);
}

static void a_full_disk_loses_nothing_acknowledged(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_ENOSPC, 4, ends, 1);
}

static void a_short_write_loses_nothing_acknowledged(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_SHORT, 2, ends, 2);
}

/* Creating, cut short anywhere: there is a whole vault or none. */
static void creation_is_all_or_nothing(void **state)
{
	bool happened = true;

	(void)state;
	for (unsigned at = 0; happened; at++) {
		const struct vault_fault_plan plan = {
			.kind = VAULT_FAULT_CRASH, .at = at
		};

		struct vault_scratch dir;
		struct vault_fault *f;
		vault_err err;

		vault_scratch_init(&dir);
		f = vault_fault_create(dir.fd, &plan);
		err = vault_store_create(dir.fd, vault_fault_io(f), &params);
		happened = vault_fault_happened(f);
		assert_true(happened || err == VAULT_OK);
		for (unsigned i = 0; i < 3; i++) {
			struct vault_store_options o = options(NULL);
			struct vault_scratch image;
			struct vault_store *s;

			vault_scratch_init(&image);
			vault_fault_image(f, all[i], at, image.fd);
			assert_true(err != VAULT_OK ||
				    vault_store_exists(image.fd));
			if (!vault_store_exists(image.fd))
				assert_int_equal(vault_store_create(image.fd,
								    NULL,
								    &params),
						 VAULT_OK);
			assert_int_equal(vault_store_open(image.fd, &o, &s),
					 VAULT_OK);
			assert_int_equal(do_step(s, 0), VAULT_OK);
			assert_int_equal(vault_store_damage(s), 0);
			vault_store_close(s);
			vault_scratch_release(&image);
		}
		vault_fault_destroy(f);
		vault_scratch_release(&dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation_is_all_or_nothing),
		cmocka_unit_test(a_power_cut_loses_nothing_acknowledged),
		cmocka_unit_test(a_failed_call_loses_nothing_acknowledged),
		cmocka_unit_test(
			a_disk_that_keeps_failing_loses_nothing_acknowledged),
		cmocka_unit_test(a_full_disk_loses_nothing_acknowledged),
		cmocka_unit_test(a_short_write_loses_nothing_acknowledged),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
