/* SPDX-License-Identifier: Apache-2.0 */
#include "store/catchup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"
#include "store/entries.h"
#include "store/frame.h"
#include "store/replay.h"
#include "store/state.h"

static vault_err remove_files(int fd)
{
	const struct dirent *entry;
	vault_err err = VAULT_OK;
	DIR *dir = fdopendir(fd);

	if (dir == NULL) {
		err = vault_err_from_errno(errno);
		close(fd);
		return err;
	}
	while (err == VAULT_OK && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0 && errno == EISDIR)
			err = vault_catchup_remove(fd, entry->d_name);
	}
	closedir(dir);
	return err;
}

vault_err vault_catchup_remove(int dirfd, const char *name)
{
	vault_err err;
	int fd;

	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return VAULT_OK;
	if (fd < 0 && errno == ENOTDIR)
		return unlinkat(dirfd, name, 0) == 0
			       ? VAULT_OK
			       : vault_err_from_errno(errno);
	if (fd < 0)
		return vault_err_from_errno(errno);
	err = remove_files(fd);
	if (err == VAULT_OK && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		err = vault_err_from_errno(errno);
	return err;
}

static vault_err open_index(struct vault_store *s, bool create)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", s->dirfd,
		 VAULT_INDEX_NAME);
	return vault_index_open(path, create, &s->index);
}

/* Put the index out of the way, so that a new one can be built. */
static vault_err set_aside(struct vault_store *s, const char *why)
{
	vault_err err;

	vault_index_close(s->index);
	s->index = NULL;
	vault_log_warn("index: %s; set aside as %s and built anew from the "
		       "packs",
		       why, VAULT_INDEX_BAD_NAME);
	err = vault_catchup_remove(s->dirfd, VAULT_INDEX_BAD_NAME);
	if (err == VAULT_OK &&
	    renameat(s->dirfd, VAULT_INDEX_NAME, s->dirfd,
		     VAULT_INDEX_BAD_NAME) < 0 &&
	    errno != ENOENT)
		err = vault_err_from_errno(errno);
	if (err != VAULT_OK)
		vault_log_error("index: cannot be set aside: %s",
				vault_err_text(err));
	return err;
}

/* ---- does the index know these packs? ---- */

/*
 * The record that the index applied last is still there. A damaged one is no
 * reason to distrust the index; another one in its place is.
 */
static bool knows_record(struct vault_store *s, uint32_t pack,
			 const struct vault_scan_last *l)
{
	struct vault_frame_at at = { .pack = pack, .offset = l->offset };
	uint8_t header[VAULT_RECORD_HEADER_BYTES];
	struct vault_frame f;
	size_t got;

	if (l->offset == 0)
		return true;
	if (vault_packs_read(s->packs, pack, l->offset, header, sizeof(header),
			     &got) != VAULT_OK ||
	    got < sizeof(header))
		return true;
	memcpy(at.uuid, s->params.uuid, sizeof(at.uuid));
	if (vault_frame_unpack(&at, header, &f) != VAULT_OK)
		return true;
	return f.header_sum == l->header_sum;
}

static vault_err distrust(const char *why, const char **out)
{
	*out = why;
	return VAULT_ERR_INDEX;
}

/*
 * One pack; `*later` says whether the index has applied something of a later
 * one, and then it must have applied all of this one. If it has not, the pack
 * or its end was missing and has come back.
 */
static vault_err verify_pack(struct vault_store *s,
			     const struct vault_survey_pack *p, bool *later,
			     const char **why)
{
	struct vault_scan_last l = { 0 };
	vault_err err;

	if (p->foreign)
		return VAULT_OK;
	err = vault_replay_get_applied(s->index, p->id, &l);
	if (err == VAULT_ERR_INDEX)
		return distrust("it cannot be read", why);
	if (err != VAULT_OK && err != VAULT_ERR_NOT_FOUND)
		return err;
	if (*later && l.end < vault_survey_end(p))
		return distrust("a pack has come back", why);
	if (err == VAULT_ERR_NOT_FOUND)
		return VAULT_OK;
	*later = true;
	if (!knows_record(s, p->id, &l))
		return distrust("it is not of these packs", why);
	return VAULT_OK;
}

