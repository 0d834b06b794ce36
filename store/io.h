/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_IO_H
#define VAULT_STORE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The system calls through which the store changes a disk.
 *
 * Every write, sync, rename and unlink of packs and small files goes through
 * one of these pointers and nowhere else, so that tests can number each call
 * as a crash point, drop or tear what was not synced, and make the nth call
 * fail. The functions behave like the system calls of the same name: a result
 * or -1 with errno; short counts are possible and the callers cope. RocksDB
 * is not under it: the index is a cache and is tested by removing it.
 *
 * The table and `ctx` must outlive the store. Functions may be called from
 * several threads.
 */
struct vault_io {
	void *ctx;
	int (*openat)(void *ctx, int dirfd, const char *name, int flags,
		      mode_t mode);
	int (*close)(void *ctx, int fd);
	ssize_t (*pread)(void *ctx, int fd, void *buf, size_t len, off_t off);
	ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t len,
			  off_t off);
	int (*ftruncate)(void *ctx, int fd, off_t len);
	int (*fdatasync)(void *ctx, int fd); /* of a file */
	int (*syncdir)(void *ctx, int fd);   /* fsync of a directory */
	int (*renameat)(void *ctx, int dirfd, const char *from, const char *to);
	int (*unlinkat)(void *ctx, int dirfd, const char *name, int flags);
	int (*mkdirat)(void *ctx, int dirfd, const char *name, mode_t mode);
};

/* The real system calls. */
extern const struct vault_io vault_io_system;

/* Write all of it, however short the single writes; `errno` says why not. */
VAULT_MUST_CHECK vault_err vault_io_write_all(const struct vault_io *io, int fd,
					      struct vault_span bytes,
					      uint64_t off);
/* Read until `len` bytes or the end of the file. */
VAULT_MUST_CHECK vault_err vault_io_read_full(const struct vault_io *io, int fd,
					      void *buf, size_t len,
					      uint64_t off, size_t *got);

#endif
