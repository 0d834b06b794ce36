/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH 20

struct bar {
	struct vault_command_env *env;
	bool shown;
};

/* 12,345 as people write it. */
static void write_grouped(char *out, size_t size, uint64_t n)
{
	char digits[24];
	const int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t to = 0;

	for (int i = 0; i < len && to + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	out[to] = '\0';
}

static void draw(void *ctx, uint64_t done, uint64_t total)
{
	struct bar *bar = ctx;
	char done_text[32];
	char total_text[32];
	char line[BAR_WIDTH + 1];
	uint64_t filled;

	if (total == 0)
		return;
	if (done > total)
		done = total;
	filled = (uint64_t)((double)done * BAR_WIDTH / (double)total);
	memset(line, ' ', BAR_WIDTH);
	memset(line, '#', filled);
	line[BAR_WIDTH] = '\0';
	write_grouped(done_text, sizeof(done_text), done);
	write_grouped(total_text, sizeof(total_text), total);
	fprintf(bar->env->err, "\r[%s] %s of %s files\033[K", line, done_text,
		total_text);
	fflush(bar->env->err);
	bar->shown = true;
}

/* The guard's own figures, so that the way out is plain. */
static void say_no_space(struct vault_command_env *env, struct vault_capture *c)
{
	struct vault_capture_status s;

	vault_capture_status(c, &s);
	vault_command_fail(
		env,
		env->project->place.vault[0] != '\0' ? env->project->place.vault
						     : "the vault",
		"capture is paused: %.1f GB free, %.1f GB needed; "
		"make room, or set min_free in its config",
		(double)s.free_bytes / 1e9, (double)s.need_bytes / 1e9);
}

vault_err vault_command_sync(struct vault_command_env *env,
			     enum vault_cause cause, struct vault_moment *out)
{
	struct bar bar = { .env = env };
	struct vault_capture *c;
	vault_err err;

	err = vault_command_capture(env, &c);
	if (err != VAULT_OK)
		return err;
	err = vault_capture_sync(c, cause, env->err_is_tty ? draw : NULL, &bar,
				 out);
	if (bar.shown)
		fputs("\r\033[K", env->err);
	if (err == VAULT_ERR_NO_SPACE)
		say_no_space(env, c);
	else if (err != VAULT_OK)
		vault_command_fail(env, "sync", "%s", vault_err_text(err));
	return err;
}

/* ---- what was not kept ---- */

struct losses {
	struct vault_command_env *env;
	struct vault_span path; /* only this one; empty: all */
};

static vault_err say_loss(void *ctx, struct vault_span path, const char *reason,
			  int64_t time)
{
	const struct losses *l = ctx;

	(void)time;
	if (l->path.len > 0 && !vault_span_equal(l->path, path))
		return VAULT_OK;
	fputs("artvault: ", l->env->err);
	vault_command_print_text(l->env->err, path);
	fprintf(l->env->err, ": not kept: %s\n", reason);
	return VAULT_OK;
}

void vault_command_sync_losses(struct vault_command_env *env,
			       struct vault_span path)
{
	struct vault_capture *c = env->project->capture;
	struct losses l = { .env = env, .path = path };
	struct vault_capture_status s;
	vault_err err;

	if (c == NULL)
		return;
	vault_capture_status(c, &s);
	if (s.paused)
		say_no_space(env, c);
	err = vault_capture_each_not_kept(c, say_loss, &l);
	if (err != VAULT_OK)
		vault_command_fail_err(env, "what was not kept", err);
}
