/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/plan.h"

#include <stdlib.h>

#include "versions/lineage.h"
#include "versions/path.h"
#include "versions/readers.h"

/* A batch: enough to keep all readers busy, little enough for a moment to be
 * made of it every few seconds. */
#define BATCH_JOBS ((size_t)1024)
#define BATCH_BYTES ((uint64_t)128 << 20)
/* Rows in memory; beyond, a commit on the way if that is allowed. */
#define COMMIT_BYTES ((size_t)32 << 20)
/* A name whose file would not hold still is looked at again after this. */
#define RETRY_MS 1000
#define STORE_RETRY_MS 5000

static struct vault_span path_of(const struct vault_job *j)
{
	return vault_span_str(j->path);
}

static struct vault_span name_of(const struct vault_job *j)
{
	return vault_span_str(j->path + j->name_at);
}

/* ---- rows that tell that nothing changed ---- */

static vault_err add_soft_rows(struct vault_plan *p)
{
	const struct vault_capture *c = p->c;
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < c->n_soft && err == VAULT_OK; i++) {
		const struct vault_soft_row *s = &c->soft[i];

		err = vault_commit_add(p->commit, s->dir,
				       vault_span_str(s->name), &s->row,
				       &s->backing);
	}
	return err;
}

static void forget_soft_rows(struct vault_capture *c)
{
	for (size_t i = 0; i < c->n_soft; i++)
		free(c->soft[i].name);
	c->n_soft = 0;
}

/* Remember it for the next commit; losing it costs one more reading. */
static void keep_soft_row(struct vault_capture *c, const struct vault_job *j,
			  const struct vault_row *row)
{
	struct vault_soft_row *s;
	char *name;

	if (c->n_soft == VAULT_SOFT_ROWS_MAX)
		forget_soft_rows(c);
	if (c->soft == NULL)
		c->soft = calloc(VAULT_SOFT_ROWS_MAX, sizeof(*c->soft));
	name = vault_path_copy(name_of(j));
	if (c->soft == NULL || name == NULL) {
		free(name);
		return;
	}
	s = &c->soft[c->n_soft++];
	*s = (struct vault_soft_row){
		.dir = j->dir,
		.row = *row,
		.backing = j->result.backing,
		.name = name,
	};
}

static bool is_known_soft(const struct vault_capture *c, uint64_t dir,
			  struct vault_span name,
			  const struct vault_ingest_stat *st)
{
	for (size_t i = 0; i < c->n_soft; i++) {
		const struct vault_soft_row *s = &c->soft[i];
		const struct vault_live l = { .version.row = s->row,
					      .backing = s->backing };

		if (s->dir == dir &&
		    vault_span_equal(vault_span_str(s->name), name) &&
		    vault_plan_is_same(&l, st))
			return true;
	}
	return false;
}

/* ---- the plan ---- */

vault_err vault_plan_init(struct vault_plan *p, struct vault_capture *c,
			  enum vault_cause cause, bool force, bool partial)
{
	vault_err err;

	*p = (struct vault_plan){
		.c = c,
		.cause = cause,
		.force = force,
		.partial = partial,
		.last_ms = vault_engine_now(),
		.inodes = VAULT_IDMAP_INIT,
		.twins = VAULT_IDMAP_INIT,
		.moved = VAULT_IDMAP_INIT,
		.dead = VAULT_IDMAP_INIT,
	};
	err = vault_commit_create(&p->commit);
	if (err == VAULT_OK)
		err = add_soft_rows(p);
	if (err != VAULT_OK)
		vault_plan_release(p);
	return err;
}

static void drop_jobs(struct vault_plan *p)
{
	for (size_t i = 0; i < p->n_jobs; i++)
		free(p->jobs[i].path);
	p->n_jobs = 0;
	p->job_bytes = 0;
	vault_idmap_release(&p->twins);
}

void vault_plan_release(struct vault_plan *p)
{
	drop_jobs(p);
	free(p->jobs);
	for (size_t i = 0; i < p->n_gone; i++)
		free(p->gone[i].name);
	free(p->gone);
	vault_idmap_release(&p->inodes);
	vault_idmap_release(&p->moved);
	vault_idmap_release(&p->dead);
	vault_commit_destroy(p->commit);
	p->commit = NULL;
}

