/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "versions/beneath.h"
#include "versions/engine.h"

/* What the file system tells. Each call only notes where to look. */

static bool is_rules_file(struct vault_span path)
{
	static const char name[] = ".artvaultignore";
	const size_t len = sizeof(name) - 1;

	return path.len >= len &&
	       memcmp(path.data + path.len - len, name, len) == 0 &&
	       (path.len == len || path.data[path.len - len - 1] == '/');
}

static void note_rules(struct vault_capture *c, struct vault_span path)
{
	if (!is_rules_file(path))
		return;
	vault_ignore_reload(c->ignore);
	pthread_mutex_lock(&c->lock);
	c->rescan_wanted = true;
	c->rescan_at_ms = vault_engine_now() + c->options.quiet_ms;
	pthread_mutex_unlock(&c->lock);
}

/* Under the lock; NULL: not remembered by itself. */
static struct vault_dirty_name *mark(struct vault_capture *c,
				     struct vault_span path)
{
	struct vault_dirty_name *n =
		vault_dirty_mark(&c->dirty, path, vault_engine_now());

	if (n == NULL) {
		c->rescan_wanted = true;
		c->rescan_at_ms = vault_engine_now() + c->options.quiet_ms;
	}
	pthread_cond_signal(&c->wake);
	return n;
}

void vault_capture_changed(struct vault_capture *c, struct vault_span path)
{
	if (!c->watch)
		return;
	note_rules(c, path);
	if (vault_engine_is_ignored(c, path))
		return;
	pthread_mutex_lock(&c->lock);
	(void)mark(c, path);
	pthread_mutex_unlock(&c->lock);
}

void vault_capture_opening(struct vault_capture *c, struct vault_span path,
			   bool truncating)
{
	/* Bytes are about to be changed in place either way; only a copy
	 * keeps the old ones. */
	(void)truncating;
	vault_hold_if_unread(c, path, path, true);
}

void vault_capture_replacing(struct vault_capture *c, struct vault_span path)
{
	vault_hold_if_unread(c, path, path, false);
}

void vault_capture_opened(struct vault_capture *c, uint64_t dev, uint64_t ino,
			  struct vault_span path)
{
	struct vault_dirty_name *n;

	if (!c->watch)
		return;
	pthread_mutex_lock(&c->lock);
	if (vault_writers_opened(&c->writers, dev, ino, path,
				 vault_engine_now()) == NULL)
		c->rescan_wanted = true;
	/* An open for writing begins the quiet time anew. */
	n = vault_dirty_find(&c->dirty, path);
	if (n != NULL)
		(void)mark(c, path);
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

void vault_capture_fsynced(struct vault_capture *c, uint64_t dev, uint64_t ino)
{
	struct vault_writer *w;

	pthread_mutex_lock(&c->lock);
	w = vault_writers_find(&c->writers, dev, ino);
	if (w != NULL)
		w->fsynced_ms = vault_engine_now();
	pthread_mutex_unlock(&c->lock);
}

void vault_capture_closed(struct vault_capture *c, uint64_t dev, uint64_t ino,
			  struct vault_span path)
{
	struct vault_writer *w;
	char *at = NULL;

	if (!c->watch)
		return;
	pthread_mutex_lock(&c->lock);
	/* It may have been renamed while it was open. */
	w = vault_writers_find(&c->writers, dev, ino);
	if (w != NULL)
		at = strdup(w->path);
	(void)vault_writers_closed(&c->writers, dev, ino);
	pthread_mutex_unlock(&c->lock);
	vault_capture_changed(c, at != NULL ? vault_span_str(at) : path);
	free(at);
}

static bool is_dir(struct vault_capture *c, struct vault_span path)
{
	struct vault_buf text = VAULT_BUF_INIT;
	int fd = -1;

	if (vault_buf_append(&text, path) == VAULT_OK &&
	    vault_buf_cstr(&text) != NULL)
		fd = vault_beneath_open(c->projectfd, (const char *)text.data,
					O_PATH | O_DIRECTORY);
	vault_buf_release(&text);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Under the lock: what was noted below one name is below the other now. */
static void move_notes(struct vault_capture *c, struct vault_span from,
		       struct vault_span to, bool exchanged)
{
	static const struct vault_span aside = { (const uint8_t *)"\001", 1 };

	if (exchanged) {
		vault_dirty_moved(&c->dirty, to, aside);
		vault_writers_moved(&c->writers, to, aside);
	}
	vault_dirty_moved(&c->dirty, from, to);
	vault_writers_moved(&c->writers, from, to);
	if (exchanged) {
		vault_dirty_moved(&c->dirty, aside, from);
		vault_writers_moved(&c->writers, aside, from);
	}
}

void vault_capture_renamed(struct vault_capture *c, struct vault_span from,
			   struct vault_span to, bool exchanged)
{
	struct vault_dirty_name *a = NULL;
	struct vault_dirty_name *b = NULL;
	bool from_ignored;
	bool to_ignored;

	if (!c->watch)
		return;
	/* A finished save that nobody has read moved away from its name. */
	if (!exchanged)
		vault_hold_if_unread(c, from, to, false);
	if (is_dir(c, to) || (exchanged && is_dir(c, from)))
		vault_ignore_reload(c->ignore);
	note_rules(c, from);
	note_rules(c, to);
	from_ignored = vault_engine_is_ignored(c, from);
	to_ignored = vault_engine_is_ignored(c, to);

	pthread_mutex_lock(&c->lock);
	move_notes(c, from, to, exchanged);
	if (!from_ignored)
		a = mark(c, from);
	if (!to_ignored)
		b = mark(c, to);
	if (a != NULL && b != NULL)
		vault_dirty_pair(a, b);
	pthread_mutex_unlock(&c->lock);
}
