/* SPDX-License-Identifier: Apache-2.0 */

/* Commands on vaults that are full, elsewhere, damaged, or not there. */
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
#include <jansson.h>

#include "tests/fs/world.h"

static void without_room_nothing_is_kept_and_all_say_so(void **state)
{
	struct world *w = *state;
	struct vault_buf config = VAULT_BUF_INIT;

	vault_scratch_read(w->s.fd, "art/.artvault/config", &config);
	assert_int_equal(vault_buf_append_str(&config, "min_free=1000T\n"),
			 VAULT_OK);
	vault_scratch_write(w->s.fd, "art/.artvault/config",
			    vault_buf_span(&config));
	vault_buf_release(&config);
	world_write(w, "art/hero.psd", "three");
	FAILS(w, 1, "paused", "sync", "art");
	FAILS(w, 1, "paused", "snapshot", "-C", "art", "named");
	FAILS(w, 1, "paused", "restore", "-C", "art", "--at", w->first,
	      "--replace", "hero.psd");
	world_expect(w, "art/hero.psd", "three");
	OK(w, "cat", "-C", "art", "latest", "hero.psd");
}

static void a_vault_of_somebody_else_is_refused_by_name(void **state)
{
	struct world *w = *state;
	char command[1400];

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(w->s.path, 0755), 0);
	snprintf(command, sizeof(command),
		 "setpriv --reuid 4321 --regid 4321 --clear-groups %s -C "
		 "%s/art log 2>%s/err",
		 ARTVAULT, w->s.path, w->s.path);
	assert_int_equal(system(command) >> 8, 1);
	vault_scratch_read(w->s.fd, "err", &w->ran.err);
	assert_non_null(vault_buf_cstr(&w->ran.err));
	assert_non_null(strstr(err(w), ".artvault"));
	assert_non_null(strstr(err(w), "ermission denied"));
}

static void what_is_not_mounted_is_not_unmounted(void **state)
{
	struct world *w = *state;

	FAILS(w, 1, "not mounted", "-C", "art", "unmount");
	FAILS(w, 1, "art", "unmount", "art");
	FAILS(w, 1, "none", "-C", "none", "unmount", "art");
	FAILS(w, 1, "none", "-C", "none", "mount", "art");
	FAILS(w, 1, "none", "mount", "none");
}

static void a_vault_anywhere_else_does_as_well(void **state)
{
	struct world *w = *state;

	world_write(w, "two/f.txt", "else");
	OK(w, "sync", "--vault", "kept", "two");
	assert_false(vault_scratch_exists(w->s.fd, "two/.artvault"));
	OK(w, "cat", "--vault", "kept", "latest", "f.txt");
	assert_string_equal(out(w), "else");
	OK(w, "--vault", "kept", "check", "--data");
	vault_scratch_remove(w->s.fd, "two");
	OK(w, "cat", "--vault=kept", "latest", "f.txt");
	assert_string_equal(out(w), "else");
	FAILS(w, 1, "not there", "sync", "--vault", "kept");
	OK(w, "restore", "--vault", "kept", "--at", "latest", ".", "--to",
	   "two");
	world_expect(w, "two/f.txt", "else");
}

static void without_a_vault_the_way_on_is_named(void **state)
{
	struct world *w = *state;

	world_write(w, "plain/f", "f");
	FAILS(w, 1, "artvault mount", "log", "-C", "plain");
	FAILS(w, 64, "artvault mount", "check", "-C", "plain");
	FAILS(w, 1, "artvault mount", "rebuild-index", "-C", "plain");
	FAILS(w, 1, "none", "log", "--vault", "none");
	FAILS(w, 1, "none", "log", "-C", "none");
	/* In a folder that nobody named nothing is begun. */
	FAILS(w, 1, "artvault mount", "sync");
}

