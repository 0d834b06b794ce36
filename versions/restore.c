/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/restore.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"
#include "store/base/log.h"

#define NAME_LIMIT ((size_t)255)
/* What is longer behind the last dot is no extension but a name. */
#define EXTENSION_LIMIT ((size_t)32)
#define PIECE ((size_t)256 << 10)
/* Targets are at most PATH_MAX, xattrs of one file at most a few of 64 KiB;
 * the limit only keeps a damaged vault from asking for all memory. */
#define SMALL_LIMIT ((uint64_t)64 << 20)

/* ---- the name beside ---- */

/* Where the extension begins, or the length. */
static size_t extension_at(struct vault_span name)
{
	const uint8_t *dot =
		name.len == 0 ? NULL : memrchr(name.data, '.', name.len);
	size_t at;

	if (dot == NULL)
		return name.len;
	at = (size_t)(dot - name.data);
	if (at == 0 || name.len - at > EXTENSION_LIMIT)
		return name.len;
	return at;
}

/* Cut to `len` at most, never inside a character of UTF-8. */
static struct vault_span cut(struct vault_span s, size_t len)
{
	if (s.len <= len)
		return s;
	while (len > 0 && (s.data[len] & 0xC0) == 0x80)
		len--;
	return vault_span(s.data, len);
}

vault_err vault_restore_beside_name(struct vault_span name, const char *moment,
				    struct vault_buf *out)
{
	const size_t at = extension_at(name);
	const struct vault_span extension = vault_span_from(name, at);
	const size_t fixed = strlen(moment) + strlen(" ()") + extension.len;
	struct vault_buf made = VAULT_BUF_INIT;
	vault_err err;

	if (fixed >= NAME_LIMIT)
		return VAULT_ERR_NAME_TOO_LONG;
	err = vault_buf_append(
		&made, cut(vault_span(name.data, at), NAME_LIMIT - fixed));
	if (err == VAULT_OK)
		err = vault_buf_printf(&made, " (%s)", moment);
	if (err == VAULT_OK)
		err = vault_buf_append(&made, extension);
	if (err == VAULT_OK)
		vault_buf_move(out, &made);
	vault_buf_release(&made);
	return err;
}

/* ---- the walk ---- */

/* The first path at which a node of several names was restored. */
struct first {
	uint64_t node;
	struct vault_buf path;
};

struct walk {
	struct vault_tree *t;
	uint64_t at;
	vault_restore_may *may;
	void *may_ctx;
	const struct vault_restore_sink *sink;
	uint64_t failed;
	vault_err damage;      /* the first CORRUPT or DANGLING */
	bool sink_failed;      /* whatever its error is, the walk ends */
	struct vault_buf full; /* path of the item in the project */
	size_t base;	       /* how much of it lies above what is restored */
	struct vault_buf piece;
	struct first *firsts; /* open addressing, power of two */
	size_t n_firsts;
	size_t n_slots;
};

/* The item's path relative to what is restored. */
static struct vault_span below(const struct walk *w)
{
	return vault_span_from(vault_buf_span(&w->full), w->base);
}

static bool is_damage(vault_err err)
{
	return err == VAULT_ERR_CORRUPT || err == VAULT_ERR_DANGLING ||
	       err == VAULT_ERR_NOT_FOUND;
}

static void count_damage(struct walk *w, vault_err err)
{
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_ERR_DANGLING;
	vault_log_error("%.*s: cannot be brought back: %s", (int)w->full.len,
			(const char *)w->full.data, vault_err_text(err));
	if (w->damage == VAULT_OK)
		w->damage = err;
	w->failed++;
}

static struct first *slot_of(struct walk *w, uint64_t node)
{
	size_t i =
		(size_t)(node * 0x9E3779B97F4A7C15u >> 32) & (w->n_slots - 1);

	while (w->firsts[i].node != 0 && w->firsts[i].node != node)
		i = (i + 1) & (w->n_slots - 1);
	return &w->firsts[i];
}

/* Room for one more, with at least half of the slots free. */
static vault_err grow_firsts(struct walk *w)
{
	const size_t n_old = w->n_slots;
	struct first *old = w->firsts;
	const size_t n = n_old == 0 ? 64 : n_old * 2;
	struct first *slots;

	if (w->n_firsts * 2 < n_old)
		return VAULT_OK;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return VAULT_ERR_NOMEM;
	w->firsts = slots;
	w->n_slots = n;
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].node != 0)
			*slot_of(w, old[i].node) = old[i];
	}
	free(old);
	return VAULT_OK;
}

