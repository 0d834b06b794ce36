/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_STORE_H
#define VAULT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/digest.h"
#include "store/id.h"
#include "store/index.h"
#include "store/io.h"

/*
 * A vault's store: contents in, contents out, and a log of entries that is
 * the truth about everything else.
 *
 * Packs (append-only files of records) are the only truth; the index is a
 * cache derived from them. A content goes in as chunks and recipes; what the
 * layer above wants kept for ever (commits, names, notes, retirements) goes
 * in as an *entry*: bytes the store does not understand. When an entry's
 * append returns, it and every chunk appended before it are durable, and only
 * then the index learns of them. On open, every record that the index has
 * not seen is replayed in order of sequence, and the layer above turns each
 * entry into index rows again through `apply`, so that a rebuilt index equals
 * the one that was lost.
 *
 * Any function but open and close may be called from any thread. Contents
 * are put and read in parallel; entries are appended one at a time.
 */
struct vault_store;

/* What kind an entry is. Values are on disk: store/FORMAT.md. */
enum vault_entry_type {
	VAULT_ENTRY_COMMIT = 4,
	VAULT_ENTRY_NAME = 5,
	VAULT_ENTRY_NOTE = 6,
	VAULT_ENTRY_RETIRE = 7,
};

struct vault_entry {
	enum vault_entry_type type;
	uint64_t seq; /* strictly increasing over the life of the vault */
	struct vault_span payload;
};

/*
 * Put into `batch` what `e` changes in the index (families of the layer above
 * only). Reads of `index` see everything before `e` and nothing of it. Called
 * once per entry in order of sequence, one at a time, on open or on append;
 * except that after an interrupted open, entries that `index` has already may
 * be shown again: then nothing is to be changed. INDEX: `index` cannot take
 * the entry (it is older than others and not there); on open the index is
 * then built anew. CORRUPT, SYNTAX, INVALID, NEWER, NOT_FOUND, DANGLING on
 * open: the entry is reported as damaged and left out. An error on append
 * leaves the entry durable; it is shown again before the next one is
 * appended, or by the next open.
 *
 * vault_store_check() fills a scratch index in the same way, beside all else
 * and with `ctx` NULL: then nothing but `index` and `batch` may be used.
 */
typedef vault_err vault_store_apply(void *ctx, struct vault_index *index,
				    struct vault_batch *batch,
				    const struct vault_entry *e);

/*
 * Shorten `value` in place by what is not derived from packs alone (the layer
 * above knows), so that two indexes can be compared.
 */
typedef void vault_index_strip(enum vault_cf cf, struct vault_span key,
			       struct vault_buf *value);

/* Average is a power of two; see store/chunker.h for the limits. */
struct vault_store_params {
	uint32_t chunk_min;
	uint32_t chunk_avg;
	uint32_t chunk_max;
	char zone
		[64]; /* IANA name of the time zone; kept for the layer above */
};

/* 16/64/256 KiB and "UTC". */
extern const struct vault_store_params vault_store_params_default;

struct vault_store_options {
	const struct vault_io *io; /* NULL: vault_io_system */
	vault_store_apply *apply;  /* required */
	void *apply_ctx;
	vault_index_strip *strip; /* for vault_store_check(); may be NULL */
	unsigned threads;   /* workers for hashing and packing; 0: one a core */
	uint64_t pack_size; /* where a pack is sealed; 0: 512 MB. For tests. */
	unsigned id_bits;   /* 0: all; fewer force collisions. For tests. */
};

/*
 * Make a new vault in the empty directory `dirfd` (mode 0700 is the caller's
 * affair): `config`, `secret` (0600), `packs/`, `lock`. Durable on return.
 * VAULT_ERR_EXISTS: there is a vault already. Nothing else is touched.
 */
VAULT_MUST_CHECK vault_err
vault_store_create(int dirfd, const struct vault_io *io,
		   const struct vault_store_params *params);

