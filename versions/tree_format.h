/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_TREE_FORMAT_H
#define VAULT_VERSIONS_TREE_FORMAT_H

/*
 * Layout of this folder's families in the index: versions/FORMAT.md, "The
 * index". All of it is derived from entries, so a change here raises the
 * version, and an index of another version is built anew.
 */
#define VAULT_TREE_VERSION 1

/* META: one key of ours; version u8, last applied sequence u64, next node
 * u64, logical bytes u64, versions u64, rows u64. */
#define VAULT_TREE_STATE_KEY "tree"
#define VAULT_TREE_STATE_BYTES 41

/* NODE: did the name get the node at this commit, or lose it? */
#define VAULT_TREE_UNLINKED 0
#define VAULT_TREE_LINKED 1

/* TOUCHED: flags u8, directories below (u32 count, u64 each), then changed
 * names (u8 length, bytes) to the end. With LIST the names are left out:
 * whoever wants them lists the directory. */
#define VAULT_TREE_TOUCHED_LIST 0x01u
#define VAULT_TREE_TOUCHED_NAMES_MAX 1024

/* MOMENT: sequence u64, time i64, clock i64, cause u8, flags u8, rows u32;
 * under 'S' + sequence for every commit and 'T' + time for complete ones. */
#define VAULT_TREE_MOMENT_BY_SEQ 'S'
#define VAULT_TREE_MOMENT_BY_TIME 'T'
#define VAULT_TREE_MOMENT_BYTES 30
#define VAULT_TREE_MOMENT_PARTIAL 0x01u

#endif
