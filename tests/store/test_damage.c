/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
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
#include "store/pack_format.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * Vaults that something happened to: flipped bytes, cut files, files of other
 * vaults. Whatever it is, the vault opens or says why not, what was not
 * touched reads back exactly, and what was is reported.
 */
#define N 40

static void content_of(unsigned i, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(i);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, 300 + 10 * i);
}

static vault_err do_step(struct vault_store *s, unsigned i)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	char key[16];
	vault_err err;

	content_of(i, &bytes);
	snprintf(key, sizeof(key), "key%u", i);
	err = vault_toy_keep(s, VAULT_ENTRY_COMMIT, key,
			     vault_buf_span(&bytes));
	vault_buf_release(&bytes);
	return err;
}

/* How many of the first `n` steps are wholly there; a wrong byte ends the
 * test, and so does an error that is not one of damage. */
static unsigned count_steps(struct vault_store *s, unsigned n)
{
	struct vault_buf row = VAULT_BUF_INIT;
	struct vault_buf is = VAULT_BUF_INIT;
	struct vault_buf should = VAULT_BUF_INIT;
	struct vault_id id;
	unsigned whole = 0;
	char key[16];

	for (unsigned i = 0; i < n; i++) {
		vault_err err;

		snprintf(key, sizeof(key), "key%u", i);
		err = vault_index_get(vault_store_index(s), VAULT_CF_ROW,
				      vault_span_str(key), &row);
		if (err == VAULT_ERR_NOT_FOUND)
			continue;
		assert_int_equal(err, VAULT_OK);
		assert_int_equal(row.len, 16);
		memcpy(id.b, row.data, 16);
		err = vault_store_read_all(s, &id, 1 << 20, &is);
		if (err == VAULT_OK) {
			content_of(i, &should);
			assert_true(vault_span_equal(vault_buf_span(&is),
						     vault_buf_span(&should)));
			whole++;
		} else {
			assert_true(err == VAULT_ERR_CORRUPT ||
				    err == VAULT_ERR_DANGLING ||
				    err == VAULT_ERR_NOT_FOUND);
		}
	}
	vault_buf_release(&row);
	vault_buf_release(&is);
	vault_buf_release(&should);
	return whole;
}

/* A vault of N steps over several packs, closed. */
static void make_vault(int dirfd)
{
	struct vault_store_options o = vault_toy_options();
	struct vault_store *s;

	o.pack_size = 16 << 10;
	s = vault_toy_open(dirfd, &o);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(do_step(s, i), VAULT_OK);
	vault_store_close(s);
}

static struct vault_store *reopen(int dirfd)
{
	return vault_toy_open(dirfd, NULL);
}

/* The vault's `name` put aside as it was. */
static void restore(struct vault_scratch *d, const char *name)
{
	char from[64];

	snprintf(from, sizeof(from), "kept/%s", name);
	vault_scratch_remove(d->fd, name);
	vault_scratch_copy_tree(d->fd, from, name);
}

static void keep(struct vault_scratch *d)
{
	vault_scratch_mkdirs(d->fd, "kept");
	vault_scratch_copy_tree(d->fd, "packs", "kept/packs");
	vault_scratch_copy_tree(d->fd, "index", "kept/index");
}

/*
 * One byte anywhere: the vault opens, nothing is invented, at most one step
 * is lost, and whatever is lost has been reported by a check.
 */
static void flip_one(struct vault_scratch *d, const char *pack, uint64_t at,
		     bool with_index)
{
	struct vault_store *s;
	struct vault_toy_findings found;
	unsigned whole;

	restore(d, "packs");
	restore(d, "index");
	if (!with_index)
		vault_scratch_remove(d->fd, "index");
	vault_scratch_flip(d->fd, pack, at, 0x10);
	s = reopen(d->fd);
	found = vault_toy_check(s, true);
	whole = count_steps(s, N);
	assert_true(whole >= N - 1);
	if (whole < N)
		assert_true(found.n[VAULT_FINDING_DAMAGED] > 0);
	if (found.all == 0)
		assert_int_equal(vault_store_damage(s), 0);
	assert_int_equal(found.n[VAULT_FINDING_INDEX], 0);
	assert_int_equal(do_step(s, N), VAULT_OK);
	vault_store_close(s);
	/* And it is still so after the vault has been written to. */
	s = reopen(d->fd);
	assert_int_equal(count_steps(s, N + 1), whole + 1);
	vault_store_close(s);
}

