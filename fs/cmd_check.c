/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <inttypes.h>
#include <time.h>

#include "fs/json.h"
#include "versions/check.h"
#include "versions/when.h"

static const struct argp_option options[] = {
	{ "data", 'd', NULL, 0, "read every byte, not only the structure", 0 },
	{ "json", 'j', NULL, 0, "one JSON document", 0 },
	{ 0 },
};

struct report {
	struct vault_command_env *env;
	bool json;
	struct vault_json_doc doc;
	json_t *findings;
	json_t *versions;
	uint64_t n_findings;
	uint64_t n_versions;
	bool bar;     /* a progress line stands on the terminal */
	time_t drawn; /* when */
};

static void clear_bar(struct report *r)
{
	if (r->bar)
		fputs("\r\033[K", r->env->err);
	r->bar = false;
}

static const char *kind_text(enum vault_finding_kind kind)
{
	switch (kind) {
	case VAULT_FINDING_DAMAGED:
		return "damaged";
	case VAULT_FINDING_MISSING:
		return "missing";
	case VAULT_FINDING_INDEX:
		return "index";
	case VAULT_FINDING_SMALL:
		return "config";
	default:
		return "other";
	}
}

static const char *result_text(enum vault_check_result result)
{
	switch (result) {
	case VAULT_CHECK_CLEAN:
		return "clean";
	case VAULT_CHECK_REPAIRABLE:
		return "repairable";
	default:
		return "lost";
	}
}

/* ---- what the check finds ---- */

static vault_err on_finding(void *ctx, const struct vault_finding *f)
{
	struct report *r = ctx;

	r->n_findings++;
	clear_bar(r);
	if (r->json) {
		json_t *entry = vault_json_add_object(&r->doc, r->findings);

		vault_json_set_str(&r->doc, entry, "kind", kind_text(f->kind));
		vault_json_set_int(&r->doc, entry, "pack", f->pack);
		vault_json_set_int(&r->doc, entry, "offset", f->offset);
		vault_json_set_str(&r->doc, entry, "text", f->text);
		return r->doc.failed ? VAULT_ERR_NOMEM : VAULT_OK;
	}
	fprintf(r->env->out, "%s: %s\n", kind_text(f->kind), f->text);
	return VAULT_OK;
}

static vault_err on_version(void *ctx, const struct vault_check_version *v)
{
	struct report *r = ctx;
	char moment[VAULT_WHEN_NAME_MAX];

	r->n_versions++;
	clear_bar(r);
	vault_when_name(v->moment_time, moment);
	if (r->json) {
		json_t *entry = vault_json_add_object(&r->doc, r->versions);

		vault_json_set_text(&r->doc, entry, "path", v->path);
		vault_json_set_str(&r->doc, entry, "moment", moment);
		vault_json_set_str(&r->doc, entry, "reason",
				   vault_err_text(v->reason));
		return r->doc.failed ? VAULT_ERR_NOMEM : VAULT_OK;
	}
	fprintf(r->env->out, "lost: ");
	vault_command_print_text(r->env->out, v->path);
	fprintf(r->env->out, " of %s: %s\n", moment, vault_err_text(v->reason));
	return VAULT_OK;
}

static vault_err on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct report *r = ctx;
	const struct vault_command_env *env = r->env;
	const time_t now = time(NULL);

	if (env->gone != NULL && env->gone(env->gone_ctx))
		return VAULT_ERR_CANCELLED;
	if (!env->err_is_tty || total == 0 || now == r->drawn)
		return VAULT_OK;
	fprintf(env->err, "\rchecked %.1f of %.1f MB\033[K", (double)done / 1e6,
		(double)total / 1e6);
	fflush(env->err);
	r->drawn = now;
	r->bar = true;
	return VAULT_OK;
}

/* ---- the command ---- */

static void begin(struct report *r)
{
	if (!r->json)
		return;
	vault_json_object(&r->doc);
	r->findings = vault_json_set_array(&r->doc, r->doc.root, "findings");
	r->versions = vault_json_set_array(&r->doc, r->doc.root, "versions");
}

static vault_err print_result(struct report *r, enum vault_check_result result)
{
	if (r->json) {
		vault_json_set_str(&r->doc, r->doc.root, "result",
				   result_text(result));
		return vault_json_print(&r->doc, r->env->out);
	}
	switch (result) {
	case VAULT_CHECK_CLEAN:
		fprintf(r->env->out, "clean\n");
		break;
	case VAULT_CHECK_REPAIRABLE:
		fprintf(r->env->out, "repairable: nothing is lost; unmount "
				     "and run `artvault rebuild-index`\n");
		break;
	default:
		fprintf(r->env->out,
			"lost: %" PRIu64 " versions cannot be read; all "
			"others can\n",
			r->n_versions);
	}
	return VAULT_OK;
}

static int run(struct vault_command_env *env, const struct vault_args *args)
{
	struct report r = { .env = env, .json = vault_args_has(args, 'j') };
	const struct vault_check_sink sink = { .ctx = &r,
					       .finding = on_finding,
					       .version = on_version,
					       .progress = on_progress };
	enum vault_check_result result;
	int code = VAULT_EXIT_CHECK_USAGE;
	vault_err err;

	begin(&r);
	err = vault_check_run(env->project->tree, vault_args_has(args, 'd'),
			      &sink, &result);
	clear_bar(&r);
	if (err == VAULT_OK)
		err = print_result(&r, result);
	if (err == VAULT_OK)
		code = (int)result;
	else
		vault_command_fail(env, "check", "could not be finished: %s",
				   vault_err_text(err));
	if (r.json)
		vault_json_release(&r.doc);
	return code;
}

const struct vault_command vault_cmd_check = {
	.usage = { .name = "check",
		   .operands = "",
		   .summary = "Is everything that was kept still there?",
		   .details = "Exit status: 0 clean, 1 repairable, 2 lost, "
			      "64 wrong usage or the check could not run. An "
			      "interrupted check with --data goes on where it "
			      "was.",
		   .options = options },
	.usage_exit = VAULT_EXIT_CHECK_USAGE,
	.run = run,
};
