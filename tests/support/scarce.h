/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_SCARCE_H
#define VAULT_TESTS_SUPPORT_SCARCE_H

#include <stdbool.h>

/*
 * Memory that runs out when a test says so: the linker sends malloc and its
 * kin here from our own code (not from libraries). One allocation of all
 * threads fails, or some in a row, then there is memory again.
 */

/* The nth allocation from now on fails; 0 is the next one. */
void vault_scarce_begin(long n);
/* The same, and the next ones: `lasting` in a row. */
void vault_scarce_begin_lasting(long n, long lasting);
/* None fails any more. Did one? */
bool vault_scarce_end(void);
/* Has one failed since the beginning? */
bool vault_scarce_failed(void);

#endif
