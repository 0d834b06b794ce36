/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/settings.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"
#include "versions/config.h"

/* What libfuse or the kernel understands and does not work against us. */
static const char *const kernel_words[] = {
	"ro",	   "rw",	 "suid",       "nosuid",
	"dev",	   "nodev",	 "exec",       "noexec",
	"sync",	   "async",	 "dirsync",    "atime",
	"noatime", "nodiratime", "norelatime", "nostrictatime",
};
static const char *const kernel_keys[] = { "fsname=", "max_read=" };

static const char *const our_keys[] = { "views",      "allow_other", "quiet",
					"open_quiet", "busy",	     "rescan",
					"min_free" };

void vault_settings_init(struct vault_settings *s)
{
	*s = (struct vault_settings){
		.mount = { .allow_other = geteuid() == 0,
			   .listing = VAULT_VIEW_LIST_ROOT,
			   .capture = vault_capture_options_default },
		.fuse = VAULT_BUF_INIT,
	};
}

void vault_settings_release(struct vault_settings *s)
{
	vault_buf_release(&s->fuse);
	s->mount.fuse_options = NULL;
}

/* ---- values ---- */

struct unit {
	const char *name;
	double factor;
};

/* A decimal number, not negative, and one of the units ("" among them). */
static vault_err read_quantity(const char *text, const struct unit *units,
			       double limit, double *out)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]))
		return VAULT_ERR_SYNTAX;
	/* Never hexadecimal, whatever strtod() likes. */
	if (strspn(text, "0123456789.") == 1 && (text[1] | 32) == 'x')
		return VAULT_ERR_SYNTAX;
	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || !isfinite(value))
		return VAULT_ERR_SYNTAX;
	for (; units->name != NULL; units++) {
		if (strcasecmp(end, units->name) != 0)
			continue;
		if (value * units->factor > limit)
			return VAULT_ERR_SYNTAX;
		*out = value * units->factor;
		return VAULT_OK;
	}
	return VAULT_ERR_SYNTAX;
}

vault_err vault_settings_time(const char *text, int64_t *ms)
{
	static const struct unit units[] = {
		{ "", 1e3 },   { "ms", 1 },	{ "s", 1e3 },
		{ "m", 60e3 }, { "h", 3600e3 }, { NULL, 0 },
	};
	double value;
	const vault_err err = read_quantity(text, units, 1e15, &value);

	if (err == VAULT_OK)
		*ms = (int64_t)value;
	return err;
}

vault_err vault_settings_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "", 1 },	  { "K", 1024.0 },  { "KB", 1024.0 },
		{ "M", 0x1p20 },  { "MB", 0x1p20 }, { "G", 0x1p30 },
		{ "GB", 0x1p30 }, { "T", 0x1p40 },  { "TB", 0x1p40 },
		{ NULL, 0 },
	};
	double value;
	const vault_err err = read_quantity(text, units, 0x1p60, &value);

	if (err == VAULT_OK)
		*bytes = (uint64_t)value;
	return err;
}

static vault_err set_min_free(struct vault_capture_options *c,
			      const char *value)
{
	static const struct unit percent[] = { { "%", 1 }, { NULL, 0 } };
	double share;
	vault_err err;

	err = read_quantity(value, percent, 99, &share);
	if (err == VAULT_OK) {
		c->min_free_percent = (unsigned)share;
		c->min_free_bytes = 0;
		return VAULT_OK;
	}
	err = vault_settings_size(value, &c->min_free_bytes);
	if (err == VAULT_OK)
		c->min_free_percent = 0;
	return err;
}

static vault_err set_views(struct vault_mount_options *m, const char *value)
{
	if (strcmp(value, "root") == 0)
		m->listing = VAULT_VIEW_LIST_ROOT;
	else if (strcmp(value, "hidden") == 0)
		m->listing = VAULT_VIEW_LIST_HIDDEN;
	else
		return VAULT_ERR_SYNTAX;
	return VAULT_OK;
}

static vault_err set_flag(bool *flag, const char *value)
{
	if (value[0] == '\0' || strcmp(value, "yes") == 0)
		*flag = true;
	else if (strcmp(value, "no") == 0)
		*flag = false;
	else
		return VAULT_ERR_SYNTAX;
	return VAULT_OK;
}

