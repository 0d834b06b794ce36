/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_ROW_FORMAT_H
#define VAULT_VERSIONS_ROW_FORMAT_H

/*
 * How a row and its backing are laid out in bytes: versions/FORMAT.md, "Row".
 * Touching this file means touching that section in the same commit.
 *
 * A tombstone is the kind byte alone. Everything else goes on with a byte of
 * bits that say which of the optional fields follow.
 */
#define VAULT_ROW_HAS_FLAGS 0x01u   /* flags: 1 byte, not 0 */
#define VAULT_ROW_HAS_RDEV 0x02u    /* rdev: 8, not 0 */
#define VAULT_ROW_HAS_SIZE 0x04u    /* size: 8, not 0 */
#define VAULT_ROW_HAS_CONTENT 0x08u /* content id: 16, not none; digest: 16 */
#define VAULT_ROW_HAS_XATTRS 0x10u  /* content id of the xattrs: 16 */
#define VAULT_ROW_HAS_ALL 0x1fu

#define VAULT_ROW_FLAGS_ALL 0x01u
#define VAULT_ROW_MODE_ALL 07777u

#define VAULT_BACKING_RACY 0x01u
#define VAULT_BACKING_BYTES 33

#endif
