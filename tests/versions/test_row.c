/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/digest.h"
#include "tests/support/scratch.h"
#include "versions/commit.h"
#include "versions/row.h"

/*
 * Rows, backings and commits as bytes: what was packed comes back, what was
 * not packed by us is refused.
 */

static void random_id(struct vault_scratch_random *r, uint8_t *b)
{
	vault_scratch_fill(r, b, 16);
	b[0] |= 1; /* never none */
}

static struct vault_row random_row(struct vault_scratch_random *r)
{
	struct vault_row row = { 0 };

	row.kind = (enum vault_kind)(1 + vault_scratch_below(r, 7));
	row.flags = (uint32_t)vault_scratch_below(r, 2);
	row.mode = (uint32_t)vault_scratch_below(r, 010000);
	row.uid = (uint32_t)vault_scratch_next(r);
	row.gid = (uint32_t)vault_scratch_next(r);
	row.mtime_ns = (int64_t)vault_scratch_next(r);
	row.node = 1 + vault_scratch_below(r, UINT64_MAX - 1);
	if (row.kind == VAULT_KIND_FILE || row.kind == VAULT_KIND_SYMLINK) {
		row.digest = vault_digest_of(VAULT_SPAN_EMPTY);
		if (vault_scratch_below(r, 4) != 0) {
			random_id(r, row.content.b);
			random_id(r, row.digest.b);
			row.size = vault_scratch_next(r);
		}
	}
	if (row.kind == VAULT_KIND_CHAR || row.kind == VAULT_KIND_BLOCK)
		row.rdev = vault_scratch_next(r);
	if (vault_scratch_below(r, 2) != 0)
		random_id(r, row.xattrs.b);
	return row;
}

static struct vault_backing random_backing(struct vault_scratch_random *r)
{
	struct vault_backing b;

	b.dev = vault_scratch_next(r);
	b.ino = vault_scratch_next(r);
	b.ctime_ns = (int64_t)vault_scratch_next(r);
	b.btime_ns = (int64_t)vault_scratch_next(r);
	b.racy = vault_scratch_below(r, 2);
	return b;
}

static void assert_same_row(const struct vault_row *a,
			    const struct vault_row *b)
{
	assert_true(vault_row_same(a, b));
	assert_int_equal(a->node, b->node);
	assert_memory_equal(a->digest.b, b->digest.b, sizeof(a->digest.b));
}

static void what_was_packed_comes_back(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		const struct vault_row row = random_row(&r);
		const struct vault_backing backing = random_backing(&r);
		struct vault_row got_row;
		struct vault_backing got;
		struct vault_reader in;

		vault_buf_clear(&b);
		assert_int_equal(vault_row_pack(&row, &b), VAULT_OK);
		assert_int_equal(vault_backing_pack(&backing, &b), VAULT_OK);
		in = vault_reader(vault_buf_span(&b));
		assert_int_equal(vault_row_unpack(&in, &got_row), VAULT_OK);
		assert_int_equal(vault_backing_unpack(&in, &got), VAULT_OK);
		assert_true(vault_reader_done(&in));
		assert_same_row(&row, &got_row);
		assert_int_equal(got.dev, backing.dev);
		assert_int_equal(got.ino, backing.ino);
		assert_int_equal(got.ctime_ns, backing.ctime_ns);
		assert_int_equal(got.btime_ns, backing.btime_ns);
		assert_int_equal(got.racy, backing.racy);
	}
	vault_buf_release(&b);
}

static void a_tombstone_is_one_byte(void **state)
{
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_reader in;
	struct vault_row got;

	(void)state;
	assert_int_equal(vault_row_pack(&gone, &b), VAULT_OK);
	assert_int_equal(b.len, 1);
	in = vault_reader(vault_buf_span(&b));
	assert_int_equal(vault_row_unpack(&in, &got), VAULT_OK);
	assert_int_equal(got.kind, VAULT_KIND_NONE);
	vault_buf_release(&b);
}

/* Whatever is accepted is what the packer would have written. */
static void only_one_form_of_a_row_is_accepted(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(2);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_buf again = VAULT_BUF_INIT;
	unsigned accepted = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct vault_row row = random_row(&r);
		struct vault_reader in;

		vault_buf_clear(&b);
		assert_int_equal(vault_row_pack(&row, &b), VAULT_OK);
		b.data[vault_scratch_below(&r, b.len < 4 ? b.len : 4)] ^=
			(uint8_t)(1u << vault_scratch_below(&r, 8));
		in = vault_reader(vault_buf_span(&b));
		if (vault_row_unpack(&in, &row) != VAULT_OK)
			continue;
		accepted++;
		vault_buf_clear(&again);
		assert_int_equal(vault_row_pack(&row, &again), VAULT_OK);
		assert_true(vault_span_equal(
			vault_buf_span(&again),
			vault_span(b.data, b.len - in.left.len)));
	}
	assert_true(accepted > 0);
	vault_buf_release(&b);
	vault_buf_release(&again);
}

