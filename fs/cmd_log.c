/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/json.h"
#include "fs/timeline.h"
#include "fs/timeline_text.h"
#include "versions/when.h"

enum {
	OPT_SINCE = VAULT_ARGS_OWN,
	OPT_UNTIL,
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "one JSON document", 0 },
	{ "since", OPT_SINCE, "W", 0, "nothing before W", 0 },
	{ "until", OPT_UNTIL, "W", 0, "nothing after W", 0 },
	{ "tag", 't', "T", 0, "only moments with a snapshot tagged T", 0 },
	{ 0 },
};

struct query {
	struct vault_command_env *env;
	int64_t since;
	int64_t until;
	const char *tag; /* NULL: any */
	struct vault_snapshot *names;
	size_t n_names;
	/* What is printed to: a document or the terminal. */
	struct vault_json_doc doc;
	bool json;
};

/* ---- bounds ---- */

/* A snapshot or an alias as the time of its moment; said on failure. */
static vault_err time_of_moment(struct vault_command_env *env, const char *text,
				int64_t *out)
{
	struct vault_moment m;
	const vault_err err = vault_command_when(env, text, &m);

	if (err == VAULT_OK)
		*out = m.time;
	return err;
}

/* The first second of what means `last` as its last one. */
static int64_t first_second(const char *text, int64_t last, int64_t now)
{
	static const char rest[] = "0000-01-01_00-00-00";
	const size_t len = strlen(text);
	char full[sizeof(rest)];
	struct vault_when when;

	memcpy(full, rest, sizeof(rest));
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		char name[VAULT_WHEN_NAME_MAX];

		vault_when_name(last, name);
		memcpy(full, name, strlen("YYYY-MM-DD"));
	} else if (len == 4 || len == 7 || len == 10 || len == 13 ||
		   len == 16) {
		/* A prefix of a moment's name: complete it downwards. */
		memcpy(full, text, len);
		if (len == 16)
			full[16] = text[13];
	} else {
		return last;
	}
	if (vault_when_parse(vault_span_str(full), now, &when) != VAULT_OK)
		return last;
	return when.time < last ? when.time : last;
}

/* `text` as the first or the last second that it means. */
static vault_err read_bound(struct vault_command_env *env, const char *text,
			    bool first, int64_t *out)
{
	const int64_t now = (int64_t)time(NULL);
	struct vault_when when;
	vault_err err;

	err = vault_when_parse(vault_span_str(text), now, &when);
	if (err == VAULT_OK && when.kind == VAULT_WHEN_TIME) {
		*out = first ? first_second(text, when.time, now) : when.time;
		return VAULT_OK;
	}
	if (err == VAULT_OK && when.kind == VAULT_WHEN_NOW) {
		*out = now;
		return VAULT_OK;
	}
	return time_of_moment(env, text, out);
}

static vault_err read_bounds(struct query *q, const struct vault_args *args)
{
	const char *since = vault_args_value(args, OPT_SINCE);
	const char *until = vault_args_value(args, OPT_UNTIL);
	vault_err err = VAULT_OK;

	q->since = INT64_MIN;
	q->until = INT64_MAX;
	if (since != NULL)
		err = read_bound(q->env, since, true, &q->since);
	if (err == VAULT_OK && until != NULL)
		err = read_bound(q->env, until, false, &q->until);
	return err;
}

/* ---- names ---- */

static vault_err copy_buf(struct vault_buf *to, const struct vault_buf *from)
{
	return vault_buf_append(to, vault_buf_span(from));
}

static vault_err keep_name(void *ctx, const struct vault_snapshot *s)
{
	struct query *q = ctx;
	struct vault_snapshot *names;
	struct vault_snapshot *to;
	vault_err err;

	names = realloc(q->names, (q->n_names + 1) * sizeof(*names));
	if (names == NULL)
		return VAULT_ERR_NOMEM;
	q->names = names;
	to = &names[q->n_names++];
	*to = VAULT_SNAPSHOT_INIT;
	to->seq = s->seq;
	err = copy_buf(&to->name, &s->name);
	if (err == VAULT_OK)
		err = copy_buf(&to->note, &s->note);
	return err == VAULT_OK ? copy_buf(&to->tags, &s->tags) : err;
}

static int by_moment(const void *a, const void *b)
{
	const struct vault_snapshot *x = a;
	const struct vault_snapshot *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return vault_span_compare(vault_buf_span(&x->name),
				  vault_buf_span(&y->name));
}

static vault_err load_names(struct query *q)
{
	const vault_err err =
		vault_snapshot_each(q->env->project->tree, keep_name, q);

	if (err == VAULT_OK && q->n_names > 0)
		qsort(q->names, q->n_names, sizeof(*q->names), by_moment);
	return err;
}