static void check_is_clean_then_repairable_then_lost(void **state)
{
	struct world *w = *state;
	struct vault_scratch_random r = vault_scratch_seed(7);
	struct vault_buf big = VAULT_BUF_INIT;
	bool seen = false;
	const json_t *v;
	json_t *d;
	size_t i;

	vault_scratch_bytes(&r, &big, 400000);
	vault_scratch_write(w->s.fd, "art/big.psd", vault_buf_span(&big));
	OK(w, "sync", "art");
	OK(w, "check", "-C", "art");
	OK(w, "check", "--data", "--json", "-C", "art");
	d = json_of(w);
	assert_string_equal(text_of(d, "result"), "clean");
	assert_int_equal(json_array_size(json_object_get(d, "findings")), 0);
	assert_int_equal(json_array_size(json_object_get(d, "versions")), 0);
	json_decref(d);

	/* Most of the pack is the big file: its middle is in there. */
	vault_scratch_flip(
		w->s.fd, "art/.artvault/packs/00000001.pack",
		vault_scratch_size(w->s.fd,
				   "art/.artvault/packs/00000001.pack") /
			2,
		0x40);
	run(w, "check", "--data", "--json", "-C", "art", NULL);
	expect_code(w, 2);
	d = json_of(w);
	assert_string_equal(text_of(d, "result"), "lost");
	assert_true(json_array_size(json_object_get(d, "findings")) > 0);
	json_array_foreach(json_object_get(d, "versions"), i, v)
	{
		assert_string_equal(text_of(v, "path"), "big.psd");
		assert_true(strlen(text_of(v, "reason")) > 0);
		seen = true;
	}
	assert_true(seen);
	json_decref(d);
	run(w, "check", "--data", "-C", "art", NULL);
	expect_code(w, 2);
	assert_non_null(strstr(out(w), "lost: big.psd"));
	assert_non_null(strstr(out(w), "damaged"));
	run(w, "restore", "-C", "art", "--at", "latest", ".", "--to", "part",
	    NULL);
	expect_code(w, 1);
	world_expect(w, "part/hero.psd", "hero two, longer");
	assert_false(vault_scratch_exists(w->s.fd, "part/big.psd"));
	/* No byte of it comes out wrong, and the others are untouched. */
	FAILS(w, 1, "big.psd", "cat", "-C", "art", "latest", "big.psd");
	OK(w, "cat", "-C", "art", w->first, "hero.psd");
	assert_string_equal(out(w), "hero one");
	run(w, "restore", "-C", "art", "--at", "latest", "big.psd", "--replace",
	    NULL);
	expect_code(w, 1);
	vault_scratch_expect(w->s.fd, "art/big.psd", vault_buf_span(&big));
	vault_buf_release(&big);
}

/* Exit code 1: damage, but nothing lost by it. */
static void damage_without_a_loss_is_repairable(void **state)
{
	static const char pack[] = "art/.artvault/packs/00000001.pack";
	struct world *w = *state;
	json_t *d;

	vault_scratch_flip(w->s.fd, pack, 3, 0x40);
	run(w, "check", "--json", "-C", "art", NULL);
	expect_code(w, 1);
	d = json_of(w);
	assert_string_equal(text_of(d, "result"), "repairable");
	assert_int_equal(json_array_size(json_object_get(d, "findings")), 1);
	assert_int_equal(json_array_size(json_object_get(d, "versions")), 0);
	json_decref(d);
	run(w, "check", "-C", "art", NULL);
	expect_code(w, 1);
	assert_non_null(strstr(out(w), "nothing is lost"));
	OK(w, "cat", "-C", "art", w->first, "hero.psd");
	assert_string_equal(out(w), "hero one");
}

static void an_index_that_is_gone_is_made_again(void **state)
{
	struct world *w = *state;

	OK(w, "rebuild-index", "-C", "art");
	OK(w, "check", "--data", "-C", "art");
	vault_scratch_remove(w->s.fd, "art/.artvault/index");
	OK(w, "cat", "-C", "art", w->first, "hero.psd");
	assert_string_equal(out(w), "hero one");
}

static void a_project_with_a_view_of_its_own_is_not_captured(void **state)
{
	struct world *w = *state;

	world_write(w, "art/.history/mine", "mine");
	FAILS(w, 1, ".history", "sync", "art");
	FAILS(w, 1, ".history", "mount", "art");
	/* What was kept can still be had. */
	OK(w, "cat", "-C", "art", "latest", "hero.psd");
}

static void an_output_that_is_closed_is_no_success(void **state)
{
	struct world *w = *state;
	char command[1200];

	snprintf(command, sizeof(command),
		 "%s cat -C %s/art latest hero.psd >/dev/full 2>%s/err",
		 ARTVAULT, w->s.path, w->s.path);
	assert_int_equal(system(command) >> 8, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(without_room_nothing_is_kept_and_all_say_so),
		WORLD_TEST(a_vault_of_somebody_else_is_refused_by_name),
		WORLD_TEST(what_is_not_mounted_is_not_unmounted),
		WORLD_TEST(a_vault_anywhere_else_does_as_well),
		WORLD_TEST(without_a_vault_the_way_on_is_named),
		WORLD_TEST(check_is_clean_then_repairable_then_lost),
		WORLD_TEST(damage_without_a_loss_is_repairable),
		WORLD_TEST(an_index_that_is_gone_is_made_again),
		WORLD_TEST(a_project_with_a_view_of_its_own_is_not_captured),
		WORLD_TEST(an_output_that_is_closed_is_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
