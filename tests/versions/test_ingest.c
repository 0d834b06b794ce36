/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/versions/project.h"
#include "versions/ingest.h"

/* One file into the store, while it holds still and while it does not. */

#define BIG ((size_t)8 << 20)

static struct vault_ingest_request request_for(struct test_project *p,
					       int dirfd, const char *path)
{
	struct vault_ingest_request q = {
		.store = vault_tree_store(p->tree),
		.projectfd = dirfd,
		.scratchfd = -1,
		.path = path,
		.kind = VAULT_KIND_FILE,
	};
	struct vault_ingest_stat st;

	assert_int_equal(vault_ingest_stat(dirfd, path, &st), VAULT_OK);
	q.ino = st.backing.ino;
	return q;
}

/* Somebody who never stops writing. */
struct scribe {
	pthread_t thread;
	atomic_bool stop;
	int fd;
};

static void *scribble(void *ctx)
{
	struct scribe *s = ctx;
	unsigned n = 0;

	while (!atomic_load(&s->stop)) {
		n++;
		if (pwrite(s->fd, &n, sizeof(n), 0) != sizeof(n))
			break;
	}
	return NULL;
}

static void start(struct scribe *s, int dirfd, const char *name)
{
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf bytes = VAULT_BUF_INIT;

	/* Enough to read for the clock to tick meanwhile. */
	vault_scratch_bytes(&r, &bytes, BIG);
	vault_scratch_write(dirfd, name, vault_buf_span(&bytes));
	vault_buf_release(&bytes);
	atomic_store(&s->stop, false);
	s->fd = openat(dirfd, name, O_RDWR);
	assert_true(s->fd >= 0);
	assert_int_equal(pthread_create(&s->thread, NULL, scribble, s), 0);
}

static void stop(struct scribe *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static void what_never_rests_is_no_version_unless_asked_for(void **state)
{
	struct test_project *p = *state;
	struct vault_ingest_request q;
	struct vault_ingest_result r;
	struct scribe s;

	start(&s, p->fd, "live");
	q = request_for(p, p->fd, "live");
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_ERR_CHANGED);
	assert_true(r.of_file);
	q.busy = true;
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_OK);
	assert_true((r.row.flags & VAULT_ROW_TORN) != 0);
	assert_true(r.backing.racy);
	stop(&s);
	q.busy = false;
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_OK);
	assert_int_equal(r.row.flags & VAULT_ROW_TORN, 0);
}

static vault_err name_loss(void *ctx, struct vault_span path,
			   const char *reason, int64_t time)
{
	const char **said = ctx;

	(void)time;
	assert_true(vault_span_equal(path, vault_span_str("live")));
	*said = reason;
	return VAULT_OK;
}

static void a_scan_names_what_never_rests_and_keeps_the_others(void **state)
{
	struct test_project *p = *state;
	const char *said = NULL;
	struct scribe s;

	vault_scratch_write_str(p->fd, "still", "still");
	start(&s, p->fd, "live");
	test_project_start(p, false);
	test_project_sync(p);
	assert_true(test_project_was_ever(p, "still"));
	assert_false(test_project_was_ever(p, "live"));
	assert_int_equal(
		vault_capture_each_not_kept(p->capture, name_loss, &said),
		VAULT_OK);
	assert_non_null(said);
	assert_non_null(strstr(said, "changing"));
	stop(&s);
	test_project_sync(p);
	assert_true(test_project_was_ever(p, "live"));
}

/* Where the disk can clone, even that has one whole state. */
static void a_clone_of_what_never_rests_is_whole(void **state)
{
	struct test_project *p = *state;
	struct vault_ingest_request q;
	struct vault_ingest_result r;
	struct scribe s;
	char command[1200];
	int fd;

	vault_scratch_mkdirs(p->scratch.fd, "xfs");
	snprintf(command, sizeof(command),
		 "cd '%s' && truncate -s 320M image && "
		 "mkfs.xfs -q -m reflink=1 image && mount -o loop image xfs",
		 p->scratch.path);
	if (geteuid() != 0 || system(command) != 0)
		skip();
	fd = openat(p->scratch.fd, "xfs", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	start(&s, fd, "live");
	q = request_for(p, fd, "live");
	q.scratchfd = fd;
	q.busy = true;
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_OK);
	stop(&s);
	close(fd);
	assert_int_equal(umount(vault_scratch_path(&p->scratch, "xfs")), 0);
	assert_int_equal(r.row.flags & VAULT_ROW_TORN, 0);
	assert_int_equal(r.row.size, BIG);
	assert_true(r.backing.racy); /* it has gone on since */
}

static void another_file_under_the_name_is_not_taken_for_it(void **state)
{
	struct test_project *p = *state;
	struct vault_ingest_request q;
	struct vault_ingest_result r;

	vault_scratch_write_str(p->fd, "a", "one");
	vault_scratch_write_str(p->fd, "b", "two");
	q = request_for(p, p->fd, "a");
	q.path = "b";
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_ERR_CHANGED);
	q.path = "gone";
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_ERR_NOT_FOUND);
	assert_true(r.of_file);
}

static void a_reading_can_be_given_up(void **state)
{
	struct test_project *p = *state;
	const atomic_bool stopping = true;
	struct vault_ingest_request q;
	struct vault_ingest_result r;

	vault_scratch_write_str(p->fd, "a", "one");
	q = request_for(p, p->fd, "a");
	q.stopping = &stopping;
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_ERR_CANCELLED);
}

/* Files of the kernel say they have 4096 bytes, and cannot seek for data. */
static void a_file_that_is_shorter_than_it_says_has_changed(void **state)
{
	struct test_project *p = *state;
	const int fd = open("/sys/kernel", O_RDONLY | O_DIRECTORY);
	struct vault_ingest_request q;
	struct vault_ingest_result r;

	if (fd < 0 || faccessat(fd, "fscaps", R_OK, 0) != 0)
		skip();
	q = request_for(p, fd, "fscaps");
	assert_int_equal(vault_ingest_path(&q, &r), VAULT_ERR_CHANGED);
	assert_true(r.of_file);
	close(fd);
}

#define CLAIM(f)                                               \
	cmocka_unit_test_setup_teardown(f, test_project_setup, \
					test_project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(what_never_rests_is_no_version_unless_asked_for),
		CLAIM(a_scan_names_what_never_rests_and_keeps_the_others),
		CLAIM(a_clone_of_what_never_rests_is_whole),
		CLAIM(another_file_under_the_name_is_not_taken_for_it),
		CLAIM(a_reading_can_be_given_up),
		CLAIM(a_file_that_is_shorter_than_it_says_has_changed),
	};

	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
