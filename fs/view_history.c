/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_history.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "fs/view_marker.h"
#include "versions/moment.h"
#include "versions/when.h"

/* More come back from Samba as an empty list, without an error. */
#define GMT_LISTED 1000

/* `where` and `path` of something below a node. */
struct below {
	struct vault_buf where;
	struct vault_buf path;
};

static vault_err below_init(struct below *b,
			    const struct vault_view_node *parent,
			    struct vault_span where, struct vault_span path)
{
	vault_err err;

	*b = (struct below){ VAULT_BUF_INIT, VAULT_BUF_INIT };
	err = vault_buf_append(&b->where, parent->key.where);
	if (err == VAULT_OK)
		err = vault_view_core_join(&b->where, where);
	if (err == VAULT_OK)
		err = vault_buf_append(&b->path, parent->key.path);
	if (err == VAULT_OK)
		err = vault_view_core_join(&b->path, path);
	return err;
}

static void below_release(struct below *b)
{
	vault_buf_release(&b->where);
	vault_buf_release(&b->path);
}

static uint64_t live_ino(struct vault_view *v, struct vault_span path)
{
	struct vault_buf text = VAULT_BUF_INIT;
	struct stat st = { .st_ino = 1 };
	const char *name = ".";

	if (path.len > 0 && vault_buf_append(&text, path) == VAULT_OK)
		name = vault_buf_cstr(&text);
	if (name == NULL ||
	    fstatat(v->projectfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		st.st_ino = 1;
	vault_buf_release(&text);
	return st.st_ino;
}

vault_err vault_view_history_enter(struct vault_view *v,
				   struct vault_span dirpath,
				   struct vault_view_found *out)
{
	struct vault_view_key key = {
		.kind = VAULT_VIEW_HISTORY,
		.path = dirpath,
	};
	struct vault_buf where = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_append(&where, dirpath);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, vault_span_str(".history"));
	key.where = vault_buf_span(&where);
	/* A renamed directory keeps no name that means its old path. */
	if (err == VAULT_OK)
		err = vault_view_core_found(
			v, &key, live_ino(v, dirpath), NULL, NULL,
			dirpath.len == 0 ? VAULT_VIEW_FOREVER : 0, out);
	vault_buf_release(&where);
	return err;
}

/* ---- finding ---- */

vault_err vault_view_history_version(struct vault_view *v, uint64_t dir,
				     struct vault_span name,
				     const struct vault_version *version,
				     uint64_t at, struct vault_view_found *out)
{
	const struct vault_view_key key = {
		.kind = VAULT_VIEW_VERSION,
		.dir = dir,
		.seq = version->seq,
		.path = name,
	};
	vault_err err;

	err = vault_view_core_found(v, &key, 0, &version->row, NULL,
				    at != 0 ? VAULT_VIEW_FOREVER : 0, out);
	if (err == VAULT_OK && at != 0)
		vault_view_nodes_reach(v->nodes, out->node, at);
	return err;
}

/* Is `name` how the moment itself is called, rather than an alias of it? */
static bool own_name(const struct vault_view_node *parent,
		     struct vault_span name, const struct vault_moment *m)
{
	char text[VAULT_WHEN_NAME_MAX];

	if (parent->key.kind == VAULT_VIEW_GMT)
		vault_when_gmt(m->time, text);
	else
		vault_when_name(m->time, text);
	return vault_span_equal(name, vault_span_str(text));
}

vault_err vault_view_history_moment(struct vault_view *v,
				    const struct vault_view_node *parent,
				    struct vault_span name, uint64_t seq,
				    bool fixed, struct vault_view_found *out)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_PAST };
	struct vault_version dir;
	struct below b;
	vault_err err;

	err = vault_tree_resolve(v->tree, parent->key.path, seq, &dir);
	if (err == VAULT_ERR_NOT_DIR ||
	    (err == VAULT_OK && dir.row.kind != VAULT_KIND_DIR))
		err = VAULT_ERR_NOT_FOUND;
	if (err != VAULT_OK)
		return err;
	err = below_init(&b, parent, name, VAULT_SPAN_EMPTY);
	key.dir = dir.row.node;
	key.seq = seq;
	key.where = vault_buf_span(&b.where);
	key.path = parent->key.path;
	if (err == VAULT_OK)
		err = vault_view_core_found(
			v, &key, parent->ino, &dir.row, NULL,
			fixed ? VAULT_VIEW_FOREVER : 0, out);
	below_release(&b);
	return err;
}

