/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store.h"
#include "tests/support/fault.h"
#include "tests/support/scratch.h"
#include "versions/moment.h"
#include "versions/tree.h"

/*
 * Die at every call that changes the disk while moments and names are made,
 * and look at what is there afterwards: what was acknowledged is there, a
 * moment is there whole or not at all, and an index built anew is the same as
 * one that caught up.
 *
 * Plainly run, every STRIDEth call is taken; with VAULT_TORTURE in the
 * environment, each one.
 */
#define STRIDE 7
#define STEPS 9

struct run {
	struct vault_scratch dir;
	struct vault_fault *fault;
	uint64_t acked[STEPS]; /* sequence of the step's moment; 0: not */
	bool named[STEPS];     /* its name was acknowledged ... */
	bool unnamed[STEPS];   /* ... and its removal */
	bool tried_unname[STEPS];
};

static unsigned stride(void)
{
	return getenv("VAULT_TORTURE") != NULL ? 1 : STRIDE;
}

/* ---- the workload ---- */

static void content_of(unsigned step, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(step + 1);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, 300 + 40 * step);
}

static const char *name_of(const char *what, unsigned step)
{
	static char names[8][32];
	static unsigned next;
	char *name = names[next++ % 8];

	snprintf(name, 32, "%s%u", what, step);
	return name;
}

static vault_err add(struct vault_commit *c, const char *name,
		     const struct vault_row *row)
{
	const struct vault_backing backing = { .dev = 1, .ino = row->node };

	return vault_commit_add(c, VAULT_NODE_ROOT, vault_span_str(name), row,
				row->kind == VAULT_KIND_NONE ? NULL : &backing);
}

/* Every step: one file comes, one changes, and one goes. */
static vault_err commit_step(struct vault_tree *t, unsigned step,
			     struct vault_moment *m)
{
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };
	struct vault_row row = { .kind = VAULT_KIND_FILE, .node = 10 + step };
	struct vault_buf bytes = VAULT_BUF_INIT;
	struct vault_commit *c = NULL;
	struct vault_content content;
	vault_err err;

	content_of(step, &bytes);
	err = vault_store_put_span(vault_tree_store(t), vault_buf_span(&bytes),
				   &content);
	if (err == VAULT_OK)
		err = vault_commit_create(&c);
	if (err != VAULT_OK)
		goto out;
	row.content = content.id;
	row.digest = content.digest;
	row.size = content.size;
	err = add(c, name_of("new", step), &row);
	row.node = 2;
	if (err == VAULT_OK)
		err = add(c, "changing", &row);
	if (err == VAULT_OK && step > 0)
		err = add(c, name_of("new", step - 1), &gone);
	if (err == VAULT_OK)
		err = vault_tree_commit(t, c, VAULT_CAUSE_SAVE, false, m);
out:
	vault_commit_destroy(c);
	vault_buf_release(&bytes);
	return err;
}

static void do_step(struct run *run, struct vault_tree *t, unsigned step)
{
	const struct vault_span name = vault_span_str(name_of("name", step));
	struct vault_moment m;

	if (commit_step(t, step, &m) != VAULT_OK)
		return;
	run->acked[step] = m.seq;
	if (step % 2 == 0 &&
	    vault_snapshot_set(t, name, m.seq, vault_span_str("a note"),
			       VAULT_SPAN_EMPTY) == VAULT_OK)
		run->named[step] = true;
	if (step % 4 == 0 && run->named[step]) {
		run->tried_unname[step] = true;
		run->unnamed[step] = vault_snapshot_remove(t, name) == VAULT_OK;
	}
}

static void play(struct run *run, const struct vault_fault_plan *plan)
{
	struct vault_store_options o = { .pack_size = 16 << 10 };
	struct vault_tree *t;

	*run = (struct run){ 0 };
	vault_scratch_init(&run->dir);
	assert_int_equal(vault_store_create(run->dir.fd, NULL,
					    &vault_store_params_default),
			 VAULT_OK);
	run->fault = vault_fault_create(run->dir.fd, plan);
	o.io = vault_fault_io(run->fault);
	if (vault_tree_open(run->dir.fd, &o, &t) != VAULT_OK)
		return;
	for (unsigned i = 0; i < STEPS; i++) {
		do_step(run, t, i);
		if (i == STEPS / 2)
			vault_scratch_copy_tree(run->dir.fd, "index", "copy");
	}
	vault_tree_close(t);
}

/* ---- what is there afterwards ---- */

/* Is `name` there as commit `seq` wrote it, with the step's very bytes? */
static void expect_file(struct vault_tree *t, const char *name, uint64_t seq,
			unsigned step)
{
	struct vault_buf is = VAULT_BUF_INIT;
	struct vault_buf should = VAULT_BUF_INIT;
	struct vault_version v;

	assert_int_equal(vault_tree_lookup(t, VAULT_NODE_ROOT,
					   vault_span_str(name), seq, &v),
			 VAULT_OK);
	assert_int_equal(v.seq, seq);
	content_of(step, &should);
	assert_int_equal(vault_store_read_all(vault_tree_store(t),
					      &v.row.content, 1 << 20, &is),
			 VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&is), vault_buf_span(&should)));
	vault_buf_release(&is);
	vault_buf_release(&should);
}

