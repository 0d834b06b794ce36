/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/livefs_ops.h"

static int fd_of(const struct fuse_file_info *fi)
{
	return ((const struct vault_inode_file *)(uintptr_t)fi->fh)->fd;
}

void vault_livefs_io_read(fuse_req_t req, fuse_ino_t ino, size_t size,
			  off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(size);

	if (vault_view_owns(ino)) {
		vault_view_read(vault_livefs_of(req)->view, req, ino, size, off,
				fi);
		return;
	}
	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buf.buf[0].fd = fd_of(fi);
	buf.buf[0].pos = off;
	fuse_reply_data(req, &buf, 0);
}

/* Where the end is, the disk knows better than the kernel above us. */
static ssize_t append(int fd, struct fuse_bufvec *in)
{
	const size_t len = fuse_buf_size(in);
	struct fuse_bufvec mem = FUSE_BUFVEC_INIT(len);
	struct iovec iov = { .iov_len = len };
	ssize_t n;

	mem.buf[0].mem = malloc(len);
	if (mem.buf[0].mem == NULL)
		return -ENOMEM;
	n = fuse_buf_copy(&mem, in, 0);
	if (n >= 0) {
		iov.iov_base = mem.buf[0].mem;
		iov.iov_len = (size_t)n;
		n = pwritev2(fd, &iov, 1, 0, RWF_APPEND);
		if (n < 0)
			n = -errno;
	}
	free(mem.buf[0].mem);
	return n;
}

static ssize_t write_at(int fd, struct fuse_bufvec *in, off_t off)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));

	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = fd;
	out.buf[0].pos = off;
	return fuse_buf_copy(&out, in, 0);
}

void vault_livefs_io_write_buf(fuse_req_t req, fuse_ino_t ino,
			       struct fuse_bufvec *in, off_t off,
			       struct fuse_file_info *fi)
{
	ssize_t n;

	if (vault_view_owns(ino)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	/* Written back pages of a mapping have a place of their own. */
	if ((fi->flags & O_APPEND) != 0 && !fi->writepage)
		n = append(fd_of(fi), in);
	else
		n = write_at(fd_of(fi), in, off);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

void vault_livefs_io_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			   struct fuse_file_info *fi)
{
	struct vault_livefs *l = vault_livefs_of(req);
	const struct vault_inode_file *f;
	const struct vault_inode_key *k;
	int r;

	if (vault_view_owns(ino)) {
		fuse_reply_err(req, 0);
		return;
	}
	f = (const struct vault_inode_file *)(uintptr_t)fi->fh;
	r = datasync != 0 ? fdatasync(f->fd) : fsync(f->fd);
	if (r != 0) {
		fuse_reply_err(req, errno);
		return;
	}
	k = vault_inode_key(f->inode);
	if ((f->flags & O_ACCMODE) != O_RDONLY &&
	    vault_inode_captured(l->table, f->inode))
		vault_capture_fsynced(l->capture, k->dev, k->ino);
	fuse_reply_err(req, 0);
}

void vault_livefs_io_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			       off_t off, off_t len, struct fuse_file_info *fi)
{
	int err = EROFS;

	if (!vault_view_owns(ino))
		err = fallocate(fd_of(fi), mode, off, len) == 0 ? 0 : errno;
	fuse_reply_err(req, err);
}

void vault_livefs_io_lseek(fuse_req_t req, fuse_ino_t ino, off_t off,
			   int whence, struct fuse_file_info *fi)
{
	off_t at;

	if (vault_view_owns(ino)) {
		vault_view_lseek(vault_livefs_of(req)->view, req, ino, off,
				 whence, fi);
		return;
	}
	at = lseek(fd_of(fi), off, whence);
	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

void vault_livefs_io_copy_range(fuse_req_t req, fuse_ino_t from, off_t from_off,
				struct fuse_file_info *from_fi, fuse_ino_t to,
				off_t to_off, struct fuse_file_info *to_fi,
				size_t len, int flags)
{
	ssize_t n;

	/* The kernel then copies by reading and writing. */
	if (vault_view_owns(from) || vault_view_owns(to)) {
		fuse_reply_err(req, EXDEV);
		return;
	}
	n = copy_file_range(fd_of(from_fi), &from_off, fd_of(to_fi), &to_off,
			    len, (unsigned)flags);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}