/* NOT_FOUND: not a key of ours. */
static vault_err set_key(struct vault_mount_options *m, const char *key,
			 const char *value)
{
	if (strcmp(key, "views") == 0)
		return set_views(m, value);
	if (strcmp(key, "allow_other") == 0)
		return set_flag(&m->allow_other, value);
	if (strcmp(key, "quiet") == 0)
		return vault_settings_time(value, &m->capture.quiet_ms);
	if (strcmp(key, "open_quiet") == 0)
		return vault_settings_time(value, &m->capture.open_quiet_ms);
	if (strcmp(key, "busy") == 0)
		return vault_settings_time(value, &m->capture.busy_ms);
	if (strcmp(key, "rescan") == 0)
		return vault_settings_time(value, &m->capture.rescan_ms);
	if (strcmp(key, "min_free") == 0)
		return set_min_free(&m->capture, value);
	return VAULT_ERR_NOT_FOUND;
}

/* ---- -o ---- */

static bool is_kernel_word(const char *word)
{
	for (size_t i = 0; i < sizeof(kernel_words) / sizeof(*kernel_words);
	     i++)
		if (strcmp(word, kernel_words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(kernel_keys) / sizeof(*kernel_keys); i++)
		if (strncmp(word, kernel_keys[i], strlen(kernel_keys[i])) == 0)
			return true;
	return false;
}

static vault_err pass_on(struct vault_settings *s, const char *word)
{
	const vault_err err = vault_buf_printf(
		&s->fuse, "%s%s", s->fuse.len > 0 ? "," : "", word);

	if (err != VAULT_OK)
		return err;
	s->mount.fuse_options = vault_buf_cstr(&s->fuse);
	return s->mount.fuse_options != NULL ? VAULT_OK : VAULT_ERR_NOMEM;
}

/* The reason becomes the answer; SYNTAX. */
static vault_err explain(struct vault_buf *why, const char *word,
			 const char *reason)
{
	const vault_err err = vault_buf_printf(why, "-o %s: %s", word, reason);

	return err == VAULT_OK ? VAULT_ERR_SYNTAX : err;
}

static vault_err take_word(struct vault_settings *s, char *word,
			   struct vault_buf *why)
{
	char *equals = strchr(word, '=');
	vault_err err;

	if (is_kernel_word(word))
		return pass_on(s, word);
	if (equals != NULL)
		*equals = '\0';
	err = set_key(&s->mount, word, equals != NULL ? equals + 1 : "");
	if (equals != NULL)
		*equals = '=';
	if (err == VAULT_ERR_NOT_FOUND)
		return explain(why, word, "no such option");
	if (err == VAULT_ERR_SYNTAX)
		return explain(why, word, "the value is not understood");
	return err;
}

vault_err vault_settings_words(struct vault_settings *s, const char *words,
			       struct vault_buf *why)
{
	char *copy = strdup(words);
	char *rest = copy;
	char *word;
	vault_err err = VAULT_OK;

	if (copy == NULL)
		return VAULT_ERR_NOMEM;
	while (err == VAULT_OK && (word = strsep(&rest, ",")) != NULL)
		if (word[0] != '\0')
			err = take_word(s, word, why);
	free(copy);
	return err;
}

/* ---- config ---- */

static vault_err take_config_key(struct vault_settings *s, int vaultfd,
				 const char *key)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const char *text;
	vault_err err;

	err = vault_config_get(vaultfd, key, &value);
	if (err == VAULT_ERR_NOT_FOUND) {
		err = VAULT_OK;
		goto out;
	}
	if (err != VAULT_OK)
		goto out;
	text = vault_buf_cstr(&value);
	err = text != NULL ? set_key(&s->mount, key, text) : VAULT_ERR_NOMEM;
	if (err == VAULT_ERR_SYNTAX) {
		vault_log_warn("config: %s=%s: the value is not understood; "
			       "the default holds",
			       key, text);
		err = VAULT_OK;
	}

out:
	vault_buf_release(&value);
	return err;
}

vault_err vault_settings_config(struct vault_settings *s, int vaultfd)
{
	vault_err err = VAULT_OK;

	for (size_t i = 0;
	     i < sizeof(our_keys) / sizeof(*our_keys) && err == VAULT_OK; i++)
		err = take_config_key(s, vaultfd, our_keys[i]);
	return err;
}
