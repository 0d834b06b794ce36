/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_INODE_TABLE_H
#define VAULT_FS_INODE_TABLE_H

#include <pthread.h>

#include "fs/inode.h"

/*
 * What inode.c, inode_names.c and inode_reach.c share. Every field that can change is under
 * the table's lock; the key, handle and generation of an inode never change.
 */

/* One name of an inode. It keeps its parent alive. */
struct vault_inode_name {
	struct vault_inode_name *next;
	struct vault_inode *parent;
	char text[];
};

struct vault_inode {
	struct vault_inode *next;	/* in its chain of the hash */
	struct vault_inode_name *names; /* newest first; none: unlinked */
	struct vault_inode_file *files; /* open ones */
	struct vault_inode_key key;
	uint64_t n_lookup;
	uint32_t n_refs; /* names of children, and reachers at work */
	uint32_t generation;
	int kept; /* descriptor of a file without names, or -1 */
	bool is_dir;
	uint8_t handle_len; /* 0: none */
	int handle_type;
	uint8_t handle[];
};

/* Files without names of which a descriptor is kept, at most. */
#define VAULT_INODE_TABLE_KEPT 256

struct vault_inode_table {
	int rootfd;
	bool handles;
	struct vault_inode *root;
	pthread_mutex_t lock;
	struct vault_inode **chains;
	size_t n_chains; /* a power of two */
	size_t n_inodes;
	uint64_t moves;	     /* counts changes of names */
	unsigned n_changing; /* changes of names at work */
	uint32_t generation;
	/* The newest files without names; a slot is NULL once the kernel has
	 * let go of its inode. */
	struct vault_inode *kept[VAULT_INODE_TABLE_KEPT];
	size_t next_kept;
};

/* Is it one file, and not a later one with a number used again? */
static inline bool vault_inode_table_same(const struct vault_inode_key *a,
					  const struct vault_inode_key *b)
{
	return a->ino == b->ino && a->dev == b->dev &&
	       a->birth_ns == b->birth_ns;
}

/* All under the lock. */
struct vault_inode *vault_inode_table_find(struct vault_inode_table *t,
					   const struct vault_inode_key *k);
/* Make (parent, name) the newest name of `i`. Without memory the inode keeps
 * the names it has. */
void vault_inode_table_put_name(struct vault_inode_table *t,
				struct vault_inode *i,
				struct vault_inode *parent, const char *name);
/* Take the kept descriptor out of an inode, -1: none. It is closed without
 * the lock: that may be the end of a large file. */
int vault_inode_table_unkeep(struct vault_inode_table *t,
			     struct vault_inode *i);
void vault_inode_table_unref(struct vault_inode_table *t,
			     struct vault_inode *i);

/* No path on a sane disk is deeper; a loop of stale names is. */
#define VAULT_INODE_TABLE_DEPTH 4096

#endif
