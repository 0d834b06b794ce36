/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "versions/path.h"
#include "versions/when.h"

void vault_timeline_place_release(struct vault_timeline_place *p)
{
	vault_buf_release(&p->name);
}

void vault_timeline_step_release(struct vault_timeline_step *s)
{
	vault_buf_release(&s->file);
	vault_buf_release(&s->name);
}

void vault_timeline_release(struct vault_timeline *t)
{
	for (size_t i = 0; i < t->n; i++)
		vault_timeline_step_release(&t->steps[i]);
	free(t->steps);
	*t = VAULT_TIMELINE_INIT;
}

struct vault_span vault_timeline_extension(struct vault_span path)
{
	const struct vault_span name = vault_path_name(path);

	for (size_t i = name.len; i-- > 1;) {
		if (name.data[i] == '.')
			return i + 1 < name.len ? vault_span_from(name, i)
						: VAULT_SPAN_EMPTY;
	}
	return VAULT_SPAN_EMPTY;
}

/* Which directory a version was in when it came. */
struct holder {
	struct vault_span name;
	uint64_t seq;
	uint64_t dir;
	bool found;
};

static vault_err match_holder(void *ctx, uint64_t dir, struct vault_span name,
			      const struct vault_version *v)
{
	struct holder *h = ctx;

	if (v->seq != h->seq || !vault_span_equal(name, h->name))
		return VAULT_OK;
	h->dir = dir;
	h->found = true;
	return VAULT_ERR_CANCELLED;
}

static vault_err find_holder(struct vault_tree *t, struct vault_span name,
			     const struct vault_version *v, uint64_t *dir)
{
	struct holder h = { .name = name, .seq = v->seq };
	vault_err err;

	err = vault_tree_places(t, v->row.node, v->seq, match_holder, &h);
	if (err != VAULT_OK && err != VAULT_ERR_CANCELLED)
		return err;
	if (!h.found)
		return VAULT_ERR_NOT_FOUND;
	*dir = h.dir;
	return VAULT_OK;
}

vault_err vault_timeline_find(struct vault_tree *t, struct vault_span path,
			      struct vault_timeline_place *out)
{
	struct vault_timeline_place p = VAULT_TIMELINE_PLACE_INIT;
	struct vault_version now;
	vault_err err;

	err = vault_tree_resolve_last_known(t, path, VAULT_AT_NOW, &p.version);
	if (err != VAULT_OK)
		return err == VAULT_ERR_NOT_DIR ? VAULT_ERR_NOT_FOUND : err;
	p.dir = VAULT_DIR_ABOVE;
	if (path.len > 0) {
		const struct vault_span name = vault_path_name(path);

		err = find_holder(t, name, &p.version, &p.dir);
		if (err == VAULT_OK)
			err = vault_buf_append(&p.name, name);
	}
	if (err != VAULT_OK)
		goto out;
	err = vault_tree_resolve(t, path, VAULT_AT_NOW, &now);
	p.now = err == VAULT_OK && now.row.node == p.version.row.node;
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_NOT_DIR)
		err = VAULT_OK;
	if (err != VAULT_OK)
		goto out;
	vault_buf_release(&out->name);
	*out = p;
	p.name = VAULT_BUF_INIT;
out:
	vault_buf_release(&p.name);
	return err;
}

/* ---- all steps ---- */

struct load {
	struct vault_tree *t;
	struct vault_span extension;
	struct vault_timeline steps;
	size_t cap;
};

static vault_err fill_step(struct vault_timeline_step *s, uint64_t dir,
			   struct vault_span name,
			   const struct vault_version *v,
			   const struct vault_moment *m,
			   struct vault_span extension)
{
	char text[VAULT_WHEN_NAME_MAX];
	vault_err err;

	vault_when_name(m->time, text);
	vault_buf_clear(&s->file);
	vault_buf_clear(&s->name);
	err = vault_buf_append_str(&s->file, text);
	if (err == VAULT_OK)
		err = vault_buf_append(&s->file, extension);
	if (err == VAULT_OK)
		err = vault_buf_append(&s->name, name);
	s->dir = dir;
	s->version = *v;
	s->moment = *m;
	return err;
}

