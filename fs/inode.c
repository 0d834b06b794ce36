/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/inode.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/inode_table.h"

#define FIRST_CHAINS 1024

/* Lookups that run into a rename look again, at most this often. */
#define LOOKUP_TRIES 8

/* ---- the hash ---- */

static uint64_t mix(const struct vault_inode_key *k)
{
	uint64_t h = k->ino * UINT64_C(0x9e3779b97f4a7c15);

	h ^= k->dev * UINT64_C(0xc2b2ae3d27d4eb4f);
	h ^= (uint64_t)k->birth_ns * UINT64_C(0x165667b19e3779f9);
	return h ^ (h >> 29);
}

static struct vault_inode **chain_of(struct vault_inode_table *t,
				     const struct vault_inode_key *k)
{
	return &t->chains[mix(k) & (t->n_chains - 1)];
}

struct vault_inode *vault_inode_table_find(struct vault_inode_table *t,
					   const struct vault_inode_key *k)
{
	struct vault_inode *i = *chain_of(t, k);

	while (i != NULL && !vault_inode_table_same(&i->key, k))
		i = i->next;
	return i;
}

/* More chains when they get long. Going on with long ones is no error. */
static void grow(struct vault_inode_table *t)
{
	struct vault_inode **old = t->chains;
	const size_t n_old = t->n_chains;
	struct vault_inode **chains;

	if (t->n_inodes < n_old)
		return;
	chains = calloc(n_old * 2, sizeof(struct vault_inode *));
	if (chains == NULL)
		return;
	t->chains = chains;
	t->n_chains = n_old * 2;
	for (size_t n = 0; n < n_old; n++) {
		while (old[n] != NULL) {
			struct vault_inode *i = old[n];
			struct vault_inode **chain = chain_of(t, &i->key);

			old[n] = i->next;
			i->next = *chain;
			*chain = i;
		}
	}
	free(old);
}

static void insert(struct vault_inode_table *t, struct vault_inode *i)
{
	struct vault_inode **chain;

	grow(t);
	chain = chain_of(t, &i->key);
	i->next = *chain;
	*chain = i;
	t->n_inodes++;
}

static void take_out(struct vault_inode_table *t, struct vault_inode *i)
{
	struct vault_inode **at = chain_of(t, &i->key);

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	t->n_inodes--;
}

/* ---- lifetime ---- */

/* Free inodes that nothing holds; each lets go of its parents in turn. */
static void reap(struct vault_inode_table *t, struct vault_inode *first)
{
	struct vault_inode *dead = NULL;
	struct vault_inode *i = first;

	for (;;) {
		if (i->n_lookup == 0 && i->n_refs == 0 && i != t->root) {
			take_out(t, i);
			i->next = dead; /* the chain's link is free now */
			dead = i;
		}
		while (dead != NULL && dead->names == NULL) {
			struct vault_inode *gone = dead;

			dead = gone->next;
			free(gone);
		}
		if (dead == NULL)
			return;

		struct vault_inode_name *n = dead->names;

		dead->names = n->next;
		i = n->parent;
		i->n_refs--;
		free(n);
	}
}

void vault_inode_table_unref(struct vault_inode_table *t, struct vault_inode *i)
{
	assert(i->n_refs > 0);
	i->n_refs--;
	reap(t, i);
}

/* Take the descriptor out of an inode. It is closed without the lock: that
 * may be the end of a large file. */
int vault_inode_table_unkeep(struct vault_inode_table *t, struct vault_inode *i)
{
	const int fd = i->kept;

	if (fd < 0)
		return -1;
	for (size_t n = 0; n < VAULT_INODE_TABLE_KEPT; n++)
		if (t->kept[n] == i)
			t->kept[n] = NULL;
	i->kept = -1;
	return fd;
}

void vault_inode_forget(struct vault_inode_table *t, struct vault_inode *i,
			uint64_t n)
{
	int fd = -1;

	pthread_mutex_lock(&t->lock);
	if (i != t->root) {
		assert(i->n_lookup >= n);
		i->n_lookup -= n;
		if (i->n_lookup == 0)
			fd = vault_inode_table_unkeep(t, i);
		reap(t, i);
	}
	pthread_mutex_unlock(&t->lock);
	if (fd >= 0)
		close(fd);
}

/* ---- looking up ---- */

