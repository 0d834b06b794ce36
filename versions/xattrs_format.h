/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_XATTRS_FORMAT_H
#define VAULT_VERSIONS_XATTRS_FORMAT_H

/*
 * A packed set of extended attributes: one version byte, then for each
 * attribute, in strictly rising byte order of the names, le16 length of the
 * name, le32 length of the value, name, value. No attributes: no bytes.
 */
#define VAULT_XATTRS_VERSION 1
#define VAULT_XATTRS_NAME_MAX 255
#define VAULT_XATTRS_VALUE_MAX 65536

#endif