static void a_row_cut_short_is_refused_at_every_length(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_buf b = VAULT_BUF_INIT;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct vault_row row = random_row(&r);

		vault_buf_clear(&b);
		assert_int_equal(vault_row_pack(&row, &b), VAULT_OK);
		for (size_t n = 0; n < b.len; n++) {
			struct vault_reader in =
				vault_reader(vault_span(b.data, n));

			assert_int_equal(vault_row_unpack(&in, &row),
					 VAULT_ERR_CORRUPT);
		}
	}
	vault_buf_release(&b);
}

static void a_row_that_cannot_be_is_not_packed(void **state)
{
	const struct vault_row good = { .kind = VAULT_KIND_FILE,
					.mode = 0644,
					.node = 7 };
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_row bad;

	(void)state;
	assert_int_equal(vault_row_pack(&good, &b), VAULT_OK);
	vault_buf_clear(&b);
	bad = good;
	bad.node = 0;
	assert_int_equal(vault_row_pack(&bad, &b), VAULT_ERR_INVALID);
	bad = good;
	bad.mode = 0100644;
	assert_int_equal(vault_row_pack(&bad, &b), VAULT_ERR_INVALID);
	bad = good;
	bad.size = 1; /* bytes without a content */
	assert_int_equal(vault_row_pack(&bad, &b), VAULT_ERR_INVALID);
	bad = good;
	bad.rdev = 5; /* of no device */
	assert_int_equal(vault_row_pack(&bad, &b), VAULT_ERR_INVALID);
	bad = good;
	bad.kind = VAULT_KIND_DIR;
	bad.content.b[3] = 1;
	assert_int_equal(vault_row_pack(&bad, &b), VAULT_ERR_INVALID);
	assert_int_equal(b.len, 0);
	vault_buf_release(&b);
}

static void sameness_looks_at_what_people_see(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(4);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		const struct vault_row a = random_row(&r);
		struct vault_row b = a;

		b.node = a.node + 1;
		b.digest.b[5] ^= 1;
		assert_true(vault_row_same(&a, &b));
		b.mtime_ns ^= 1;
		assert_false(vault_row_same(&a, &b));
		assert_true(vault_row_same_content(&a, &b));
		b = a;
		b.mode ^= 1;
		assert_false(vault_row_same(&a, &b));
		b = a;
		b.content.b[5] ^= 1;
		assert_false(vault_row_same_content(&a, &b));
		b = a;
		b.xattrs.b[5] ^= 1;
		assert_false(vault_row_same(&a, &b));
		assert_true(vault_row_same_content(&a, &b));
		b = a;
		b.uid ^= 1;
		assert_false(vault_row_same(&a, &b));
	}
}

static void kinds_are_the_types_of_stat(void **state)
{
	(void)state;
	for (int k = VAULT_KIND_FILE; k <= VAULT_KIND_BLOCK; k++) {
		const mode_t bits = vault_row_type_bits((enum vault_kind)k);

		assert_int_equal(bits & ~(mode_t)S_IFMT, 0);
		assert_int_equal(vault_row_kind_of(bits | 0644), k);
	}
	assert_int_equal(vault_row_type_bits(VAULT_KIND_NONE), 0);
	assert_int_equal(vault_row_kind_of(0), VAULT_KIND_NONE);
	assert_int_equal(vault_row_type_bits(VAULT_KIND_SYMLINK), S_IFLNK);
}

static void an_empty_file_has_the_digest_of_no_bytes(void **state)
{
	const struct vault_row row = { .kind = VAULT_KIND_FILE, .node = 9 };
	const struct vault_digest none = vault_digest_of(VAULT_SPAN_EMPTY);
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_reader in;
	struct vault_row got;

	(void)state;
	assert_int_equal(vault_row_pack(&row, &b), VAULT_OK);
	in = vault_reader(vault_buf_span(&b));
	assert_int_equal(vault_row_unpack(&in, &got), VAULT_OK);
	assert_memory_equal(got.digest.b, none.b, sizeof(none.b));
	vault_buf_release(&b);
}

