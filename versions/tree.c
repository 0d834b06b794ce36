/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/tree.h"

#include <stdlib.h>

#include "store/base/log.h"
#include "versions/row_format.h"
#include "versions/tree_format.h"
#include "versions/tree_internal.h"

static struct vault_store_options with_apply(
	const struct vault_store_options *options, struct vault_tree *t)
{
	struct vault_store_options o = { 0 };

	if (options != NULL)
		o = *options;
	o.apply = vault_tree_apply;
	o.apply_ctx = t;
	return o;
}

/* The newest time any moment has, so that the next one is later. */
static vault_err read_last_time(struct vault_tree *t)
{
	struct vault_tree_cursor c = { 0 };
	struct vault_moment m;
	const struct vault_tree_key past =
		vault_tree_key_moment(VAULT_TREE_MOMENT_BY_SEQ, UINT64_MAX);
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_MOMENT, &c);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek_back(c.it, vault_tree_key_span(&past));
	err = vault_iter_error(c.it);
	t->last_time = INT64_MIN;
	if (err == VAULT_OK && vault_iter_valid(c.it)) {
		err = vault_moment_unpack(vault_iter_value(c.it), &m);
		if (err == VAULT_OK)
			t->last_time = m.time;
	}
	vault_tree_cursor_give(t, &c);
	return err;
}

static vault_err read_state(struct vault_tree *t)
{
	struct vault_tree_state s;
	vault_err err;

	err = vault_tree_state_get(t->index, &s);
	if (err != VAULT_OK)
		return err;
	if (s.next_node <= VAULT_NODE_ROOT)
		s.next_node = VAULT_NODE_ROOT + 1;
	atomic_store(&t->next_node, s.next_node);
	return read_last_time(t);
}

static vault_err open_store(struct vault_tree *t, int dirfd,
			    const struct vault_store_options *o)
{
	vault_err err;

	err = vault_store_open(dirfd, o, &t->store);
	if (err != VAULT_OK)
		return err;
	t->index = vault_store_index(t->store);
	err = read_state(t);
	if (err != VAULT_OK) {
		vault_tree_cursor_renew(t);
		vault_store_close(t->store);
		t->store = NULL;
		t->index = NULL;
	}
	return err;
}

vault_err vault_tree_open(int dirfd, const struct vault_store_options *options,
			  struct vault_tree **out)
{
	struct vault_tree *t = calloc(1, sizeof(*t));
	const struct vault_store_options o = with_apply(options, t);
	vault_err err;

	if (t == NULL)
		return VAULT_ERR_NOMEM;
	pthread_mutex_init(&t->append_lock, NULL);
	pthread_mutex_init(&t->pool_lock, NULL);
	err = open_store(t, dirfd, &o);
	if (err == VAULT_ERR_INDEX) {
		/* Sound to the store, but not to us: of another layout. */
		vault_log_warn("tree: building the index anew");
		err = vault_store_rebuild_index(dirfd, &o);
		if (err == VAULT_OK)
			err = open_store(t, dirfd, &o);
	}
	if (err != VAULT_OK) {
		vault_tree_close(t);
		return err;
	}
	*out = t;
	return VAULT_OK;
}

void vault_tree_close(struct vault_tree *t)
{
	if (t == NULL)
		return;
	vault_tree_cursor_renew(t);
	vault_store_close(t->store);
	pthread_mutex_destroy(&t->append_lock);
	pthread_mutex_destroy(&t->pool_lock);
	free(t);
}

struct vault_store *vault_tree_store(struct vault_tree *t)
{
	return t->store;
}

vault_err vault_tree_rebuild_index(int dirfd)
{
	const struct vault_store_options o = with_apply(NULL, NULL);

	return vault_store_rebuild_index(dirfd, &o);
}

uint64_t vault_tree_new_node(struct vault_tree *t)
{
	return atomic_fetch_add(&t->next_node, 1);
}

vault_err vault_tree_totals(struct vault_tree *t, uint64_t *logical_bytes,
			    uint64_t *versions)
{
	struct vault_tree_state s;
	vault_err err;

	err = vault_tree_state_get(t->index, &s);
	if (err != VAULT_OK)
		return err;
	*logical_bytes = s.logical_bytes;
	*versions = s.versions;
	return VAULT_OK;
}

/* What the disk's files look like is not in the packs' nature: a restored
 * vault meets other inodes. The rest of a LIVE row must be equal. */
void vault_tree_strip(enum vault_cf cf, struct vault_span key,
		      struct vault_buf *value)
{
	(void)key;
	if (cf == VAULT_CF_LIVE && value->len >= VAULT_BACKING_BYTES)
		value->len -= VAULT_BACKING_BYTES;
}

vault_err vault_tree_append(struct vault_tree *t, enum vault_entry_type type,
			    struct vault_span payload, uint64_t *seq)
{
	const vault_err err = vault_store_append(t->store, type, payload, seq);

	/* Even a failure may have reached the index. */
	vault_tree_cursor_renew(t);
	return err;
}

