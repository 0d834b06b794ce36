/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/args.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/base/buf.h"

/* What every command takes. */
static const struct argp_option common_options[] = {
	{ NULL, 0, NULL, 0, "Everywhere:", 90 },
	{ "directory", VAULT_ARGS_DIR, "DIR", 0,
	  "project, mount, or a folder in it (default: where you are)", 90 },
	{ "vault", VAULT_ARGS_VAULT, "DIR", 0,
	  "the vault, when it lies outside the project", 90 },
	{ "verbose", VAULT_ARGS_VERBOSE, NULL, 0, "say more on stderr", 90 },
	{ 0 },
};

struct parse {
	struct vault_args *out;
	const struct vault_args_usage *usage;
	bool failed;
};

static void add_option(struct vault_args *a, int key, char *value)
{
	a->options[a->n_options].key = key;
	a->options[a->n_options].value = value;
	a->n_options++;
}

/* What only the end of the words shows to be wrong; NULL: nothing. */
static const char *check_end(const struct parse *p)
{
	if (p->out->n_operands < p->usage->n_min)
		return p->usage->operands;
	return p->usage->check != NULL ? p->usage->check(p->out) : NULL;
}

/* Keys of argp itself are above all characters, ours are small. */
static bool is_option(int key)
{
	return key > 0 && key < 0x1000;
}

static error_t on_word(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const char *wrong;

	if (is_option(key)) {
		add_option(p->out, key, arg);
		return 0;
	}
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = p; /* of on_common() */
		return 0;
	case ARGP_KEY_ARG:
		if (p->out->n_operands == p->usage->n_max) {
			p->failed = true;
			argp_error(state, "%s: one word too many", arg);
			return EINVAL;
		}
		p->out->operands[p->out->n_operands++] = arg;
		return 0;
	case ARGP_KEY_END:
		wrong = check_end(p);
		if (wrong == NULL)
			return 0;
		p->failed = true;
		argp_error(state,
			   p->out->n_operands < p->usage->n_min ? "%s expected"
								: "%s",
			   wrong);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t on_common(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	if (!is_option(key))
		return ARGP_ERR_UNKNOWN;
	add_option(p->out, key, arg);
	return 0;
}

/* "one line\vfurther lines", as argp wants it. */
static vault_err write_doc(const struct vault_args_usage *u,
			   struct vault_buf *out)
{
	if (u->details == NULL)
		return vault_buf_append_str(out, u->summary);
	return vault_buf_printf(out, "%s\v%s", u->summary, u->details);
}

vault_err vault_args_parse(const struct vault_args_usage *u, int argc,
			   char **argv, bool quiet, int usage_exit,
			   struct vault_args *out)
{
	const struct argp common = { .options = common_options,
				     .parser = on_common };
	const struct argp_child children[] = { { &common, 0, NULL, 0 }, { 0 } };
	struct vault_args a = VAULT_ARGS_INIT;
	struct parse p = { .out = &a, .usage = u };
	struct vault_buf doc = VAULT_BUF_INIT;
	struct argp argp = { .options = u->options,
			     .parser = on_word,
			     .args_doc = u->operands };
	vault_err err;
	error_t failed;

	assert(argc >= 1);
	/* A word is one operand, or several options of one letter. */
	size_t n = 1;
	for (int i = 1; i < argc; i++)
		n += strlen(argv[i]) + 1;
	a.options = calloc(n, sizeof(*a.options));
	a.operands = calloc((size_t)argc, sizeof(*a.operands));
	err = VAULT_ERR_NOMEM;
	if (a.options == NULL || a.operands == NULL)
		goto out;
	err = write_doc(u, &doc);
	if (err != VAULT_OK)
		goto out;
	argp.doc = vault_buf_cstr(&doc);
	argp.children = children;
	if (!quiet)
		argp_err_exit_status = usage_exit;
	failed = argp_parse(&argp, argc, argv,
			    quiet ? ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP
				  : 0,
			    NULL, &p);
	err = failed != 0 || p.failed ? VAULT_ERR_SYNTAX : VAULT_OK;
	if (err != VAULT_OK)
		goto out;
	*out = a;
	a = VAULT_ARGS_INIT;

out:
	vault_buf_release(&doc);
	vault_args_release(&a);
	return err;
}

void vault_args_release(struct vault_args *a)
{
	free(a->options);
	free(a->operands);
	*a = VAULT_ARGS_INIT;
}

bool vault_args_has(const struct vault_args *a, int key)
{
	for (unsigned i = 0; i < a->n_options; i++)
		if (a->options[i].key == key)
			return true;
	return false;
}

const char *vault_args_value(const struct vault_args *a, int key)
{
	const char *value = NULL;

	for (unsigned i = 0; i < a->n_options; i++)
		if (a->options[i].key == key)
			value = a->options[i].value;
	return value;
}

const char *vault_args_operand(const struct vault_args *a, unsigned i)
{
	return i < a->n_operands ? a->operands[i] : NULL;
}

/* ---- the words before the command's own ---- */

static const struct argp_option global_options[] = {
	{ "directory", VAULT_ARGS_DIR, "DIR", 0, NULL, 0 },
	{ "vault", VAULT_ARGS_VAULT, "DIR", 0, NULL, 0 },
	{ "verbose", VAULT_ARGS_VERBOSE, NULL, 0, NULL, 0 },
	{ "help", 'h', NULL, 0, NULL, 0 },
	{ "usage", '?', NULL, 0, NULL, 0 },
	{ "version", 'V', NULL, 0, NULL, 0 },
	{ 0 },
};

static error_t on_global(int key, char *arg, struct argp_state *state)
{
	struct vault_args_global *g = state->input;

	switch (key) {
	case VAULT_ARGS_DIR:
		g->dir = arg;
		return 0;
	case VAULT_ARGS_VAULT:
		g->vault = arg;
		return 0;
	case VAULT_ARGS_VERBOSE:
		g->verbose = true;
		return 0;
	case 'h':
	case '?':
		g->help = true;
		return 0;
	case 'V':
		g->version = true;
		return 0;
	case ARGP_KEY_ARG:
		g->n_words = state->next - 2;
		state->next = state->argc; /* the rest is the command's */
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

vault_err vault_args_global(int argc, char **argv,
			    struct vault_args_global *out)
{
	static const struct argp argp = { .options = global_options,
					  .parser = on_global };
	struct vault_args_global g = { .n_words = argc - 1 };
	const error_t failed = argp_parse(
		&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, &g);

	if (failed != 0)
		return VAULT_ERR_SYNTAX;
	*out = g;
	return VAULT_OK;
}
