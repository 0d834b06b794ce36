/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every command through the real program, on a project that is not mounted:
 * what it prints, what it writes, and what it exits with.
 */
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "store/digest.h"
#include "tests/fs/world.h"

/* ---- words ---- */

static void wrong_words_exit_2_and_64_of_check(void **state)
{
	struct world *w = *state;

	FAILS(w, 2, "Usage", NULL, NULL);
	FAILS(w, 2, "paint", "paint");
	FAILS(w, 2, "--frobnicate", "log", "--frobnicate");
	FAILS(w, 2, "--frobnicate", "--frobnicate", "log");
	FAILS(w, 2, "expected", "cat", "latest");
	FAILS(w, 2, "too many", "cat", "latest", "a", "b");
	FAILS(w, 2, "--at", "restore", "hero.psd");
	FAILS(w, 2, "--replace", "restore", "--at", "latest", "--to", "x",
	      "--replace", "hero.psd");
	FAILS(w, 2, "expected", "snapshot");
	FAILS(w, 2, "expected", "mount");
	FAILS(w, 2, "expected", "unmount");
	FAILS(w, 2, "frobnicate", "mount", "-o", "ro,frobnicate", "art");
	FAILS(w, 64, "--frobnicate", "check", "--frobnicate");
	FAILS(w, 64, "too many", "check", "x");
}

static void every_command_has_help(void **state)
{
	static const char *const names[] = {
		"mount",	 "unmount",    "sync",	"status",
		"snapshot",	 "unsnapshot", "log",	"ls",
		"cat",		 "restore",    "check", "ignored",
		"rebuild-index",
	};
	struct world *w = *state;

	OK(w, "--help");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *argv[] = { (char[]){ "artvault" }, strdup(names[i]),
				 (char[]){ "--help" }, NULL };

		assert_non_null(strstr(out(w), names[i]));
		ran_words(&w->ran, &w->s, argv);
		expect_code(w, 0);
		assert_non_null(strstr(out(w), names[i]));
		assert_non_null(strstr(out(w), "--vault"));
		free(argv[1]);
		OK(w, "help");
	}
	OK(w, "help", "log");
	assert_non_null(strstr(out(w), "--since"));
	OK(w, "version");
	assert_non_null(strstr(out(w), "artvault "));
}

/* ---- log ---- */

static void log_is_an_array_of_moments_newest_first(void **state)
{
	struct world *w = *state;
	const json_t *m;
	json_t *d;
	size_t i;

	OK(w, "-C", "art", "log", "--json");
	d = json_of(w);
	assert_true(json_is_array(d));
	assert_int_equal(json_array_size(d), 2);
	json_array_foreach(d, i, m)
	{
		assert_int_equal(strlen(text_of(m, "time")), 20);
		assert_true(json_is_array(json_object_get(m, "names")));
		assert_true(json_is_array(json_object_get(m, "tags")));
		assert_string_equal(text_of(m, "note"), "");
		assert_true(strlen(text_of(m, "cause")) > 0);
	}
	assert_string_equal(text_of(json_array_get(d, 0), "moment"), w->second);
	assert_string_equal(text_of(json_array_get(d, 1), "moment"), w->first);
	json_decref(d);
	OK(w, "-C", "art", "log");
	assert_non_null(strstr(out(w), w->first));
	assert_true(strstr(out(w), w->second) < strstr(out(w), w->first));
}

static void since_and_until_cut_the_log(void **state)
{
	struct world *w = *state;
	json_t *d;

	OK(w, "log", "-C", "art", "--json", "--until", w->first);
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	assert_string_equal(text_of(json_array_get(d, 0), "moment"), w->first);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--since", w->second);
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	assert_string_equal(text_of(json_array_get(d, 0), "moment"), w->second);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--since", "1h-ago");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--until", "1999");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 0);
	json_decref(d);
	FAILS(w, 1, "no-such", "log", "-C", "art", "--since", "no-such");
}