vault_err vault_tree_apply(void *ctx, struct vault_index *index,
			   struct vault_batch *batch,
			   const struct vault_entry *e)
{
	switch (e->type) {
	case VAULT_ENTRY_COMMIT:
		return vault_tree_apply_commit(ctx, index, batch, e);
	case VAULT_ENTRY_NAME:
		return vault_snapshot_apply(ctx, index, batch, e);
	case VAULT_ENTRY_NOTE:
	case VAULT_ENTRY_RETIRE:
		/* Written by nobody yet; a rebuild gives them their due. */
		return VAULT_OK;
	}
	return VAULT_OK;
}

vault_err vault_tree_row_unpack(struct vault_span value, struct vault_row *out)
{
	struct vault_reader r = vault_reader(value);
	struct vault_row row;
	vault_err err;

	err = vault_row_unpack(&r, &row);
	if (err != VAULT_OK || !vault_reader_done(&r)) {
		vault_log_error("tree: a damaged row in the index");
		return VAULT_ERR_INDEX;
	}
	*out = row;
	return VAULT_OK;
}

vault_err vault_tree_row_here(const struct vault_iter *it, uint64_t dir,
			      struct vault_span name, struct vault_version *out)
{
	struct vault_version v;
	struct vault_span found;
	uint64_t found_dir;
	vault_err err;

	if (!vault_iter_valid(it)) {
		err = vault_iter_error(it);
		return err != VAULT_OK ? err : VAULT_ERR_NOT_FOUND;
	}
	if (!vault_tree_key_row_parse(vault_iter_key(it), &found_dir, &found,
				      &v.seq))
		return VAULT_ERR_INDEX;
	if (found_dir != dir || !vault_span_equal(found, name))
		return VAULT_ERR_NOT_FOUND;
	err = vault_tree_row_unpack(vault_iter_value(it), &v.row);
	if (err == VAULT_OK)
		*out = v;
	return err;
}

/* The newest row up to `at`; with `known` the newest that is no tombstone. */
static vault_err newest(struct vault_tree *t, uint64_t dir,
			struct vault_span name, uint64_t at, bool known,
			struct vault_version *out)
{
	struct vault_tree_cursor c;
	struct vault_tree_key key;
	struct vault_version v;
	vault_err err;

	if (name.len > VAULT_NAME_MAX)
		return VAULT_ERR_NOT_FOUND;
	err = vault_tree_cursor_take(t, VAULT_CF_ROW, &c);
	if (err != VAULT_OK)
		return err;
	key = vault_tree_key_row(dir, name, at);
	vault_iter_seek(c.it, vault_tree_key_span(&key));
	err = vault_tree_row_here(c.it, dir, name, &v);
	while (err == VAULT_OK && known && v.row.kind == VAULT_KIND_NONE) {
		vault_iter_next(c.it);
		err = vault_tree_row_here(c.it, dir, name, &v);
	}
	if (err == VAULT_OK)
		*out = v;
	vault_tree_cursor_give(t, &c);
	return err;
}

vault_err vault_tree_row_at(struct vault_tree *t, uint64_t dir,
			    struct vault_span name, uint64_t at,
			    struct vault_version *out)
{
	return newest(t, dir, name, at, false, out);
}

vault_err vault_tree_lookup(struct vault_tree *t, uint64_t dir,
			    struct vault_span name, uint64_t at,
			    struct vault_version *out)
{
	struct vault_version v;
	struct vault_live l;
	vault_err err;

	if (at == VAULT_AT_NOW) {
		err = vault_tree_live(t, dir, name, &l);
		if (err == VAULT_OK)
			*out = l.version;
		return err;
	}
	err = newest(t, dir, name, at, false, &v);
	if (err != VAULT_OK)
		return err;
	if (v.row.kind == VAULT_KIND_NONE)
		return VAULT_ERR_NOT_FOUND;
	*out = v;
	return VAULT_OK;
}

vault_err vault_tree_last_known(struct vault_tree *t, uint64_t dir,
				struct vault_span name, uint64_t at,
				struct vault_version *out)
{
	return newest(t, dir, name, at, true, out);
}

vault_err vault_tree_by_inode(struct vault_tree *t, uint64_t dev, uint64_t ino,
			      vault_tree_inode_visit *visit, void *ctx)
{
	const struct vault_tree_key key =
		vault_tree_key_inode(dev, ino, 0, VAULT_SPAN_EMPTY);
	const struct vault_span prefix = vault_span(key.b, 16);
	struct vault_tree_cursor c;
	struct vault_span k;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_INODE, &c);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek(c.it, prefix);
	while (err == VAULT_OK && vault_iter_valid(c.it)) {
		k = vault_iter_key(c.it);
		if (k.len < 24 || !vault_span_starts(k, prefix))
			break;
		err = visit(ctx, vault_bytes_get_be64(k.data + 16),
			    vault_span_from(k, 24));
		vault_iter_next(c.it);
	}
	if (err == VAULT_OK)
		err = vault_iter_error(c.it);
	vault_tree_cursor_give(t, &c);
	return err;
}