/* The directory as of the moment that `name` means. */
static vault_err find_moment(struct vault_view *v,
			     const struct vault_view_node *parent,
			     struct vault_span name,
			     struct vault_view_found *out)
{
	struct vault_moment m;
	vault_err err;

	err = vault_when_resolve(v->tree, name, (int64_t)time(NULL), &m);
	if (err == VAULT_ERR_SYNTAX || err == VAULT_ERR_INVALID)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		err = vault_view_history_moment(v, parent, name, m.seq,
						own_name(parent, name, &m),
						out);
	return err;
}

static vault_err find_gmt(struct vault_view *v,
			  const struct vault_view_node *parent,
			  struct vault_view_found *out)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_GMT };
	struct below b;
	vault_err err;

	err = below_init(&b, parent, vault_span_str(".gmt"), VAULT_SPAN_EMPTY);
	key.where = vault_buf_span(&b.where);
	key.path = parent->key.path;
	if (err == VAULT_OK)
		err = vault_view_core_found(v, &key, parent->ino, NULL, NULL,
					    VAULT_VIEW_FOREVER, out);
	below_release(&b);
	return err;
}

static vault_err find_past(struct vault_view *v,
			   const struct vault_view_node *parent,
			   struct vault_span name, struct vault_view_found *out)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_PAST };
	struct vault_version version;
	struct below b;
	vault_err err;

	err = vault_tree_lookup(v->tree, parent->key.dir, name, parent->key.seq,
				&version);
	if (err != VAULT_OK)
		return err;
	if (version.row.kind != VAULT_KIND_DIR)
		return vault_view_history_version(v, parent->key.dir, name,
						  &version, parent->key.seq,
						  out);
	err = below_init(&b, parent, name, name);
	key.dir = version.row.node;
	key.seq = parent->key.seq;
	key.where = vault_buf_span(&b.where);
	key.path = vault_buf_span(&b.path);
	if (err == VAULT_OK)
		err = vault_view_core_found(v, &key, parent->ino, &version.row,
					    NULL, VAULT_VIEW_FOREVER, out);
	below_release(&b);
	return err;
}

vault_err vault_view_history_find(struct vault_view *v,
				  const struct vault_view_node *parent,
				  struct vault_span name,
				  struct vault_view_found *out)
{
	const struct vault_span gmt = vault_span_str("@GMT-");
	vault_err err;

	if (parent->key.kind == VAULT_VIEW_PAST)
		return find_past(v, parent, name, out);
	if (parent->key.kind == VAULT_VIEW_GMT)
		return vault_span_starts(name, gmt)
			       ? find_moment(v, parent, name, out)
			       : VAULT_ERR_NOT_FOUND;
	if (vault_span_equal(name, vault_span_str(".gmt")))
		return find_gmt(v, parent, out);
	err = vault_view_marker_find(v, parent, name, out);
	/* No time and no snapshot begins with a dot. */
	if (err != VAULT_ERR_NOT_FOUND || name.len == 0 || name.data[0] == '.')
		return err;
	return find_moment(v, parent, name, out);
}

/* ---- listing ---- */

struct listing {
	struct vault_view *v;
	const struct vault_view_node *node;
	struct vault_view_list *list;
	size_t left; /* how many more moments */
};

/* Was the directory there then? What is listed must resolve. */
static vault_err was_there(const struct listing *l, uint64_t seq, bool *out)
{
	struct vault_version dir;
	vault_err err;

	if (l->node->key.path.len == 0) {
		*out = true;
		return VAULT_OK;
	}
	err = vault_tree_resolve(l->v->tree, l->node->key.path, seq, &dir);
	*out = err == VAULT_OK && dir.row.kind == VAULT_KIND_DIR;
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		err = VAULT_OK;
	return err;
}

