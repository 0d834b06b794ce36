/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/view_dir.h"
#include "versions/capture.h"
#include "versions/moment.h"

struct request {
	struct vault_view *v;
	fuse_req_t req;
	uint64_t parent;
	char *name; /* of a snapshot to be made; NULL: sync only */
};

static bool is_root_history(const struct vault_view_node *n)
{
	return n->key.kind == VAULT_VIEW_HISTORY && n->key.path.len == 0;
}

static vault_err check_caller(struct vault_view *v, fuse_req_t req)
{
	const uid_t uid = fuse_req_ctx(req)->uid;

	return uid == 0 || uid == v->options.owner ? VAULT_OK
						   : VAULT_ERR_FORBIDDEN;
}

/* Does a snapshot of this name stand? */
static vault_err stands(struct vault_view *v, const char *name, bool *out)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	vault_err err;

	err = vault_snapshot_get(v->tree, vault_span_str(name), &s);
	vault_snapshot_release(&s);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
		return err;
	*out = err == VAULT_OK;
	return VAULT_OK;
}

/* Only names can be taken away or changed; what else is there stays. */
static vault_err must_stand(struct vault_view *v,
			    const struct vault_view_node *parent,
			    const char *name)
{
	struct vault_view_found f;
	bool is_name;
	vault_err err;

	err = stands(v, name, &is_name);
	if (err != VAULT_OK || is_name)
		return err;
	err = vault_view_dir_find(v, parent, vault_span_str(name), &f);
	if (err != VAULT_OK)
		return err;
	vault_view_core_release(v, &f);
	return VAULT_ERR_READ_ONLY;
}

static vault_err check_new_name(struct vault_view *v, const char *name)
{
	const char *why = NULL;
	bool is_name;
	vault_err err;

	err = vault_snapshot_check_name(v->tree, vault_span_str(name), &why);
	if (err == VAULT_OK)
		err = stands(v, name, &is_name);
	if (err == VAULT_OK && is_name)
		err = VAULT_ERR_EXISTS;
	return err;
}

/* ---- on a thread of its own ---- */

static vault_err reply_entry(struct request *r)
{
	struct vault_view_node *parent;
	struct fuse_entry_param e;
	struct vault_view_found f;
	vault_err err;

	parent = vault_view_nodes_pin(r->v->nodes, r->parent);
	if (parent == NULL)
		return VAULT_ERR_STALE;
	err = vault_view_dir_find(r->v, parent, vault_span_str(r->name), &f);
	vault_view_nodes_unpin(r->v->nodes, parent);
	if (err != VAULT_OK)
		return err;
	vault_view_core_entry(r->v, &f, &e);
	vault_view_core_release(r->v, &f);
	if (fuse_reply_entry(r->req, &e) != 0)
		vault_view_nodes_forget(r->v->nodes, e.ino, 1);
	return VAULT_OK;
}

static void run_request(void *arg)
{
	struct request *r = arg;
	const bool name_it = r->name != NULL;
	struct vault_moment m;
	vault_err err;

	err = vault_capture_sync(r->v->capture,
				 name_it ? VAULT_CAUSE_SNAPSHOT
					 : VAULT_CAUSE_SYNC,
				 NULL, NULL, &m);
	if (err == VAULT_OK && name_it)
		err = vault_snapshot_set(r->v->tree, vault_span_str(r->name),
					 m.seq, VAULT_SPAN_EMPTY,
					 VAULT_SPAN_EMPTY);
	if (err == VAULT_OK && name_it)
		err = reply_entry(r);
	else if (err == VAULT_OK)
		fuse_reply_err(r->req, 0);
	if (err != VAULT_OK)
		fuse_reply_err(r->req, vault_err_to_errno(err));
	free(r->name);
	free(r);
}

static vault_err start_request(struct vault_view *v, fuse_req_t req,
			       uint64_t parent, const char *name)
{
	struct request *r = calloc(1, sizeof(*r));
	vault_err err = VAULT_OK;

	if (r == NULL)
		return VAULT_ERR_NOMEM;
	*r = (struct request){ .v = v, .req = req, .parent = parent };
	if (name != NULL) {
		r->name = strdup(name);
		err = r->name == NULL ? VAULT_ERR_NOMEM : VAULT_OK;
	}
	if (err == VAULT_OK)
		err = vault_view_core_spawn(v, run_request, r);
	if (err != VAULT_OK) {
		free(r->name);
		free(r);
	}
	return err;
}

vault_err vault_view_snapshot_sync(struct vault_view *v, fuse_req_t req)
{
	return start_request(v, req, 0, NULL);
}

vault_err vault_view_snapshot_make(struct vault_view *v, fuse_req_t req,
				   const struct vault_view_node *parent,
				   const char *name)
{
	vault_err err;

	if (!is_root_history(parent))
		return VAULT_ERR_READ_ONLY;
	err = check_caller(v, req);
	if (err == VAULT_OK)
		err = check_new_name(v, name);
	if (err == VAULT_OK)
		err = start_request(v, req, parent->id, name);
	return err;
}

vault_err vault_view_snapshot_remove(struct vault_view *v, fuse_req_t req,
				     const struct vault_view_node *parent,
				     const char *name)
{
	vault_err err;

	if (!is_root_history(parent))
		return VAULT_ERR_READ_ONLY;
	err = must_stand(v, parent, name);
	if (err == VAULT_OK)
		err = check_caller(v, req);
	if (err == VAULT_OK)
		err = vault_snapshot_remove(v->tree, vault_span_str(name));
	if (err == VAULT_OK)
		fuse_reply_err(req, 0);
	return err;
}

vault_err vault_view_snapshot_rename(struct vault_view *v, fuse_req_t req,
				     const struct vault_view_node *parent,
				     const char *name,
				     const struct vault_view_node *newparent,
				     const char *newname, unsigned flags)
{
	vault_err err;

	if (!is_root_history(parent) || !is_root_history(newparent))
		return VAULT_ERR_READ_ONLY;
	if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0)
		return VAULT_ERR_INVALID;
	err = must_stand(v, parent, name);
	if (err == VAULT_OK)
		err = check_caller(v, req);
	if (err == VAULT_OK && strcmp(name, newname) != 0) {
		err = check_new_name(v, newname);
		if (err == VAULT_OK)
			err = vault_snapshot_rename(v->tree,
						    vault_span_str(name),
						    vault_span_str(newname));
	}
	if (err == VAULT_OK)
		fuse_reply_err(req, 0);
	return err;
}
