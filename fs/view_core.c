/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/timeline.h"
#include "versions/moment.h"

#define BLOCK 512

void vault_view_core_release(struct vault_view *v, struct vault_view_found *f)
{
	vault_view_nodes_unpin(v->nodes, f->node);
	f->node = NULL;
}

vault_err vault_view_core_join(struct vault_buf *path, struct vault_span name)
{
	vault_err err = VAULT_OK;

	if (path->len > 0 && name.len > 0)
		err = vault_buf_append_str(path, "/");
	if (err == VAULT_OK)
		err = vault_buf_append(path, name);
	return err;
}

void vault_view_core_entry(struct vault_view *v,
			   const struct vault_view_found *f,
			   struct fuse_entry_param *out)
{
	memset(out, 0, sizeof(*out));
	out->ino = f->node->id;
	out->generation = v->generation;
	out->attr = f->attr;
	out->entry_timeout = f->entry_timeout;
	out->attr_timeout = f->attr_timeout;
	vault_view_nodes_looked_up(v->nodes, f->node);
}

/* ---- stat ---- */

static struct timespec to_timespec(int64_t ns)
{
	const int64_t second = 1000000000;
	struct timespec ts = {
		.tv_sec = ns / second,
		.tv_nsec = ns % second,
	};

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += second;
		ts.tv_sec--;
	}
	return ts;
}

static void set_times(struct stat *st, struct timespec ts)
{
	st->st_atim = ts;
	st->st_mtim = ts;
	st->st_ctim = ts;
}

static void set_size(struct stat *st, uint64_t size)
{
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + BLOCK - 1) / BLOCK);
	st->st_blksize = 1 << 16;
}

void vault_view_core_row_attr(const struct vault_view_node *n,
			      const struct vault_row *row, struct stat *out)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	st.st_ino = n->ino;
	/* Rights that were lent to a program then are not lent again. A
	 * device is opened without our being asked: not by its old rights. */
	st.st_mode = vault_row_type_bits(row->kind);
	if (row->kind != VAULT_KIND_CHAR && row->kind != VAULT_KIND_BLOCK)
		st.st_mode |= row->mode & 01777u;
	st.st_nlink = row->kind == VAULT_KIND_DIR ? 2 : 1;
	st.st_uid = row->uid;
	st.st_gid = row->gid;
	st.st_rdev = row->rdev;
	set_size(&st, row->size);
	set_times(&st, to_timespec(row->mtime_ns));
	*out = st;
}

static vault_err stop_at_first(void *ctx, const struct vault_moment *m)
{
	*(int64_t *)ctx = m->time;
	return VAULT_ERR_CANCELLED;
}

/* When something below the directory last changed. */
static vault_err last_change(struct vault_view *v, struct vault_span path,
			     int64_t *out)
{
	struct vault_version dir;
	int64_t time = v->started;
	vault_err err;

	err = vault_tree_resolve_last_known(v->tree, path, VAULT_AT_NOW, &dir);
	if (err == VAULT_OK && dir.row.kind == VAULT_KIND_DIR)
		err = vault_moment_each_below(v->tree, dir.row.node, false, 0,
					      stop_at_first, &time);
	if (err != VAULT_OK && err != VAULT_ERR_CANCELLED &&
	    err != VAULT_ERR_NOT_FOUND && err != VAULT_ERR_NOT_DIR)
		return err;
	*out = time;
	return VAULT_OK;
}

/* The directories and texts that are made, not recorded. */
static vault_err made_attr(struct vault_view *v,
			   const struct vault_view_node *n, struct stat *out)
{
	struct timespec ts = { .tv_sec = v->started };
	struct vault_moment m;
	struct stat st;
	int64_t time;
	vault_err err;

	memset(&st, 0, sizeof(st));
	st.st_ino = n->ino;
	st.st_uid = v->options.owner;
	st.st_gid = v->options.group;
	st.st_mode = S_IFDIR | 0555;
	st.st_nlink = 2;
	if (n->key.kind == VAULT_VIEW_TEXT ||
	    n->key.kind == VAULT_VIEW_MARKER) {
		st.st_mode = S_IFREG | 0444;
		st.st_nlink = 1;
		set_size(&st, n->text.len);
		if (n->key.kind == VAULT_VIEW_TEXT &&
		    vault_moment_of(v->tree, n->key.seq, &m) == VAULT_OK)
			ts.tv_sec = m.time;
	} else {
		err = last_change(v, n->key.path, &time);
		if (err != VAULT_OK)
			return err;
		ts.tv_sec = time;
		/* Whoever may name moments does it with mkdir. */
		if (n->key.kind == VAULT_VIEW_HISTORY && n->key.path.len == 0)
			st.st_mode = S_IFDIR | 0755;
	}
	set_times(&st, ts);
	*out = st;
	return VAULT_OK;
}

