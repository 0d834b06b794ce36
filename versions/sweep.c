/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "versions/beneath.h"

/* Names in byte order, one after the other in an arena. */
struct names {
	struct vault_buf arena; /* each with its terminator */
	size_t *at;
	size_t n;
	size_t room;
};

struct recorded {
	struct vault_live live;
	size_t name_at; /* in the arena */
	size_t name_len;
};

struct recorded_names {
	struct vault_buf arena;
	struct recorded *list;
	size_t n;
	size_t room;
};

/* A directory to go into once the present one is done. */
struct below {
	uint64_t node;
	size_t name_at; /* in the disk's arena */
};

struct scan {
	struct vault_plan *p;
	struct vault_buf path; /* of the directory being looked at */
};

struct visit {
	struct scan *s;
	uint64_t dir;
	int fd;
	struct names disk;
	struct recorded_names known;
	struct below *below;
	size_t n_below;
	size_t room_below;
	bool is_young; /* the directory itself changed a moment ago */
};

static void release_visit(struct visit *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
	vault_buf_release(&v->disk.arena);
	free(v->disk.at);
	vault_buf_release(&v->known.arena);
	free(v->known.list);
	free(v->below);
}

/* ---- the two lists ---- */

static vault_err add_name(struct names *l, const char *name)
{
	if (l->n == l->room) {
		const size_t room = l->room == 0 ? 64 : l->room * 2;
		size_t *at = realloc(l->at, room * sizeof(*at));

		if (at == NULL)
			return VAULT_ERR_NOMEM;
		l->at = at;
		l->room = room;
	}
	l->at[l->n++] = l->arena.len;
	return vault_buf_append(&l->arena, vault_span(name, strlen(name) + 1));
}

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct names *l = ctx;
	const size_t *x = a;
	const size_t *y = b;

	return strcmp((const char *)l->arena.data + *x,
		      (const char *)l->arena.data + *y);
}

static const char *disk_name(const struct names *l, size_t i)
{
	return (const char *)l->arena.data + l->at[i];
}

static vault_err read_names(int fd, struct names *l)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;
	vault_err err = VAULT_OK;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return VAULT_ERR_IO;
	}
	for (errno = 0; (e = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		err = add_name(l, e->d_name);
		if (err != VAULT_OK)
			break;
	}
	/* Half a listing would bury the other half. */
	if (err == VAULT_OK && errno != 0)
		err = vault_err_from_errno(errno);
	closedir(dir);
	if (l->n > 1)
		qsort_r(l->at, l->n, sizeof(*l->at), by_name, l);
	return err;
}

static vault_err add_recorded(void *ctx, struct vault_span name,
			      const struct vault_live *live)
{
	struct recorded_names *l = ctx;

	if (l->n == l->room) {
		const size_t room = l->room == 0 ? 64 : l->room * 2;
		struct recorded *list = realloc(l->list, room * sizeof(*list));

		if (list == NULL)
			return VAULT_ERR_NOMEM;
		l->list = list;
		l->room = room;
	}
	l->list[l->n++] = (struct recorded){ *live, l->arena.len, name.len };
	return vault_buf_append(&l->arena, name);
}

static struct vault_span recorded_name(const struct recorded_names *l, size_t i)
{
	return vault_span(l->arena.data + l->list[i].name_at,
			  l->list[i].name_len);
}

/* ---- one name ---- */

static bool is_young(const struct visit *v, int64_t ctime_ns)
{
	struct timespec ts;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &ts);
	age = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - ctime_ns;
	/* A time in the future proves nothing and must not wait for ever. */
	return age >= 0 && age / 1000000 < v->s->p->c->options.quiet_ms;
}

/* Is the difference for somebody else's timer? */
static bool is_restless(struct visit *v, struct vault_span path,
			const struct vault_ingest_stat *st)
{
	struct vault_capture *c = v->s->p->c;

	if (v->s->p->force || !c->watch)
		return false;
	if (vault_engine_is_pending(c, path))
		return true;
	/* What was there before we came is at rest, however young. */
	if (v->s->p->cause != VAULT_CAUSE_RESCAN)
		return false;
	if (st != NULL ? is_young(v, st->backing.ctime_ns) : v->is_young) {
		vault_engine_put_off(c, path, false, 0);
		return true;
	}
	return false;
}

