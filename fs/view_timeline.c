/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_timeline.h"

#include <string.h>

#include "fs/timeline.h"
#include "fs/timeline_text.h"
#include "fs/view_history.h"
#include "fs/view_marker.h"
#include "versions/ignore.h"

#define TEXT_NAME "@timeline.txt"
#define JSON_NAME "@timeline.json"

vault_err vault_view_timeline_enter(struct vault_view *v,
				    struct vault_span dirpath,
				    struct vault_view_found *out)
{
	struct vault_view_key key = {
		.kind = VAULT_VIEW_TIMELINE,
		.path = dirpath,
	};
	struct vault_buf where = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_append(&where, dirpath);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, vault_span_str(".timeline"));
	key.where = vault_buf_span(&where);
	/* A renamed directory keeps no name that means its old path. */
	if (err == VAULT_OK)
		err = vault_view_core_found(
			v, &key, 1, NULL, NULL,
			dirpath.len == 0 ? VAULT_VIEW_FOREVER : 0, out);
	vault_buf_release(&where);
	return err;
}

/* ---- texts ---- */

static vault_err make_text(struct vault_view *v, struct vault_span path,
			   const struct vault_timeline *steps, bool json,
			   struct vault_buf *out)
{
	if (json)
		return vault_timeline_text_json(steps, out);
	return vault_timeline_text_table(v->tree, path, steps, out);
}

/*
 * A text is made when it is looked up, so that its size is true, and stays as
 * it was made; when there is one more version it is another node.
 */
static vault_err find_text(struct vault_view *v,
			   const struct vault_view_node *parent,
			   const struct vault_timeline_place *place,
			   struct vault_span name, struct vault_view_found *out)
{
	const bool json = vault_span_equal(name, vault_span_str(JSON_NAME));
	struct vault_view_key key = {
		.kind = VAULT_VIEW_TEXT,
		.path = parent->key.path,
	};
	struct vault_timeline steps = VAULT_TIMELINE_INIT;
	struct vault_buf where = VAULT_BUF_INIT;
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err;

	err = vault_timeline_load(v->tree, parent->key.path, place, &steps);
	if (err == VAULT_OK)
		err = make_text(v, parent->key.path, &steps, json, &text);
	if (err == VAULT_OK)
		err = vault_buf_append(&where, parent->key.where);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, name);
	key.where = vault_buf_span(&where);
	key.seq = steps.n > 0 ? steps.steps[steps.n - 1].version.seq : 0;
	if (err == VAULT_OK)
		err = vault_view_core_found(v, &key, parent->ino, NULL, &text,
					    0, out);
	vault_timeline_release(&steps);
	vault_buf_release(&where);
	vault_buf_release(&text);
	return err;
}

/* ---- finding ---- */

static vault_err find_version(struct vault_view *v,
			      const struct vault_view_node *parent,
			      const struct vault_timeline_place *place,
			      struct vault_span name,
			      struct vault_view_found *out)
{
	struct vault_timeline_step step;
	vault_err err;

	if (vault_span_equal(name, vault_span_str(TEXT_NAME)) ||
	    vault_span_equal(name, vault_span_str(JSON_NAME)))
		return find_text(v, parent, place, name, out);
	err = vault_timeline_step(v->tree, parent->key.path, place, name,
				  &step);
	if (err != VAULT_OK)
		return err;
	err = vault_view_history_version(
		v, step.dir, vault_buf_span(&step.name), &step.version, 0, out);
	vault_timeline_step_release(&step);
	return err;
}

/* The folder of something below a directory. */
static vault_err find_below(struct vault_view *v,
			    const struct vault_view_node *parent,
			    struct vault_span name,
			    struct vault_view_found *out)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_TIMELINE };
	struct vault_buf where = VAULT_BUF_INIT;
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_version known;
	vault_err err;

	err = vault_buf_append(&path, parent->key.path);
	if (err == VAULT_OK)
		err = vault_view_core_join(&path, name);
	if (err == VAULT_OK)
		err = vault_tree_resolve_last_known(
			v->tree, vault_buf_span(&path), VAULT_AT_NOW, &known);
	if (err == VAULT_ERR_NOT_DIR)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		err = vault_buf_append(&where, parent->key.where);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, name);
	key.where = vault_buf_span(&where);
	key.path = vault_buf_span(&path);
	if (err == VAULT_OK)
		err = vault_view_core_found(v, &key, parent->ino, NULL, NULL, 0,
					    out);
	vault_buf_release(&where);
	vault_buf_release(&path);
	return err;
}

