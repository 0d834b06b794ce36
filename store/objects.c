/* SPDX-License-Identifier: Apache-2.0 */
#include "store/objects.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/codec.h"
#include "store/digest.h"
#include "store/put.h"

/* The salt is a byte of the record's header. */
#define SALT_MAX 255

/* ---- buffers that a thread uses again and again ---- */

struct scratch {
	struct vault_buf stored; /* a record's payload */
	struct vault_buf raw;	 /* the unpacked bytes of a hit */
	struct vault_buf room;	 /* packed bytes of a single put */
};

/* What is larger than this is not kept for the next time. */
#define SCRATCH_KEEP ((size_t)1 << 20)

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static int scratch_error;

static void scratch_destroy(void *arg)
{
	struct scratch *x = arg;

	vault_buf_release(&x->stored);
	vault_buf_release(&x->raw);
	vault_buf_release(&x->room);
	free(x);
}

static void scratch_key_create(void)
{
	scratch_error = pthread_key_create(&scratch_key, scratch_destroy);
}

/* This thread's buffers, made at the first use; NULL: no memory. */
static struct scratch *scratch_get(void)
{
	struct scratch *x;

	pthread_once(&scratch_once, scratch_key_create);
	if (scratch_error != 0)
		return NULL;
	x = pthread_getspecific(scratch_key);
	if (x != NULL)
		return x;
	x = calloc(1, sizeof(*x));
	if (x != NULL && pthread_setspecific(scratch_key, x) != 0) {
		free(x);
		return NULL;
	}
	return x;
}

static void scratch_trim(struct vault_buf *b)
{
	if (b->cap > SCRATCH_KEEP)
		vault_buf_release(b);
}

/* ---- ids ---- */

static struct vault_id make_id(const struct vault_store *s, uint8_t salt,
			       struct vault_span raw)
{
	const unsigned bits = vault_records_id_bits(s);
	struct vault_id id =
		vault_digest_id(vault_records_secret(s), salt, raw);

	if (bits == 0 || bits >= 8 * sizeof(id.b))
		return id;
	for (unsigned i = 0; i < sizeof(id.b); i++) {
		if (8 * i >= bits)
			id.b[i] = 0;
		else if (8 * i + 8 > bits)
			id.b[i] &= (uint8_t)(0xff00 >> (bits - 8 * i));
	}
	if (vault_id_is_none(&id))
		id.b[sizeof(id.b) - 1] = 1;
	return id;
}

/* ---- reading ---- */

static vault_err damaged(const struct vault_record_place *p, const char *why)
{
	vault_log_error("pack %u, offset %llu: %s", p->pack,
			(unsigned long long)p->offset, why);
	return VAULT_ERR_CORRUPT;
}

static vault_err find_one(struct vault_store *s, const struct vault_id *id,
			  struct vault_record_place *place)
{
	bool found = false;
	vault_err err = vault_records_find(s, 1, id, place, &found);

	if (err == VAULT_OK && !found)
		err = VAULT_ERR_NOT_FOUND;
	return err;
}

static vault_err unpack_base(struct vault_store *s, const struct vault_id *id,
			     unsigned depth, struct vault_buf *out);

/*
 * Unpack a record that was read from `place`. `depth` bounds how many bases
 * may lie below it, so that a foreign chain ends.
 */
static vault_err unpack(struct vault_store *s,
			const struct vault_record_place *place,
			const struct vault_record_head *head,
			struct vault_span stored, unsigned depth, uint8_t *out)
{
	struct vault_buf base = VAULT_BUF_INIT;
	vault_err err = VAULT_OK;

	if (head->codec == VAULT_CODEC_ZSTD_PREFIX) {
		if (depth == 0 || vault_id_is_none(&head->base))
			return damaged(place, "unsound chain of bases");
		err = unpack_base(s, &head->base, depth - 1, &base);
	}
	if (err == VAULT_OK)
		err = vault_codec_unpack(head->codec, stored,
					 vault_buf_span(&base), out,
					 head->raw_len);
	if (err == VAULT_ERR_CORRUPT)
		err = damaged(place, "the record does not unpack");
	if (err == VAULT_ERR_UNSUPPORTED)
		vault_log_error("pack %u, offset %llu: unknown codec %u",
				place->pack, (unsigned long long)place->offset,
				head->codec);
	vault_buf_release(&base);
	return err;
}

