/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "versions/restore.h"

/*
 * The writer alone, fed by hand: what a walk would never say, and disks that
 * do not take what they are given. Whatever fails leaves nothing behind.
 */

struct feed {
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
};

static struct feed begin_at(int dirfd, const char *name)
{
	struct feed f;

	assert_int_equal(
		vault_restore_writer_create(dirfd, name, &f.w, &f.sink),
		VAULT_OK);
	return f;
}

static struct vault_restore_item item_of(enum vault_kind kind, const char *path)
{
	return (struct vault_restore_item){
		.row = { .kind = kind, .mode = 0755, .node = 1 },
		.path = vault_span_str(path),
	};
}

/* Begin and end, without bytes. */
static vault_err feed(struct feed *f, const struct vault_restore_item *item)
{
	vault_err err = f->sink.begin(f->sink.ctx, item);

	if (err == VAULT_OK)
		err = f->sink.end(f->sink.ctx, item);
	return err;
}

static vault_err feed_kind(struct feed *f, enum vault_kind kind,
			   const char *path)
{
	struct vault_restore_item item = item_of(kind, path);

	if (kind == VAULT_KIND_SYMLINK)
		item.target = vault_span_str("target");
	return feed(f, &item);
}

static void expect_only(int dirfd, const char *name)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY));
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' ||
		    strstr(e->d_name, "artvault-restore") != NULL)
			assert_string_equal(e->d_name, name);
	closedir(d);
}

/* The temporary name that the writer uses now. */
static void find_temp(int dirfd, char out[NAME_MAX + 1])
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY));
	const struct dirent *e;

	out[0] = '\0';
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strstr(e->d_name, "artvault-restore") != NULL)
			strcpy(out, e->d_name);
	closedir(d);
	assert_true(out[0] != '\0');
}

static void only_a_plain_name_can_be_restored_to(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/a" };
	struct vault_scratch *s = *state;
	struct feed f;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(vault_restore_writer_create(s->fd, names[i],
							     &f.w, &f.sink),
				 VAULT_ERR_INVALID);
	expect_only(s->fd, "");
}

static void nothing_written_cannot_be_finished(void **state)
{
	struct vault_scratch *s = *state;
	struct feed f = begin_at(s->fd, "out");

	assert_int_equal(vault_restore_writer_finish(f.w, false),
			 VAULT_ERR_NOT_FOUND);
	vault_restore_writer_destroy(f.w);
	expect_only(s->fd, "");
}

static void bytes_without_a_file_are_refused(void **state)
{
	struct vault_scratch *s = *state;
	const struct vault_restore_item file = item_of(VAULT_KIND_FILE, "f");
	struct feed f = begin_at(s->fd, "out");
	const struct vault_span x = vault_span_str("x");

	assert_int_equal(f.sink.data(f.sink.ctx, 0, x), VAULT_ERR_INVALID);
	assert_int_equal(feed(&f, &file), VAULT_ERR_INVALID); /* no root yet */
	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, ""), VAULT_OK);
	assert_int_equal(f.sink.end(f.sink.ctx, &file), VAULT_ERR_INVALID);
	assert_int_equal(f.sink.begin(f.sink.ctx, &file), VAULT_OK);
	assert_int_equal(f.sink.data(f.sink.ctx, UINT64_MAX - 1, x),
			 VAULT_ERR_INVALID);
	assert_int_equal(f.sink.data(f.sink.ctx, INT64_MAX, x),
			 VAULT_ERR_INVALID);
	vault_restore_writer_destroy(f.w);
	expect_only(s->fd, "");
}

static void a_name_comes_only_once(void **state)
{
	static const enum vault_kind kinds[] = { VAULT_KIND_DIR,
						 VAULT_KIND_SYMLINK,
						 VAULT_KIND_FIFO,
						 VAULT_KIND_FILE };
	struct vault_scratch *s = *state;
	struct feed f = begin_at(s->fd, "out");
	struct vault_restore_item link = item_of(VAULT_KIND_FILE, "taken");

	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, ""), VAULT_OK);
	assert_int_equal(feed_kind(&f, VAULT_KIND_FILE, "taken"), VAULT_OK);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_not_equal(feed_kind(&f, kinds[i], "taken"),
				     VAULT_OK);
	link.link_to = vault_span_str("taken");
	assert_int_not_equal(feed(&f, &link), VAULT_OK);
	link.link_to = vault_span_str("nothing");
	assert_int_not_equal(feed(&f, &link), VAULT_OK);
	link.link_to = vault_span_str("no/thing");
	assert_int_not_equal(feed(&f, &link), VAULT_OK);
	vault_restore_writer_destroy(f.w);
	expect_only(s->fd, "");
}

