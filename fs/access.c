/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/base/buf.h"
#include "store/base/bytes.h"
#include "store/base/log.h"
#include "store/store.h"
#include "versions/xattrs.h"

/*
 * The packed form of an access ACL: a version, then entries of tag,
 * permissions and id, little-endian, in the order of acl(5). Values are the
 * kernel's (linux/posix_acl_xattr.h).
 */
#define ACL_VERSION 2u
#define ACL_ENTRY_BYTES 8u
#define ACL_XATTR "system.posix_acl_access"

enum acl_tag {
	TAG_USER_OBJ = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP_OBJ = 0x04,
	TAG_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHER = 0x20,
};

/* The attributes of one version are a small content; more is damage. */
#define XATTRS_MAX ((uint64_t)64 << 20)
/* What the kernel lets one attribute hold. */
#define ACL_MAX 65536

struct acl_entry {
	unsigned tag;
	unsigned perm;
	uint32_t id;
};

/* What decides about one inode, then or now. */
struct inode_rights {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct vault_buf acl;
};

static bool in_group(const struct vault_caller *who, gid_t gid)
{
	if (who->gid == gid)
		return true;
	for (size_t i = 0; i < who->n_groups; i++) {
		if (who->groups[i] == gid)
			return true;
	}
	return false;
}

static bool covers(unsigned perm, int want)
{
	return (perm & (unsigned)want) == (unsigned)want;
}

static struct acl_entry next_entry(struct vault_reader *in)
{
	struct acl_entry e;

	e.tag = vault_reader_le16(in);
	e.perm = vault_reader_le16(in);
	e.id = vault_reader_le32(in);
	return e;
}

/* The mask limits all entries but the owner's and the others'. */
static unsigned acl_mask(struct vault_span entries)
{
	struct vault_reader in = vault_reader(entries);

	while (in.left.len > 0) {
		const struct acl_entry e = next_entry(&in);

		if (e.tag == TAG_MASK)
			return e.perm;
	}
	return 7;
}

static bool acl_allows(const struct vault_caller *who, gid_t gid,
		       struct vault_span entries, int want)
{
	const unsigned mask = acl_mask(entries);
	struct vault_reader in = vault_reader(entries);
	bool group_known = false;
	unsigned other = 0;

	while (in.left.len > 0) {
		const struct acl_entry e = next_entry(&in);
		bool mine;

		if (e.tag == TAG_USER && e.id == who->uid)
			return covers(e.perm & mask, want);
		if (e.tag == TAG_OTHER)
			other = e.perm;
		mine = (e.tag == TAG_GROUP_OBJ && in_group(who, gid)) ||
		       (e.tag == TAG_GROUP && in_group(who, e.id));
		if (mine && covers(e.perm & mask, want))
			return true;
		group_known = group_known || mine;
	}
	/* A group that is named but allows less keeps the others' rights out. */
	return !group_known && covers(other, want);
}

bool vault_access_allows(const struct vault_caller *who, mode_t mode, uid_t uid,
			 gid_t gid, struct vault_span acl, int want)
{
	struct vault_reader in = vault_reader(acl);

	if (who->uid == 0)
		return true;
	if (who->uid == uid)
		return covers(mode >> 6 & 7, want);
	if (acl.len > 0) {
		if (vault_reader_le32(&in) != ACL_VERSION || in.failed ||
		    in.left.len % ACL_ENTRY_BYTES != 0)
			return false;
		return acl_allows(who, gid, in.left, want);
	}
	if (in_group(who, gid))
		return covers(mode >> 3 & 7, want);
	return covers(mode & 7, want);
}

static bool rights_allow(const struct vault_caller *who,
			 const struct inode_rights *r, int want)
{
	return vault_access_allows(who, r->mode, r->uid, r->gid,
				   vault_buf_span(&r->acl), want);
}

static void rights_release(struct inode_rights *r)
{
	vault_buf_release(&r->acl);
}

/* ---- as recorded ---- */

static vault_err recorded_acl(struct vault_tree *t, const struct vault_row *row,
			      struct vault_buf *out)
{
	struct vault_buf packed = VAULT_BUF_INIT;
	struct vault_span value;
	vault_err err;

	err = vault_store_read_all(vault_tree_store(t), &row->xattrs,
				   XATTRS_MAX, &packed);
	if (err != VAULT_OK)
		goto out;
	err = vault_xattrs_get(vault_buf_span(&packed),
			       vault_span_str(ACL_XATTR), &value);
	if (err == VAULT_OK)
		err = vault_buf_append(out, value);
	else if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
out:
	vault_buf_release(&packed);
	return err;
}

