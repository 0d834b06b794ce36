/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_BASE_ERR_H
#define VAULT_STORE_BASE_ERR_H

/*
 * The error vocabulary of the whole program.
 *
 * Every function that can fail returns a vault_err; answers leave through
 * out-parameters, which are written only on success. A code says what kind of
 * thing went wrong; *which* file or record it was is logged once, where it is
 * known (see log.h). Only fs/ turns a code into an errno, with
 * vault_err_to_errno(). Values are never negative, so that no -errno can pass
 * for one.
 */

#define VAULT_ERR_TABLE(X)                                             \
	X(NOMEM, ENOMEM, "out of memory")                              \
	X(IO, EIO, "input/output error")                               \
	X(INVALID, EINVAL, "invalid argument")                         \
	X(SYNTAX, EINVAL, "could not be understood")                   \
	X(NOT_FOUND, ENOENT, "no such entry")                          \
	X(EXISTS, EEXIST, "already exists")                            \
	X(NOT_DIR, ENOTDIR, "not a directory")                         \
	X(IS_DIR, EISDIR, "is a directory")                            \
	X(NOT_EMPTY, ENOTEMPTY, "directory not empty")                 \
	X(NAME_TOO_LONG, ENAMETOOLONG, "name too long")                \
	X(LOOP, ELOOP, "too many levels of symbolic links")            \
	X(DENIED, EACCES, "permission denied")                         \
	X(FORBIDDEN, EPERM, "operation not permitted")                 \
	X(READ_ONLY, EROFS, "read-only")                               \
	X(NO_SPACE, ENOSPC, "no space left on device")                 \
	X(TOO_BIG, EFBIG, "too large")                                 \
	X(BUSY, EBUSY, "in use by another process")                    \
	X(STALE, ESTALE, "the file behind this handle is gone")        \
	X(CHANGED, EAGAIN, "changed while it was being read")          \
	X(CANCELLED, EINTR, "cancelled")                               \
	X(UNSUPPORTED, EOPNOTSUPP, "not supported")                    \
	X(CORRUPT, EIO, "stored data is damaged")                      \
	X(DANGLING, EIO, "a version names a chunk that is not there")  \
	X(NEWER, EPROTO, "written by a newer version of this program") \
	X(FOREIGN, EIO, "belongs to another vault")                    \
	X(INDEX, EIO, "the index is unusable and must be rebuilt")

#define VAULT_ERR_ENUM(name, number, text) VAULT_ERR_##name,
typedef enum { VAULT_OK = 0, VAULT_ERR_TABLE(VAULT_ERR_ENUM) } vault_err;
#undef VAULT_ERR_ENUM

#define VAULT_MUST_CHECK __attribute__((warn_unused_result))

/* The symbolic name ("NOT_FOUND"), for tests and logs. Static storage. */
const char *vault_err_name(vault_err err);

/* A sentence without a capital or a full stop. Static storage. */
const char *vault_err_text(vault_err err);

/* A positive errno; 0 for VAULT_OK. For fs/ alone. */
int vault_err_to_errno(vault_err err);

/*
 * The code that fits a failed system call, VAULT_ERR_IO where none does
 * better. `number` is a positive errno.
 */
vault_err vault_err_from_errno(int number);

#endif