/* ---- looking ---- */

bool vault_plan_is_same(const struct vault_live *live,
			const struct vault_ingest_stat *st)
{
	const struct vault_row *r = &live->version.row;
	const struct vault_backing *b = &live->backing;

	/* The device's number may be another after a remount, so it proves
	 * nothing; what is mounted inside the project is not captured. */
	return r->kind == st->kind && !b->racy &&
	       (r->flags & VAULT_ROW_TORN) == 0 && b->ino == st->backing.ino &&
	       b->ctime_ns == st->backing.ctime_ns &&
	       r->mtime_ns == st->mtime_ns &&
	       (r->kind != VAULT_KIND_FILE || r->size == st->size);
}

static vault_err add_gone(struct vault_plan *p, uint64_t dir,
			  struct vault_span path, const struct vault_live *live,
			  bool replaced)
{
	struct vault_plan_gone *g;

	if (p->n_gone == p->room_gone) {
		const size_t room = p->room_gone == 0 ? 64 : p->room_gone * 2;

		g = realloc(p->gone, room * sizeof(*g));
		if (g == NULL)
			return VAULT_ERR_NOMEM;
		p->gone = g;
		p->room_gone = room;
	}
	g = &p->gone[p->n_gone];
	*g = (struct vault_plan_gone){
		.dir = dir,
		.node = live->version.row.node,
		.is_dir = live->version.row.kind == VAULT_KIND_DIR,
		.replaced = replaced,
		.name = vault_path_copy(vault_path_name(path)),
	};
	if (g->name == NULL)
		return VAULT_ERR_NOMEM;
	p->n_gone++;
	return VAULT_OK;
}

/* The node of a name that was not there before, or was something else. */
static vault_err choose_node(struct vault_plan *p,
			     const struct vault_plan_name *n,
			     struct vault_job *j, bool *fresh)
{
	const struct vault_ingest_stat *st = &j->st;
	const bool linked = st->kind != VAULT_KIND_DIR && st->nlink > 1;
	struct vault_lineage line = { .found = false };
	size_t known;
	vault_err err;

	*fresh = st->kind == VAULT_KIND_DIR;
	if (n->path.len == 0) {
		j->node = VAULT_NODE_ROOT;
		return VAULT_OK;
	}
	known = linked ? vault_idmap_get(&p->inodes, st->backing.ino)
		       : VAULT_IDMAP_NONE;
	if (known != VAULT_IDMAP_NONE) {
		j->node = known;
		return VAULT_OK;
	}
	err = p->virgin ? VAULT_OK : vault_lineage_find(p->c, st, &line);
	if (err != VAULT_OK)
		return err;
	if (line.found) {
		j->node = line.version.row.node;
		j->like = line.version.row.content;
		j->has_like = !vault_id_is_none(&j->like);
		*fresh = false;
		return vault_idmap_set(&p->moved, j->node, 1);
	}
	j->node = vault_tree_new_node(p->c->tree);
	return VAULT_OK;
}

static vault_err add_job(struct vault_plan *p, struct vault_job *j)
{
	const bool linked = j->st.kind != VAULT_KIND_DIR && j->st.nlink > 1;
	vault_err err = VAULT_OK;

	if (p->n_jobs == p->room_jobs) {
		const size_t room = p->room_jobs == 0 ? 64 : p->room_jobs * 2;
		struct vault_job *jobs = realloc(p->jobs, room * sizeof(*jobs));

		if (jobs == NULL)
			return VAULT_ERR_NOMEM;
		p->jobs = jobs;
		p->room_jobs = room;
	}
	if (linked) {
		const size_t twin =
			vault_idmap_get(&p->twins, j->st.backing.ino);

		if (twin != VAULT_IDMAP_NONE)
			j->twin = twin + 1;
		else
			err = vault_idmap_set(&p->twins, j->st.backing.ino,
					      p->n_jobs);
		if (err == VAULT_OK)
			err = vault_idmap_set(&p->inodes, j->st.backing.ino,
					      (size_t)j->node);
	}
	if (err != VAULT_OK)
		return err;
	p->jobs[p->n_jobs++] = *j;
	if (j->twin == 0)
		p->job_bytes += j->st.size;
	atomic_fetch_add(&p->c->total, 1);
	return VAULT_OK;
}

