/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_IDENTITY_H
#define VAULT_STORE_IDENTITY_H

#include "store/base/err.h"
#include "store/io.h"
#include "store/packs.h"
#include "store/params.h"
#include "store/survey.h"

/*
 * Which vault this is: putting together what `config`, `secret` and the packs
 * say. Internal to store/. The packs win; the two files are written again
 * where they are missing, damaged or say something else.
 */

/* Write both files, durably. */
VAULT_MUST_CHECK vault_err vault_identity_write(const struct vault_io *io,
						int dirfd,
						const struct vault_params *p);

/*
 * Learn the vault's params and survey its packs. NEWER, logged. CORRUPT: no
 * pack can be read; logged. With `repair`, the small files are put right.
 */
VAULT_MUST_CHECK vault_err vault_identity_learn(
	const struct vault_io *io, int dirfd, struct vault_packs *packs,
	bool repair, struct vault_params *params, struct vault_survey *survey);

/* Do the small files say what the packs say? */
VAULT_MUST_CHECK vault_err vault_identity_compare(const struct vault_io *io,
						  int dirfd,
						  const struct vault_params *p,
						  bool *config_same,
						  bool *secret_same);

#endif
