/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/buf.h"
#include "tests/support/scratch.h"

#define SECTOR 512
#define NAME_BYTES 64
#define SKIPPED "index" /* RocksDB's own, not behind these calls */

/* A write, or a change of length, that has not been synced. */
struct change {
	struct change *next;
	bool truncates;
	bool doomed; /* a sync of it failed */
	uint64_t off;
	struct vault_buf bytes;
};

/* A file, or a folder; numbered, since the disk reuses inodes. */
struct node {
	struct node *next;
	ino_t ino;
	bool gone; /* its inode may by now be another node's */
	bool is_dir;
	struct vault_buf durable; /* of a file */
	struct change *changes;
	struct entry *entries;	    /* of a folder, synced */
	struct renaming *renamings; /* since */
};

struct entry {
	struct entry *next;
	char name[NAME_BYTES];
	struct node *node;
};

/* A name that came to mean `node`, or nothing (NULL); `from` went away. */
struct renaming {
	struct renaming *next;
	char name[NAME_BYTES];
	char from[NAME_BYTES]; /* "" but for a rename */
	struct node *node;
};

struct vault_fault {
	struct vault_io io;
	struct vault_fault_plan plan;
	pthread_mutex_t lock; /* of everything below, and over each call */
	unsigned calls;
	bool happened;
	bool dead;
	struct node *nodes;
	struct node *root;
};

static void *must(void *p)
{
	assert_non_null(p);
	return p;
}

/* ---- nodes ---- */

static struct node *new_node(struct vault_fault *f, ino_t ino, bool is_dir)
{
	struct node *n;

	for (n = f->nodes; n != NULL; n = n->next)
		if (n->ino == ino)
			n->gone = true;
	n = must(calloc(1, sizeof(*n)));
	n->ino = ino;
	n->is_dir = is_dir;
	n->next = f->nodes;
	f->nodes = n;
	return n;
}

static struct node *node_of(struct vault_fault *f, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (struct node *n = f->nodes; n != NULL; n = n->next)
		if (n->ino == st.st_ino && !n->gone)
			return n;
	return NULL;
}

static void copy_name(char to[NAME_BYTES], const char *from)
{
	assert_true(strlen(from) < NAME_BYTES);
	strcpy(to, from);
}

static void set_entry(struct node *dir, const char *name, struct node *node)
{
	struct entry **p = &dir->entries;
	struct entry *e;

	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	e = *p;
	if (node == NULL && e != NULL) {
		*p = e->next;
		free(e);
	} else if (node != NULL && e != NULL) {
		e->node = node;
	} else if (node != NULL) {
		e = must(calloc(1, sizeof(*e)));
		copy_name(e->name, name);
		e->node = node;
		*p = e;
	}
}

static void do_renaming(struct node *dir, const struct renaming *r)
{
	if (r->from[0] != 0)
		set_entry(dir, r->from, NULL);
	set_entry(dir, r->name, r->node);
}

static void note_renaming(struct node *dir, const char *from, const char *name,
			  struct node *node)
{
	struct renaming **p = &dir->renamings;
	struct renaming *r = must(calloc(1, sizeof(*r)));

	copy_name(r->from, from);
	copy_name(r->name, name);
	r->node = node;
	while (*p != NULL)
		p = &(*p)->next;
	*p = r;
}

static void note_change(struct node *n, bool truncates, uint64_t off,
			struct vault_span bytes)
{
	struct change **p = &n->changes;
	struct change *c = must(calloc(1, sizeof(*c)));

	c->truncates = truncates;
	c->off = off;
	assert_int_equal(vault_buf_append(&c->bytes, bytes), VAULT_OK);
	while (*p != NULL)
		p = &(*p)->next;
	*p = c;
}

static void set_length(struct vault_buf *b, uint64_t len)
{
	if (len > b->len)
		assert_int_equal(vault_buf_fill(b, 0, len - b->len), VAULT_OK);
	b->len = len;
}

static void put_bytes(struct vault_buf *b, uint64_t off, struct vault_span s)
{
	if (s.len == 0)
		return;
	if (off + s.len > b->len)
		set_length(b, off + s.len);
	memcpy(b->data + off, s.data, s.len);
}

static void do_change(struct vault_buf *b, const struct change *c)
{
	if (c->truncates)
		set_length(b, c->off);
	else
		put_bytes(b, c->off, vault_buf_span(&c->bytes));
}

