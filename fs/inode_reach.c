/* SPDX-License-Identifier: Apache-2.0 */
/* How an inode's file is found again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fs/inode.h"
#include "fs/inode_table.h"

/* A walk that meets renames starts over, at most this often. */
#define WALK_TRIES 200
#define WALK_PAUSE_NS 50000

static bool append(struct vault_buf *b, const void *bytes, size_t len)
{
	return vault_buf_append(b, vault_span(bytes, len)) == VAULT_OK;
}

/* Append the names from the root down to `i`, "/" between them. Under the
 * lock. False: some ancestor has no name. */
static bool names_down_to(struct vault_inode_table *t,
			  const struct vault_inode *i,
			  const struct vault_inode_name *last,
			  struct vault_buf *out)
{
	const struct vault_inode_name **chain;
	const struct vault_inode_name *n = last;
	size_t depth = 0;
	bool ok = false;

	if (i == t->root)
		return true;
	chain = calloc(VAULT_INODE_TABLE_DEPTH, sizeof(*chain));
	if (chain == NULL)
		return false;
	while (n != NULL && depth < VAULT_INODE_TABLE_DEPTH) {
		chain[depth++] = n;
		if (n->parent == t->root)
			break;
		n = n->parent->names;
	}
	ok = n != NULL && n->parent == t->root;
	while (ok && depth > 0) {
		n = chain[--depth];
		ok = append(out, n->text, strlen(n->text)) &&
		     (depth == 0 || append(out, "/", 1));
	}
	free(chain);
	return ok;
}

bool vault_inode_path(struct vault_inode_table *t, struct vault_inode *i,
		      const char *name, struct vault_buf *out)
{
	bool ok;

	if (!vault_inode_captured(t, i))
		return false;
	vault_buf_clear(out);
	pthread_mutex_lock(&t->lock);
	ok = names_down_to(t, i, i->names, out);
	pthread_mutex_unlock(&t->lock);
	if (ok && name != NULL)
		ok = (out->len == 0 || append(out, "/", 1)) &&
		     append(out, name, strlen(name));
	return ok;
}

static int open_beneath(int dirfd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	} while (fd < 0 && errno == EAGAIN);
	return (int)fd;
}

/* Open a path that may be longer than the kernel takes at once. */
static int open_long(int rootfd, char *path, size_t len)
{
	int dirfd = rootfd;
	int fd;

	while (len >= PATH_MAX) {
		char *cut = memrchr(path, '/', PATH_MAX - 1);

		if (cut == NULL)
			return -1;
		*cut = '\0';
		fd = open_beneath(dirfd, path, O_DIRECTORY);
		if (dirfd != rootfd)
			close(dirfd);
		if (fd < 0)
			return -1;
		dirfd = fd;
		len -= (size_t)(cut + 1 - path);
		path = cut + 1;
	}
	fd = open_beneath(dirfd, path, 0);
	if (dirfd != rootfd)
		close(dirfd);
	return fd;
}

static bool is_same(const struct vault_inode *i, int fd)
{
	struct vault_inode_key key;
	struct stat st;

	return vault_inode_stat(fd, "", &st, &key) == 0 &&
	       key.ino == i->key.ino && key.dev == i->key.dev &&
	       key.birth_ns == i->key.birth_ns;
}

/* The `nth` name of `i` as a path, and when it was true. */
static bool nth_path(struct vault_inode_table *t, struct vault_inode *i,
		     unsigned nth, struct vault_buf *path, uint64_t *moves)
{
	const struct vault_inode_name *n;
	bool ok;

	vault_buf_clear(path);
	pthread_mutex_lock(&t->lock);
	*moves = t->moves;
	n = i->names;
	while (n != NULL && nth-- > 0)
		n = n->next;
	ok = n != NULL && names_down_to(t, i, n, path);
	pthread_mutex_unlock(&t->lock);
	return ok;
}

/* Did names change, or are they just changing? */
static bool moved_since(struct vault_inode_table *t, uint64_t moves)
{
	const struct timespec pause = { .tv_nsec = WALK_PAUSE_NS };
	bool changing;
	bool moved;

	pthread_mutex_lock(&t->lock);
	moved = t->moves != moves;
	changing = t->n_changing > 0;
	pthread_mutex_unlock(&t->lock);
	if (!moved && changing)
		nanosleep(&pause, NULL);
	return moved || changing;
}

static int by_names(struct vault_inode_table *t, struct vault_inode *i)
{
	struct vault_buf path = VAULT_BUF_INIT;
	unsigned nth = 0;
	uint64_t moves;
	int found = -1;
	int tries = 0;

	while (found < 0 && tries < WALK_TRIES) {
		const bool named = nth_path(t, i, nth, &path, &moves) &&
				   vault_buf_cstr(&path) != NULL;

		if (named)
			found = open_long(t->rootfd, (char *)path.data,
					  path.len);
		if (found >= 0 && !is_same(i, found)) {
			close(found);
			found = -1;
		}
		if (found >= 0)
			break;
		if (moved_since(t, moves)) {
			nth = 0;
			tries++;
		} else if (named) {
			nth++;
		} else {
			break;
		}
	}
	vault_buf_release(&path);
	return found;
}

static int by_handle(const struct vault_inode_table *t,
		     const struct vault_inode *i)
{
	struct {
		struct file_handle head;
		uint8_t room[MAX_HANDLE_SZ];
	} h;

	if (!t->handles || i->handle_len == 0)
		return -1;
	h.head.handle_bytes = i->handle_len;
	h.head.handle_type = i->handle_type;
	memcpy(h.head.f_handle, i->handle, i->handle_len);
	return open_by_handle_at(t->rootfd, &h.head, O_PATH | O_CLOEXEC);
}

/* One that is open, or was kept when its last name went. */
static int by_open_file(struct vault_inode_table *t, struct vault_inode *i)
{
	int fd = -1;

	pthread_mutex_lock(&t->lock);
	if (i->files != NULL)
		fd = fcntl(i->files->fd, F_DUPFD_CLOEXEC, 0);
	else if (i->kept >= 0)
		fd = fcntl(i->kept, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&t->lock);
	return fd;
}

int vault_inode_reach(struct vault_inode_table *t, struct vault_inode *i,
		      struct vault_inode_fd *out)
{
	int fd;

	if (i == t->root) {
		*out = (struct vault_inode_fd){ t->rootfd, false };
		return 0;
	}
	fd = by_handle(t, i);
	if (fd < 0)
		fd = by_open_file(t, i);
	if (fd < 0)
		fd = by_names(t, i);
	/* Its last name may have gone while we walked. */
	if (fd < 0)
		fd = by_open_file(t, i);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? errno : ESTALE;
	*out = (struct vault_inode_fd){ fd, true };
	return 0;
}

void vault_inode_unreach(struct vault_inode_fd *fd)
{
	if (fd->owned)
		close(fd->fd);
	*fd = (struct vault_inode_fd){ -1, false };
}
