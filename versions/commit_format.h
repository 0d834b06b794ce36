/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_COMMIT_FORMAT_H
#define VAULT_VERSIONS_COMMIT_FORMAT_H

/*
 * The payload of a commit entry: versions/FORMAT.md, "Commit". A head, then
 * rows in strictly rising order of directory and name.
 */
#define VAULT_COMMIT_VERSION 1

/* Head: version u8, cause u8, flags u8, zero u8, rows u32, time i64,
 * clock i64. */
#define VAULT_COMMIT_HEAD_BYTES 24
#define VAULT_COMMIT_PARTIAL 0x01u

/* Row: directory u64, name length u8, name, row, backing unless tombstone. */
#define VAULT_COMMIT_ROW_BYTES_MIN 10

#endif
