/* SPDX-License-Identifier: Apache-2.0 */
#include "store/identity.h"

#include <inttypes.h>
#include <string.h>

#include "store/base/log.h"
#include "store/small.h"
#include "store/state.h"

#define CONFIG_LIMIT ((size_t)64 << 10)

static vault_err write_config(const struct vault_io *io, int dirfd,
			      const struct vault_params *p)
{
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err;

	err = vault_params_print(p, &text);
	if (err == VAULT_OK)
		err = vault_small_write(io, dirfd, VAULT_CONFIG_NAME, 0600,
					vault_buf_span(&text));
	vault_buf_release(&text);
	return err;
}

static vault_err write_secret(const struct vault_io *io, int dirfd,
			      const struct vault_params *p)
{
	return vault_small_write(io, dirfd, VAULT_SECRET_NAME, 0600,
				 vault_span(p->secret, sizeof(p->secret)));
}

vault_err vault_identity_write(const struct vault_io *io, int dirfd,
			       const struct vault_params *p)
{
	vault_err err;

	err = write_secret(io, dirfd, p);
	return err == VAULT_OK ? write_config(io, dirfd, p) : err;
}

/* What the small files say, each as far as it is sound. */
struct small_files {
	bool has_config;
	bool has_secret;
	struct vault_params params;
};

static vault_err read_config(const struct vault_io *io, int dirfd,
			     struct small_files *f)
{
	struct vault_buf text = VAULT_BUF_INIT;
	uint32_t format = 0;
	vault_err err;

	err = vault_small_read(io, dirfd, VAULT_CONFIG_NAME, CONFIG_LIMIT,
			       &text);
	if (err == VAULT_OK)
		err = vault_params_parse(vault_buf_span(&text), &f->params,
					 &format);
	vault_buf_release(&text);
	f->has_config = err == VAULT_OK;
	if (err == VAULT_ERR_NEWER)
		vault_log_error("vault: %s: format %" PRIu32
				"; this program knows formats up to %d",
				VAULT_CONFIG_NAME, format, VAULT_FORMAT);
	if (err == VAULT_ERR_NEWER || err == VAULT_ERR_NOMEM ||
	    err == VAULT_ERR_DENIED)
		return err;
	return VAULT_OK;
}

static vault_err read_secret(const struct vault_io *io, int dirfd,
			     struct small_files *f)
{
	struct vault_buf bytes = VAULT_BUF_INIT;
	vault_err err;

	err = vault_small_read(io, dirfd, VAULT_SECRET_NAME, VAULT_SECRET_BYTES,
			       &bytes);
	f->has_secret = err == VAULT_OK && bytes.len == VAULT_SECRET_BYTES;
	if (f->has_secret)
		memcpy(f->params.secret, bytes.data, VAULT_SECRET_BYTES);
	vault_buf_release(&bytes);
	return err == VAULT_ERR_NOMEM || err == VAULT_ERR_DENIED ? err
								 : VAULT_OK;
}

/* The zone is for people to set: packs only remember the last one known. */
static bool same_config(const struct vault_params *a,
			const struct vault_params *b)
{
	return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 &&
	       a->shown.chunk_min == b->shown.chunk_min &&
	       a->shown.chunk_avg == b->shown.chunk_avg &&
	       a->shown.chunk_max == b->shown.chunk_max;
}

static bool same_secret(const struct vault_params *a,
			const struct vault_params *b)
{
	return memcmp(a->secret, b->secret, sizeof(a->secret)) == 0;
}

/* Put the small files right; a disk that refuses does not stop the vault. */
static void repair_files(const struct vault_io *io, int dirfd,
			 const struct small_files *f,
			 const struct vault_params *p)
{
	if (!f->has_config || !same_config(&f->params, p)) {
		vault_log_warn("vault: %s is missing, damaged or not what the "
			       "packs say; written again",
			       VAULT_CONFIG_NAME);
		if (write_config(io, dirfd, p) != VAULT_OK)
			vault_log_debug("vault: going on without it");
	}
	if (!f->has_secret || !same_secret(&f->params, p)) {
		vault_log_warn("vault: %s is missing, damaged or not what the "
			       "packs say; written again",
			       VAULT_SECRET_NAME);
		if (write_secret(io, dirfd, p) != VAULT_OK)
			vault_log_debug("vault: going on without it");
	}
}

/* The packs' own params with the config's zone, else those of the files. */
static vault_err decide(const struct small_files *f,
			const struct vault_survey *survey,
			struct vault_params *out)
{
	if (survey->params_known) {
		*out = survey->params;
		if (f->has_config && same_config(&f->params, out))
			memcpy(out->shown.zone, f->params.shown.zone,
			       sizeof(out->shown.zone));
		return VAULT_OK;
	}
	if (survey->n_packs > 0 && f->has_config && f->has_secret) {
		*out = f->params;
		return VAULT_OK;
	}
	vault_log_error("vault: no pack of it can be read");
	return VAULT_ERR_CORRUPT;
}

/* Survey by the config's uuid; where no pack has that one, by their own. */
static vault_err survey_packs(struct vault_packs *packs,
			      const struct small_files *f,
			      struct vault_survey *survey)
{
	vault_err err;

	err = vault_survey_make(packs, f->has_config ? &f->params : NULL,
				survey);
	if (err != VAULT_OK || survey->params_known || !f->has_config)
		return err;
	for (size_t i = 0; i < survey->n_packs; i++) {
		if (!survey->packs[i].foreign)
			return VAULT_OK;
	}
	vault_survey_release(survey);
	return vault_survey_make(packs, NULL, survey);
}

vault_err vault_identity_learn(const struct vault_io *io, int dirfd,
			       struct vault_packs *packs, bool repair,
			       struct vault_params *params,
			       struct vault_survey *out)
{
	struct small_files f = { 0 };
	struct vault_survey survey = { 0 };
	vault_err err;

	err = read_config(io, dirfd, &f);
	if (err == VAULT_OK)
		err = read_secret(io, dirfd, &f);
	if (err == VAULT_OK)
		err = survey_packs(packs, &f, &survey);
	if (err == VAULT_OK)
		err = decide(&f, &survey, params);
	if (err != VAULT_OK)
		goto out;
	if (repair)
		repair_files(io, dirfd, &f, params);
	*out = survey;
	survey = (struct vault_survey){ 0 };

out:
	vault_survey_release(&survey);
	return err;
}

vault_err vault_identity_compare(const struct vault_io *io, int dirfd,
				 const struct vault_params *p,
				 bool *config_same, bool *secret_same)
{
	struct small_files f = { 0 };
	vault_err err;

	err = read_config(io, dirfd, &f);
	if (err == VAULT_ERR_NEWER)
		err = VAULT_OK;
	if (err == VAULT_OK)
		err = read_secret(io, dirfd, &f);
	if (err != VAULT_OK)
		return err;
	*config_same = f.has_config && same_config(&f.params, p);
	*secret_same = f.has_secret && same_secret(&f.params, p);
	return VAULT_OK;
}