/* DENIED unless the version's own mode and ACL give `want`. */
static vault_err check_recorded(struct vault_tree *t,
				const struct vault_caller *who,
				const struct vault_row *row, int want)
{
	struct inode_rights r = {
		.mode = row->mode,
		.uid = row->uid,
		.gid = row->gid,
		.acl = VAULT_BUF_INIT,
	};
	vault_err err = VAULT_OK;

	/* Links have no ACLs. */
	if (row->kind != VAULT_KIND_SYMLINK && !vault_id_is_none(&row->xattrs))
		err = recorded_acl(t, row, &r.acl);
	if (err == VAULT_OK && !rights_allow(who, &r, want))
		err = VAULT_ERR_DENIED;
	rights_release(&r);
	return err;
}

/* Cut the first name off a path. */
static struct vault_span first_name(struct vault_span *path)
{
	const uint8_t *slash =
		path->len == 0 ? NULL : memchr(path->data, '/', path->len);
	const size_t len =
		slash == NULL ? path->len : (size_t)(slash - path->data);
	const struct vault_span name = vault_span(path->data, len);

	*path = vault_span_from(*path, len + 1);
	return name;
}

/* What was walked through on the way to a version. */
struct recorded_walk {
	struct vault_version target;
	uint64_t *dirs; /* ancestors, the root first */
	size_t n_dirs;
};

static vault_err remember_dir(struct recorded_walk *w, uint64_t dir)
{
	uint64_t *dirs = realloc(w->dirs, (w->n_dirs + 1) * sizeof(*dirs));

	if (dirs == NULL)
		return VAULT_ERR_NOMEM;
	w->dirs = dirs;
	w->dirs[w->n_dirs++] = dir;
	return VAULT_OK;
}

/* Walk the recorded path; each directory on it must let the caller pass. */
static vault_err walk_recorded(struct vault_tree *t,
			       const struct vault_caller *who,
			       struct vault_span path, uint64_t at, int want,
			       struct recorded_walk *w)
{
	uint64_t dir;
	vault_err err;

	err = vault_tree_resolve(t, VAULT_SPAN_EMPTY, at, &w->target);
	while (err == VAULT_OK && path.len > 0) {
		if (w->target.row.kind != VAULT_KIND_DIR)
			return VAULT_ERR_NOT_DIR;
		err = check_recorded(t, who, &w->target.row, VAULT_MAY_SEARCH);
		if (err != VAULT_OK)
			return err;
		dir = w->target.row.node;
		err = remember_dir(w, dir);
		if (err != VAULT_OK)
			return err;
		err = vault_tree_lookup(t, dir, first_name(&path), at,
					&w->target);
	}
	if (err != VAULT_OK)
		return err;
	return check_recorded(t, who, &w->target.row, want);
}

/* ---- on the disk ---- */

static int open_beneath(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static vault_err live_acl(int fd, struct vault_buf *out)
{
	char path[64];
	vault_err err;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = vault_buf_reserve(out, 256);
	if (err != VAULT_OK)
		return err;
	n = getxattr(path, ACL_XATTR, out->data, out->cap);
	if (n < 0 && errno == ERANGE) {
		err = vault_buf_reserve(out, ACL_MAX);
		if (err != VAULT_OK)
			return err;
		n = getxattr(path, ACL_XATTR, out->data, out->cap);
	}
	if (n < 0)
		return errno == ENODATA || errno == EOPNOTSUPP
			       ? VAULT_OK
			       : vault_err_from_errno(errno);
	out->len = (size_t)n;
	return VAULT_OK;
}

/* DENIED unless the open file gives `want` now. */
static vault_err check_live_fd(int fd, const struct vault_caller *who, int want)
{
	struct inode_rights r = { .acl = VAULT_BUF_INIT };
	vault_err err = VAULT_OK;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return vault_err_from_errno(errno);
	r.mode = st.st_mode;
	r.uid = st.st_uid;
	r.gid = st.st_gid;
	if (!S_ISLNK(st.st_mode))
		err = live_acl(fd, &r.acl);
	if (err == VAULT_OK && !rights_allow(who, &r, want))
		err = VAULT_ERR_DENIED;
	rights_release(&r);
	return err;
}

/*
 * Walk `path` on the disk: every directory on it must let the caller pass and
 * the last name must give `want`. NOT_FOUND: it is not there any more.
 */
static vault_err check_live_path(int projectfd, const struct vault_caller *who,
				 struct vault_span path, int want)
{
	int fd = projectfd;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && path.len > 0) {
		struct vault_span name = first_name(&path);
		char text[NAME_MAX + 1];
		int next;

		err = check_live_fd(fd, who, VAULT_MAY_SEARCH);
		if (err != VAULT_OK)
			break;
		if (name.len > NAME_MAX) {
			err = VAULT_ERR_NOT_FOUND;
			break;
		}
		memcpy(text, name.data, name.len);
		text[name.len] = 0;
		next = open_beneath(fd, text);
		if (next < 0) {
			err = errno == ENOTDIR || errno == ELOOP
				      ? VAULT_ERR_NOT_FOUND
				      : vault_err_from_errno(errno);
			break;
		}
		if (fd != projectfd)
			close(fd);
		fd = next;
	}
	if (err == VAULT_OK)
		err = check_live_fd(fd, who, want);
	if (fd != projectfd)
		close(fd);
	return err;
}

