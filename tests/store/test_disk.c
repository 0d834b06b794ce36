/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "store/io.h"
#include "store/pack_format.h"
#include "store/store.h"
#include "tests/support/fault.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * A disk that refuses, now and then or for a while: what it refused does not
 * count, what it had taken does, and once it is well again the same store
 * goes on.
 */
#define LEN 3000

/* ---- a put that meets a failing disk ---- */

#define CONTENT_BYTES ((size_t)900 << 10)
#define STRIDE 17

static void content_of(unsigned n, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(100 + n);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, CONTENT_BYTES);
}

/* Keep content `n` and commit it under the key of its number. */
static vault_err keep(struct vault_store *s, unsigned n,
		      struct vault_content *c)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	struct vault_buf entry = VAULT_BUF_INIT;
	uint64_t seq;
	vault_err err;

	content_of(n, &bytes);
	err = vault_store_put_span(s, vault_buf_span(&bytes), c);
	if (err == VAULT_OK)
		err = vault_buf_printf(&entry, "key%u=%u", n, n);
	if (err == VAULT_OK)
		err = vault_store_append(s, VAULT_ENTRY_COMMIT,
					 vault_buf_span(&entry), &seq);
	vault_buf_release(&bytes);
	vault_buf_release(&entry);
	return err;
}

static void expect_kept(struct vault_store *s, unsigned n,
			const struct vault_content *c)
{
	struct vault_buf is = VAULT_BUF_INIT;
	struct vault_buf should = VAULT_BUF_INIT;
	char key[16], value[16];

	snprintf(key, sizeof(key), "key%u", n);
	snprintf(value, sizeof(value), "%u", n);
	assert_true(vault_toy_has(s, key, value));
	content_of(n, &should);
	assert_int_equal(vault_store_read_all(s, &c->id, CONTENT_BYTES, &is),
			 VAULT_OK);
	assert_true(
		vault_span_equal(vault_buf_span(&is), vault_buf_span(&should)));
	vault_buf_release(&is);
	vault_buf_release(&should);
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

static void expect_clean(struct vault_store *s)
{
	assert_int_equal(vault_store_check(s, true, no_finding, NULL, NULL),
			 VAULT_OK);
}

/* The call number `at` fails, and `lasting` in all; true if there was one. */
static bool put_on_failing_disk(enum vault_fault_kind kind, unsigned at)
{
	const struct vault_fault_plan plan = { kind, at, 3 };
	struct vault_store_options o = vault_toy_options();
	struct vault_content c[2];
	struct vault_fault *f;
	struct vault_scratch d;
	struct vault_store *s;
	vault_err err;
	bool happened;

	vault_scratch_init(&d);
	s = vault_toy_open(d.fd, &o);
	assert_int_equal(keep(s, 0, &c[0]), VAULT_OK);
	vault_store_close(s);

	f = vault_fault_create(d.fd, &plan);
	o.io = vault_fault_io(f);
	err = vault_store_open(d.fd, &o, &s);
	if (err == VAULT_OK) {
		err = keep(s, 1, &c[1]);
		if (err != VAULT_OK) {
			assert_true(vault_fault_happened(f));
			assert_true(err == VAULT_ERR_NO_SPACE ||
				    err == VAULT_ERR_IO);
			assert_false(vault_toy_has(s, "key1", "1"));
			expect_kept(s, 0, &c[0]);
		}
		/* The disk is well again; at most two more calls were not. */
		for (unsigned i = 0; err != VAULT_OK && i < 3; i++)
			err = keep(s, 1, &c[1]);
		assert_int_equal(err, VAULT_OK);
		expect_kept(s, 1, &c[1]);
		vault_store_close(s);
	} else {
		assert_true(vault_fault_happened(f));
	}
	happened = vault_fault_happened(f);
	vault_fault_destroy(f);

	s = vault_toy_open(d.fd, NULL);
	assert_int_equal(vault_store_damage(s), 0);
	expect_kept(s, 0, &c[0]);
	if (err == VAULT_OK)
		expect_kept(s, 1, &c[1]);
	expect_clean(s);
	vault_store_close(s);
	vault_scratch_release(&d);
	return happened;
}

static void a_put_that_met_a_failing_disk_is_whole_or_not_there(void **state)
{
	static const enum vault_fault_kind kinds[] = { VAULT_FAULT_EIO,
						       VAULT_FAULT_ENOSPC,
						       VAULT_FAULT_SHORT };
	const unsigned stride = getenv("VAULT_TORTURE") != NULL ? 1 : STRIDE;
	unsigned n = 0;

	(void)state;
	for (unsigned k = 0; k < 3; k++)
		for (unsigned at = k; put_on_failing_disk(kinds[k], at);
		     at += stride)
			n++;
	print_message("%u failures\n", n);
	assert_true(n > 6);
}

/* ---- a disk that refuses one kind of call ---- */

static struct {
	struct vault_io io;
	unsigned opens; /* how many calls of each kind fail */
	unsigned writes;
	unsigned cuts;
	unsigned syncs;
} disk;

static bool refuses(unsigned *left, int number)
{
	if (*left == 0)
		return false;
	--*left;
	errno = number;
	return true;
}

static int disk_openat(void *ctx, int dirfd, const char *name, int flags,
		       mode_t mode)
{
	if ((flags & O_ACCMODE) == O_RDWR && refuses(&disk.opens, EIO))
		return -1;
	return vault_io_system.openat(ctx, dirfd, name, flags, mode);
}

static ssize_t disk_pwrite(void *ctx, int fd, const void *buf, size_t len,
			   off_t off)
{
	if (refuses(&disk.writes, ENOSPC))
		return -1;
	return vault_io_system.pwrite(ctx, fd, buf, len, off);
}

static int disk_ftruncate(void *ctx, int fd, off_t len)
{
	if (refuses(&disk.cuts, EIO))
		return -1;
	return vault_io_system.ftruncate(ctx, fd, len);
}

static int disk_fdatasync(void *ctx, int fd)
{
	if (refuses(&disk.syncs, EIO))
		return -1;
	return vault_io_system.fdatasync(ctx, fd);
}

static struct vault_store_options refusing_disk(void)
{
	struct vault_store_options o = vault_toy_options();

	memset(&disk, 0, sizeof(disk));
	disk.io = vault_io_system;
	disk.io.openat = disk_openat;
	disk.io.pwrite = disk_pwrite;
	disk.io.ftruncate = disk_ftruncate;
	disk.io.fdatasync = disk_fdatasync;
	o.io = &disk.io;
	o.pack_size = 8 << 20;
	return o;
}

static struct vault_span bytes_of(unsigned n, uint8_t *buf)
{
	struct vault_scratch_random r = vault_scratch_seed(n + 1);

	vault_scratch_fill(&r, buf, LEN);
	return vault_span(buf, LEN);
}

static vault_err put(struct vault_store *s, unsigned n)
{
	uint8_t buf[LEN];
	struct vault_id id;

	return vault_toy_put(s, bytes_of(n, buf), &id);
}

static void expect_records(struct vault_store *s, unsigned n)
{
	uint8_t buf[LEN];

	for (unsigned i = 0; i < n; i++) {
		const struct vault_span b = bytes_of(i, buf);
		const struct vault_id id =
			vault_digest_id(vault_records_secret(s), 0, b);

		assert_int_equal(vault_toy_get(s, &id, b), VAULT_OK);
	}
}

static void expect_after_reopening(struct vault_store *s, int dirfd, unsigned n)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vault_store_damage(s), 0);
		assert_true(vault_toy_has(s, "key", "value"));
		expect_records(s, n);
		expect_clean(s);
		vault_store_close(s);
		if (i == 1)
			vault_scratch_remove(dirfd, "index");
		s = vault_toy_open(dirfd, NULL);
	}
	vault_store_close(s);
}

