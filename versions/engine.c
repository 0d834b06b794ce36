/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/engine.h"

#include <sys/statvfs.h>
#include <time.h>

#include "store/base/log.h"

int64_t vault_engine_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool vault_engine_is_foreign(const struct vault_capture *c,
			     const struct vault_ingest_stat *st)
{
	return st->backing.dev != c->dev || (st->backing.ino == c->vault_ino &&
					     st->backing.dev == c->vault_dev);
}

bool vault_engine_is_written(struct vault_capture *c, uint64_t dev,
			     uint64_t ino)
{
	bool written;

	pthread_mutex_lock(&c->lock);
	written = vault_writers_find(&c->writers, dev, ino) != NULL;
	pthread_mutex_unlock(&c->lock);
	return written;
}

void vault_engine_lost(struct vault_capture *c, struct vault_span path,
		       const char *reason)
{
	pthread_mutex_lock(&c->lock);
	vault_losses_add(&c->losses, path, reason);
	pthread_mutex_unlock(&c->lock);
}

void vault_engine_kept(struct vault_capture *c, struct vault_span path)
{
	pthread_mutex_lock(&c->lock);
	vault_losses_remove(&c->losses, path);
	pthread_mutex_unlock(&c->lock);
}

void vault_engine_put_off(struct vault_capture *c, struct vault_span path,
			  bool waits, int64_t delay_ms)
{
	const int64_t now = vault_engine_now();
	struct vault_dirty_name *n;

	pthread_mutex_lock(&c->lock);
	n = vault_dirty_find(&c->dirty, path);
	if (n == NULL)
		n = vault_dirty_mark(&c->dirty, path, now);
	if (n != NULL) {
		n->waits = waits;
		n->tries++;
		if (delay_ms > 0)
			n->not_before_ms = now + delay_ms;
	}
	pthread_mutex_unlock(&c->lock);
}

bool vault_engine_is_pending(struct vault_capture *c, struct vault_span path)
{
	bool pending;

	pthread_mutex_lock(&c->lock);
	pending = vault_dirty_find(&c->dirty, path) != NULL;
	pthread_mutex_unlock(&c->lock);
	return pending;
}

bool vault_engine_is_held(struct vault_capture *c, struct vault_span path)
{
	bool held = false;

	pthread_mutex_lock(&c->lock);
	for (const struct vault_hold *h = c->holds; h != NULL && !held;
	     h = h->next)
		held = vault_span_equal(vault_span_str(h->path), path);
	pthread_mutex_unlock(&c->lock);
	return held;
}

bool vault_engine_is_ignored(struct vault_capture *c, struct vault_span path)
{
	/* "*" with "!(any)/" leaves out files and keeps directories: only what
	 * would be left out as either needs no second look. */
	return vault_ignore_ask(c->ignore, path, false) != VAULT_IGNORE_NOT &&
	       vault_ignore_ask(c->ignore, path, true) != VAULT_IGNORE_NOT;
}

vault_err vault_engine_space(struct vault_capture *c, uint64_t *free_bytes,
			     uint64_t *need_bytes)
{
	const struct vault_capture_options *o = &c->options;
	struct statvfs v;
	uint64_t part;

	if (fstatvfs(c->vaultfd, &v) != 0)
		return VAULT_ERR_IO;
	part = (uint64_t)v.f_blocks / 100 * v.f_frsize * o->min_free_percent;
	*free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	*need_bytes = part > o->min_free_bytes ? part : o->min_free_bytes;
	return VAULT_OK;
}

vault_err vault_engine_check_space(struct vault_capture *c)
{
	uint64_t free_bytes;
	uint64_t need;
	vault_err err = vault_engine_space(c, &free_bytes, &need);
	bool tight;

	if (err != VAULT_OK)
		return VAULT_OK; /* a write will tell */
	tight = free_bytes < need;
	if (atomic_exchange(&c->paused, tight) != tight) {
		if (tight)
			vault_log_warn("capture is paused: %llu MB are free on "
				       "the vault's disk, %llu MB must stay",
				       (unsigned long long)(free_bytes >> 20),
				       (unsigned long long)(need >> 20));
		else
			vault_log_warn("capture goes on: there is space again");
	}
	return tight ? VAULT_ERR_NO_SPACE : VAULT_OK;
}