static vault_err add_below(struct visit *v, uint64_t node, size_t disk_at)
{
	if (v->n_below == v->room_below) {
		const size_t room = v->room_below == 0 ? 16 : v->room_below * 2;
		struct below *list = realloc(v->below, room * sizeof(*list));

		if (list == NULL)
			return VAULT_ERR_NOMEM;
		v->below = list;
		v->room_below = room;
	}
	v->below[v->n_below++] = (struct below){ node, disk_at };
	return VAULT_OK;
}

/* `st` NULL: gone. `disk_at` is where its name is in the disk's arena. */
static vault_err look(struct visit *v, struct vault_span name,
		      const struct vault_live *live,
		      const struct vault_ingest_stat *st, size_t disk_at)
{
	struct vault_plan *p = v->s->p;
	struct vault_buf *path = &v->s->path;
	const size_t len = path->len;
	struct vault_plan_seen seen = { .node = VAULT_NODE_NONE };
	struct vault_plan_name n = { .dir = v->dir, .live = live };
	vault_err err = VAULT_OK;

	/* By far the most: nothing to be done, whatever the rules say. */
	if (live != NULL && st != NULL && st->kind != VAULT_KIND_DIR &&
	    vault_plan_is_same(live, st))
		return VAULT_OK;
	if (len > 0)
		err = vault_buf_put_u8(path, '/');
	if (err == VAULT_OK)
		err = vault_buf_append(path, name);
	if (err != VAULT_OK)
		goto out;
	n.path = vault_buf_span(path);
	/* What is left out now and was kept once stays as it was. */
	if (st != NULL &&
	    vault_ignore_ask(p->c->ignore, n.path, st->kind == VAULT_KIND_DIR))
		goto out;
	if ((live == NULL || st == NULL || !vault_plan_is_same(live, st)) &&
	    is_restless(v, n.path, st)) {
		/* The directory waits; what it holds need not. */
		if (live != NULL && st != NULL && st->kind == VAULT_KIND_DIR &&
		    live->version.row.kind == VAULT_KIND_DIR)
			err = add_below(v, live->version.row.node, disk_at);
		goto out;
	}
	err = vault_plan_look(p, &n, st, &seen);
	if (err == VAULT_OK && seen.kind == VAULT_KIND_DIR)
		err = add_below(v, seen.node, disk_at);
out:
	path->len = len;
	return err;
}

static vault_err look_on_disk(struct visit *v, size_t i,
			      const struct vault_live *live)
{
	struct vault_capture *c = v->s->p->c;
	const char *name = disk_name(&v->disk, i);
	struct vault_ingest_stat st;
	vault_err err = vault_ingest_stat(v->fd, name, &st);

	if (err == VAULT_ERR_NOT_FOUND)
		return live == NULL
			       ? VAULT_OK
			       : look(v, vault_span_str(name), live, NULL, 0);
	if (err != VAULT_OK)
		return VAULT_OK; /* its directory reports what it cannot show */
	if (vault_engine_is_foreign(c, &st))
		return VAULT_OK;
	return look(v, vault_span_str(name), live, &st, v->disk.at[i]);
}

/* In the root the vault is nobody's business. */
static bool is_hidden(const struct visit *v, const char *name)
{
	const char *vault = v->s->p->c->vault_name;

	return v->s->path.len == 0 && vault != NULL && strcmp(name, vault) == 0;
}

static vault_err merge(struct visit *v)
{
	size_t d = 0;
	size_t k = 0;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && (d < v->disk.n || k < v->known.n)) {
		int order;

		if (d == v->disk.n)
			order = 1;
		else if (k == v->known.n)
			order = -1;
		else
			order = vault_span_compare(
				vault_span_str(disk_name(&v->disk, d)),
				recorded_name(&v->known, k));
		if (order > 0) {
			err = look(v, recorded_name(&v->known, k),
				   &v->known.list[k].live, NULL, 0);
			k++;
			continue;
		}
		if (!is_hidden(v, disk_name(&v->disk, d)))
			err = look_on_disk(v, d,
					   order == 0 ? &v->known.list[k].live
						      : NULL);
		d++;
		k += order == 0;
	}
	return err;
}

