/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/log.h"
#include "tests/support/scratch.h"
#include "versions/glob.h"
#include "versions/ignore.h"

static bool glob(const char *pattern, const char *text)
{
	return vault_glob_match(vault_span_str(pattern), vault_span_str(text));
}

static enum vault_ignore_why ask(struct vault_ignore *g, const char *path)
{
	return vault_ignore_ask(g, vault_span_str(path), false);
}

static enum vault_ignore_why ask_dir(struct vault_ignore *g, const char *path)
{
	return vault_ignore_ask(g, vault_span_str(path), true);
}

static struct vault_ignore *load(void **state, const char *rules)
{
	struct vault_scratch *s = *state;
	struct vault_ignore *g = NULL;

	if (rules != NULL)
		vault_scratch_write_str(s->fd, ".artvaultignore", rules);
	assert_int_equal(vault_ignore_load(s->fd, &g), VAULT_OK);
	return g;
}

static void wildcards_stop_at_slashes(void **state)
{
	(void)state;
	assert_true(glob("*", "abc"));
	assert_true(glob("*", ""));
	assert_false(glob("*", "a/b"));
	assert_true(glob("a?c", "abc"));
	assert_false(glob("a?c", "a/c"));
	assert_true(glob("*.psd", ".psd"));
	assert_true(glob("a*b*c", "aXbXbXc"));
	assert_false(glob("a*b*c", "aXbXbX"));
	assert_false(glob("a[!x]c", "a/c"));
}

static void double_stars_stand_for_directories(void **state)
{
	(void)state;
	assert_true(glob("**/a", "a"));
	assert_true(glob("**/a", "x/y/a"));
	assert_false(glob("**/a", "x/ya"));
	assert_true(glob("a/**", "a/b"));
	assert_true(glob("a/**", "a/b/c"));
	assert_false(glob("a/**", "a"));
	assert_true(glob("a/**/b", "a/b"));
	assert_true(glob("a/**/b", "a/x/y/b"));
	assert_false(glob("a/**/b", "a/x/yb"));
	assert_true(glob("a/**/b*/c", "a/b1/x/b2/c"));
	assert_true(glob("**/x/**/y", "p/x/q/x/r/y"));
	/* Without slashes around it, it is two ordinary stars. */
	assert_true(glob("a**b", "axxb"));
	assert_false(glob("a**b", "ax/xb"));
}

static void brackets_hold_ranges_classes_and_escapes(void **state)
{
	(void)state;
	assert_true(glob("[abc]", "b"));
	assert_false(glob("[abc]", "d"));
	assert_true(glob("[a-c]x", "bx"));
	assert_true(glob("[!a-c]", "d"));
	assert_true(glob("[^a-c]", "d"));
	assert_false(glob("[^a-c]", "a"));
	assert_true(glob("[]]", "]"));
	assert_true(glob("[!]]", "x"));
	assert_true(glob("[a-]", "-"));
	assert_true(glob("[\\]]", "]"));
	assert_true(glob("[[:digit:]x]", "7"));
	assert_true(glob("[[:digit:]x]", "x"));
	assert_false(glob("[[:digit:]]", "a"));
	assert_true(glob("\\*", "*"));
	assert_false(glob("\\*", "a"));
}

static void broken_patterns_match_nothing(void **state)
{
	static const char *const broken[] = { "[abc", "a\\", "[",
					      "[!",   "[]",  "x[[:digit:]" };

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		assert_false(vault_glob_is_valid(vault_span_str(broken[i])));
		assert_false(glob(broken[i], broken[i]));
		assert_false(glob(broken[i], "a"));
	}
	assert_true(vault_glob_is_valid(vault_span_str("[]a]\\[")));
}

static void a_hostile_pattern_ends(void **state)
{
	char pattern[401];
	char text[2001];

	(void)state;
	for (size_t i = 0; i < 400; i += 2)
		memcpy(pattern + i, "a*", 2);
	memcpy(pattern + 398, "b", 2);
	memset(text, 'a', 2000);
	text[2000] = '\0';
	assert_false(glob(pattern, text));
}

static void temporary_names_of_applications_are_left_out(void **state)
{
	static const char *const names[] = {
		"hero.blend@",
		".goutputstream-A1B2C3",
		"hero.kra.AbCdEf",
		".hero.kra-autosave.kra",
		".~lock.sheet.ods#",
		"~$book.docx",
		".~hero",
		"x.tmp",
		"X.TMP",
		"~psA1.psd",
		"ps12AB.tmp",
		"~ai3.ai",
		"pack.zip.part",
		"pack.zip.crdownload",
		"lu12345.tmp",
		".scene.ma.swp",
		".scene.ma.swx",
		"4913",
		"~book.idlk",
		".notes.kate-swp",
		".nfs000012",
		".fuse_hidden0001",
		"hero.psd.sb-1a2b3c4d-AbCdEf",
		".DS_Store",
		"._hero.psd",
		"Thumbs.db",
		"desktop.ini",
		".artvault-restore-00ff00.tmp",
	};
	struct vault_ignore *g = load(state, NULL);
	char deep[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(ask(g, names[i]), VAULT_IGNORE_TEMPORARY);
		snprintf(deep, sizeof(deep), "chars/a/%s", names[i]);
		assert_int_equal(ask(g, deep), VAULT_IGNORE_TEMPORARY);
	}
	vault_ignore_destroy(g);
}

