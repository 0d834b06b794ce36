/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_VERSIONS_MODEL_H
#define VAULT_TESTS_VERSIONS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/versions/past.h"

/*
 * A random past, and beside it a model that is too simple to be wrong: the
 * whole state after every commit, as a list of names. Questions about the past
 * are answered by looking through these lists. What fails ends the test.
 */

#define MODEL_NAMES 7 /* names that a directory can have */
#define MODEL_DIRS 24 /* directories that there will be at most, for ever */
#define MODEL_COMMITS 120

/* The names, in no order. */
extern const char *const model_names[MODEL_NAMES];

struct model_entry {
	bool there;
	struct vault_row row;
	uint64_t seq;
	uint64_t ino;
};

/* Directories are numbered from 0, the root, in order of their making. */
struct model_state {
	struct model_entry e[MODEL_DIRS][MODEL_NAMES];
};

/* A row as it was committed. */
struct model_written {
	size_t commit;
	size_t dir;
	size_t name;
	struct vault_row row;
};

struct model {
	struct model_state past[MODEL_COMMITS + 1]; /* [i]: after i commits */
	struct vault_moment moments[MODEL_COMMITS];
	bool touched[MODEL_COMMITS][MODEL_DIRS];
	struct model_written log[MODEL_COMMITS * MODEL_DIRS * MODEL_NAMES];
	size_t n_log;
	uint64_t dir_ids[MODEL_DIRS];
	size_t n_dirs;
	uint64_t logical_bytes;
	uint64_t versions;
	uint64_t next_content;
};

/* Commit a past, which depends on `seed` alone, and remember it. */
void model_make(struct vault_past *p, struct model *m, uint64_t seed);

/* The number of the directory with this node; SIZE_MAX: there is none. */
size_t model_dir_index(const struct model *m, uint64_t id);

/* Where a directory is: false if it is nowhere. */
bool model_parent(const struct model *m, const struct model_state *s,
		  size_t dir, size_t *parent, size_t *name);

/* Do names lead from the root to this directory? */
bool model_reaches(const struct model *m, const struct model_state *s,
		   size_t dir);

#endif
