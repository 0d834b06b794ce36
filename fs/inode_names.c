/* SPDX-License-Identifier: Apache-2.0 */
/* The names that inodes have, and what happens to them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/inode.h"
#include "fs/inode_table.h"

/* A file with more names than this forgets the oldest; the kernel brings a
 * name back with its next lookup. */
#define NAMES_KEPT 8

static void drop_name_at(struct vault_inode_table *t,
			 struct vault_inode_name **at)
{
	struct vault_inode_name *n = *at;
	struct vault_inode *parent = n->parent;

	*at = n->next;
	free(n);
	vault_inode_table_unref(t, parent);
}

static void drop_name(struct vault_inode_table *t, struct vault_inode *i,
		      const struct vault_inode *parent, const char *name)
{
	struct vault_inode_name **at = &i->names;

	while (*at != NULL) {
		if ((*at)->parent == parent && strcmp((*at)->text, name) == 0) {
			drop_name_at(t, at);
			return;
		}
		at = &(*at)->next;
	}
}

/*
 * A directory that was moved behind the mount may be met below one that our
 * stale names place inside it. The stale name goes, or walks would never end.
 */
static void break_loop(struct vault_inode_table *t, const struct vault_inode *i,
		       struct vault_inode *parent)
{
	struct vault_inode *up = parent;

	while (up->names != NULL) {
		if (up->names->parent == i) {
			drop_name_at(t, &up->names);
			return;
		}
		up = up->names->parent;
	}
}

/* Make (parent, name) the newest name of `i`. Without memory the inode keeps
 * the names it has. */
void vault_inode_table_put_name(struct vault_inode_table *t,
				struct vault_inode *i,
				struct vault_inode *parent, const char *name)
{
	const size_t len = strlen(name) + 1;
	struct vault_inode_name **at = &i->names;
	struct vault_inode_name *n;
	unsigned kept = 0;

	if (i == t->root || i == parent)
		return;
	if (*at != NULL && (*at)->parent == parent &&
	    strcmp((*at)->text, name) == 0)
		return;
	n = malloc(sizeof(*n) + len);
	if (n == NULL)
		return;
	memcpy(n->text, name, len);
	n->parent = parent;
	parent->n_refs++;
	if (i->is_dir)
		break_loop(t, i, parent);

	while (*at != NULL) {
		const bool same = (*at)->parent == parent &&
				  strcmp((*at)->text, name) == 0;

		if (same || i->is_dir || ++kept == NAMES_KEPT)
			drop_name_at(t, at);
		else
			at = &(*at)->next;
	}
	n->next = i->names;
	i->names = n;
}

/* ---- losing a name ---- */

int vault_inode_victim_open(int dirfd, const char *name,
			    struct vault_inode_victim *out)
{
	struct vault_inode_victim v;
	struct stat st;
	int err;

	v.fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (v.fd < 0)
		return errno;
	err = vault_inode_stat(v.fd, "", &st, &v.key);
	if (err != 0) {
		close(v.fd);
		return err;
	}
	v.is_dir = S_ISDIR(st.st_mode);
	v.last = v.is_dir || st.st_nlink == 1;
	*out = v;
	return 0;
}

void vault_inode_victim_close(struct vault_inode_victim *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

/* Take over `*fd`; gives back the one that has to go instead, or -1. */
static int keep(struct vault_inode_table *t, struct vault_inode *i, int *fd)
{
	struct vault_inode **slot = &t->kept[t->next_kept];
	int old = -1;

	if (i->n_lookup == 0 || i->kept >= 0)
		return -1;
	if (*slot != NULL)
		old = vault_inode_table_unkeep(t, *slot);
	t->next_kept = (t->next_kept + 1) % VAULT_INODE_TABLE_KEPT;
	*slot = i;
	i->kept = *fd;
	*fd = -1;
	return old;
}

/* Under the lock; gives back a descriptor to close, or -1. */
static int lose_name(struct vault_inode_table *t, struct vault_inode *parent,
		     const char *name, struct vault_inode_victim *v)
{
	struct vault_inode *i = vault_inode_table_find(t, &v->key);
	int old = -1;

	if (i == NULL)
		return -1;
	if (v->last)
		old = keep(t, i, &v->fd);
	drop_name(t, i, parent, name);
	return old;
}

void vault_inode_changing(struct vault_inode_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->n_changing++;
	pthread_mutex_unlock(&t->lock);
}

void vault_inode_changed(struct vault_inode_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->n_changing--;
	t->moves++;
	pthread_mutex_unlock(&t->lock);
}

void vault_inode_unlinked(struct vault_inode_table *t,
			  struct vault_inode *parent, const char *name,
			  struct vault_inode_victim *victim)
{
	int old;

	pthread_mutex_lock(&t->lock);
	t->moves++;
	old = lose_name(t, parent, name, victim);
	pthread_mutex_unlock(&t->lock);
	if (old >= 0)
		close(old);
}

/* ---- moving ---- */

static void move_name(struct vault_inode_table *t,
		      const struct vault_inode_key *key,
		      struct vault_inode *from_parent, const char *from,
		      struct vault_inode *to_parent, const char *to)
{
	struct vault_inode *i = vault_inode_table_find(t, key);

	if (i == NULL)
		return;
	i->n_refs++; /* its only child may be what held it */
	vault_inode_table_put_name(t, i, to_parent, to);
	if (from_parent != to_parent || strcmp(from, to) != 0)
		drop_name(t, i, from_parent, from);
	vault_inode_table_unref(t, i);
}

void vault_inode_moved(struct vault_inode_table *t,
		       const struct vault_inode_move *m)
{
	int old = -1;

	pthread_mutex_lock(&t->lock);
	t->moves++;
	/* Two names of one file: rename(2) leaves both. */
	if (m->over != NULL && vault_inode_table_same(m->key, &m->over->key))
		goto out;
	if (m->over != NULL && m->exchange)
		move_name(t, &m->over->key, m->to_parent, m->to, m->from_parent,
			  m->from);
	else if (m->over != NULL)
		old = lose_name(t, m->to_parent, m->to, m->over);
	move_name(t, m->key, m->from_parent, m->from, m->to_parent, m->to);
out:
	pthread_mutex_unlock(&t->lock);
	if (old >= 0)
		close(old);
}
