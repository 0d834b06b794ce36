/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_VERSIONS_PROJECT_H
#define VAULT_TESTS_VERSIONS_PROJECT_H

#include <stdbool.h>

#include "store/base/buf.h"
#include "tests/support/scratch.h"
#include "versions/capture.h"

/*
 * A project with a vault inside and a capture engine, for tests of versions/.
 * Nothing returns an error: what fails ends the test.
 */
struct test_project {
	struct vault_scratch scratch;
	int fd; /* of the project's folder */
	int vaultfd;
	struct vault_tree *tree;
	struct vault_capture *capture; /* NULL: not started */
};

/* cmocka's setup and teardown; *state is a struct test_project. */
int test_project_setup(void **state);
int test_project_teardown(void **state);

/* Options that suit a test: short times, no rescans, no space guard. */
struct vault_capture_options test_project_options(void);

/* Without `watch`, the way of a project that is not mounted. */
void test_project_start(struct test_project *p, bool watch);
void test_project_stop(struct test_project *p);
/* Close the vault and open it again; the engine must be stopped. */
void test_project_reopen(struct test_project *p);

/* Scan (unwatched) or settle (watched) and commit; the newest moment. */
struct vault_moment test_project_sync(struct test_project *p);

/* Wait for a condition, at most for 20 s, then fail. */
typedef bool test_project_condition(struct test_project *p, void *ctx);
void test_project_wait(struct test_project *p, test_project_condition *holds,
		       void *ctx);

/* Number of complete moments. */
size_t test_project_count_moments(struct test_project *p);
/* Number of distinct versions of the node that a path names (or named). */
size_t test_project_count_versions(struct test_project *p, const char *path);
/* The nth version's content, oldest first, must be `text`. */
void test_project_expect_version(struct test_project *p, const char *path,
				 size_t nth, const char *text);
/* Has the path ever held anything? */
bool test_project_was_ever(struct test_project *p, const char *path);
/* The node of a path now; 0: nothing there. */
uint64_t test_project_node(struct test_project *p, const char *path);

/* The state at `seq` must be what is on the disk: names, kinds, modes,
 * owners, mtimes to the nanosecond, xattrs, links, bytes. */
void test_project_expect_disk(struct test_project *p, uint64_t seq);

#endif