static void names_and_targets_that_no_disk_takes_are_refused(void **state)
{
	static const uint8_t target[] = { 'a', 0, 'b' };
	struct vault_scratch *s = *state;
	struct feed f = begin_at(s->fd, "out");
	struct vault_restore_item item = item_of(VAULT_KIND_SYMLINK, "l");
	char name[NAME_MAX + 2];

	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, ""), VAULT_OK);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, name),
			 VAULT_ERR_NAME_TOO_LONG);
	item.target = vault_span(target, sizeof(target));
	assert_int_equal(feed(&f, &item), VAULT_ERR_CORRUPT);
	item.target = VAULT_SPAN_EMPTY;
	assert_int_not_equal(feed(&f, &item), VAULT_OK);
	vault_restore_writer_destroy(f.w);
	expect_only(s->fd, "");
}

/* A file without them is better than none. */
static void damaged_attributes_are_left_out(void **state)
{
	static const uint8_t bad[] = { 1, 200, 0, 1, 0, 0, 0, 'a', 'v' };
	struct vault_scratch *s = *state;
	struct feed f = begin_at(s->fd, "out");
	struct vault_restore_item item = item_of(VAULT_KIND_FILE, "");

	item.xattrs = vault_span(bad, sizeof(bad));
	item.row.size = 4;
	assert_int_equal(f.sink.begin(f.sink.ctx, &item), VAULT_OK);
	assert_int_equal(f.sink.data(f.sink.ctx, 0, vault_span_str("kept")),
			 VAULT_OK);
	assert_int_equal(f.sink.end(f.sink.ctx, &item), VAULT_OK);
	assert_int_equal(vault_restore_writer_finish(f.w, false), VAULT_OK);
	vault_restore_writer_destroy(f.w);
	vault_scratch_expect(s->fd, "out", vault_span_str("kept"));
}

/* Somebody tidies up while a restore runs. */
static void a_temporary_name_that_went_is_an_error(void **state)
{
	static const enum vault_kind kinds[] = { VAULT_KIND_FILE,
						 VAULT_KIND_DIR };
	struct vault_scratch *s = *state;
	char temp[NAME_MAX + 1];

	vault_scratch_write_str(s->fd, "out", "mine");
	for (size_t i = 0; i < 4; i++) {
		struct feed f = begin_at(s->fd, i < 2 ? "out" : "new");

		assert_int_equal(feed_kind(&f, kinds[i % 2], ""), VAULT_OK);
		find_temp(s->fd, temp);
		vault_scratch_remove(s->fd, temp);
		assert_int_not_equal(vault_restore_writer_finish(f.w, i < 2),
				     VAULT_OK);
		vault_restore_writer_destroy(f.w);
		vault_scratch_expect(s->fd, "out", vault_span_str("mine"));
		expect_only(s->fd, "out");
	}
}

