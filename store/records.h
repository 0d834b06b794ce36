/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_RECORDS_H
#define VAULT_STORE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"
#include "store/store.h"

/*
 * Records: the seam inside the store between the packs (below) and contents
 * (above). Internal to store/. A record is a header and stored bytes at a
 * place in a pack. Chunk and recipe records are found by id, first among
 * those appended since the last sync, then in the index; when an id was
 * appended twice the later record counts. Any thread.
 */
struct vault_record_head {
	uint8_t type;  /* store/pack_format.h */
	uint8_t codec; /* store/codec.h */
	uint8_t depth; /* length of the chain of bases below it */
	uint8_t flags;
	uint32_t raw_len;
	uint32_t stored_len;
	struct vault_id id;
	struct vault_id base; /* prefix it was packed with, or none */
	uint64_t seq;	      /* given by append */
};

struct vault_record_place {
	uint32_t pack;
	uint32_t raw_len;
	uint32_t stored_len;
	uint64_t offset; /* of the header */
};

/* Append without syncing; `head->seq` is ignored. NO_SPACE, IO: nothing of
 * it counts. For chunks and recipes the id is found from here on. */
VAULT_MUST_CHECK vault_err
vault_records_append(struct vault_store *s, const struct vault_record_head *h,
		     struct vault_span stored, struct vault_record_place *out);

/* Read back and verify both checksums; CORRUPT is logged with its place.
 * `stored` is replaced, and empty after an error. */
VAULT_MUST_CHECK vault_err
vault_records_read(struct vault_store *s, const struct vault_record_place *p,
		   struct vault_record_head *head, struct vault_buf *stored);

/* Where each of `n` ids lies; `found[i]` false where it is unknown. */
VAULT_MUST_CHECK vault_err vault_records_find(struct vault_store *s, size_t n,
					      const struct vault_id *ids,
					      struct vault_record_place *places,
					      bool *found);

/* VAULT_SECRET_BYTES. */
const uint8_t *vault_records_secret(const struct vault_store *s);
unsigned vault_records_id_bits(const struct vault_store *s);
/* Made by open with the number of workers, ended by close (store/put.h). */
struct vault_put_pool;
struct vault_put_pool *vault_records_pool(struct vault_store *s);

#endif