/* A write fails, and so does cutting off what it may have left behind. */
static void what_could_not_be_written_moves_to_a_new_pack(void **state)
{
	const struct vault_store_options o = refusing_disk();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	uint64_t seq;

	s = vault_toy_open(d->fd, &o);
	vault_toy_set(s, "early", "1");
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(put(s, i), VAULT_OK);
	disk.writes = disk.cuts = 3;
	assert_int_equal(vault_store_append(s, VAULT_ENTRY_COMMIT,
					    vault_span_str("key=lost"), &seq),
			 VAULT_ERR_NO_SPACE);
	assert_false(vault_toy_has(s, "key", "lost"));
	expect_records(s, 20);
	disk.writes = disk.cuts = 0;
	vault_toy_set(s, "key", "value");
	assert_true(vault_scratch_exists(d->fd, "packs/00000002.pack"));
	expect_after_reopening(s, d->fd, 20);
}

/* More than a buffer of it: it is written again in several pieces. */
static void a_failed_sync_moves_however_much_was_written(void **state)
{
	const struct vault_store_options o = refusing_disk();
	struct vault_scratch *d = *state;
	const unsigned n = 800;
	struct vault_store *s;

	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(put(s, i), VAULT_OK);
	disk.syncs = 1;
	vault_toy_set(s, "key", "value");
	assert_int_equal(disk.syncs, 0);
	assert_true(vault_scratch_exists(d->fd, "packs/00000002.pack"));
	expect_after_reopening(s, d->fd, n);
}

