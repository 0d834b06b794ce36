/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_ARGS_H
#define VAULT_FS_ARGS_H

#include <argp.h>
#include <stdbool.h>

#include "store/base/err.h"

/*
 * A command's words, taken apart.
 *
 * Every command describes itself with a struct vault_args_usage; one
 * function reads the words of all of them with argp, so that each has --help,
 * takes options before or after its operands, and takes -C DIR and
 * --vault DIR. The program reads the words of its user and says what is wrong
 * with them; the daemon reads the same words again, silently, since whatever
 * comes over a socket may have been written by anybody.
 */
struct vault_args;

struct vault_args_usage {
	const char *name;     /* "log" */
	const char *operands; /* "[PATH]", for --help */
	const char *summary;  /* one line */
	const char *details;  /* further lines for --help, or NULL */
	const struct argp_option *options; /* its own; ends with { 0 } */
	/* Why these words cannot go together, or NULL; may itself be NULL. */
	const char *(*check)(const struct vault_args *args);
	unsigned n_min; /* operands at least … */
	unsigned n_max; /* … and at most */
};

/* Keys of long options without a letter begin here; below are letters. */
#define VAULT_ARGS_LONG 0x100
/* Keys that every command has; private ones begin after them. */
enum {
	VAULT_ARGS_DIR = 'C',
	VAULT_ARGS_VERBOSE = 'v',
	VAULT_ARGS_VAULT = VAULT_ARGS_LONG,
	VAULT_ARGS_OWN, /* the first key for a command's own long options */
};
#define VAULT_ARGS_ANY 1000000u /* n_max of a command that takes any number */

struct vault_args {
	struct vault_args_option {
		int key;
		char *value; /* NULL: takes none */
	} * options;
	unsigned n_options;
	char **operands;
	unsigned n_operands;
};
#define VAULT_ARGS_INIT ((struct vault_args){ 0 })

/*
 * Read argv[1..argc); argv[0] is what messages call the command ("artvault
 * log"). The result borrows from `argv`. Unless `quiet`, a mistake is said on
 * stderr with a hint, and --help and --usage are answered: both leave the
 * process, with `usage_exit` or 0. With `quiet` a mistake is SYNTAX.
 */
VAULT_MUST_CHECK vault_err vault_args_parse(const struct vault_args_usage *u,
					    int argc, char **argv, bool quiet,
					    int usage_exit,
					    struct vault_args *out);
void vault_args_release(struct vault_args *a);

/* Was the option with this key given? */
bool vault_args_has(const struct vault_args *a, int key);
/* The last value of an option; NULL if it was not given. */
const char *vault_args_value(const struct vault_args *a, int key);
/* The i-th operand; NULL past the last. */
const char *vault_args_operand(const struct vault_args *a, unsigned i);

/*
 * How many words of argv[1..argc) come before the command's own: -C DIR and
 * --vault DIR may. They are put into `out`, as are --help and --version. On
 * a mistake the process ends as above.
 */
struct vault_args_global {
	const char *dir;
	const char *vault;
	bool verbose;
	bool help;
	bool version;
	int n_words;
};
VAULT_MUST_CHECK vault_err vault_args_global(int argc, char **argv,
					     struct vault_args_global *out);

#endif
