/* SPDX-License-Identifier: Apache-2.0 */

/* Words are taken apart the same whatever order they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/args.h"

enum { OPT_SINCE = VAULT_ARGS_OWN };

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "", 0 },
	{ "tag", 't', "T", 0, "", 0 },
	{ "since", OPT_SINCE, "W", 0, "", 0 },
	{ 0 },
};

static const char *no_x(const struct vault_args *a)
{
	for (unsigned i = 0; i < a->n_operands; i++)
		if (strcmp(a->operands[i], "x") == 0)
			return "no x";
	return NULL;
}

static const struct vault_args_usage usage = {
	.name = "test",
	.operands = "A [B]",
	.summary = "",
	.options = options,
	.check = no_x,
	.n_min = 1,
	.n_max = 2,
};

/* Quietly, as the daemon does; words end with NULL. */
static vault_err parse(struct vault_args *out, char **words)
{
	int n = 0;

	while (words[n] != NULL)
		n++;
	return vault_args_parse(&usage, n, words, true, 2, out);
}

#define WORDS(...) ((char *[]){ (char[]){ "test" }, __VA_ARGS__, NULL })
#define W(text) ((char[]){ text })

static void options_may_stand_anywhere(void **state)
{
	char **orders[] = {
		WORDS(W("--json"), W("-C"), W("/d"), W("a"), W("b")),
		WORDS(W("a"), W("-j"), W("b"), W("-C/d")),
		WORDS(W("a"), W("b"), W("--directory=/d"), W("--json")),
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct vault_args a;

		assert_int_equal(parse(&a, orders[i]), VAULT_OK);
		assert_true(vault_args_has(&a, 'j'));
		assert_string_equal(vault_args_value(&a, VAULT_ARGS_DIR), "/d");
		assert_int_equal(a.n_operands, 2);
		assert_string_equal(vault_args_operand(&a, 0), "a");
		assert_string_equal(vault_args_operand(&a, 1), "b");
		assert_null(vault_args_operand(&a, 2));
		assert_null(vault_args_value(&a, OPT_SINCE));
		vault_args_release(&a);
	}
}

static void repeated_options_are_all_there_and_the_last_counts(void **state)
{
	struct vault_args a;
	unsigned n = 0;

	(void)state;
	assert_int_equal(parse(&a, WORDS(W("-t"), W("1"), W("a"), W("--tag"),
					 W("2"), W("-jjt3"))),
			 VAULT_OK);
	for (unsigned i = 0; i < a.n_options; i++)
		n += a.options[i].key == 't';
	assert_int_equal(n, 3);
	assert_string_equal(vault_args_value(&a, 't'), "3");
	vault_args_release(&a);
}

static void two_dashes_end_the_options(void **state)
{
	struct vault_args a;

	(void)state;
	assert_int_equal(parse(&a, WORDS(W("--"), W("--json"), W("-t"))),
			 VAULT_OK);
	assert_false(vault_args_has(&a, 'j'));
	assert_string_equal(vault_args_operand(&a, 0), "--json");
	assert_string_equal(vault_args_operand(&a, 1), "-t");
	vault_args_release(&a);
}

static void mistakes_are_refused(void **state)
{
	char **wrong[] = {
		(char *[]){ W("test"), NULL },	  /* too few */
		WORDS(W("a"), W("b"), W("c")),	  /* too many */
		WORDS(W("a"), W("--frobnicate")), /* unknown */
		WORDS(W("a"), W("-z")),		  WORDS(W("a"), W("--since")),
		WORDS(W("a"), W("--json=1")),	  WORDS(W("a"), W("x")),
	};
	struct vault_args a;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parse(&a, wrong[i]), VAULT_ERR_SYNTAX);
}

static void what_stands_before_the_command_is_the_programs(void **state)
{
	char *words[] = { W("artvault"), W("-C"),     W("/d"), W("--vault=/v"),
			  W("log"),	 W("--json"), W("p"),  NULL };
	struct vault_args_global g;

	(void)state;
	assert_int_equal(vault_args_global(7, words, &g), VAULT_OK);
	assert_string_equal(g.dir, "/d");
	assert_string_equal(g.vault, "/v");
	assert_int_equal(g.n_words, 3);
	assert_int_equal(vault_args_global(1, words, &g), VAULT_OK);
	assert_int_equal(g.n_words, 0);
	assert_null(g.dir);
	words[1] = W("--version");
	assert_int_equal(vault_args_global(2, words, &g), VAULT_OK);
	assert_true(g.version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(
			repeated_options_are_all_there_and_the_last_counts),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(mistakes_are_refused),
		cmocka_unit_test(
			what_stands_before_the_command_is_the_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
