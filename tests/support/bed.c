/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/bed.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/livefs.h"
#include "store/store.h"

bool vault_bed_possible(void)
{
	return geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0;
}

static void *serve(void *arg)
{
	struct vault_bed *b = arg;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (config != NULL) {
		fuse_loop_cfg_set_clone_fd(config, 0);
		fuse_session_loop_mt(b->session, config);
		fuse_loop_cfg_destroy(config);
	}
	return NULL;
}

static int open_dir(struct vault_bed *b, const char *name)
{
	int fd;

	vault_scratch_mkdirs(b->scratch.fd, name);
	fd = openat(b->scratch.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void open_vault(struct vault_bed *b)
{
	struct vault_capture_options options = vault_capture_options_default;

	b->projectfd = open_dir(b, "project");
	b->vaultfd = open_dir(b, "vault");
	assert_int_equal(vault_when_set_zone("UTC"), VAULT_OK);
	assert_int_equal(vault_store_create(b->vaultfd, NULL,
					    &vault_store_params_default),
			 VAULT_OK);
	assert_int_equal(vault_tree_open(b->vaultfd, NULL, &b->tree), VAULT_OK);
	options.min_free_bytes = 0;
	options.min_free_percent = 0;
	assert_int_equal(vault_capture_start(b->tree, b->projectfd, b->vaultfd,
					     &options, false, &b->capture),
			 VAULT_OK);
}

static void mount_it(struct vault_bed *b)
{
	char name[] = "artvault";
	char flag[] = "-o";
	char words[] = "fsname=artvault,subtype=artvault,allow_other,"
		       "default_permissions";
	char *argv[] = { name, flag, words, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	vault_scratch_mkdirs(b->scratch.fd, "mnt");
	b->session = fuse_session_new(&args, &vault_livefs_ops,
				      sizeof(vault_livefs_ops), b->live);
	assert_non_null(b->session);
	assert_int_equal(
		fuse_session_mount(b->session,
				   vault_scratch_path(&b->scratch, "mnt")),
		0);
	fuse_opt_free_args(&args);
	assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
	/* A path only: an open directory would be let go of too late. */
	b->mntfd =
		openat(b->scratch.fd, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->mntfd >= 0);
}

void vault_bed_init(struct vault_bed *b, enum vault_view_listing listing)
{
	const struct vault_view_options view = {
		.listing = listing,
		.owner = geteuid(),
		.group = getegid(),
	};
	const struct vault_livefs_options live = { .root = true };

	memset(b, 0, sizeof(*b));
	vault_scratch_init(&b->scratch);
	assert_int_equal(chmod(b->scratch.path, 0755), 0);
	open_vault(b);
	assert_int_equal(vault_view_create(b->tree, b->capture, b->projectfd,
					   &view, &b->view),
			 VAULT_OK);
	assert_int_equal(vault_livefs_create(b->projectfd, b->capture, b->view,
					     &live, &b->live),
			 VAULT_OK);
	mount_it(b);
}

void vault_bed_release(struct vault_bed *b)
{
	close(b->mntfd);
	umount2(vault_scratch_path(&b->scratch, "mnt"), MNT_DETACH);
	pthread_join(b->thread, NULL);
	vault_view_wait(b->view);
	vault_capture_stop(b->capture);
	fuse_session_unmount(b->session);
	fuse_session_destroy(b->session);
	vault_livefs_destroy(b->live);
	vault_view_destroy(b->view);
	vault_tree_close(b->tree);
	close(b->projectfd);
	close(b->vaultfd);
	vault_scratch_release(&b->scratch);
}

int vault_bed_setup(void **state)
{
	struct vault_bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	vault_bed_init(b, VAULT_VIEW_LIST_ROOT);
	*state = b;
	return 0;
}

int vault_bed_teardown(void **state)
{
	vault_bed_release(*state);
	free(*state);
	return 0;
}

struct vault_moment vault_bed_commit(struct vault_bed *b,
				     char name[VAULT_WHEN_NAME_MAX])
{
	struct vault_moment m;

	memset(&m, 0, sizeof(m));
	assert_int_equal(vault_capture_sync(b->capture, VAULT_CAUSE_SYNC, NULL,
					    NULL, &m),
			 VAULT_OK);
	vault_when_name(m.time, name);
	return m;
}

int vault_bed_as(uid_t uid, int (*body)(void *ctx), void *ctx)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 ||
		    setresuid(uid, uid, uid) != 0)
			_exit(255);
		_exit(body(ctx));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int vault_bed_shell(struct vault_bed *b, const char *command)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (fchdir(b->mntfd) != 0)
			_exit(255);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(255);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