static vault_err unpack_base(struct vault_store *s, const struct vault_id *id,
			     unsigned depth, struct vault_buf *out)
{
	struct vault_buf stored = VAULT_BUF_INIT;
	struct vault_buf raw = VAULT_BUF_INIT;
	struct vault_record_place place;
	struct vault_record_head head;
	struct vault_id got;
	vault_err err;

	err = find_one(s, id, &place);
	if (err == VAULT_ERR_NOT_FOUND) {
		vault_log_error("store: the base of a record is not there");
		err = VAULT_ERR_DANGLING;
	}
	if (err == VAULT_OK)
		err = vault_records_read(s, &place, &head, &stored);
	if (err == VAULT_OK && head.raw_len > VAULT_CODEC_RAW_MAX)
		err = damaged(&place, "unsound length");
	if (err == VAULT_OK)
		err = vault_buf_reserve(&raw, head.raw_len);
	if (err == VAULT_OK)
		err = unpack(s, &place, &head, vault_buf_span(&stored), depth,
			     raw.data);
	if (err != VAULT_OK)
		goto out;
	raw.len = head.raw_len;
	got = make_id(s, head.flags, vault_buf_span(&raw));
	if (!vault_id_equal(&got, id)) {
		err = damaged(&place, "a base is not what its id says");
		goto out;
	}
	vault_buf_move(out, &raw);

out:
	vault_buf_release(&stored);
	vault_buf_release(&raw);
	return err;
}

/* Unpack what was read and believe it only if it is what its id says. */
static vault_err unpack_checked(struct vault_store *s, uint8_t type,
				const struct vault_id *id,
				const struct vault_record_place *place,
				const struct vault_record_head *head,
				struct vault_span stored, uint8_t *out)
{
	struct vault_id got;
	vault_err err;

	if (head->type != type)
		return damaged(place, "a record of another type");
	err = unpack(s, place, head, stored, VAULT_CODEC_DEPTH_MAX, out);
	if (err != VAULT_OK)
		return err;
	got = make_id(s, head->flags, vault_span(out, head->raw_len));
	if (!vault_id_equal(&got, id))
		return damaged(place, "the bytes are not what their id says");
	return VAULT_OK;
}

vault_err vault_objects_read(struct vault_store *s, uint8_t type,
			     const struct vault_id *id, uint8_t *out,
			     uint32_t len)
{
	struct scratch *x = scratch_get();
	struct vault_record_place place;
	struct vault_record_head head;
	vault_err err;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	err = find_one(s, id, &place);
	if (err == VAULT_ERR_NOT_FOUND) {
		vault_log_error("store: a chunk is not there");
		return VAULT_ERR_DANGLING;
	}
	if (err != VAULT_OK)
		return err;
	err = vault_records_read(s, &place, &head, &x->stored);
	if (err != VAULT_OK)
		return err;
	if (head.raw_len != len)
		return damaged(&place, "a chunk of another length");
	err = unpack_checked(s, type, id, &place, &head,
			     vault_buf_span(&x->stored), out);
	scratch_trim(&x->stored);
	return err;
}

vault_err vault_objects_get(struct vault_store *s, uint8_t type,
			    const struct vault_id *id, struct vault_buf *out)
{
	struct vault_buf raw = VAULT_BUF_INIT;
	struct scratch *x = scratch_get();
	struct vault_record_place place;
	struct vault_record_head head;
	vault_err err;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	err = find_one(s, id, &place);
	if (err != VAULT_OK)
		return err;
	err = vault_records_read(s, &place, &head, &x->stored);
	if (err == VAULT_OK && head.raw_len > VAULT_CODEC_RAW_MAX)
		err = damaged(&place, "unsound length");
	if (err == VAULT_OK)
		err = vault_buf_reserve(&raw, head.raw_len);
	if (err == VAULT_OK)
		err = unpack_checked(s, type, id, &place, &head,
				     vault_buf_span(&x->stored), raw.data);
	if (err == VAULT_OK) {
		raw.len = head.raw_len;
		vault_buf_move(out, &raw);
	}
	vault_buf_release(&raw);
	scratch_trim(&x->stored);
	return err;
}

