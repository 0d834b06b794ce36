/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_FS_WORLD_H
#define VAULT_TESTS_FS_WORLD_H

#include "tests/fs/ran.h"
#include "tests/support/scratch.h"

/*
 * A project with a past, for tests of the commands: the folder `art` in a
 * scratch folder, not mounted, of two moments between which chars/bob.txt and
 * hero.psd differ and chars/same does not. What fails ends the test. Include
 * after cmocka.h.
 */
struct world {
	struct vault_scratch s;
	struct ran ran;
	char first[64]; /* names of moments */
	char second[64];
};

/* For cmocka: *state is a struct world on the heap. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f) \
	cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* The name of the newest moment. */
void world_latest(struct world *w, char name[64]);

/* Make or replace a file of the scratch folder; it must hold exactly `text`. */
void world_write(struct world *w, const char *name, const char *text);
void world_expect(struct world *w, const char *name, const char *text);

/* Short forms for a world. */
#define run(w, ...) ran_run(&(w)->ran, &(w)->s, __VA_ARGS__)
#define out(w) ran_out(&(w)->ran)
#define err(w) ran_err(&(w)->ran)
#define expect_code(w, code) ran_expect(&(w)->ran, (code))
#define OK(w, ...) RAN_OK(&(w)->ran, &(w)->s, __VA_ARGS__)
#define FAILS(w, code, text, ...) \
	RAN_FAILS(&(w)->ran, &(w)->s, code, text, __VA_ARGS__)
#define json_of(w) ran_json(&(w)->ran)
#define text_of ran_member

#endif
