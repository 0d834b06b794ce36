/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_marker.h"

#include <string.h>

static const struct {
	const char *name;
	const char *text;
} markers[] = {
	{ ".ignore", "*\n" }, /* ripgrep and ag read it, Jellyfin sees it */
	{ ".metadata_never_index", "" }, /* Spotlight */
	{ ".nobackup", "" },		 /* some backup programs */
	{ ".nomedia", "" },		 /* Tracker, Android, Nextcloud */
	{ ".plexignore", "*\n" },	 /* Plex */
	{ ".trackerignore", "" },	 /* Tracker */
	/* tar --exclude-caches, restic, borg: bford.info/cachedir */
	{ "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n" },
};
#define N_MARKERS (sizeof(markers) / sizeof(markers[0]))

static const char *const probed[] = {
	".Trash",	  ".bzr", ".comments",	 ".directory",
	".DS_Store",	  ".git", ".hg",	 ".hidden",
	".sh_thumbnails", ".svn", "autorun.inf", ".xdg-volume-info",
	"desktop.ini",	  "HEAD", "Thumbs.db",
};
#define N_PROBED (sizeof(probed) / sizeof(probed[0]))

const char *vault_view_marker_name(unsigned i)
{
	return i < N_MARKERS ? markers[i].name : NULL;
}

vault_err vault_view_marker_find(struct vault_view *v,
				 const struct vault_view_node *parent,
				 struct vault_span name,
				 struct vault_view_found *out)
{
	struct vault_view_key key = { .kind = VAULT_VIEW_MARKER };
	struct vault_buf where = VAULT_BUF_INIT;
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err;
	size_t i;

	for (i = 0; i < N_MARKERS; i++) {
		if (vault_span_equal(name, vault_span_str(markers[i].name)))
			break;
	}
	if (i == N_MARKERS)
		return VAULT_ERR_NOT_FOUND;
	err = vault_buf_append(&where, parent->key.where);
	if (err == VAULT_OK)
		err = vault_view_core_join(&where, name);
	if (err == VAULT_OK)
		err = vault_buf_append_str(&text, markers[i].text);
	key.where = vault_buf_span(&where);
	if (err == VAULT_OK)
		err = vault_view_core_found(v, &key, parent->ino, NULL, &text,
					    VAULT_VIEW_FOREVER, out);
	vault_buf_release(&where);
	vault_buf_release(&text);
	return err;
}

bool vault_view_marker_probed(struct vault_span name)
{
	if (vault_span_starts(name, vault_span_str("._")) ||
	    vault_span_starts(name, vault_span_str(".Trash-")))
		return true;
	for (size_t i = 0; i < N_PROBED; i++) {
		if (vault_span_equal(name, vault_span_str(probed[i])))
			return true;
	}
	return false;
}
