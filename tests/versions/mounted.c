/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/versions/mounted.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct vault_span s(const char *path)
{
	return vault_span_str(path);
}

int test_mounted_open(struct test_project *p, const char *path, bool truncate)
{
	const bool there = vault_scratch_exists(p->fd, path);
	struct stat st;
	int fd;

	if (there)
		vault_capture_opening(p->capture, s(path), truncate);
	fd = openat(p->fd, path, O_CREAT | O_WRONLY | (truncate ? O_TRUNC : 0),
		    0644);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	vault_capture_opened(p->capture, st.st_dev, st.st_ino, s(path));
	if (!there || truncate)
		vault_capture_changed(p->capture, s(path));
	return fd;
}

void test_mounted_write(struct test_project *p, int fd, const char *text)
{
	(void)p; /* under passthrough nobody is told of a write */
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void test_mounted_fsync(struct test_project *p, int fd)
{
	struct stat st;

	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	vault_capture_fsynced(p->capture, st.st_dev, st.st_ino);
}

void test_mounted_close(struct test_project *p, int fd, const char *path)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	vault_capture_closed(p->capture, st.st_dev, st.st_ino, s(path));
}

void test_mounted_save(struct test_project *p, const char *path,
		       const char *text)
{
	const int fd = test_mounted_open(p, path, true);

	test_mounted_write(p, fd, text);
	test_mounted_close(p, fd, path);
}

void test_mounted_unlink(struct test_project *p, const char *path)
{
	vault_capture_replacing(p->capture, s(path));
	assert_int_equal(unlinkat(p->fd, path, 0), 0);
	vault_capture_changed(p->capture, s(path));
}

void test_mounted_rename(struct test_project *p, const char *from,
			 const char *to)
{
	vault_capture_replacing(p->capture, s(to));
	assert_int_equal(renameat(p->fd, from, p->fd, to), 0);
	vault_capture_renamed(p->capture, s(from), s(to), false);
}

void test_mounted_exchange(struct test_project *p, const char *a, const char *b)
{
	assert_int_equal(renameat2(p->fd, a, p->fd, b, RENAME_EXCHANGE), 0);
	vault_capture_renamed(p->capture, s(a), s(b), true);
}

void test_mounted_mkdir(struct test_project *p, const char *path)
{
	assert_int_equal(mkdirat(p->fd, path, 0755), 0);
	vault_capture_changed(p->capture, s(path));
}

void test_mounted_rmdir(struct test_project *p, const char *path)
{
	assert_int_equal(unlinkat(p->fd, path, AT_REMOVEDIR), 0);
	vault_capture_changed(p->capture, s(path));
}

void test_mounted_link(struct test_project *p, const char *from, const char *to)
{
	assert_int_equal(linkat(p->fd, from, p->fd, to, 0), 0);
	vault_capture_changed(p->capture, s(from));
	vault_capture_changed(p->capture, s(to));
}

static bool is_settled(struct test_project *p, void *ctx)
{
	struct vault_capture_status st;

	(void)ctx;
	vault_capture_status(p->capture, &st);
	return st.pending == 0 && !st.scanning;
}

void test_mounted_settle(struct test_project *p)
{
	test_project_wait(p, is_settled, NULL);
}
