/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/livefs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/livefs_ops.h"
#include "store/base/log.h"

/* One request may carry this much; more than the kernel's default. */
#define REQUEST_BYTES ((unsigned)1 << 20)
#define BACKGROUND_REQUESTS 64

/* Shadowed views that are named; more of them is somebody's joke. */
#define SHADOWED_BYTES 65536

static void init(void *userdata, struct fuse_conn_info *conn)
{
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC |
				FUSE_CAP_DONT_MASK | FUSE_CAP_SPLICE_READ |
				FUSE_CAP_SPLICE_WRITE |
				FUSE_CAP_AUTO_INVAL_DATA |
				FUSE_CAP_READDIRPLUS |
				FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO |
				FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_POSIX_ACL;
	/*
	 * Locks stay with the kernel: only this machine sees the mount. It also
	 * keeps clearing set-id bits on writes, because it knows what the
	 * writer may, and this program writes as itself. Pages are never moved
	 * out of the live file's cache into another's.
	 */

	(void)userdata;
	conn->want = conn->capable & wanted;
	conn->max_write = REQUEST_BYTES;
	conn->max_readahead = REQUEST_BYTES;
	conn->max_background = BACKGROUND_REQUESTS;
}

const struct fuse_lowlevel_ops vault_livefs_ops = {
	.init = init,
	.lookup = vault_livefs_names_lookup,
	.forget = vault_livefs_names_forget,
	.forget_multi = vault_livefs_names_forget_multi,
	.getattr = vault_livefs_attr_getattr,
	.setattr = vault_livefs_attr_setattr,
	.readlink = vault_livefs_names_readlink,
	.mknod = vault_livefs_names_mknod,
	.mkdir = vault_livefs_names_mkdir,
	.unlink = vault_livefs_names_unlink,
	.rmdir = vault_livefs_names_rmdir,
	.symlink = vault_livefs_names_symlink,
	.rename = vault_livefs_names_rename,
	.link = vault_livefs_names_link,
	.open = vault_livefs_open_open,
	.create = vault_livefs_open_create,
	.read = vault_livefs_io_read,
	.write_buf = vault_livefs_io_write_buf,
	.flush = vault_livefs_open_flush,
	.release = vault_livefs_open_release,
	.fsync = vault_livefs_io_fsync,
	.opendir = vault_livefs_dir_open,
	.readdir = vault_livefs_dir_read,
	.readdirplus = vault_livefs_dir_read_plus,
	.releasedir = vault_livefs_dir_release,
	.fsyncdir = vault_livefs_dir_fsync,
	.statfs = vault_livefs_attr_statfs,
	.setxattr = vault_livefs_xattr_set,
	.getxattr = vault_livefs_xattr_get,
	.listxattr = vault_livefs_xattr_list,
	.removexattr = vault_livefs_xattr_remove,
	.access = vault_livefs_attr_access,
	.fallocate = vault_livefs_io_fallocate,
	.lseek = vault_livefs_io_lseek,
	.copy_file_range = vault_livefs_io_copy_range,
};

vault_err vault_livefs_create(int projectfd, struct vault_capture *capture,
			      struct vault_view *view,
			      const struct vault_livefs_options *options,
			      struct vault_livefs **out)
{
	struct vault_livefs *l = calloc(1, sizeof(*l));
	vault_err err = VAULT_ERR_NOMEM;
	struct stat st;

	if (l == NULL)
		return err;
	pthread_mutex_init(&l->lock, NULL);
	l->projectfd = projectfd;
	l->capture = capture;
	l->view = view;
	l->options = *options;
	if (options->vault_name != NULL) {
		l->vault_name = strdup(options->vault_name);
		if (l->vault_name == NULL)
			goto out;
		if (vault_inode_stat(projectfd, l->vault_name, &st,
				     &l->vault) != 0)
			l->vault = (struct vault_inode_key){ 0 };
	}
	if (options->socket != NULL) {
		l->socket = strdup(options->socket);
		if (l->socket == NULL)
			goto out;
	}
	err = vault_inode_table_create(projectfd, options->root, &l->table);
	if (err != VAULT_OK)
		goto out;
	snprintf(l->path_text, sizeof(l->path_text),
		 "fallback: requests go through the daemon (%s)",
		 options->root ? "kernel passthrough is not built in"
			       : "kernel passthrough needs root");
	*out = l;
	l = NULL;
out:
	vault_livefs_destroy(l);
	return err;
}

void vault_livefs_destroy(struct vault_livefs *l)
{
	if (l == NULL)
		return;
	vault_livefs_dir_close_all(l);
	vault_inode_table_destroy(l->table);
	vault_buf_release(&l->shadowed);
	pthread_mutex_destroy(&l->lock);
	free(l->vault_name);
	free(l->socket);
	free(l);
}

const char *vault_livefs_path_text(const struct vault_livefs *l)
{
	return l->path_text;
}

/* ---- names that are not the user's ---- */

bool vault_livefs_hides(const struct vault_livefs *l,
			const struct vault_inode *parent, const char *name)
{
	return l->vault_name != NULL && vault_livefs_is_root(l, parent) &&
	       strcmp(name, l->vault_name) == 0;
}

int vault_livefs_may_make(const struct vault_livefs *l,
			  const struct vault_inode *parent, const char *name)
{
	if (vault_livefs_hides(l, parent, name) ||
	    vault_view_reserved(vault_span_str(name)))
		return EPERM;
	return 0;
}

