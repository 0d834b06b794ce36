/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_VERSIONS_MOUNTED_H
#define VAULT_TESTS_VERSIONS_MOUNTED_H

#include <stddef.h>

#include "tests/versions/project.h"

/*
 * System calls on a project's files that tell the capture engine what a mount
 * would tell it, in the same order. For tests of versions/, which knows no
 * FUSE.
 */

/* open(O_CREAT | O_WRONLY [| O_TRUNC]); the descriptor. */
int test_mounted_open(struct test_project *p, const char *path, bool truncate);
void test_mounted_write(struct test_project *p, int fd, const char *text);
void test_mounted_fsync(struct test_project *p, int fd);
/* close(), and the RELEASE that follows; `path` is its name when opened. */
void test_mounted_close(struct test_project *p, int fd, const char *path);
/* Open, truncate, write, close. */
void test_mounted_save(struct test_project *p, const char *path,
		       const char *text);
void test_mounted_unlink(struct test_project *p, const char *path);
void test_mounted_rename(struct test_project *p, const char *from,
			 const char *to);
void test_mounted_exchange(struct test_project *p, const char *a,
			   const char *b);
void test_mounted_mkdir(struct test_project *p, const char *path);
void test_mounted_rmdir(struct test_project *p, const char *path);
void test_mounted_link(struct test_project *p, const char *from,
		       const char *to);

/* Wait until nothing is pending and no scan runs. */
void test_mounted_settle(struct test_project *p);

#endif
