/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_CATCHUP_H
#define VAULT_STORE_CATCHUP_H

#include "store/base/err.h"
#include "store/store.h"
#include "store/survey.h"

/*
 * Opening, second half: the index is opened and brought up to the packs, and
 * the newest pack made ready for appending. Internal to store/.
 *
 * An index that is missing, unusable, of another vault, or that does not know
 * the packs' records again, is set aside as `index.bad` and built anew.
 */
VAULT_MUST_CHECK vault_err vault_catchup_run(struct vault_store *s,
					     const struct vault_survey *survey);

/* Remove a directory of plain files, such as an index. Missing is fine. */
VAULT_MUST_CHECK vault_err vault_catchup_remove(int dirfd, const char *name);

#endif