static bool must_wait(struct vault_plan *p, const struct vault_plan_name *n,
		      const struct vault_ingest_stat *st)
{
	if (st->kind != VAULT_KIND_FILE || n->resting || n->busy)
		return false;
	if (!vault_engine_is_written(p->c, st->backing.dev, st->backing.ino))
		return false;
	vault_engine_put_off(p->c, n->path, true, 0);
	p->n_put_off++;
	return true;
}

static vault_err look_at_change(struct vault_plan *p,
				const struct vault_plan_name *n,
				const struct vault_ingest_stat *st,
				struct vault_plan_seen *out)
{
	struct vault_job j = { .dir = n->dir, .st = *st, .busy = n->busy };
	bool fresh = false;
	vault_err err = VAULT_OK;

	j.had = n->live != NULL && n->live->version.row.kind == st->kind;
	if (j.had) {
		j.prev = *n->live;
		j.node = j.prev.version.row.node;
		j.like = j.prev.version.row.content;
		j.has_like = !vault_id_is_none(&j.like);
		/* Another directory took the name: the node stays, and what
		 * is in it must be looked at. */
		fresh = st->kind == VAULT_KIND_DIR &&
			j.prev.backing.ino != st->backing.ino;
	} else {
		err = choose_node(p, n, &j, &fresh);
		if (err == VAULT_OK && n->live != NULL)
			err = add_gone(p, n->dir, n->path, n->live, true);
	}
	if (err != VAULT_OK)
		return err;
	j.path = vault_path_copy(n->path);
	j.name_at = vault_path_name_at(n->path);
	if (j.path == NULL)
		return VAULT_ERR_NOMEM;
	err = add_job(p, &j);
	if (err != VAULT_OK) {
		free(j.path);
		return err;
	}
	*out = (struct vault_plan_seen){ j.node, st->kind, fresh };
	if (p->n_jobs >= BATCH_JOBS || p->job_bytes >= BATCH_BYTES)
		err = vault_plan_flush(p);
	return err;
}

/* What was recorded while this plan was being made counts. */
static vault_err renew(struct vault_plan *p, struct vault_plan_name *n,
		       struct vault_live *live)
{
	vault_err err;

	if (!p->had_interlude)
		return VAULT_OK;
	err = vault_tree_live(p->c->tree, n->dir, vault_path_name(n->path),
			      live);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
		return err;
	n->live = err == VAULT_OK ? live : NULL;
	return VAULT_OK;
}

vault_err vault_plan_look(struct vault_plan *p,
			  const struct vault_plan_name *name,
			  const struct vault_ingest_stat *st,
			  struct vault_plan_seen *out)
{
	struct vault_plan_name copy = *name;
	const struct vault_plan_name *n = &copy;
	struct vault_live renewed;
	vault_err err = renew(p, &copy, &renewed);

	if (err != VAULT_OK)
		return err;
	*out = (struct vault_plan_seen){ VAULT_NODE_NONE, VAULT_KIND_NONE,
					 false };
	if (st == NULL || st->kind == VAULT_KIND_NONE) {
		if (n->live == NULL || n->path.len == 0)
			return VAULT_OK;
		return add_gone(p, n->dir, n->path, n->live, false);
	}
	if (n->live != NULL && vault_plan_is_same(n->live, st)) {
		*out = (struct vault_plan_seen){ n->live->version.row.node,
						 st->kind, false };
		return VAULT_OK;
	}
	if (n->live != NULL && n->live->version.row.kind == st->kind &&
	    is_known_soft(p->c, n->dir, vault_path_name(n->path), st)) {
		*out = (struct vault_plan_seen){ n->live->version.row.node,
						 st->kind, false };
		return VAULT_OK;
	}
	if (must_wait(p, n, st))
		return VAULT_OK;
	return look_at_change(p, n, st, out);
}

/* ---- reading ---- */

/* Only the directory's own times differ: what changed in it says so itself,
 * and what came and went in it was a temporary name. */
