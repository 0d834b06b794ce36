/* SPDX-License-Identifier: Apache-2.0 */
#include "store/compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/catchup.h"
#include "store/state.h"

#define SCRATCH_NAME "check.index"
/* Rows told of in full, a family; the rest are counted. */
#define TOLD 5

/* What "the same index" means (store/FORMAT.md). */
static const struct {
	enum vault_cf cf;
	const char *name;
} families[] = {
	{ VAULT_CF_CHUNK, "chunk" }, { VAULT_CF_ROW, "row" },
	{ VAULT_CF_NODE, "node" },   { VAULT_CF_MOMENT, "moment" },
	{ VAULT_CF_NAME, "name" },   { VAULT_CF_LIVE, "live" },
};
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

struct vault_compare {
	struct vault_store *s;
	struct vault_iter *has[N_FAMILIES];
};

vault_err vault_compare_create(struct vault_store *s,
			       struct vault_compare **out)
{
	struct vault_compare *c = calloc(1, sizeof(*c));
	vault_err err = VAULT_OK;

	if (c == NULL)
		return VAULT_ERR_NOMEM;
	c->s = s;
	for (size_t i = 0; i < N_FAMILIES && err == VAULT_OK; i++)
		err = vault_iter_create(s->index, families[i].cf,
					VAULT_SPAN_EMPTY, VAULT_SPAN_EMPTY,
					&c->has[i]);
	if (err == VAULT_OK)
		*out = c;
	else
		vault_compare_destroy(c);
	return err;
}

void vault_compare_destroy(struct vault_compare *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < N_FAMILIES; i++)
		vault_iter_destroy(c->has[i]);
	free(c);
}

/* One family of both, side by side. */
struct pair {
	struct vault_compare *c;
	enum vault_cf cf;
	const char *name;
	struct vault_iter *has;
	struct vault_iter *should;
	struct vault_buf a;
	struct vault_buf b;
	uint64_t n_different;
	vault_compare_sink *sink;
	void *ctx;
};

static vault_err tell(struct pair *p, struct vault_span key, const char *what)
{
	char text[160];
	size_t n;

	if (p->n_different++ >= TOLD)
		return VAULT_OK;
	n = (size_t)snprintf(text, sizeof(text),
			     "index: family %s: %s: ", p->name, what);
	for (size_t i = 0; i < key.len && n + 3 < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x",
				      key.data[i]);
	return p->sink(p->ctx, text);
}

static vault_err stripped(struct pair *p, struct vault_iter *it,
			  struct vault_buf *out)
{
	vault_index_strip *strip = p->c->s->options.strip;
	vault_err err;

	vault_buf_clear(out);
	err = vault_buf_append(out, vault_iter_value(it));
	if (err == VAULT_OK && strip != NULL)
		strip(p->cf, vault_iter_key(it), out);
	return err;
}

static vault_err compare_values(struct pair *p)
{
	vault_err err;

	err = stripped(p, p->has, &p->a);
	if (err == VAULT_OK)
		err = stripped(p, p->should, &p->b);
	if (err != VAULT_OK)
		return err;
	if (vault_span_equal(vault_buf_span(&p->a), vault_buf_span(&p->b)))
		return VAULT_OK;
	return tell(p, vault_iter_key(p->has), "a row differs from the packs");
}

/* One step, over the smaller key or over both. */
static vault_err step(struct pair *p)
{
	const bool has = vault_iter_valid(p->has);
	const bool should = vault_iter_valid(p->should);
	int order = has ? -1 : 1;
	vault_err err;

	if (has && should)
		order = vault_span_compare(vault_iter_key(p->has),
					   vault_iter_key(p->should));
	if (order < 0)
		err = tell(p, vault_iter_key(p->has),
			   "a row that the packs do not have");
	else if (order > 0)
		err = tell(p, vault_iter_key(p->should),
			   "a row of the packs is missing");
	else
		err = compare_values(p);
	if (order <= 0)
		vault_iter_next(p->has);
	if (order >= 0)
		vault_iter_next(p->should);
	return err;
}

static vault_err compare_pair(struct pair *p)
{
	char text[120];
	vault_err err = VAULT_OK;

	vault_iter_seek_first(p->has);
	vault_iter_seek_first(p->should);
	while (err == VAULT_OK &&
	       (vault_iter_valid(p->has) || vault_iter_valid(p->should)))
		err = step(p);
	if (err == VAULT_OK)
		err = vault_iter_error(p->has);
	if (err == VAULT_ERR_INDEX)
		return p->sink(p->ctx, "the index cannot be read");
	if (err == VAULT_OK)
		err = vault_iter_error(p->should);
	if (err == VAULT_OK && p->n_different > TOLD) {
		snprintf(text, sizeof(text),
			 "index: family %s: %llu rows differ in all", p->name,
			 (unsigned long long)p->n_different);
		err = p->sink(p->ctx, text);
	}
	return err;
}

static vault_err compare_family(struct vault_compare *c, size_t i,
				struct vault_index *scratch,
				vault_compare_sink *sink, void *ctx)
{
	struct pair p = {
		.c = c,
		.cf = families[i].cf,
		.name = families[i].name,
		.has = c->has[i],
		.sink = sink,
		.ctx = ctx,
	};
	vault_err err;

	err = vault_iter_create(scratch, p.cf, VAULT_SPAN_EMPTY,
				VAULT_SPAN_EMPTY, &p.should);
	if (err == VAULT_OK)
		err = compare_pair(&p);
	vault_iter_destroy(p.should);
	vault_buf_release(&p.a);
	vault_buf_release(&p.b);
	return err;
}

vault_err vault_compare_run(struct vault_compare *c, int cachefd,
			    struct vault_replay_span *spans, size_t n_spans,
			    vault_compare_sink *sink, void *ctx)
{
	struct vault_replay r = {
		.packs = c->s->packs,
		.uuid = c->s->params.uuid,
		.apply = c->s->options.apply,
		.spans = spans,
		.n_spans = n_spans,
	};
	char path[64];
	vault_err err;

	err = vault_catchup_remove(cachefd, SCRATCH_NAME);
	if (err != VAULT_OK)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", cachefd,
		 SCRATCH_NAME);
	err = vault_index_open(path, true, &r.index);
	if (err == VAULT_OK)
		err = vault_replay_run(&r);
	for (size_t i = 0; i < N_FAMILIES && err == VAULT_OK; i++)
		err = compare_family(c, i, r.index, sink, ctx);
	vault_index_close(r.index);
	if (vault_catchup_remove(cachefd, SCRATCH_NAME) != VAULT_OK)
		return err != VAULT_OK ? err : VAULT_ERR_IO;
	return err;
}