/* ---- commits ---- */

static const struct vault_commit_head head = {
	.cause = VAULT_CAUSE_SAVE, .partial = true, .time = 5, .clock_ns = 6
};

static void add(struct vault_commit *c, uint64_t dir, const char *name,
		uint32_t uid)
{
	const struct vault_row row = { .kind = VAULT_KIND_FILE,
				       .uid = uid,
				       .node = 2 + uid };
	const struct vault_backing backing = { .ino = uid };

	assert_int_equal(
		vault_commit_add(c, dir, vault_span_str(name), &row, &backing),
		VAULT_OK);
}

static void a_commit_is_in_order_and_the_last_row_wins(void **state)
{
	static const struct {
		uint64_t dir;
		const char *name;
		uint32_t uid;
	} want[] = {
		{ 1, "a", 5 }, { 1, "ab", 2 }, { 1, "b", 1 }, { 3, "a", 4 }
	};
	struct vault_commit *c;
	struct vault_commit_head got;
	struct vault_commit_row before, row;
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_reader in;

	(void)state;
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	add(c, 1, "b", 1);
	add(c, 1, "ab", 2);
	add(c, 1, "a", 3);
	add(c, 3, "a", 4);
	add(c, 1, "a", 5);
	assert_int_equal(vault_commit_encode(c, &head, &b), VAULT_OK);
	assert_int_equal(vault_commit_count(c), 4);
	in = vault_reader(vault_buf_span(&b));
	assert_int_equal(vault_commit_decode_head(&in, &got), VAULT_OK);
	assert_int_equal(got.n_rows, 4);
	assert_int_equal(got.time, 5);
	assert_int_equal(got.clock_ns, 6);
	assert_int_equal(got.cause, VAULT_CAUSE_SAVE);
	assert_true(got.partial);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(vault_commit_decode_row(
					 &in, i == 0 ? NULL : &before, &row),
				 VAULT_OK);
		assert_int_equal(row.dir, want[i].dir);
		assert_true(vault_span_equal(row.name,
					     vault_span_str(want[i].name)));
		assert_int_equal(row.row.uid, want[i].uid);
		assert_int_equal(row.backing.ino, want[i].uid);
		before = row;
	}
	assert_true(vault_reader_done(&in));
	vault_buf_release(&b);
	vault_commit_destroy(c);
}

static void names_that_no_directory_can_hold_are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/" };
	const struct vault_row row = { .kind = VAULT_KIND_FILE, .node = 2 };
	const struct vault_row root = { .kind = VAULT_KIND_DIR, .node = 1 };
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };
	const struct vault_backing backing = { 0 };
	struct vault_commit *c;
	uint8_t name[256];

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vault_commit_add(c, 1, vault_span_str(bad[i]),
						  &row, &backing),
				 VAULT_ERR_INVALID);
	assert_int_equal(
		vault_commit_add(c, 1, vault_span(name, 256), &row, &backing),
		VAULT_ERR_INVALID);
	assert_int_equal(
		vault_commit_add(c, 1, vault_span("a\0b", 3), &row, &backing),
		VAULT_ERR_INVALID);
	/* A second root, a root that is no directory, a root that goes. */
	assert_int_equal(
		vault_commit_add(c, 1, vault_span_str("a"), &root, &backing),
		VAULT_ERR_INVALID);
	assert_int_equal(vault_commit_add(c, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
					  &row, &backing),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_commit_add(c, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
					  &gone, NULL),
			 VAULT_ERR_INVALID);
	assert_int_equal(
		vault_commit_add(c, 1, vault_span_str("a"), &row, NULL),
		VAULT_ERR_INVALID);
	assert_int_equal(vault_commit_count(c), 0);
	assert_int_equal(
		vault_commit_add(c, 1, vault_span(name, 255), &row, &backing),
		VAULT_OK);
	assert_int_equal(vault_commit_add(c, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
					  &root, &backing),
			 VAULT_OK);
	vault_commit_destroy(c);
}

