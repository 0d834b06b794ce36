/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_FUZZ_FUZZ_H
#define VAULT_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What every target defines, under the name that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