vault_err vault_view_core_version(struct vault_view *v,
				  const struct vault_view_node *n,
				  struct vault_version *out)
{
	switch (n->key.kind) {
	case VAULT_VIEW_PAST:
		return vault_tree_resolve(v->tree, n->key.path, n->key.seq,
					  out);
	case VAULT_VIEW_VERSION:
		return vault_tree_lookup(v->tree, n->key.dir, n->key.path,
					 n->key.seq, out);
	default:
		return VAULT_ERR_INVALID;
	}
}

vault_err vault_view_core_attr(struct vault_view *v,
			       const struct vault_view_node *n,
			       struct stat *out)
{
	struct vault_version version;
	vault_err err;

	if (n->key.kind != VAULT_VIEW_PAST && n->key.kind != VAULT_VIEW_VERSION)
		return made_attr(v, n, out);
	err = vault_view_core_version(v, n, &version);
	if (err == VAULT_OK)
		vault_view_core_row_attr(n, &version.row, out);
	return err;
}

double vault_view_core_attr_timeout(const struct vault_view_node *n)
{
	switch (n->key.kind) {
	case VAULT_VIEW_PAST:
	case VAULT_VIEW_VERSION:
	case VAULT_VIEW_TEXT:
	case VAULT_VIEW_MARKER:
		return VAULT_VIEW_FOREVER;
	default:
		return 0;
	}
}

vault_err vault_view_core_found(struct vault_view *v,
				const struct vault_view_key *key, uint64_t up,
				const struct vault_row *row,
				struct vault_buf *text, double entry_timeout,
				struct vault_view_found *out)
{
	struct vault_view_found f = { .entry_timeout = entry_timeout };
	vault_err err;

	err = vault_view_nodes_get(v->nodes, key, up, text, &f.node);
	if (err != VAULT_OK)
		return err;
	f.attr_timeout = vault_view_core_attr_timeout(f.node);
	if (row != NULL)
		vault_view_core_row_attr(f.node, row, &f.attr);
	else
		err = vault_view_core_attr(v, f.node, &f.attr);
	if (err == VAULT_OK)
		*out = f;
	else
		vault_view_core_release(v, &f);
	return err;
}

/* ---- who may ---- */

/* The caller's groups are asked of the kernel only where they may matter. */
static vault_err caller_groups(fuse_req_t req, gid_t **out, size_t *n)
{
	int have = 32;
	gid_t *list = NULL;

	for (;;) {
		gid_t *more = realloc(list, (size_t)have * sizeof(*list));
		int got;

		if (more == NULL) {
			free(list);
			return VAULT_ERR_NOMEM;
		}
		list = more;
		got = fuse_req_getgroups(req, have, list);
		if (got <= have) {
			/* A caller that is gone has no further groups. */
			*n = got < 0 ? 0 : (size_t)got;
			*out = list;
			return VAULT_OK;
		}
		have = got;
	}
}

/*
 * One version may be reached through many moments, and the kernel keeps one
 * inode for all. The folders on the way as of any moment at which it stood
 * there will do: the same bytes can be had by that way.
 */
static vault_err check_version(struct vault_view *v,
			       const struct vault_caller *who,
			       const struct vault_view_node *n, int want)
{
	uint64_t reached[VAULT_VIEW_REACHED];
	vault_err err = VAULT_ERR_DENIED;

	vault_view_nodes_reached(v->nodes, n, reached);
	for (size_t i = 0;
	     i < VAULT_VIEW_REACHED && reached[i] != 0 &&
	     (err == VAULT_ERR_DENIED || err == VAULT_ERR_NOT_FOUND);
	     i++)
		err = vault_access_version(v->tree, v->projectfd, who,
					   n->key.dir, n->key.path, reached[i],
					   want);
	if (err == VAULT_ERR_DENIED || err == VAULT_ERR_NOT_FOUND)
		err = vault_access_version(v->tree, v->projectfd, who,
					   n->key.dir, n->key.path, n->key.seq,
					   want);
	return err;
}

/* What is now, or was last, at the path: as it is, or was when it went. */
static vault_err check_lineage(struct vault_view *v,
			       const struct vault_caller *who,
			       struct vault_span path, int want)
{
	struct vault_timeline_place p = VAULT_TIMELINE_PLACE_INIT;
	vault_err err;

