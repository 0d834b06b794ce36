/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/lineage.h"

#include <fcntl.h>
#include <unistd.h>

#include "versions/beneath.h"

struct search {
	struct vault_capture *c;
	const struct vault_ingest_stat *st;
	struct vault_lineage found;
	vault_lineage_visit *visit;
	void *visit_ctx;
};

/* Is the recorded file this one, and not an older one with its number? */
static bool is_same_file(const struct vault_live *l,
			 const struct vault_ingest_stat *st)
{
	if (l->version.row.kind != st->kind)
		return false;
	if (l->backing.btime_ns != 0 && st->backing.btime_ns != 0)
		return l->backing.btime_ns == st->backing.btime_ns;
	return l->version.row.size == st->size &&
	       l->version.row.mtime_ns == st->mtime_ns;
}

/* NOT_FOUND: the name is in a directory that is gone. */
static vault_err path_of(struct vault_capture *c, uint64_t dir,
			 struct vault_span name, struct vault_buf *out)
{
	vault_err err = vault_tree_dir_path(c->tree, dir, VAULT_AT_NOW, out);

	if (err == VAULT_OK && out->len > 0)
		err = vault_buf_put_u8(out, '/');
	if (err == VAULT_OK)
		err = vault_buf_append(out, name);
	if (err == VAULT_OK && vault_buf_cstr(out) == NULL)
		err = VAULT_ERR_NOMEM;
	return err;
}

/* What is at the path now? `*there` false: nothing. */
static void stat_path(struct vault_capture *c, const char *path, bool *there,
		      struct vault_ingest_stat *out)
{
	const int fd = vault_beneath_open(c->projectfd, path, O_PATH);

	*there = fd >= 0 && vault_ingest_stat(fd, "", out) == VAULT_OK;
	if (fd >= 0)
		close(fd);
}

static vault_err consider(void *ctx, uint64_t dir, struct vault_span name)
{
	struct search *s = ctx;
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_ingest_stat now;
	struct vault_live l;
	bool there = false;
	vault_err err;

	err = vault_tree_live(s->c->tree, dir, name, &l);
	if (err == VAULT_ERR_NOT_FOUND)
		return VAULT_OK;
	if (err != VAULT_OK || !is_same_file(&l, s->st))
		return err;
	err = path_of(s->c, dir, name, &path);
	if (err == VAULT_OK)
		stat_path(s->c, (const char *)path.data, &there, &now);
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	/* A directory has one name. */
	if (err == VAULT_OK &&
	    (!there || (now.backing.ino == s->st->backing.ino &&
			s->st->kind != VAULT_KIND_DIR))) {
		s->found.found = true;
		s->found.version = l.version;
		err = VAULT_ERR_CANCELLED; /* enough */
	}
	vault_buf_release(&path);
	return err;
}

/* Under the number that the disk has now and, after a remount, had before. */
static vault_err by_inode(struct vault_capture *c,
			  const struct vault_ingest_stat *st,
			  vault_tree_inode_visit *visit, void *ctx)
{
	vault_err err = vault_tree_by_inode(c->tree, c->dev, st->backing.ino,
					    visit, ctx);

	if (err == VAULT_OK && c->old_dev != c->dev)
		err = vault_tree_by_inode(c->tree, c->old_dev, st->backing.ino,
					  visit, ctx);
	return err;
}

vault_err vault_lineage_find(struct vault_capture *c,
			     const struct vault_ingest_stat *st,
			     struct vault_lineage *out)
{
	struct search s = { .c = c, .st = st };
	vault_err err = by_inode(c, st, consider, &s);

	if (err == VAULT_ERR_CANCELLED)
		err = VAULT_OK;
	if (err == VAULT_OK)
		*out = s.found;
	return err;
}

static vault_err tell_path(void *ctx, uint64_t dir, struct vault_span name)
{
	struct search *s = ctx;
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_live l;
	vault_err err = vault_tree_live(s->c->tree, dir, name, &l);

	if (err == VAULT_OK && !is_same_file(&l, s->st))
		err = VAULT_ERR_NOT_FOUND;
	if (err == VAULT_OK)
		err = path_of(s->c, dir, name, &path);
	if (err == VAULT_OK)
		err = s->visit(s->visit_ctx, vault_buf_span(&path));
	vault_buf_release(&path);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

vault_err vault_lineage_each_name(struct vault_capture *c,
				  const struct vault_ingest_stat *st,
				  vault_lineage_visit *visit, void *ctx)
{
	struct search s = {
		.c = c, .st = st, .visit = visit, .visit_ctx = ctx
	};

	return by_inode(c, st, tell_path, &s);
}
