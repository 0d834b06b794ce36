/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/log.h"
#include "store/catchup.h"
#include "store/entries.h"
#include "store/identity.h"
#include "store/small.h"
#include "store/state.h"

#define PACK_SIZE ((uint64_t)512 << 20)
#define ID_BITS 128

static vault_err failure(const char *doing, const char *name)
{
	const int number = errno;

	vault_log_error("vault: %s %s: %s", doing, name, strerror(number));
	return vault_err_from_errno(number);
}

/* ---- a new vault ---- */

static vault_err make_directory(const struct vault_io *io, int dirfd,
				const char *name)
{
	if (io->mkdirat(io->ctx, dirfd, name, 0700) < 0 && errno != EEXIST)
		return failure("make", name);
	return VAULT_OK;
}

static vault_err open_directory(const struct vault_io *io, int dirfd,
				const char *name, int *out)
{
	const int fd = io->openat(io->ctx, dirfd, name,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return failure("open", name);
	*out = fd;
	return VAULT_OK;
}

/* The first pack of a vault, durable; with it the vault is there. */
static vault_err first_pack(const struct vault_io *io, int packsfd,
			    const struct vault_params *params)
{
	struct vault_packs *packs;
	struct vault_appender a;
	vault_err err;

	err = vault_packs_open(io, packsfd, &packs);
	if (err != VAULT_OK)
		return err;
	vault_appender_init(&a, io, packsfd, packs, params, PACK_SIZE);
	err = vault_appender_begin(&a);
	vault_appender_release(&a);
	vault_packs_close(packs);
	return err;
}

/*
 * The pack last of the things that matter: a vault exists once it has one,
 * and a creation that was cut short before that is simply begun again.
 */
static vault_err fill_vault(const struct vault_io *io, int dirfd,
			    const struct vault_params *params)
{
	int packsfd = -1;
	vault_err err;

	err = make_directory(io, dirfd, VAULT_CACHE_NAME);
	if (err == VAULT_OK)
		err = make_directory(io, dirfd, VAULT_PACKS_NAME);
	if (err == VAULT_OK)
		err = open_directory(io, dirfd, VAULT_PACKS_NAME, &packsfd);
	if (err != VAULT_OK)
		return err;
	if (io->syncdir(io->ctx, dirfd) < 0)
		err = failure("sync", "the vault's directory");
	if (err == VAULT_OK)
		err = first_pack(io, packsfd, params);
	if (err == VAULT_OK)
		err = vault_identity_write(io, dirfd, params);
	io->close(io->ctx, packsfd);
	return err;
}

vault_err vault_store_create(int dirfd, const struct vault_io *io,
			     const struct vault_store_params *shown)
{
	struct vault_params params;
	int lockfd;
	vault_err err;

	if (io == NULL)
		io = &vault_io_system;
	if (vault_store_exists(dirfd))
		return VAULT_ERR_EXISTS;
	err = vault_params_invent(shown, &params);
	if (err == VAULT_OK)
		err = vault_small_lock(dirfd, &lockfd);
	if (err != VAULT_OK)
		return err;
	if (vault_store_exists(dirfd))
		err = VAULT_ERR_EXISTS; /* another was faster */
	else
		err = fill_vault(io, dirfd, &params);
	close(lockfd);
	return err;
}

static bool has_pack(int dirfd)
{
	struct vault_packs *packs;
	bool any = false;
	const int fd = openat(dirfd, VAULT_PACKS_NAME,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno != ENOENT;
	if (vault_packs_open(&vault_io_system, fd, &packs) == VAULT_OK) {
		any = vault_packs_count(packs) > 0;
		vault_packs_close(packs);
	}
	close(fd);
	return any;
}

bool vault_store_exists(int dirfd)
{
	return faccessat(dirfd, VAULT_CONFIG_NAME, F_OK, 0) == 0 ||
	       has_pack(dirfd);
}

/* ---- opening and closing ---- */

static void fill_options(struct vault_store *s,
			 const struct vault_store_options *options)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	s->options = *options;
	if (s->options.threads == 0)
		s->options.threads = cores > 0 ? (unsigned)cores : 1;
	if (s->options.pack_size == 0)
		s->options.pack_size = PACK_SIZE;
	if (s->options.id_bits == 0 || s->options.id_bits > ID_BITS)
		s->options.id_bits = ID_BITS;
	s->io = options->io != NULL ? options->io : &vault_io_system;
}

/* Directories, lock and packs. */
static vault_err open_files(struct vault_store *s, int dirfd)
{
	vault_err err;

	if (!vault_store_exists(dirfd))
		return VAULT_ERR_NOT_FOUND;
	s->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (s->dirfd < 0)
		return failure("keep open", "the vault's directory");
	err = vault_small_lock(s->dirfd, &s->lockfd);
	if (err == VAULT_OK)
		err = make_directory(s->io, s->dirfd, VAULT_PACKS_NAME);
	if (err == VAULT_OK)
		err = make_directory(s->io, s->dirfd, VAULT_CACHE_NAME);
	if (err == VAULT_OK)
		err = open_directory(s->io, s->dirfd, VAULT_PACKS_NAME,
				     &s->packsfd);
	if (err == VAULT_OK)
		err = vault_packs_open(s->io, s->packsfd, &s->packs);
	return err;
}

static vault_err open_all(struct vault_store *s, int dirfd)
{
	struct vault_survey survey = { 0 };
	vault_err err;

	err = open_files(s, dirfd);
	if (err == VAULT_OK)
		err = vault_identity_learn(s->io, s->dirfd, s->packs, true,
					   &s->params, &survey);
	if (err != VAULT_OK)
		goto out;
	vault_params_uuid_text(s->params.uuid, s->uuid);
	vault_appender_init(&s->appender, s->io, s->packsfd, s->packs,
			    &s->params, s->options.pack_size);
	s->appender_ready = true;
	err = vault_put_pool_create(s->options.threads, &s->pool);
	if (err == VAULT_OK)
		err = vault_catchup_run(s, &survey);

out:
	vault_survey_release(&survey);
	return err;
}

/* Give back whatever is there, in an order that suits all. */
static void release(struct vault_store *s)
{
	vault_put_pool_destroy(s->pool);
	vault_index_close(s->index);
	if (s->appender_ready)
		vault_appender_release(&s->appender);
	vault_buf_release(&s->late_payload);
	vault_packs_close(s->packs);
	if (s->packsfd >= 0)
		s->io->close(s->io->ctx, s->packsfd);
	if (s->lockfd >= 0)
		close(s->lockfd);
	if (s->dirfd >= 0)
		close(s->dirfd);
	pthread_mutex_destroy(&s->writing);
	free(s);
}

vault_err vault_store_open(int dirfd, const struct vault_store_options *options,
			   struct vault_store **out)
{
	struct vault_store *s = calloc(1, sizeof(*s));
	vault_err err;

	if (s == NULL)
		return VAULT_ERR_NOMEM;
	s->dirfd = s->packsfd = s->lockfd = -1;
	pthread_mutex_init(&s->writing, NULL);
	fill_options(s, options);
	err = open_all(s, dirfd);
	if (err != VAULT_OK) {
		release(s);
		return err;
	}
	*out = s;
	return VAULT_OK;
}

/* Leave everything durable and the index complete. */
static void settle(struct vault_store *s)
{
	struct vault_appender *a = &s->appender;

	if (vault_appender_sync(a) != VAULT_OK) {
		vault_log_warn("vault: what was put but never committed is "
			       "lost");
		return;
	}
	vault_appender_mark(a);
	if (vault_appender_sync(a) != VAULT_OK)
		return;
	if (!s->behind && vault_entries_index_all(s) != VAULT_OK)
		vault_log_debug("index: the next open catches up");
}

void vault_store_close(struct vault_store *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->writing);
	settle(s);
	pthread_mutex_unlock(&s->writing);
	release(s);
}