/* A moment of a step is there with all its rows, or nothing is of it. */
static void expect_step(struct vault_tree *t, const struct run *run,
			unsigned step, unsigned before)
{
	struct vault_version v;
	struct vault_moment m;
	const vault_err err = vault_tree_last_known(
		t, VAULT_NODE_ROOT, vault_span_str(name_of("new", step)),
		VAULT_AT_NOW, &v);

	if (err == VAULT_ERR_NOT_FOUND) {
		assert_int_equal(run->acked[step], 0);
		return;
	}
	assert_int_equal(err, VAULT_OK);
	if (run->acked[step] != 0)
		assert_int_equal(v.seq, run->acked[step]);
	assert_int_equal(vault_moment_get(t, v.seq, &m), VAULT_OK);
	assert_int_equal(m.n_rows, step == 0 ? 2 : 3);
	expect_file(t, name_of("new", step), v.seq, step);
	expect_file(t, "changing", v.seq, step);
	if (before < step)
		assert_int_equal(vault_tree_lookup(
					 t, VAULT_NODE_ROOT,
					 vault_span_str(name_of("new", before)),
					 v.seq, &v),
				 VAULT_ERR_NOT_FOUND);
}

static void expect_name(struct vault_tree *t, const struct run *run,
			unsigned step)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	const vault_err err = vault_snapshot_get(
		t, vault_span_str(name_of("name", step)), &s);

	if (run->unnamed[step])
		assert_int_equal(err, VAULT_ERR_NOT_FOUND);
	else if (run->named[step] && !run->tried_unname[step])
		assert_int_equal(err, VAULT_OK);
	if (err == VAULT_OK && run->acked[step] != 0)
		assert_int_equal(s.seq, run->acked[step]);
	vault_snapshot_release(&s);
}

static void expect_tree(const struct run *run, int dirfd,
			struct vault_buf *dump)
{
	static const enum vault_cf families[] = {
		VAULT_CF_CHUNK, VAULT_CF_ROW,	 VAULT_CF_LIVE,
		VAULT_CF_NODE,	VAULT_CF_MOMENT, VAULT_CF_NAME,
	};
	struct vault_store_options o = { .pack_size = 16 << 10 };
	struct vault_tree *t;

	assert_int_equal(vault_tree_open(dirfd, &o, &t), VAULT_OK);
	for (unsigned i = 0; i < STEPS; i++) {
		expect_step(t, run, i, i > 0 ? i - 1 : 0);
		expect_name(t, run, i);
	}
	vault_buf_clear(dump);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct vault_buf one = VAULT_BUF_INIT;

		assert_int_equal(vault_store_dump(vault_tree_store(t),
						  families[i], vault_tree_strip,
						  &one),
				 VAULT_OK);
		assert_int_equal(vault_buf_append(dump, vault_buf_span(&one)),
				 VAULT_OK);
		vault_buf_release(&one);
	}
	vault_tree_close(t);
}

/* Give the image an index of the run's folder: `which`, or none. */
static void use_index(const struct run *run, struct vault_scratch *image,
		      const char *which)
{
	char command[700];

	vault_scratch_remove(image->fd, "index");
	if (which == NULL || !vault_scratch_exists(run->dir.fd, which))
		return;
	snprintf(command, sizeof(command), "cp -a '%s/%s' '%s/index'",
		 run->dir.path, which, image->path);
	assert_int_equal(system(command), 0);
}

static void examine(const struct run *run, enum vault_fault_policy policy,
		    uint64_t seed)
{
	static const char *const indexes[] = { "index", "copy" };
	struct vault_buf anew = VAULT_BUF_INIT;
	struct vault_buf dump = VAULT_BUF_INIT;
	struct vault_scratch image;

	vault_scratch_init(&image);
	vault_fault_image(run->fault, policy, seed, image.fd);
	use_index(run, &image, NULL);
	expect_tree(run, image.fd, &anew);
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		use_index(run, &image, indexes[i]);
		expect_tree(run, image.fd, &dump);
		assert_true(vault_span_equal(vault_buf_span(&dump),
					     vault_buf_span(&anew)));
	}
	vault_buf_release(&anew);
	vault_buf_release(&dump);
	vault_scratch_release(&image);
}

static void sweep(enum vault_fault_kind kind,
		  const enum vault_fault_policy *policies, unsigned n_policies)
{
	struct vault_fault_plan plan = { .kind = kind, .lasting = 1 };
	bool happened = true;

	for (; happened; plan.at += stride()) {
		struct run run;

		play(&run, &plan);
		happened = vault_fault_happened(run.fault);
		for (unsigned i = 0; i < n_policies; i++)
			examine(&run, policies[i], plan.at);
		vault_fault_destroy(run.fault);
		vault_scratch_release(&run.dir);
	}
}

static const enum vault_fault_policy all[] = { VAULT_FAULT_DROP,
					       VAULT_FAULT_KEEP,
					       VAULT_FAULT_TEAR };

static void a_moment_survives_a_power_cut_whole_or_not_at_all(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_CRASH, all, 3);
}

static void a_failed_write_loses_no_moment(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_EIO, all, 1);
}

static void a_full_disk_loses_no_moment(void **state)
{
	(void)state;
	sweep(VAULT_FAULT_ENOSPC, all, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_moment_survives_a_power_cut_whole_or_not_at_all),
		cmocka_unit_test(a_failed_write_loses_no_moment),
		cmocka_unit_test(a_full_disk_loses_no_moment),
	};

	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
