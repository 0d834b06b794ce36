/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_INODE_H
#define VAULT_FS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The live inodes that the kernel knows, and how their files are found again.
 *
 * An inode stands for one file of the backing disk, known by device, inode
 * number and birth time (so a number that is used again is another file). It
 * remembers the names it was seen under and, where permitted, a file handle;
 * it holds no descriptor. vault_inode_reach() opens it anew: by handle, else
 * through a descriptor that some open file of it holds, else by walking the
 * names from the project's root without following links; what is found that
 * way must be the same file, or the answer is ESTALE. Of the last few hundred
 * files that lost their only name a descriptor is kept until the kernel lets
 * go: whoever looked one up just before may still open it, as on the disk.
 *
 * An inode lives while the kernel counts lookups of it or a child names it as
 * its parent. Any thread; one lock inside, never held across a system call
 * that may block. Functions that say "errno" return 0 or a positive errno:
 * what the disk answers goes back to the kernel as it is.
 */
struct vault_inode_table;
struct vault_inode;

struct vault_inode_key {
	uint64_t dev; /* st_dev */
	uint64_t ino;
	int64_t birth_ns; /* 0 where the disk does not tell */
};

/* A descriptor (mostly O_PATH) that may be borrowed from the table. */
struct vault_inode_fd {
	int fd;
	bool owned;
};

/* An open file; from malloc(), linked by the table. */
struct vault_inode_file {
	struct vault_inode *inode;
	int fd;
	int flags;
	struct vault_inode_file *next; /* under the table's lock */
	struct vault_inode_file *prev;
};

/* `rootfd` is borrowed. With `handles`, file handles are used if the disk and
 * our capabilities allow it. */
VAULT_MUST_CHECK vault_err vault_inode_table_create(
	int rootfd, bool handles, struct vault_inode_table **out);
/* Files that are linked still are closed and freed: a kernel that is cut off
 * releases nothing. */
void vault_inode_table_destroy(struct vault_inode_table *t);

/* Are inodes found again by file handle? */
bool vault_inode_table_handles(const struct vault_inode_table *t);
/* Inodes in the table, for tests and figures. */
size_t vault_inode_table_count(struct vault_inode_table *t);

/* The project's folder; never forgotten. */
struct vault_inode *vault_inode_root(struct vault_inode_table *t);
/* The number that tells two inodes at one address apart. */
uint64_t vault_inode_generation(const struct vault_inode *i);
const struct vault_inode_key *vault_inode_key(const struct vault_inode *i);
/* Is it on the device of the project's root? Others are not captured. */
bool vault_inode_captured(const struct vault_inode_table *t,
			  const struct vault_inode *i);

/* errno. Attributes and key of `name` in `dirfd` (the file itself when "");
 * links are not followed. */
int vault_inode_stat(int dirfd, const char *name, struct stat *st,
		     struct vault_inode_key *key);

/*
 * errno. Look `name` up in `parent`, which `parentfd` has open, and count one
 * lookup of what is there.
 */
int vault_inode_lookup(struct vault_inode_table *t, struct vault_inode *parent,
		       int parentfd, const char *name, struct stat *st,
		       struct vault_inode **out);
/* errno. The same for the file that `fd` has open, just made as `name`. */
int vault_inode_adopt(struct vault_inode_table *t, struct vault_inode *parent,
		      const char *name, int fd, struct stat *st,
		      struct vault_inode **out);
/* The kernel let go of `n` lookups; the inode may be gone afterwards. */
void vault_inode_forget(struct vault_inode_table *t, struct vault_inode *i,
			uint64_t n);

/* errno. A descriptor of the inode's file: O_PATH, or of an open file. */
int vault_inode_reach(struct vault_inode_table *t, struct vault_inode *i,
		      struct vault_inode_fd *out);
void vault_inode_unreach(struct vault_inode_fd *fd);

/*
 * The path, relative to the project, of the inode's newest name, or with
 * `name` (not NULL) of that entry in it. False when it is not known, and for
 * files that are not captured.
 */
bool vault_inode_path(struct vault_inode_table *t, struct vault_inode *i,
		      const char *name, struct vault_buf *out);

/* What a name holds that is about to lose it. */
struct vault_inode_victim {
	struct vault_inode_key key;
	bool last; /* of its names */
	bool is_dir;
	int fd; /* O_PATH */
};
/* errno. */
int vault_inode_victim_open(int dirfd, const char *name,
			    struct vault_inode_victim *out);
/* For one that kept its name, or that was taken over (fd is -1 then). */
void vault_inode_victim_close(struct vault_inode_victim *v);

/*
 * Around every system call that changes names, and the call below that tells
 * of it: who walks names meanwhile and finds nothing looks again.
 */
void vault_inode_changing(struct vault_inode_table *t);
void vault_inode_changed(struct vault_inode_table *t);

/* Names changed on the disk. The victim's descriptor is taken over. */
void vault_inode_unlinked(struct vault_inode_table *t,
			  struct vault_inode *parent, const char *name,
			  struct vault_inode_victim *victim);
/* `over` is what `to` held before, NULL: nothing. */
struct vault_inode_move {
	struct vault_inode *from_parent;
	const char *from;
	const struct vault_inode_key *key;
	struct vault_inode *to_parent;
	const char *to;
	struct vault_inode_victim *over;
	bool exchange;
};
void vault_inode_moved(struct vault_inode_table *t,
		       const struct vault_inode_move *m);

/*
 * An open file begins and ends to lend its descriptor to its inode: it ends
 * before the descriptor is closed, or another file's of that number would be
 * lent. It holds the inode until it is dropped.
 */
void vault_inode_link_file(struct vault_inode_table *t,
			   struct vault_inode_file *f);
void vault_inode_unlink_file(struct vault_inode_table *t,
			     struct vault_inode_file *f);
void vault_inode_drop_file(struct vault_inode_table *t,
			   struct vault_inode_file *f);

#endif
