/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/json.h"
#include "store/store.h"

#define MAX_PENDING 1000 /* names listed; all are counted */

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "one JSON document", 0 },
	{ "watch", 'w', NULL, 0, "again every second, until interrupted", 0 },
	{ 0 },
};

struct figures {
	struct vault_capture_status capture;
	uint64_t vault_bytes; /* what the vault takes of its disk */
	uint64_t pack_bytes;
	uint64_t logical_bytes;
	uint64_t versions;
	uint64_t moments;
	uint64_t damage;
	double ratio;
};

/* ---- finding out ---- */

/* The index's log reserves room beyond its end while it is open, and gives
 * it back: what lies in the file counts, in whole blocks. */
static uint64_t taken(const struct stat *st)
{
	const uint64_t blocks = (uint64_t)st->st_blocks * 512;
	const uint64_t unit = st->st_blksize > 0 ? (uint64_t)st->st_blksize : 1;
	const uint64_t size = ((uint64_t)st->st_size + unit - 1) / unit * unit;

	return size < blocks ? size : blocks;
}

/* Blocks of everything in a directory; what vanishes meanwhile is nothing. */
static uint64_t disk_usage(int dirfd, const char *name, unsigned depth)
{
	const int fd = openat(dirfd, name,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	uint64_t sum = 0;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		sum += taken(&st);
		if (S_ISDIR(st.st_mode) && depth > 0)
			sum += disk_usage(fd, e->d_name, depth - 1);
	}
	closedir(dir);
	return sum;
}

static vault_err count_moment(void *ctx, const struct vault_moment *m)
{
	uint64_t *n = ctx;

	(void)m;
	(*n)++;
	return VAULT_OK;
}

static vault_err find_figures(struct vault_command_env *env,
			      struct figures *out)
{
	struct vault_project *p = env->project;
	struct vault_store *s = vault_tree_store(p->tree);
	struct figures f = { .vault_bytes = disk_usage(p->vaultfd, ".", 8),
			     .pack_bytes = vault_store_pack_bytes(s),
			     .damage = vault_store_damage(s) };
	vault_err err;

	err = vault_tree_totals(p->tree, &f.logical_bytes, &f.versions);
	if (err == VAULT_OK)
		err = vault_moment_each(p->tree, count_moment, &f.moments);
	if (err != VAULT_OK)
		return err;
	if (p->capture != NULL)
		vault_capture_status(p->capture, &f.capture);
	if (f.vault_bytes > 0)
		f.ratio = (double)f.logical_bytes / (double)f.vault_bytes;
	*out = f;
	return VAULT_OK;
}

/* ---- as JSON ---- */

struct list {
	struct vault_json_doc *doc;
	json_t *array;
};

static vault_err add_not_kept(void *ctx, struct vault_span path,
			      const char *reason, int64_t time)
{
	const struct list *l = ctx;
	json_t *entry = vault_json_add_object(l->doc, l->array);

	vault_json_set_text(l->doc, entry, "path", path);
	vault_json_set_str(l->doc, entry, "reason", reason);
	vault_json_set_time(l->doc, entry, "time", time);
	return l->doc->failed ? VAULT_ERR_NOMEM : VAULT_OK;
}

static vault_err add_path(void *ctx, struct vault_span path, const char *reason,
			  int64_t time)
{
	const struct list *l = ctx;

	(void)reason;
	(void)time;
	vault_json_add_text(l->doc, l->array, path);
	return l->doc->failed ? VAULT_ERR_NOMEM : VAULT_OK;
}

/* Call `visit` for every line of `text`. */
static vault_err each_line(const char *text, vault_capture_not_kept *visit,
			   void *ctx)
{
	vault_err err = VAULT_OK;

	while (*text != '\0' && err == VAULT_OK) {
		const size_t n = strcspn(text, "\n");

		if (n > 0)
			err = visit(ctx, vault_span(text, n), "", 0);
		text += n;
		text += *text == '\n';
	}
	return err;
}

static vault_err add_lists(struct vault_command_env *env,
			   struct vault_json_doc *d)
{
	struct vault_capture *c = env->project->capture;
	struct list l = { d, vault_json_set_array(d, d->root, "not_kept") };
	vault_err err = VAULT_OK;

	if (c != NULL)
		err = vault_capture_each_not_kept(c, add_not_kept, &l);
	l.array = vault_json_set_array(d, d->root, "pending_paths");
	if (err == VAULT_OK && c != NULL)
		err = vault_capture_each_pending(c, MAX_PENDING, add_path, &l);
	l.array = vault_json_set_array(d, d->root, "shadowed");
	return err == VAULT_OK ? each_line(env->shadowed, add_path, &l) : err;
}

static void add_places(struct vault_command_env *env, struct vault_json_doc *d)
{
	const struct vault_place *p = &env->project->place;

	vault_json_set_bool(d, d->root, "mounted", env->mounted);
	vault_json_set_str(d, d->root, "project", p->project);
	if (p->mount[0] != '\0')
		vault_json_set_str(d, d->root, "mountpoint", p->mount);
	vault_json_set_str(d, d->root, "vault", p->vault);
	vault_json_set_str(
		d, d->root, "uuid",
		vault_store_uuid(vault_tree_store(env->project->tree)));
}