static void works_of_art_are_kept(void **state)
{
	static const char *const names[] = {
		"hero.psd",   "hero.psd~",  "hero.blend", "hero.blend1",
		"hero.kra",   "hero.kra~",  "ps.tmpl",	  "49130",
		"Library",    "Temp",	    "obj",	  "autoback/a.max",
		".gitignore", ".git/index", "tmp",	  "hero~ps.psd",
	};
	struct vault_ignore *g = load(state, NULL);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(ask(g, names[i]), VAULT_IGNORE_NOT);
		assert_int_equal(ask_dir(g, names[i]), VAULT_IGNORE_NOT);
	}
	vault_ignore_destroy(g);
}

static void the_default_list_says_what_it_does(void **state)
{
	static const char *const listed[] = { "*.blend@",
					      "*.sb-\?\?\?\?\?\?\?\?-",
					      "*.kra.??????", "ps????.tmp",
					      ".godot/" };

	(void)state;
	for (size_t i = 0; i < sizeof(listed) / sizeof(*listed); i++)
		assert_non_null(strstr(vault_ignore_defaults(), listed[i]));
}

static void views_and_vaults_are_ours(void **state)
{
	struct vault_ignore *g = load(state, "!.history\n!.artvault\n");

	assert_int_equal(ask_dir(g, ".artvault"), VAULT_IGNORE_OURS);
	assert_int_equal(ask(g, ".artvault/packs/1.pack"), VAULT_IGNORE_OURS);
	assert_int_equal(ask_dir(g, ".history"), VAULT_IGNORE_OURS);
	assert_int_equal(ask_dir(g, ".timeline"), VAULT_IGNORE_OURS);
	assert_int_equal(ask_dir(g, "sub/.artvault"), VAULT_IGNORE_OURS);
	/* A real one deeper down shadows the view and is kept. */
	assert_int_equal(ask_dir(g, "sub/.history"), VAULT_IGNORE_NOT);
	vault_ignore_destroy(g);
}