static void a_full_disk_keeps_what_is_in_memory(void **state)
{
	const struct vault_store_options o = refusing_disk();
	struct vault_scratch *d = *state;
	vault_err err = VAULT_OK;
	struct vault_store *s;
	unsigned n = 0;

	s = vault_toy_open(d->fd, &o);
	disk.writes = 5;
	while (err == VAULT_OK)
		err = put(s, n++);
	assert_int_equal(err, VAULT_ERR_NO_SPACE);
	/* All that was taken is there, and the one that was not may come. */
	expect_records(s, --n);
	disk.writes = 0;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(put(s, n++), VAULT_OK);
	vault_toy_set(s, "key", "value");
	expect_after_reopening(s, d->fd, n);
}

/* The newest pack cannot be made ready: not opened, and nothing changed. */
static void a_vault_that_cannot_be_written_does_not_open(void **state)
{
	const char *const newest = "packs/00000001.pack";
	const struct vault_store_options o = refusing_disk();
	unsigned *const calls[] = { &disk.opens, &disk.cuts, &disk.syncs };
	struct vault_scratch *d = *state;
	struct vault_buf before = VAULT_BUF_INIT;
	struct vault_store *s;

	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(put(s, i), VAULT_OK);
	vault_toy_set(s, "key", "value");
	vault_store_close(s);
	/* As a crash in the middle of a write would leave it. */
	vault_scratch_read(d->fd, newest, &before);
	vault_scratch_write(d->fd, newest, vault_buf_span(&before));
	vault_scratch_patch(d->fd, newest, before.len,
			    vault_span_str("the beginning of a record"));
	for (unsigned i = 0; i < 3; i++) {
		*calls[i] = 1;
		s = NULL;
		assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_ERR_IO);
		assert_null(s);
		assert_int_equal(*calls[i], 0);
	}
	s = vault_toy_open(d->fd, &o);
	expect_after_reopening(s, d->fd, 3);
	vault_buf_release(&before);
}

/* Each pack tells its rows in order, of one id twice the later one last. */
static void a_pack_with_an_id_twice_is_sealed_and_left(void **state)
{
	struct vault_store_options o = refusing_disk();
	struct vault_scratch *d = *state;
	struct vault_store *s;

	o.pack_size = 64 << 10;
	s = vault_toy_open(d->fd, &o);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(put(s, i % 4), VAULT_OK);
	vault_toy_set(s, "key", "value");
	assert_true(vault_scratch_exists(d->fd, "packs/00000003.pack"));
	expect_after_reopening(s, d->fd, 4);
}

/* ---- calls that do less than they were asked ---- */

static unsigned n_calls;

static ssize_t odd_pwrite(void *ctx, int fd, const void *buf, size_t len,
			  off_t off)
{
	if (n_calls++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return vault_io_system.pwrite(ctx, fd, buf, len < 7 ? len : 7, off);
}

static ssize_t odd_pread(void *ctx, int fd, void *buf, size_t len, off_t off)
{
	if (n_calls++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return vault_io_system.pread(ctx, fd, buf, len < 5 ? len : 5, off);
}

static ssize_t no_pwrite(void *ctx, int fd, const void *buf, size_t len,
			 off_t off)
{
	(void)ctx;
	(void)fd;
	(void)buf;
	(void)len;
	(void)off;
	return 0;
}

static void interrupted_and_short_calls_are_gone_on_with(void **state)
{
	struct vault_io io = vault_io_system;
	struct vault_scratch *d = *state;
	uint8_t is[LEN + 1], should[LEN];
	size_t got = 0;
	int fd;

	io.pwrite = odd_pwrite;
	io.pread = odd_pread;
	bytes_of(0, should);
	fd = openat(d->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
		vault_io_write_all(&io, fd, vault_span(should, LEN), 3),
		VAULT_OK);
	assert_int_equal(vault_io_read_full(&io, fd, is, sizeof(is), 3, &got),
			 VAULT_OK);
	assert_int_equal(got, LEN);
	assert_memory_equal(is, should, LEN);
	io.pwrite = no_pwrite;
	assert_int_equal(
		vault_io_write_all(&io, fd, vault_span(should, LEN), 3),
		VAULT_ERR_IO);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_put_that_met_a_failing_disk_is_whole_or_not_there),
		VAULT_SCRATCH_TEST(
			what_could_not_be_written_moves_to_a_new_pack),
		VAULT_SCRATCH_TEST(
			a_failed_sync_moves_however_much_was_written),
		VAULT_SCRATCH_TEST(a_full_disk_keeps_what_is_in_memory),
		VAULT_SCRATCH_TEST(
			a_vault_that_cannot_be_written_does_not_open),
		VAULT_SCRATCH_TEST(a_pack_with_an_id_twice_is_sealed_and_left),
		VAULT_SCRATCH_TEST(
			interrupted_and_short_calls_are_gone_on_with),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