static void from_statx(const struct statx *x, struct stat *st,
		       struct vault_inode_key *key)
{
	*st = (struct stat){
		.st_dev = makedev(x->stx_dev_major, x->stx_dev_minor),
		.st_ino = x->stx_ino,
		.st_mode = x->stx_mode,
		.st_nlink = x->stx_nlink,
		.st_uid = x->stx_uid,
		.st_gid = x->stx_gid,
		.st_rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
		.st_size = (off_t)x->stx_size,
		.st_blksize = (blksize_t)x->stx_blksize,
		.st_blocks = (blkcnt_t)x->stx_blocks,
		.st_atim = { x->stx_atime.tv_sec, x->stx_atime.tv_nsec },
		.st_mtim = { x->stx_mtime.tv_sec, x->stx_mtime.tv_nsec },
		.st_ctim = { x->stx_ctime.tv_sec, x->stx_ctime.tv_nsec },
	};
	*key = (struct vault_inode_key){
		.dev = st->st_dev,
		.ino = st->st_ino,
	};
	if ((x->stx_mask & STATX_BTIME) != 0)
		key->birth_ns = x->stx_btime.tv_sec * INT64_C(1000000000) +
				x->stx_btime.tv_nsec;
}

int vault_inode_stat(int dirfd, const char *name, struct stat *st,
		     struct vault_inode_key *key)
{
	struct statx x;

	if (statx(dirfd, name,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH,
		  STATX_BASIC_STATS | STATX_BTIME, &x) != 0)
		return errno;
	from_statx(&x, st, key);
	return 0;
}

struct handle {
	struct file_handle head;
	uint8_t room[MAX_HANDLE_SZ];
};

/* The handle of what `fd` has open; an empty one where there is none. */
static void take_handle(int fd, struct handle *h)
{
	int mount_id;

	h->head.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", &h->head, &mount_id, AT_EMPTY_PATH) != 0)
		h->head.handle_bytes = 0;
}

static struct vault_inode *make(struct vault_inode_table *t,
				const struct vault_inode_key *key, bool is_dir,
				const struct handle *h)
{
	const size_t len = h->head.handle_bytes;
	struct vault_inode *i = calloc(1, sizeof(*i) + len);

	if (i == NULL)
		return NULL;
	i->key = *key;
	i->is_dir = is_dir;
	i->kept = -1;
	i->generation = ++t->generation;
	i->handle_len = (uint8_t)len;
	i->handle_type = h->head.handle_type;
	memcpy(i->handle, h->head.f_handle, len);
	insert(t, i);
	return i;
}

/* The inode of what `fd` has open, known or new, one lookup more. */
static int remember(struct vault_inode_table *t, struct vault_inode *parent,
		    const char *name, int fd, struct stat *st,
		    struct vault_inode **out)
{
	struct vault_inode_key key;
	struct handle h;
	struct vault_inode *i;
	int err;

	err = vault_inode_stat(fd, "", st, &key);
	if (err != 0)
		return err;
	h.head.handle_bytes = 0;
	h.head.handle_type = 0;
	if (t->handles && key.dev == t->root->key.dev)
		take_handle(fd, &h);

	pthread_mutex_lock(&t->lock);
	i = vault_inode_table_find(t, &key);
	if (i == NULL)
		i = make(t, &key, S_ISDIR(st->st_mode), &h);
	if (i == NULL) {
		err = ENOMEM;
	} else {
		i->n_lookup++;
		vault_inode_table_put_name(t, i, parent, name);
		*out = i;
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}

int vault_inode_adopt(struct vault_inode_table *t, struct vault_inode *parent,
		      const char *name, int fd, struct stat *st,
		      struct vault_inode **out)
{
	return remember(t, parent, name, fd, st, out);
}

/* Is it an inode that we know? Then no descriptor is needed. */
static struct vault_inode *known(struct vault_inode_table *t,
				 struct vault_inode *parent, const char *name,
				 const struct vault_inode_key *key,
				 uint64_t moves, bool *again)
{
	struct vault_inode *i;

	pthread_mutex_lock(&t->lock);
	*again = t->moves != moves;
	i = *again ? NULL : vault_inode_table_find(t, key);
	if (i != NULL) {
		i->n_lookup++;
		vault_inode_table_put_name(t, i, parent, name);
	}
	pthread_mutex_unlock(&t->lock);
	return i;
}

static uint64_t moves_of(struct vault_inode_table *t)
{
	uint64_t n;

	pthread_mutex_lock(&t->lock);
	n = t->moves;
	pthread_mutex_unlock(&t->lock);
	return n;
}

int vault_inode_lookup(struct vault_inode_table *t, struct vault_inode *parent,
		       int parentfd, const char *name, struct stat *st,
		       struct vault_inode **out)
{
	struct vault_inode_key key;
	struct vault_inode *i = NULL;
	bool again = true;
	int err;
	int fd;