/* An ordinary user: no devices, no other owners; the rest comes. */
static void what_needs_root_is_left_out_for_others(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_restore_item item = item_of(VAULT_KIND_CHAR, "dev");
	struct stat st;
	struct feed f;

	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(s->path, 0777), 0);
	assert_int_equal(seteuid(65534), 0);
	f = begin_at(s->fd, "out");
	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, ""), VAULT_OK);
	item.row.rdev = makedev(1, 3);
	assert_int_equal(feed(&f, &item), VAULT_OK);
	item = item_of(VAULT_KIND_FILE, "suid");
	item.row.uid = 0;
	item.row.mode = 04755;
	assert_int_equal(feed(&f, &item), VAULT_OK);
	assert_int_equal(vault_restore_writer_finish(f.w, false), VAULT_OK);
	vault_restore_writer_destroy(f.w);
	assert_int_equal(seteuid(0), 0);
	assert_false(vault_scratch_exists(s->fd, "out/dev"));
	assert_int_equal(fstatat(s->fd, "out/suid", &st, 0), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void where_nothing_may_be_made_nothing_is(void **state)
{
	struct vault_scratch *s = *state;
	const struct vault_restore_item dir = item_of(VAULT_KIND_DIR, "");
	const struct vault_restore_item file = item_of(VAULT_KIND_FILE, "");
	const struct vault_restore_item fifo = item_of(VAULT_KIND_FIFO, "");
	const bool root = geteuid() == 0;
	struct feed f;

	assert_int_equal(chmod(s->path, 0555), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	f = begin_at(s->fd, "out");
	assert_int_equal(feed(&f, &dir), VAULT_ERR_DENIED);
	assert_int_equal(feed(&f, &file), VAULT_ERR_DENIED);
	assert_int_equal(feed(&f, &fifo), VAULT_ERR_DENIED);
	vault_restore_writer_destroy(f.w);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(s->path, 0755), 0);
	expect_only(s->fd, "");
}

/* ---- disks of our own ---- */

static bool mount_small(struct vault_scratch *s, const char *name)
{
	vault_scratch_mkdirs(s->fd, name);
	return mount("small", vault_scratch_path(s, name), "tmpfs", 0,
		     "size=64k,nr_inodes=8,mode=0755") == 0;
}

static void unmount(struct vault_scratch *s, const char *name)
{
	assert_int_equal(umount(vault_scratch_path(s, name)), 0);
}

static void a_full_disk_takes_nothing(void **state)
{
	static const uint8_t zeros[128 << 10];
	struct vault_scratch *s = *state;
	const struct vault_restore_item file = item_of(VAULT_KIND_FILE, "");
	char name[2] = "a";
	struct feed f;
	vault_err err;
	int fd;

	if (!mount_small(s, "disk"))
		skip();
	fd = openat(s->fd, "disk", O_RDONLY | O_DIRECTORY);
	f = begin_at(fd, "out");
	assert_int_equal(f.sink.begin(f.sink.ctx, &file), VAULT_OK);
	assert_int_equal(
		f.sink.data(f.sink.ctx, 0, vault_span(zeros, sizeof(zeros))),
		VAULT_ERR_NO_SPACE);
	vault_restore_writer_destroy(f.w);
	expect_only(fd, "");

	f = begin_at(fd, "out");
	err = feed_kind(&f, VAULT_KIND_DIR, "");
	for (; err == VAULT_OK && name[0] < 'z'; name[0]++)
		err = feed_kind(&f, VAULT_KIND_DIR, name);
	assert_int_equal(err, VAULT_ERR_NO_SPACE);
	assert_int_equal(feed_kind(&f, VAULT_KIND_FIFO, "fifo"),
			 VAULT_ERR_NO_SPACE);
	vault_restore_writer_destroy(f.w);
	expect_only(fd, "");
	close(fd);
	unmount(s, "disk");
}

/* What is replaced holds a mount: the new is in place, the old stays under a
 * temporary name, and nothing of the mount is touched. */
static void what_cannot_be_removed_is_left_under_another_name(void **state)
{
	struct vault_scratch *s = *state;
	char temp[NAME_MAX + 1];
	char busy[NAME_MAX + 20];
	struct feed f;

	vault_scratch_mkdirs(s->fd, "out");
	if (!mount_small(s, "out/busy"))
		skip();
	vault_scratch_write_str(s->fd, "out/busy/file", "theirs");
	f = begin_at(s->fd, "out");
	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, ""), VAULT_OK);
	assert_int_equal(feed_kind(&f, VAULT_KIND_DIR, "new"), VAULT_OK);
	assert_int_equal(vault_restore_writer_finish(f.w, true), VAULT_OK);
	vault_restore_writer_destroy(f.w);
	assert_true(vault_scratch_exists(s->fd, "out/new"));
	find_temp(s->fd, temp);
	snprintf(busy, sizeof(busy), "%s/busy/file", temp);
	vault_scratch_expect(s->fd, busy, vault_span_str("theirs"));
	snprintf(busy, sizeof(busy), "%s/busy", temp);
	unmount(s, busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(only_a_plain_name_can_be_restored_to),
		VAULT_SCRATCH_TEST(nothing_written_cannot_be_finished),
		VAULT_SCRATCH_TEST(bytes_without_a_file_are_refused),
		VAULT_SCRATCH_TEST(a_name_comes_only_once),
		VAULT_SCRATCH_TEST(
			names_and_targets_that_no_disk_takes_are_refused),
		VAULT_SCRATCH_TEST(damaged_attributes_are_left_out),
		VAULT_SCRATCH_TEST(a_temporary_name_that_went_is_an_error),
		VAULT_SCRATCH_TEST(what_needs_root_is_left_out_for_others),
		VAULT_SCRATCH_TEST(where_nothing_may_be_made_nothing_is),
		VAULT_SCRATCH_TEST(a_full_disk_takes_nothing),
		VAULT_SCRATCH_TEST(
			what_cannot_be_removed_is_left_under_another_name),
	};

	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
