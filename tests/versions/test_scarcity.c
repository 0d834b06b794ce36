/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scarce.h"
#include "tests/versions/mounted.h"
#include "versions/check.h"
#include "versions/config.h"
#include "versions/ignore.h"
#include "versions/restore.h"
#include "versions/when.h"

/*
 * The nth allocation of our own code fails, for every n: an error comes out
 * of whatever was asked, nothing that was kept is lost, nothing is left by
 * halves, and the next try finds all as it should be.
 */

/* Asked for with too little memory, again and again. */
typedef vault_err ask(struct test_project *p);

/* Until none fails any more; each error must be one of want. */
static void starve(struct test_project *p, ask *what, ask *between)
{
	bool failed = true;
	vault_err err;

	for (long n = 0; failed; n++) {
		assert_true(n < 10000);
		if (between != NULL)
			assert_int_equal(between(p), VAULT_OK);
		vault_scarce_begin(n);
		err = what(p);
		failed = vault_scarce_end();
		if (err != VAULT_OK)
			assert_true(failed);
	}
	assert_int_equal(err, VAULT_OK);
}

static void put(struct test_project *p, const char *name, const char *text)
{
	vault_scratch_write_str(p->fd, name, text);
}

/* Something of each kind, with some past. */
static void fill(struct test_project *p)
{
	put(p, "a/b/hero.psd", "one");
	put(p, "a/plain", "plain");
	put(p, "twin", "twin");
	put(p, ".artvaultignore", "*.log\n/cache/\n");
	assert_int_equal(linkat(p->fd, "twin", p->fd, "a/other", 0), 0);
	assert_int_equal(symlinkat("a/b", p->fd, "link"), 0);
	assert_int_equal(mkfifoat(p->fd, "pipe", 0600), 0);
	(void)setxattr(vault_scratch_path(&p->scratch, "art/a/plain"),
		       "user.colour", "blue", 4, 0);
	test_project_sync(p);
	put(p, "a/b/hero.psd", "two");
	assert_int_equal(renameat(p->fd, "a/plain", p->fd, "moved"), 0);
	test_project_sync(p);
}

/* ---- reading the past ---- */

static vault_err no_entry(void *ctx, struct vault_span name,
			  const struct vault_version *v)
{
	(void)ctx;
	(void)name;
	(void)v;
	return VAULT_OK;
}

static vault_err no_place(void *ctx, uint64_t dir, struct vault_span name,
			  const struct vault_version *v)
{
	(void)dir;
	return no_entry(ctx, name, v);
}

static vault_err no_change(void *ctx, struct vault_span path,
			   const struct vault_version *before,
			   const struct vault_version *after)
{
	(void)before;
	return no_entry(ctx, path, after);
}

static vault_err no_moment(void *ctx, const struct vault_moment *m)
{
	(void)ctx;
	(void)m;
	return VAULT_OK;
}

static vault_err no_live(void *ctx, struct vault_span name,
			 const struct vault_live *l)
{
	(void)ctx;
	(void)name;
	(void)l;
	return VAULT_OK;
}

static vault_err list_all(struct test_project *p)
{
	vault_err err = vault_tree_list(p->tree, VAULT_NODE_ROOT, VAULT_AT_NOW,
					VAULT_SPAN_EMPTY, no_entry, NULL);

	if (err == VAULT_OK)
		err = vault_tree_list_ever(p->tree, VAULT_NODE_ROOT, no_entry,
					   NULL);
	if (err == VAULT_OK)
		err = vault_tree_live_list(p->tree, VAULT_NODE_ROOT, no_live,
					   NULL);
	return err;
}