static vault_err list_moment_dir(struct listing *l, struct vault_span name,
				 uint64_t seq)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_PAST, .seq = seq };
	struct below b;
	bool there;
	vault_err err;

	err = was_there(l, seq, &there);
	if (err != VAULT_OK || !there)
		return err;
	err = below_init(&b, l->node, name, VAULT_SPAN_EMPTY);
	key.where = vault_buf_span(&b.where);
	if (err == VAULT_OK)
		err = vault_view_list_add(l->list, name, S_IFDIR, &key);
	below_release(&b);
	return err;
}

static vault_err list_moment(void *ctx, const struct vault_moment *m)
{
	struct listing *l = ctx;
	char name[VAULT_WHEN_NAME_MAX];

	if (l->left == 0)
		return VAULT_ERR_CANCELLED;
	l->left--;
	if (l->node->key.kind == VAULT_VIEW_GMT)
		vault_when_gmt(m->time, name);
	else
		vault_when_name(m->time, name);
	return list_moment_dir(l, vault_span_str(name), m->seq);
}

static vault_err list_snapshot(void *ctx, const struct vault_snapshot *s)
{
	struct listing *l = ctx;
	const size_t n = l->list->n;
	vault_err err;

	err = list_moment_dir(l, vault_buf_span(&s->name), s->seq);
	if (l->list->n > n)
		l->list->items[n].given = true;
	return err;
}

static vault_err list_markers(struct listing *l)
{
	vault_err err = VAULT_OK;
	const char *name;

	for (unsigned i = 0; err == VAULT_OK; i++) {
		struct vault_view_key key = { .kind = VAULT_VIEW_MARKER };
		struct below b;

		name = vault_view_marker_name(i);
		if (name == NULL)
			break;
		err = below_init(&b, l->node, vault_span_str(name),
				 VAULT_SPAN_EMPTY);
		key.where = vault_buf_span(&b.where);
		if (err == VAULT_OK)
			err = vault_view_list_add(l->list, vault_span_str(name),
						  S_IFREG, &key);
		below_release(&b);
	}
	return err;
}

/* Of the directory that is at the path now, or was last. */
static vault_err list_moments(struct listing *l, bool thin)
{
	struct vault_version dir;
	vault_err err;

	err = vault_tree_resolve_last_known(l->v->tree, l->node->key.path,
					    VAULT_AT_NOW, &dir);
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR ||
	    (err == VAULT_OK && dir.row.kind != VAULT_KIND_DIR))
		return VAULT_OK;
	if (err == VAULT_OK)
		err = vault_moment_each_below(l->v->tree, dir.row.node, thin,
					      (int64_t)time(NULL), list_moment,
					      l);
	return err == VAULT_ERR_CANCELLED ? VAULT_OK : err;
}

static vault_err list_entry(void *ctx, struct vault_span name,
			    const struct vault_version *version)
{
	struct listing *l = ctx;
	const struct vault_view_node *n = l->node;
	struct vault_view_key key = {
		.kind = VAULT_VIEW_PAST,
		.dir = version->row.node,
		.seq = n->key.seq,
	};
	struct below b;
	vault_err err;

	if (version->row.kind != VAULT_KIND_DIR)
		return vault_view_list_add_version(
			l->list, name, vault_row_type_bits(version->row.kind),
			n->key.dir, name, version->seq);
	err = below_init(&b, n, name, name);
	key.where = vault_buf_span(&b.where);
	if (err == VAULT_OK)
		err = vault_view_list_add(l->list, name, S_IFDIR, &key);
	below_release(&b);
	return err;
}

vault_err vault_view_history_list(struct vault_view *v,
				  const struct vault_view_node *n,
				  struct vault_view_list *out)
{
	struct listing l = { .v = v, .node = n, .list = out, .left = SIZE_MAX };
	vault_err err = VAULT_OK;

	if (n->key.kind == VAULT_VIEW_PAST)
		return vault_tree_list(v->tree, n->key.dir, n->key.seq,
				       VAULT_SPAN_EMPTY, list_entry, &l);
	if (n->key.kind == VAULT_VIEW_GMT) {
		l.left = GMT_LISTED;
		return list_moments(&l, false);
	}
	if (n->key.path.len == 0)
		err = list_markers(&l);
	if (err == VAULT_OK)
		err = vault_snapshot_each(v->tree, list_snapshot, &l);
	if (err == VAULT_OK)
		err = list_moments(&l, true);
	return err;
}
