/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_ROW_H
#define VAULT_VERSIONS_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/base/buf.h"
#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/id.h"

/*
 * What one name in one directory held from one moment on.
 *
 * A node is what stays itself through renames: a file, a directory, a link.
 * Its id is given out once and never again. A directory's id is its node id,
 * so renaming a directory touches one name and nothing below it. Directory 0
 * has a single name, the empty one, and that is the project's root, node 1.
 */
enum vault_kind {
	VAULT_KIND_NONE = 0, /* a tombstone: from here on there is nothing */
	VAULT_KIND_FILE = 1,
	VAULT_KIND_DIR = 2,
	VAULT_KIND_SYMLINK = 3, /* content: the target */
	VAULT_KIND_FIFO = 4,
	VAULT_KIND_SOCKET = 5,
	VAULT_KIND_CHAR = 6,
	VAULT_KIND_BLOCK = 7,
};

#define VAULT_NODE_NONE ((uint64_t)0)
#define VAULT_NODE_ROOT ((uint64_t)1)
#define VAULT_DIR_ABOVE ((uint64_t)0) /* holds the root under the name "" */

#define VAULT_ROW_TORN 1u /* captured while a writer kept changing it */

struct vault_row {
	enum vault_kind kind;
	uint32_t flags; /* VAULT_ROW_* */
	uint32_t mode;	/* permission bits with setuid, setgid, sticky: 07777 */
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev; /* of a device */
	int64_t mtime_ns;
	uint64_t size; /* of the content; 0 for what has none */
	uint64_t node;
	struct vault_id content;    /* file and symlink; none: empty file */
	struct vault_digest digest; /* of the content; of no bytes if none */
	struct vault_id xattrs; /* content of versions/xattrs.h; none: none */
};

/* The file on the disk as it was last seen; not derived from contents. */
struct vault_backing {
	uint64_t dev;
	uint64_t ino;
	int64_t ctime_ns;
	int64_t btime_ns; /* birth, 0 where the file system does not say */
	bool racy;	  /* changed so lately that equal times prove nothing */
};

/* A row and the sequence of the commit it came with. */
struct vault_version {
	struct vault_row row;
	uint64_t seq;
};

/* Same content, target or device: whether a timeline would show a step. */
bool vault_row_same_content(const struct vault_row *a,
			    const struct vault_row *b);
/* Nothing differs but perhaps the node and the digest. */
bool vault_row_same(const struct vault_row *a, const struct vault_row *b);

/* st_mode's type bits for a kind, and back (VAULT_KIND_NONE: not known). */
mode_t vault_row_type_bits(enum vault_kind kind);
enum vault_kind vault_row_kind_of(mode_t mode);

/* The one packer and the one unpacker; CORRUPT on anything malformed. */
VAULT_MUST_CHECK vault_err vault_row_pack(const struct vault_row *r,
					  struct vault_buf *out);
VAULT_MUST_CHECK vault_err vault_row_unpack(struct vault_reader *in,
					    struct vault_row *out);
VAULT_MUST_CHECK vault_err vault_backing_pack(const struct vault_backing *b,
					      struct vault_buf *out);
VAULT_MUST_CHECK vault_err vault_backing_unpack(struct vault_reader *in,
						struct vault_backing *out);

#endif
