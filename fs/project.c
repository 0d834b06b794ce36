/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/project.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/log.h"
#include "versions/config.h"
#include "versions/when.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define CONFIG_PROJECT "project"
#define CONFIG_ZONE "zone"

static const char *const view_names[] = { ".history", ".diff", ".layers",
					  ".timeline" };
#define N_VIEW_NAMES (sizeof(view_names) / sizeof(view_names[0]))

bool vault_project_is_view(struct vault_span name)
{
	for (size_t i = 0; i < N_VIEW_NAMES; i++)
		if (vault_span_equal(name, vault_span_str(view_names[i])))
			return true;
	return false;
}

const char *vault_project_below(const char *dir, const char *path)
{
	const size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path + 1;
	if (strncmp(dir, path, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

vault_err vault_project_check_names(int projectfd, const char *project)
{
	for (size_t i = 0; i < N_VIEW_NAMES; i++) {
		struct stat st;

		if (fstatat(projectfd, view_names[i], &st,
			    AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		vault_log_error("%s/%s: is in the way of the view of that "
				"name; rename it and try again",
				project, view_names[i]);
		return VAULT_ERR_EXISTS;
	}
	return VAULT_OK;
}

/* errno of a failed call on `path`, logged. */
static vault_err fail_errno(const char *path, const char *doing)
{
	const int number = errno;

	vault_log_error("%s: %s: %s", path, doing, strerror(number));
	return vault_err_from_errno(number);
}

/* ---- where the vault may be ---- */

static bool lies_at_root(const struct vault_place *p)
{
	const char *rest;

	if (p->project[0] == '\0')
		return false;
	rest = vault_project_below(p->project, p->vault);
	return rest != NULL && strcmp(rest, VAULT_PROJECT_VAULT_NAME) == 0;
}

const char *vault_project_vault_name(const struct vault_project *p)
{
	return lies_at_root(&p->place) ? VAULT_PROJECT_VAULT_NAME : NULL;
}

static vault_err check_vault_path(const struct vault_place *p)
{
	if (p->project[0] == '\0' || lies_at_root(p))
		return VAULT_OK;
	if (vault_project_below(p->project, p->vault) != NULL) {
		vault_log_error("%s: a vault inside its project must be "
				"%s/" VAULT_PROJECT_VAULT_NAME
				"; leave --vault out, or name a folder "
				"outside the project",
				p->vault, p->project);
		return VAULT_ERR_INVALID;
	}
	if (vault_project_below(p->vault, p->project) != NULL) {
		vault_log_error("%s: this project lies inside the vault %s; "
				"choose another --vault",
				p->project, p->vault);
		return VAULT_ERR_INVALID;
	}
	return VAULT_OK;
}

/* ---- making and opening the vault's directory ---- */

static vault_err is_empty_dir(int fd, bool *empty)
{
	const int copy = openat(fd, ".", DIR_FLAGS);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e;

	if (dir == NULL) {
		const int number = errno;

		if (copy >= 0)
			close(copy);
		return vault_err_from_errno(number);
	}
	*empty = true;
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			*empty = false;
	closedir(dir);
	return VAULT_OK;
}

static vault_err create_vault(int vaultfd, const char *path)
{
	struct vault_store_params params = vault_store_params_default;
	bool empty = false;
	vault_err err;

	err = is_empty_dir(vaultfd, &empty);
	if (err == VAULT_OK && !empty) {
		vault_log_error("%s: neither a vault nor empty; name an empty "
				"folder or one that is not there yet",
				path);
		return VAULT_ERR_NOT_EMPTY;
	}
	if (err == VAULT_OK && fchmod(vaultfd, 0700) != 0)
		return fail_errno(path, "cannot be made private");
	if (err != VAULT_OK)
		return err;
	vault_when_system_zone(params.zone, sizeof(params.zone));
	err = vault_store_create(vaultfd, NULL, &params);
	if (err != VAULT_OK)
		vault_log_error("%s: no vault could be made here: %s", path,
				vault_err_text(err));
	return err;
}

static vault_err no_vault_here(const struct vault_place *p)
{
	vault_log_error("%s: no vault here; `artvault mount %s` makes one",
			p->vault, p->project[0] != '\0' ? p->project : "DIR");
	return VAULT_ERR_NOT_FOUND;
}

vault_err vault_project_open_vault_dir(const struct vault_place *place,
				       int *out)
{
	const int fd = open(place->vault, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT)
		return no_vault_here(place);
	if (fd < 0)
		return fail_errno(place->vault, "the vault cannot be opened");
	if (!vault_store_exists(fd)) {
		close(fd);
		return no_vault_here(place);
	}
	*out = fd;
	return VAULT_OK;
}

/* The project's folder keeps its time: a vault in it is none of its saves. */
static int mkdir_in(int projectfd, const char *path)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstat(projectfd, &st) != 0)
		return -1;
	if (mkdir(path, 0700) != 0)
		return -1;
	times[1] = st.st_mtim;
	if (futimens(projectfd, times) != 0)
		vault_log_debug("%s: %s", path, strerror(errno));
	return 0;
}

static vault_err make_vault_dir(const struct vault_place *place, int projectfd,
				int *out)
{
	vault_err err;
	int fd;

	if (mkdir_in(projectfd, place->vault) != 0 && errno != EEXIST)
		return fail_errno(place->vault, "the vault cannot be made");
	fd = open(place->vault, DIR_FLAGS);
	if (fd < 0)
		return fail_errno(place->vault, "the vault cannot be opened");
	err = vault_store_exists(fd) ? VAULT_OK
				     : create_vault(fd, place->vault);
	if (err != VAULT_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return VAULT_OK;
}

/* ---- whose vault it is ---- */

static bool same_dir(const char *path, int fd)
{
	struct stat a;
	struct stat b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* One vault, one project: refuse a second one while the first is there. */
static vault_err check_project(const struct vault_project *p)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const char *known;
	struct stat st;
	vault_err err;

	if (p->projectfd < 0 || vault_project_vault_name(p) != NULL)
		return VAULT_OK; /* it goes where its project goes */
	err = vault_config_get(p->vaultfd, CONFIG_PROJECT, &value);
	if (err == VAULT_ERR_NOT_FOUND) {
		err = VAULT_OK;
		goto out;
	}
	if (err != VAULT_OK)
		goto out;
	known = vault_buf_cstr(&value);
	err = VAULT_ERR_NOMEM;
	if (known == NULL)
		goto out;
	err = VAULT_OK;
	if (strcmp(known, p->place.project) == 0 || known[0] == '\0' ||
	    stat(known, &st) != 0 || same_dir(known, p->projectfd))
		goto out;
	vault_log_error("%s: this vault belongs to %s; choose another --vault "
			"for %s",
			p->place.vault, known, p->place.project);
	err = VAULT_ERR_FOREIGN;

out:
	vault_buf_release(&value);
	return err;
}

/* Remembered for commands that are given the vault alone. */
static vault_err remember_project(const struct vault_project *p)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const struct vault_span path = vault_span_str(p->place.project);
	vault_err err;

	if (p->projectfd < 0 || vault_project_vault_name(p) != NULL)
		return VAULT_OK;
	err = vault_config_get(p->vaultfd, CONFIG_PROJECT, &value);
	if (err == VAULT_ERR_NOT_FOUND ||
	    (err == VAULT_OK &&
	     !vault_span_equal(vault_buf_span(&value), path)))
		err = vault_config_set(p->vaultfd, CONFIG_PROJECT, path);
	if (err != VAULT_OK)
		vault_log_error("%s/config: %s", p->place.vault,
				vault_err_text(err));
	vault_buf_release(&value);
	return err;
}

/* ---- opening ---- */

static vault_err set_zone(const struct vault_project *p)
{
	const struct vault_store *s = vault_tree_store(p->tree);
	struct vault_buf value = VAULT_BUF_INIT;
	const char *zone = vault_store_params(s)->zone;
	vault_err err;

	err = vault_config_get(p->vaultfd, CONFIG_ZONE, &value);
	if (err == VAULT_OK && value.len > 0)
		zone = vault_buf_cstr(&value);
	else if (err == VAULT_ERR_NOT_FOUND)
		err = VAULT_OK;
	if (err == VAULT_OK)
		err = zone != NULL ? vault_when_set_zone(zone)
				   : VAULT_ERR_NOMEM;
	if (err == VAULT_ERR_SYNTAX) /* UTC serves, and that was said */
		err = VAULT_OK;
	vault_buf_release(&value);
	return err;
}

static vault_err open_project_dir(struct vault_project *p, bool create)
{
	const char *path = p->place.project;

	if (path[0] == '\0')
		return VAULT_OK;
	p->projectfd = open(path, DIR_FLAGS);
	if (p->projectfd >= 0)
		return VAULT_OK;
	if (!create && (errno == ENOENT || errno == ENOTDIR))
		return VAULT_OK; /* the past is readable without it */
	return fail_errno(path, "the project cannot be opened");
}

static vault_err open_tree(struct vault_project *p)
{
	const vault_err err = vault_tree_open(p->vaultfd, NULL, &p->tree);

	/* What the store knows was logged there; here what to do about it. */
	switch (err) {
	case VAULT_OK:
		break;
	case VAULT_ERR_BUSY:
		vault_log_error("%s: another artvault has this vault open; "
				"unmount it, or work through its mount",
				p->place.vault);
		break;
	case VAULT_ERR_NEWER:
		vault_log_error("%s: made by a newer artvault; update this "
				"one (nothing was changed)",
				p->place.vault);
		break;
	case VAULT_ERR_DENIED:
	case VAULT_ERR_FORBIDDEN:
	case VAULT_ERR_READ_ONLY:
		vault_log_error("%s: the vault must be readable and writable "
				"for you: %s",
				p->place.vault, vault_err_text(err));
		break;
	default:
		vault_log_error("%s: the vault cannot be opened: %s",
				p->place.vault, vault_err_text(err));
	}
	return err;
}

static vault_err open_all(struct vault_project *p, bool create)
{
	vault_err err;

	err = check_vault_path(&p->place);
	if (err == VAULT_OK)
		err = open_project_dir(p, create);
	if (err == VAULT_OK && create)
		err = vault_project_check_names(p->projectfd, p->place.project);
	if (err == VAULT_OK)
		err = create ? make_vault_dir(&p->place, p->projectfd,
					      &p->vaultfd)
			     : vault_project_open_vault_dir(&p->place,
							    &p->vaultfd);
	if (err == VAULT_OK)
		err = check_project(p);
	if (err == VAULT_OK)
		err = open_tree(p);
	if (err == VAULT_OK)
		err = set_zone(p);
	if (err == VAULT_OK && create)
		err = remember_project(p);
	return err;
}

vault_err vault_project_open(const struct vault_place *place, bool create,
			     struct vault_project **out)
{
	struct vault_project *p = calloc(1, sizeof(*p));
	vault_err err;

	if (p == NULL)
		return VAULT_ERR_NOMEM;
	p->projectfd = -1;
	p->vaultfd = -1;
	p->place = *place;
	if (p->place.vault[0] == '\0' &&
	    snprintf(p->place.vault, sizeof(p->place.vault),
		     "%s/" VAULT_PROJECT_VAULT_NAME,
		     p->place.project) >= (int)sizeof(p->place.vault)) {
		err = VAULT_ERR_NAME_TOO_LONG;
		goto out;
	}
	err = open_all(p, create);
	if (err == VAULT_OK) {
		*out = p;
		p = NULL;
	}

out:
	vault_project_close(p);
	return err;
}

void vault_project_close(struct vault_project *p)
{
	if (p == NULL)
		return;
	if (p->capture != NULL)
		vault_capture_stop(p->capture);
	vault_tree_close(p->tree);
	if (p->vaultfd >= 0)
		close(p->vaultfd);
	if (p->projectfd >= 0)
		close(p->projectfd);
	free(p);
}
