/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cmd.h"
#include "fs/json.h"
#include "fs/settings.h"
#include "versions/when.h"

const struct vault_command *const vault_commands[] = {
	&vault_cmd_sync,
	&vault_cmd_status,
	&vault_cmd_snapshot,
	&vault_cmd_unsnapshot,
	&vault_cmd_log,
	&vault_cmd_ls,
	&vault_cmd_cat,
	&vault_cmd_restore,
	&vault_cmd_check,
	&vault_cmd_ignored,
	NULL,
};

const struct vault_command *vault_command_find(const char *name)
{
	for (size_t i = 0; vault_commands[i] != NULL; i++)
		if (strcmp(vault_commands[i]->usage.name, name) == 0)
			return vault_commands[i];
	return NULL;
}

int vault_command_run(struct vault_command_env *env, int argc, char **argv)
{
	const struct vault_command *c = vault_command_find(argv[0]);
	struct vault_args args;
	int code;

	if (c == NULL) {
		vault_command_fail(env, argv[0], "no such command");
		return VAULT_EXIT_USAGE;
	}
	if (vault_args_parse(&c->usage, argc, argv, true, c->usage_exit,
			     &args) != VAULT_OK) {
		vault_command_fail(env, argv[0],
				   "its words are not understood");
		return c->usage_exit;
	}
	code = c->run(env, &args);
	vault_args_release(&args);
	if (fflush(env->out) != 0 && code == VAULT_EXIT_DONE)
		code = vault_command_fail(env, argv[0],
					  "the output could not be written");
	return code;
}

/* ---- saying what went wrong ---- */

void vault_command_print_text(FILE *to, struct vault_span text)
{
	while (text.len > 0) {
		const size_t len = vault_json_utf8_length(text);

		if (len == 0 || text.data[0] < 0x20 || text.data[0] == 0x7F)
			fprintf(to, "\\x%02X", text.data[0]);
		else
			fwrite(text.data, 1, len, to);
		text = vault_span_from(text, len > 0 ? len : 1);
	}
}

int vault_command_fail(struct vault_command_env *env, const char *what,
		       const char *format, ...)
{
	va_list args;

	fputs("artvault: ", env->err);
	vault_command_print_text(env->err, vault_span_str(what));
	fputs(": ", env->err);
	va_start(args, format);
	vfprintf(env->err, format, args);
	va_end(args);
	fputc('\n', env->err);
	return VAULT_EXIT_FAILED;
}

int vault_command_fail_err(struct vault_command_env *env, const char *what,
			   vault_err err)
{
	return vault_command_fail(env, what, "%s", vault_err_text(err));
}

/* ---- paths ---- */

/* Append the names of `path` to `out`, "." and ".." worked out. FORBIDDEN. */
static vault_err append_names(struct vault_buf *out, const char *path)
{
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && *path != '\0') {
		const size_t n = strcspn(path, "/");
		const struct vault_span name = vault_span(path, n);

		if (vault_span_equal(name, vault_span_str(".."))) {
			const uint8_t *slash =
				out->len > 0 ? memrchr(out->data, '/', out->len)
					     : NULL;

			if (out->len == 0)
				return VAULT_ERR_FORBIDDEN;
			out->len =
				slash != NULL ? (size_t)(slash - out->data) : 0;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (out->len > 0)
				err = vault_buf_put_u8(out, '/');
			if (err == VAULT_OK)
				err = vault_buf_append(out, name);
		}
		path += n;
		path += *path == '/';
	}
	return err;
}

/* An absolute path as one inside the project, by either way in. */
static const char *below_project(const struct vault_place *p, const char *path)
{
	const char *rest = NULL;

	if (p->mount[0] != '\0')
		rest = vault_project_below(p->mount, path);
	if (rest == NULL && p->project[0] != '\0')
		rest = vault_project_below(p->project, path);
	return rest;
}

/* A name of ours in a path has no past of its own. */
static bool names_ours(struct vault_span path)
{
	bool first = true;

	while (path.len > 0) {
		const uint8_t *slash = memchr(path.data, '/', path.len);
		const size_t n =
			slash != NULL ? (size_t)(slash - path.data) : path.len;
		const struct vault_span name = vault_span(path.data, n);

		if (vault_project_is_view(name) ||
		    (first &&
		     vault_span_equal(
			     name, vault_span_str(VAULT_PROJECT_VAULT_NAME))))
			return true;
		first = false;
		path = vault_span_from(path, n + 1);
	}
	return false;
}