static bool is_dir_time_only(const struct vault_row *a,
			     const struct vault_row *b)
{
	struct vault_row timed = *a;

	timed.mtime_ns = b->mtime_ns;
	return a->kind == VAULT_KIND_DIR && vault_row_same(&timed, b);
}

static vault_err record(struct vault_plan *p, struct vault_job *j)
{
	struct vault_row row = j->result.row;
	const struct vault_row *was = &j->prev.version.row;
	bool soft;
	vault_err err;

	row.node = j->node;
	soft = j->had &&
	       (vault_row_same(was, &row) || is_dir_time_only(was, &row));
	err = vault_commit_add(p->commit, j->dir, name_of(j), &row,
			       &j->result.backing);
	if (err != VAULT_OK)
		return err;
	if (soft)
		keep_soft_row(p->c, j, &row);
	else
		p->n_real++;
	vault_engine_kept(p->c, path_of(j));
	return VAULT_OK;
}

static const char *reason_of(vault_err err)
{
	switch (err) {
	case VAULT_ERR_CHANGED:
		return "it kept changing while it was read";
	case VAULT_ERR_DENIED:
	case VAULT_ERR_FORBIDDEN:
		return "it may not be read";
	case VAULT_ERR_IO:
		return "it cannot be read: input/output error";
	default:
		return vault_err_text(err);
	}
}

/* A name that could not be kept this time. */
static vault_err put_off(struct vault_plan *p, struct vault_job *j)
{
	const bool gone = j->err == VAULT_ERR_NOT_FOUND ||
			  j->err == VAULT_ERR_NOT_DIR ||
			  j->err == VAULT_ERR_LOOP;

	if (j->st.kind == VAULT_KIND_DIR && !j->had) {
		const vault_err err = vault_idmap_set(&p->dead, j->node, 1);

		if (err != VAULT_OK)
			return err;
	}
	p->n_put_off++;
	if (!j->result.of_file) {
		vault_engine_lost(p->c, path_of(j),
				  "the vault could not be written; it is tried "
				  "again");
		vault_engine_put_off(p->c, path_of(j), false, STORE_RETRY_MS);
		return VAULT_OK;
	}
	/* Gone or replaced since it was looked at: look again. */
	if (gone || j->err == VAULT_ERR_CHANGED)
		vault_engine_put_off(p->c, path_of(j), false, RETRY_MS);
	if (!gone)
		vault_engine_lost(p->c, path_of(j), reason_of(j->err));
	return VAULT_OK;
}

static vault_err settle(struct vault_plan *p, struct vault_job *j)
{
	if (j->twin > 0) {
		j->err = p->jobs[j->twin - 1].err;
		j->result = p->jobs[j->twin - 1].result;
	}
	atomic_fetch_add(&p->c->done, 1);
	if (j->err == VAULT_ERR_NOMEM || j->err == VAULT_ERR_CANCELLED ||
	    (j->err == VAULT_ERR_NO_SPACE && !j->result.of_file))
		return j->err;
	if (j->err != VAULT_OK)
		return put_off(p, j);
	if (vault_idmap_get(&p->dead, j->dir) != VAULT_IDMAP_NONE ||
	    vault_engine_is_held(p->c, path_of(j))) {
		/* Its directory was not kept, or an older state of it must
		 * come first. */
		p->n_put_off++;
		if (j->st.kind == VAULT_KIND_DIR && !j->had) {
			const vault_err err =
				vault_idmap_set(&p->dead, j->node, 1);

			if (err != VAULT_OK)
				return err;
		}
		vault_engine_put_off(p->c, path_of(j), false, 0);
		return VAULT_OK;
	}
	return record(p, j);
}

static vault_err commit(struct vault_plan *p, bool partial)
{
	struct vault_moment m;
	vault_err err = vault_engine_check_space(p->c);

	if (err == VAULT_OK)
		err = vault_tree_commit(p->c->tree, p->commit, p->cause,
					partial, &m);
	if (err != VAULT_OK)
		return err;
	forget_soft_rows(p->c);
	p->n_real = 0;
	p->last_ms = vault_engine_now();
	p->c->last_commit_ms = p->last_ms;
	if (partial) {
		p->n_commits++;
		return VAULT_OK;
	}
	p->committed = true;
	p->moment = m;
	return VAULT_OK;
}

