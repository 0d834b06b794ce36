/* SPDX-License-Identifier: Apache-2.0 */

/* Finding a project from wherever its user stands, and every refusal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/project.h"
#include "store/base/log.h"
#include "tests/support/scratch.h"
#include "versions/config.h"

/* The last line that was logged. */
static char said[8192];

static void keep_line(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	snprintf(said, sizeof(said), "%s", line);
}

static int setup(void **state)
{
	said[0] = '\0';
	vault_log_set_sink(keep_line, NULL);
	return vault_scratch_setup(state);
}

static int teardown(void **state)
{
	vault_log_set_sink(NULL, NULL);
	return vault_scratch_teardown(state);
}

static struct vault_place place_of(const char *project, const char *vault)
{
	struct vault_place p;

	assert_int_equal(vault_project_place(project, vault, &p), VAULT_OK);
	return p;
}

/* Make a project `name` with a vault, at `vault` or in it. */
static void make_project(const struct vault_scratch *s, const char *name,
			 const char *vault)
{
	struct vault_project *p;
	struct vault_place place;

	vault_scratch_mkdirs(s->fd, name);
	place = place_of(vault_scratch_path(s, name), vault);
	assert_int_equal(vault_project_open(&place, true, &p), VAULT_OK);
	vault_project_close(p);
}

static vault_err open_place(const struct vault_place *place, bool create)
{
	struct vault_project *p;
	const vault_err err = vault_project_open(place, create, &p);

	if (err == VAULT_OK)
		vault_project_close(p);
	return err;
}

/* ---- finding ---- */

static void a_project_is_found_from_any_folder_in_it(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	make_project(s, "art", NULL);
	vault_scratch_mkdirs(s->fd, "art/chars/old");
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "art"), NULL, &p),
		VAULT_OK);
	assert_string_equal(p.project, vault_scratch_path(s, "art"));
	assert_string_equal(p.vault, vault_scratch_path(s, "art/.artvault"));
	assert_string_equal(p.inside, "");
	assert_string_equal(p.mount, "");
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "art/chars/old"), NULL,
				   &p),
		VAULT_OK);
	assert_string_equal(p.project, vault_scratch_path(s, "art"));
	assert_string_equal(p.inside, "chars/old");
}

static void a_link_to_a_folder_leads_to_its_project(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	make_project(s, "art", NULL);
	vault_scratch_mkdirs(s->fd, "art/chars");
	assert_int_equal(symlinkat("art/chars", s->fd, "short"), 0);
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "short"), NULL, &p),
		VAULT_OK);
	assert_string_equal(p.inside, "chars");
}

static void outside_of_any_project_the_way_on_is_named(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	vault_scratch_mkdirs(s->fd, "plain");
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "plain"), NULL, &p),
		VAULT_ERR_NOT_FOUND);
	assert_non_null(strstr(said, "artvault mount"));
	assert_non_null(strstr(said, vault_scratch_path(s, "plain")));
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "none"), NULL, &p),
		VAULT_ERR_NOT_FOUND);
}

static void who_can_make_a_vault_is_told_without_a_word(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	vault_scratch_mkdirs(s->fd, "plain");
	assert_int_equal(vault_project_find_quietly(
				 vault_scratch_path(s, "plain"), NULL, &p),
			 VAULT_ERR_NOT_FOUND);
	assert_int_equal(
		vault_project_find_quietly(vault_scratch_path(s, "plain"),
					   vault_scratch_path(s, "new"), &p),
		VAULT_ERR_NOT_FOUND);
	assert_string_equal(said, "");
	assert_int_equal(vault_project_find_quietly(
				 vault_scratch_path(s, "none"), NULL, &p),
			 VAULT_ERR_INVALID);
}

static void an_empty_folder_of_that_name_is_no_vault(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	vault_scratch_mkdirs(s->fd, "plain/.artvault");
	assert_int_equal(
		vault_project_find(vault_scratch_path(s, "plain"), NULL, &p),
		VAULT_ERR_NOT_FOUND);
}

static void a_vault_outside_leads_to_its_project(void **state)
{
	const struct vault_scratch *s = *state;
	char vault[PATH_MAX];
	struct vault_place p;

	snprintf(vault, sizeof(vault), "%s", vault_scratch_path(s, "kept"));
	make_project(s, "art", vault);
	vault_scratch_mkdirs(s->fd, "art/chars");
	assert_int_equal(vault_project_find(vault_scratch_path(s, "art/chars"),
					    vault, &p),
			 VAULT_OK);
	assert_string_equal(p.vault, vault);
	assert_string_equal(p.project, vault_scratch_path(s, "art"));
	assert_string_equal(p.inside, "chars");
	/* From elsewhere paths begin at the project. */
	assert_int_equal(vault_project_find("/", vault, &p), VAULT_OK);
	assert_string_equal(p.inside, "");
	/* And the vault is not in the project. */
	assert_false(vault_scratch_exists(s->fd, "art/.artvault"));
}