const struct vault_store_params *vault_store_params(const struct vault_store *s)
{
	return &s->params.shown;
}

const char *vault_store_uuid(const struct vault_store *s)
{
	return s->uuid;
}

struct vault_index *vault_store_index(struct vault_store *s)
{
	return s->index;
}

uint64_t vault_store_pack_bytes(struct vault_store *s)
{
	return vault_packs_bytes(s->packs);
}

uint64_t vault_store_damage(struct vault_store *s)
{
	return atomic_load(&s->damage);
}

bool vault_store_was_rebuilt(const struct vault_store *s)
{
	return s->rebuilt;
}

vault_err vault_store_rebuild_index(int dirfd,
				    const struct vault_store_options *options)
{
	struct vault_store *s;
	vault_err err;
	int fd;

	if (!vault_store_exists(dirfd))
		return VAULT_ERR_NOT_FOUND;
	err = vault_small_lock(dirfd, &fd);
	if (err != VAULT_OK)
		return err;
	close(fd);
	fd = openat(dirfd, VAULT_INDEX_MARK_NAME,
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return failure("create", VAULT_INDEX_MARK_NAME);
	close(fd);
	err = vault_store_open(dirfd, options, &s);
	if (err != VAULT_OK)
		return err;
	vault_store_close(s);
	return vault_catchup_remove(dirfd, VAULT_INDEX_BAD_NAME);
}
