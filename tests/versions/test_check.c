/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/index.h"
#include "store/pack_format.h"
#include "store/store.h"
#include "tests/versions/past.h"
#include "versions/check.h"

/*
 * What check says of vaults that were damaged on purpose: a version is lost
 * only if one of its own bytes is, and then it is named.
 */

#define PACK "packs/00000001.pack"

/* What was reported. */
struct heard {
	char versions[2000];
	unsigned findings;
	uint64_t done;
	uint64_t total;
	vault_err answer;
};

static vault_err on_finding(void *ctx, const struct vault_finding *f)
{
	struct heard *h = ctx;

	assert_non_null(f->text);
	h->findings++;
	return h->answer;
}

static vault_err on_version(void *ctx, const struct vault_check_version *v)
{
	struct heard *h = ctx;
	const size_t len = strlen(h->versions);

	assert_true(v->reason == VAULT_ERR_CORRUPT ||
		    v->reason == VAULT_ERR_DANGLING);
	assert_true(v->moment_time > 0);
	snprintf(h->versions + len, sizeof(h->versions) - len, "%.*s@%llu ",
		 (int)v->path.len, (const char *)v->path.data,
		 (unsigned long long)v->version.seq);
	return h->answer;
}

static vault_err on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct heard *h = ctx;

	assert_true(done <= total);
	/* Never back. */
	assert_true((double)done * (double)(h->total + (h->total == 0)) >=
		    (double)h->done * (double)total * 0.999);
	h->done = done;
	h->total = total;
	return VAULT_OK;
}

static enum vault_check_result run(struct vault_past *p, bool data,
				   struct heard *h)
{
	const struct vault_check_sink sink = { h, on_finding, on_version,
					       on_progress };
	enum vault_check_result result;

	memset(h, 0, sizeof(*h));
	assert_int_equal(vault_check_run(p->tree, data, &sink, &result),
			 VAULT_OK);
	assert_int_equal(h->done, h->total);
	return result;
}

/* A row whose content is really there: incompressible, and each one new. */
static struct vault_row real_file(struct vault_past *p, uint64_t node,
				  struct vault_scratch_random *r,
				  struct vault_buf *bytes)
{
	struct vault_row row = vault_past_file(node, 0);
	struct vault_content c;

	vault_buf_clear(bytes);
	vault_scratch_bytes(r, bytes, 5000);
	assert_int_equal(vault_store_put_span(vault_tree_store(p->tree),
					      vault_buf_span(bytes), &c),
			 VAULT_OK);
	row.content = c.id;
	row.digest = c.digest;
	row.size = c.size;
	return row;
}

/* Turn over a bit of the pack where `bytes` lie in it. */
static void damage(struct vault_past *p, struct vault_span bytes)
{
	struct vault_buf pack = VAULT_BUF_INIT;
	const uint8_t *at;

	vault_tree_close(p->tree);
	p->tree = NULL;
	vault_scratch_read(p->dirfd, PACK, &pack);
	at = memmem(pack.data, pack.len, bytes.data, bytes.len);
	assert_non_null(at);
	vault_scratch_flip(p->dirfd, PACK,
			   (uint64_t)(at - pack.data) + bytes.len / 2, 0x10);
	vault_buf_release(&pack);
	assert_int_equal(vault_tree_open(p->dirfd, NULL, &p->tree), VAULT_OK);
}

static void a_sound_vault_is_clean(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf b = VAULT_BUF_INIT;
	struct heard h;

	assert_int_equal(run(p, true, &h), VAULT_CHECK_CLEAN);
	vault_past_root(p);
	for (unsigned i = 0; i < 5; i++) {
		vault_past_add(p, 1, "f", real_file(p, 2, &r, &b));
		vault_past_commit(p);
	}
	vault_past_remove(p, 1, "f");
	vault_past_commit(p);
	assert_int_equal(run(p, false, &h), VAULT_CHECK_CLEAN);
	assert_int_equal(run(p, true, &h), VAULT_CHECK_CLEAN);
	assert_int_equal(h.findings, 0);
	assert_string_equal(h.versions, "");
	vault_buf_release(&b);
}

