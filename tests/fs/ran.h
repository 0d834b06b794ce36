/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_FS_RAN_H
#define VAULT_TESTS_FS_RAN_H

#include <jansson.h>
#include <string.h>
#include <sys/types.h>

#include "store/base/buf.h"
#include "tests/support/scratch.h"

/*
 * Running the real program, ARTVAULT, from a scratch folder, and what it then
 * printed and exited with. What fails ends the test. Include after cmocka.h.
 */
struct ran {
	int code;
	struct vault_buf out; /* each is a C string, too */
	struct vault_buf err;
};

void ran_release(struct ran *r);

/* Run argv[0..] (argv[0] is any name) and wait for it. */
void ran_words(struct ran *r, const struct vault_scratch *s, char *const *argv);
/* The same for the words behind, which end with NULL. */
void ran_run(struct ran *r, const struct vault_scratch *s, ...);
/* Start it and do not wait; its output goes to /dev/null. */
pid_t ran_start(const struct vault_scratch *s, char *const *argv);

const char *ran_out(const struct ran *r);
const char *ran_err(const struct ran *r);
/* It exited with `code`; if not, what it said is shown. */
void ran_expect(const struct ran *r, int code);
void ran_expect_said(const struct ran *r, const char *text);

#define RAN_OK(r, s, ...)                         \
	do {                                      \
		ran_run(r, s, __VA_ARGS__, NULL); \
		ran_expect(r, 0);                 \
	} while (0)

/* It fails, and says `text` on stderr. */
#define RAN_FAILS(r, s, code, text, ...)          \
	do {                                      \
		ran_run(r, s, __VA_ARGS__, NULL); \
		ran_expect(r, code);              \
		ran_expect_said(r, text);         \
	} while (0)

/* The one document it printed; the caller's. */
json_t *ran_json(const struct ran *r);
/* A member that is text. */
const char *ran_member(const json_t *object, const char *key);

#endif