static vault_err follow_a_node(struct test_project *p)
{
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_version v;
	struct vault_version dir;
	vault_err err = vault_tree_resolve(
		p->tree, vault_span_str("a/b/hero.psd"), VAULT_AT_NOW, &v);

	if (err == VAULT_OK)
		err = vault_tree_resolve_last_known(
			p->tree, vault_span_str("a/plain"), VAULT_AT_NOW, &dir);
	if (err == VAULT_OK)
		err = vault_tree_timeline(p->tree, v.row.node, no_place, NULL);
	if (err == VAULT_OK)
		err = vault_tree_places(p->tree, v.row.node, VAULT_AT_NOW,
					no_place, NULL);
	if (err == VAULT_OK)
		err = vault_tree_node_last(p->tree, v.row.node, &v);
	if (err == VAULT_OK)
		err = vault_tree_resolve(p->tree, vault_span_str("a/b"),
					 VAULT_AT_NOW, &dir);
	if (err == VAULT_OK)
		err = vault_tree_dir_path(p->tree, dir.row.node, VAULT_AT_NOW,
					  &path);
	if (err == VAULT_OK)
		assert_string_equal(vault_buf_cstr(&path), "a/b");
	vault_buf_release(&path);
	return err;
}

static vault_err look_for_moments(struct test_project *p)
{
	struct vault_moment first;
	struct vault_moment m;
	vault_err err = vault_moment_first(p->tree, &first);

	if (err == VAULT_OK)
		err = vault_moment_after(p->tree, first.seq, &m);
	if (err == VAULT_OK)
		err = vault_moment_before(p->tree, m.seq, &m);
	if (err == VAULT_OK)
		err = vault_moment_as_of(p->tree, first.time, &m);
	if (err == VAULT_OK)
		err = vault_moment_of(p->tree, first.seq, &m);
	if (err == VAULT_OK)
		err = vault_moment_each(p->tree, no_moment, NULL);
	if (err == VAULT_OK)
		err = vault_moment_each_below(p->tree, VAULT_NODE_ROOT, true,
					      time(NULL), no_moment, NULL);
	if (err == VAULT_OK)
		err = vault_when_resolve(p->tree, vault_span_str("previous"),
					 time(NULL), &m);
	if (err == VAULT_OK)
		err = vault_tree_diff(p->tree, VAULT_NODE_ROOT, first.seq,
				      VAULT_AT_NOW, no_change, NULL);
	return err;
}

static vault_err check_all(struct test_project *p)
{
	const struct vault_check_sink sink = { NULL, NULL, NULL, NULL };
	enum vault_check_result result;
	vault_err err = vault_check_run(p->tree, true, &sink, &result);

	if (err == VAULT_OK && !vault_scarce_failed())
		assert_int_equal(result, VAULT_CHECK_CLEAN);
	return err;
}

static void reading_the_past_fails_and_then_works(void **state)
{
	struct test_project *p = *state;

	fill(p);
	starve(p, list_all, NULL);
	starve(p, follow_a_node, NULL);
	starve(p, look_for_moments, NULL);
	starve(p, check_all, NULL);
	assert_int_equal(check_all(p), VAULT_OK);
}

/* ---- bringing it back ---- */

static vault_err restore(struct test_project *p)
{
	struct vault_restore_writer *w = NULL;
	struct vault_restore_sink sink;
	uint64_t failed;
	vault_err err =
		vault_restore_writer_create(p->scratch.fd, "back", &w, &sink);

	if (err == VAULT_OK)
		err = vault_restore_walk(p->tree, VAULT_SPAN_EMPTY,
					 VAULT_AT_NOW, NULL, NULL, &sink,
					 &failed);
	if (err == VAULT_OK)
		err = vault_restore_writer_finish(w, false);
	vault_restore_writer_destroy(w);
	if (err != VAULT_OK)
		assert_false(vault_scratch_exists(p->scratch.fd, "back"));
	return err;
}

static vault_err name_beside(struct test_project *p)
{
	struct vault_buf name = VAULT_BUF_INIT;
	vault_err err = vault_restore_beside_name(vault_span_str("hero.psd"),
						  "M", &name);

	(void)p;
	if (err != VAULT_OK)
		assert_int_equal(name.len, 0);
	vault_buf_release(&name);
	return err;
}

