/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_RULES_H
#define VAULT_VERSIONS_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/ignore.h"

/*
 * The lines of one ignore file, read once and asked often.
 *
 * Most patterns of the field are a plain name, `*.ext` or `prefix*`: those
 * are told apart when read and cost a comparison of a few bytes each.
 * Immutable once parsed.
 */
struct vault_rules;

/*
 * Parse `text`, copied. `where` names it in the log, when a line is not valid;
 * `why` is what its rules answer. A line `#: temporary` or `#: cache` (in the
 * built-in rules only) changes it for the lines that follow.
 */
VAULT_MUST_CHECK vault_err vault_rules_parse(struct vault_span text,
					     const char *where,
					     enum vault_ignore_why why,
					     struct vault_rules **out);
void vault_rules_destroy(struct vault_rules *r);

/*
 * Does a rule speak about `path`, relative to the directory of the rules,
 * whose last name begins at `name`? The last one that does decides: `*why` is
 * NOT when it takes back. False leaves `*why` alone.
 */
bool vault_rules_decide(const struct vault_rules *r, struct vault_span path,
			struct vault_span name, bool is_dir,
			enum vault_ignore_why *why);

#endif