static vault_err add_step(void *ctx, uint64_t dir, struct vault_span name,
			  const struct vault_version *v)
{
	struct load *l = ctx;
	struct vault_timeline *steps = &l->steps;
	struct vault_timeline_step *s;
	struct vault_moment m;
	vault_err err;

	err = vault_moment_of(l->t, v->seq, &m);
	if (err == VAULT_ERR_NOT_FOUND) /* its batch is not complete yet */
		return VAULT_OK;
	if (err != VAULT_OK)
		return err;
	/* Two names of one node, or two batches of one moment. */
	if (steps->n > 0 && steps->steps[steps->n - 1].moment.seq == m.seq)
		return fill_step(&steps->steps[steps->n - 1], dir, name, v, &m,
				 l->extension);
	if (steps->n == l->cap) {
		const size_t cap = l->cap == 0 ? 16 : l->cap * 2;

		s = realloc(steps->steps, cap * sizeof(*s));
		if (s == NULL)
			return VAULT_ERR_NOMEM;
		steps->steps = s;
		l->cap = cap;
	}
	s = &steps->steps[steps->n++];
	memset(s, 0, sizeof(*s));
	return fill_step(s, dir, name, v, &m, l->extension);
}

vault_err vault_timeline_load(struct vault_tree *t, struct vault_span path,
			      const struct vault_timeline_place *place,
			      struct vault_timeline *out)
{
	struct load l = {
		.t = t,
		.extension = vault_timeline_extension(path),
		.steps = VAULT_TIMELINE_INIT,
	};
	vault_err err;

	err = vault_tree_timeline(t, place->version.row.node, add_step, &l);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND) {
		vault_timeline_release(&l.steps);
		return err;
	}
	*out = l.steps;
	return VAULT_OK;
}

/* ---- one step ---- */

struct find {
	uint64_t upto; /* the moment's sequence */
	uint64_t dir;
	struct vault_buf name;
	struct vault_version version;
	bool found;
};

static vault_err keep_newest(void *ctx, uint64_t dir, struct vault_span name,
			     const struct vault_version *v)
{
	struct find *f = ctx;

	if (v->seq > f->upto)
		return VAULT_ERR_CANCELLED;
	f->dir = dir;
	f->version = *v;
	f->found = true;
	vault_buf_clear(&f->name);
	return vault_buf_append(&f->name, name);
}

/* The moment whose own name `text` is. */
static vault_err moment_named(struct vault_tree *t, struct vault_span text,
			      struct vault_moment *out)
{
	char name[VAULT_WHEN_NAME_MAX];
	struct vault_when when;
	vault_err err;

	err = vault_when_parse(text, 0, &when);
	if (err != VAULT_OK || when.kind != VAULT_WHEN_TIME)
		return VAULT_ERR_NOT_FOUND;
	err = vault_moment_as_of(t, when.time, out);
	if (err != VAULT_OK)
		return err;
	vault_when_name(out->time, name);
	return vault_span_equal(text, vault_span_str(name))
		       ? VAULT_OK
		       : VAULT_ERR_NOT_FOUND;
}

vault_err vault_timeline_step(struct vault_tree *t, struct vault_span path,
			      const struct vault_timeline_place *place,
			      struct vault_span file,
			      struct vault_timeline_step *out)
{
	const struct vault_span ext = vault_timeline_extension(path);
	struct vault_timeline_step step;
	struct find f = { .name = VAULT_BUF_INIT };
	struct vault_moment m;
	struct vault_moment own;
	vault_err err;

	memset(&step, 0, sizeof(step));
	if (file.len <= ext.len ||
	    !vault_span_equal(vault_span_from(file, file.len - ext.len), ext))
		return VAULT_ERR_NOT_FOUND;
	err = moment_named(t, vault_span(file.data, file.len - ext.len), &m);
	if (err != VAULT_OK)
		return err;
	f.upto = m.seq;
	err = vault_tree_timeline(t, place->version.row.node, keep_newest, &f);
	if (err == VAULT_ERR_CANCELLED)
		err = VAULT_OK;
	if (err == VAULT_OK && !f.found)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		err = vault_moment_of(t, f.version.seq, &own);
	if (err == VAULT_OK && own.seq != m.seq)
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		err = fill_step(&step, f.dir, vault_buf_span(&f.name),
				&f.version, &m, ext);
	if (err == VAULT_OK)
		*out = step;
	else
		vault_timeline_step_release(&step);
	vault_buf_release(&f.name);
	return err;
}
