/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_JSON_H
#define VAULT_FS_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"

/*
 * The documents that --json prints.
 *
 * The only door to jansson. A document is built with these functions and
 * printed once, indented, members in the order they were set. JSON text is
 * UTF-8 and file names are bytes: where a name is not valid UTF-8, each byte
 * that does not fit becomes U+FFFD in the member itself, and a second member
 * `<key>_bytes` holds the exact bytes percent-encoded (unreserved characters
 * of RFC 3986 and "/" as they are). That member is there only then.
 *
 * Setters take a NULL object and remember the failure: a builder checks once,
 * when it prints.
 */
struct vault_json_doc {
	json_t *root;
	bool failed; /* memory ran out on the way */
};

/* Begin with an array or an object. */
void vault_json_array(struct vault_json_doc *d);
void vault_json_object(struct vault_json_doc *d);
void vault_json_release(struct vault_json_doc *d);

/* A new object or array at the end of `array`, or under `key` of `object`;
 * borrowed from the document. NULL: no memory (and `failed` is set). */
json_t *vault_json_add_object(struct vault_json_doc *d, json_t *array);
json_t *vault_json_set_array(struct vault_json_doc *d, json_t *object,
			     const char *key);

/* Set a member. Text that is not UTF-8 as said above. */
void vault_json_set_text(struct vault_json_doc *d, json_t *object,
			 const char *key, struct vault_span text);
void vault_json_set_str(struct vault_json_doc *d, json_t *object,
			const char *key, const char *text);
void vault_json_set_int(struct vault_json_doc *d, json_t *object,
			const char *key, uint64_t value);
void vault_json_set_real(struct vault_json_doc *d, json_t *object,
			 const char *key, double value);
void vault_json_set_bool(struct vault_json_doc *d, json_t *object,
			 const char *key, bool value);
void vault_json_set_null(struct vault_json_doc *d, json_t *object,
			 const char *key);
/* RFC 3339, UTC, of seconds since the epoch. */
void vault_json_set_time(struct vault_json_doc *d, json_t *object,
			 const char *key, int64_t seconds);
void vault_json_set_digest(struct vault_json_doc *d, json_t *object,
			   const char *key, const struct vault_digest *digest);
/* One more element of an array. */
void vault_json_add_text(struct vault_json_doc *d, json_t *array,
			 struct vault_span text);

/* Print with a final newline; NOMEM if anything failed before, IO. */
VAULT_MUST_CHECK vault_err vault_json_print(const struct vault_json_doc *d,
					    FILE *to);
VAULT_MUST_CHECK vault_err vault_json_write(const struct vault_json_doc *d,
					    struct vault_buf *out);

/* The bytes of one valid UTF-8 character at the front; 0: there is none. */
size_t vault_json_utf8_length(struct vault_span s);

#endif
