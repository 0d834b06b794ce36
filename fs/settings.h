/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_SETTINGS_H
#define VAULT_FS_SETTINGS_H

#include "fs/mount.h"
#include "store/base/buf.h"
#include "store/base/err.h"

/*
 * How a mount behaves, in words: `-o` of `artvault mount`, and lines of the
 * same names in the vault's `config`, which `-o` overrides.
 *
 *   views=root|hidden   are the views listed at the mount's root?
 *   allow_other         other users may come in (root's mounts: always)
 *   quiet=TIME          a save is finished after this much rest
 *   open_quiet=TIME     the same for a file that stays open
 *   busy=TIME           how often one that never rests is kept
 *   rescan=TIME         look for changes behind the mount; 0: never
 *   min_free=SIZE|N%    what must stay free on the vault's disk
 *
 * TIME is in seconds, or with ms, s, m, h; SIZE in bytes, or with K, M, G, T.
 * Words that the kernel knows (ro, noatime, …) are passed on to it.
 */
struct vault_settings {
	struct vault_mount_options mount; /* fuse_options points into `fuse` */
	struct vault_buf fuse;
};

/* The defaults. */
void vault_settings_init(struct vault_settings *s);
void vault_settings_release(struct vault_settings *s);

/* Take the words of one -o. SYNTAX: `*why` (to be released by the caller) is
 * a sentence that names the word. */
VAULT_MUST_CHECK vault_err vault_settings_words(struct vault_settings *s,
						const char *words,
						struct vault_buf *why);
/* Take what the vault's config says; a value that cannot be understood is
 * logged and leaves the default. */
VAULT_MUST_CHECK vault_err vault_settings_config(struct vault_settings *s,
						 int vaultfd);

/* "1.5h" as milliseconds, "2G" as bytes; SYNTAX. */
VAULT_MUST_CHECK vault_err vault_settings_time(const char *text, int64_t *ms);
VAULT_MUST_CHECK vault_err vault_settings_size(const char *text,
					       uint64_t *bytes);

#endif
