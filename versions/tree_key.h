/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_TREE_KEY_H
#define VAULT_VERSIONS_TREE_KEY_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"
#include "store/base/span.h"
#include "versions/commit.h"

/*
 * Keys of the index, built on the stack and taken apart again. Internal to
 * versions/. Numbers are big-endian so that bytes sort as numbers do, and
 * sequences are inverted so that the newest comes first. A name is ended by a
 * 0 byte where something follows it: no name holds one, so the keys of one
 * name lie together and names keep their order.
 */
struct vault_tree_key {
	size_t len;
	uint8_t b[3 * 8 + VAULT_NAME_MAX + 9];
};

static inline struct vault_span vault_tree_key_span(
	const struct vault_tree_key *k)
{
	return vault_span(k->b, k->len);
}

static inline void vault_tree_key_u64(struct vault_tree_key *k, uint64_t v)
{
	vault_bytes_put_be64(k->b + k->len, v);
	k->len += 8;
}

static inline void vault_tree_key_u8(struct vault_tree_key *k, uint8_t v)
{
	k->b[k->len++] = v;
}

static inline void vault_tree_key_name(struct vault_tree_key *k,
				       struct vault_span name)
{
	assert(name.len <= VAULT_NAME_MAX);
	if (name.len > 0)
		memcpy(k->b + k->len, name.data, name.len);
	k->len += name.len;
}

/* ROW: directory, name, 0, ~sequence. */
static inline struct vault_tree_key vault_tree_key_row(uint64_t dir,
						       struct vault_span name,
						       uint64_t seq)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, dir);
	vault_tree_key_name(&k, name);
	vault_tree_key_u8(&k, 0);
	vault_tree_key_u64(&k, ~seq);
	return k;
}

/* Greater than every key of `name` and not greater than any later name's. */
static inline struct vault_tree_key vault_tree_key_row_past(
	uint64_t dir, struct vault_span name)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, dir);
	vault_tree_key_name(&k, name);
	vault_tree_key_u8(&k, 1);
	return k;
}

/* The parts of a ROW key; false if it is none. */
static inline bool vault_tree_key_row_parse(struct vault_span key,
					    uint64_t *dir,
					    struct vault_span *name,
					    uint64_t *seq)
{
	if (key.len < 17 || key.len > 17 + VAULT_NAME_MAX ||
	    key.data[key.len - 9] != 0)
		return false;
	*dir = vault_bytes_get_be64(key.data);
	*name = vault_span(key.data + 8, key.len - 17);
	*seq = ~vault_bytes_get_be64(key.data + key.len - 8);
	return true;
}

/* LIVE: directory, name. */
static inline struct vault_tree_key vault_tree_key_live(uint64_t dir,
							struct vault_span name)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, dir);
	vault_tree_key_name(&k, name);
	return k;
}

/* INODE: device, inode, directory, name. */
static inline struct vault_tree_key vault_tree_key_inode(uint64_t dev,
							 uint64_t ino,
							 uint64_t dir,
							 struct vault_span name)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, dev);
	vault_tree_key_u64(&k, ino);
	vault_tree_key_u64(&k, dir);
	vault_tree_key_name(&k, name);
	return k;
}

/* NODE: node, ~sequence, directory, name. */
static inline struct vault_tree_key vault_tree_key_node(uint64_t node,
							uint64_t seq,
							uint64_t dir,
							struct vault_span name)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, node);
	vault_tree_key_u64(&k, ~seq);
	vault_tree_key_u64(&k, dir);
	vault_tree_key_name(&k, name);
	return k;
}

static inline bool vault_tree_key_node_parse(struct vault_span key,
					     uint64_t *node, uint64_t *seq,
					     uint64_t *dir,
					     struct vault_span *name)
{
	if (key.len < 24 || key.len > 24 + VAULT_NAME_MAX)
		return false;
	*node = vault_bytes_get_be64(key.data);
	*seq = ~vault_bytes_get_be64(key.data + 8);
	*dir = vault_bytes_get_be64(key.data + 16);
	*name = vault_span_from(key, 24);
	return true;
}

/* TOUCHED, and the start of NODE: a number, ~sequence. */
static inline struct vault_tree_key vault_tree_key_pair(uint64_t id,
							uint64_t seq)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u64(&k, id);
	vault_tree_key_u64(&k, ~seq);
	return k;
}

static inline bool vault_tree_key_pair_parse(struct vault_span key,
					     uint64_t *id, uint64_t *seq)
{
	if (key.len != 16)
		return false;
	*id = vault_bytes_get_be64(key.data);
	*seq = ~vault_bytes_get_be64(key.data + 8);
	return true;
}

/* MOMENT: a letter and a number. */
static inline struct vault_tree_key vault_tree_key_moment(char by, uint64_t n)
{
	struct vault_tree_key k;

	k.len = 0;
	vault_tree_key_u8(&k, (uint8_t)by);
	vault_tree_key_u64(&k, n);
	return k;
}

/* Times sort as numbers when the sign bit is turned over. */
static inline uint64_t vault_tree_key_time(int64_t time)
{
	return (uint64_t)time ^ (uint64_t)1 << 63;
}

#endif