static vault_err print_json(struct vault_command_env *env,
			    const struct figures *f)
{
	struct vault_json_doc d;
	vault_err err;

	vault_json_object(&d);
	vault_json_set_int(&d, d.root, "pending", f->capture.pending);
	vault_json_set_str(&d, d.root, "live_path", env->live_path);
	vault_json_set_int(&d, d.root, "vault_bytes", f->vault_bytes);
	vault_json_set_int(&d, d.root, "logical_bytes", f->logical_bytes);
	vault_json_set_real(&d, d.root, "ratio", f->ratio);
	vault_json_set_int(&d, d.root, "pack_bytes", f->pack_bytes);
	vault_json_set_int(&d, d.root, "moments", f->moments);
	vault_json_set_int(&d, d.root, "versions", f->versions);
	vault_json_set_int(&d, d.root, "open", f->capture.open);
	vault_json_set_bool(&d, d.root, "scanning", f->capture.scanning);
	vault_json_set_bool(&d, d.root, "paused", f->capture.paused);
	vault_json_set_int(&d, d.root, "free_bytes", f->capture.free_bytes);
	vault_json_set_int(&d, d.root, "need_bytes", f->capture.need_bytes);
	vault_json_set_int(&d, d.root, "damaged_records", f->damage);
	add_places(env, &d);
	err = add_lists(env, &d);
	if (err == VAULT_OK)
		err = vault_json_print(&d, env->out);
	vault_json_release(&d);
	return err;
}

/* ---- for people ---- */

static void print_size(FILE *to, const char *label, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KB", "MB", "GB", "TB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1000;
		unit++;
	}
	fprintf(to, "%-11s %.*f %s\n", label, unit == 0 ? 0 : 1, value,
		units[unit]);
}

struct heading {
	FILE *to;
	const char *text;
	bool printed;
};

static vault_err print_path(void *ctx, struct vault_span path,
			    const char *reason, int64_t time)
{
	struct heading *h = ctx;

	(void)time;
	if (!h->printed)
		fprintf(h->to, "%s:\n", h->text);
	h->printed = true;
	fputs("  ", h->to);
	vault_command_print_text(h->to, path);
	if (reason != NULL && reason[0] != '\0')
		fprintf(h->to, ": %s", reason);
	fputc('\n', h->to);
	return VAULT_OK;
}

static void print_place(FILE *to, const char *label, const char *path)
{
	if (path[0] == '\0')
		return;
	fprintf(to, "%-11s ", label);
	vault_command_print_text(to, vault_span_str(path));
	fputc('\n', to);
}

static void print_capture(struct vault_command_env *env,
			  const struct vault_capture_status *c)
{
	fprintf(env->out, "%-11s %" PRIu64 "%s, %" PRIu64 " open for writing\n",
		"pending", c->pending, c->scanning ? " (scanning)" : "",
		c->open);
	if (c->paused)
		fprintf(env->out,
			"%-11s %.1f GB free, %.1f GB needed: nothing is kept "
			"until there is room\n",
			"PAUSED", (double)c->free_bytes / 1e9,
			(double)c->need_bytes / 1e9);
}

static vault_err print_lists(struct vault_command_env *env)
{
	struct vault_capture *c = env->project->capture;
	struct heading kept = { env->out, "not kept", false };
	struct heading pending = { env->out, "waiting", false };
	struct heading shadowed = { env->out,
				    "in the way of a view of that name",
				    false };
	vault_err err = VAULT_OK;

	if (c != NULL)
		err = vault_capture_each_not_kept(c, print_path, &kept);
	if (err == VAULT_OK && c != NULL)
		err = vault_capture_each_pending(c, 20, print_path, &pending);
	if (err == VAULT_OK)
		err = each_line(env->shadowed, print_path, &shadowed);
	return err;
}

static vault_err print_text(struct vault_command_env *env,
			    const struct figures *f)
{
	const struct vault_place *p = &env->project->place;

	print_place(env->out, "project", p->project);
	print_place(env->out, "mounted on", p->mount);
	print_place(env->out, "vault", p->vault);
	fprintf(env->out, "%-11s %s\n", "live path", env->live_path);
	if (env->project->capture != NULL)
		print_capture(env, &f->capture);
	fprintf(env->out, "%-11s %" PRIu64 ", %" PRIu64 " versions\n",
		"moments", f->moments, f->versions);
	print_size(env->out, "vault size", f->vault_bytes);
	print_size(env->out, "as copies", f->logical_bytes);
	fprintf(env->out, "%-11s %.2f\n", "ratio", f->ratio);
	if (f->damage > 0)
		fprintf(env->out,
			"%-11s %" PRIu64 " records; run `artvault check`\n",
			"DAMAGED", f->damage);
	return print_lists(env);
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	struct figures f;
	vault_err err;

	err = find_figures(env, &f);
	if (err == VAULT_OK)
		err = vault_args_has(args, 'j') ? print_json(env, &f)
						: print_text(env, &f);
	return err == VAULT_OK ? VAULT_EXIT_DONE
			       : vault_command_fail_err(env, "status", err);
}

const struct vault_command vault_cmd_status = {
	.usage = { .name = "status",
		   .operands = "",
		   .summary = "What waits to be kept, what was not kept and "
			      "why, and what the vault takes.",
		   .details = "The ratio is the size of all versions as "
			      "copies, divided by the size of the vault.",
		   .options = options },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
