/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_LIVEFS_OPS_H
#define VAULT_FS_LIVEFS_OPS_H

#include <pthread.h>

#include "fs/inode.h"
#include "fs/livefs.h"
#include "fs/persona.h"

/*
 * What the files of livefs share: the struct, the way from a node id to an
 * inode, and the operations that livefs.c puts into the table. Operations
 * receive requests on live nodes and on view nodes alike and pass the latter
 * on. errno numbers from the disk are replied as they are.
 */
struct vault_livefs {
	int projectfd;
	struct vault_capture *capture;
	struct vault_view *view;
	struct vault_livefs_options options;
	struct vault_inode_table *table;
	struct vault_inode_key vault; /* the vault's folder, if in the root */
	char *vault_name;
	char *socket;
	char path_text[160];
	pthread_mutex_t lock;	       /* of what follows */
	struct vault_buf shadowed;     /* paths, a newline after each */
	struct vault_livefs_dir *dirs; /* open ones */
};

static inline struct vault_livefs *vault_livefs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The inode behind a live node id. The kernel names no others. */
static inline struct vault_inode *vault_livefs_inode(struct vault_livefs *l,
						     fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? vault_inode_root(l->table)
				   : (struct vault_inode *)(uintptr_t)ino;
}

static inline bool vault_livefs_is_root(const struct vault_livefs *l,
					const struct vault_inode *i)
{
	return i == vault_inode_root(l->table);
}

/* Is `name` in the live directory `parent` the vault's? */
bool vault_livefs_hides(const struct vault_livefs *l,
			const struct vault_inode *parent, const char *name);
/*
 * errno, 0: go on. May the entry `name` be made (or, with `existing`, taken
 * away) in `parent`, which `parentfd` has open?
 */
int vault_livefs_may_make(const struct vault_livefs *l,
			  const struct vault_inode *parent, const char *name);
int vault_livefs_may_remove(const struct vault_livefs *l,
			    const struct vault_inode *parent, int parentfd,
			    const char *name);
/* A real entry below the root is named like a view. */
void vault_livefs_note_shadow(struct vault_livefs *l, struct vault_inode *dir,
			      const char *name);

/* errno. Look up and fill in the reply; the lookup is counted. */
int vault_livefs_entry(struct vault_livefs *l, struct vault_inode *parent,
		       int parentfd, const char *name,
		       struct fuse_entry_param *e);
void vault_livefs_fill(const struct vault_livefs *l, struct vault_inode *i,
		       const struct stat *st, struct fuse_entry_param *e);
/* Reply with an entry; a reply that nobody takes gives the lookup back. */
void vault_livefs_reply_entry(struct vault_livefs *l, fuse_req_t req,
			      const struct fuse_entry_param *e);

/* "/proc/self/fd/N": how an O_PATH descriptor is opened or changed. */
struct vault_livefs_proc {
	char path[32];
};
struct vault_livefs_proc vault_livefs_proc(int fd);

/* Tell the engine that `name` in `dir` (or `dir` itself, NULL) changed. */
void vault_livefs_changed(struct vault_livefs *l, struct vault_inode *dir,
			  const char *name);

/* livefs_names.c */
void vault_livefs_names_lookup(fuse_req_t req, fuse_ino_t parent,
			       const char *name);
void vault_livefs_names_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void vault_livefs_names_forget_multi(fuse_req_t req, size_t n,
				     struct fuse_forget_data *forgets);
void vault_livefs_names_mkdir(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode);
void vault_livefs_names_mknod(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode, dev_t rdev);
void vault_livefs_names_symlink(fuse_req_t req, const char *target,
				fuse_ino_t parent, const char *name);
void vault_livefs_names_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
			     const char *name);
void vault_livefs_names_unlink(fuse_req_t req, fuse_ino_t parent,
			       const char *name);
void vault_livefs_names_rmdir(fuse_req_t req, fuse_ino_t parent,
			      const char *name);
void vault_livefs_names_rename(fuse_req_t req, fuse_ino_t parent,
			       const char *name, fuse_ino_t newparent,
			       const char *newname, unsigned flags);
void vault_livefs_names_readlink(fuse_req_t req, fuse_ino_t ino);

/* livefs_attr.c */
void vault_livefs_attr_getattr(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_file_info *fi);
void vault_livefs_attr_setattr(fuse_req_t req, fuse_ino_t ino,
			       struct stat *attr, int to_set,
			       struct fuse_file_info *fi);
void vault_livefs_attr_access(fuse_req_t req, fuse_ino_t ino, int mask);
void vault_livefs_attr_statfs(fuse_req_t req, fuse_ino_t ino);

/* livefs_xattr.c */
void vault_livefs_xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
			    const char *value, size_t size, int flags);
void vault_livefs_xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
			    size_t size);
void vault_livefs_xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
void vault_livefs_xattr_remove(fuse_req_t req, fuse_ino_t ino,
			       const char *name);

/* livefs_open.c */
void vault_livefs_open_open(fuse_req_t req, fuse_ino_t ino,
			    struct fuse_file_info *fi);
void vault_livefs_open_create(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode,
			      struct fuse_file_info *fi);
void vault_livefs_open_flush(fuse_req_t req, fuse_ino_t ino,
			     struct fuse_file_info *fi);
void vault_livefs_open_release(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_file_info *fi);

/* livefs_io.c */
void vault_livefs_io_read(fuse_req_t req, fuse_ino_t ino, size_t size,
			  off_t off, struct fuse_file_info *fi);
void vault_livefs_io_write_buf(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_bufvec *in, off_t off,
			       struct fuse_file_info *fi);
void vault_livefs_io_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			   struct fuse_file_info *fi);
void vault_livefs_io_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			       off_t off, off_t len, struct fuse_file_info *fi);
void vault_livefs_io_lseek(fuse_req_t req, fuse_ino_t ino, off_t off,
			   int whence, struct fuse_file_info *fi);
void vault_livefs_io_copy_range(fuse_req_t req, fuse_ino_t from, off_t from_off,
				struct fuse_file_info *from_fi, fuse_ino_t to,
				off_t to_off, struct fuse_file_info *to_fi,
				size_t len, int flags);

/* livefs_dir.c */
void vault_livefs_dir_open(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi);
void vault_livefs_dir_read(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi);
void vault_livefs_dir_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size,
				off_t off, struct fuse_file_info *fi);
void vault_livefs_dir_release(fuse_req_t req, fuse_ino_t ino,
			      struct fuse_file_info *fi);
/* Close those that the kernel never released. */
void vault_livefs_dir_close_all(struct vault_livefs *l);
void vault_livefs_dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			    struct fuse_file_info *fi);

#endif