/* ---- directories ---- */

static vault_err scan_at(struct scan *s, uint64_t dir);

static vault_err go_below(struct visit *v)
{
	struct vault_buf *path = &v->s->path;
	const size_t len = path->len;
	vault_err err = VAULT_OK;

	for (size_t i = 0; i < v->n_below && err == VAULT_OK; i++) {
		const char *name =
			(const char *)v->disk.arena.data + v->below[i].name_at;

		if (len > 0)
			err = vault_buf_put_u8(path, '/');
		if (err == VAULT_OK)
			err = vault_buf_append_str(path, name);
		if (err == VAULT_OK)
			err = scan_at(v->s, v->below[i].node);
		path->len = len;
	}
	return err;
}

/* Cannot be listed: what is recorded below stays as it is. */
static vault_err unreadable(struct scan *s, vault_err err)
{
	if (err == VAULT_ERR_NOMEM)
		return err;
	if (err != VAULT_ERR_NOT_FOUND && err != VAULT_ERR_NOT_DIR)
		vault_engine_lost(s->p->c, vault_buf_span(&s->path),
				  "the directory cannot be read");
	return VAULT_OK;
}

static vault_err scan_at(struct scan *s, uint64_t dir)
{
	struct vault_capture *c = s->p->c;
	struct visit v = { .s = s, .dir = dir, .fd = -1 };
	struct vault_ingest_stat st;
	vault_err err;

	if (atomic_load(&c->stopping))
		return VAULT_ERR_CANCELLED;
	if (vault_buf_cstr(&s->path) == NULL)
		return VAULT_ERR_NOMEM;
	v.fd = vault_beneath_open(c->projectfd, (const char *)s->path.data,
				  O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	if (v.fd < 0)
		return unreadable(s, vault_err_from_errno(errno));
	err = vault_ingest_stat(v.fd, "", &st);
	if (err == VAULT_OK) {
		v.is_young = is_young(&v, st.backing.ctime_ns);
		err = read_names(v.fd, &v.disk);
	}
	if (err != VAULT_OK) {
		release_visit(&v);
		return unreadable(s, err);
	}
	err = vault_tree_live_list(c->tree, dir, add_recorded, &v.known);
	if (err == VAULT_OK)
		err = merge(&v);
	close(v.fd);
	v.fd = -1;
	vault_buf_release(&v.known.arena);
	free(v.known.list);
	v.known.list = NULL;
	if (err == VAULT_OK)
		err = go_below(&v);
	release_visit(&v);
	return err;
}

vault_err vault_sweep_dir(struct vault_plan *p, uint64_t dir,
			  struct vault_span path)
{
	struct scan s = { .p = p };
	vault_err err = vault_buf_append(&s.path, path);

	if (err == VAULT_OK)
		err = scan_at(&s, dir);
	vault_buf_release(&s.path);
	return err;
}

vault_err vault_sweep_all(struct vault_plan *p)
{
	struct vault_capture *c = p->c;
	struct vault_plan_name n = { .dir = VAULT_DIR_ABOVE };
	struct vault_plan_seen seen;
	struct vault_ingest_stat st;
	struct vault_live root;
	vault_err err;

	err = vault_tree_live(c->tree, VAULT_DIR_ABOVE, VAULT_SPAN_EMPTY,
			      &root);
	if (err == VAULT_OK)
		n.live = &root;
	else if (err != VAULT_ERR_NOT_FOUND)
		return err;
	p->virgin = n.live == NULL;
	err = vault_ingest_stat(c->projectfd, "", &st);
	if (err == VAULT_OK)
		err = vault_plan_look(p, &n, &st, &seen);
	if (err == VAULT_OK)
		err = vault_sweep_dir(p, VAULT_NODE_ROOT, VAULT_SPAN_EMPTY);
	return err;
}
