/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_OBJECTS_H
#define VAULT_STORE_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"
#include "store/known.h"
#include "store/records.h"

/*
 * Chunks and recipes by id: records with their bytes unpacked and believed.
 *
 * An object's id is made of its raw bytes, the vault's secret and a salt,
 * which is kept in the record's flags. The salt is 0 unless another object,
 * of other bytes, has the id already. Nothing is shared on the strength of an
 * id: the stored bytes are fetched and compared first. Nothing is given out
 * before its id was made again from the bytes. Any thread.
 */

/* ---- reading ---- */

/*
 * The raw bytes of `id`, which must be of `type` and `len` long, into `out`.
 * DANGLING: not there. CORRUPT: not what its id says. Both are logged.
 */
VAULT_MUST_CHECK vault_err vault_objects_read(struct vault_store *s,
					      uint8_t type,
					      const struct vault_id *id,
					      uint8_t *out, uint32_t len);

/*
 * The same for an object whose length is not known, into `out` (replaced).
 * NOT_FOUND, not logged: not there.
 */
VAULT_MUST_CHECK vault_err vault_objects_get(struct vault_store *s,
					     uint8_t type,
					     const struct vault_id *id,
					     struct vault_buf *out);

/* ---- writing ---- */

/* Most objects that one call of vault_objects_prepare() takes. */
#define VAULT_OBJECTS_MOST 64

/* What is to be done about an object. */
enum vault_object_state {
	VAULT_OBJECT_KNOWN,  /* it is there, byte for byte */
	VAULT_OBJECT_NEW,    /* to be appended, if nobody has meanwhile */
	VAULT_OBJECT_REPAIR, /* what is there is damaged: append in any case */
};

/* An object on its way in. The caller fills the first group. */
struct vault_object {
	uint8_t type;
	struct vault_span raw;
	uint8_t *room; /* space for raw.len packed bytes; kept until commit */

	struct vault_id id;
	struct vault_span stored; /* packed; in `room`, or `raw` itself */
	enum vault_object_state state;
	uint8_t salt;
	uint8_t codec;
};

/*
 * Find out what each of `n` objects (at most VAULT_OBJECTS_MOST) is, and pack
 * what is new: the work that may run on any thread. `known` may be NULL.
 */
VAULT_MUST_CHECK vault_err
vault_objects_prepare(struct vault_store *s, const struct vault_known *known,
		      struct vault_object *objects, size_t n);

/*
 * Append a prepared object unless it is there. Its id may only now become
 * final. Called in the order in which the objects should lie on disk.
 */
VAULT_MUST_CHECK vault_err vault_objects_commit(struct vault_store *s,
						struct vault_object *object);

/* Both steps for one object, on this thread. */
VAULT_MUST_CHECK vault_err vault_objects_put(struct vault_store *s,
					     uint8_t type,
					     struct vault_span raw,
					     struct vault_id *id);

#endif