static void a_flipped_byte_costs_at_most_what_it_hits(void **state)
{
	const unsigned step = getenv("VAULT_TORTURE") != NULL ? 97 : 1997;
	struct vault_scratch *d = *state;
	unsigned n = 0;

	make_vault(d->fd);
	keep(d);
	for (unsigned pack = 1; pack < 100; pack++) {
		char name[32];
		uint64_t size;

		snprintf(name, sizeof(name), "packs/%08u.pack", pack);
		if (!vault_scratch_exists(d->fd, name))
			break;
		size = vault_scratch_size(d->fd, name);
		for (uint64_t at = pack; at < size; at += step)
			flip_one(d, name, at, n++ % 2 == 0);
		restore(d, "packs");
	}
	print_message("%u flips\n", n);
	assert_true(n > 10);
}

static void newest_pack(struct vault_scratch *d, char name[32], bool last)
{
	char next[32] = "packs/00000001.pack";

	for (unsigned i = 1; vault_scratch_exists(d->fd, next); i++) {
		memcpy(name, next, 32);
		if (!last)
			return;
		snprintf(next, 32, "packs/%08u.pack", i + 1);
	}
}

static void cut(struct vault_scratch *d, const char *name, uint64_t len)
{
	assert_int_equal(truncate(vault_scratch_path(d, name), (off_t)len), 0);
}

static void a_cut_pack_is_reported_however_often_it_is_opened(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s;
	char name[32];

	make_vault(d->fd);
	keep(d);
	for (unsigned last = 0; last < 2; last++) {
		unsigned whole;

		restore(d, "packs");
		restore(d, "index");
		newest_pack(d, name, last);
		cut(d, name, vault_scratch_size(d->fd, name) - 1500);
		for (unsigned again = 0; again < 3; again++) {
			s = reopen(d->fd);
			assert_true(vault_store_damage(s) > 0);
			whole = count_steps(s, N);
			/* Of a sealed pack that was only the footer. */
			assert_true(whole >= N / 2 && whole < N + 1 - last);
			assert_int_equal(vault_toy_check(s, false)
						 .n[VAULT_FINDING_MISSING],
					 1);
			assert_int_equal(do_step(s, N + again), VAULT_OK);
			vault_store_close(s);
			/* The last time without what the index remembers. */
			if (again == 1)
				vault_scratch_remove(d->fd, "index");
		}
	}
}

static void a_missing_pack_is_reported(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s;
	unsigned whole;

	make_vault(d->fd);
	keep(d);
	for (unsigned i = 0; i < 4; i++) {
		char name[32] = "packs/00000001.pack";

		restore(d, "packs");
		restore(d, "index");
		if (i / 2 > 0)
			newest_pack(d, name, true);
		vault_scratch_remove(d->fd, name);
		/* A newest pack that nobody remembers is not missed. */
		if (i % 2 > 0 && i / 2 == 0)
			vault_scratch_remove(d->fd, "index");
		s = reopen(d->fd);
		assert_true(vault_store_damage(s) > 0);
		assert_int_equal(
			vault_toy_check(s, true).n[VAULT_FINDING_MISSING], 1);
		whole = count_steps(s, N);
		assert_true(whole > 0 && whole < N);
		assert_int_equal(do_step(s, N), VAULT_OK);
		vault_store_close(s);
		s = reopen(d->fd);
		assert_true(vault_store_damage(s) > 0);
		assert_int_equal(count_steps(s, N + 1), whole + 1);
		vault_store_close(s);
	}
}

/* ... and when it comes back, so does all that was in it. */
static void a_pack_that_comes_back_brings_everything_back(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_store *s;

	make_vault(d->fd);
	keep(d);
	vault_scratch_remove(d->fd, "packs/00000001.pack");
	vault_scratch_remove(d->fd, "index");
	s = reopen(d->fd);
	assert_true(count_steps(s, N) < N);
	vault_store_close(s);
	assert_int_equal(
		rename(vault_scratch_path(d, "kept/packs/00000001.pack"),
		       vault_scratch_path(d, "packs/00000001.pack")),
		0);
	s = reopen(d->fd);
	/* In order, as if it had never been away. */
	assert_true(vault_store_was_rebuilt(s));
	assert_int_equal(vault_store_damage(s), 0);
	assert_int_equal(count_steps(s, N), N);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
}

