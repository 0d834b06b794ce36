/* SPDX-License-Identifier: Apache-2.0 */
#include "store/put.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/base/log.h"
#include "store/chunk_cache.h"

#define CACHE_BYTES ((size_t)32 << 20)

/* Idle buffers kept, in bytes. */
#define SPARE_BYTES ((size_t)32 << 20)

enum { IDLE, QUEUED, RUNNING, DONE };

/* An idle buffer begins with this. */
struct spare {
	struct spare *next;
	size_t bytes;
};

struct vault_put_pool {
	pthread_mutex_t lock; /* of everything down to `spare_bytes` */
	pthread_cond_t work;  /* the queue is no longer empty, or `ending` */
	pthread_cond_t done;  /* some task is done */
	struct vault_put_task *first;
	struct vault_put_task *last;
	bool ending;
	struct spare *spares;
	size_t spare_bytes;

	pthread_mutex_t append; /* see vault_put_pool_lock() */
	struct vault_chunk_cache *cache;
	unsigned n_threads;
	pthread_t threads[];
};

/* Under the lock: take the first task off the queue, or a certain one. */
static void unqueue(struct vault_put_pool *p, struct vault_put_task *t)
{
	struct vault_put_task *before = NULL;
	struct vault_put_task *at = p->first;

	while (at != t) {
		before = at;
		at = at->next;
	}
	if (before == NULL)
		p->first = t->next;
	else
		before->next = t->next;
	if (p->last == t)
		p->last = before;
	t->next = NULL;
	t->state = RUNNING;
}

/* Under the lock, which is let go meanwhile. */
static void run(struct vault_put_pool *p, struct vault_put_task *t)
{
	pthread_mutex_unlock(&p->lock);
	t->run(t);
	pthread_mutex_lock(&p->lock);
	t->state = DONE;
	pthread_cond_broadcast(&p->done);
}

static void *worker(void *arg)
{
	struct vault_put_pool *p = arg;

	(void)pthread_setname_np(pthread_self(), "vault-put");
	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct vault_put_task *t = p->first;

		if (t != NULL) {
			unqueue(p, t);
			run(p, t);
		} else if (p->ending) {
			break;
		} else {
			pthread_cond_wait(&p->work, &p->lock);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

vault_err vault_put_pool_create(unsigned threads, struct vault_put_pool **out)
{
	struct vault_put_pool *p =
		calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
	vault_err err;
	int code = 0;

	if (p == NULL)
		return VAULT_ERR_NOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->append, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	err = vault_chunk_cache_create(CACHE_BYTES, &p->cache);
	while (err == VAULT_OK && code == 0 && p->n_threads < threads) {
		code = pthread_create(&p->threads[p->n_threads], NULL, worker,
				      p);
		if (code == 0)
			p->n_threads++;
	}
	if (code != 0 && p->n_threads == 0) {
		vault_log_error("store: no worker thread can be made");
		err = vault_err_from_errno(code);
	}
	if (err != VAULT_OK) {
		vault_put_pool_destroy(p);
		return err;
	}
	*out = p;
	return VAULT_OK;
}

void vault_put_pool_destroy(struct vault_put_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	while (p->spares != NULL) {
		struct spare *s = p->spares;

		p->spares = s->next;
		free(s);
	}
	vault_chunk_cache_destroy(p->cache);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->append);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void vault_put_pool_submit(struct vault_put_pool *p, struct vault_put_task *t)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->ending);
	t->next = NULL;
	t->state = QUEUED;
	if (p->last == NULL)
		p->first = t;
	else
		p->last->next = t;
	p->last = t;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void vault_put_pool_wait(struct vault_put_pool *p, struct vault_put_task *t)
{
	pthread_mutex_lock(&p->lock);
	if (t->state == QUEUED) {
		unqueue(p, t);
		run(p, t);
	}
	while (t->state != DONE)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void vault_put_pool_lock(struct vault_put_pool *p)
{
	pthread_mutex_lock(&p->append);
}

void vault_put_pool_unlock(struct vault_put_pool *p)
{
	pthread_mutex_unlock(&p->append);
}

struct vault_chunk_cache *vault_put_pool_cache(struct vault_put_pool *p)
{
	return p->cache;
}

void *vault_put_pool_take_buffer(struct vault_put_pool *p, size_t bytes)
{
	struct spare **at = &p->spares;
	struct spare *s;

	pthread_mutex_lock(&p->lock);
	while (*at != NULL && (*at)->bytes != bytes)
		at = &(*at)->next;
	s = *at;
	if (s != NULL) {
		*at = s->next;
		p->spare_bytes -= bytes;
	}
	pthread_mutex_unlock(&p->lock);
	return s != NULL ? (void *)s : malloc(bytes);
}

void vault_put_pool_give_buffer(struct vault_put_pool *p, void *buffer,
				size_t bytes)
{
	struct spare *s = buffer;

	if (buffer == NULL)
		return;
	assert(bytes >= sizeof(*s));
	pthread_mutex_lock(&p->lock);
	if (p->spare_bytes + bytes <= SPARE_BYTES) {
		s->bytes = bytes;
		s->next = p->spares;
		p->spares = s;
		p->spare_bytes += bytes;
		s = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	free(s);
}
