/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/ignore.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/buf.h"
#include "store/base/log.h"
#include "versions/beneath.h"
#include "versions/glob.h"
#include "versions/path.h"
#include "versions/rules.h"

#define IGNORE_FILE ".artvaultignore"
#define IGNORE_FILE_LIMIT ((size_t)1 << 20)

/* Marks "#: …" divide the two sorts; see versions/rules.h. */
static const char defaults[] =
	"#: temporary\n"
	"# Names that applications use while they save. What is renamed from\n"
	"# them onto a real name becomes a version of that name.\n"
	"*.blend@\n"
	".goutputstream-*\n"
	"*.kra.\?\?\?\?\?\?\n"
	".*-autosave.kra\n"
	".~lock.*#\n"
	"~$*\n"
	".~*\n"
	"*.tmp\n"
	"*.TMP\n"
	"~ps*\n"
	"ps\?\?\?\?.tmp\n"
	"~ai*\n"
	"*.part\n"
	"*.crdownload\n"
	"lu*.tmp\n"
	".*.swp\n"
	".*.swx\n"
	"4913\n"
	"*.idlk\n"
	".*.kate-swp\n"
	".nfs*\n"
	".fuse_hidden*\n"
	"*.sb-\?\?\?\?\?\?\?\?-\?\?\?\?\?\?\n"
	".DS_Store\n"
	"._*\n"
	"Thumbs.db\n"
	"desktop.ini\n"
	".#*\n"
	"\\#*#\n"
	"inkscape-autosave-*\n"
	"Photoshop Temp*\n"
	"#: cache\n"
	"# What applications can make again.\n"
	".godot/\n"
	"*.ma.swatches\n"
	"*.mb.swatches\n"
	".mayaSwatches/\n"
	".painter_lock\n"
	"__pycache__/\n"
	"DerivedDataCache/\n"
	".thumbnails/\n"
	".Trash-*/\n"
	"$RECYCLE.BIN/\n"
	"System Volume Information/\n"
	".Spotlight-V100/\n"
	".fseventsd/\n"
	".Trashes/\n"
	".TemporaryItems/\n"
	"# Beside ProjectSettings/ProjectVersion.txt (Unity) also: /Library/,\n"
	"# /Temp/, /Logs/, /obj/, /MemoryCaptures/. Beside\n"
	"# Config/DefaultEngine.ini (Unreal) also: /Binaries/, "
	"/Intermediate/,\n"
	"# /Saved/Logs/, /Saved/Crashes/, /Saved/Cooked/, "
	"/Saved/StagedBuilds/.\n";

/* Names so common count only where a project of the engine is. */
static const char unity_rules[] =
	"#: cache\n/Library/\n/Temp/\n/Logs/\n/obj/\n/MemoryCaptures/\n";
static const char unreal_rules[] =
	"#: cache\n/Binaries/\n/Intermediate/\n/Saved/Logs/\n/Saved/Crashes/\n"
	"/Saved/Cooked/\n/Saved/StagedBuilds/\n";

/* A directory somebody asked about. */
struct dir {
	struct dir *chain;		  /* in its bucket */
	struct dir *parent;		  /* NULL: the root */
	struct vault_rules *rules;	  /* its .artvaultignore, or NULL */
	const struct vault_rules *engine; /* borrowed from the set, or NULL */
	enum vault_ignore_why why;	  /* of the directory itself */
	uint64_t hash;
	size_t len;
	char path[];
};

struct vault_ignore {
	int projectfd;
	struct vault_rules *built_in;
	struct vault_rules *unity;
	struct vault_rules *unreal;
	pthread_rwlock_t lock;
	struct dir **buckets; /* all below: under lock */
	size_t n_buckets;
	size_t n_dirs;
};

const char *vault_ignore_defaults(void)
{
	return defaults;
}

