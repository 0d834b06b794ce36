/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "versions/beneath.h"
#include "versions/xattrs.h"

#define TRIES 3
/* A tick of the kernel's coarse clock and some: a change within the same tick
 * as a reading leaves the times as they were. */
#define CLOCK_GRAIN_NS ((int64_t)20000000)

static int64_t to_ns(const struct statx_timestamp *t)
{
	return (int64_t)t->tv_sec * 1000000000 + (int64_t)t->tv_nsec;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

vault_err vault_ingest_stat(int dirfd, const char *name,
			    struct vault_ingest_stat *out)
{
	struct statx x;
	int flags = AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT;

	if (name[0] == '\0')
		flags |= AT_EMPTY_PATH;
	if (statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x) != 0)
		return vault_err_from_errno(errno);
	*out = (struct vault_ingest_stat){
		.kind = vault_row_kind_of(x.stx_mode),
		.mode = x.stx_mode & 07777u,
		.uid = x.stx_uid,
		.gid = x.stx_gid,
		.size = x.stx_size,
		.nlink = x.stx_nlink,
		.mtime_ns = to_ns(&x.stx_mtime),
		.backing = {
			.dev = makedev(x.stx_dev_major, x.stx_dev_minor),
			.ino = x.stx_ino,
			.ctime_ns = to_ns(&x.stx_ctime),
			.btime_ns = (x.stx_mask & STATX_BTIME) != 0 ?
					    to_ns(&x.stx_btime) :
					    0,
		},
	};
	if (out->kind == VAULT_KIND_CHAR || out->kind == VAULT_KIND_BLOCK)
		out->rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor);
	return VAULT_OK;
}

/* ---- a file as a source of bytes ---- */

/* Where to, and until when. */
struct how {
	struct vault_store *store;
	const struct vault_id *like;
	const atomic_bool *stopping; /* may be NULL */
};

struct reading {
	int fd;
	uint64_t size;
	bool failed;		     /* the file did, not the store */
	const atomic_bool *stopping; /* may be NULL */
};

static vault_err read_bytes(void *ctx, uint64_t off, void *buf, size_t len,
			    size_t *got)
{
	struct reading *r = ctx;
	ssize_t n;

	if (r->stopping != NULL && atomic_load(r->stopping))
		return VAULT_ERR_CANCELLED;
	/* What was appended after the first look belongs to the next try. */
	if (off >= r->size) {
		*got = 0;
		return VAULT_OK;
	}
	if (len > r->size - off)
		len = (size_t)(r->size - off);
	do {
		n = pread(r->fd, buf, len, (off_t)off);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		r->failed = true;
		return vault_err_from_errno(errno);
	}
	*got = (size_t)n;
	return VAULT_OK;
}

