/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <inttypes.h>

#include "fs/json.h"
#include "versions/path.h"
#include "versions/when.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "one JSON document", 0 },
	{ 0 },
};

struct listing {
	struct vault_command_env *env;
	struct vault_command_may may;
	struct vault_span dir; /* path of the folder that is listed */
	bool json;
	struct vault_json_doc doc;
};

static const char *type_text(enum vault_kind kind)
{
	switch (kind) {
	case VAULT_KIND_FILE:
		return "file";
	case VAULT_KIND_DIR:
		return "directory";
	case VAULT_KIND_SYMLINK:
		return "symlink";
	case VAULT_KIND_FIFO:
		return "fifo";
	case VAULT_KIND_SOCKET:
		return "socket";
	case VAULT_KIND_CHAR:
		return "char";
	case VAULT_KIND_BLOCK:
		return "block";
	default:
		return "none";
	}
}

static int64_t seconds_of(int64_t ns)
{
	return ns / 1000000000 - (ns % 1000000000 < 0);
}

/* When the version began, as the moment's name; "" if it cannot be told. */
static void moment_of(const struct listing *l, uint64_t seq,
		      char out[VAULT_WHEN_NAME_MAX])
{
	struct vault_moment m;

	out[0] = '\0';
	if (vault_moment_of(l->env->project->tree, seq, &m) == VAULT_OK)
		vault_when_name(m.time, out);
}

static void add_entry(struct listing *l, struct vault_span name,
		      const struct vault_version *v)
{
	struct vault_json_doc *d = &l->doc;
	json_t *entry = vault_json_add_object(d, d->root);
	char moment[VAULT_WHEN_NAME_MAX];
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", (unsigned)(v->row.mode & 07777));
	moment_of(l, v->seq, moment);
	vault_json_set_text(d, entry, "name", name);
	vault_json_set_str(d, entry, "type", type_text(v->row.kind));
	vault_json_set_int(d, entry, "size", v->row.size);
	vault_json_set_str(d, entry, "mode", mode);
	vault_json_set_int(d, entry, "uid", v->row.uid);
	vault_json_set_int(d, entry, "gid", v->row.gid);
	vault_json_set_time(d, entry, "mtime", seconds_of(v->row.mtime_ns));
	vault_json_set_str(d, entry, "moment", moment);
	if (v->row.kind == VAULT_KIND_FILE || v->row.kind == VAULT_KIND_SYMLINK)
		vault_json_set_digest(d, entry, "digest", &v->row.digest);
	else
		vault_json_set_null(d, entry, "digest");
}

static void mode_text(const struct vault_row *r, char out[11])
{
	static const char letters[] = "?-dlpscb";
	static const char bits[] = "rwxrwxrwx";

	out[0] = letters[r->kind];
	for (unsigned i = 0; i < 9; i++)
		out[1 + i] = (r->mode & (0400u >> i)) != 0 ? bits[i] : '-';
	if (r->mode & 04000)
		out[3] = r->mode & 0100 ? 's' : 'S';
	if (r->mode & 02000)
		out[6] = r->mode & 0010 ? 's' : 'S';
	if (r->mode & 01000)
		out[9] = r->mode & 0001 ? 't' : 'T';
	out[10] = '\0';
}

static void print_entry(const struct listing *l, struct vault_span name,
			const struct vault_version *v)
{
	char mode[11];
	char mtime[VAULT_WHEN_NAME_MAX];

	mode_text(&v->row, mode);
	vault_when_name(seconds_of(v->row.mtime_ns), mtime);
	fprintf(l->env->out, "%s %5" PRIu32 " %5" PRIu32 " %12" PRIu64 " %s ",
		mode, v->row.uid, v->row.gid, v->row.size, mtime);
	vault_command_print_text(l->env->out, name);
	if (v->row.kind == VAULT_KIND_DIR)
		fputc('/', l->env->out);
	fputc('\n', l->env->out);
}

static vault_err on_entry(void *ctx, struct vault_span name,
			  const struct vault_version *v)
{
	struct listing *l = ctx;

	if (ferror(l->env->out))
		return VAULT_ERR_CANCELLED;
	if (l->json)
		add_entry(l, name, v);
	else
		print_entry(l, name, v);
	return VAULT_OK;
}

static vault_err list(struct listing *l, struct vault_span path, uint64_t at)
{
	struct vault_tree *t = l->env->project->tree;
	struct vault_version v;
	vault_err err;

	err = vault_tree_resolve(t, path, at, &v);
	if (err == VAULT_OK)
		err = vault_command_may(&l->may, path, &v);
	if (err != VAULT_OK)
		return err;
	if (v.row.kind != VAULT_KIND_DIR)
		return on_entry(l, vault_path_name(path), &v);
	return vault_tree_list(t, v.row.node, at, VAULT_SPAN_EMPTY, on_entry,
			       l);
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *when = vault_args_operand(args, 0);
	const char *operand = vault_args_operand(args, 1);
	struct listing l = { .env = env, .json = vault_args_has(args, 'j') };
	struct vault_buf path = VAULT_BUF_INIT;
	int code = VAULT_EXIT_FAILED;
	struct vault_moment m;
	vault_err err;

	if (vault_command_when(env, when, &m) != VAULT_OK ||
	    vault_command_path(env, operand, &path) != VAULT_OK)
		goto out;
	l.may = (struct vault_command_may){ .env = env, .at = m.seq };
	if (l.json)
		vault_json_array(&l.doc);
	err = list(&l, vault_buf_span(&path), m.seq);
	if (err == VAULT_OK && l.json)
		err = vault_json_print(&l.doc, env->out);
	if (l.json)
		vault_json_release(&l.doc);
	if (err == VAULT_OK)
		code = VAULT_EXIT_DONE;
	else if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		vault_command_fail(env, operand != NULL ? operand : env->inside,
				   "was not there at %s", when);
	else
		vault_command_fail_err(
			env, operand != NULL ? operand : env->inside, err);

out:
	vault_buf_release(&path);
	return code;
}

const struct vault_command vault_cmd_ls = {
	.usage = { .name = "ls",
		   .operands = "WHEN [PATH]",
		   .summary = "What a folder held at WHEN: mode, owner, group, "
			      "size, time, name.",
		   .details = "WHEN is a snapshot's name, a moment, or any "
			      "time: `latest`, `yesterday`, `2h-ago`, "
			      "`2026-11-20`, …",
		   .options = options,
		   .n_min = 1,
		   .n_max = 2 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
