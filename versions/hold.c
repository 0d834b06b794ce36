/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "versions/beneath.h"
#include "versions/round.h"
#include "versions/engine.h"
#include "versions/plan.h"
#include "versions/xattrs.h"

/* How long an opener may be kept waiting for a copy. */
#define COPY_MS 100
#define COPY_PIECE ((size_t)1 << 20)
/* Descriptors are not for the taking: beyond, a loss is reported. */
#define HOLDS_MAX ((size_t)512)

void vault_hold_free(struct vault_hold *h)
{
	if (h == NULL)
		return;
	if (h->fd >= 0)
		close(h->fd);
	vault_buf_release(&h->xattrs);
	free(h->path);
	free(h);
}

/* Is there, as far as events tell, a finished save that was not read? */
static bool may_be_unread(struct vault_capture *c, struct vault_span path)
{
	const int64_t now = vault_engine_now();
	const struct vault_dirty_name *n;
	bool unread;

	pthread_mutex_lock(&c->lock);
	n = vault_dirty_find(&c->dirty, path);
	unread = vault_dirty_find(&c->taken, path) != NULL ||
		 (n != NULL && now - n->last_ms >= c->options.quiet_ms);
	/* A save that is still in its quiet time is not finished; what nobody
	 * touched since the start is, and the first scan may not have been
	 * there yet. */
	if (n == NULL && !atomic_load(&c->first_done))
		unread = true;
	pthread_mutex_unlock(&c->lock);
	return unread;
}

static size_t count_holds(const struct vault_capture *c)
{
	size_t n = 0;

	for (const struct vault_hold *h = c->holds; h != NULL; h = h->next)
		n++;
	return n;
}

static void append(struct vault_capture *c, struct vault_hold *h)
{
	struct vault_hold **at = &c->holds;

	while (*at != NULL)
		at = &(*at)->next;
	*at = h;
}

/* Copy by hand until it is done or the time is over. */
static bool copy_in_time(int from, int to, uint64_t size)
{
	const int64_t end = vault_engine_now() + COPY_MS;
	off_t off = 0;

	while ((uint64_t)off < size && vault_engine_now() < end) {
		off_t out = off;
		const ssize_t n =
			copy_file_range(from, &off, to, &out, COPY_PIECE, 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
	}
	return (uint64_t)off >= size;
}

/* A descriptor of a copy, unlinked in the vault; -1. */
static int copy_of(struct vault_capture *c, int fd, uint64_t size)
{
	const int copy =
		openat(c->vaultfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (copy < 0)
		return -1;
	if (ioctl(copy, FICLONE, fd) == 0 || copy_in_time(fd, copy, size))
		return copy;
	close(copy);
	return -1;
}

/* True: nothing of it would be lost. */
static bool is_recorded(struct vault_capture *c, struct vault_span path,
			const struct vault_ingest_stat *st)
{
	struct vault_live live;

	return vault_round_live(c, path, &live) == VAULT_OK &&
	       vault_plan_is_same(&live, st);
}

static struct vault_hold *make_hold(struct vault_capture *c,
				    struct vault_span path, int fd,
				    const struct vault_ingest_stat *st,
				    bool copy)
{
	struct vault_hold *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->fd = -1;
	h->st = *st;
	h->path = strndup((const char *)path.data, path.len);
	if (h->path == NULL || vault_xattrs_read(fd, &h->xattrs) != VAULT_OK) {
		vault_hold_free(h);
		return NULL;
	}
	h->fd = copy ? copy_of(c, fd, st->size) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (h->fd < 0) {
		vault_hold_free(h);
		return NULL;
	}
	return h;
}

static void hold(struct vault_capture *c, struct vault_span path, int fd,
		 bool copy)
{
	struct vault_ingest_stat st;
	struct vault_hold *h;
	bool full;

	if (vault_ingest_stat(fd, "", &st) != VAULT_OK ||
	    st.kind != VAULT_KIND_FILE ||
	    vault_engine_is_written(c, st.backing.dev, st.backing.ino) ||
	    is_recorded(c, path, &st))
		return;
	h = make_hold(c, path, fd, &st, copy);
	pthread_mutex_lock(&c->lock);
	full = count_holds(c) >= HOLDS_MAX;
	if (h != NULL && !full) {
		append(c, h);
		h = NULL;
		pthread_cond_signal(&c->wake);
	} else {
		full = true;
	}
	pthread_mutex_unlock(&c->lock);
	vault_hold_free(h);
	if (full)
		vault_engine_lost(c, path,
				  "it was overwritten before it could be read");
}

void vault_hold_if_unread(struct vault_capture *c, struct vault_span path,
			  struct vault_span at, bool copy)
{
	struct vault_buf where = VAULT_BUF_INIT;
	int fd;

	if (!c->watch || path.len == 0 || !may_be_unread(c, path) ||
	    vault_engine_is_ignored(c, path))
		return;
	if (vault_buf_append(&where, at) != VAULT_OK ||
	    vault_buf_cstr(&where) == NULL)
		goto out;
	fd = vault_beneath_open_read(c->projectfd, (const char *)where.data);
	if (fd < 0)
		goto out;
	hold(c, path, fd, copy);
	close(fd);
out:
	vault_buf_release(&where);
}

/* ---- committing ---- */

/* Take the oldest hold off the list; NULL: none. */
static struct vault_hold *take_first(struct vault_capture *c)
{
	struct vault_hold *h;

	pthread_mutex_lock(&c->lock);
	h = c->holds;
	if (h != NULL)
		c->holds = h->next;
	pthread_mutex_unlock(&c->lock);
	return h;
}

static void give_back(struct vault_capture *c, struct vault_hold *h)
{
	pthread_mutex_lock(&c->lock);
	h->next = c->holds;
	c->holds = h;
	pthread_mutex_unlock(&c->lock);
}

static vault_err commit_one(struct vault_capture *c, struct vault_hold *h)
{
	struct vault_ingest_result r;
	struct vault_id like = VAULT_ID_NONE;
	struct vault_live live;
	vault_err err;
	bool had;

	err = vault_round_live(c, vault_span_str(h->path), &live);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
		return err;
	had = err == VAULT_OK && live.version.row.kind == VAULT_KIND_FILE;
	if (had)
		like = live.version.row.content;
	err = vault_ingest_fd(vault_tree_store(c->tree), h->fd, &h->st,
			      vault_buf_span(&h->xattrs),
			      vault_id_is_none(&like) ? NULL : &like, &r);
	if (err != VAULT_OK && r.of_file) {
		vault_engine_lost(c, vault_span_str(h->path),
				  "it was replaced and could not be read");
		return VAULT_OK;
	}
	if (err != VAULT_OK)
		return err;
	if (had && vault_row_same(&live.version.row, &r.row))
		return VAULT_OK;
	return vault_round_commit_row(c, vault_span_str(h->path),
				      had ? &live : NULL, &r);
}

vault_err vault_hold_commit_all(struct vault_capture *c)
{
	struct vault_hold *h;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && (h = take_first(c)) != NULL) {
		err = commit_one(c, h);
		if (err == VAULT_OK)
			vault_hold_free(h);
		else
			give_back(c, h);
	}
	return err;
}