static void drop_changes(struct node *n)
{
	while (n->changes != NULL) {
		struct change *c = n->changes;

		n->changes = c->next;
		vault_buf_release(&c->bytes);
		free(c);
	}
}

static void drop_renamings(struct node *n)
{
	while (n->renamings != NULL) {
		struct renaming *r = n->renamings;

		n->renamings = r->next;
		free(r);
	}
}

/* ---- the calls ---- */

enum need { NEEDS_ROOM, NEEDS_NOTHING };

enum outcome { GOES_ON, GOES_HALF, FAILS };

/* Count a changing call and decide what becomes of it; errno is set. */
static enum outcome decide(struct vault_fault *f, enum need need)
{
	const unsigned n = f->calls++;
	const unsigned lasting = f->plan.lasting > 0 ? f->plan.lasting : 1;

	if (f->dead) {
		errno = EIO;
		return FAILS;
	}
	if (f->plan.kind == VAULT_FAULT_NONE || n < f->plan.at ||
	    n - f->plan.at >= lasting)
		return GOES_ON;
	switch (f->plan.kind) {
	case VAULT_FAULT_CRASH:
		f->dead = true;
		errno = EIO;
		break;
	case VAULT_FAULT_EIO:
		errno = EIO;
		break;
	default:
		if (need == NEEDS_NOTHING)
			return GOES_ON;
		errno = ENOSPC;
		if (f->plan.kind == VAULT_FAULT_SHORT && n == f->plan.at) {
			f->happened = true;
			return GOES_HALF;
		}
	}
	f->happened = true;
	return FAILS;
}

