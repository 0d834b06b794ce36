/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <stdlib.h>

#include "store/store.h"

#define PIECE ((size_t)256 << 10)

static vault_err copy_out(struct vault_content_file *f, FILE *to)
{
	uint8_t *piece = malloc(PIECE);
	uint64_t off = 0;
	size_t got = 0;
	vault_err err = VAULT_ERR_NOMEM;

	if (piece == NULL)
		return err;
	do {
		err = vault_content_file_read(f, off, piece, PIECE, &got);
		if (err == VAULT_OK && fwrite(piece, 1, got, to) != got)
			err = VAULT_ERR_CANCELLED;
		off += got;
	} while (err == VAULT_OK && got > 0);
	free(piece);
	return err;
}

static vault_err print_content(struct vault_command_env *env,
			       const struct vault_row *row)
{
	struct vault_store *s = vault_tree_store(env->project->tree);
	struct vault_content_file *f;
	vault_err err;

	if (vault_id_is_none(&row->content))
		return VAULT_OK; /* an empty file */
	err = vault_store_open_content(s, &row->content, &f);
	if (err != VAULT_OK)
		return err;
	err = copy_out(f, env->out);
	vault_content_file_close(f);
	return err;
}

static int fail(struct vault_command_env *env, const char *operand,
		const char *when, vault_err err)
{
	switch (err) {
	case VAULT_ERR_NOT_FOUND:
	case VAULT_ERR_NOT_DIR:
		return vault_command_fail(env, operand, "was not there at %s",
					  when);
	case VAULT_ERR_IS_DIR:
		return vault_command_fail(env, operand,
					  "was a folder at %s; `artvault ls` "
					  "lists it",
					  when);
	case VAULT_ERR_INVALID:
		return vault_command_fail(env, operand,
					  "was no regular file at %s", when);
	case VAULT_ERR_CORRUPT:
	case VAULT_ERR_DANGLING:
		return vault_command_fail(env, operand,
					  "%s; `artvault check --data` tells "
					  "what else is touched",
					  vault_err_text(err));
	case VAULT_ERR_CANCELLED:
		return vault_command_fail(env, operand,
					  "the output could not be written");
	default:
		return vault_command_fail_err(env, operand, err);
	}
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *when = vault_args_operand(args, 0);
	const char *operand = vault_args_operand(args, 1);
	struct vault_tree *t = env->project->tree;
	struct vault_buf path = VAULT_BUF_INIT;
	int code = VAULT_EXIT_FAILED;
	struct vault_command_may may;
	struct vault_version v;
	struct vault_moment m;
	vault_err err;

	if (vault_command_when(env, when, &m) != VAULT_OK ||
	    vault_command_path(env, operand, &path) != VAULT_OK)
		goto out;
	may = (struct vault_command_may){ .env = env, .at = m.seq };
	err = vault_tree_resolve(t, vault_buf_span(&path), m.seq, &v);
	if (err == VAULT_OK)
		err = vault_command_may(&may, vault_buf_span(&path), &v);
	if (err == VAULT_OK && v.row.kind == VAULT_KIND_DIR)
		err = VAULT_ERR_IS_DIR;
	else if (err == VAULT_OK && v.row.kind != VAULT_KIND_FILE)
		err = VAULT_ERR_INVALID;
	if (err == VAULT_OK)
		err = print_content(env, &v.row);
	code = err == VAULT_OK ? VAULT_EXIT_DONE
			       : fail(env, operand, when, err);

out:
	vault_buf_release(&path);
	return code;
}

const struct vault_command vault_cmd_cat = {
	.usage = { .name = "cat",
		   .operands = "WHEN PATH",
		   .summary = "Write a file as it was at WHEN to the standard "
			      "output.",
		   .details = "Every byte is checked before it is written.",
		   .n_min = 2,
		   .n_max = 2 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
