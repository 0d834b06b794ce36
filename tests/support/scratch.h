/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_SCRATCH_H
#define VAULT_TESTS_SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/span.h"

/*
 * What nearly every test needs: a folder that goes away, bytes that are
 * different every time but the same in every run, files made and read back.
 *
 * Nothing here returns an error: what fails ends the test, saying where. A
 * `dirfd` may be AT_FDCWD. One thread.
 */

/* A new empty folder below $TMPDIR or /tmp. */
struct vault_scratch {
	char path[256];
	int fd; /* of the folder, for the *at() calls */
};

void vault_scratch_init(struct vault_scratch *s);
/* Removes all that is in the folder (never crossing a mount), and itself. */
void vault_scratch_release(struct vault_scratch *s);

/* `name` below the folder, in storage that is reused after 8 calls. */
const char *vault_scratch_path(const struct vault_scratch *s, const char *name);

/* The same for cmocka: *state is a struct vault_scratch on the heap. */
int vault_scratch_setup(void **state);
int vault_scratch_teardown(void **state);
#define VAULT_SCRATCH_TEST(f)                                   \
	cmocka_unit_test_setup_teardown(f, vault_scratch_setup, \
					vault_scratch_teardown)

/*
 * For tests that make things fail by the dozen, as the setup of their group:
 * no line of the log is shown, unless VAULT_TEST_LOG is set.
 */
int vault_scratch_quiet(void **state);

/* Scratch folders in memory, where there is room for them: nothing in these
 * tests needs a real disk, and RocksDB syncs a lot. */
void vault_scratch_in_memory(void);

/* Remove `name` and all below it; missing is fine. */
void vault_scratch_remove(int dirfd, const char *name);

/* A generator of its own, so that a failure shows the same again. */
struct vault_scratch_random {
	uint64_t state;
};

struct vault_scratch_random vault_scratch_seed(uint64_t seed);
uint64_t vault_scratch_next(struct vault_scratch_random *r);
/* 0 <= result < n; n > 0. */
uint64_t vault_scratch_below(struct vault_scratch_random *r, uint64_t n);
void vault_scratch_fill(struct vault_scratch_random *r, uint8_t *p, size_t n);
/* Append `n` incompressible bytes. */
void vault_scratch_bytes(struct vault_scratch_random *r, struct vault_buf *b,
			 size_t n);

/* Make or replace a file (mode 0644), making missing parent folders. */
void vault_scratch_write(int dirfd, const char *name, struct vault_span bytes);
void vault_scratch_write_str(int dirfd, const char *name, const char *text);
/* All of a file, in a buffer the caller releases; `b` is cleared first. */
void vault_scratch_read(int dirfd, const char *name, struct vault_buf *b);
/* Change `bytes` at `at` in place. */
void vault_scratch_patch(int dirfd, const char *name, uint64_t at,
			 struct vault_span bytes);
/* Turn over the bits of `mask` in one byte. */
void vault_scratch_flip(int dirfd, const char *name, uint64_t at, uint8_t mask);
uint64_t vault_scratch_size(int dirfd, const char *name);
bool vault_scratch_exists(int dirfd, const char *name);
/* Make a folder and its missing parents; there already is fine. */
void vault_scratch_mkdirs(int dirfd, const char *name);
/* A copy of a whole folder (files, folders, links) at a name not taken. */
void vault_scratch_copy_tree(int dirfd, const char *from, const char *to);

/* End the test unless the file holds exactly `bytes`. */
void vault_scratch_expect(int dirfd, const char *name, struct vault_span bytes);

#endif
