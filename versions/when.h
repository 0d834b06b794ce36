/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_WHEN_H
#define VAULT_VERSIONS_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/moment.h"
#include "versions/tree.h"

/*
 * Times as people and programs write them.
 *
 * A moment's own name is YYYY-MM-DD_HH-MM-SS in the vault's zone; in the hour
 * that a clock change repeats, the names of both passes carry the offset
 * (2026-10-25_02-30-00+0100). Anything that means a time means "as of then":
 * see vault_when_parse(). The zone is the process's (TZ), set once from the
 * vault by vault_when_set_zone() before threads start: one process serves one
 * vault.
 */

#define VAULT_WHEN_NAME_MAX 32

/* Make `zone` (IANA name, "utc" or "UTC") the process's zone. SYNTAX: there
 * is no such zone; UTC is used then, and said. */
VAULT_MUST_CHECK vault_err vault_when_set_zone(const char *zone);

/* The system's zone as an IANA name, from TZ, /etc/timezone or the
 * /etc/localtime link; "UTC" when there is none. */
void vault_when_system_zone(char *out, size_t size);

/* The name of a moment's time, in the zone. */
void vault_when_name(int64_t time, char out[VAULT_WHEN_NAME_MAX]);
/* "2026-11-20T09:30:00Z". */
void vault_when_rfc3339(int64_t time, char out[VAULT_WHEN_NAME_MAX]);
/* "@GMT-2026.11.20-09.30.00", always UTC, as Samba writes it. */
void vault_when_gmt(int64_t time, char out[VAULT_WHEN_NAME_MAX]);

enum vault_when_kind {
	VAULT_WHEN_TIME, /* as of `time` */
	VAULT_WHEN_LATEST,
	VAULT_WHEN_PREVIOUS, /* the moment before the latest */
	VAULT_WHEN_NOW,	     /* the live files; valid only in comparisons */
};

struct vault_when {
	enum vault_when_kind kind;
	int64_t time; /* the last second that is meant */
};

/*
 * Read `text` without looking at any vault; `now` is what relative forms
 * count from. SYNTAX: not a time or alias (it may still be a snapshot's
 * name). Understood: `latest`, `previous`, `now`, `today`, `yesterday`
 * (their last second), `90s-ago`, `5m-ago`, `2h-ago`, `3d-ago`, `2w-ago`
 * (also `min`, `mo`, `y`), moment names with or without offset, prefixes of
 * them (`2026`, `2026-11`, `2026-11-20`, `…_10`, `…_10-30`: their last
 * second), ISO forms with `T` or a blank, `:` or `-` and an optional fraction
 * and `Z` or `±HH:MM` / `±HHMM`, `@GMT-…`, `@EPOCH`. Without a zone the
 * vault's is meant; in a repeated hour the later pass; in a skipped hour the
 * instant the clocks jumped to.
 */
VAULT_MUST_CHECK vault_err vault_when_parse(struct vault_span text, int64_t now,
					    struct vault_when *out);

/*
 * The moment that `text` means: a snapshot's name or anything parse() reads.
 * The future means the latest. NOT_FOUND: no such name, or a time before the
 * first moment. INVALID: `now`, which is no moment. SYNTAX: neither a name
 * nor a time.
 */
VAULT_MUST_CHECK vault_err vault_when_resolve(struct vault_tree *t,
					      struct vault_span text,
					      int64_t now,
					      struct vault_moment *out);

#endif