static vault_err count_place(void *ctx, uint64_t dir, struct vault_span name,
			     const struct vault_version *v)
{
	unsigned *n = ctx;

	(void)dir;
	(void)name;
	(void)v;
	return ++*n > 1 ? VAULT_ERR_CANCELLED : VAULT_OK;
}

/*
 * Of a node with several names, the first to be restored is the file and the
 * others are links to it: `*link_to` is its path or empty.
 */
static vault_err find_link(struct walk *w, uint64_t node,
			   struct vault_span *link_to)
{
	unsigned n = 0;
	struct first *slot;
	vault_err err = vault_tree_places(w->t, node, w->at, count_place, &n);

	*link_to = VAULT_SPAN_EMPTY;
	if (err != VAULT_OK && err != VAULT_ERR_CANCELLED)
		return err;
	if (n < 2)
		return VAULT_OK;
	err = grow_firsts(w);
	if (err != VAULT_OK)
		return err;
	slot = slot_of(w, node);
	if (slot->node != 0)
		*link_to = vault_buf_span(&slot->path);
	return VAULT_OK;
}

/* It was restored whole: later names of the node may link to it. */
static vault_err remember_first(struct walk *w, uint64_t node)
{
	struct first *slot;
	vault_err err;

	if (w->n_slots == 0)
		return VAULT_OK; /* no node with several names yet */
	err = grow_firsts(w);
	if (err != VAULT_OK)
		return err;
	slot = slot_of(w, node);
	if (slot->node != 0)
		return VAULT_OK;
	err = vault_buf_append(&slot->path, below(w));
	if (err != VAULT_OK)
		return err;
	slot->node = node;
	w->n_firsts++;
	return VAULT_OK;
}

static vault_err copy_range(struct walk *w, struct vault_content_file *f,
			    uint64_t off, uint64_t end)
{
	while (off < end) {
		const size_t want =
			end - off < PIECE ? (size_t)(end - off) : PIECE;
		size_t got;
		vault_err err = vault_content_file_read(f, off, w->piece.data,
							want, &got);

		if (err != VAULT_OK)
			return err;
		if (got == 0)
			return VAULT_ERR_CORRUPT; /* shorter than its size */
		err = w->sink->data(w->sink->ctx, off,
				    vault_span(w->piece.data, got));
		if (err != VAULT_OK) {
			w->sink_failed = true;
			return err;
		}
		off += got;
	}
	return VAULT_OK;
}

static vault_err copy_content(struct walk *w, struct vault_content_file *f,
			      uint64_t size)
{
	uint64_t off = 0;

	while (off < size) {
		uint64_t start;
		uint64_t end;
		vault_err err =
			vault_content_file_next_data(f, off, &start, &end);

		if (err != VAULT_OK)
			return err;
		if (start >= size)
			break;
		if (end > size)
			end = size;
		if (start < off || end <= start)
			return VAULT_ERR_CORRUPT;
		err = copy_range(w, f, start, end);
		if (err != VAULT_OK)
			return err;
		off = end;
	}
	return VAULT_OK;
}

/* A file with bytes of its own. */
static vault_err walk_content(struct walk *w, struct vault_restore_item *item)
{
	struct vault_content_file *f = NULL;
	vault_err err = VAULT_OK;
	vault_err end;

	if (!vault_id_is_none(&item->row.content)) {
		err = vault_store_open_content(vault_tree_store(w->t),
					       &item->row.content, &f);
		if (is_damage(err)) {
			count_damage(w, err);
			return VAULT_OK;
		}
		if (err != VAULT_OK)
			return err;
	}
	err = w->sink->begin(w->sink->ctx, item);
	if (err != VAULT_OK)
		goto out;
	if (f != NULL)
		err = copy_content(w, f, item->row.size);
	if (is_damage(err) && !w->sink_failed) {
		count_damage(w, err);
		item->row.kind = VAULT_KIND_NONE;
		err = w->sink->end(w->sink->ctx, item);
		goto out;
	}
	if (err != VAULT_OK)
		goto out;
	end = remember_first(w, item->row.node);
	err = w->sink->end(w->sink->ctx, item);
	if (err == VAULT_OK)
		err = end;
out:
	vault_content_file_close(f);
	return err;
}

static vault_err walk_plain(struct walk *w,
			    const struct vault_restore_item *item)
{
	vault_err err = w->sink->begin(w->sink->ctx, item);

	if (err == VAULT_OK)
		err = w->sink->end(w->sink->ctx, item);
	if (err == VAULT_OK && item->link_to.len == 0)
		err = remember_first(w, item->row.node);
	return err;
}

static vault_err walk_item(struct walk *w, const struct vault_version *v);