static void a_date_after_since_means_its_first_second(void **state)
{
	struct world *w = *state;
	char day[16];
	char minute[24];
	json_t *d;

	snprintf(day, sizeof(day), "%.10s", w->first);
	OK(w, "log", "-C", "art", "--json", "--since", day);
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	json_decref(d);
	snprintf(minute, sizeof(minute), "%.16s", w->first);
	OK(w, "log", "-C", "art", "--json", "--since", minute);
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	json_decref(d);
}

static void log_of_a_path_has_its_distinct_versions(void **state)
{
	struct world *w = *state;
	char hex[VAULT_DIGEST_HEX];
	struct vault_digest digest;
	const json_t *v;
	json_t *d;

	OK(w, "log", "-C", "art", "--json", "hero.psd");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	v = json_array_get(d, 0);
	assert_string_equal(text_of(v, "moment"), w->first);
	assert_int_equal(json_integer_value(json_object_get(v, "size")), 8);
	digest = vault_digest_of(vault_span_str("hero one"));
	vault_digest_hex(&digest, hex);
	assert_string_equal(text_of(v, "digest"), hex);
	assert_non_null(strstr(text_of(v, "file"), ".psd"));
	assert_int_equal(strlen(text_of(v, "time")), 20);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "chars/same");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--until", w->first, "hero.psd");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	json_decref(d);
	OK(w, "log", "-C", "art", "hero.psd");
	assert_non_null(strstr(out(w), w->first));
	FAILS(w, 1, "never", "log", "-C", "art", "never");
	FAILS(w, 1, "folder", "log", "-C", "art", "chars");
}

static void log_of_a_path_goes_through_renames_and_deletion(void **state)
{
	struct world *w = *state;
	json_t *d;

	assert_int_equal(renameat(w->s.fd, "art/hero.psd", w->s.fd,
				  "art/chars/villain.psd"),
			 0);
	OK(w, "sync", "art");
	world_write(w, "art/chars/villain.psd", "three");
	OK(w, "sync", "art");
	vault_scratch_remove(w->s.fd, "art/chars/villain.psd");
	OK(w, "sync", "art");
	OK(w, "log", "-C", "art/chars", "--json", "villain.psd");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 3);
	assert_string_equal(text_of(json_array_get(d, 0), "moment"), w->first);
	json_decref(d);
}

/* ---- ls and cat ---- */

static void ls_shows_a_folder_as_it_was(void **state)
{
	struct world *w = *state;
	const json_t *e;
	json_t *d;

	OK(w, "ls", "-C", "art", "--json", w->first);
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	e = json_array_get(d, 0);
	assert_string_equal(text_of(e, "name"), "chars");
	assert_string_equal(text_of(e, "type"), "directory");
	assert_true(json_is_null(json_object_get(e, "digest")));
	e = json_array_get(d, 1);
	assert_string_equal(text_of(e, "name"), "hero.psd");
	assert_string_equal(text_of(e, "type"), "file");
	assert_string_equal(text_of(e, "mode"), "0644");
	assert_int_equal(json_integer_value(json_object_get(e, "size")), 8);
	assert_int_equal(strlen(text_of(e, "digest")), 32);
	assert_int_equal(strlen(text_of(e, "mtime")), 20);
	json_decref(d);
	OK(w, "ls", "-C", "art", w->first, "chars");
	assert_non_null(strstr(out(w), "bob.txt"));
	assert_null(strstr(out(w), "hero"));
	OK(w, "ls", "-C", "art", "latest", "hero.psd");
	assert_non_null(strstr(out(w), " 16 "));
	FAILS(w, 1, "no-such", "ls", "-C", "art", "no-such");
	FAILS(w, 1, "nowhere", "ls", "-C", "art", "latest", "nowhere");
}

