/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_RECIPE_FORMAT_H
#define VAULT_STORE_RECIPE_FORMAT_H

/*
 * The layout of recipes, as numbers. store/FORMAT.md, "Recipes", says what
 * they mean and changes in the same commit.
 */

#define VAULT_RECIPE_VERSION 1

/* Offsets in the header that roots and leaves share. */
#define VAULT_RECIPE_OFF_VERSION 0  /* u8 */
#define VAULT_RECIPE_OFF_KIND 1	    /* u8 */
#define VAULT_RECIPE_OFF_RESERVED 2 /* u16, 0 */
#define VAULT_RECIPE_OFF_COUNT 4    /* u32, entries that follow */
#define VAULT_RECIPE_LEAF_HEADER 8

/* A root goes on with: */
#define VAULT_RECIPE_OFF_SIZE 8	   /* u64, bytes of the content */
#define VAULT_RECIPE_OFF_DIGEST 16 /* 16 bytes, plain XXH3-128 */
#define VAULT_RECIPE_ROOT_HEADER 32

/* Kinds. */
#define VAULT_RECIPE_FLAT 0   /* a root of chunk entries */
#define VAULT_RECIPE_BRANCH 1 /* a root of leaf entries */
#define VAULT_RECIPE_LEAF 2   /* chunk entries, named by a branch */

/* A chunk entry: id (all zero: a hole), u32 length, never 0. */
#define VAULT_RECIPE_CHUNK_ENTRY 20
#define VAULT_RECIPE_CHUNK_OFF_LEN 16
#define VAULT_RECIPE_HOLE_MAX ((uint32_t)INT32_MAX)

/* A leaf entry: id, u64 length of what it spans, never 0; bit 63: holes. */
#define VAULT_RECIPE_LEAF_ENTRY 24
#define VAULT_RECIPE_LEAF_OFF_SPAN 16
#define VAULT_RECIPE_SPAN_HOLES ((uint64_t)1 << 63)

/*
 * More chunk entries than this make a branch. A leaf ends after a chunk whose
 * id, its first four bytes taken as a little-endian number, lies below CUT,
 * but not before MIN entries and at MAX at the latest: 256 on average.
 */
#define VAULT_RECIPE_FLAT_MAX 512
#define VAULT_RECIPE_LEAF_MIN 64
#define VAULT_RECIPE_LEAF_MAX 1024
#define VAULT_RECIPE_LEAF_CUT (UINT32_MAX / 192)

#endif