/* Does the directory hold a vault (packs or a config)? */
bool vault_store_exists(int dirfd);

/*
 * Open for reading and writing; takes the vault's lock. `dirfd` is borrowed
 * for the call. A missing, damaged, foreign or old index is rebuilt or caught
 * up (with a line in the log when it is more than catching up); a missing
 * config or secret is written again from the packs.
 * VAULT_ERR_NOT_FOUND: no vault there. BUSY: another process has it (its pid
 * is logged). NEWER: the vault's format is newer. CORRUPT: no pack can be
 * read. A damaged record in the middle of a pack does not keep a vault from
 * opening: it is logged, and vault_store_damage() counts it.
 */
VAULT_MUST_CHECK vault_err
vault_store_open(int dirfd, const struct vault_store_options *options,
		 struct vault_store **out);

/* Seal nothing, sync what is appended, flush the index. Accepts NULL. */
void vault_store_close(struct vault_store *s);

const struct vault_store_params *vault_store_params(
	const struct vault_store *s);
/* 36 characters and a terminator; lives as long as the store. */
const char *vault_store_uuid(const struct vault_store *s);
struct vault_index *vault_store_index(struct vault_store *s);
/* Bytes of all packs, of the index; records found damaged since open. */
uint64_t vault_store_pack_bytes(struct vault_store *s);
uint64_t vault_store_damage(struct vault_store *s);
/* Was the index rebuilt from nothing by this open? */
bool vault_store_was_rebuilt(const struct vault_store *s);

/* ---- contents ---- */

/* What identifies a content in the layer above. */
struct vault_content {
	struct vault_id id; /* of its root recipe */
	struct vault_digest digest;
	uint64_t size;
};

/*
 * Where the bytes of a new content come from. `read` fills up to `len` bytes
 * from `off` and sets `*got`, 0 meaning the end. `next_data` (NULL: no holes)
 * says where data starts at or after `off` and where it ends again; with no
 * more data, `*start` is the end of the file. It is a hint: ranges it leaves
 * out read as zeros. Called from one thread at a time, in order of offset.
 */
struct vault_source {
	void *ctx;
	vault_err (*read)(void *ctx, uint64_t off, void *buf, size_t len,
			  size_t *got);
	vault_err (*next_data)(void *ctx, uint64_t off, uint64_t *start,
			       uint64_t *end);
};

/*
 * Keep a content: cut into chunks, drop those that are there already (after
 * comparing their bytes), append the rest. Not durable before the next entry.
 * `like` (may be NULL) is the content this one probably resembles: its chunks
 * are tried first, without asking the index. Equal bytes give an equal id,
 * however sparse or dense they were. Bounded memory whatever the size; any
 * number of threads may put at once. Errors of `src` are passed on; then, and
 * on NO_SPACE and IO, nothing of the content counts.
 */
VAULT_MUST_CHECK vault_err vault_store_put(struct vault_store *s,
					   const struct vault_source *src,
					   const struct vault_id *like,
					   struct vault_content *out);
/* The same for bytes in memory. */
VAULT_MUST_CHECK vault_err vault_store_put_span(struct vault_store *s,
						struct vault_span bytes,
						struct vault_content *out);

/* An open content; immutable, any number of threads may read it. */
struct vault_content_file;

/*
 * VAULT_ERR_NOT_FOUND: no such recipe. CORRUPT: it is damaged. A content that
 * was put but not yet made durable can be opened as well.
 */
VAULT_MUST_CHECK vault_err
vault_store_open_content(struct vault_store *s, const struct vault_id *id,
			 struct vault_content_file **out);
void vault_content_file_close(struct vault_content_file *f);
/* Size and digest, as recorded. */
struct vault_content vault_content_file_info(
	const struct vault_content_file *f);
/*
 * Read up to `len` bytes at `off`; `*got` is short only at the end. Each
 * chunk's id is checked before its bytes are given out, and the whole digest
 * when a content has been read from start to end in order. CORRUPT,
 * DANGLING: logged with the place; no byte of a bad chunk is given out.
 */
