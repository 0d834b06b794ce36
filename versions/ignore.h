/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_IGNORE_H
#define VAULT_VERSIONS_IGNORE_H

#include <stdbool.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * What makes no versions: temporary names of applications, caches of known
 * applications, and whatever `.artvaultignore` files say, in the syntax of
 * gitignore (one in any directory, deeper ones win, `!` takes back; the
 * built-in rules come first and can be taken back too). Views and the vault
 * itself are always left out.
 *
 * A set is immutable once loaded; any thread may ask it.
 */
struct vault_ignore;

/* Why something is left out. */
enum vault_ignore_why {
	VAULT_IGNORE_NOT = 0,	/* it is kept */
	VAULT_IGNORE_TEMPORARY, /* a temporary name: no version of its own */
	VAULT_IGNORE_CACHE,	/* a cache of a known application */
	VAULT_IGNORE_RULE,	/* a line of a .artvaultignore */
	VAULT_IGNORE_OURS,	/* .artvault, .history, … */
};

/* The built-in rules as gitignore lines, for people to read. Static. */
const char *vault_ignore_defaults(void);

/*
 * Read the `.artvaultignore` files of a project, now and lazily as
 * directories are asked about. `projectfd` is borrowed and must outlive the
 * set. A malformed line is logged with its number and skipped.
 */
VAULT_MUST_CHECK vault_err vault_ignore_load(int projectfd,
					     struct vault_ignore **out);
void vault_ignore_destroy(struct vault_ignore *g);

/* Forget what was read (a .artvaultignore changed). */
void vault_ignore_reload(struct vault_ignore *g);

/*
 * `path` is relative to the project. As in git, nothing below an ignored
 * directory can be taken back; all parents are looked at here.
 */
enum vault_ignore_why vault_ignore_ask(struct vault_ignore *g,
				       struct vault_span path, bool is_dir);

/* Backups that applications keep beside a file (`hero.psd~`, `.blend1`,
 * `autoback/…`): kept as versions, hidden from default timelines. */
bool vault_ignore_is_backup(struct vault_span path);

#endif
