/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_LIST_H
#define VAULT_FS_VIEW_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/view_nodes.h"
#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The entries of an open directory, taken when it is opened, so that
 * offsets mean the same until it is closed. Single-threaded while it is
 * filled, read by any thread after.
 */
struct vault_view_list_item {
	uint64_t ino;
	/* VERSION: its record, the name it had is `then`; PAST: the moment. */
	uint64_t dir;
	uint64_t seq;
	size_t name; /* offset of a terminated string in `names` */
	size_t then; /* the same as `name` for most */
	mode_t type; /* S_IFMT bits */
	enum vault_view_kind kind;
	bool given; /* a name somebody gave, which may be taken away again */
};

struct vault_view_list {
	struct vault_buf names;
	struct vault_view_list_item *items;
	size_t n;
	size_t cap;
};
#define VAULT_VIEW_LIST_INIT \
	((struct vault_view_list){ VAULT_BUF_INIT, NULL, 0, 0 })
void vault_view_list_release(struct vault_view_list *l);

/* The string that lies at an offset of `names`. */
static inline const char *vault_view_list_text(const struct vault_view_list *l,
					       size_t offset)
{
	return (const char *)l->names.data + offset;
}

/* Something that is found again by its name; the ino is that of `key`. */
VAULT_MUST_CHECK vault_err
vault_view_list_add(struct vault_view_list *l, struct vault_span name,
		    mode_t type, const struct vault_view_key *key);

/* A version that was `then` in directory `dir` at `seq`, shown as `name`. */
VAULT_MUST_CHECK vault_err vault_view_list_add_version(
	struct vault_view_list *l, struct vault_span name, mode_t type,
	uint64_t dir, struct vault_span then, uint64_t seq);

#endif