static void cat_writes_the_bytes_of_then(void **state)
{
	struct world *w = *state;

	OK(w, "cat", "-C", "art", w->first, "hero.psd");
	assert_string_equal(out(w), "hero one");
	OK(w, "cat", "-C", "art", "latest", "hero.psd");
	assert_string_equal(out(w), "hero two, longer");
	OK(w, "cat", "-C", "art", "previous", "chars/bob.txt");
	assert_string_equal(out(w), "bob one");
	OK(w, "cat", "-C", "art/chars", w->first, "../hero.psd");
	assert_string_equal(out(w), "hero one");
	OK(w, "cat", "-C", "art/chars", w->first, "./bob.txt");
	assert_string_equal(out(w), "bob one");
	FAILS(w, 1, "folder", "cat", "-C", "art", "latest", "chars");
	FAILS(w, 1, "not there", "cat", "-C", "art", "latest", "never.psd");
	FAILS(w, 1, "1999", "cat", "-C", "art", "1999-01-01", "hero.psd");
	FAILS(w, 1, "now", "cat", "-C", "art", "now", "hero.psd");
}

static void an_absolute_path_works_and_stays_inside(void **state)
{
	struct world *w = *state;
	char path[512];

	snprintf(path, sizeof(path), "%s/art/hero.psd", w->s.path);
	OK(w, "cat", "-C", "art/chars", w->first, path);
	assert_string_equal(out(w), "hero one");
	FAILS(w, 1, "outside", "cat", "-C", "art", "latest", "/etc/passwd");
	FAILS(w, 1, "outside", "cat", "-C", "art", "latest", "../out");
	FAILS(w, 1, "outside", "cat", "-C", "art", "latest",
	      "chars/../../art/hero.psd");
	FAILS(w, 1, "view", "cat", "-C", "art", "latest", ".history/x");
	FAILS(w, 1, "vault", "cat", "-C", "art", "latest", ".artvault/config");
}

static void a_name_that_is_no_utf8_gives_valid_json(void **state)
{
	struct world *w = *state;
	json_t *d;

	world_write(w, "art/odd/b\xFF.txt", "odd");
	OK(w, "sync", "art");
	OK(w, "ls", "-C", "art", "--json", "latest", "odd");
	d = json_of(w);
	assert_string_equal(text_of(json_array_get(d, 0), "name"),
			    "b\xEF\xBF\xBD.txt");
	assert_string_equal(text_of(json_array_get(d, 0), "name_bytes"),
			    "b%FF.txt");
	json_decref(d);
	OK(w, "cat", "-C", "art", "latest", "odd/b\xFF.txt");
	assert_string_equal(out(w), "odd");
}

/* ---- snapshots ---- */

static void a_snapshot_names_what_is_pending_too(void **state)
{
	struct world *w = *state;
	const json_t *m;
	json_t *d;

	world_write(w, "art/hero.psd", "hero three");
	OK(w, "snapshot", "-C", "art", "-m", "for Ana", "--tag", "client",
	   "--tag", "final", "review");
	assert_int_equal(w->ran.out.len, strlen(w->first) + 1);
	OK(w, "cat", "-C", "art", "review", "hero.psd");
	assert_string_equal(out(w), "hero three");
	OK(w, "log", "-C", "art", "--json", "--tag", "client");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	m = json_array_get(d, 0);
	assert_string_equal(text_of(m, "note"), "for Ana");
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(m, "names"), 0)),
			    "review");
	assert_int_equal(json_array_size(json_object_get(m, "tags")), 2);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--tag", "other");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 0);
	json_decref(d);
	OK(w, "log", "-C", "art", "--json", "--tag", "final", "hero.psd");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 1);
	json_decref(d);
}

static void names_that_cannot_be_given_are_refused(void **state)
{
	static const char *const bad[] = { "a..b", ".x", "@x",	  "2020-01-01",
					   "a/b",  "",	 "today", "a\nb" };
	struct world *w = *state;
	json_t *d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		run(w, "snapshot", "-C", "art", bad[i], NULL);
		expect_code(w, 1);
		assert_true(w->ran.err.len > 0);
	}
	OK(w, "snapshot", "-C", "art", "good");
	FAILS(w, 1, "exists", "snapshot", "-C", "art", "good");
	/* Nothing had changed: the name is the latest moment's. */
	OK(w, "log", "-C", "art", "--json");
	d = json_of(w);
	assert_int_equal(json_array_size(d), 2);
	json_decref(d);
}

