/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/recipe.h"
#include "tests/fuzz/fuzz.h"

/* What was accepted must add up and lie within its bytes. */
static void check(const struct vault_recipe *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct vault_recipe_entry e = vault_recipe_entry(r, i);

		if (e.len == 0 || (r->branch && vault_id_is_none(&e.id)))
			abort();
		sum += e.len;
	}
	if (sum != r->size || r->size > (uint64_t)INT64_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vault_span bytes = vault_span(data, size);
	struct vault_recipe r;

	if (vault_recipe_parse_root(bytes, &r) == VAULT_OK)
		check(&r);
	if (vault_recipe_parse_leaf(bytes, &r) == VAULT_OK)
		check(&r);
	return 0;
}
