/* SPDX-License-Identifier: Apache-2.0 */
#include "store/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/frame.h"

/* What one pack says of itself. */
struct beginning {
	bool has_uuid;	 /* the header is sound */
	bool has_params; /* the params record is sound */
	uint8_t uuid[16];
	struct vault_params params;
};

static vault_err refuse_newer(uint32_t id, uint32_t version)
{
	vault_log_error("packs/%08" PRIu32 ".pack: format %" PRIu32
			"; this program knows formats up to %d",
			id, version, VAULT_FORMAT);
	return VAULT_ERR_NEWER;
}

static vault_err read_params(const uint8_t *bytes, uint32_t id,
			     const uint8_t uuid[16], struct beginning *b)
{
	struct vault_frame_at at = { .pack = id,
				     .offset = VAULT_PACK_HEADER_BYTES };
	const struct vault_span stored = vault_span(
		bytes + VAULT_PACK_HEADER_BYTES + VAULT_RECORD_HEADER_BYTES,
		VAULT_PARAMS_BYTES);
	struct vault_frame frame;
	vault_err err;

	memcpy(at.uuid, uuid, sizeof(at.uuid));
	if (vault_frame_unpack(&at, bytes + VAULT_PACK_HEADER_BYTES, &frame) !=
		    VAULT_OK ||
	    frame.head.type != VAULT_RECORD_PARAMS ||
	    !vault_frame_payload_ok(&frame, stored))
		return VAULT_OK;
	err = vault_params_unpack(stored, &b->params);
	if (err == VAULT_ERR_NEWER)
		return refuse_newer(id, VAULT_FORMAT + 1);
	b->has_params = err == VAULT_OK;
	return VAULT_OK;
}

/* `config` helps where the header that holds the uuid is damaged. */
static vault_err read_beginning(struct vault_packs *packs, uint32_t id,
				const struct vault_params *config,
				struct beginning *b)
{
	uint8_t bytes[VAULT_PACK_FIRST];
	uint32_t version = 0;
	uint32_t named;
	size_t got = 0;
	vault_err err;

	*b = (struct beginning){ 0 };
	err = vault_packs_read(packs, id, 0, bytes, sizeof(bytes), &got);
	if (err == VAULT_ERR_NOMEM || err == VAULT_ERR_DENIED)
		return err;
	if (err != VAULT_OK || got < sizeof(bytes))
		memset(bytes + got, 0, sizeof(bytes) - got);
	err = vault_frame_unpack_header(bytes, b->uuid, &named, &version);
	if (err == VAULT_ERR_NEWER)
		return refuse_newer(id, version);
	b->has_uuid = err == VAULT_OK && named == id;
	if (b->has_uuid)
		return read_params(bytes, id, b->uuid, b);
	if (config != NULL)
		return read_params(bytes, id, config->uuid, b);
	return VAULT_OK;
}

/* Fill in one row, and its predecessor's end. */
static void note(struct vault_survey *s, size_t i, const struct beginning *b,
		 bool *uuid_known, uint8_t uuid[16])
{
	struct vault_survey_pack *p = &s->packs[i];

	if (!*uuid_known && b->has_uuid && b->has_params) {
		memcpy(uuid, b->uuid, 16);
		*uuid_known = true;
	}
	p->header_bad = !b->has_uuid || !b->has_params;
	p->foreign =
		*uuid_known && b->has_uuid && memcmp(uuid, b->uuid, 16) != 0;
	if (p->foreign || !b->has_params)
		return;
	if (!s->params_known) {
		s->params = b->params;
		s->params_known = true;
	}
	if (i > 0 && s->packs[i - 1].id == b->params.prev_pack)
		s->packs[i - 1].stated = b->params.prev_end;
}

vault_err vault_survey_make(struct vault_packs *packs,
			    const struct vault_params *config,
			    struct vault_survey *out)
{
	struct vault_survey s = { .n_packs = vault_packs_count(packs) };
	bool uuid_known = config != NULL;
	uint8_t uuid[16] = { 0 };
	struct beginning b;
	vault_err err = VAULT_OK;

	if (config != NULL)
		memcpy(uuid, config->uuid, sizeof(uuid));
	s.packs = calloc(s.n_packs + 1, sizeof(*s.packs));
	if (s.packs == NULL)
		return VAULT_ERR_NOMEM;
	for (size_t i = 0; i < s.n_packs && err == VAULT_OK; i++) {
		const struct vault_pack p = vault_packs_at(packs, i);

		s.packs[i].id = p.id;
		s.packs[i].len = p.len;
		err = read_beginning(packs, p.id, config, &b);
		if (err == VAULT_OK)
			note(&s, i, &b, &uuid_known, uuid);
	}
	if (err == VAULT_OK)
		*out = s;
	else
		free(s.packs);
	return err;
}

void vault_survey_release(struct vault_survey *s)
{
	free(s->packs);
	*s = (struct vault_survey){ 0 };
}