static vault_err walk_entry(void *ctx, struct vault_span name,
			    const struct vault_version *v)
{
	struct walk *w = ctx;
	const size_t len = w->full.len;
	vault_err err = VAULT_OK;

	if (v->row.kind == VAULT_KIND_NONE)
		return VAULT_OK;
	if (len > 0)
		err = vault_buf_put_u8(&w->full, '/');
	if (err == VAULT_OK)
		err = vault_buf_append(&w->full, name);
	/* What is restored has an empty path; below it no slash leads. */
	if (err == VAULT_OK && len == w->base && len > 0)
		w->base++;
	if (err == VAULT_OK)
		err = walk_item(w, v);
	w->full.len = len;
	if (w->base > len)
		w->base = len;
	return err;
}

static vault_err walk_dir(struct walk *w, const struct vault_restore_item *item)
{
	vault_err err = w->sink->begin(w->sink->ctx, item);

	if (err == VAULT_OK)
		err = w->sink->end(w->sink->ctx, item);
	if (err == VAULT_OK)
		err = vault_tree_list(w->t, item->row.node, w->at,
				      VAULT_SPAN_EMPTY, walk_entry, w);
	if (err == VAULT_OK && w->sink->leave != NULL) {
		struct vault_restore_item again = *item;

		again.path = below(w); /* the buffer may have moved */
		err = w->sink->leave(w->sink->ctx, &again);
	}
	return err;
}

/* The bytes of a small content; damage is counted and `*there` false. */
static vault_err read_small(struct walk *w, const struct vault_id *id,
			    struct vault_buf *out, bool *there)
{
	vault_err err = VAULT_OK;

	*there = true;
	if (!vault_id_is_none(id))
		err = vault_store_read_all(vault_tree_store(w->t), id,
					   SMALL_LIMIT, out);
	if (is_damage(err) || err == VAULT_ERR_TOO_BIG) {
		count_damage(w, err);
		*there = false;
		err = VAULT_OK;
	}
	return err;
}

static vault_err walk_by_kind(struct walk *w, struct vault_restore_item *item)
{
	if (item->row.kind == VAULT_KIND_DIR)
		return walk_dir(w, item);
	if (item->row.kind == VAULT_KIND_FILE && item->link_to.len == 0)
		return walk_content(w, item);
	return walk_plain(w, item);
}

static vault_err walk_item(struct walk *w, const struct vault_version *v)
{
	struct vault_restore_item item = { .row = v->row };
	struct vault_buf xattrs = VAULT_BUF_INIT;
	struct vault_buf target = VAULT_BUF_INIT;
	bool there = true;
	vault_err err = VAULT_OK;

	if (w->may != NULL)
		err = w->may(w->may_ctx, vault_buf_span(&w->full), v);
	if (err == VAULT_ERR_DENIED) {
		w->failed++;
		return VAULT_OK;
	}
	if (err != VAULT_OK)
		return err;

	/* Without its xattrs a file is better than no file: counted, kept. */
	err = read_small(w, &v->row.xattrs, &xattrs, &there);
	if (err == VAULT_OK && v->row.kind == VAULT_KIND_SYMLINK)
		err = read_small(w, &v->row.content, &target, &there);
	if (err != VAULT_OK ||
	    (v->row.kind == VAULT_KIND_SYMLINK && target.len == 0))
		goto out;
	if (v->row.kind != VAULT_KIND_DIR)
		err = find_link(w, v->row.node, &item.link_to);
	if (err != VAULT_OK)
		goto out;
	item.path = below(w);
	item.xattrs = vault_buf_span(&xattrs);
	item.target = vault_buf_span(&target);
	err = walk_by_kind(w, &item);
out:
	vault_buf_release(&xattrs);
	vault_buf_release(&target);
	return err;
}

vault_err vault_restore_walk(struct vault_tree *t, struct vault_span path,
			     uint64_t at, vault_restore_may *may, void *may_ctx,
			     const struct vault_restore_sink *sink,
			     uint64_t *failed)
{
	struct walk w = { .t = t,
			  .at = at,
			  .may = may,
			  .may_ctx = may_ctx,
			  .sink = sink,
			  .base = path.len };
	struct vault_version v;
	vault_err err;

	err = vault_tree_resolve(t, path, at, &v);
	if (err == VAULT_OK)
		err = vault_buf_append(&w.full, path);
	if (err == VAULT_OK)
		err = vault_buf_reserve(&w.piece, PIECE);
	if (err == VAULT_OK)
		err = walk_item(&w, &v);
	if (err == VAULT_OK)
		err = w.damage;
	*failed = w.failed;
	for (size_t i = 0; i < w.n_slots; i++)
		vault_buf_release(&w.firsts[i].path);
	free(w.firsts);
	vault_buf_release(&w.full);
	vault_buf_release(&w.piece);
	return err;
}
