/* SPDX-License-Identifier: Apache-2.0 */
#include "store/packs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/log.h"

#define MOST_FILES 64

/* An open pack; free for another while nobody reads through it. */
struct open_file {
	uint32_t id; /* 0: a free slot */
	int fd;
	unsigned readers;
	uint64_t used; /* tick of the last use */
};

struct vault_packs {
	const struct vault_io *io;
	int dirfd;
	pthread_mutex_t lock; /* of everything below */
	struct vault_pack *packs;
	size_t n_packs;
	size_t cap;
	struct open_file files[MOST_FILES];
	uint64_t tick;
};

void vault_packs_name(uint32_t id, char out[VAULT_PACK_NAME_BYTES])
{
	snprintf(out, VAULT_PACK_NAME_BYTES, "%08" PRIu32 ".pack", id);
}

/* The id in a pack's name, 0 for other names. */
static uint32_t parse_name(const char *name)
{
	char again[VAULT_PACK_NAME_BYTES];
	uint32_t id;

	if (sscanf(name, "%10" SCNu32 ".pack", &id) != 1)
		return 0;
	vault_packs_name(id, again);
	return strcmp(name, again) == 0 ? id : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct vault_pack *x = a;
	const struct vault_pack *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static vault_err insert(struct vault_packs *p, uint32_t id, uint64_t len)
{
	if (p->n_packs == p->cap) {
		const size_t cap = p->cap == 0 ? 16 : 2 * p->cap;
		struct vault_pack *packs;

		packs = realloc(p->packs, cap * sizeof(*packs));
		if (packs == NULL)
			return VAULT_ERR_NOMEM;
		p->packs = packs;
		p->cap = cap;
	}
	p->packs[p->n_packs++] = (struct vault_pack){ .id = id, .len = len };
	return VAULT_OK;
}

static vault_err list(struct vault_packs *p, DIR *dir)
{
	const struct dirent *entry;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && (entry = readdir(dir)) != NULL) {
		const uint32_t id = parse_name(entry->d_name);
		struct stat st;

		if (id == 0)
			continue;
		if (fstatat(p->dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) <
		    0) {
			vault_log_error("packs/%s: %s", entry->d_name,
					strerror(errno));
			return vault_err_from_errno(errno);
		}
		if (S_ISREG(st.st_mode))
			err = insert(p, id, (uint64_t)st.st_size);
	}
	if (p->n_packs > 0)
		qsort(p->packs, p->n_packs, sizeof(*p->packs), by_id);
	return err;
}

vault_err vault_packs_open(const struct vault_io *io, int dirfd,
			   struct vault_packs **out)
{
	struct vault_packs *p = calloc(1, sizeof(*p));
	vault_err err = VAULT_ERR_NOMEM;
	DIR *dir = NULL;
	int fd;

	if (p == NULL)
		return VAULT_ERR_NOMEM;
	p->io = io;
	p->dirfd = dirfd;
	pthread_mutex_init(&p->lock, NULL);

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (dir == NULL) {
		err = vault_err_from_errno(errno);
		vault_log_error("packs: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		goto out;
	}
	err = list(p, dir);
	closedir(dir);
	if (err != VAULT_OK)
		goto out;
	*out = p;
	p = NULL;

out:
	vault_packs_close(p);
	return err;
}

void vault_packs_close(struct vault_packs *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < MOST_FILES; i++) {
		assert(p->files[i].readers == 0);
		if (p->files[i].id != 0)
			p->io->close(p->io->ctx, p->files[i].fd);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->packs);
	free(p);
}

size_t vault_packs_count(struct vault_packs *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->n_packs;
	pthread_mutex_unlock(&p->lock);
	return n;
}

struct vault_pack vault_packs_at(struct vault_packs *p, size_t i)
{
	struct vault_pack pack;

	pthread_mutex_lock(&p->lock);
	assert(i < p->n_packs);
	pack = p->packs[i];
	pthread_mutex_unlock(&p->lock);
	return pack;
}

static struct vault_pack *find(struct vault_packs *p, uint32_t id)
{
	const struct vault_pack key = { .id = id, .len = 0 };

	if (p->n_packs == 0)
		return NULL;
	return bsearch(&key, p->packs, p->n_packs, sizeof(*p->packs), by_id);
}

uint64_t vault_packs_len(struct vault_packs *p, uint32_t id)
{
	const struct vault_pack *pack;
	uint64_t len;

	pthread_mutex_lock(&p->lock);
	pack = find(p, id);
	len = pack == NULL ? 0 : pack->len;
	pthread_mutex_unlock(&p->lock);
	return len;
}

uint64_t vault_packs_bytes(struct vault_packs *p)
{
	uint64_t sum = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_packs; i++)
		sum += p->packs[i].len;
	pthread_mutex_unlock(&p->lock);
	return sum;
}

vault_err vault_packs_set(struct vault_packs *p, uint32_t id, uint64_t len)
{
	struct vault_pack *pack;
	vault_err err = VAULT_OK;

	pthread_mutex_lock(&p->lock);
	pack = find(p, id);
	if (pack != NULL)
		pack->len = len;
	else
		err = insert(p, id, len);
	pthread_mutex_unlock(&p->lock);
	return err;
}

/* A slot for `id` that is open already, else the best one to reuse; NULL when
 * all are being read through. */
static struct open_file *pick(struct vault_packs *p, uint32_t id)
{
	struct open_file *best = NULL;

	for (unsigned i = 0; i < MOST_FILES; i++) {
		struct open_file *f = &p->files[i];

		if (f->id == id)
			return f;
		if (f->readers > 0)
			continue;
		if (best == NULL || (f->id == 0 && best->id != 0) ||
		    (best->id != 0 && f->used < best->used))
			best = f;
	}
	return best;
}

static int open_pack(struct vault_packs *p, uint32_t id)
{
	char name[VAULT_PACK_NAME_BYTES];

	vault_packs_name(id, name);
	return p->io->openat(p->io->ctx, p->dirfd, name, O_RDONLY | O_NOFOLLOW,
			     0);
}

/* Open `id` and count us among its readers. */
static vault_err borrow(struct vault_packs *p, uint32_t id,
			struct open_file **out)
{
	struct open_file *f;
	vault_err err = VAULT_OK;

	pthread_mutex_lock(&p->lock);
	f = pick(p, id);
	if (f == NULL) {
		errno = EMFILE; /* more than MOST_FILES packs read at once */
		err = VAULT_ERR_BUSY;
		goto out;
	}
	if (f->id != id) {
		const int fd = open_pack(p, id);

		if (fd < 0) {
			err = vault_err_from_errno(errno);
			goto out;
		}
		if (f->id != 0)
			p->io->close(p->io->ctx, f->fd);
		f->id = id;
		f->fd = fd;
	}
	f->readers++;
	f->used = ++p->tick;
	*out = f;

out:
	pthread_mutex_unlock(&p->lock);
	return err;
}

static void give_back(struct vault_packs *p, struct open_file *f)
{
	pthread_mutex_lock(&p->lock);
	f->readers--;
	pthread_mutex_unlock(&p->lock);
}

vault_err vault_packs_read(struct vault_packs *p, uint32_t id, uint64_t off,
			   void *buf, size_t len, size_t *got)
{
	struct open_file *f = NULL;
	vault_err err;

	if (id == 0 || off > INT64_MAX - len) {
		errno = ENOENT;
		return VAULT_ERR_NOT_FOUND;
	}
	err = borrow(p, id, &f);
	if (err != VAULT_OK)
		return err;
	err = vault_io_read_full(p->io, f->fd, buf, len, off, got);
	give_back(p, f);
	return err;
}
