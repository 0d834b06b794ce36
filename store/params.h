/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PARAMS_H
#define VAULT_STORE_PARAMS_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/digest.h"
#include "store/pack_format.h"
#include "store/store.h"

/*
 * What makes a vault this vault: its uuid, secret, zone and chunk sizes. Every
 * pack begins with them, so that packs alone are a vault; the files `config`
 * and `secret` are a copy for people and for the daemon's first look.
 * Internal to store/. Pure functions but for vault_params_invent().
 */
struct vault_params {
	uint8_t uuid[16];
	uint8_t secret[VAULT_SECRET_BYTES];
	struct vault_store_params shown;
	/* Of the pack this record begins: the pack before it, and where that
	 * one ends. Bytes after are leftovers; fewer bytes are a loss. */
	uint32_t prev_pack;
	uint64_t prev_end;
};

#define VAULT_UUID_TEXT 37

/* A new uuid and secret from the kernel. INVALID: bad sizes or zone. */
VAULT_MUST_CHECK vault_err vault_params_invent(
	const struct vault_store_params *shown, struct vault_params *out);

/* As every pack's header holds them. */
void vault_params_pack(const struct vault_params *p,
		       uint8_t out[VAULT_PARAMS_BYTES]);
/* CORRUPT, NEWER. */
VAULT_MUST_CHECK vault_err vault_params_unpack(struct vault_span bytes,
					       struct vault_params *out);

/* With dashes and a terminator. */
void vault_params_uuid_text(const uint8_t uuid[16], char out[VAULT_UUID_TEXT]);

/* The text of `config`. NOMEM. */
VAULT_MUST_CHECK vault_err vault_params_print(const struct vault_params *p,
					      struct vault_buf *out);
/*
 * Read it back: `uuid` and `shown`. Keys that are not known are passed over.
 * CORRUPT: a key is missing or senseless. NEWER: see `*format`, which is
 * written in this case too.
 */
VAULT_MUST_CHECK vault_err vault_params_parse(struct vault_span text,
					      struct vault_params *out,
					      uint32_t *format);

#endif