static void a_restore_is_whole_or_not_there(void **state)
{
	struct test_project *p = *state;

	fill(p);
	starve(p, restore, NULL);
	vault_scratch_expect(p->scratch.fd, "back/a/b/hero.psd",
			     vault_span_str("two"));
	vault_scratch_expect(p->scratch.fd, "back/a/other",
			     vault_span_str("twin"));
	starve(p, name_beside, NULL);
}

/* ---- keeping ---- */

static unsigned round_of; /* of edit() */

/* Each kind of change: new, changed, moved, gone, linked, another kind. */
static vault_err edit(struct test_project *p)
{
	const bool odd = round_of % 2 != 0;
	char text[32];

	snprintf(text, sizeof(text), "round %u", round_of);
	put(p, "a/b/hero.psd", text);
	put(p, odd ? "odd/new" : "even/new", text);
	vault_scratch_remove(p->fd, odd ? "even" : "odd");
	vault_scratch_remove(p->fd, "either");
	if (odd)
		vault_scratch_mkdirs(p->fd, "either/way");
	else
		assert_int_equal(symlinkat(text, p->fd, "either"), 0);
	assert_int_equal(renameat(p->fd, odd ? "moved" : "back", p->fd,
				  odd ? "back" : "moved"),
			 0);
	vault_scratch_remove(p->fd, "third");
	assert_int_equal(linkat(p->fd, "twin", p->fd, "third", 0), 0);
	round_of++;
	return VAULT_OK;
}

static vault_err keep(struct test_project *p)
{
	const struct vault_capture_options o = test_project_options();
	struct vault_capture *c = NULL;
	struct vault_moment m;
	vault_err err =
		vault_capture_start(p->tree, p->fd, p->vaultfd, &o, false, &c);

	if (err == VAULT_OK)
		err = vault_capture_sync(c, VAULT_CAUSE_SYNC, NULL, NULL, &m);
	vault_capture_stop(c);
	return err;
}

static vault_err edit_what_was_kept(struct test_project *p)
{
	/* Whatever became of the try before: now there is memory. */
	const struct vault_moment m = test_project_sync(p);

	test_project_expect_disk(p, m.seq);
	return edit(p);
}

static void a_scan_that_fails_is_made_good_by_the_next(void **state)
{
	struct test_project *p = *state;

	fill(p);
	round_of = 1;
	starve(p, keep, edit_what_was_kept);
	assert_int_equal(edit_what_was_kept(p), VAULT_OK);
	assert_int_equal(check_all(p), VAULT_OK);
}

/* ---- keeping what a mount tells ---- */

static void start_lazy(struct test_project *p)
{
	struct vault_capture_options o = test_project_options();

	o.spacing_ms = INT64_MAX / 2; /* by itself it does nothing */
	o.quiet_ms = 20;
	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     true, &p->capture),
			 VAULT_OK);
}

static vault_err work_and_sync(struct test_project *p)
{
	char text[32];

	snprintf(text, sizeof(text), "round %u", round_of++);
	test_mounted_save(p, "hero.tmp.psd", text);
	test_mounted_rename(p, "hero.tmp.psd", "hero.psd");
	test_mounted_mkdir(p, "dir");
	test_mounted_save(p, "dir/one", text);
	test_mounted_rename(p, "dir", "new");
	test_mounted_exchange(p, "new/one", "hero.psd");
	test_mounted_unlink(p, "new/one");
	test_mounted_rmdir(p, "new");
	return vault_capture_sync(p->capture, VAULT_CAUSE_SYNC, NULL, NULL,
				  NULL);
}

static vault_err sync_and_compare(struct test_project *p)
{
	struct vault_moment m;

	assert_int_equal(vault_capture_sync(p->capture, VAULT_CAUSE_SYNC, NULL,
					    NULL, &m),
			 VAULT_OK);
	test_project_expect_disk(p, m.seq);
	return VAULT_OK;
}

