/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/capture.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/base/log.h"
#include "versions/round.h"
#include "versions/engine.h"
#include "versions/plan.h"
#include "versions/readers.h"
#include "versions/sweep.h"

#define SECOND_MS 1000
#define REPORT_NS 100000000 /* how often a waiting sync tells */
/* After a failure of the vault, and while the disk is full. */
#define FAILED_MS 5000
/* Names that change under the reading are tried so often by sync. */
#define SYNC_ROUNDS 6
/* How long sync waits for files that are just being closed. */
#define SETTLE_MS 40
#define SETTLE_STEP_MS 2
/* Who opened a file before the mount was there writes to it unseen. A program
 * that saves across the death of a daemon does: so long after a start, sync
 * looks at the whole project. */
#define UNSEEN_MS 60000

const struct vault_capture_options vault_capture_options_default = {
	.quiet_ms = 2000,
	.open_quiet_ms = 10000,
	.busy_ms = 900000,
	.rescan_ms = 600000,
	.batch_ms = 5000,
	.spacing_ms = 1000,
	.min_free_bytes = (uint64_t)2 << 30,
	.min_free_percent = 5,
};

/* ---- names that have rested ---- */

struct due {
	struct vault_capture *c;
	int64_t now;
	bool force;
};

static bool has_rested(const struct due *d, const struct vault_dirty_name *n)
{
	if (n->waits)
		return false;
	if (d->force)
		return true;
	return d->now >= n->not_before_ms &&
	       d->now - n->last_ms >= d->c->options.quiet_ms;
}

/* Both names of a rename are looked at together, or lineage would break. */
static bool is_due(void *ctx, const struct vault_dirty *all,
		   const struct vault_dirty_name *n)
{
	const struct due *d = ctx;
	const struct vault_dirty_name *partner = NULL;

	if (!has_rested(d, n))
		return false;
	if (n->partner != NULL)
		partner = vault_dirty_find(all, vault_span_str(n->partner));
	return partner == NULL || has_rested(d, partner) ||
	       d->now - n->first_ms > d->c->options.busy_ms;
}

static void note_taken(struct vault_capture *c,
		       const struct vault_dirty_name *list)
{
	for (; list != NULL; list = list->chain)
		(void)vault_dirty_mark(&c->taken,
				       vault_span(list->path, list->len),
				       list->last_ms);
}

static void free_list(struct vault_dirty_name *list)
{
	while (list != NULL) {
		struct vault_dirty_name *n = list;

		list = n->chain;
		vault_dirty_name_free(n);
	}
}

/* Nothing was committed: all of them are still to be done. */
static void put_back(struct vault_capture *c, struct vault_dirty_name *list)
{
	const int64_t then = vault_engine_now() + FAILED_MS;

	while (list != NULL) {
		struct vault_dirty_name *n = list;

		list = n->chain;
		n->not_before_ms = then;
		vault_dirty_put_back(&c->dirty, n);
	}
}

