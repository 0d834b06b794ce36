/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_VERSIONS_PAST_H
#define VAULT_TESTS_VERSIONS_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/span.h"
#include "tests/support/scratch.h"
#include "versions/moment.h"
#include "versions/tree.h"

/*
 * A vault for tests of the past: made in a scratch folder, opened, written to
 * in a line or two. What fails ends the test. Contents need not exist in the
 * store: the tree never looks at them.
 */
struct vault_past {
	struct vault_scratch scratch;
	int dirfd; /* of the vault */
	struct vault_tree *tree;
	struct vault_commit *commit; /* what past_commit() will commit */
};

void vault_past_init(struct vault_past *p);
void vault_past_release(struct vault_past *p);
/* For cmocka: *state is a struct vault_past on the heap. */
int vault_past_setup(void **state);
int vault_past_teardown(void **state);

/* Close and open again; with `forget`, without its index. */
void vault_past_reopen(struct vault_past *p, bool forget);

/* Rows of the usual kinds; `content` 0: an empty file, or the same content
 * for the same number. */
struct vault_row vault_past_file(uint64_t node, uint64_t content);
struct vault_row vault_past_dir(uint64_t node);

/* Put a row into the commit being made; inode = node. */
void vault_past_add(struct vault_past *p, uint64_t dir, const char *name,
		    struct vault_row row);
void vault_past_remove(struct vault_past *p, uint64_t dir, const char *name);
/* Commit what was added. */
struct vault_moment vault_past_commit(struct vault_past *p);
struct vault_moment vault_past_commit_as(struct vault_past *p,
					 enum vault_cause cause, bool partial);
/* The root's row in a moment of its own. */
struct vault_moment vault_past_root(struct vault_past *p);

/* All families that must be equal between two indexes, as text. */
void vault_past_dump(struct vault_past *p, struct vault_buf *out);

/* Commit what was added with a time of the past, behind the tree's back: to
 * be followed by a reopen. */
void vault_past_at(struct vault_past *p, int64_t time, bool partial);

#endif
