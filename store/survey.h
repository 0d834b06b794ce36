/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_SURVEY_H
#define VAULT_STORE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/packs.h"
#include "store/params.h"

/*
 * What the beginnings of all packs say: whose they are, and where each one's
 * predecessor ends. Internal to store/. Costs one small read a pack.
 */
struct vault_survey_pack {
	uint32_t id;
	uint64_t len;	 /* of the file */
	uint64_t stated; /* where it ends by what its successor says; 0: not
			    known */
	bool foreign;	 /* of another vault: none of its records count */
	bool header_bad; /* pack header or params record damaged */
};

struct vault_survey {
	struct vault_survey_pack *packs; /* in order of id */
	size_t n_packs;
	bool params_known; /* some pack has a sound params record */
	struct vault_params params;
};

/*
 * Survey all packs. `config` (may be NULL) is what the file of that name
 * says; its uuid decides which packs are foreign, else the first sound pack
 * does. NEWER: some pack is of a later format; logged. Damage is not logged.
 */
VAULT_MUST_CHECK vault_err vault_survey_make(struct vault_packs *packs,
					     const struct vault_params *config,
					     struct vault_survey *out);
void vault_survey_release(struct vault_survey *s);

/* The part of `p` that holds records: up to what was stated or, without
 * that, the whole file. */
static inline uint64_t vault_survey_end(const struct vault_survey_pack *p)
{
	return p->stated != 0 && p->stated < p->len ? p->stated : p->len;
}

#endif