static void a_bad_chunk_names_the_versions_that_need_it(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(2);
	struct vault_buf bad = VAULT_BUF_INIT;
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_row row;
	struct vault_moment one, two, three;
	char want[200];
	struct heard h;

	vault_past_add(p, 1, "d", vault_past_dir(5));
	vault_past_add(p, 5, "good", real_file(p, 2, &r, &b));
	row = real_file(p, 3, &r, &bad);
	vault_past_add(p, 5, "hero.psd", row);
	one = vault_past_root(p);
	vault_past_add(p, 5, "hero.psd", real_file(p, 3, &r, &b));
	two = vault_past_commit(p);
	row.node = 4;
	vault_past_add(p, 1, "copy", row);
	three = vault_past_commit(p);

	damage(p, vault_buf_span(&bad));
	assert_int_equal(run(p, true, &h), VAULT_CHECK_LOST);
	assert_true(h.findings > 0);
	snprintf(want, sizeof(want), "copy@%llu d/hero.psd@%llu ",
		 (unsigned long long)three.seq, (unsigned long long)one.seq);
	(void)two;
	assert_string_equal(h.versions, want);
	vault_buf_release(&bad);
	vault_buf_release(&b);
}

static void bad_attributes_spoil_a_version_too(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_row row, attributes;
	struct vault_moment m;
	char want[100];
	struct heard h;

	row = real_file(p, 2, &r, &b);
	attributes = real_file(p, 2, &r, &b);
	row.xattrs = attributes.content;
	vault_past_add(p, 1, "f", row);
	m = vault_past_root(p);
	damage(p, vault_buf_span(&b));
	assert_int_equal(run(p, true, &h), VAULT_CHECK_LOST);
	snprintf(want, sizeof(want), "f@%llu ", (unsigned long long)m.seq);
	assert_string_equal(h.versions, want);
	vault_buf_release(&b);
}

static void a_content_that_was_never_kept_is_named(void **state)
{
	struct vault_past *p = *state;
	struct vault_moment m;
	char want[100];
	struct heard h;

	vault_past_add(p, 1, "f", vault_past_file(2, 77));
	m = vault_past_root(p);
	assert_int_equal(run(p, false, &h), VAULT_CHECK_LOST);
	snprintf(want, sizeof(want), "f@%llu ", (unsigned long long)m.seq);
	assert_string_equal(h.versions, want);
}

static void a_bad_commit_names_what_came_with_it(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(4);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_moment m;
	char want[200];
	struct heard h;

	vault_past_root(p);
	vault_past_add(p, 1, "a-name-to-be-found", real_file(p, 2, &r, &b));
	vault_past_add(p, 1, "b", real_file(p, 3, &r, &b));
	m = vault_past_commit(p);
	vault_past_add(p, 1, "b", real_file(p, 3, &r, &b));
	vault_past_commit(p);
	damage(p, vault_span_str("a-name-to-be-found"));
	assert_int_equal(run(p, false, &h), VAULT_CHECK_LOST);
	snprintf(want, sizeof(want), "a-name-to-be-found@%llu b@%llu ",
		 (unsigned long long)m.seq, (unsigned long long)m.seq);
	assert_string_equal(h.versions, want);
	vault_buf_release(&b);
}

static void what_no_version_needs_is_no_loss(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(5);
	struct vault_buf unused = VAULT_BUF_INIT;
	struct vault_buf b = VAULT_BUF_INIT;
	struct heard h;

	(void)real_file(p, 9, &r, &unused);
	vault_past_add(p, 1, "f", real_file(p, 2, &r, &b));
	vault_past_root(p);
	damage(p, vault_buf_span(&unused));
	assert_int_equal(run(p, true, &h), VAULT_CHECK_REPAIRABLE);
	assert_true(h.findings > 0);
	assert_string_equal(h.versions, "");
	vault_buf_release(&unused);
	vault_buf_release(&b);
}

