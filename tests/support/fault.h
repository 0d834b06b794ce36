/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_FAULT_H
#define VAULT_TESTS_SUPPORT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/io.h"

/*
 * A disk that can lose power, fill up and fail, for the store's file calls.
 *
 * The calls act on a real folder, which is what the running program sees. At
 * the same time the layer keeps what a disk would hold: the bytes of each
 * file and the names in each folder as of the last sync, and since then the
 * writes and renames in order. From that it can produce, at any time, the
 * folder as a power cut might leave it.
 *
 * Calls that change something are numbered from 0. At one number the power
 * may fail (that call and all after it answer EIO and do nothing), or the
 * call may fail in some way. A sync that fails loses its writes for good, as
 * Linux does: they stay visible until power goes, and no later sync of the
 * same file brings them to the disk.
 */
struct vault_fault;

enum vault_fault_kind {
	VAULT_FAULT_NONE,
	VAULT_FAULT_CRASH,
	VAULT_FAULT_EIO,    /* fails */
	VAULT_FAULT_ENOSPC, /* fails if it needs room, as do the next ones */
	VAULT_FAULT_SHORT,  /* writes half; then ENOSPC for the next ones */
};

struct vault_fault_plan {
	enum vault_fault_kind kind;
	unsigned at;	  /* number of the call */
	unsigned lasting; /* how many calls in a row; 0 counts as 1 */
};

/* What power loss does to what was not synced. */
enum vault_fault_policy {
	VAULT_FAULT_DROP, /* gone */
	VAULT_FAULT_KEEP, /* there */
	VAULT_FAULT_TEAR, /* any sectors of 512 bytes of it; a beginning of
			     the changes in each folder */
};

/*
 * Watch the folder `dirfd` and its subfolders (but not one named `index`);
 * what is in there now counts as synced.
 */
struct vault_fault *vault_fault_create(int dirfd,
				       const struct vault_fault_plan *plan);
void vault_fault_destroy(struct vault_fault *f);

/* To be given to the store. */
const struct vault_io *vault_fault_io(struct vault_fault *f);
/* Changing calls so far. */
unsigned vault_fault_calls(struct vault_fault *f);
/* Has what was planned happened? */
bool vault_fault_happened(struct vault_fault *f);

/* Write into the empty folder `dirfd` what the disk would hold now. */
void vault_fault_image(struct vault_fault *f, enum vault_fault_policy policy,
		       uint64_t seed, int dirfd);

#endif
