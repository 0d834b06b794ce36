/* SPDX-License-Identifier: Apache-2.0 */
#include "store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_openat(void *ctx, int dirfd, const char *name, int flags,
			 mode_t mode)
{
	(void)ctx;
	return openat(dirfd, name, flags | O_CLOEXEC, mode);
}

static int system_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

static ssize_t system_pread(void *ctx, int fd, void *buf, size_t len, off_t off)
{
	(void)ctx;
	return pread(fd, buf, len, off);
}

static ssize_t system_pwrite(void *ctx, int fd, const void *buf, size_t len,
			     off_t off)
{
	(void)ctx;
	return pwrite(fd, buf, len, off);
}

static int system_ftruncate(void *ctx, int fd, off_t len)
{
	(void)ctx;
	return ftruncate(fd, len);
}

static int system_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	return fdatasync(fd);
}

static int system_syncdir(void *ctx, int fd)
{
	(void)ctx;
	return fsync(fd);
}

static int system_renameat(void *ctx, int dirfd, const char *from,
			   const char *to)
{
	(void)ctx;
	return renameat(dirfd, from, dirfd, to);
}

static int system_unlinkat(void *ctx, int dirfd, const char *name, int flags)
{
	(void)ctx;
	return unlinkat(dirfd, name, flags);
}

static int system_mkdirat(void *ctx, int dirfd, const char *name, mode_t mode)
{
	(void)ctx;
	return mkdirat(dirfd, name, mode);
}

const struct vault_io vault_io_system = {
	.openat = system_openat,
	.close = system_close,
	.pread = system_pread,
	.pwrite = system_pwrite,
	.ftruncate = system_ftruncate,
	.fdatasync = system_fdatasync,
	.syncdir = system_syncdir,
	.renameat = system_renameat,
	.unlinkat = system_unlinkat,
	.mkdirat = system_mkdirat,
};

vault_err vault_io_write_all(const struct vault_io *io, int fd,
			     struct vault_span bytes, uint64_t off)
{
	while (bytes.len > 0) {
		const ssize_t n = io->pwrite(io->ctx, fd, bytes.data, bytes.len,
					     (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vault_err_from_errno(errno);
		if (n == 0) {
			errno = EIO;
			return VAULT_ERR_IO;
		}
		bytes = vault_span_from(bytes, (size_t)n);
		off += (uint64_t)n;
	}
	return VAULT_OK;
}

vault_err vault_io_read_full(const struct vault_io *io, int fd, void *buf,
			     size_t len, uint64_t off, size_t *got)
{
	size_t have = 0;

	while (have < len) {
		const ssize_t n = io->pread(io->ctx, fd, (uint8_t *)buf + have,
					    len - have, (off_t)(off + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vault_err_from_errno(errno);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*got = have;
	return VAULT_OK;
}