/* The names of a moment: `*n` of them from the result on. */
static const struct vault_snapshot *names_of(const struct query *q,
					     uint64_t seq, size_t *n)
{
	size_t low = 0;
	size_t high = q->n_names;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (q->names[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	for (*n = 0; low + *n < q->n_names && q->names[low + *n].seq == seq;)
		(*n)++;
	return q->names + low;
}

/* The next tag of `*left`; false after the last. */
static bool next_tag(struct vault_span *left, struct vault_span *tag)
{
	const uint8_t *end;

	if (left->len == 0)
		return false;
	end = memchr(left->data, '\n', left->len);
	*tag = vault_span(left->data,
			  end != NULL ? (size_t)(end - left->data) : left->len);
	*left = vault_span_from(*left, tag->len + 1);
	return true;
}

static bool has_tag(const struct query *q, uint64_t seq)
{
	const struct vault_span wanted =
		vault_span_str(q->tag != NULL ? q->tag : "");
	const struct vault_snapshot *s;
	size_t n;

	if (q->tag == NULL)
		return true;
	s = names_of(q, seq, &n);
	for (size_t i = 0; i < n; i++) {
		struct vault_span left = vault_buf_span(&s[i].tags);
		struct vault_span tag;

		while (next_tag(&left, &tag))
			if (vault_span_equal(tag, wanted))
				return true;
	}
	return false;
}

/* ---- moments ---- */

static void add_moment(struct query *q, const struct vault_moment *m)
{
	struct vault_json_doc *d = &q->doc;
	json_t *entry = vault_json_add_object(d, d->root);
	struct vault_buf notes = VAULT_BUF_INIT;
	char name[VAULT_WHEN_NAME_MAX];
	const struct vault_snapshot *s;
	json_t *list;
	size_t n;

	vault_when_name(m->time, name);
	vault_json_set_str(d, entry, "moment", name);
	vault_json_set_time(d, entry, "time", m->time);
	s = names_of(q, m->seq, &n);
	list = vault_json_set_array(d, entry, "names");
	for (size_t i = 0; i < n; i++)
		vault_json_add_text(d, list, vault_buf_span(&s[i].name));
	list = vault_json_set_array(d, entry, "tags");
	for (size_t i = 0; i < n; i++) {
		struct vault_span left = vault_buf_span(&s[i].tags);
		struct vault_span tag;

		while (next_tag(&left, &tag))
			vault_json_add_text(d, list, tag);
		if (notes.len > 0 && s[i].note.len > 0 &&
		    vault_buf_put_u8(&notes, '\n') != VAULT_OK)
			d->failed = true;
		if (copy_buf(&notes, &s[i].note) != VAULT_OK)
			d->failed = true;
	}
	vault_json_set_text(d, entry, "note", vault_buf_span(&notes));
	vault_json_set_str(d, entry, "cause", vault_cause_text(m->cause));
	vault_buf_release(&notes);
}

/* MOMENT  cause  names  [tags]  note */
static void print_moment(const struct query *q, const struct vault_moment *m)
{
	FILE *to = q->env->out;
	char name[VAULT_WHEN_NAME_MAX];
	const struct vault_snapshot *s;
	struct vault_span tag;
	size_t n;

	vault_when_name(m->time, name);
	s = names_of(q, m->seq, &n);
	fprintf(to, n > 0 ? "%s  %-8s" : "%s  %s", name,
		vault_cause_text(m->cause));
	for (size_t i = 0; i < n; i++) {
		struct vault_span left = vault_buf_span(&s[i].tags);

		fputs(i > 0 ? "; " : "  ", to);
		vault_command_print_text(to, vault_buf_span(&s[i].name));
		while (next_tag(&left, &tag)) {
			fputs(" #", to);
			vault_command_print_text(to, tag);
		}
		if (s[i].note.len == 0)
			continue;
		fputs("  ", to);
		vault_command_print_text(to, vault_buf_span(&s[i].note));
	}
	fputc('\n', to);
}

static vault_err on_moment(void *ctx, const struct vault_moment *m)
{
	struct query *q = ctx;
	const struct vault_command_env *env = q->env;

	if (m->time > q->until || !has_tag(q, m->seq))
		return VAULT_OK;
	/* Newest first: the rest is older still. CANCELLED ends the walk. */
	if (m->time < q->since || ferror(env->out))
		return VAULT_ERR_CANCELLED;
	if (q->json)
		add_moment(q, m);
	else
		print_moment(q, m);
	return VAULT_OK;
}

static vault_err log_moments(struct query *q)
{
	vault_err err;

	if (q->json)
		vault_json_array(&q->doc);
	err = vault_moment_each(q->env->project->tree, on_moment, q);
	if (err == VAULT_ERR_CANCELLED)
		err = VAULT_OK;
	if (q->json && err == VAULT_OK)
		err = vault_json_print(&q->doc, q->env->out);
	if (q->json)
		vault_json_release(&q->doc);
	return err;
}

/* ---- one path ---- */

static bool wanted_step(const struct query *q,
			const struct vault_timeline_step *s)
{
	return s->moment.time >= q->since && s->moment.time <= q->until &&
	       has_tag(q, s->moment.seq);
}

static vault_err print_steps(struct query *q, struct vault_span path,
			     const struct vault_timeline *all)
{
	/* Borrows the steps of `all`. */
	struct vault_timeline some = VAULT_TIMELINE_INIT;
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err = VAULT_ERR_NOMEM;

	some.steps = calloc(all->n + 1, sizeof(*some.steps));
	if (some.steps == NULL)
		goto out;
	for (size_t i = 0; i < all->n; i++)
		if (wanted_step(q, &all->steps[i]))
			some.steps[some.n++] = all->steps[i];
	err = q->json ? vault_timeline_text_json(&some, &text)
		      : vault_timeline_text_table(q->env->project->tree, path,
						  &some, &text);
	if (err == VAULT_OK && text.len > 0)
		fwrite(text.data, 1, text.len, q->env->out);

out:
	free(some.steps);
	vault_buf_release(&text);
	return err;
}

static vault_err log_path(struct query *q, struct vault_span path)
{
	struct vault_tree *t = q->env->project->tree;
	struct vault_timeline_place place = VAULT_TIMELINE_PLACE_INIT;
	struct vault_timeline all = VAULT_TIMELINE_INIT;
	vault_err err;

	err = vault_timeline_find(t, path, &place);
	if (err == VAULT_OK && place.version.row.kind == VAULT_KIND_DIR)
		err = VAULT_ERR_IS_DIR;
	if (err == VAULT_OK)
		err = vault_timeline_load(t, path, &place, &all);
	if (err == VAULT_OK)
		err = print_steps(q, path, &all);
	vault_timeline_release(&all);
	vault_timeline_place_release(&place);
	return err;
}

static int log_one(struct query *q, const char *operand)
{
	struct vault_buf path = VAULT_BUF_INIT;
	int code = VAULT_EXIT_FAILED;
	vault_err err;

	if (vault_command_path(q->env, operand, &path) != VAULT_OK)
		goto out;
	err = log_path(q, vault_buf_span(&path));
	vault_command_sync_losses(q->env, vault_buf_span(&path));
	if (err == VAULT_OK)
		code = VAULT_EXIT_DONE;
	else if (err == VAULT_ERR_NOT_FOUND)
		vault_command_fail(q->env, operand,
				   "no version of it was ever kept");
	else if (err == VAULT_ERR_IS_DIR)
		vault_command_fail(q->env, operand,
				   "is a folder; `artvault log` lists the "
				   "moments, `artvault ls WHEN` a folder then");
	else
		vault_command_fail_err(q->env, operand, err);

out:
	vault_buf_release(&path);
	return code;
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	const char *operand = vault_args_operand(args, 0);
	struct query q = { .env = env,
			   .tag = vault_args_value(args, 't'),
			   .json = vault_args_has(args, 'j') };
	int code = VAULT_EXIT_FAILED;
	vault_err err;

	if (read_bounds(&q, args) != VAULT_OK)
		goto out;
	err = load_names(&q);
	if (err == VAULT_OK && operand == NULL) {
		err = log_moments(&q);
		vault_command_sync_losses(env, VAULT_SPAN_EMPTY);
	}
	if (err != VAULT_OK)
		vault_command_fail_err(env, "log", err);
	else
		code = operand != NULL ? log_one(&q, operand) : VAULT_EXIT_DONE;

out:
	for (size_t i = 0; i < q.n_names; i++)
		vault_snapshot_release(&q.names[i]);
	free(q.names);
	return code;
}

const struct vault_command vault_cmd_log = {
	.usage = { .name = "log",
		   .operands = "[PATH]",
		   .summary = "The moments, newest first; or the distinct "
			      "versions of PATH, oldest first.",
		   .details = "PATH may be gone by now, and its versions are "
			      "followed through renames. W is a snapshot's "
			      "name, a moment, or any time.",
		   .options = options,
		   .n_max = 1 },
	.usage_exit = VAULT_EXIT_USAGE,
	.run = run,
};