static void what_is_forgotten_for_want_of_memory_is_found_again(void **state)
{
	struct test_project *p = *state;

	put(p, "hero.psd", "zero");
	start_lazy(p);
	test_mounted_settle(p);
	round_of = 1;
	starve(p, work_and_sync, sync_and_compare);
	assert_int_equal(sync_and_compare(p), VAULT_OK);
}

/* ---- the small things ---- */

static vault_err name_and_forget(struct test_project *p)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	const struct vault_span name = vault_span_str("review");
	const struct vault_span other = vault_span_str("final");
	struct vault_moment m;
	vault_err err = vault_moment_latest(p->tree, &m);

	if (err == VAULT_OK)
		err = vault_snapshot_set(p->tree, name, m.seq,
					 vault_span_str("note"),
					 vault_span_str("tag\n"));
	if (err == VAULT_OK)
		err = vault_snapshot_get(p->tree, name, &s);
	if (err == VAULT_OK) {
		assert_int_equal(s.seq, m.seq);
		err = vault_snapshot_rename(p->tree, name, other);
	}
	if (err == VAULT_OK)
		err = vault_snapshot_remove(p->tree, other);
	if (err == VAULT_OK)
		err = vault_snapshot_undo(p->tree, other);
	if (err == VAULT_OK)
		err = vault_snapshot_remove(p->tree, other);
	vault_snapshot_release(&s);
	return err;
}

static vault_err forget_names(struct test_project *p)
{
	static const char *const names[] = { "any", "review", "final" };
	struct vault_moment m;

	/* An operation that was durable but not yet in the index gets there
	 * before the next one. */
	assert_int_equal(vault_moment_latest(p->tree, &m), VAULT_OK);
	assert_int_equal(vault_snapshot_set(p->tree, vault_span_str("any"),
					    m.seq, VAULT_SPAN_EMPTY,
					    VAULT_SPAN_EMPTY),
			 VAULT_OK);
	for (size_t i = 0; i < 3; i++) {
		const vault_err err = vault_snapshot_remove(
			p->tree, vault_span_str(names[i]));

		assert_true(err == VAULT_OK || err == VAULT_ERR_NOT_FOUND);
	}
	return VAULT_OK;
}

static vault_err configure(struct test_project *p)
{
	struct vault_buf value = VAULT_BUF_INIT;
	vault_err err = vault_config_set(p->vaultfd, "zone",
					 vault_span_str("Europe/Berlin"));

	if (err == VAULT_OK)
		err = vault_config_get(p->vaultfd, "zone", &value);
	vault_buf_release(&value);
	return err;
}

static vault_err load_rules(struct test_project *p)
{
	struct vault_ignore *rules = NULL;
	const vault_err err = vault_ignore_load(p->fd, &rules);

	vault_ignore_destroy(rules);
	return err;
}

static vault_err open_tree(struct test_project *p)
{
	struct vault_tree *t = NULL;
	const vault_err err = vault_tree_open(p->vaultfd, NULL, &t);

	vault_tree_close(t);
	return err;
}

static void names_settings_and_rules_survive(void **state)
{
	struct test_project *p = *state;

	fill(p);
	starve(p, name_and_forget, forget_names);
	starve(p, configure, NULL);
	starve(p, load_rules, NULL);
	vault_tree_close(p->tree);
	p->tree = NULL;
	starve(p, open_tree, NULL);
	vault_scratch_remove(p->vaultfd, "index");
	starve(p, open_tree, NULL);
	test_project_reopen(p);
	assert_int_equal(check_all(p), VAULT_OK);
}

#define CLAIM(f)                                               \
	cmocka_unit_test_setup_teardown(f, test_project_setup, \
					test_project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(reading_the_past_fails_and_then_works),
		CLAIM(a_restore_is_whole_or_not_there),
		CLAIM(a_scan_that_fails_is_made_good_by_the_next),
		CLAIM(what_is_forgotten_for_want_of_memory_is_found_again),
		CLAIM(names_settings_and_rules_survive),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