/* Of a pack's params and of a mark nothing depends. */
static void a_record_that_only_we_need_is_no_loss(void **state)
{
	struct vault_past *p = *state;
	struct vault_scratch_random r = vault_scratch_seed(6);
	struct vault_buf b = VAULT_BUF_INIT;
	uint64_t mark;
	struct heard h;

	vault_past_root(p);
	mark = vault_store_pack_bytes(vault_tree_store(p->tree)) -
	       VAULT_RECORD_HEADER_BYTES;
	vault_past_add(p, 1, "f", real_file(p, 2, &r, &b));
	vault_past_commit(p);
	vault_scratch_flip(p->dirfd, PACK, mark + 50, 1);
	assert_int_equal(run(p, true, &h), VAULT_CHECK_REPAIRABLE);
	assert_int_equal(h.findings, 1);
	vault_scratch_flip(p->dirfd, PACK, VAULT_PACK_HEADER_BYTES + 50, 1);
	assert_int_equal(run(p, true, &h), VAULT_CHECK_REPAIRABLE);
	assert_string_equal(h.versions, "");
	vault_buf_release(&b);
}

static void an_index_that_says_otherwise_is_repairable(void **state)
{
	struct vault_past *p = *state;
	struct vault_index *x = vault_store_index(vault_tree_store(p->tree));
	struct vault_scratch_random r = vault_scratch_seed(6);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_batch *batch;
	struct heard h;

	vault_past_add(p, 1, "f", real_file(p, 2, &r, &b));
	vault_past_root(p);
	assert_int_equal(vault_batch_create(&batch), VAULT_OK);
	vault_batch_put(batch, x, VAULT_CF_MOMENT, vault_span_str("Sxxxxxxxx"),
			vault_span_str("not from any pack"));
	assert_int_equal(vault_index_write(x, batch), VAULT_OK);
	vault_batch_destroy(batch);
	assert_int_equal(run(p, false, &h), VAULT_CHECK_REPAIRABLE);
	assert_true(h.findings > 0);
	assert_string_equal(h.versions, "");
	/* And rebuilding repairs it. */
	vault_tree_close(p->tree);
	p->tree = NULL;
	assert_int_equal(vault_tree_rebuild_index(p->dirfd), VAULT_OK);
	assert_int_equal(vault_tree_open(p->dirfd, NULL, &p->tree), VAULT_OK);
	assert_int_equal(run(p, true, &h), VAULT_CHECK_CLEAN);
	vault_buf_release(&b);
}

static void who_listens_can_stop_it(void **state)
{
	struct vault_past *p = *state;
	struct heard h = { .answer = VAULT_ERR_CANCELLED };
	const struct vault_check_sink sink = { &h, NULL, on_version, NULL };
	const struct vault_check_sink silent = { NULL, NULL, NULL, NULL };
	enum vault_check_result result;

	vault_past_add(p, 1, "f", vault_past_file(2, 77));
	vault_past_root(p);
	assert_int_equal(vault_check_run(p->tree, false, &sink, &result),
			 VAULT_ERR_CANCELLED);
	assert_int_equal(vault_check_run(p->tree, false, &silent, &result),
			 VAULT_OK);
	assert_int_equal(result, VAULT_CHECK_LOST);
}

#define T(test)                                                 \
	cmocka_unit_test_setup_teardown(test, vault_past_setup, \
					vault_past_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sound_vault_is_clean),
		T(a_bad_chunk_names_the_versions_that_need_it),
		T(bad_attributes_spoil_a_version_too),
		T(a_content_that_was_never_kept_is_named),
		T(a_bad_commit_names_what_came_with_it),
		T(what_no_version_needs_is_no_loss),
		T(a_record_that_only_we_need_is_no_loss),
		T(an_index_that_says_otherwise_is_repairable),
		T(who_listens_can_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
