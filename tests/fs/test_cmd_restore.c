/* SPDX-License-Identifier: Apache-2.0 */

/* What `artvault restore` brings back, where to, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/fs/world.h"

static void restore_comes_beside_and_never_over(void **state)
{
	struct world *w = *state;
	char name[160];

	OK(w, "restore", "-C", "art", "--at", w->first, "chars/bob.txt");
	snprintf(name, sizeof(name), "art/chars/bob (%s).txt", w->first);
	world_expect(w, name, "bob one");
	assert_non_null(strstr(out(w), name + 4));
	world_expect(w, "art/chars/bob.txt", "bob two");
	world_write(w, name, "mine");
	FAILS(w, 1, "exists", "restore", "-C", "art", "--at", w->first,
	      "chars/bob.txt");
	world_expect(w, name, "mine");
	/* WHEN is what it resolves to, not what was written. */
	OK(w, "restore", "-C", "art", "--at", "previous", "hero.psd");
	snprintf(name, sizeof(name), "art/hero (%s).psd", w->first);
	world_expect(w, name, "hero one");
}

static void restore_to_is_like_cp(void **state)
{
	struct world *w = *state;

	OK(w, "restore", "-C", "art", "--at", w->first, "hero.psd", "--to",
	   "new.psd");
	world_expect(w, "new.psd", "hero one");
	vault_scratch_mkdirs(w->s.fd, "dir");
	OK(w, "restore", "-C", "art", "--at", w->first, "chars/bob.txt", "--to",
	   "dir");
	world_expect(w, "dir/bob.txt", "bob one");
	OK(w, "restore", "-C", "art", "--at", w->first, "--to=dir/all", ".");
	world_expect(w, "dir/all/hero.psd", "hero one");
	world_expect(w, "dir/all/chars/bob.txt", "bob one");
	FAILS(w, 1, "new.psd", "restore", "-C", "art", "--at", w->first,
	      "hero.psd", "--to", "new.psd");
	FAILS(w, 1, "exists", "restore", "-C", "art", "--at", w->second,
	      "chars/bob.txt", "--to", "dir");
	FAILS(w, 1, "nowhere", "restore", "-C", "art", "--at", w->first,
	      "hero.psd", "--to", "nowhere/x");
	world_expect(w, "new.psd", "hero one");
	world_expect(w, "dir/bob.txt", "bob one");
}

static void replace_keeps_the_live_state_first(void **state)
{
	struct world *w = *state;
	json_t *d;

	world_write(w, "art/hero.psd", "not yet kept");
	OK(w, "restore", "-C", "art", "--at", w->first, "--replace",
	   "hero.psd");
	world_expect(w, "art/hero.psd", "hero one");
	OK(w, "cat", "-C", "art", "latest", "hero.psd");
	assert_string_equal(out(w), "not yet kept");
	OK(w, "log", "-C", "art", "--json");
	d = json_of(w);
	assert_string_equal(text_of(json_array_get(d, 0), "cause"), "restore");
	json_decref(d);
}

static void replace_of_a_folder_brings_exactly_that_folder(void **state)
{
	struct world *w = *state;

	world_write(w, "art/chars/later", "later");
	OK(w, "restore", "-C", "art", "--at", w->first, "--replace", "chars");
	world_expect(w, "art/chars/bob.txt", "bob one");
	assert_false(vault_scratch_exists(w->s.fd, "art/chars/later"));
	OK(w, "sync", "art");
	FAILS(w, 1, "not there", "cat", "-C", "art", "latest", "chars/later");
	OK(w, "cat", "-C", "art", "previous", "chars/later");
	assert_string_equal(out(w), "later");
}

static void what_cannot_be_restored_says_why(void **state)
{
	struct world *w = *state;

	FAILS(w, 1, "not there", "restore", "-C", "art", "--at", "latest",
	      "never");
	FAILS(w, 1, "--to", "restore", "-C", "art", "--at", "latest", ".");
	FAILS(w, 1, "--to", "restore", "-C", "art", "--at", "latest",
	      "--replace", ".");
	vault_scratch_remove(w->s.fd, "art/chars");
	FAILS(w, 1, "--to", "restore", "-C", "art", "--at", w->first,
	      "chars/bob.txt");
	OK(w, "restore", "-C", "art", "--at", w->first, "--replace", "chars");
	world_expect(w, "art/chars/bob.txt", "bob one");
}

static void everything_of_a_file_comes_back(void **state)
{
	struct world *w = *state;
	const struct timespec times[2] = { { 1000000000, 123456789 },
					   { 1000000000, 123456789 } };
	char moment[64];
	char value[8];
	struct stat st;

	world_write(w, "art/set/file", "bytes");
	assert_int_equal(fchmodat(w->s.fd, "art/set/file", 0640, 0), 0);
	assert_int_equal(symlinkat("../hero.psd", w->s.fd, "art/set/link"), 0);
	assert_int_equal(
		linkat(w->s.fd, "art/set/file", w->s.fd, "art/set/second", 0),
		0);
	vault_scratch_mkdirs(w->s.fd, "art/set/empty");
	assert_int_equal(utimensat(w->s.fd, "art/set/file", times, 0), 0);
	assert_true(setxattr(vault_scratch_path(&w->s, "art/set/file"),
			     "user.mood", "blue", 4, 0) == 0 ||
		    errno == EOPNOTSUPP);
	OK(w, "sync", "art");
	world_latest(w, moment);
	OK(w, "restore", "-C", "art", "--at", moment, "set", "--to", "back");
	assert_int_equal(fstatat(w->s.fd, "back/file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(readlinkat(w->s.fd, "back/link", value, 8), 8);
	assert_true(vault_scratch_exists(w->s.fd, "back/empty"));
	if (getxattr(vault_scratch_path(&w->s, "art/set/file"), "user.mood",
		     value, sizeof(value)) == 4)
		assert_int_equal(
			getxattr(vault_scratch_path(&w->s, "back/file"),
				 "user.mood", value, sizeof(value)),
			4);
}

static void an_interrupted_restore_leaves_nothing_behind(void **state)
{
	char *argv[] = { (char[]){ "artvault" }, (char[]){ "restore" },
			 (char[]){ "-C" },	 (char[]){ "art" },
			 (char[]){ "--at" },	 (char[]){ "latest" },
			 (char[]){ "--to" },	 (char[]){ "to/all" },
			 (char[]){ "." },	 NULL };
	struct world *w = *state;
	char name[64];
	int status;

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "art/many/%d", i);
		world_write(w, name, name);
	}
	OK(w, "sync", "art");
	vault_scratch_mkdirs(w->s.fd, "to");
	for (int n = 0; n < 12; n++) {
		const pid_t pid = ran_start(&w->s, argv);

		usleep((useconds_t)n * 25000);
		kill(pid, n % 2 == 0 ? SIGINT : SIGTERM);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		/* Whole, or not at all, and no temporary name either. */
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			vault_scratch_remove(w->s.fd, "to/all");
		assert_int_equal(unlinkat(w->s.fd, "to", AT_REMOVEDIR), 0);
		vault_scratch_mkdirs(w->s.fd, "to");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(restore_comes_beside_and_never_over),
		WORLD_TEST(restore_to_is_like_cp),
		WORLD_TEST(replace_keeps_the_live_state_first),
		WORLD_TEST(replace_of_a_folder_brings_exactly_that_folder),
		WORLD_TEST(what_cannot_be_restored_says_why),
		WORLD_TEST(everything_of_a_file_comes_back),
		WORLD_TEST(an_interrupted_restore_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