/* ---- writing ---- */

/*
 * What is at `place`, compared with the object that has the same id: KNOWN,
 * REPAIR, or NEW for other bytes, which need another salt.
 */
static vault_err compare(struct vault_store *s, const struct vault_object *o,
			 const struct vault_record_place *place,
			 enum vault_object_state *out)
{
	struct scratch *x = scratch_get();
	struct vault_record_head head;
	vault_err err;

	*out = VAULT_OBJECT_NEW;
	if (place->raw_len != o->raw.len)
		return VAULT_OK;
	if (x == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_records_read(s, place, &head, &x->stored);
	if (err == VAULT_OK && (head.type != o->type || head.flags != o->salt))
		return VAULT_OK;
	if (err == VAULT_OK)
		err = vault_buf_reserve(&x->raw, o->raw.len + 1);
	if (err == VAULT_OK && head.raw_len != o->raw.len)
		err = damaged(place, "a record of another length");
	if (err == VAULT_OK)
		err = unpack(s, place, &head, vault_buf_span(&x->stored),
			     VAULT_CODEC_DEPTH_MAX, x->raw.data);
	if (err == VAULT_ERR_CORRUPT || err == VAULT_ERR_DANGLING) {
		/* Good bytes have come by again: the later record counts. */
		vault_log_warn("pack %u, offset %llu: damaged, kept anew",
			       place->pack, (unsigned long long)place->offset);
		*out = VAULT_OBJECT_REPAIR;
		err = VAULT_OK;
	} else if (err == VAULT_OK &&
		   (o->raw.len == 0 ||
		    memcmp(x->raw.data, o->raw.data, o->raw.len) == 0)) {
		*out = VAULT_OBJECT_KNOWN;
	}
	scratch_trim(&x->stored);
	scratch_trim(&x->raw);
	return err;
}

static vault_err next_salt(struct vault_store *s, struct vault_object *o)
{
	if (o->salt == SALT_MAX) {
		vault_log_error("store: too many contents share one id");
		return VAULT_ERR_TOO_BIG;
	}
	o->salt++;
	o->id = make_id(s, o->salt, o->raw);
	return VAULT_OK;
}

/*
 * Settle the state of an object whose id was found at `place`, going from
 * salt to salt until its own bytes are met or a free id.
 */
static vault_err settle(struct vault_store *s, struct vault_object *o,
			struct vault_record_place place)
{
	vault_err err;

	for (;;) {
		err = compare(s, o, &place, &o->state);
		if (err != VAULT_OK || o->state != VAULT_OBJECT_NEW)
			return err;
		err = next_salt(s, o);
		if (err != VAULT_OK)
			return err;
		err = find_one(s, &o->id, &place);
		if (err == VAULT_ERR_NOT_FOUND)
			return VAULT_OK;
		if (err != VAULT_OK)
			return err;
	}
}

/* Look up the ids of all objects: first in `known`, then in one batch. */
static vault_err find_all(struct vault_store *s,
			  const struct vault_known *known,
			  const struct vault_object *objects, size_t n,
			  struct vault_record_place *places, bool *found)
{
	struct vault_id ids[VAULT_OBJECTS_MOST];
	struct vault_record_place asked_places[VAULT_OBJECTS_MOST];
	bool asked_found[VAULT_OBJECTS_MOST];
	size_t asked[VAULT_OBJECTS_MOST];
	size_t n_asked = 0;
	vault_err err;

