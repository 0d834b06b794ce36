/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes, access control lists among them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/livefs_ops.h"
#include "fs/project.h"

/* The mount's root tells where its daemon listens; no file has that. */
static bool is_socket_name(const struct vault_livefs *l, fuse_ino_t ino,
			   const char *name)
{
	return ino == FUSE_ROOT_ID && l->socket != NULL &&
	       strcmp(name, VAULT_PROJECT_SOCKET_XATTR) == 0;
}

/* As getxattr(2): with `size` 0 the length, else the bytes or ERANGE. */
static void reply_value(fuse_req_t req, const char *value, size_t len,
			size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, len);
	else if (len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, len);
}

/* Get `name`, or the list when it is NULL, and reply. */
static void reply_from(fuse_req_t req, const char *path, const char *name,
		       size_t size)
{
	char *value = NULL;
	ssize_t n;

	if (size > 0) {
		value = malloc(size);
		if (value == NULL) {
			fuse_reply_err(req, ENOMEM);
			return;
		}
	}
	n = name != NULL ? getxattr(path, name, value, size)
			 : listxattr(path, value, size);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		reply_value(req, value, (size_t)n, size);
	free(value);
}

static void get_or_list(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_fd fd;
	int err;

	err = vault_inode_reach(l->table, vault_livefs_inode(l, ino), &fd);
	if (err != 0) {
		fuse_reply_err(req, err);
		return;
	}
	reply_from(req, vault_livefs_proc(fd.fd).path, name, size);
	vault_inode_unreach(&fd);
}

void vault_livefs_xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
			    size_t size)
{
	struct vault_livefs *l = vault_livefs_of(req);

	if (vault_view_owns(ino))
		vault_view_getxattr(l->view, req, ino, name, size);
	else if (is_socket_name(l, ino, name))
		reply_value(req, l->socket, strlen(l->socket), size);
	else
		get_or_list(req, ino, name, size);
}

void vault_livefs_xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (vault_view_owns(ino))
		vault_view_listxattr(vault_livefs_of(req)->view, req, ino,
				     size);
	else
		get_or_list(req, ino, NULL, size);
}

struct change {
	const char *name;
	const char *value; /* NULL: remove */
	size_t size;
	int flags;
};

/* As the caller: a new access control list may cost a file its set-group-id
 * bit, which depends on the caller's groups. */
static int apply(struct vault_livefs *l, fuse_req_t req, int fd,
		 const struct change *c)
{
	const struct vault_livefs_proc proc = vault_livefs_proc(fd);
	struct vault_persona p;
	int err;
	int r;

	err = vault_persona_take(&p, req, l->options.root);
	if (err != 0)
		return err;
	if (c->value != NULL)
		r = setxattr(proc.path, c->name, c->value, c->size, c->flags);
	else
		r = removexattr(proc.path, c->name);
	err = r == 0 ? 0 : errno;
	vault_persona_drop(&p);
	return err;
}

static void change(fuse_req_t req, fuse_ino_t ino, const struct change *c)
{
	struct vault_livefs *l = vault_livefs_of(req);
	struct vault_inode_fd fd;
	struct vault_inode *i;
	int err;

	if (vault_view_owns(ino) || is_socket_name(l, ino, c->name)) {
		fuse_reply_err(req, vault_view_owns(ino) ? EROFS : EPERM);
		return;
	}
	i = vault_livefs_inode(l, ino);
	err = vault_inode_reach(l->table, i, &fd);
	if (err == 0) {
		err = apply(l, req, fd.fd, c);
		vault_inode_unreach(&fd);
	}
	if (err == 0)
		vault_livefs_changed(l, i, NULL);
	fuse_reply_err(req, err);
}

void vault_livefs_xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
			    const char *value, size_t size, int flags)
{
	const struct change c = { name, value, size, flags };

	change(req, ino, &c);
}

void vault_livefs_xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	const struct change c = { .name = name };

	change(req, ino, &c);
}
