/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_GLOB_H
#define VAULT_VERSIONS_GLOB_H

#include <stdbool.h>

#include "store/base/span.h"

/*
 * Wildcards as gitignore means them: `*` and `?` and `[...]` never match a
 * "/"; `**` between slashes (or at an end) matches any number of directories.
 * A backslash takes the next byte literally. Bytes, not characters: `?` is
 * one byte, as in git. Time is bounded by a polynomial of the lengths, so a
 * hostile pattern cannot hang anybody.
 */
bool vault_glob_match(struct vault_span pattern, struct vault_span text);

/* An unclosed bracket or a lone backslash at the end: matches nothing. */
bool vault_glob_is_valid(struct vault_span pattern);

#endif