static vault_err verify_index(struct vault_store *s,
			      const struct vault_survey *survey,
			      const char **why)
{
	uint8_t uuid[16];
	bool later = false;
	vault_err err;

	err = vault_replay_get_uuid(s->index, uuid);
	if (err == VAULT_ERR_NOT_FOUND)
		return vault_replay_put_uuid(s->index, s->params.uuid);
	if (err == VAULT_ERR_INDEX)
		return distrust("it cannot be read", why);
	if (err != VAULT_OK)
		return err;
	if (memcmp(uuid, s->params.uuid, sizeof(uuid)) != 0)
		return distrust("it belongs to another vault", why);
	for (size_t i = survey->n_packs; i-- > 0;) {
		err = verify_pack(s, &survey->packs[i], &later, why);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

/* Open the index, whichever state it is in. `*fresh`: it was made empty. */
static vault_err obtain_index(struct vault_store *s,
			      const struct vault_survey *survey, bool *fresh)
{
	const char *why = "it cannot be opened";
	vault_err err = VAULT_ERR_INDEX;

	*fresh = false;
	if (faccessat(s->dirfd, VAULT_INDEX_MARK_NAME, F_OK, 0) == 0) {
		why = "it was marked for rebuilding";
	} else {
		err = open_index(s, false);
		if (err == VAULT_OK)
			err = verify_index(s, survey, &why);
	}
	if (err == VAULT_ERR_INDEX) {
		err = set_aside(s, why);
		if (err != VAULT_OK)
			return err;
		err = VAULT_ERR_NOT_FOUND;
	}
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	*fresh = true;
	if (faccessat(s->dirfd, VAULT_INDEX_NAME, F_OK, 0) == 0) {
		err = set_aside(s, "it is incomplete");
		if (err != VAULT_OK)
			return err;
	}
	err = open_index(s, true);
	if (err == VAULT_OK)
		err = vault_replay_put_uuid(s->index, s->params.uuid);
	return err;
}

/* ---- what is to be replayed ---- */

static void count_damage(struct vault_store *s, uint32_t pack, uint64_t from,
			 uint64_t len, const char *what)
{
	atomic_fetch_add(&s->damage, 1);
	vault_log_error("packs/%08" PRIu32 ".pack: %" PRIu64
			" bytes at %" PRIu64 ": %s",
			pack, len, from, what);
}

static void on_damage(void *ctx, uint32_t pack,
		      const struct vault_scan_item *item, const char *what)
{
	count_damage(ctx, pack, item->offset, item->size, what);
}

struct plan {
	struct vault_replay_span *spans;
	size_t n_spans;
	/* The newest pack that anybody has heard of. */
	uint32_t newest;
	bool newest_foreign;
	struct vault_scan_last applied; /* of it */
	uint64_t durable;		/* bytes of it that were synced */
	struct vault_scan_tail tail;
	uint64_t largest_seq;
};

/* What the index has of a pack; where nothing, the pack's first record. */
static vault_err applied_of(struct vault_store *s, uint32_t pack,
			    struct vault_scan_last *out)
{
	struct vault_scan_last l = { .end = VAULT_PACK_HEADER_BYTES };
	vault_err err;

	err = vault_replay_get_applied(s->index, pack, &l);
	if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	if (err == VAULT_OK)
		*out = l;
	return err;
}

/* Tell of a pack, or of its end, that is not there. */
static void tell_missing(struct vault_store *s, uint32_t pack, uint64_t have,
			 uint64_t end)
{
	if (have < end)
		count_damage(s, pack, have, end - have,
			     have == 0 ? "the pack is missing"
				       : "the end of the pack is missing");
}

static void add_span(struct plan *p, uint32_t pack, uint64_t from, uint64_t end)
{
	if (from < end)
		p->spans[p->n_spans++] = (struct vault_replay_span){
			.pack = pack, .from = from, .end = end
		};
}

static vault_err plan_pack(struct vault_store *s,
			   const struct vault_survey_pack *pack, struct plan *p)
{
	struct vault_scan_last l;
	vault_err err;

	err = applied_of(s, pack->id, &l);
	if (err != VAULT_OK)
		return err;
	if (l.seq > p->largest_seq)
		p->largest_seq = l.seq;
	if (pack->foreign) {
		count_damage(s, pack->id, 0, pack->len,
			     "the pack is of another vault");
		/* Left exactly as it is; we go on in a pack of our own. */
		p->newest_foreign = pack->id == p->newest;
		return VAULT_OK;
	}
	if (pack->header_bad)
		count_damage(s, pack->id, 0, VAULT_PACK_FIRST,
			     "the pack's header is damaged");
	if (pack->id == p->newest) {
		p->applied = l;
		return VAULT_OK;
	}
	tell_missing(s, pack->id, pack->len,
		     pack->stated > l.end ? pack->stated : l.end);
	add_span(p, pack->id, l.end, vault_survey_end(pack));
	return VAULT_OK;
}

/* Packs are numbered without gaps. */
static void tell_gaps(struct vault_store *s, const struct vault_survey *survey)
{
	uint32_t next = 1;

	for (size_t i = 0; i < survey->n_packs; i++) {
		for (; next < survey->packs[i].id; next++)
			count_damage(s, next, 0, 0, "the pack is missing");
		next = survey->packs[i].id + 1;
	}
}

/*
 * How many bytes of the newest pack are known to have been synced: what the
 * index applied, what we found before, and the first record, without which no
 * pack is ever given its name.
 */
static uint64_t known_durable(struct vault_store *s, const struct plan *p)
{
	uint64_t durable = VAULT_PACK_FIRST;

	if (p->applied.end > durable)
		durable = p->applied.end;
	if (s->appender.pack == p->newest && s->appender.durable > durable)
		durable = s->appender.durable;
	return durable;
}

/* The pack that is appended to, which alone may have a torn tail. */
static vault_err plan_newest(struct vault_store *s, struct plan *p)
{
	const uint64_t len = vault_packs_len(s->packs, p->newest);
	uint64_t durable;
	vault_err err;

	if (p->newest_foreign) {
		p->durable = len;
		return VAULT_OK;
	}

	if (len == 0)
		err = applied_of(s, p->newest, &p->applied);
	else
		err = VAULT_OK;
	if (err != VAULT_OK)
		return err;
	if (p->applied.seq > p->largest_seq)
		p->largest_seq = p->applied.seq;
	durable = known_durable(s, p);
	p->durable = durable;
	if (len < durable) {
		tell_missing(s, p->newest, len, durable);
		p->tail.end = len;
		p->tail.last = p->applied;
		add_span(p, p->newest, p->applied.end, len);
		return VAULT_OK;
	}
	err = vault_scan_find_tail(s->packs, s->params.uuid, p->newest,
				   &p->applied, durable, &p->tail);
	if (err != VAULT_OK)
		return err;
	if (p->tail.largest_seq > p->largest_seq)
		p->largest_seq = p->tail.largest_seq;
	add_span(p, p->newest, p->applied.end, p->tail.end);
	return VAULT_OK;
}

static vault_err make_plan(struct vault_store *s,
			   const struct vault_survey *survey, struct plan *p)
{
	vault_err err;

	*p = (struct plan){ 0 };
	p->spans = calloc(survey->n_packs + 1, sizeof(*p->spans));
	if (p->spans == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_replay_newest_pack(s->index, &p->newest);
	if (err != VAULT_OK)
		return err;
	if (survey->n_packs > 0 &&
	    survey->packs[survey->n_packs - 1].id > p->newest)
		p->newest = survey->packs[survey->n_packs - 1].id;
	tell_gaps(s, survey);
	for (size_t i = 0; i < survey->n_packs && err == VAULT_OK; i++)
		err = plan_pack(s, &survey->packs[i], p);
	return err == VAULT_OK ? plan_newest(s, p) : err;
}

/* Whether replaying came out as a rebuild; say so. */
static void tell_rebuilt(struct vault_store *s, const struct vault_replay *r)
{
	/* One params record a pack is no more than an empty vault has. */
	if (r->n_records <= vault_packs_count(s->packs))
		return;
	s->rebuilt = true;
	vault_log_warn("index: built anew from %zu packs, %" PRIu64 " records",
		       vault_packs_count(s->packs), r->n_records);
}

static vault_err carry_out(struct vault_store *s, struct plan *p, bool fresh)
{
	struct vault_replay r = {
		.packs = s->packs,
		.uuid = s->params.uuid,
		.index = s->index,
		.apply = s->options.apply,
		.apply_ctx = s->options.apply_ctx,
		.spans = p->spans,
		.n_spans = p->n_spans,
		.damaged = on_damage,
		.damaged_ctx = s,
	};
	vault_err err;

	err = vault_replay_run(&r);
	if (err != VAULT_OK)
		return err;
	if (fresh)
		tell_rebuilt(s, &r);
	r.largest_seq += p->tail.unseen;
	if (r.largest_seq >= s->appender.next_seq)
		s->appender.next_seq = r.largest_seq + 1;
	return VAULT_OK;
}

/* Note in the index how far all packs have been read. */
static vault_err note_applied(struct vault_store *s, const struct plan *p)
{
	struct vault_batch *b;
	vault_err err;

	err = vault_batch_create(&b);
	if (err != VAULT_OK)
		return err;
	for (size_t i = 0; i < p->n_spans; i++) {
		struct vault_scan_last l = { .end = p->spans[i].end };

		if (p->spans[i].pack == p->newest) {
			/* Damage may follow the last record. */
			l = p->tail.last;
			l.end = p->spans[i].end;
		}
		vault_replay_put_applied(b, s->index, p->spans[i].pack, &l);
	}
	err = vault_index_write(s->index, b);
	vault_batch_destroy(b);
	return err;
}

/* Could the newest pack not be read to its end? */
static bool newest_was_cut(const struct plan *p)
{
	const struct vault_replay_span *s = &p->spans[p->n_spans];

	return p->n_spans > 0 && s[-1].pack == p->newest &&
	       s[-1].end < p->tail.end;
}

static vault_err run_once(struct vault_store *s,
			  const struct vault_survey *survey, bool *fresh)
{
	struct plan p = { 0 };
	vault_err err;

	err = obtain_index(s, survey, fresh);
	if (err == VAULT_OK)
		err = make_plan(s, survey, &p);
	/* Synced first: the index must never know more than the disk. */
	if (err == VAULT_OK && s->appender.pack == 0)
		err = vault_appender_resume(&s->appender, p.newest, &p.tail,
					    p.durable, p.largest_seq + 1);
	if (err == VAULT_OK)
		err = carry_out(s, &p, *fresh);
	if (err == VAULT_OK && !p.tail.unreadable && newest_was_cut(&p))
		err = VAULT_ERR_IO; /* readable a moment ago */
	if (err == VAULT_OK)
		err = note_applied(s, &p);
	free(p.spans);
	return err;
}

vault_err vault_catchup_run(struct vault_store *s,
			    const struct vault_survey *survey)
{
	bool fresh;
	vault_err err;

	err = run_once(s, survey, &fresh);
	if (err == VAULT_ERR_INDEX && !fresh) {
		err = set_aside(s, "it cannot be read");
		if (err == VAULT_OK) {
			atomic_store(&s->damage, 0);
			err = run_once(s, survey, &fresh);
		}
	}
	if (err != VAULT_OK)
		return err;
	unlinkat(s->dirfd, VAULT_INDEX_MARK_NAME, 0);
	vault_index_set_alarm(s->index, vault_entries_distrust_index, s);
	return VAULT_OK;
}
