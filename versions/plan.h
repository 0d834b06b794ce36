/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_PLAN_H
#define VAULT_VERSIONS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/engine.h"
#include "versions/idmap.h"
#include "versions/moment.h"

/*
 * What a look at the disk found to be recorded: names to read, names that are
 * gone. Reading happens on several threads in batches; then everything is
 * committed, as one moment or, if that is allowed, in partial ones.
 *
 * Tombstones are held back to the last commit, so that a name that turns up
 * late still finds the row of the name it had before. Used by the thread with
 * the work lock.
 */
struct vault_job {
	uint64_t dir;
	uint64_t node;
	struct vault_ingest_stat st;
	bool had;      /* the name was recorded, as `prev` */
	bool has_like; /* `like` names a content that probably resembles */
	bool busy;
	struct vault_id like;
	struct vault_live prev;
	size_t twin; /* index of the job of another name of the inode, + 1 */
	vault_err err;
	struct vault_ingest_result result;
	size_t name_at; /* where the last name of the path begins */
	char *path;
};

struct vault_plan_gone {
	uint64_t dir;
	uint64_t node;
	bool is_dir;   /* what it held is gone as well, if it did not move */
	bool replaced; /* something else has the name: no tombstone for it */
	char *name;
};

struct vault_plan {
	struct vault_capture *c;
	enum vault_cause cause;
	bool force;   /* what has no writer counts as at rest */
	bool partial; /* commits on the way are allowed */
	bool virgin;  /* nothing was ever recorded: no line to be found */
	struct vault_job *jobs;
	size_t n_jobs;
	size_t room_jobs;
	uint64_t job_bytes; /* sum of their sizes */
	struct vault_plan_gone *gone;
	size_t n_gone;
	size_t room_gone;
	struct vault_idmap inodes; /* several names: inode -> node */
	struct vault_idmap twins;  /* the same, -> job in this batch */
	struct vault_idmap moved;  /* nodes that got a new name */
	struct vault_idmap dead;   /* new directories that could not be kept */
	struct vault_commit *commit;
	size_t n_real;	  /* rows in `commit` that deserve a moment */
	size_t n_put_off; /* names to be looked at again */
	size_t n_commits; /* partial ones */
	int64_t last_ms;  /* of the last commit on the way */
	bool committed;	  /* is there a new complete moment? */
	struct vault_moment moment;
	/* Called after a commit on the way, when nothing is half planned:
	 * long scans let saves be captured in between. May be NULL. */
	vault_err (*interlude)(struct vault_capture *c, bool partial);
	bool had_interlude; /* rows that were read before may be old */
};

/* An empty plan, which borrows `c`; the last three are its members. */
VAULT_MUST_CHECK vault_err vault_plan_init(struct vault_plan *p,
					   struct vault_capture *c,
					   enum vault_cause cause, bool force,
					   bool partial);
void vault_plan_release(struct vault_plan *p);

/* Where a name is and what is known of it. */
struct vault_plan_name {
	uint64_t dir; /* node of the directory */
	struct vault_span path;
	const struct vault_live *live; /* its row, or NULL */
	bool resting;		       /* look although a writer has it open */
	bool busy;		       /* … which never rests */
};

/* What became of a name that was looked at. */
struct vault_plan_seen {
	uint64_t node; /* NONE: not there or not to be kept */
	enum vault_kind kind;
	bool fresh; /* a directory whose entries must be looked at */
};

/*
 * Compare a name with its row and plan what is to be done. `st` NULL: it is
 * gone. May run a batch.
 */
VAULT_MUST_CHECK vault_err vault_plan_look(struct vault_plan *p,
					   const struct vault_plan_name *n,
					   const struct vault_ingest_stat *st,
					   struct vault_plan_seen *out);

/* Read what is planned; commit if it is time for a partial moment. */
VAULT_MUST_CHECK vault_err vault_plan_flush(struct vault_plan *p);
/* Add a row that was read elsewhere. */
VAULT_MUST_CHECK vault_err vault_plan_add_row(struct vault_plan *p,
					      uint64_t dir,
					      struct vault_span name,
					      const struct vault_row *row,
					      const struct vault_backing *b);

enum vault_plan_end {
	VAULT_PLAN_IF_ANY,  /* a moment if there is a row that deserves it */
	VAULT_PLAN_PARTIAL, /* the same, but not a listed one */
	VAULT_PLAN_ALWAYS,  /* a moment in any case */
};
/* Read the rest, bury what is gone, commit. */
VAULT_MUST_CHECK vault_err vault_plan_finish(struct vault_plan *p,
					     enum vault_plan_end end);

/* Has the file of `live` changed as far as stat can tell? */
bool vault_plan_is_same(const struct vault_live *live,
			const struct vault_ingest_stat *st);

#endif