vault_err vault_plan_flush(struct vault_plan *p)
{
	vault_err err = vault_engine_check_space(p->c);

	if (err == VAULT_OK)
		err = vault_readers_run(p->c, p->jobs, p->n_jobs);
	for (size_t i = 0; i < p->n_jobs && err == VAULT_OK; i++)
		err = settle(p, &p->jobs[i]);
	drop_jobs(p);
	if (err != VAULT_OK || !p->partial || p->n_real == 0)
		return err;
	if (vault_engine_now() - p->last_ms >= p->c->options.batch_ms ||
	    vault_commit_bytes(p->commit) >= COMMIT_BYTES) {
		err = commit(p, true);
		if (err == VAULT_OK && p->interlude != NULL) {
			p->had_interlude = true;
			err = p->interlude(p->c,
					   p->cause == VAULT_CAUSE_INITIAL);
		}
	}
	return err;
}

/* ---- what is gone ---- */

struct burial {
	struct vault_plan *p;
	uint64_t dir;
};

static vault_err bury(struct vault_plan *p, uint64_t dir,
		      struct vault_span name)
{
	const struct vault_row tombstone = { .kind = VAULT_KIND_NONE };

	p->n_real++;
	return vault_commit_add(p->commit, dir, name, &tombstone, NULL);
}

static vault_err bury_below(struct vault_plan *p, uint64_t dir);

static vault_err bury_entry(void *ctx, struct vault_span name,
			    const struct vault_live *l)
{
	const struct burial *b = ctx;
	const uint64_t node = l->version.row.node;
	vault_err err = bury(b->p, b->dir, name);

	if (err == VAULT_OK && l->version.row.kind == VAULT_KIND_DIR &&
	    vault_idmap_get(&b->p->moved, node) == VAULT_IDMAP_NONE)
		err = bury_below(b->p, node);
	return err;
}

/* So that every file's own line of versions ends, not only its folder's. */
static vault_err bury_below(struct vault_plan *p, uint64_t dir)
{
	struct burial b = { p, dir };

	return vault_tree_live_list(p->c->tree, dir, bury_entry, &b);
}

static vault_err bury_gone(struct vault_plan *p)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < p->n_gone && err == VAULT_OK; i++) {
		const struct vault_plan_gone *g = &p->gone[i];

		if (!g->replaced)
			err = bury(p, g->dir, vault_span_str(g->name));
		if (err == VAULT_OK && g->is_dir &&
		    vault_idmap_get(&p->moved, g->node) == VAULT_IDMAP_NONE)
			err = bury_below(p, g->node);
	}
	return err;
}

/* A complete moment needs a row: the root's, once more. */
static vault_err add_root(struct vault_plan *p)
{
	struct vault_live l;
	vault_err err = vault_tree_live(p->c->tree, VAULT_DIR_ABOVE,
					VAULT_SPAN_EMPTY, &l);

	if (err == VAULT_OK)
		err = vault_commit_add(p->commit, VAULT_DIR_ABOVE,
				       VAULT_SPAN_EMPTY, &l.version.row,
				       &l.backing);
	return err;
}

vault_err vault_plan_add_row(struct vault_plan *p, uint64_t dir,
			     struct vault_span name,
			     const struct vault_row *row,
			     const struct vault_backing *b)
{
	const vault_err err = vault_commit_add(p->commit, dir, name, row, b);

	if (err == VAULT_OK)
		p->n_real++;
	return err;
}

vault_err vault_plan_finish(struct vault_plan *p, enum vault_plan_end end)
{
	vault_err err = vault_plan_flush(p);

	if (err == VAULT_OK)
		err = bury_gone(p);
	if (err != VAULT_OK)
		return err;
	/* What was committed on the way wants its listed end. */
	if (p->n_real == 0 && end != VAULT_PLAN_ALWAYS && p->n_commits == 0)
		return VAULT_OK;
	if (vault_commit_count(p->commit) == 0)
		err = add_root(p);
	if (err == VAULT_OK)
		err = commit(p, end == VAULT_PLAN_PARTIAL);
	return err;
}
