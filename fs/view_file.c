/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

/* An open file: a content, a node's text, or neither (an empty file). */
struct open_file {
	struct vault_view_open open;
	struct vault_content_file *content;
	struct vault_view_node *text; /* pinned */
	uint64_t size;
};

static struct open_file *file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

static void close_file(struct vault_view *v, struct vault_view_open *o)
{
	struct open_file *f = (struct open_file *)o;

	if (f->content != NULL)
		vault_content_file_close(f->content);
	vault_view_nodes_unpin(v->nodes, f->text);
	free(f);
}

static vault_err open_version(struct vault_view *v,
			      const struct vault_view_node *n,
			      struct open_file *f)
{
	struct vault_version version;
	vault_err err;

	err = vault_view_core_version(v, n, &version);
	if (err != VAULT_OK)
		return err;
	f->size = version.row.size;
	if (vault_id_is_none(&version.row.content))
		return VAULT_OK;
	err = vault_store_open_content(vault_tree_store(v->tree),
				       &version.row.content, &f->content);
	/* The version is there and its bytes are not: that is damage. */
	return err == VAULT_ERR_NOT_FOUND ? VAULT_ERR_DANGLING : err;
}

vault_err vault_view_file_open(struct vault_view *v, fuse_req_t req,
			       struct vault_view_node *n,
			       struct fuse_file_info *fi)
{
	struct open_file *f;
	vault_err err;

	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC) != 0)
		return VAULT_ERR_READ_ONLY;
	err = vault_view_core_check(v, req, n, VAULT_MAY_READ);
	if (err != VAULT_OK)
		return err;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return VAULT_ERR_NOMEM;
	if (n->key.kind == VAULT_VIEW_VERSION) {
		err = open_version(v, n, f);
	} else {
		f->text = vault_view_nodes_pin(v->nodes, n->id);
		f->size = n->text.len;
	}
	if (err != VAULT_OK) {
		close_file(v, &f->open);
		return err;
	}
	f->open.close = close_file;
	vault_view_core_opened(v, &f->open);
	fi->fh = (uintptr_t)f;
	fi->keep_cache = 1;
	fi->noflush = 1;
	if (fuse_reply_open(req, fi) != 0)
		vault_view_core_close(v, &f->open);
	return VAULT_OK;
}

void vault_view_file_release(struct vault_view *v, struct fuse_file_info *fi)
{
	vault_view_core_close(v, &file_of(fi)->open);
}

/* ---- reading ---- */

/* Large buffers are kept: fresh pages would cost more than filling them. */
static void *take_buffer(struct vault_view *v, size_t size)
{
	void *buffer = NULL;

	if (size > VAULT_VIEW_READ_MAX)
		return malloc(size);
	pthread_mutex_lock(&v->lock);
	if (v->n_spare_reads > 0)
		buffer = v->spare_reads[--v->n_spare_reads];
	pthread_mutex_unlock(&v->lock);
	return buffer != NULL ? buffer : malloc(VAULT_VIEW_READ_MAX);
}

static void give_buffer(struct vault_view *v, void *buffer, size_t size)
{
	const size_t room = sizeof(v->spare_reads) / sizeof(v->spare_reads[0]);

	pthread_mutex_lock(&v->lock);
	if (size <= VAULT_VIEW_READ_MAX && v->n_spare_reads < room) {
		v->spare_reads[v->n_spare_reads++] = buffer;
		buffer = NULL;
	}
	pthread_mutex_unlock(&v->lock);
	free(buffer);
}

vault_err vault_view_file_read(struct vault_view *v, fuse_req_t req,
			       size_t size, off_t off,
			       struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);
	const uint64_t from = (uint64_t)off;
	vault_err err = VAULT_OK;
	size_t got = 0;
	void *buffer;

	if (f->text != NULL) {
		const struct vault_span rest = vault_span_from(
			vault_buf_span(&f->text->text), (size_t)off);

		fuse_reply_buf(req, (const char *)rest.data,
			       rest.len < size ? rest.len : size);
		return VAULT_OK;
	}
	if (f->content == NULL || from >= f->size) {
		fuse_reply_buf(req, NULL, 0);
		return VAULT_OK;
	}
	buffer = take_buffer(v, size);
	if (buffer == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_content_file_read(f->content, from, buffer, size, &got);
	if (err == VAULT_OK)
		fuse_reply_buf(req, buffer, got);
	give_buffer(v, buffer, size);
	return err;
}

/* The first hole at or after `off`; the end of a file counts as one. */
static vault_err next_hole(struct open_file *f, uint64_t off, uint64_t *out)
{
	uint64_t start = off;
	uint64_t end = f->size;
	vault_err err = VAULT_OK;

	while (f->content != NULL && off < f->size) {
		err = vault_content_file_next_data(f->content, off, &start,
						   &end);
		if (err != VAULT_OK || start > off)
			break;
		off = end;
	}
	if (err == VAULT_OK)
		*out = f->content == NULL || off > f->size ? f->size : off;
	return err;
}

static vault_err next_data(struct open_file *f, uint64_t off, uint64_t *out)
{
	uint64_t end;

	if (f->content == NULL) {
		*out = off;
		return VAULT_OK;
	}
	return vault_content_file_next_data(f->content, off, out, &end);
}

void vault_view_file_lseek(fuse_req_t req, off_t off, int whence,
			   struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fi);
	uint64_t to = 0;
	vault_err err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (off < 0 || (uint64_t)off >= f->size) {
		fuse_reply_err(req, ENXIO);
		return;
	}
	if (whence == SEEK_DATA)
		err = next_data(f, (uint64_t)off, &to);
	else
		err = next_hole(f, (uint64_t)off, &to);
	if (err != VAULT_OK)
		fuse_reply_err(req, vault_err_to_errno(err));
	else if (whence == SEEK_DATA && to >= f->size)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, (off_t)to);
}

vault_err vault_view_file_readlink(struct vault_view *v, fuse_req_t req,
				   const struct vault_view_node *n)
{
	struct vault_buf target = VAULT_BUF_INIT;
	struct vault_version version;
	const char *text;
	vault_err err;

	if (n->key.kind != VAULT_VIEW_VERSION)
		return VAULT_ERR_INVALID;
	err = vault_view_core_version(v, n, &version);
	if (err != VAULT_OK)
		return err;
	if (version.row.kind != VAULT_KIND_SYMLINK)
		return VAULT_ERR_INVALID;
	err = vault_view_core_check(v, req, n, VAULT_MAY_READ);
	if (err == VAULT_OK)
		err = vault_store_read_all(vault_tree_store(v->tree),
					   &version.row.content, PATH_MAX,
					   &target);
	if (err == VAULT_OK) {
		text = vault_buf_cstr(&target);
		if (text != NULL)
			fuse_reply_readlink(req, text);
		else
			err = VAULT_ERR_NOMEM;
	}
	vault_buf_release(&target);
	return err;
}