	err = vault_timeline_find(v->tree, path, &p);
	/* The folder of a file is passed by whoever may read the file. */
	if (err == VAULT_OK && p.version.row.kind != VAULT_KIND_DIR &&
	    (want & VAULT_MAY_SEARCH) != 0)
		want = (want & ~VAULT_MAY_SEARCH) | VAULT_MAY_READ;
	if (err == VAULT_OK)
		err = vault_access_version(v->tree, v->projectfd, who, p.dir,
					   vault_buf_span(&p.name),
					   p.now ? VAULT_AT_NOW : p.version.seq,
					   want);
	vault_timeline_place_release(&p);
	return err;
}

static vault_err check_as(struct vault_view *v, const struct vault_caller *who,
			  const struct vault_view_node *n, int want)
{
	vault_err err;

	switch (n->key.kind) {
	case VAULT_VIEW_PAST:
		return vault_access_past(v->tree, v->projectfd, who,
					 n->key.path, n->key.seq, want);
	case VAULT_VIEW_VERSION:
		return check_version(v, who, n, want);
	case VAULT_VIEW_HISTORY:
	case VAULT_VIEW_GMT:
	case VAULT_VIEW_TIMELINE:
	case VAULT_VIEW_TEXT:
		err = check_lineage(v, who, n->key.path, want);
		/* Nothing is known of it: there is nothing to be told. */
		return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
	case VAULT_VIEW_MARKER:
		return VAULT_OK;
	}
	return VAULT_ERR_DENIED;
}

vault_err vault_view_core_check(struct vault_view *v, fuse_req_t req,
				const struct vault_view_node *n, int want)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct vault_caller who = { .uid = ctx->uid, .gid = ctx->gid };
	gid_t *groups = NULL;
	vault_err err;

	if (who.uid == 0)
		return VAULT_OK;
	err = caller_groups(req, &groups, &who.n_groups);
	if (err != VAULT_OK)
		return err;
	who.groups = groups;
	err = check_as(v, &who, n, want);
	/* Whatever cannot be found any more belongs to nobody. */
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		err = VAULT_ERR_DENIED;
	free(groups);
	return err;
}

/* ---- what is open ---- */

void vault_view_core_opened(struct vault_view *v, struct vault_view_open *o)
{
	pthread_mutex_lock(&v->lock);
	o->prev = NULL;
	o->next = v->open;
	if (o->next != NULL)
		o->next->prev = o;
	v->open = o;
	pthread_mutex_unlock(&v->lock);
}

void vault_view_core_close(struct vault_view *v, struct vault_view_open *o)
{
	pthread_mutex_lock(&v->lock);
	if (o->prev != NULL)
		o->prev->next = o->next;
	else
		v->open = o->next;
	if (o->next != NULL)
		o->next->prev = o->prev;
	pthread_mutex_unlock(&v->lock);
	o->close(v, o);
}

void vault_view_core_close_all(struct vault_view *v)
{
	while (v->open != NULL)
		vault_view_core_close(v, v->open);
}

/* ---- threads of their own ---- */

struct job {
	struct vault_view *v;
	vault_view_core_job *run;
	void *arg;
};

static void *run_job(void *arg)
{
	struct job *j = arg;
	struct vault_view *v = j->v;

	j->run(j->arg);
	free(j);
	pthread_mutex_lock(&v->lock);
	v->jobs--;
	pthread_cond_broadcast(&v->idle);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

vault_err vault_view_core_spawn(struct vault_view *v, vault_view_core_job *run,
				void *arg)
{
	struct job *j = malloc(sizeof(*j));
	pthread_attr_t attr;
	pthread_t thread;
	int failed;

	if (j == NULL)
		return VAULT_ERR_NOMEM;
	*j = (struct job){ v, run, arg };
	pthread_mutex_lock(&v->lock);
	v->jobs++;
	pthread_mutex_unlock(&v->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &attr, run_job, j);
	pthread_attr_destroy(&attr);
	if (failed != 0) {
		free(j);
		pthread_mutex_lock(&v->lock);
		v->jobs--;
		pthread_cond_broadcast(&v->idle);
		pthread_mutex_unlock(&v->lock);
		return VAULT_ERR_NOMEM;
	}
	return VAULT_OK;
}

void vault_view_core_wait(struct vault_view *v)
{
	pthread_mutex_lock(&v->lock);
	while (v->jobs > 0)
		pthread_cond_wait(&v->idle, &v->lock);
	pthread_mutex_unlock(&v->lock);
}
