/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_SNAPSHOT_INTERNAL_H
#define VAULT_VERSIONS_SNAPSHOT_INTERNAL_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/moment.h"

/*
 * One name entry in memory, and the one packer and unpacker of it and of the
 * NAME family's values. Internal to versions/.
 */
struct vault_snapshot_op {
	uint8_t op; /* VAULT_NAME_* */
	int64_t time;
	uint64_t seq;
	struct vault_span name;
	struct vault_span to;
	struct vault_span note;
	struct vault_span tags;
};

/* Appended to `out`. */
VAULT_MUST_CHECK vault_err vault_snapshot_form_pack_op(
	const struct vault_snapshot_op *op, struct vault_buf *out);
/* CORRUPT; NEWER. The spans point into `bytes`. */
VAULT_MUST_CHECK vault_err vault_snapshot_form_unpack_op(
	struct vault_span bytes, struct vault_snapshot_op *out);

/* What the index holds of a name. */
struct vault_snapshot_value {
	uint64_t seq;
	int64_t set_at;
	int64_t removed_at;
	struct vault_span note;
	struct vault_span tags;
};

/* Appended to `out`. */
VAULT_MUST_CHECK vault_err vault_snapshot_form_pack_value(
	const struct vault_snapshot_value *v, struct vault_buf *out);
/* INDEX. The spans point into `bytes`. */
VAULT_MUST_CHECK vault_err vault_snapshot_form_unpack_value(
	struct vault_span bytes, struct vault_snapshot_value *out);

/* The key of the newest removal of `name`, with its value. NOT_FOUND. */
struct vault_index;
VAULT_MUST_CHECK vault_err vault_snapshot_key_removed(struct vault_index *x,
						      struct vault_span name,
						      struct vault_buf *key,
						      struct vault_buf *value);
/* The key under which entry `seq` removed a name. */
VAULT_MUST_CHECK vault_err vault_snapshot_key_removal(struct vault_span name,
						      uint64_t seq,
						      struct vault_buf *key);
/* The key of a name that stands. */
VAULT_MUST_CHECK vault_err vault_snapshot_key(struct vault_span name,
					      struct vault_buf *key);

#endif
