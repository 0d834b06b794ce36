/* SPDX-License-Identifier: Apache-2.0 */

/* `.timeline` through a real mount. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "tests/support/bed.h"

struct moment {
	char name[VAULT_WHEN_NAME_MAX];
	struct vault_moment m;
};

static const char *at(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static const char *at(const char *format, ...)
{
	static char paths[32][512];
	static unsigned next;
	char *p = paths[next++ % 32];
	va_list args;

	va_start(args, format);
	vsnprintf(p, sizeof(paths[0]), format, args);
	va_end(args);
	return p;
}

static struct moment save(struct vault_bed *b, const char *name,
			  const char *text)
{
	struct moment m;

	vault_scratch_write_str(b->mntfd, name, text);
	m.m = vault_bed_commit(b, m.name);
	return m;
}

static void expect_text(struct vault_bed *b, const char *path, const char *text)
{
	vault_scratch_expect(b->mntfd, path, vault_span_str(text));
}

static bool there(struct vault_bed *b, const char *path)
{
	return vault_scratch_exists(b->mntfd, path);
}

/* The names in a folder but "." and "..", each followed by a blank. */
static const char *names_in(struct vault_bed *b, const char *dir)
{
	static char text[8192];
	struct dirent **list;
	int fd = openat(b->mntfd, dir, O_RDONLY | O_DIRECTORY);
	int n = fd < 0 ? -1 : scandirat(fd, ".", &list, NULL, alphasort);
	size_t len = 0;

	if (n < 0)
		fail_msg("%s: %s", dir, strerror(errno));
	text[0] = 0;
	for (int i = 0; i < n; i++) {
		if (strcmp(list[i]->d_name, ".") != 0 &&
		    strcmp(list[i]->d_name, "..") != 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s ", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	close(fd);
	return text;
}

static void each_distinct_version_is_a_file(void **state)
{
	struct vault_bed *b = *state;
	struct moment a, c, d;
	char now[VAULT_WHEN_NAME_MAX];

	a = save(b, "chars/hero.psd", "A");
	c = save(b, "chars/hero.psd", "B");
	save(b, "unrelated", "x");
	d = save(b, "chars/hero.psd", "A");
	/* Only its mode: a version, but not one of the timeline. */
	assert_int_equal(fchmodat(b->mntfd, "chars/hero.psd", 0600, 0), 0);
	vault_bed_commit(b, now);
	assert_string_equal(names_in(b, ".timeline/chars/hero.psd"),
			    at("%s.psd %s.psd %s.psd @timeline.json "
			       "@timeline.txt ",
			       a.name, c.name, d.name));
	expect_text(b, at(".timeline/chars/hero.psd/%s.psd", a.name), "A");
	expect_text(b, at(".timeline/chars/hero.psd/%s.psd", c.name), "B");
	expect_text(b, at(".timeline/chars/hero.psd/%s.psd", d.name), "A");
	expect_text(b, at("chars/.timeline/hero.psd/%s.psd", c.name), "B");
	assert_false(there(b, at(".timeline/chars/hero.psd/%s.psd", now)));
	assert_false(there(b, at(".timeline/chars/hero.psd/%s", a.name)));
	assert_false(there(b, at(".timeline/chars/hero.psd/%s.psb", a.name)));
	assert_false(there(b, ".timeline/chars/hero.psd/latest.psd"));
	assert_false(there(b, ".timeline/chars/nothing.psd"));
}

static void the_last_extension_is_kept(void **state)
{
	struct vault_bed *b = *state;
	struct moment m;

	vault_scratch_write_str(b->projectfd, "archive.tar.gz", "x");
	vault_scratch_write_str(b->projectfd, ".profile", "x");
	vault_scratch_write_str(b->projectfd, "plain", "x");
	m = save(b, "dot.", "x");
	assert_true(there(b, at(".timeline/archive.tar.gz/%s.gz", m.name)));
	assert_true(there(b, at(".timeline/.profile/%s", m.name)));
	assert_true(there(b, at(".timeline/plain/%s", m.name)));
	assert_true(there(b, at(".timeline/dot./%s", m.name)));
}

static void a_timeline_shares_the_inodes_of_the_moments(void **state)
{
	struct vault_bed *b = *state;
	struct moment m = save(b, "f.png", "A");
	struct stat one, two;

	save(b, "g", "x");
	assert_int_equal(fstatat(b->mntfd, ".history/latest/f.png", &one, 0),
			 0);
	assert_int_equal(fstatat(b->mntfd, at(".timeline/f.png/%s.png", m.name),
				 &two, 0),
			 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(two.st_nlink, 1);
}

static void a_timeline_follows_renames(void **state)
{
	struct vault_bed *b = *state;
	struct moment one = save(b, "old.psd", "one");
	struct moment two;
	char m[VAULT_WHEN_NAME_MAX];

	vault_scratch_mkdirs(b->projectfd, "chars");
	assert_int_equal(
		renameat(b->mntfd, "old.psd", b->mntfd, "chars/new.psd"), 0);
	vault_bed_commit(b, m);
	two = save(b, "chars/new.psd", "two");
	expect_text(b, at(".timeline/chars/new.psd/%s.psd", one.name), "one");
	expect_text(b, at(".timeline/chars/new.psd/%s.psd", two.name), "two");
	/* It was last at the old path, too. */
	expect_text(b, at(".timeline/old.psd/%s.psd", two.name), "two");
	assert_string_equal(names_in(b, ".timeline/chars/new.psd"),
			    at("%s.psd %s.psd @timeline.json @timeline.txt ",
			       one.name, two.name));
}

static void what_is_gone_still_has_its_timeline(void **state)
{
	struct vault_bed *b = *state;
	struct moment m = save(b, "chars/hero.psd", "one");
	char gone[VAULT_WHEN_NAME_MAX];

	save(b, "chars/other", "x");
	vault_scratch_remove(b->projectfd, "chars/hero.psd");
	vault_bed_commit(b, gone);
	assert_string_equal(names_in(b, ".timeline/chars"), "hero.psd other ");
	expect_text(b, at(".timeline/chars/hero.psd/%s.psd", m.name), "one");
	vault_scratch_remove(b->projectfd, "chars");
	vault_bed_commit(b, gone);
	expect_text(b, at(".timeline/chars/hero.psd/%s.psd", m.name), "one");
	assert_string_equal(names_in(b, ".timeline/chars"), "hero.psd other ");
}

static void whatever_was_last_at_a_path_counts(void **state)
{
	struct vault_bed *b = *state;
	struct moment file = save(b, "thing", "file");
	struct moment again;

	vault_scratch_remove(b->projectfd, "thing");
	save(b, "thing/inside", "x");
	assert_string_equal(names_in(b, ".timeline/thing"), "inside ");
	assert_false(there(b, at(".timeline/thing/%s", file.name)));
	vault_scratch_remove(b->projectfd, "thing");
	again = save(b, "thing", "file again");
	expect_text(b, at(".timeline/thing/%s", again.name), "file again");
}

static void backups_are_not_shown_but_found(void **state)
{
	struct vault_bed *b = *state;
	struct moment m;

	vault_scratch_write_str(b->projectfd, "hero.blend1", "old");
	vault_scratch_write_str(b->projectfd, "hero.blend", "new");
	m = save(b, "notes.txt~", "old");
	assert_string_equal(names_in(b, ".timeline"), "hero.blend ");
	expect_text(b, at(".timeline/hero.blend1/%s.blend1", m.name), "old");
}

static void the_texts_say_what_is_there(void **state)
{
	struct vault_bed *b = *state;
	struct moment one = save(b, "a/hero.psd", "one");
	struct moment two = save(b, "a/hero.psd", "three");
	struct vault_digest digest = vault_digest_of(vault_span_str("three"));
	struct vault_buf text = VAULT_BUF_INIT;
	char hex[VAULT_DIGEST_HEX], time[VAULT_WHEN_NAME_MAX];
	struct stat st;
	json_t *j, *e;

	assert_int_equal(fstatat(b->mntfd,
				 ".timeline/a/hero.psd/@timeline.json", &st, 0),
			 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	vault_scratch_read(b->mntfd, ".timeline/a/hero.psd/@timeline.json",
			   &text);
	assert_int_equal(text.len, st.st_size);
	j = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_int_equal(json_array_size(j), 2);
	e = json_array_get(j, 1);
	assert_int_equal(json_object_size(e), 5);
	assert_string_equal(json_string_value(json_object_get(e, "file")),
			    at("%s.psd", two.name));
	assert_string_equal(json_string_value(json_object_get(e, "moment")),
			    two.name);
	vault_when_rfc3339(two.m.time, time);
	assert_string_equal(json_string_value(json_object_get(e, "time")),
			    time);
	assert_int_equal(json_integer_value(json_object_get(e, "size")), 5);
	vault_digest_hex(&digest, hex);
	assert_string_equal(json_string_value(json_object_get(e, "digest")),
			    hex);
	json_decref(j);
	vault_scratch_read(b->mntfd, ".timeline/a/hero.psd/@timeline.txt",
			   &text);
	assert_int_equal(
		fstatat(b->mntfd, ".timeline/a/hero.psd/@timeline.txt", &st, 0),
		0);
	assert_int_equal(text.len, st.st_size);
	assert_non_null(strstr(vault_buf_cstr(&text), one.name));
	assert_non_null(strstr(vault_buf_cstr(&text), hex));
	vault_buf_release(&text);
}

static void a_text_has_its_new_size_after_a_new_version(void **state)
{
	struct vault_bed *b = *state;
	struct vault_buf text = VAULT_BUF_INIT;
	struct stat one, two;

	save(b, "f", "one");
	assert_int_equal(
		fstatat(b->mntfd, ".timeline/f/@timeline.txt", &one, 0), 0);
	save(b, "f", "two");
	assert_int_equal(
		fstatat(b->mntfd, ".timeline/f/@timeline.txt", &two, 0), 0);
	assert_true(two.st_size > one.st_size);
	vault_scratch_read(b->mntfd, ".timeline/f/@timeline.txt", &text);
	assert_int_equal(text.len, two.st_size);
	vault_buf_release(&text);
}

static void names_that_are_no_text_give_valid_json(void **state)
{
	struct vault_bed *b = *state;
	struct vault_buf text = VAULT_BUF_INIT;
	json_t *j;

	save(b, "x.\xff\"\n", "x");
	vault_scratch_read(b->mntfd, ".timeline/x.\xff\"\n/@timeline.json",
			   &text);
	j = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_int_equal(json_array_size(j), 1);
	json_decref(j);
	vault_buf_release(&text);
}

int main(void)
{
#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, vault_bed_setup, \
					vault_bed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_distinct_version_is_a_file),
		TEST(the_last_extension_is_kept),
		TEST(a_timeline_shares_the_inodes_of_the_moments),
		TEST(a_timeline_follows_renames),
		TEST(what_is_gone_still_has_its_timeline),
		TEST(whatever_was_last_at_a_path_counts),
		TEST(backups_are_not_shown_but_found),
		TEST(the_texts_say_what_is_there),
		TEST(a_text_has_its_new_size_after_a_new_version),
		TEST(names_that_are_no_text_give_valid_json),
	};

	if (!vault_bed_possible())
		return 77;
	return cmocka_run_group_tests_name("view timeline", tests, NULL, NULL);
}