	for (size_t i = 0; i < n; i++) {
		found[i] = vault_known_find(known, &objects[i].id, &places[i]);
		if (found[i])
			continue;
		ids[n_asked] = objects[i].id;
		asked[n_asked++] = i;
	}
	if (n_asked == 0)
		return VAULT_OK;
	err = vault_records_find(s, n_asked, ids, asked_places, asked_found);
	if (err != VAULT_OK)
		return err;
	for (size_t k = 0; k < n_asked; k++) {
		found[asked[k]] = asked_found[k];
		if (asked_found[k])
			places[asked[k]] = asked_places[k];
	}
	return VAULT_OK;
}

static vault_err pack(struct vault_object *o)
{
	enum vault_codec codec;
	vault_err err = vault_codec_pack(o->raw, VAULT_CODEC_LEVEL_CAPTURE,
					 o->room, &o->stored, &codec);

	if (err == VAULT_OK)
		o->codec = (uint8_t)codec;
	return err;
}

/* Flat areas repeat: the same bytes just before need no packing again. */
static bool repeats(const struct vault_object *o,
		    const struct vault_object *before)
{
	return before->type == o->type && before->salt == o->salt &&
	       vault_id_equal(&before->id, &o->id) &&
	       vault_span_equal(before->raw, o->raw);
}

vault_err vault_objects_prepare(struct vault_store *s,
				const struct vault_known *known,
				struct vault_object *objects, size_t n)
{
	struct vault_record_place places[VAULT_OBJECTS_MOST];
	bool found[VAULT_OBJECTS_MOST];
	vault_err err;

	assert(n <= VAULT_OBJECTS_MOST);
	for (size_t i = 0; i < n; i++) {
		objects[i].salt = 0;
		objects[i].id = make_id(s, 0, objects[i].raw);
		objects[i].state = VAULT_OBJECT_NEW;
	}
	err = find_all(s, known, objects, n, places, found);
	for (size_t i = 0; i < n && err == VAULT_OK; i++) {
		struct vault_object *o = &objects[i];

		if (i > 0 && repeats(o, o - 1)) {
			o->state = o[-1].state == VAULT_OBJECT_REPAIR
					   ? VAULT_OBJECT_NEW
					   : o[-1].state;
			o->codec = o[-1].codec;
			o->stored = o[-1].stored;
			continue;
		}
		if (found[i])
			err = settle(s, o, places[i]);
		if (err == VAULT_OK && o->state != VAULT_OBJECT_KNOWN)
			err = pack(o);
	}
	return err;
}

static vault_err append(struct vault_store *s, const struct vault_object *o)
{
	const struct vault_record_head head = {
		.type = o->type,
		.codec = o->codec,
		.flags = o->salt,
		.raw_len = (uint32_t)o->raw.len,
		.stored_len = (uint32_t)o->stored.len,
		.id = o->id,
	};
	struct vault_record_place place;

	return vault_records_append(s, &head, o->stored, &place);
}

vault_err vault_objects_commit(struct vault_store *s, struct vault_object *o)
{
	struct vault_put_pool *pool = vault_records_pool(s);
	struct vault_record_place place;
	vault_err err = VAULT_OK;

	while (o->state == VAULT_OBJECT_NEW) {
		/* Between looking and appending nobody else may append. */
		vault_put_pool_lock(pool);
		err = find_one(s, &o->id, &place);
		if (err == VAULT_ERR_NOT_FOUND) {
			err = append(s, o);
			vault_put_pool_unlock(pool);
			return err;
		}
		vault_put_pool_unlock(pool);
		if (err != VAULT_OK)
			return err;
		/* It came in meanwhile, or just before in the same content. */
		err = settle(s, o, place);
		if (err != VAULT_OK)
			return err;
	}
	if (o->state == VAULT_OBJECT_REPAIR)
		err = append(s, o);
	return err;
}

vault_err vault_objects_put(struct vault_store *s, uint8_t type,
			    struct vault_span raw, struct vault_id *id)
{
	struct scratch *x = scratch_get();
	struct vault_object o = { .type = type, .raw = raw };
	vault_err err;

	if (x == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_buf_reserve(&x->room, raw.len + 1);
	if (err != VAULT_OK)
		return err;
	o.room = x->room.data;
	err = vault_objects_prepare(s, NULL, &o, 1);
	if (err == VAULT_OK)
		err = vault_objects_commit(s, &o);
	if (err == VAULT_OK)
		*id = o.id;
	scratch_trim(&x->room);
	return err;
}
