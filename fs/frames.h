/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_FRAMES_H
#define VAULT_FS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/frames_format.h"
#include "store/base/buf.h"
#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/restore.h"

/*
 * Frames over a stream socket, and what is in them; one packer and one
 * unpacker each. Whatever is read is foreign: a length beyond the limit, an
 * unknown type, a word that runs over the end, a byte too many is CORRUPT,
 * and the connection is of no use any more.
 */

/* Send one frame of `type`. CANCELLED: the other side is gone. */
VAULT_MUST_CHECK vault_err vault_frames_send(int fd,
					     enum vault_frames_type type,
					     struct vault_span payload);
/* Receive one frame into `payload` (cleared first). CANCELLED: the end, or
 * the other side is gone; CORRUPT. */
VAULT_MUST_CHECK vault_err vault_frames_receive(int fd,
						enum vault_frames_type *type,
						struct vault_buf *payload);

/* The first frame each way. NEWER: the other side speaks another protocol
 * (logged with both versions). */
VAULT_MUST_CHECK vault_err vault_frames_send_hello(int fd);
VAULT_MUST_CHECK vault_err vault_frames_receive_hello(int fd);

struct vault_frames_request {
	uint32_t flags;
	char *inside;
	int argc;
	char **argv; /* ends with NULL */
	char *words; /* what the others point into */
};
VAULT_MUST_CHECK vault_err vault_frames_put_request(struct vault_buf *out,
						    uint32_t flags,
						    const char *inside,
						    int argc,
						    char *const *argv);
/* CORRUPT also for words with a 0 byte in them and for no words. */
VAULT_MUST_CHECK vault_err vault_frames_get_request(
	struct vault_span payload, struct vault_frames_request *out);
void vault_frames_request_release(struct vault_frames_request *r);

/* Bytes borrow from `payload`. */
VAULT_MUST_CHECK vault_err vault_frames_put_item(
	struct vault_buf *out, const struct vault_restore_item *item);
VAULT_MUST_CHECK vault_err vault_frames_get_item(
	struct vault_span payload, struct vault_restore_item *out);

/* RESTORE. Both end with a 0 byte once they were got. */
VAULT_MUST_CHECK vault_err vault_frames_put_restore(struct vault_buf *out,
						    const char *dest,
						    const char *name);
/* CORRUPT also if `name` is no plain name. */
VAULT_MUST_CHECK vault_err vault_frames_get_restore(struct vault_span payload,
						    struct vault_buf *dest,
						    struct vault_buf *name);

/* ANSWER, TROUBLE, EXIT. */
VAULT_MUST_CHECK vault_err vault_frames_send_number(int fd,
						    enum vault_frames_type type,
						    uint32_t number);
VAULT_MUST_CHECK vault_err vault_frames_get_number(struct vault_span payload,
						   uint32_t *out);
/* A number that should be a vault_err; IO for one that is none. */
vault_err vault_frames_err(uint32_t number);

#endif