static void anchors_bind_to_the_directory_of_the_file(void **state)
{
	struct vault_ignore *g = load(state, "/top\nsub/inner\nany\n");

	assert_int_equal(ask(g, "top"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "a/top"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "sub/inner"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "a/sub/inner"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "a/b/any"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void a_trailing_slash_means_directories_only(void **state)
{
	struct vault_ignore *g = load(state, "render/\n");

	assert_int_equal(ask_dir(g, "render"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "render"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "a/render/frame1.exr"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void the_last_rule_wins_and_a_bang_takes_back(void **state)
{
	struct vault_ignore *g =
		load(state, "*.exr\n!keep.exr\n!*.tmp\nzap*\n!zap\n");

	assert_int_equal(ask(g, "a.exr"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "keep.exr"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "x.tmp"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "zap"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "zapped"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void nothing_below_an_ignored_directory_comes_back(void **state)
{
	struct vault_ignore *g = load(state, "out/\n!out/keep\nlog/*\n"
					     "!log/keep\n");

	assert_int_equal(ask(g, "out/keep"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "log/keep"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "log/drop"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void deeper_files_win(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_ignore *g;

	vault_scratch_write_str(s->fd, "a/.artvaultignore", "!*.exr\n/b\n");
	vault_scratch_write_str(s->fd, "a/c/.artvaultignore", "*.exr\n");
	g = load(state, "*.exr\n");
	assert_int_equal(ask(g, "x.exr"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "a/x.exr"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "a/b"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "a/c/b"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "a/c/x.exr"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void comments_blanks_and_escapes_are_read_as_git_does(void **state)
{
	struct vault_ignore *g =
		load(state, "\xEF\xBB\xBF"
			    "first\n# no\n\n   \n\\#hash\n"
			    "\\!bang\ntrail   \nheld\\ \nwin\r\nlast");

	assert_int_equal(ask(g, "first"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "# no"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "#hash"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "!bang"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "trail"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "held "), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "held"), VAULT_IGNORE_NOT);
	assert_int_equal(ask(g, "win"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "last"), VAULT_IGNORE_RULE);
	vault_ignore_destroy(g);
}

static void keep_line(void *ctx, enum vault_log_level level, const char *line)
{
	(void)level;
	snprintf(ctx, 256, "%s", line);
}

static void a_malformed_line_is_named_and_the_others_hold(void **state)
{
	char line[256] = "";
	struct vault_ignore *g;

	vault_log_set_sink(keep_line, line);
	g = load(state, "good\n[bad\nalso\n");
	assert_int_equal(ask(g, "good"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "also"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "[bad"), VAULT_IGNORE_NOT);
	vault_log_set_sink(NULL, NULL);
	assert_non_null(strstr(line, ".artvaultignore:2"));
	vault_ignore_destroy(g);
}

static void caches_of_engines_count_only_where_the_engine_is(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_ignore *g;

	vault_scratch_write_str(
		s->fd, "game/ProjectSettings/ProjectVersion.txt", "6000");
	vault_scratch_write_str(s->fd, "ue/Config/DefaultEngine.ini", "");
	g = load(state, NULL);
	assert_int_equal(ask_dir(g, "game/Library"), VAULT_IGNORE_CACHE);
	assert_int_equal(ask(g, "game/Library/a/b"), VAULT_IGNORE_CACHE);
	assert_int_equal(ask_dir(g, "game/Assets/Library"), VAULT_IGNORE_NOT);
	assert_int_equal(ask_dir(g, "Library"), VAULT_IGNORE_NOT);
	assert_int_equal(ask_dir(g, "ue/Saved/Logs"), VAULT_IGNORE_CACHE);
	assert_int_equal(ask_dir(g, "ue/Saved/Autosaves"), VAULT_IGNORE_NOT);
	assert_int_equal(ask_dir(g, "ue/Intermediate"), VAULT_IGNORE_CACHE);
	assert_int_equal(ask_dir(g, "Intermediate"), VAULT_IGNORE_NOT);
	assert_int_equal(ask_dir(g, "x/.godot"), VAULT_IGNORE_CACHE);
	vault_ignore_destroy(g);
}

static void a_reload_sees_the_new_rules(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_ignore *g = load(state, "old\n");

	assert_int_equal(ask(g, "old"), VAULT_IGNORE_RULE);
	vault_scratch_write_str(s->fd, ".artvaultignore", "new\n");
	assert_int_equal(ask(g, "new"), VAULT_IGNORE_NOT);
	vault_ignore_reload(g);
	assert_int_equal(ask(g, "new"), VAULT_IGNORE_RULE);
	assert_int_equal(ask(g, "old"), VAULT_IGNORE_NOT);
	vault_ignore_destroy(g);
}

static void a_linked_rule_file_is_not_followed(void **state)
{
	struct vault_scratch *s = *state;
	struct vault_ignore *g;

	vault_scratch_write_str(s->fd, "elsewhere", "hero\n");
	assert_int_equal(symlinkat("elsewhere", s->fd, ".artvaultignore"), 0);
	g = load(state, NULL);
	assert_int_equal(ask(g, "hero"), VAULT_IGNORE_NOT);
	vault_ignore_destroy(g);
}

static void many_directories_stay_right(void **state)
{
	struct vault_ignore *g = load(state, "drop\n");
	char path[64];

	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "d%d/e%d/drop", i % 50, i);
		assert_int_equal(ask(g, path), VAULT_IGNORE_RULE);
		snprintf(path, sizeof(path), "d%d/e%d/keep", i % 50, i);
		assert_int_equal(ask(g, path), VAULT_IGNORE_NOT);
	}
	vault_ignore_destroy(g);
}

static bool backup(const char *path)
{
	return vault_ignore_is_backup(vault_span_str(path));
}

static void backups_are_known(void **state)
{
	(void)state;
	assert_true(backup("hero.psd~"));
	assert_true(backup("a/hero.blend1"));
	assert_true(backup("hero.blend12"));
	assert_true(backup("autoback/scene.max"));
	assert_true(backup("a/incrementalSave/s.ma/s.0001.ma"));
	assert_true(backup("backup/shot_bak3.hip"));
	assert_false(backup("hero.blend"));
	assert_false(backup("hero.psd"));
	assert_false(backup("autoback"));
}

int main(void)
{
#define T(f)                                                    \
	cmocka_unit_test_setup_teardown(f, vault_scratch_setup, \
					vault_scratch_teardown)
	const struct CMUnitTest tests[] = {
		T(wildcards_stop_at_slashes),
		T(double_stars_stand_for_directories),
		T(brackets_hold_ranges_classes_and_escapes),
		T(broken_patterns_match_nothing),
		T(a_hostile_pattern_ends),
		T(temporary_names_of_applications_are_left_out),
		T(works_of_art_are_kept),
		T(the_default_list_says_what_it_does),
		T(views_and_vaults_are_ours),
		T(anchors_bind_to_the_directory_of_the_file),
		T(a_trailing_slash_means_directories_only),
		T(the_last_rule_wins_and_a_bang_takes_back),
		T(nothing_below_an_ignored_directory_comes_back),
		T(deeper_files_win),
		T(comments_blanks_and_escapes_are_read_as_git_does),
		T(a_malformed_line_is_named_and_the_others_hold),
		T(caches_of_engines_count_only_where_the_engine_is),
		T(a_reload_sees_the_new_rules),
		T(a_linked_rule_file_is_not_followed),
		T(many_directories_stay_right),
		T(backups_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