static int open_new(struct vault_fault *f, struct node *dir, int dirfd,
		    const char *name, int flags, mode_t mode)
{
	struct stat st;
	int fd;

	if (decide(f, NEEDS_ROOM) != GOES_ON)
		return -1;
	fd = openat(dirfd, name, flags | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	assert_int_equal(fstat(fd, &st), 0);
	note_renaming(dir, "", name, new_node(f, st.st_ino, false));
	return fd;
}

static int fault_openat(void *ctx, int dirfd, const char *name, int flags,
			mode_t mode)
{
	struct vault_fault *f = ctx;
	struct node *dir;
	struct node *n;
	int fd;

	pthread_mutex_lock(&f->lock);
	dir = node_of(f, dirfd);
	if (dir != NULL && (flags & O_CREAT) &&
	    faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		fd = open_new(f, dir, dirfd, name, flags, mode);
		goto out;
	}
	if ((flags & O_TRUNC) && decide(f, NEEDS_NOTHING) != GOES_ON) {
		fd = -1;
		goto out;
	}
	fd = openat(dirfd, name, flags | O_CLOEXEC, mode);
	if (fd >= 0 && (flags & O_TRUNC)) {
		n = node_of(f, fd);
		if (n != NULL)
			note_change(n, true, 0, VAULT_SPAN_EMPTY);
	}

out:
	pthread_mutex_unlock(&f->lock);
	return fd;
}

static int fault_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

static ssize_t fault_pread(void *ctx, int fd, void *buf, size_t len, off_t off)
{
	(void)ctx;
	return pread(fd, buf, len, off);
}

static ssize_t fault_pwrite(void *ctx, int fd, const void *buf, size_t len,
			    off_t off)
{
	struct vault_fault *f = ctx;
	enum outcome outcome;
	struct node *n;
	ssize_t done = -1;

	pthread_mutex_lock(&f->lock);
	outcome = decide(f, NEEDS_ROOM);
	if (outcome == FAILS)
		goto out;
	if (outcome == GOES_HALF)
		len = (len + 1) / 2;
	done = pwrite(fd, buf, len, off);
	n = node_of(f, fd);
	if (done > 0 && n != NULL)
		note_change(n, false, (uint64_t)off,
			    vault_span(buf, (size_t)done));

out:
	pthread_mutex_unlock(&f->lock);
	return done;
}

static int fault_ftruncate(void *ctx, int fd, off_t len)
{
	struct vault_fault *f = ctx;
	struct node *n;
	int result = -1;

	pthread_mutex_lock(&f->lock);
	if (decide(f, NEEDS_NOTHING) == GOES_ON)
		result = ftruncate(fd, len);
	n = node_of(f, fd);
	if (result == 0 && n != NULL)
		note_change(n, true, (uint64_t)len, VAULT_SPAN_EMPTY);
	pthread_mutex_unlock(&f->lock);
	return result;
}

static int fault_fdatasync(void *ctx, int fd)
{
	struct vault_fault *f = ctx;
	struct node *n;
	int result = 0;

	pthread_mutex_lock(&f->lock);
	n = must(node_of(f, fd));
	if (decide(f, NEEDS_NOTHING) != GOES_ON) {
		for (struct change *c = n->changes; c != NULL; c = c->next)
			c->doomed = true;
		errno = EIO;
		result = -1;
		goto out;
	}
	for (struct change *c = n->changes; c != NULL; c = c->next)
		if (!c->doomed)
			do_change(&n->durable, c);
	drop_changes(n);

out:
	pthread_mutex_unlock(&f->lock);
	return result;
}

static int fault_syncdir(void *ctx, int fd)
{
	struct vault_fault *f = ctx;
	struct node *n;
	int result = -1;

	pthread_mutex_lock(&f->lock);
	n = must(node_of(f, fd));
	if (decide(f, NEEDS_NOTHING) != GOES_ON)
		goto out;
	for (struct renaming *r = n->renamings; r != NULL; r = r->next)
		do_renaming(n, r);
	drop_renamings(n);
	result = 0;

out:
	pthread_mutex_unlock(&f->lock);
	return result;
}

/* The node that `name` means in the folder as the program sees it. */
static struct node *named(struct vault_fault *f, int dirfd, const char *name)
{
	struct node *n;
	const int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	n = node_of(f, fd);
	close(fd);
	return n;
}

static int fault_renameat(void *ctx, int dirfd, const char *from,
			  const char *to)
{
	struct vault_fault *f = ctx;
	struct node *n;
	int result = -1;

	pthread_mutex_lock(&f->lock);
	n = named(f, dirfd, from);
	if (decide(f, NEEDS_NOTHING) == GOES_ON)
		result = renameat(dirfd, from, dirfd, to);
	if (result == 0)
		note_renaming(must(node_of(f, dirfd)), from, to, must(n));
	pthread_mutex_unlock(&f->lock);
	return result;
}

static int fault_unlinkat(void *ctx, int dirfd, const char *name, int flags)
{
	struct vault_fault *f = ctx;
	struct node *n;
	int result = -1;

	pthread_mutex_lock(&f->lock);
	n = named(f, dirfd, name);
	if (decide(f, NEEDS_NOTHING) == GOES_ON)
		result = unlinkat(dirfd, name, flags);
	if (result == 0) {
		note_renaming(must(node_of(f, dirfd)), "", name, NULL);
		if (n != NULL)
			n->gone = true;
	}
	pthread_mutex_unlock(&f->lock);
	return result;
}

static int fault_mkdirat(void *ctx, int dirfd, const char *name, mode_t mode)
{
	struct vault_fault *f = ctx;
	struct stat st;
	int result = -1;

	pthread_mutex_lock(&f->lock);
	if (decide(f, NEEDS_ROOM) == GOES_ON)
		result = mkdirat(dirfd, name, mode);
	if (result == 0) {
		assert_int_equal(fstatat(dirfd, name, &st, 0), 0);
		note_renaming(must(node_of(f, dirfd)), "", name,
			      new_node(f, st.st_ino, true));
	}
	pthread_mutex_unlock(&f->lock);
	return result;
}

/* ---- the whole ---- */

static struct node *adopt(struct vault_fault *f, int dirfd);

static void adopt_entry(struct vault_fault *f, struct node *dir, int dirfd,
			const char *name)
{
	struct stat st;
	struct node *n;
	int fd;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcmp(name, SKIPPED) == 0)
		return;
	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		n = adopt(f, fd);
		close(fd);
	} else {
		n = new_node(f, st.st_ino, false);
		vault_scratch_read(dirfd, name, &n->durable);
	}
	set_entry(dir, name, n);
}

static struct node *adopt(struct vault_fault *f, int dirfd)
{
	const int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	struct node *dir;
	struct stat st;
	DIR *d;

	assert_int_equal(fstat(dirfd, &st), 0);
	dir = new_node(f, st.st_ino, true);
	d = must(fdopendir(fd));
	while ((e = readdir(d)) != NULL)
		adopt_entry(f, dir, dirfd, e->d_name);
	closedir(d);
	return dir;
}