static uint64_t hash_of(struct vault_span s)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.data[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

static void forget_all(struct vault_ignore *g)
{
	for (size_t i = 0; i < g->n_buckets; i++) {
		struct dir *d = g->buckets[i];

		while (d != NULL) {
			struct dir *next = d->chain;

			vault_rules_destroy(d->rules);
			free(d);
			d = next;
		}
		g->buckets[i] = NULL;
	}
	g->n_dirs = 0;
}

static struct dir *find_dir(const struct vault_ignore *g,
			    struct vault_span path, uint64_t hash)
{
	struct dir *d = g->buckets[hash & (g->n_buckets - 1)];

	while (d != NULL &&
	       (d->hash != hash ||
		!vault_span_equal(vault_span(d->path, d->len), path)))
		d = d->chain;
	return d;
}

static void grow_table(struct vault_ignore *g)
{
	const size_t n = g->n_buckets * 2;
	struct dir **buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return; /* longer chains, that is all */
	for (size_t i = 0; i < g->n_buckets; i++) {
		struct dir *d = g->buckets[i];

		while (d != NULL) {
			struct dir *next = d->chain;

			d->chain = buckets[d->hash & (n - 1)];
			buckets[d->hash & (n - 1)] = d;
			d = next;
		}
	}
	free(g->buckets);
	g->buckets = buckets;
	g->n_buckets = n;
}

static vault_err read_limited(int fd, struct vault_buf *out)
{
	for (;;) {
		ssize_t n;
		vault_err err = vault_buf_reserve(out, out->len + 4096);

		if (err != VAULT_OK)
			return err;
		n = read(fd, out->data + out->len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vault_err_from_errno(errno);
		if (n == 0)
			return VAULT_OK;
		out->len += (size_t)n;
		if (out->len > IGNORE_FILE_LIMIT)
			return VAULT_ERR_TOO_BIG;
	}
}

/* "dir/name", or "name" in the root. */
static vault_err join(struct vault_span dir, const char *name,
		      struct vault_buf *out)
{
	vault_err err = VAULT_OK;

	vault_buf_clear(out);
	if (dir.len > 0) {
		err = vault_buf_append(out, dir);
		if (err == VAULT_OK)
			err = vault_buf_put_u8(out, '/');
	}
	if (err == VAULT_OK)
		err = vault_buf_append_str(out, name);
	if (err == VAULT_OK && vault_buf_cstr(out) == NULL)
		err = VAULT_ERR_NOMEM;
	return err;
}

/* The rules of one directory; a file that cannot be read has none. */
static vault_err read_rules(struct vault_ignore *g, struct vault_span dir,
			    struct vault_rules **out)
{
	struct vault_buf path = VAULT_BUF_INIT;
	struct vault_buf text = VAULT_BUF_INIT;
	struct stat st;
	int fd = -1;
	vault_err err;

	err = join(dir, IGNORE_FILE, &path);
	if (err != VAULT_OK)
		goto out;
	fd = vault_beneath_open(g->projectfd, (const char *)path.data,
				O_RDONLY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		goto out;
	if (read_limited(fd, &text) != VAULT_OK) {
		vault_log_warn("%s: cannot be read, so it excludes nothing",
			       (const char *)path.data);
		goto out;
	}
	err = vault_rules_parse(vault_buf_span(&text), (const char *)path.data,
				VAULT_IGNORE_RULE, out);
out:
	if (fd >= 0)
		close(fd);
	vault_buf_release(&path);
	vault_buf_release(&text);
	return err;
}

static bool is_there(struct vault_ignore *g, struct vault_span dir,
		     const char *name)
{
	struct vault_buf path = VAULT_BUF_INIT;
	const bool there = join(dir, name, &path) == VAULT_OK &&
			   faccessat(g->projectfd, (const char *)path.data,
				     F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	vault_buf_release(&path);
	return there;
}

static const struct vault_rules *engine_of(struct vault_ignore *g,
					   struct vault_span dir)
{
	if (is_there(g, dir, "ProjectSettings/ProjectVersion.txt"))
		return g->unity;
	if (is_there(g, dir, "Config/DefaultEngine.ini"))
		return g->unreal;
	return NULL;
}

static bool is_ours(struct vault_span path, struct vault_span name)
{
	static const char *const views[] = { ".history", ".diff", ".layers",
					     ".timeline" };

	/* The vault of a project inside this one is no work of art either. */
	if (vault_span_equal(name, vault_span_str(".artvault")))
		return true;
	if (path.len != name.len)
		return false;
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		if (vault_span_equal(name, vault_span_str(views[i])))
			return true;
	}
	return false;
}

/* What the rules say about an entry of `d`, which itself is kept. */
static enum vault_ignore_why ask_in(const struct vault_ignore *g,
				    const struct dir *d, struct vault_span path,
				    struct vault_span name, bool is_dir)
{
	enum vault_ignore_why why = VAULT_IGNORE_NOT;

	if (is_ours(path, name))
		return VAULT_IGNORE_OURS;
	for (const struct dir *up = d; up != NULL; up = up->parent) {
		const size_t skip = up->len == 0 ? 0 : up->len + 1;

		if (up->rules != NULL &&
		    vault_rules_decide(up->rules, vault_span_from(path, skip),
				       name, is_dir, &why))
			return why;
	}
	for (const struct dir *up = d; up != NULL; up = up->parent) {
		const size_t skip = up->len == 0 ? 0 : up->len + 1;

		if (up->engine != NULL &&
		    vault_rules_decide(up->engine, vault_span_from(path, skip),
				       name, is_dir, &why))
			return why;
	}
	(void)vault_rules_decide(g->built_in, path, name, is_dir, &why);
	return why;
}

static vault_err add_dir(struct vault_ignore *g, struct vault_span path,
			 struct dir *parent, struct dir **out)
{
	struct dir *d = calloc(1, sizeof(*d) + path.len + 1);
	const struct vault_span name = vault_path_name(path);
	vault_err err = VAULT_OK;

	if (d == NULL)
		return VAULT_ERR_NOMEM;
	if (path.len > 0)
		memcpy(d->path, path.data, path.len);
	d->len = path.len;
	d->hash = hash_of(path);
	d->parent = parent;
	if (parent != NULL)
		d->why = parent->why != VAULT_IGNORE_NOT
				 ? parent->why
				 : ask_in(g, parent, path, name, true);
	if (d->why == VAULT_IGNORE_NOT) {
		err = read_rules(g, path, &d->rules);
		if (err != VAULT_OK) {
			free(d);
			return err;
		}
		d->engine = engine_of(g, path);
	}
	if (g->n_dirs >= g->n_buckets)
		grow_table(g);
	d->chain = g->buckets[d->hash & (g->n_buckets - 1)];
	g->buckets[d->hash & (g->n_buckets - 1)] = d;
	g->n_dirs++;
	*out = d;
	return VAULT_OK;
}

/* Under the write lock: the directory, read if it was not yet. */
static vault_err get_dir(struct vault_ignore *g, struct vault_span path,
			 struct dir **out)
{
	struct dir *d = find_dir(g, path, hash_of(path));
	struct vault_span known = path;
	vault_err err;

	/* From the deepest known ancestor down again, one name a turn. */
	while (d == NULL && known.len > 0) {
		known = vault_path_parent(known);
		d = find_dir(g, known, hash_of(known));
	}
	if (d == NULL) {
		err = add_dir(g, VAULT_SPAN_EMPTY, NULL, &d);
		if (err != VAULT_OK)
			return err;
	}
	while (d->len < path.len) {
		const size_t from = d->len == 0 ? 0 : d->len + 1;
		const uint8_t *slash =
			memchr(path.data + from, '/', path.len - from);
		const size_t end =
			slash == NULL ? path.len : (size_t)(slash - path.data);

		err = add_dir(g, vault_span(path.data, end), d, &d);
		if (err != VAULT_OK)
			return err;
	}
	*out = d;
	return VAULT_OK;
}

static enum vault_ignore_why answer(const struct vault_ignore *g,
				    const struct dir *parent,
				    struct vault_span path, bool is_dir)
{
	if (parent->why != VAULT_IGNORE_NOT)
		return parent->why;
	return ask_in(g, parent, path, vault_path_name(path), is_dir);
}

enum vault_ignore_why vault_ignore_ask(struct vault_ignore *g,
				       struct vault_span path, bool is_dir)
{
	const struct vault_span parent = vault_path_parent(path);
	enum vault_ignore_why why = VAULT_IGNORE_NOT;
	struct dir *d;

	if (path.len == 0)
		return VAULT_IGNORE_NOT;
	pthread_rwlock_rdlock(&g->lock);
	d = find_dir(g, parent, hash_of(parent));
	if (d != NULL)
		why = answer(g, d, path, is_dir);
	pthread_rwlock_unlock(&g->lock);
	if (d != NULL)
		return why;

	pthread_rwlock_wrlock(&g->lock);
	/* Without memory for the rules, keeping too much is the safe side. */
	if (get_dir(g, parent, &d) == VAULT_OK)
		why = answer(g, d, path, is_dir);
	pthread_rwlock_unlock(&g->lock);
	return why;
}

vault_err vault_ignore_load(int projectfd, struct vault_ignore **out)
{
	struct vault_ignore *g = calloc(1, sizeof(*g));
	vault_err err;

	if (g == NULL)
		return VAULT_ERR_NOMEM;
	pthread_rwlock_init(&g->lock, NULL);
	g->projectfd = projectfd;
	g->n_buckets = 256;
	g->buckets = calloc(g->n_buckets, sizeof(struct dir *));
	err = g->buckets == NULL ? VAULT_ERR_NOMEM : VAULT_OK;
	if (err == VAULT_OK)
		err = vault_rules_parse(vault_span_str(defaults), "built-in",
					VAULT_IGNORE_TEMPORARY, &g->built_in);
	if (err == VAULT_OK)
		err = vault_rules_parse(vault_span_str(unity_rules), "built-in",
					VAULT_IGNORE_CACHE, &g->unity);
	if (err == VAULT_OK)
		err = vault_rules_parse(vault_span_str(unreal_rules),
					"built-in", VAULT_IGNORE_CACHE,
					&g->unreal);
	if (err == VAULT_OK) {
		*out = g;
		g = NULL;
	}
	vault_ignore_destroy(g);
	return err;
}

void vault_ignore_destroy(struct vault_ignore *g)
{
	if (g == NULL)
		return;
	if (g->buckets != NULL)
		forget_all(g);
	free(g->buckets);
	vault_rules_destroy(g->built_in);
	vault_rules_destroy(g->unity);
	vault_rules_destroy(g->unreal);
	pthread_rwlock_destroy(&g->lock);
	free(g);
}

void vault_ignore_reload(struct vault_ignore *g)
{
	pthread_rwlock_wrlock(&g->lock);
	forget_all(g);
	pthread_rwlock_unlock(&g->lock);
}

/* ---- backups ---- */

static const char *const backup_names[] = {
	"*~",
	"*.blend[0-9]",
	"*.blend[0-9][0-9]",
	"*_bak*.hip",
	"*_bak*.hiplc",
	"*_bak*.hipnc",
	"*_autosave.blend",
	"*_autosave_*.spp",
	"*_auto[0-9]*.hip",
};

static const char *const backup_dirs[] = {
	"autoback",
	"incrementalSave",
	"Adobe After Effects Auto-Save",
	"Adobe Premiere Pro Auto-Save",
};

static bool is_backup_dir(struct vault_span name)
{
	for (size_t i = 0; i < sizeof(backup_dirs) / sizeof(*backup_dirs);
	     i++) {
		if (vault_span_equal(name, vault_span_str(backup_dirs[i])))
			return true;
	}
	return false;
}

bool vault_ignore_is_backup(struct vault_span path)
{
	const size_t at = vault_path_name_at(path);
	const struct vault_span name = vault_span_from(path, at);
	size_t from = 0;

	for (size_t i = 0; i < at; i++) {
		if (path.data[i] != '/')
			continue;
		if (is_backup_dir(vault_span(path.data + from, i - from)))
			return true;
		from = i + 1;
	}
	for (size_t i = 0; i < sizeof(backup_names) / sizeof(*backup_names);
	     i++) {
		if (vault_glob_match(vault_span_str(backup_names[i]), name))
			return true;
	}
	return false;
}