/* The example of versions/FORMAT.md. */
static void a_commit_has_these_very_bytes(void **state)
{
	static const uint8_t want[] = {
		0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, /* head */
		0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* time */
		0x00, 0xf2, 0x05, 0x2a, 0x01, 0x00, 0x00, 0x00, /* clock */
		0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* directory */
		0x01, 0x61,					/* "a" */
		0x01, 0x00, 0xa4, 0x01, 0x00, 0x00, 0x00, 0x00, /* file */
		0x00, 0x00, 0x00, 0x00,				/* gid */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* mtime */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* node */
		0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* dev */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* ino */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* ctime */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* btime */
		0x00,						/* racy */
	};
	const struct vault_row row = { .kind = VAULT_KIND_FILE,
				       .mode = 0644,
				       .node = 2 };
	const struct vault_backing backing = { .dev = 1, .ino = 2 };
	const struct vault_commit_head at = { .cause = VAULT_CAUSE_SAVE,
					      .time = 5,
					      .clock_ns = 5000000000 };
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_commit *c;

	(void)state;
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	assert_int_equal(
		vault_commit_add(c, 1, vault_span_str("a"), &row, &backing),
		VAULT_OK);
	assert_int_equal(vault_commit_encode(c, &at, &b), VAULT_OK);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	vault_buf_release(&b);
	vault_commit_destroy(c);
}

static vault_err decode(struct vault_span bytes)
{
	struct vault_reader in = vault_reader(bytes);
	struct vault_commit_row before, row;
	struct vault_commit_head h;
	vault_err err;

	err = vault_commit_decode_head(&in, &h);
	for (uint32_t i = 0; err == VAULT_OK && i < h.n_rows; i++) {
		err = vault_commit_decode_row(&in, i == 0 ? NULL : &before,
					      &row);
		before = row;
	}
	if (err == VAULT_OK && !vault_reader_done(&in))
		err = VAULT_ERR_CORRUPT;
	return err;
}

static void a_damaged_commit_is_never_half_believed(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(6);
	struct vault_commit *c;
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_buf copy = VAULT_BUF_INIT;

	(void)state;
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	for (uint32_t i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "file%u", i);
		add(c, 1 + i % 3, name, i);
	}
	assert_int_equal(vault_commit_encode(c, &head, &b), VAULT_OK);
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_OK);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(decode(vault_span(b.data, n)),
				 VAULT_ERR_CORRUPT);
	b.data[0]++;
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_ERR_NEWER);
	b.data[0]--;
	for (int i = 0; i < 20000; i++) {
		vault_buf_clear(&copy);
		assert_int_equal(vault_buf_append(&copy, vault_buf_span(&b)),
				 VAULT_OK);
		for (int n = 0; n < 3; n++)
			copy.data[vault_scratch_below(&r, copy.len)] =
				(uint8_t)vault_scratch_next(&r);
		(void)decode(vault_buf_span(&copy)); /* under asan: no more
							than what is there */
	}
	/* A count that promises more rows than bytes allocates nothing. */
	memset(b.data + 4, 0xff, 4);
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_ERR_CORRUPT);
	vault_buf_release(&b);
	vault_buf_release(&copy);
	vault_commit_destroy(c);
}

static void rows_out_of_order_are_damage(void **state)
{
	struct vault_commit *c;
	struct vault_buf b = VAULT_BUF_INIT;
	uint8_t *first, *second;

	(void)state;
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	add(c, 1, "a", 1);
	add(c, 1, "b", 1);
	assert_int_equal(vault_commit_encode(c, &head, &b), VAULT_OK);
	first = memchr(b.data + 24, 'a', b.len - 24);
	assert_non_null(first);
	second = memchr(first, 'b', (size_t)(b.data + b.len - first));
	assert_non_null(second);
	*second = 'a'; /* one name twice */
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_ERR_CORRUPT);
	*first = 'b';
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_ERR_CORRUPT);
	*first = 'a';
	*second = 'b';
	assert_int_equal(decode(vault_buf_span(&b)), VAULT_OK);
	vault_buf_release(&b);
	vault_commit_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_back),
		cmocka_unit_test(a_tombstone_is_one_byte),
		cmocka_unit_test(only_one_form_of_a_row_is_accepted),
		cmocka_unit_test(a_row_cut_short_is_refused_at_every_length),
		cmocka_unit_test(a_row_that_cannot_be_is_not_packed),
		cmocka_unit_test(sameness_looks_at_what_people_see),
		cmocka_unit_test(kinds_are_the_types_of_stat),
		cmocka_unit_test(an_empty_file_has_the_digest_of_no_bytes),
		cmocka_unit_test(a_commit_is_in_order_and_the_last_row_wins),
		cmocka_unit_test(names_that_no_directory_can_hold_are_refused),
		cmocka_unit_test(a_commit_has_these_very_bytes),
		cmocka_unit_test(a_damaged_commit_is_never_half_believed),
		cmocka_unit_test(rows_out_of_order_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