static vault_err resolve_path(struct vault_command_env *env, const char *path,
			      struct vault_buf *out)
{
	vault_err err;

	if (path[0] == '/') {
		path = below_project(&env->project->place, path);
		return path != NULL ? append_names(out, path)
				    : VAULT_ERR_FORBIDDEN;
	}
	err = append_names(out, env->inside);
	return err == VAULT_OK ? append_names(out, path) : err;
}

vault_err vault_command_path(struct vault_command_env *env, const char *path,
			     struct vault_buf *out)
{
	struct vault_buf found = VAULT_BUF_INIT;
	const char *shown = path != NULL ? path : env->inside;
	vault_err err;

	err = resolve_path(env, path != NULL ? path : "", &found);
	if (err == VAULT_OK && names_ours(vault_buf_span(&found)))
		err = VAULT_ERR_INVALID;
	if (err == VAULT_ERR_FORBIDDEN)
		vault_command_fail(env, shown, "lies outside the project");
	else if (err == VAULT_ERR_INVALID)
		vault_command_fail(env, shown,
				   "is a view of the past or the vault; name "
				   "the live path, and the moment as WHEN");
	else if (err != VAULT_OK)
		vault_command_fail_err(env, shown, err);
	else
		vault_buf_move(out, &found);
	vault_buf_release(&found);
	return err;
}

/* ---- moments ---- */

vault_err vault_command_when(struct vault_command_env *env, const char *when,
			     struct vault_moment *out)
{
	const vault_err err =
		vault_when_resolve(env->project->tree, vault_span_str(when),
				   (int64_t)time(NULL), out);

	switch (err) {
	case VAULT_OK:
		break;
	case VAULT_ERR_SYNTAX:
		vault_command_fail(env, when,
				   "neither a snapshot's name nor a time; "
				   "`artvault log` lists the moments");
		break;
	case VAULT_ERR_INVALID:
		vault_command_fail(env, when,
				   "is the live state, not a moment; "
				   "`latest` is the newest that is kept");
		break;
	case VAULT_ERR_NOT_FOUND:
		vault_command_fail(env, when,
				   "there is no such snapshot, and no moment "
				   "that early; `artvault log` lists them");
		break;
	default:
		vault_command_fail_err(env, when, err);
	}
	return err;
}

vault_err vault_command_may(void *ctx, struct vault_span path,
			    const struct vault_version *v)
{
	const struct vault_command_may *m = ctx;
	const struct vault_project *p = m->env->project;
	const int want = v->row.kind == VAULT_KIND_DIR
				 ? VAULT_MAY_READ | VAULT_MAY_SEARCH
				 : VAULT_MAY_READ;

	if (m->env->caller.uid == 0)
		return VAULT_OK;
	return vault_access_past(p->tree, p->projectfd, &m->env->caller, path,
				 m->at, want);
}

/* ---- capturing ---- */

static vault_err start_capture(struct vault_project *p)
{
	struct vault_settings s;
	vault_err err;

	vault_settings_init(&s);
	err = vault_settings_config(&s, p->vaultfd);
	s.mount.capture.vault_name = vault_project_vault_name(p);
	if (err == VAULT_OK)
		err = vault_capture_start(p->tree, p->projectfd, p->vaultfd,
					  &s.mount.capture, false, &p->capture);
	vault_settings_release(&s);
	return err;
}

vault_err vault_command_capture(struct vault_command_env *env,
				struct vault_capture **out)
{
	struct vault_project *p = env->project;
	vault_err err = VAULT_OK;

	if (p->capture == NULL && p->projectfd < 0) {
		vault_command_fail(env, p->place.project,
				   "the project's folder is not there");
		return VAULT_ERR_NOT_FOUND;
	}
	if (p->capture == NULL) {
		err = vault_project_check_names(p->projectfd, p->place.project);
		if (err != VAULT_OK)
			return err; /* said in the log, which is the user's */
		err = start_capture(p);
	}
	if (err != VAULT_OK)
		vault_command_fail_err(env, p->place.project, err);
	else
		*out = p->capture;
	return err;
}