static void a_foreign_index_is_not_believed(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_scratch other;
	struct vault_store *s;

	make_vault(d->fd);
	vault_scratch_init(&other);
	s = vault_toy_open(other.fd, NULL);
	vault_toy_set(s, "foreign", "row");
	vault_store_close(s);

	vault_scratch_remove(d->fd, "index");
	assert_int_equal(rename(vault_scratch_path(&other, "index"),
				vault_scratch_path(d, "index")),
			 0);
	s = reopen(d->fd);
	assert_true(vault_store_was_rebuilt(s));
	assert_false(vault_toy_has(s, "foreign", "row"));
	assert_int_equal(count_steps(s, N), N);
	assert_int_equal(vault_toy_check(s, false).all, 0);
	vault_store_close(s);
	assert_true(vault_scratch_exists(d->fd, "index.bad"));
	vault_scratch_release(&other);
}

static void a_foreign_pack_is_reported_and_left_alone(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_buf before = VAULT_BUF_INIT;
	struct vault_scratch other;
	struct vault_store *s;
	char name[32];
	unsigned whole;

	make_vault(d->fd);
	vault_scratch_init(&other);
	make_vault(other.fd);
	newest_pack(d, name, true);
	vault_scratch_remove(d->fd, name);
	assert_int_equal(rename(vault_scratch_path(&other, name),
				vault_scratch_path(d, name)),
			 0);
	vault_scratch_read(d->fd, name, &before);
	vault_scratch_remove(d->fd, "index");
	s = reopen(d->fd);
	assert_true(vault_store_damage(s) > 0);
	assert_true(vault_toy_check(s, true).n[VAULT_FINDING_DAMAGED] > 0);
	whole = count_steps(s, N);
	assert_true(whole > 0 && whole < N);
	assert_int_equal(do_step(s, N), VAULT_OK);
	vault_store_close(s);
	vault_scratch_expect(d->fd, name, vault_buf_span(&before));
	s = reopen(d->fd);
	assert_int_equal(count_steps(s, N + 1), whole + 1);
	vault_store_close(s);
	vault_buf_release(&before);
	vault_scratch_release(&other);
}

/* Set a u32 in a pack's header, with the checksum that goes with it. */
static void set_version(struct vault_scratch *d, const char *name, uint32_t v)
{
	struct vault_buf b = VAULT_BUF_INIT;

	vault_scratch_read(d->fd, name, &b);
	vault_bytes_put_le32(b.data + VAULT_PACK_OFF_VERSION, v);
	vault_bytes_put_le64(
		b.data + VAULT_PACK_OFF_SUM,
		vault_digest_sum64(vault_span(b.data, VAULT_PACK_OFF_SUM)));
	vault_scratch_patch(d->fd, name, 0,
			    vault_span(b.data, VAULT_PACK_HEADER_BYTES));
	vault_buf_release(&b);
}

static void a_newer_format_is_refused_and_untouched(void **state)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s = NULL;
	char name[32];

	make_vault(d->fd);
	newest_pack(d, name, true);
	set_version(d, name, VAULT_FORMAT + 1);
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_NEWER);
	set_version(d, name, VAULT_FORMAT);
	vault_scratch_write_str(d->fd, "config", "format=99\nfuture=yes\n");
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_NEWER);
	assert_null(s);
	assert_int_equal(vault_scratch_size(d->fd, "config"), 21);
	vault_scratch_remove(d->fd, "config");
	s = reopen(d->fd);
	assert_int_equal(count_steps(s, N), N);
	vault_store_close(s);
}

static void config_and_secret_come_back_from_the_packs(void **state)
{
	static const char *const names[] = { "config", "secret" };
	struct vault_scratch *d = *state;

	make_vault(d->fd);
	for (unsigned i = 0; i < 4; i++) {
		struct vault_buf before = VAULT_BUF_INIT;
		struct vault_store *s;
		const char *name = names[i % 2];

		vault_scratch_read(d->fd, name, &before);
		if (i < 2)
			vault_scratch_remove(d->fd, name);
		else
			vault_scratch_flip(d->fd, name, before.len / 2, 0xff);
		s = reopen(d->fd);
		assert_int_equal(count_steps(s, N), N);
		vault_scratch_expect(d->fd, name, vault_buf_span(&before));
		vault_scratch_remove(d->fd, name);
		assert_int_equal(
			vault_toy_check(s, false).n[VAULT_FINDING_SMALL], 1);
		vault_store_close(s);
		vault_buf_release(&before);
	}
}

