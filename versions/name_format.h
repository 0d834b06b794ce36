/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_NAME_FORMAT_H
#define VAULT_VERSIONS_NAME_FORMAT_H

/*
 * The payload of a name entry, and the NAME family: versions/FORMAT.md,
 * "Name".
 *
 * Entry: version u8, operation u8, zero u16, time i64, moment's sequence u64,
 * then four texts, each behind its length u32: name, new name, note, tags.
 * What an operation has no use for is 0 or empty.
 */
#define VAULT_NAME_VERSION 1

#define VAULT_NAME_SET 1
#define VAULT_NAME_REMOVE 2
#define VAULT_NAME_UNDO 3
#define VAULT_NAME_RENAME 4

/* Index: 'L' + name for one that stands; 'R' + name + 0 + ~sequence of the
 * entry that removed it. Value: sequence u64, set at i64, removed at i64,
 * then note and tags behind their lengths u32. */
#define VAULT_NAME_STANDS 'L'
#define VAULT_NAME_REMOVED 'R'

/* More than anybody writes about a moment; bounds what a reader allocates. */
#define VAULT_NAME_TEXT_MAX ((uint32_t)1 << 20)

#endif