static bool is_view_root(const struct vault_view_node *n)
{
	const size_t len = sizeof(".timeline") - 1;

	return n->key.where.len ==
		       n->key.path.len + len + (n->key.path.len > 0) &&
	       vault_span_equal(
		       vault_span_from(n->key.where, n->key.where.len - len),
		       vault_span_str(".timeline"));
}

vault_err vault_view_timeline_find(struct vault_view *v,
				   const struct vault_view_node *parent,
				   struct vault_span name,
				   struct vault_view_found *out)
{
	struct vault_timeline_place place = VAULT_TIMELINE_PLACE_INIT;
	vault_err err;

	err = vault_timeline_find(v->tree, parent->key.path, &place);
	if (err == VAULT_OK && place.version.row.kind != VAULT_KIND_DIR)
		err = find_version(v, parent, &place, name, out);
	else if (err == VAULT_OK)
		err = find_below(v, parent, name, out);
	/* The project's own file of that name goes before. */
	if (err == VAULT_ERR_NOT_FOUND && is_view_root(parent))
		err = vault_view_marker_find(v, parent, name, out);
	vault_timeline_place_release(&place);
	return err;
}

/* ---- listing ---- */

struct listing {
	struct vault_view *v;
	const struct vault_view_node *node;
	struct vault_view_list *list;
};

static vault_err list_named(struct listing *l, struct vault_span name,
			    enum vault_view_kind kind, mode_t type,
			    uint64_t seq)
{
	struct vault_view_key key = { .kind = kind, .seq = seq };
	struct vault_buf where = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_append(&where, l->node->key.where);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, name);
	key.where = vault_buf_span(&where);
	if (err == VAULT_OK)
		err = vault_view_list_add(l->list, name, type, &key);
	vault_buf_release(&where);
	return err;
}

static vault_err list_steps(struct listing *l,
			    const struct vault_timeline_place *place)
{
	struct vault_timeline steps = VAULT_TIMELINE_INIT;
	uint64_t seq = 0;
	vault_err err;

	err = vault_timeline_load(l->v->tree, l->node->key.path, place, &steps);
	for (size_t i = 0; err == VAULT_OK && i < steps.n; i++) {
		const struct vault_timeline_step *s = &steps.steps[i];

		err = vault_view_list_add_version(
			l->list, vault_buf_span(&s->file),
			vault_row_type_bits(s->version.row.kind), s->dir,
			vault_buf_span(&s->name), s->version.seq);
		seq = s->version.seq;
	}
	if (err == VAULT_OK)
		err = list_named(l, vault_span_str(JSON_NAME), VAULT_VIEW_TEXT,
				 S_IFREG, seq);
	if (err == VAULT_OK)
		err = list_named(l, vault_span_str(TEXT_NAME), VAULT_VIEW_TEXT,
				 S_IFREG, seq);
	vault_timeline_release(&steps);
	return err;
}

/* Backups that programs keep beside a file are found, but not shown. */
static vault_err list_ever(void *ctx, struct vault_span name,
			   const struct vault_version *version)
{
	struct listing *l = ctx;
	struct vault_buf path = VAULT_BUF_INIT;
	vault_err err;
	bool hidden;

	(void)version;
	err = vault_buf_append(&path, l->node->key.path);
	if (err == VAULT_OK)
		err = vault_view_core_join(&path, name);
	hidden = err == VAULT_OK &&
		 vault_ignore_is_backup(vault_buf_span(&path));
	vault_buf_release(&path);
	if (err != VAULT_OK || hidden)
		return err;
	return list_named(l, name, VAULT_VIEW_TIMELINE, S_IFDIR, 0);
}

vault_err vault_view_timeline_list(struct vault_view *v,
				   const struct vault_view_node *n,
				   struct vault_view_list *out)
{
	struct vault_timeline_place place = VAULT_TIMELINE_PLACE_INIT;
	struct listing l = { .v = v, .node = n, .list = out };
	vault_err err;

	err = vault_timeline_find(v->tree, n->key.path, &place);
	if (err == VAULT_OK && place.version.row.kind != VAULT_KIND_DIR)
		err = list_steps(&l, &place);
	else if (err == VAULT_OK)
		err = vault_tree_list_ever(v->tree, place.version.row.node,
					   list_ever, &l);
	vault_timeline_place_release(&place);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}