VAULT_MUST_CHECK vault_err vault_content_file_read(struct vault_content_file *f,
						   uint64_t off, void *buf,
						   size_t len, size_t *got);
/* As vault_source.next_data: where holes are. */
VAULT_MUST_CHECK vault_err
vault_content_file_next_data(struct vault_content_file *f, uint64_t off,
			     uint64_t *start, uint64_t *end);
/* All of a small content (VAULT_ERR_TOO_BIG beyond `limit`). */
VAULT_MUST_CHECK vault_err vault_store_read_all(struct vault_store *s,
						const struct vault_id *id,
						uint64_t limit,
						struct vault_buf *out);

/* ---- entries ---- */

/*
 * Append, make durable together with every content put before, apply to the
 * index. `*seq` is its sequence. NO_SPACE, IO: not appended, nothing it names
 * counts as durable; the store stays usable (a failed sync seals the pack and
 * rewrites what was not acknowledged into a new one). INDEX, or an error of
 * apply: this entry is durable, or an earlier one still waits for the index
 * and this one was not appended.
 */
VAULT_MUST_CHECK vault_err vault_store_append(struct vault_store *s,
					      enum vault_entry_type type,
					      struct vault_span payload,
					      uint64_t *seq);

/* ---- checking ---- */

enum vault_finding_kind {
	VAULT_FINDING_DAMAGED, /* a record or a stretch of a pack is bad */
	VAULT_FINDING_MISSING, /* a pack or the end of one is gone */
	VAULT_FINDING_INDEX,   /* packs and index disagree: rebuild-index */
	VAULT_FINDING_SMALL,   /* config or secret differ from the packs */
};

struct vault_finding {
	enum vault_finding_kind kind;
	uint32_t pack;
	uint64_t offset;
	uint64_t len;
	/* What was there as far as known; 0 / none where it is not. */
	uint8_t record_type;
	struct vault_id id; /* of a chunk or recipe */
	uint64_t seq;	    /* of an entry */
	const char *text;   /* one line for people; lasts for the call */
};

/* Return anything but VAULT_OK to stop. */
typedef vault_err vault_finding_sink(void *ctx, const struct vault_finding *f);
/* May be NULL. `done` of `total` bytes; return non-OK to stop. */
typedef vault_err vault_check_progress(void *ctx, uint64_t done,
				       uint64_t total);

/*
 * Read every pack: each header and entry, with `data` also every chunk's
 * checksum; and compare the index with one built anew, both ways. Changes
 * nothing but scratch space under the vault's `cache/`. With `data`, where an
 * interrupted check stopped is kept in `cache/check` and the next one goes on
 * from there; a finished one removes it. Runs beside puts and appends.
 */
VAULT_MUST_CHECK vault_err vault_store_check(struct vault_store *s, bool data,
					     vault_finding_sink *sink,
					     vault_check_progress *progress,
					     void *ctx);

/*
 * Is every recipe and chunk of a content there (with `data`: does every byte
 * match its id and the whole the digest)? VAULT_OK, DANGLING or CORRUPT.
 */
VAULT_MUST_CHECK vault_err vault_store_check_content(struct vault_store *s,
						     const struct vault_id *id,
						     bool data);

/*
 * Build the index anew from the packs of a vault nobody has open, as open
 * would had `index/` been deleted. The old one is removed once the new one
 * is complete.
 */
VAULT_MUST_CHECK vault_err
vault_store_rebuild_index(int dirfd, const struct vault_store_options *options);

/*
 * Write every key and value of one family as "hexkey hexvalue\n" lines in
 * order, for comparing indexes. `strip` may be NULL.
 */
VAULT_MUST_CHECK vault_err vault_store_dump(struct vault_store *s,
					    enum vault_cf cf,
					    vault_index_strip *strip,
					    struct vault_buf *out);

#endif