struct vault_fault *vault_fault_create(int dirfd,
				       const struct vault_fault_plan *plan)
{
	struct vault_fault *f = must(calloc(1, sizeof(*f)));

	f->plan = *plan;
	f->io = (struct vault_io){
		.ctx = f,
		.openat = fault_openat,
		.close = fault_close,
		.pread = fault_pread,
		.pwrite = fault_pwrite,
		.ftruncate = fault_ftruncate,
		.fdatasync = fault_fdatasync,
		.syncdir = fault_syncdir,
		.renameat = fault_renameat,
		.unlinkat = fault_unlinkat,
		.mkdirat = fault_mkdirat,
	};
	pthread_mutex_init(&f->lock, NULL);
	f->root = adopt(f, dirfd);
	return f;
}

void vault_fault_destroy(struct vault_fault *f)
{
	while (f->nodes != NULL) {
		struct node *n = f->nodes;

		f->nodes = n->next;
		drop_changes(n);
		drop_renamings(n);
		while (n->entries != NULL)
			set_entry(n, n->entries->name, NULL);
		vault_buf_release(&n->durable);
		free(n);
	}
	pthread_mutex_destroy(&f->lock);
	free(f);
}

const struct vault_io *vault_fault_io(struct vault_fault *f)
{
	return &f->io;
}

unsigned vault_fault_calls(struct vault_fault *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->calls;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool vault_fault_happened(struct vault_fault *f)
{
	bool happened;

	pthread_mutex_lock(&f->lock);
	happened = f->happened;
	pthread_mutex_unlock(&f->lock);
	return happened;
}

/* ---- after the power cut ---- */

struct image {
	enum vault_fault_policy policy;
	struct vault_scratch_random random;
};

static bool coin(struct image *i)
{
	return vault_scratch_below(&i->random, 2) == 0;
}

/* Some sectors of a write; the file may have grown all the same. */
static void tear(struct image *i, struct vault_buf *b, const struct change *c)
{
	const struct vault_span all = vault_buf_span(&c->bytes);
	size_t at = 0;

	if (c->truncates) {
		if (coin(i))
			do_change(b, c);
		return;
	}
	if (coin(i) && c->off + all.len > b->len)
		set_length(b, c->off + all.len);
	while (at < all.len) {
		const size_t in = (size_t)((c->off + at) % SECTOR);
		size_t n = SECTOR - in;

		if (n > all.len - at)
			n = all.len - at;
		if (coin(i))
			put_bytes(b, c->off + at, vault_span(all.data + at, n));
		at += n;
	}
}

static void image_file(struct image *i, const struct node *n, int dirfd,
		       const char *name)
{
	struct vault_buf b = VAULT_BUF_INIT;

	assert_int_equal(vault_buf_append(&b, vault_buf_span(&n->durable)),
			 VAULT_OK);
	for (const struct change *c = n->changes; c != NULL; c = c->next) {
		if (i->policy == VAULT_FAULT_KEEP)
			do_change(&b, c);
		else if (i->policy == VAULT_FAULT_TEAR)
			tear(i, &b, c);
	}
	vault_scratch_write(dirfd, name, vault_buf_span(&b));
	vault_buf_release(&b);
}

/* The entries of a folder as they may be found; the caller's to give up. */
static struct node *image_entries(struct image *i, const struct node *dir)
{
	struct node *copy = must(calloc(1, sizeof(*copy)));
	const struct renaming *r;

	for (const struct entry *e = dir->entries; e != NULL; e = e->next)
		set_entry(copy, e->name, e->node);
	for (r = dir->renamings; r != NULL; r = r->next) {
		if (i->policy == VAULT_FAULT_DROP ||
		    (i->policy == VAULT_FAULT_TEAR && coin(i)))
			break;
		do_renaming(copy, r);
	}
	return copy;
}

static void image_dir(struct image *i, const struct node *dir, int dirfd)
{
	struct node *copy = image_entries(i, dir);

	for (const struct entry *e = copy->entries; e != NULL; e = e->next) {
		int fd;

		if (!e->node->is_dir) {
			image_file(i, e->node, dirfd, e->name);
			continue;
		}
		assert_int_equal(mkdirat(dirfd, e->name, 0700), 0);
		fd = openat(dirfd, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		image_dir(i, e->node, fd);
		close(fd);
	}
	while (copy->entries != NULL)
		set_entry(copy, copy->entries->name, NULL);
	free(copy);
}

void vault_fault_image(struct vault_fault *f, enum vault_fault_policy policy,
		       uint64_t seed, int dirfd)
{
	struct image i = { .policy = policy,
			   .random = vault_scratch_seed(seed) };

	pthread_mutex_lock(&f->lock);
	image_dir(&i, f->root, dirfd);
	pthread_mutex_unlock(&f->lock);
}