/* With the work lock. `*n_taken`: how many names were looked at. */
static vault_err run_dirty(struct vault_capture *c, enum vault_cause cause,
			   bool force, bool partial, size_t *n_taken,
			   size_t *n_put_off)
{
	struct due due = { c, vault_engine_now(), force };
	struct vault_dirty_name *list;
	vault_err err;

	*n_put_off = 0;
	pthread_mutex_lock(&c->lock);
	list = vault_dirty_take(&c->dirty, is_due, &due, n_taken);
	note_taken(c, list);
	pthread_mutex_unlock(&c->lock);
	if (list == NULL)
		return VAULT_OK;

	err = vault_round_run(c, list, cause, force, partial, n_put_off);
	pthread_mutex_lock(&c->lock);
	vault_dirty_release(&c->taken);
	if (err != VAULT_OK) {
		put_back(c, list);
		list = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	free_list(list);
	return err;
}

static vault_err interlude(struct vault_capture *c, bool partial)
{
	size_t n_taken;
	size_t n_put_off;
	vault_err err = vault_hold_commit_all(c);

	if (err == VAULT_OK)
		err = run_dirty(c, VAULT_CAUSE_SAVE, false, partial, &n_taken,
				&n_put_off);
	return err;
}

/* ---- scanning ---- */

static bool is_captured(struct vault_capture *c)
{
	struct vault_moment m;

	return vault_moment_latest(c->tree, &m) == VAULT_OK;
}

/* The number that the disk had when the root was recorded. */
static void read_old_dev(struct vault_capture *c)
{
	struct vault_live root;

	if (vault_tree_live(c->tree, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
			    &root) == VAULT_OK)
		c->old_dev = root.backing.dev;
	else
		c->old_dev = c->dev;
}

/* With the work lock. */
static vault_err scan(struct vault_capture *c, enum vault_cause cause,
		      bool force)
{
	const bool first = !is_captured(c);
	struct vault_plan p;
	vault_err err;

	if (first)
		cause = VAULT_CAUSE_INITIAL;
	atomic_store(&c->scanning, true);
	vault_ignore_reload(c->ignore);
	pthread_mutex_lock(&c->lock);
	c->rescan_wanted = false;
	c->dirty.overflow = false;
	pthread_mutex_unlock(&c->lock);
	err = vault_plan_init(&p, c, cause, force, cause != VAULT_CAUSE_RESCAN);
	if (err == VAULT_OK) {
		p.interlude = c->watch ? interlude : NULL;
		err = vault_sweep_all(&p);
		if (err == VAULT_OK)
			err = vault_plan_finish(&p, first ? VAULT_PLAN_ALWAYS
							  : VAULT_PLAN_IF_ANY);
		vault_plan_release(&p);
	}
	atomic_store(&c->scanning, false);
	c->last_scan_ms = vault_engine_now();
	if (err == VAULT_OK)
		atomic_store(&c->first_done, true);
	return err;
}

/* ---- the planner ---- */

static bool wants_rescan(struct vault_capture *c, int64_t now)
{
	bool wanted;

	pthread_mutex_lock(&c->lock);
	wanted = (c->rescan_wanted && now >= c->rescan_at_ms) ||
		 c->dirty.overflow;
	pthread_mutex_unlock(&c->lock);
	return wanted || (c->options.rescan_ms > 0 &&
			  now - c->last_scan_ms >= c->options.rescan_ms);
}

/* One turn, with the work lock. */
static vault_err turn(struct vault_capture *c)
{
	const int64_t now = vault_engine_now();
	size_t n_taken;
	size_t n_put_off;
	vault_err err;

	if (!atomic_load(&c->first_done))
		return scan(c, VAULT_CAUSE_OFFLINE, false);
	err = vault_hold_commit_all(c);
	if (err == VAULT_OK && now - c->last_commit_ms >= c->options.spacing_ms)
		err = run_dirty(c, VAULT_CAUSE_SAVE, false, false, &n_taken,
				&n_put_off);
	if (err == VAULT_OK && wants_rescan(c, now))
		err = scan(c, VAULT_CAUSE_RESCAN, false);
	return err;
}

static struct timespec after(int64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

/* Nothing will become due by the passing of time alone. */
static bool is_idle(const struct vault_capture *c)
{
	return c->dirty.n == 0 && c->writers.n == 0 && c->holds == NULL &&
	       !c->rescan_wanted && !c->dirty.overflow &&
	       atomic_load(&c->first_done);
}

static int64_t pause_of(const struct vault_capture *c, bool idle)
{
	const int64_t ms = c->options.quiet_ms / 4;

	if (idle)
		return c->options.rescan_ms > 0 ? c->options.rescan_ms
						: 3600 * SECOND_MS;
	if (ms > 250)
		return 250;
	return ms < 5 ? 5 : ms;
}

/*
 * An event wakes the planner only if it has nothing to do; then it looks in
 * fixed steps, so that a storm of events does not keep it busy.
 */
static void rest(struct vault_capture *c, vault_err err)
{
	struct timespec until;
	bool idle;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	idle = err == VAULT_OK && is_idle(c);
	until = after(err != VAULT_OK ? FAILED_MS : pause_of(c, idle));
	while (!atomic_load(&c->stopping) && r != ETIMEDOUT &&
	       !(idle && !is_idle(c)))
		r = pthread_cond_timedwait(&c->wake, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
}

static void *planner(void *arg)
{
	struct vault_capture *c = arg;
	int64_t polled = 0;
	vault_err err;

	vault_readers_be_modest();
	while (!atomic_load(&c->stopping)) {
		const int64_t now = vault_engine_now();
		/* Once a second; more often only if asked to be that quick. */
		const int64_t every = c->options.quiet_ms < SECOND_MS
					      ? c->options.quiet_ms
					      : SECOND_MS;

		if (now - polled >= every) {
			vault_poll_writers(c);
			polled = now;
		}
		pthread_mutex_lock(&c->work);
		err = turn(c);
		pthread_mutex_unlock(&c->work);
		if (err != VAULT_OK && err != VAULT_ERR_CANCELLED &&
		    err != VAULT_ERR_NO_SPACE)
			vault_log_error("capture failed and is tried again: %s",
					vault_err_text(err));
		rest(c, err);
	}
	return NULL;
}

/* ---- starting and stopping ---- */

static unsigned count_cores(void)
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}

static void init_locks(struct vault_capture *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static vault_err set_up(struct vault_capture *c,
			const struct vault_capture_options *options)
{
	struct vault_ingest_stat st;
	vault_err err;

	c->options = options != NULL ? *options : vault_capture_options_default;
	c->threads =
		c->options.threads > 0 ? c->options.threads : count_cores();
	if (c->options.vault_name != NULL) {
		c->vault_name = strdup(c->options.vault_name);
		if (c->vault_name == NULL)
			return VAULT_ERR_NOMEM;
		c->options.vault_name = c->vault_name;
	}
	err = vault_ingest_stat(c->projectfd, "", &st);
	if (err != VAULT_OK)
		return err;
	c->dev = st.backing.dev;
	err = vault_ingest_stat(c->vaultfd, "", &st);
	if (err != VAULT_OK)
		return err;
	c->vault_dev = st.backing.dev;
	c->vault_ino = st.backing.ino;
	read_old_dev(c);
	c->started_ms = vault_engine_now();
	c->last_scan_ms = c->started_ms;
	return vault_ignore_load(c->projectfd, &c->ignore);
}

vault_err vault_capture_start(struct vault_tree *t, int projectfd, int vaultfd,
			      const struct vault_capture_options *options,
			      bool watch, struct vault_capture **out)
{
	struct vault_capture *c = calloc(1, sizeof(*c));
	vault_err err;

	if (c == NULL)
		return VAULT_ERR_NOMEM;
	c->tree = t;
	c->projectfd = projectfd;
	c->vaultfd = vaultfd;
	c->watch = watch;
	init_locks(c);
	err = set_up(c, options);
	if (err == VAULT_OK && watch) {
		c->has_planner =
			pthread_create(&c->planner, NULL, planner, c) == 0;
		err = c->has_planner ? VAULT_OK : VAULT_ERR_NOMEM;
	}
	if (err == VAULT_OK)
		*out = c;
	else
		vault_capture_stop(c);
	return err;
}

void vault_capture_stop(struct vault_capture *c)
{
	if (c == NULL)
		return;
	atomic_store(&c->stopping, true);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	if (c->has_planner)
		(void)pthread_join(c->planner, NULL);
	while (c->holds != NULL) {
		struct vault_hold *h = c->holds;

		c->holds = h->next;
		vault_hold_free(h);
	}
	vault_dirty_release(&c->dirty);
	vault_dirty_release(&c->taken);
	vault_writers_release(&c->writers);
	vault_losses_release(&c->losses);
	for (size_t i = 0; i < c->n_soft; i++)
		free(c->soft[i].name);
	free(c->soft);
	vault_ignore_destroy(c->ignore);
	free(c->vault_name);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->work);
	free(c);
}

/* ---- sync ---- */

struct report {
	vault_capture_progress *progress;
	void *ctx;
};

static void tell(struct vault_capture *c, const struct report *r)
{
	if (r->progress != NULL)
		r->progress(r->ctx, atomic_load(&c->done),
			    atomic_load(&c->total));
}

/* Wait for a scan that is on its way, telling how far it is. */
static void take_work(struct vault_capture *c, const struct report *r)
{
	struct timespec until;

	do {
		tell(c, r);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += REPORT_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	} while (pthread_mutex_timedlock(&c->work, &until) != 0);
}

static void breathe(void)
{
	const struct timespec ts = { .tv_nsec = 50000000 };

	nanosleep(&ts, NULL);
}

/* Names that would not hold still stay pending after some rounds. */
static vault_err sync_dirty(struct vault_capture *c, enum vault_cause cause,
			    const struct report *r)
{
	size_t n_taken = 1;
	size_t n_put_off = 0;
	vault_err err = vault_hold_commit_all(c);

	for (int i = 0; i < SYNC_ROUNDS && n_taken > 0 && err == VAULT_OK;
	     i++) {
		if (n_put_off > 0)
			breathe();
		err = run_dirty(c, cause, true, false, &n_taken, &n_put_off);
		tell(c, r);
	}
	return err;
}

static bool has_writers(struct vault_capture *c)
{
	bool has;

	pthread_mutex_lock(&c->lock);
	has = c->writers.n > 0;
	pthread_mutex_unlock(&c->lock);
	return has;
}

/* A program's close() returns before its RELEASE has been served: whoever
 * saves and syncs at once must not find the file still open. */
static void settle_writers(struct vault_capture *c)
{
	const struct timespec step = { .tv_nsec = SETTLE_STEP_MS * 1000000 };

	for (int ms = 0; ms < SETTLE_MS && has_writers(c); ms += SETTLE_STEP_MS)
		nanosleep(&step, NULL);
}

/* What is held is older than what the disk has now. */
static vault_err scan_unseen(struct vault_capture *c, enum vault_cause cause)
{
	vault_err err = vault_hold_commit_all(c);

	if (err == VAULT_OK)
		err = scan(c, cause, true);
	return err;
}

static vault_err do_sync(struct vault_capture *c, enum vault_cause cause,
			 const struct report *r)
{
	vault_err err = vault_engine_check_space(c);

	if (err != VAULT_OK)
		return err;
	settle_writers(c);
	if (!c->watch)
		err = scan(c, cause, true);
	else if (!atomic_load(&c->first_done) || c->dirty.overflow)
		err = scan(c, VAULT_CAUSE_OFFLINE, true);
	else if (vault_engine_now() - c->started_ms < UNSEEN_MS)
		err = scan_unseen(c, cause);
	if (err == VAULT_OK)
		err = sync_dirty(c, cause, r);
	return err;
}

vault_err vault_capture_sync(struct vault_capture *c, enum vault_cause cause,
			     vault_capture_progress *progress,
			     void *progress_ctx, struct vault_moment *out)
{
	const struct report r = { progress, progress_ctx };
	vault_err err;

	take_work(c, &r);
	err = do_sync(c, cause, &r);
	pthread_mutex_unlock(&c->work);
	tell(c, &r);
	if (err == VAULT_OK && out != NULL)
		err = vault_moment_latest(c->tree, out);
	return err;
}

vault_err vault_capture_rescan(struct vault_capture *c)
{
	const struct report quiet = { NULL, NULL };
	vault_err err;

	take_work(c, &quiet);
	err = scan(c, VAULT_CAUSE_RESCAN, true);
	pthread_mutex_unlock(&c->work);
	return err;
}

/* ---- asking ---- */

void vault_capture_status(struct vault_capture *c,
			  struct vault_capture_status *out)
{
	struct vault_capture_status s = { 0 };

	pthread_mutex_lock(&c->lock);
	s.pending = c->dirty.n + c->taken.n;
	for (const struct vault_hold *h = c->holds; h != NULL; h = h->next)
		s.pending++;
	s.open = c->writers.n;
	pthread_mutex_unlock(&c->lock);
	s.scanning = atomic_load(&c->scanning) ||
		     (c->watch && !atomic_load(&c->first_done));
	s.paused = vault_engine_check_space(c) != VAULT_OK;
	if (vault_engine_space(c, &s.free_bytes, &s.need_bytes) != VAULT_OK)
		s.free_bytes = s.need_bytes = 0;
	*out = s;
}

vault_err vault_capture_each_not_kept(struct vault_capture *c,
				      vault_capture_not_kept *visit, void *ctx)
{
	vault_err err = VAULT_OK;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->losses.n && err == VAULT_OK; i++) {
		const struct vault_loss *l = &c->losses.list[i];

		err = visit(ctx, vault_span_str(l->path), l->reason, l->time);
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

struct pending_visit {
	size_t left;
	vault_capture_not_kept *visit;
	void *ctx;
	int64_t offset_ms; /* from the monotonic clock to the real one */
};

static vault_err visit_pending(void *ctx, const struct vault_dirty_name *n)
{
	struct pending_visit *v = ctx;
	const char *why = "waits until it has rested";

	if (v->left == 0)
		return VAULT_ERR_CANCELLED;
	v->left--;
	if (n->waits)
		why = "is open for writing";
	else if (n->not_before_ms > n->last_ms)
		why = "is tried again";
	return v->visit(v->ctx, vault_span(n->path, n->len), why,
			(n->last_ms + v->offset_ms) / 1000);
}

vault_err vault_capture_each_pending(struct vault_capture *c, size_t max,
				     vault_capture_not_kept *visit, void *ctx)
{
	struct timespec ts;
	struct pending_visit v = { max, visit, ctx, 0 };
	vault_err err;

	clock_gettime(CLOCK_REALTIME, &ts);
	v.offset_ms = (int64_t)ts.tv_sec * 1000 - vault_engine_now();
	pthread_mutex_lock(&c->lock);
	err = vault_dirty_each(&c->dirty, visit_pending, &v);
	if (err == VAULT_OK || (err == VAULT_ERR_CANCELLED && v.left == 0))
		err = vault_dirty_each(&c->taken, visit_pending, &v);
	pthread_mutex_unlock(&c->lock);
	return err == VAULT_ERR_CANCELLED && v.left == 0 ? VAULT_OK : err;
}