static void packs_alone_are_a_vault(void **state)
{
	struct vault_scratch *d = *state;
	struct vault_scratch other;
	struct vault_store *s;

	make_vault(d->fd);
	vault_scratch_init(&other);
	assert_int_equal(rename(vault_scratch_path(d, "packs"),
				vault_scratch_path(&other, "packs")),
			 0);
	assert_true(vault_store_exists(other.fd));
	s = reopen(other.fd);
	assert_int_equal(count_steps(s, N), N);
	assert_int_equal(vault_toy_check(s, true).all, 0);
	vault_store_close(s);
	vault_scratch_release(&other);
}

static void without_a_readable_pack_there_is_no_vault(void **state)
{
	const struct vault_store_options o = vault_toy_options();
	struct vault_scratch *d = *state;
	struct vault_store *s = NULL;

	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_NOT_FOUND);
	make_vault(d->fd);
	vault_scratch_remove(d->fd, "packs");
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_CORRUPT);
	vault_scratch_remove(d->fd, "config");
	vault_scratch_remove(d->fd, "secret");
	vault_scratch_write_str(d->fd, "packs/00000001.pack", "nonsense");
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_CORRUPT);
	assert_null(s);
}

/* Damage one of the index's files at one place, or cut it there. */
static void hurt_index(struct vault_scratch *d, const char *file, unsigned how)
{
	char name[300];
	uint64_t size;
	struct vault_scratch_random r = vault_scratch_seed(how);

	snprintf(name, sizeof(name), "index/%s", file);
	size = vault_scratch_size(d->fd, name);
	if (size == 0)
		return;
	if (how % 4 == 3)
		cut(d, name, vault_scratch_below(&r, size));
	else
		vault_scratch_flip(d->fd, name, vault_scratch_below(&r, size),
				   0x55);
}

/* Every file of the index, hurt in several ways: nothing is ever lost. */
static void nothing_is_lost_with_the_index(void **state)
{
	const unsigned ways = getenv("VAULT_TORTURE") != NULL ? 40 : 4;
	struct vault_scratch *d = *state;
	const struct dirent *e;
	DIR *dir;

	make_vault(d->fd);
	keep(d);
	dir = opendir(vault_scratch_path(d, "kept/index"));
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		for (unsigned how = 0; how < ways; how++) {
			struct vault_store *s;
			struct vault_toy_findings f;

			restore(d, "packs");
			restore(d, "index");
			hurt_index(d, e->d_name, how);
			s = reopen(d->fd);
			/* Damage may show only when it is read: then the
			 * next open rebuilds. */
			f = vault_toy_check(s, false);
			assert_int_equal(f.n[VAULT_FINDING_INDEX], f.all);
			vault_store_close(s);
			s = reopen(d->fd);
			assert_int_equal(count_steps(s, N), N);
			assert_int_equal(vault_toy_check(s, false).all, 0);
			vault_store_close(s);
		}
	}
	closedir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(a_flipped_byte_costs_at_most_what_it_hits),
		VAULT_SCRATCH_TEST(
			a_cut_pack_is_reported_however_often_it_is_opened),
		VAULT_SCRATCH_TEST(a_missing_pack_is_reported),
		VAULT_SCRATCH_TEST(
			a_pack_that_comes_back_brings_everything_back),
		VAULT_SCRATCH_TEST(a_foreign_index_is_not_believed),
		VAULT_SCRATCH_TEST(a_foreign_pack_is_reported_and_left_alone),
		VAULT_SCRATCH_TEST(a_newer_format_is_refused_and_untouched),
		VAULT_SCRATCH_TEST(config_and_secret_come_back_from_the_packs),
		VAULT_SCRATCH_TEST(packs_alone_are_a_vault),
		VAULT_SCRATCH_TEST(without_a_readable_pack_there_is_no_vault),
		VAULT_SCRATCH_TEST(nothing_is_lost_with_the_index),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