/* ---- the live node ---- */

struct live_names {
	struct vault_tree *t;
	int projectfd;
	const struct vault_caller *who;
	int want;
	vault_err answer; /* NOT_FOUND until a name was found on the disk */
};

/* One of the node's present names; the first that lets the caller in ends
 * the search, as a hard link is as good as the other. */
static vault_err try_live_name(void *ctx, uint64_t dir, struct vault_span name,
			       const struct vault_version *v)
{
	struct live_names *l = ctx;
	struct vault_buf path = VAULT_BUF_INIT;
	vault_err err;

	(void)v;
	if (dir == VAULT_DIR_ABOVE) {
		err = VAULT_OK;
	} else {
		err = vault_tree_dir_path(l->t, dir, VAULT_AT_NOW, &path);
		if (err == VAULT_OK && path.len > 0)
			err = vault_buf_append_str(&path, "/");
		if (err == VAULT_OK)
			err = vault_buf_append(&path, name);
	}
	if (err == VAULT_OK)
		err = check_live_path(l->projectfd, l->who,
				      vault_buf_span(&path), l->want);
	vault_buf_release(&path);
	if (err == VAULT_OK) {
		l->answer = VAULT_OK;
		return VAULT_ERR_CANCELLED;
	}
	if (err != VAULT_ERR_NOT_FOUND)
		l->answer = err;
	return VAULT_OK;
}

/*
 * The node is gone: its owner alone, and only through what is left of the
 * directories that held it. The nearest of them that is still there, followed
 * through renames, must let the caller pass, and so must those above it.
 */
static vault_err check_deleted(struct vault_tree *t, int projectfd,
			       const struct vault_caller *who,
			       const struct recorded_walk *w)
{
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_version last;
	vault_err err;

	/* Whose it was at the end: what was given away is no longer theirs. */
	err = vault_tree_node_last(t, w->target.row.node, &last);
	if (err != VAULT_OK)
		return err;
	if (who->uid != last.row.uid)
		return VAULT_ERR_DENIED;

	err = VAULT_ERR_NOT_FOUND;
	for (size_t i = w->n_dirs; i > 0 && err == VAULT_ERR_NOT_FOUND; i--) {
		vault_buf_clear(&path);
		err = vault_tree_dir_path(t, w->dirs[i - 1], VAULT_AT_NOW,
					  &path);
		if (err == VAULT_OK)
			err = check_live_path(projectfd, who,
					      vault_buf_span(&path),
					      VAULT_MAY_SEARCH);
	}
	vault_buf_release(&path);
	return err == VAULT_ERR_NOT_FOUND ? VAULT_ERR_DENIED : err;
}

vault_err vault_access_past(struct vault_tree *t, int projectfd,
			    const struct vault_caller *who,
			    struct vault_span path, uint64_t at, int want)
{
	struct live_names live = {
		.t = t,
		.projectfd = projectfd,
		.who = who,
		.want = want,
		.answer = VAULT_ERR_NOT_FOUND,
	};
	struct recorded_walk w = { .dirs = NULL };
	vault_err err;

	if (who->uid == 0)
		return VAULT_OK;
	err = walk_recorded(t, who, path, at, want, &w);
	if (err != VAULT_OK)
		goto out;

	err = vault_tree_places(t, w.target.row.node, VAULT_AT_NOW,
				try_live_name, &live);
	if (err == VAULT_ERR_CANCELLED || err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	if (err == VAULT_OK)
		err = live.answer;
	if (err == VAULT_ERR_NOT_FOUND)
		err = check_deleted(t, projectfd, who, &w);
out:
	free(w.dirs);
	return err;
}

vault_err vault_access_version(struct vault_tree *t, int projectfd,
			       const struct vault_caller *who, uint64_t dir,
			       struct vault_span name, uint64_t at, int want)
{
	struct vault_buf path = VAULT_BUF_INIT;
	vault_err err;

	if (who->uid == 0)
		return VAULT_OK;
	if (dir == VAULT_DIR_ABOVE)
		return vault_access_past(t, projectfd, who, VAULT_SPAN_EMPTY,
					 at, want);
	err = vault_tree_dir_path(t, dir, at, &path);
	if (err != VAULT_OK)
		goto out;
	if (path.len > 0)
		err = vault_buf_append_str(&path, "/");
	if (err == VAULT_OK)
		err = vault_buf_append(&path, name);
	if (err == VAULT_OK)
		err = vault_access_past(t, projectfd, who,
					vault_buf_span(&path), at, want);
out:
	vault_buf_release(&path);
	return err;
}