static void a_vault_in_its_project_needs_no_more_than_its_path(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place p;

	make_project(s, "art", NULL);
	assert_int_equal(
		vault_project_find("/", vault_scratch_path(s, "art/.artvault"),
				   &p),
		VAULT_OK);
	assert_string_equal(p.project, vault_scratch_path(s, "art"));
}

static void a_daemons_socket_is_found_by_the_vaults_uuid(void **state)
{
	const struct vault_scratch *s = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	struct vault_project *open;
	struct vault_place p;
	struct vault_place at;
	int fd;

	if (geteuid() != 0)
		setenv("XDG_RUNTIME_DIR", s->path, 1);
	make_project(s, "art", NULL);
	at = place_of(vault_scratch_path(s, "art"), NULL);
	assert_int_equal(vault_project_open(&at, false, &open), VAULT_OK);
	assert_int_equal(vault_project_socket_path(
				 vault_store_uuid(vault_tree_store(open->tree)),
				 true, path),
			 VAULT_OK);
	vault_project_close(open);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(strlen(path) < sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(vault_project_find(at.project, NULL, &p), VAULT_OK);
	assert_string_equal(p.socket, path);
	assert_int_equal(vault_project_find("/", at.vault, &p), VAULT_OK);
	assert_string_equal(p.socket, path);
	close(fd);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void a_socket_path_needs_a_uuid(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(vault_project_socket_path("../../etc", false, path),
			 VAULT_ERR_INVALID);
	assert_int_equal(vault_project_socket_path("", false, path),
			 VAULT_ERR_INVALID);
}

static void below_is_by_whole_names(void **state)
{
	(void)state;
	assert_string_equal(vault_project_below("/a/b", "/a/b"), "");
	assert_string_equal(vault_project_below("/a/b", "/a/b/c/d"), "c/d");
	assert_null(vault_project_below("/a/b", "/a/bc"));
	assert_null(vault_project_below("/a/b", "/a"));
	assert_string_equal(vault_project_below("/", "/a"), "a");
	assert_string_equal(vault_project_below("/", "/"), "");
}

/* ---- opening ---- */

static void a_new_vault_is_private_and_opens_again(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_project *p;
	struct vault_place place;
	struct stat st;

	make_project(s, "art", NULL);
	assert_int_equal(fstatat(s->fd, "art/.artvault", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	place = place_of(vault_scratch_path(s, "art"), NULL);
	assert_int_equal(vault_project_open(&place, false, &p), VAULT_OK);
	assert_string_equal(vault_project_vault_name(p), ".artvault");
	assert_null(p->capture);
	vault_project_close(p);
}

static void a_new_vault_leaves_the_projects_time_alone(void **state)
{
	const struct timespec times[2] = { { 1000000000, 5 },
					   { 1000000000, 5 } };
	const struct vault_scratch *s = *state;
	struct stat st;

	vault_scratch_mkdirs(s->fd, "art");
	assert_int_equal(utimensat(s->fd, "art", times, 0), 0);
	make_project(s, "art", NULL);
	assert_int_equal(fstatat(s->fd, "art", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
}

static void without_a_vault_nothing_is_made(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_mkdirs(s->fd, "art");
	place = place_of(vault_scratch_path(s, "art"), NULL);
	assert_int_equal(open_place(&place, false), VAULT_ERR_NOT_FOUND);
	assert_non_null(strstr(said, "no vault here"));
	assert_false(vault_scratch_exists(s->fd, "art/.artvault"));
}

static void a_real_entry_named_like_a_view_is_refused(void **state)
{
	static const char *const names[] = { ".history", ".diff", ".layers",
					     ".timeline" };
	const struct vault_scratch *s = *state;

	for (size_t i = 0; i < 4; i++) {
		char name[64];
		struct vault_place place;

		snprintf(name, sizeof(name), "art%zu/%s", i, names[i]);
		vault_scratch_write_str(s->fd, name, "mine");
		*strchr(name, '/') = '\0';
		place = place_of(vault_scratch_path(s, name), NULL);
		assert_int_equal(open_place(&place, true), VAULT_ERR_EXISTS);
		assert_non_null(strstr(said, names[i]));
		assert_non_null(strstr(said, "rename"));
	}
	/* Deeper ones are only shadowed. */
	vault_scratch_write_str(s->fd, "art/sub/.history", "mine");
	make_project(s, "art", NULL);
}

static void a_vault_inside_its_project_has_one_name(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_mkdirs(s->fd, "art");
	place = place_of(vault_scratch_path(s, "art"),
			 vault_scratch_path(s, "art/kept"));
	assert_int_equal(open_place(&place, true), VAULT_ERR_INVALID);
	assert_false(vault_scratch_exists(s->fd, "art/kept"));
	place = place_of(vault_scratch_path(s, "art"),
			 vault_scratch_path(s, "art/.artvault"));
	assert_int_equal(open_place(&place, true), VAULT_OK);
}

static void a_project_inside_a_vault_is_refused(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_mkdirs(s->fd, "kept/art");
	place = place_of(vault_scratch_path(s, "kept/art"),
			 vault_scratch_path(s, "kept"));
	assert_int_equal(open_place(&place, true), VAULT_ERR_INVALID);
}

static void a_folder_with_other_things_becomes_no_vault(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_mkdirs(s->fd, "art");
	vault_scratch_write_str(s->fd, "home/letter", "mine");
	place = place_of(vault_scratch_path(s, "art"),
			 vault_scratch_path(s, "home"));
	assert_int_equal(open_place(&place, true), VAULT_ERR_NOT_EMPTY);
	assert_non_null(strstr(said, "empty"));
	assert_true(vault_scratch_exists(s->fd, "home/letter"));
}

static void a_vault_serves_one_project_while_that_is_there(void **state)
{
	const struct vault_scratch *s = *state;
	char vault[PATH_MAX];
	struct vault_place place;

	snprintf(vault, sizeof(vault), "%s", vault_scratch_path(s, "kept"));
	make_project(s, "first", vault);
	vault_scratch_mkdirs(s->fd, "second");
	place = place_of(vault_scratch_path(s, "second"), vault);
	assert_int_equal(open_place(&place, true), VAULT_ERR_FOREIGN);
	assert_non_null(strstr(said, vault_scratch_path(s, "first")));
	/* It was moved: the vault goes with it. */
	assert_int_equal(renameat(s->fd, "first", s->fd, "moved"), 0);
	place = place_of(vault_scratch_path(s, "moved"), vault);
	assert_int_equal(open_place(&place, true), VAULT_OK);
	assert_int_equal(vault_project_find("/", vault, &place), VAULT_OK);
	assert_string_equal(place.project, vault_scratch_path(s, "moved"));
}

static void the_past_opens_though_the_project_is_gone(void **state)
{
	const struct vault_scratch *s = *state;
	char vault[PATH_MAX];
	struct vault_project *p;
	struct vault_place place;

	snprintf(vault, sizeof(vault), "%s", vault_scratch_path(s, "kept"));
	make_project(s, "art", vault);
	vault_scratch_remove(s->fd, "art");
	assert_int_equal(vault_project_find("/", vault, &place), VAULT_OK);
	assert_int_equal(vault_project_open(&place, false, &p), VAULT_OK);
	assert_int_equal(p->projectfd, -1);
	vault_project_close(p);
}

static void two_at_once_are_refused(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_project *p;
	struct vault_place place;

	make_project(s, "art", NULL);
	place = place_of(vault_scratch_path(s, "art"), NULL);
	assert_int_equal(vault_project_open(&place, false, &p), VAULT_OK);
	assert_int_equal(open_place(&place, false), VAULT_ERR_BUSY);
	assert_non_null(strstr(said, "another artvault"));
	vault_project_close(p);
	assert_int_equal(open_place(&place, false), VAULT_OK);
}

static void an_unwritable_vault_says_so(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_write_str(s->fd, "art/.artvault", "a file");
	place = place_of(vault_scratch_path(s, "art"), NULL);
	assert_int_equal(open_place(&place, true), VAULT_ERR_NOT_DIR);
	assert_non_null(strstr(said, ".artvault"));
}

static void a_project_must_be_a_folder(void **state)
{
	const struct vault_scratch *s = *state;
	struct vault_place place;

	vault_scratch_write_str(s->fd, "file", "x");
	assert_int_equal(vault_project_place(vault_scratch_path(s, "file"),
					     NULL, &place),
			 VAULT_ERR_NOT_DIR);
	assert_int_equal(vault_project_place(vault_scratch_path(s, "none"),
					     NULL, &place),
			 VAULT_ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_project_is_found_from_any_folder_in_it),
		TEST(a_link_to_a_folder_leads_to_its_project),
		TEST(outside_of_any_project_the_way_on_is_named),
		TEST(who_can_make_a_vault_is_told_without_a_word),
		TEST(an_empty_folder_of_that_name_is_no_vault),
		TEST(a_vault_outside_leads_to_its_project),
		TEST(a_vault_in_its_project_needs_no_more_than_its_path),
		TEST(a_daemons_socket_is_found_by_the_vaults_uuid),
		TEST(a_socket_path_needs_a_uuid),
		TEST(below_is_by_whole_names),
		TEST(a_new_vault_is_private_and_opens_again),
		TEST(a_new_vault_leaves_the_projects_time_alone),
		TEST(without_a_vault_nothing_is_made),
		TEST(a_real_entry_named_like_a_view_is_refused),
		TEST(a_vault_inside_its_project_has_one_name),
		TEST(a_project_inside_a_vault_is_refused),
		TEST(a_folder_with_other_things_becomes_no_vault),
		TEST(a_vault_serves_one_project_while_that_is_there),
		TEST(the_past_opens_though_the_project_is_gone),
		TEST(two_at_once_are_refused),
		TEST(an_unwritable_vault_says_so),
		TEST(a_project_must_be_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