int vault_livefs_may_remove(const struct vault_livefs *l,
			    const struct vault_inode *parent, int parentfd,
			    const char *name)
{
	struct vault_inode_key key;
	struct stat st;

	if (vault_livefs_hides(l, parent, name))
		return ENOENT;
	if (!vault_view_reserved(vault_span_str(name)))
		return 0;
	/* A real one, older than the mount, may go: it only shadows a view. */
	if (vault_livefs_is_root(l, parent) ||
	    vault_inode_stat(parentfd, name, &st, &key) != 0)
		return EPERM;
	return 0;
}

/* Is `path` one of the lines? */
static bool listed(const struct vault_buf *lines, struct vault_span path)
{
	struct vault_span rest = vault_buf_span(lines);

	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		const size_t len = (size_t)(end - rest.data);

		if (vault_span_equal(vault_span(rest.data, len), path))
			return true;
		rest = vault_span_from(rest, len + 1);
	}
	return false;
}

void vault_livefs_note_shadow(struct vault_livefs *l, struct vault_inode *dir,
			      const char *name)
{
	struct vault_buf path = VAULT_BUF_INIT;

	if (!vault_inode_path(l->table, dir, name, &path))
		goto out;
	pthread_mutex_lock(&l->lock);
	if (l->shadowed.len + path.len < SHADOWED_BYTES &&
	    !listed(&l->shadowed, vault_buf_span(&path))) {
		vault_log_warn("%.*s: a real entry, so the view of that name "
			       "is not there",
			       (int)path.len, (const char *)path.data);
		if (vault_buf_put_u8(&path, '\n') == VAULT_OK &&
		    vault_buf_append(&l->shadowed, vault_buf_span(&path)) !=
			    VAULT_OK)
			vault_log_debug("out of memory for a shadowed path");
	}
	pthread_mutex_unlock(&l->lock);
out:
	vault_buf_release(&path);
}

/* Those that are still there. */
static vault_err append_present(const struct vault_livefs *l,
				struct vault_span lines, struct vault_buf *out)
{
	struct vault_buf path = VAULT_BUF_INIT;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && lines.len > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.len);
		const size_t len = (size_t)(end - lines.data);
		struct stat st;

		vault_buf_clear(&path);
		err = vault_buf_append(&path, vault_span(lines.data, len));
		if (err == VAULT_OK && vault_buf_cstr(&path) == NULL)
			err = VAULT_ERR_NOMEM;
		if (err == VAULT_OK &&
		    fstatat(l->projectfd, (const char *)path.data, &st,
			    AT_SYMLINK_NOFOLLOW) == 0)
			err = vault_buf_append(out,
					       vault_span(lines.data, len + 1));
		lines = vault_span_from(lines, len + 1);
	}
	vault_buf_release(&path);
	return err;
}

vault_err vault_livefs_shadowed(struct vault_livefs *l, struct vault_buf *out)
{
	struct vault_buf copy = VAULT_BUF_INIT;
	vault_err err;

	pthread_mutex_lock(&l->lock);
	err = vault_buf_append(&copy, vault_buf_span(&l->shadowed));
	pthread_mutex_unlock(&l->lock);
	if (err == VAULT_OK)
		err = append_present(l, vault_buf_span(&copy), out);
	vault_buf_release(&copy);
	return err;
}

/* ---- entries ---- */

void vault_livefs_fill(const struct vault_livefs *l, struct vault_inode *i,
		       const struct stat *st, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){
		.ino = (fuse_ino_t)(uintptr_t)i,
		.generation = vault_inode_generation(i),
		.attr = *st,
		.attr_timeout = l->options.attr_timeout,
		.entry_timeout = l->options.attr_timeout,
	};
}

static bool is_vault(const struct vault_livefs *l, const struct vault_inode *i)
{
	const struct vault_inode_key *k = vault_inode_key(i);

	return l->vault.ino != 0 && k->ino == l->vault.ino &&
	       k->dev == l->vault.dev;
}

int vault_livefs_entry(struct vault_livefs *l, struct vault_inode *parent,
		       int parentfd, const char *name,
		       struct fuse_entry_param *e)
{
	struct vault_inode *i;
	struct stat st;
	int err;

	err = vault_inode_lookup(l->table, parent, parentfd, name, &st, &i);
	if (err != 0)
		return err;
	/* Reached by whatever name: a bind mount, or renamed on the disk. */
	if (is_vault(l, i)) {
		vault_inode_forget(l->table, i, 1);
		return ENOENT;
	}
	vault_livefs_fill(l, i, &st, e);
	return 0;
}

void vault_livefs_reply_entry(struct vault_livefs *l, fuse_req_t req,
			      const struct fuse_entry_param *e)
{
	if (fuse_reply_entry(req, e) == 0 || e->ino == 0)
		return;
	if (vault_view_owns(e->ino))
		vault_view_forget(l->view, e->ino, 1);
	else
		vault_inode_forget(l->table, vault_livefs_inode(l, e->ino), 1);
}

struct vault_livefs_proc vault_livefs_proc(int fd)
{
	struct vault_livefs_proc p;

	snprintf(p.path, sizeof(p.path), "/proc/self/fd/%d", fd);
	return p;
}

void vault_livefs_changed(struct vault_livefs *l, struct vault_inode *dir,
			  const char *name)
{
	struct vault_buf path = VAULT_BUF_INIT;

	if (vault_inode_path(l->table, dir, name, &path))
		vault_capture_changed(l->capture, vault_buf_span(&path));
	vault_buf_release(&path);
}