static void a_removed_name_comes_back(void **state)
{
	struct world *w = *state;

	OK(w, "snapshot", "-C", "art", "one");
	OK(w, "unsnapshot", "-C", "art", "one");
	FAILS(w, 1, "one", "cat", "-C", "art", "one", "hero.psd");
	FAILS(w, 1, "no snapshot", "unsnapshot", "-C", "art", "one");
	OK(w, "unsnapshot", "--undo", "-C", "art", "one");
	OK(w, "cat", "-C", "art", "one", "hero.psd");
	assert_string_equal(out(w), "hero two, longer");
	FAILS(w, 1, "other", "unsnapshot", "--undo", "-C", "art", "other");
}

/* ---- status, ignored ---- */

static void status_has_its_members(void **state)
{
	struct world *w = *state;
	json_t *d;

	OK(w, "status", "-C", "art", "--json");
	d = json_of(w);
	assert_int_equal(json_integer_value(json_object_get(d, "pending")), 0);
	assert_true(json_is_array(json_object_get(d, "not_kept")));
	assert_string_equal(text_of(d, "live_path"), "not mounted");
	assert_true(json_integer_value(json_object_get(d, "vault_bytes")) > 0);
	/* one: 8 + 7 + 4, two: 16 + 7 */
	assert_int_equal(
		json_integer_value(json_object_get(d, "logical_bytes")), 42);
	assert_true(json_is_real(json_object_get(d, "ratio")));
	assert_int_equal(json_integer_value(json_object_get(d, "moments")), 2);
	assert_true(json_is_false(json_object_get(d, "mounted")));
	json_decref(d);
	OK(w, "status", "-C", "art");
	assert_non_null(strstr(out(w), "not mounted"));
}

static void ignored_says_what_and_why(void **state)
{
	struct world *w = *state;

	OK(w, "ignored", "-C", "art");
	assert_non_null(strchr(out(w), '\n'));
	world_write(w, "art/.artvaultignore", "*.bak\n");
	OK(w, "ignored", "-C", "art", "hero.psd", "x.bak");
	assert_non_null(strstr(out(w), "hero.psd: kept"));
	assert_non_null(strstr(out(w), "x.bak: left out: a rule"));
	OK(w, "ignored", "-C", "art", "chars", ".");
	assert_non_null(strstr(out(w), "chars: kept"));
	run(w, "ignored", "-C", "art", "../x", "hero.psd", NULL);
	expect_code(w, 1);
	assert_non_null(strstr(out(w), "hero.psd: kept"));
}

/* ---- for people ---- */

static void people_get_lines_of_text(void **state)
{
	struct world *w = *state;

	OK(w, "snapshot", "-C", "art", "-m", "for Ana\x1b[31m", "--tag",
	   "client", "review");
	OK(w, "snapshot", "-C", "art", "second-name");
	OK(w, "log", "-C", "art");
	assert_non_null(strstr(out(w), "review #client  for Ana\\x1B[31m"));
	assert_non_null(strstr(out(w), "; second-name"));
	assert_null(strchr(out(w), 0x1b));
	OK(w, "status", "-C", "art");
	assert_non_null(strstr(out(w), "vault size"));
	assert_non_null(strstr(out(w), "ratio"));
	OK(w, "check", "-C", "art");
	assert_string_equal(out(w), "clean\n");
}

static void every_kind_of_entry_is_listed(void **state)
{
	struct world *w = *state;
	const json_t *e;
	json_t *d;
	size_t i;

	vault_scratch_mkdirs(w->s.fd, "art/kinds");
	assert_int_equal(mkfifoat(w->s.fd, "art/kinds/fifo", 0600), 0);
	assert_int_equal(symlinkat("nowhere", w->s.fd, "art/kinds/link"), 0);
	world_write(w, "art/kinds/tool", "#!");
	assert_int_equal(fchmodat(w->s.fd, "art/kinds/tool", 07755, 0), 0);
	OK(w, "sync", "art");
	OK(w, "ls", "-C", "art", "latest", "kinds");
	assert_non_null(strstr(out(w), "prw-------"));
	assert_non_null(strstr(out(w), "lrwxrwxrwx"));
	assert_non_null(strstr(out(w), "-rwsr-sr-t"));
	OK(w, "ls", "-C", "art", "--json", "latest", "kinds");
	d = json_of(w);
	json_array_foreach(d, i, e)
	{
		static const char *const types[] = { "fifo", "symlink",
						     "file" };

		assert_string_equal(text_of(e, "type"), types[i]);
		assert_string_equal(text_of(e, "name"), i == 0	 ? "fifo"
							: i == 1 ? "link"
								 : "tool");
	}
	assert_int_equal(json_array_size(d), 3);
	json_decref(d);
	FAILS(w, 1, "regular", "cat", "-C", "art", "latest", "kinds/link");
	FAILS(w, 1, "regular", "cat", "-C", "art", "latest", "kinds/fifo");
}

