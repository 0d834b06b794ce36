/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_GEAR_H
#define VAULT_STORE_GEAR_H

#include <stdint.h>

/*
 * One random number for each value of a byte: what the chunker's rolling
 * hash is made of. Entry i is output i of splitmix64 started at
 * VAULT_GEAR_SEED. The seed is the smallest with which a run of zero bytes
 * never meets a cut before the largest chunk size, so that the holes of a
 * sparse file can be skipped (store/chunker.h). The table is part of the
 * vault format (store/FORMAT.md, "Chunking").
 */
#define VAULT_GEAR_SEED ((uint64_t)2)

extern const uint64_t vault_gear[256];

#endif
