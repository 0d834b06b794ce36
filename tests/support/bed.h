/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_BED_H
#define VAULT_TESTS_SUPPORT_BED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/view.h"
#include "tests/support/scratch.h"
#include "versions/capture.h"
#include "versions/moment.h"
#include "versions/tree.h"
#include "versions/when.h"

/*
 * A project that is mounted in the test's own process: the real tree, the
 * real capture, the real file system, served by threads of the test. Captures
 * happen when the test says so and at no other time, so moments are exactly
 * what the test made. What fails ends the test, saying where.
 */
struct vault_livefs;

struct vault_bed {
	struct vault_scratch scratch; /* project, vault, mnt, and aside */
	int projectfd;
	int vaultfd;
	struct vault_tree *tree;
	struct vault_capture *capture;
	struct vault_view *view;
	struct vault_livefs *live;
	struct fuse_session *session;
	pthread_t thread;
	int mntfd; /* of the mount's root, for the *at() calls */
};

/* Can this process mount at all? If not, a test exits with 77. */
bool vault_bed_possible(void);

void vault_bed_init(struct vault_bed *b, enum vault_view_listing listing);
/* Unmounts; then all is removed. */
void vault_bed_release(struct vault_bed *b);

/* For cmocka: *state is a struct vault_bed on the heap. */
int vault_bed_setup(void **state);
int vault_bed_teardown(void **state);

/* Capture everything and give the moment's name; it is a new moment if
 * anything had changed. */
struct vault_moment vault_bed_commit(struct vault_bed *b,
				     char name[VAULT_WHEN_NAME_MAX]);

/* Run `body` as that user, without further groups, in a child process whose
 * exit code is returned (no assertions there). */
int vault_bed_as(uid_t uid, int (*body)(void *ctx), void *ctx);

/* Run a shell command with the mount as its directory; its exit code. */
int vault_bed_shell(struct vault_bed *b, const char *command);

#endif
