/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "versions/round.h"
#include "versions/beneath.h"
#include "versions/engine.h"
#include "versions/plan.h"

/* A copy of what must be known of a writer to look at its file unlocked. */
struct open_file {
	uint64_t dev;
	uint64_t ino;
	char *path;
	bool found;    /* the inode is (still) behind the path */
	bool recorded; /* the path has a row */
	bool differs;  /* from that row */
	struct vault_ingest_stat st;
};

static struct open_file *list_files(struct vault_capture *c, size_t *n)
{
	struct open_file *list;

	*n = 0;
	pthread_mutex_lock(&c->lock);
	list = calloc(c->writers.n + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < c->writers.n_buckets; i++) {
		const struct vault_writer *w = c->writers.buckets[i];

		for (; w != NULL; w = w->chain) {
			struct open_file *f = &list[*n];

			f->dev = w->dev;
			f->ino = w->ino;
			f->path = strdup(w->path);
			*n += f->path != NULL;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return list;
}

static void look(struct vault_capture *c, struct open_file *f)
{
	struct vault_live live;
	const int fd = vault_beneath_open(c->projectfd, f->path, O_PATH);

	if (fd < 0)
		return;
	f->found = vault_ingest_stat(fd, "", &f->st) == VAULT_OK &&
		   f->st.kind == VAULT_KIND_FILE && f->st.backing.ino == f->ino;
	close(fd);
	f->recorded =
		vault_round_live(c, vault_span_str(f->path), &live) == VAULT_OK;
	f->differs = !f->recorded || !vault_plan_is_same(&live, &f->st);
}

static bool has_changed(const struct vault_writer *w,
			const struct vault_ingest_stat *st)
{
	return !w->seen || w->size != (int64_t)st->size ||
	       w->mtime_ns != st->mtime_ns ||
	       w->ctime_ns != st->backing.ctime_ns;
}

static bool has_rested(const struct vault_capture *c,
		       const struct vault_writer *w, int64_t now)
{
	const struct vault_capture_options *o = &c->options;

	if (now - w->changed_ms >= o->open_quiet_ms)
		return true;
	return w->fsynced_ms != 0 && w->fsynced_ms >= w->changed_ms &&
	       now - w->fsynced_ms >= o->quiet_ms;
}

/* Under the lock. */
static void judge(struct vault_capture *c, const struct open_file *f,
		  struct vault_writer *w, int64_t now)
{
	struct vault_dirty_name *n;
	bool rested;
	bool busy;

	if (has_changed(w, &f->st)) {
		/* The first look knows nothing of when; a sync that came just
		 * before it is not undone by it. */
		if (w->seen)
			w->changed_ms = now;
		w->seen = true;
		w->size = (int64_t)f->st.size;
		w->mtime_ns = f->st.mtime_ns;
		w->ctime_ns = f->st.backing.ctime_ns;
		if (f->differs && w->dirty_ms == 0)
			w->dirty_ms = now;
	}
	if (!f->differs)
		w->dirty_ms = 0;
	if (w->dirty_ms == 0)
		return;
	rested = has_rested(c, w, now);
	/* A new file that goes on growing is an unfinished copy. */
	busy = !rested && f->recorded &&
	       now - w->dirty_ms >= c->options.busy_ms;
	if (!rested && !busy)
		return;
	n = vault_dirty_find(&c->dirty, vault_span_str(f->path));
	if (n != NULL && (n->resting || n->busy))
		return; /* on its way */
	n = vault_dirty_mark(&c->dirty, vault_span_str(f->path),
			     now - c->options.quiet_ms);
	if (n == NULL)
		return;
	n->resting = rested;
	n->busy = busy;
	w->dirty_ms = busy ? now : 0;
}

void vault_poll_writers(struct vault_capture *c)
{
	const int64_t now = vault_engine_now();
	size_t n;
	struct open_file *list = list_files(c, &n);

	for (size_t i = 0; list != NULL && i < n; i++) {
		struct vault_writer *w;

		look(c, &list[i]);
		pthread_mutex_lock(&c->lock);
		w = vault_writers_find(&c->writers, list[i].dev, list[i].ino);
		if (w != NULL && list[i].found)
			judge(c, &list[i], w, now);
		pthread_mutex_unlock(&c->lock);
		free(list[i].path);
	}
	free(list);
}