	/* A name that moves while we look must not come back as it was. */
	for (int n = 0; again && n < LOOKUP_TRIES; n++) {
		const uint64_t moves = moves_of(t);

		err = vault_inode_stat(parentfd, name, st, &key);
		if (err != 0)
			return err;
		i = known(t, parent, name, &key, moves, &again);
	}
	if (i != NULL) {
		*out = i;
		return 0;
	}
	fd = openat(parentfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = remember(t, parent, name, fd, st, out);
	close(fd);
	return err;
}

/* ---- open files ---- */

void vault_inode_link_file(struct vault_inode_table *t,
			   struct vault_inode_file *f)
{
	pthread_mutex_lock(&t->lock);
	f->prev = NULL;
	f->next = f->inode->files;
	if (f->next != NULL)
		f->next->prev = f;
	f->inode->files = f;
	f->inode->n_refs++;
	pthread_mutex_unlock(&t->lock);
}

void vault_inode_unlink_file(struct vault_inode_table *t,
			     struct vault_inode_file *f)
{
	pthread_mutex_lock(&t->lock);
	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		f->inode->files = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	pthread_mutex_unlock(&t->lock);
}

void vault_inode_drop_file(struct vault_inode_table *t,
			   struct vault_inode_file *f)
{
	pthread_mutex_lock(&t->lock);
	vault_inode_table_unref(t, f->inode);
	pthread_mutex_unlock(&t->lock);
	free(f);
}

/* ---- the table ---- */

/* File handles need a capability and a disk that gives them. */
static bool handles_work(int rootfd, const struct handle *h)
{
	struct handle copy = *h;
	int fd;

	if (h->head.handle_bytes == 0)
		return false;
	fd = open_by_handle_at(rootfd, &copy.head, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

vault_err vault_inode_table_create(int rootfd, bool handles,
				   struct vault_inode_table **out)
{
	struct vault_inode_table *t = NULL;
	struct vault_inode_key key;
	struct handle h;
	struct stat st;
	vault_err err = VAULT_ERR_NOMEM;
	int number;

	number = vault_inode_stat(rootfd, "", &st, &key);
	if (number != 0)
		return vault_err_from_errno(number);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		goto out;
	t->n_chains = FIRST_CHAINS;
	t->chains = calloc(t->n_chains, sizeof(struct vault_inode *));
	if (t->chains == NULL)
		goto out;
	t->rootfd = rootfd;
	take_handle(rootfd, &h);
	t->handles = handles && handles_work(rootfd, &h);
	h.head.handle_bytes = 0; /* the root is reached by its descriptor */
	t->root = make(t, &key, true, &h);
	if (t->root == NULL)
		goto out;
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	t = NULL;
	err = VAULT_OK;
out:
	if (t != NULL)
		free(t->chains);
	free(t);
	return err;
}

static void free_inode(struct vault_inode *i)
{
	while (i->names != NULL) {
		struct vault_inode_name *name = i->names;

		i->names = name->next;
		free(name);
	}
	while (i->files != NULL) {
		struct vault_inode_file *f = i->files;

		i->files = f->next;
		close(f->fd);
		free(f);
	}
	if (i->kept >= 0)
		close(i->kept);
	free(i);
}

void vault_inode_table_destroy(struct vault_inode_table *t)
{
	if (t == NULL)
		return;
	for (size_t n = 0; n < t->n_chains; n++) {
		while (t->chains[n] != NULL) {
			struct vault_inode *i = t->chains[n];

			t->chains[n] = i->next;
			free_inode(i);
		}
	}
	pthread_mutex_destroy(&t->lock);
	free(t->chains);
	free(t);
}

bool vault_inode_table_handles(const struct vault_inode_table *t)
{
	return t->handles;
}

size_t vault_inode_table_count(struct vault_inode_table *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->n_inodes;
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct vault_inode *vault_inode_root(struct vault_inode_table *t)
{
	return t->root;
}

uint64_t vault_inode_generation(const struct vault_inode *i)
{
	return i->generation;
}

const struct vault_inode_key *vault_inode_key(const struct vault_inode *i)
{
	return &i->key;
}

bool vault_inode_captured(const struct vault_inode_table *t,
			  const struct vault_inode *i)
{
	return i->key.dev == t->root->key.dev;
}