static vault_err next_data(void *ctx, uint64_t off, uint64_t *start,
			   uint64_t *end)
{
	const struct reading *r = ctx;
	off_t data;
	off_t hole;

	*start = r->size;
	*end = r->size;
	if (off >= r->size)
		return VAULT_OK;
	data = lseek(r->fd, (off_t)off, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return VAULT_OK; /* a hole up to the end */
	if (data < 0) {
		*start = off; /* no such thing here: all is data */
		return VAULT_OK;
	}
	hole = lseek(r->fd, data, SEEK_HOLE);
	if ((uint64_t)data >= r->size)
		return VAULT_OK;
	*start = (uint64_t)data;
	if (hole > data && (uint64_t)hole < r->size)
		*end = (uint64_t)hole;
	return VAULT_OK;
}

static vault_err put_file(const struct how *how, int fd, uint64_t size,
			  struct vault_content *content, bool *of_file)
{
	struct reading r = { .fd = fd,
			     .size = size,
			     .stopping = how->stopping };
	const struct vault_source source = { &r, read_bytes, next_data };
	const vault_err err =
		vault_store_put(how->store, &source, how->like, content);

	*of_file = r.failed;
	/* Shorter than it was: it was cut while it was read. */
	if (err == VAULT_OK && content->size != size) {
		*of_file = true;
		return VAULT_ERR_CHANGED;
	}
	return err;
}

static vault_err put_link(struct vault_store *store, int fd,
			  struct vault_content *content, bool *of_file)
{
	char target[PATH_MAX];
	const ssize_t n = readlinkat(fd, "", target, sizeof(target));

	if (n <= 0 || n >= (ssize_t)sizeof(target)) {
		*of_file = true;
		return n < 0 ? vault_err_from_errno(errno)
			     : VAULT_ERR_NAME_TOO_LONG;
	}
	return vault_store_put_span(store, vault_span(target, (size_t)n),
				    content);
}

static void fill_row(const struct vault_ingest_stat *st,
		     const struct vault_content *content, struct vault_row *row)
{
	*row = (struct vault_row){
		.kind = st->kind,
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
		.rdev = st->rdev,
		.mtime_ns = st->mtime_ns,
	};
	if (st->kind != VAULT_KIND_FILE && st->kind != VAULT_KIND_SYMLINK)
		return;
	row->digest = content->digest;
	row->size = content->size;
	if (content->size > 0)
		row->content = content->id;
}

/* All but the question whether it held still. */
static vault_err ingest_once(const struct how *how, int fd,
			     const struct vault_ingest_stat *st,
			     struct vault_span xattrs,
			     struct vault_ingest_result *out)
{
	struct vault_content content = { .size = 0 };
	struct vault_content packed;
	struct vault_row row;
	bool of_file = false;
	vault_err err = VAULT_OK;

	if (st->kind == VAULT_KIND_FILE && st->size > 0)
		err = put_file(how, fd, st->size, &content, &of_file);
	else if (st->kind == VAULT_KIND_SYMLINK)
		err = put_link(how->store, fd, &content, &of_file);
	else
		content.digest = vault_digest_of(VAULT_SPAN_EMPTY);
	if (err != VAULT_OK) {
		out->of_file = of_file;
		return err;
	}
	fill_row(st, &content, &row);
	if (xattrs.len > 0) {
		err = vault_store_put_span(how->store, xattrs, &packed);
		if (err != VAULT_OK) {
			out->of_file = false;
			return err;
		}
		row.xattrs = packed.id;
	}
	out->row = row;
	out->backing = st->backing;
	out->of_file = false;
	return VAULT_OK;
}

vault_err vault_ingest_fd(struct vault_store *store, int fd,
			  const struct vault_ingest_stat *st,
			  struct vault_span xattrs, const struct vault_id *like,
			  struct vault_ingest_result *out)
{
	const struct how how = { store, like, NULL };

	return ingest_once(&how, fd, st, xattrs, out);
}

static int open_for(const struct vault_ingest_request *q)
{
	if (q->kind == VAULT_KIND_FILE)
		return vault_beneath_open_read(q->projectfd, q->path);
	return vault_beneath_open(q->projectfd, q->path, O_PATH);
}

/*
 * A write moves mtime and ctime; a rename, chmod or unlink of some name moves
 * ctime alone, and then the bytes that were read are still those of one state.
 * Of those only what makes a row is looked at again.
 */
static bool held_still(const struct vault_ingest_stat *a,
		       const struct vault_ingest_stat *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       (a->backing.ctime_ns == b->backing.ctime_ns ||
		a->nlink != b->nlink);
}

static vault_err try_once(const struct vault_ingest_request *q, int fd,
			  bool *still, struct vault_ingest_result *out)
{
	const struct how how = { q->store, q->like, q->stopping };
	struct vault_buf xattrs = VAULT_BUF_INIT;
	struct vault_ingest_result r = { .of_file = true };
	struct vault_ingest_stat before;
	struct vault_ingest_stat after;
	const int64_t started = now_ns();
	vault_err err;

	err = vault_ingest_stat(fd, "", &before);
	if (err == VAULT_OK &&
	    (before.kind != q->kind || before.backing.ino != q->ino))
		err = VAULT_ERR_CHANGED;
	if (err == VAULT_OK)
		err = vault_xattrs_read(fd, &xattrs);
	if (err == VAULT_OK)
		err = ingest_once(&how, fd, &before, vault_buf_span(&xattrs),
				  &r);
	if (err == VAULT_OK) {
		err = vault_ingest_stat(fd, "", &after);
		r.of_file = err != VAULT_OK;
	}
	if (err == VAULT_OK) {
		*still = held_still(&before, &after);
		r.backing.racy =
			before.backing.ctime_ns >= started - CLOCK_GRAIN_NS;
		*out = r;
	} else {
		out->of_file = r.of_file;
	}
	vault_buf_release(&xattrs);
	return err;
}

/* A clone is a state of one instant: where the disk can, nothing is torn. */
static vault_err from_clone(const struct vault_ingest_request *q, int fd,
			    struct vault_ingest_result *out)
{
	const struct how how = { q->store, q->like, q->stopping };
	struct vault_buf xattrs = VAULT_BUF_INIT;
	struct vault_ingest_stat st;
	struct vault_ingest_stat cloned;
	vault_err err = VAULT_ERR_UNSUPPORTED;
	int copy;

	copy = q->scratchfd < 0 ? -1
				: openat(q->scratchfd, ".",
					 O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (copy < 0)
		return VAULT_ERR_UNSUPPORTED;
	if (ioctl(copy, FICLONE, fd) == 0) {
		err = vault_ingest_stat(fd, "", &st);
		if (err == VAULT_OK)
			err = vault_ingest_stat(copy, "", &cloned);
		if (err == VAULT_OK)
			err = vault_xattrs_read(fd, &xattrs);
		if (err == VAULT_OK) {
			st.size = cloned.size;
			err = ingest_once(&how, copy, &st,
					  vault_buf_span(&xattrs), out);
		}
		if (err == VAULT_OK)
			out->backing.racy = true; /* it goes on changing */
	}
	close(copy);
	vault_buf_release(&xattrs);
	return err;
}

vault_err vault_ingest_path(const struct vault_ingest_request *q,
			    struct vault_ingest_result *out)
{
	vault_err err = VAULT_ERR_UNSUPPORTED;
	bool still = false;
	int fd = open_for(q);

	out->of_file = true;
	if (fd < 0)
		return vault_err_from_errno(errno);
	if (q->busy && q->kind == VAULT_KIND_FILE) {
		err = from_clone(q, fd, out);
		still = err == VAULT_OK;
	}
	for (int i = 0; i < TRIES && !still; i++) {
		err = try_once(q, fd, &still, out);
		if (err != VAULT_OK && err != VAULT_ERR_CHANGED)
			break;
	}
	close(fd);
	if (err == VAULT_OK && !still && q->busy) {
		out->row.flags |= VAULT_ROW_TORN;
		out->backing.racy = true;
		return VAULT_OK;
	}
	if (err == VAULT_OK && !still) {
		out->of_file = true;
		return VAULT_ERR_CHANGED;
	}
	return err;
}
