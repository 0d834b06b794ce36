/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct vault_destination {
	int dirfd;
	struct vault_restore_writer *writer;
};

static vault_err open_dir(const char *path, int *out)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return vault_err_from_errno(errno);
	*out = fd;
	return VAULT_OK;
}

/* The folder that `dest` is to be in and the name there (from `copy`). */
static vault_err split(const char *dest, char *copy, const char *name, int *dir,
		       const char **base)
{
	char *parent;
	struct stat st;
	vault_err err;

	if (stat(dest, &st) == 0 && S_ISDIR(st.st_mode)) {
		*base = name;
		return open_dir(dest, dir);
	}
	if (lstat(dest, &st) == 0)
		return VAULT_ERR_EXISTS;
	parent = strdup(dest);
	if (parent == NULL)
		return VAULT_ERR_NOMEM;
	*base = basename(copy);
	err = open_dir(dirname(parent), dir);
	free(parent);
	return err;
}

vault_err vault_destination_open(const char *dest, const char *name,
				 struct vault_destination **out,
				 struct vault_restore_sink *sink)
{
	struct vault_destination *d = calloc(1, sizeof(*d));
	char *copy = strdup(dest);
	const char *base;
	vault_err err = VAULT_ERR_NOMEM;

	if (d == NULL || copy == NULL)
		goto out;
	d->dirfd = -1;
	err = split(dest, copy, name, &d->dirfd, &base);
	if (err == VAULT_OK)
		err = vault_restore_writer_create(d->dirfd, base, &d->writer,
						  sink);
	if (err != VAULT_OK)
		goto out;
	*out = d;
	d = NULL;

out:
	if (d != NULL && d->dirfd >= 0)
		close(d->dirfd);
	free(d);
	free(copy);
	return err;
}

vault_err vault_destination_finish(struct vault_destination *d, bool ok)
{
	vault_err err = VAULT_OK;

	if (ok)
		err = vault_restore_writer_finish(d->writer, false);
	vault_restore_writer_destroy(d->writer);
	close(d->dirfd);
	free(d);
	return err;
}
