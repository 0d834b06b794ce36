/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_FS_TWIN_H
#define VAULT_TESTS_FS_TWIN_H

#include "tests/support/mounted.h"
#include "tests/support/scratch.h"

/*
 * One mount for all tests of a program, on a folder of its own, so that the
 * real folder can be looked at beside it. What fails ends the test.
 */
struct twin {
	struct vault_scratch scratch;
	struct vault_mounted m;
	int mnt; /* the mount's root */
};

/* For cmocka, for the whole group: *state is a struct twin on the heap. */
int twin_setup(void **state);
int twin_teardown(void **state);

/* A system call answered `r`: it failed with `number`. */
void twin_refused(int r, int number);

/* stat(2) says the same of the name on both sides. */
void twin_same(const struct twin *f, const char *name);

#endif