/* Run on a terminal; what the terminal saw. */
static int run_on_terminal(struct world *w, struct vault_buf *seen, ...)
{
	char *argv[10] = { (char[]){ "artvault" } };
	char piece[512];
	va_list args;
	int status;
	pid_t pid;
	ssize_t n;
	int fd;

	va_start(args, seen);
	for (int i = 1; i < 9 && (argv[i] = va_arg(args, char *)) != NULL;)
		i++;
	va_end(args);
	pid = forkpty(&fd, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		if (chdir(w->s.path) == 0)
			execv(ARTVAULT, argv);
		_exit(99);
	}
	vault_buf_clear(seen);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		assert_int_equal(
			vault_buf_append(seen, vault_span(piece, (size_t)n)),
			VAULT_OK);
	close(fd);
	assert_non_null(vault_buf_cstr(seen));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_terminal_sees_how_far_it_is(void **state)
{
	struct vault_buf seen = VAULT_BUF_INIT;
	struct world *w = *state;
	char name[64];

	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "art/many/%d", i);
		world_write(w, name, name);
	}
	assert_int_equal(run_on_terminal(w, &seen, "sync", "art", NULL), 0);
	assert_non_null(strstr((char *)seen.data, "\r["));
	assert_non_null(strstr((char *)seen.data, "###] 1,5"));
	assert_non_null(strstr((char *)seen.data, " files"));
	assert_int_equal(
		run_on_terminal(w, &seen, "check", "--data", "-C", "art", NULL),
		0);
	assert_non_null(strstr((char *)seen.data, "clean"));
	assert_int_equal(run_on_terminal(w, &seen, "snapshot", "-C", "art",
					 "named", NULL),
			 0);
	vault_buf_release(&seen);
}

static void watching_goes_on_until_interrupted(void **state)
{
	char *argv[] = { (char[]){ "artvault" },
			 (char[]){ "status" },
			 (char[]){ "--watch" },
			 (char[]){ "--json" },
			 (char[]){ "-C" },
			 (char[]){ "art" },
			 NULL };
	struct world *w = *state;
	int status;
	pid_t pid;

	pid = ran_start(&w->s, argv);
	usleep(1500000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGINT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(wrong_words_exit_2_and_64_of_check),
		WORLD_TEST(every_command_has_help),
		WORLD_TEST(log_is_an_array_of_moments_newest_first),
		WORLD_TEST(since_and_until_cut_the_log),
		WORLD_TEST(a_date_after_since_means_its_first_second),
		WORLD_TEST(log_of_a_path_has_its_distinct_versions),
		WORLD_TEST(log_of_a_path_goes_through_renames_and_deletion),
		WORLD_TEST(ls_shows_a_folder_as_it_was),
		WORLD_TEST(cat_writes_the_bytes_of_then),
		WORLD_TEST(an_absolute_path_works_and_stays_inside),
		WORLD_TEST(a_name_that_is_no_utf8_gives_valid_json),
		WORLD_TEST(a_snapshot_names_what_is_pending_too),
		WORLD_TEST(names_that_cannot_be_given_are_refused),
		WORLD_TEST(a_removed_name_comes_back),
		WORLD_TEST(status_has_its_members),
		WORLD_TEST(ignored_says_what_and_why),
		WORLD_TEST(people_get_lines_of_text),
		WORLD_TEST(every_kind_of_entry_is_listed),
		WORLD_TEST(a_terminal_sees_how_far_it_is),
		WORLD_TEST(watching_goes_on_until_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
