/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/view.h"
#include "fs/view_nodes.h"

static struct vault_view_key version_key(uint64_t dir, const char *name,
					 uint64_t seq)
{
	return (struct vault_view_key){
		.kind = VAULT_VIEW_VERSION,
		.dir = dir,
		.seq = seq,
		.path = vault_span_str(name),
	};
}

static struct vault_view_key past_key(const char *where, uint64_t seq)
{
	return (struct vault_view_key){
		.kind = VAULT_VIEW_PAST,
		.seq = seq,
		.where = vault_span_str(where),
	};
}

static int setup(void **state)
{
	struct vault_view_nodes *t = NULL;

	assert_int_equal(vault_view_nodes_create(&t), VAULT_OK);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	vault_view_nodes_destroy(*state);
	return 0;
}

static struct vault_view_node *get(struct vault_view_nodes *t,
				   struct vault_view_key key)
{
	struct vault_view_node *n = NULL;

	assert_int_equal(vault_view_nodes_get(t, &key, 7, NULL, &n), VAULT_OK);
	return n;
}

static void one_version_is_one_node_however_it_is_reached(void **state)
{
	struct vault_view_nodes *t = *state;
	struct vault_view_node *a = get(t, version_key(5, "hero.psd", 9));
	struct vault_view_node *b = get(t, version_key(5, "hero.psd", 9));

	assert_ptr_equal(a, b);
	assert_true(vault_view_owns(a->id));
	assert_true(a->ino >> 63);
	assert_ptr_not_equal(a, get(t, version_key(5, "hero.psd", 10)));
	assert_ptr_not_equal(a, get(t, version_key(6, "hero.psd", 9)));
	assert_ptr_not_equal(a, get(t, version_key(5, "hero.psb", 9)));
}

static void a_directory_is_its_name_and_moment(void **state)
{
	struct vault_view_nodes *t = *state;
	struct vault_view_node *a = get(t, past_key(".history/latest", 3));

	assert_ptr_equal(a, get(t, past_key(".history/latest", 3)));
	assert_ptr_not_equal(a, get(t, past_key(".history/latest", 4)));
	assert_ptr_not_equal(a, get(t, past_key(".history/previous", 3)));
	assert_int_equal(a->up, 7);
}

static void the_inode_number_follows_from_the_key_alone(void **state)
{
	const struct vault_view_key key = version_key(5, "a", 9);
	struct vault_view_node *n = get(*state, key);

	assert_int_equal(n->ino, vault_view_nodes_ino(&key));
	assert_int_equal(n->ino, vault_view_nodes_ino(&n->key));
}

static void a_key_outlives_what_it_was_made_from(void **state)
{
	char name[] = "hero.psd";
	struct vault_view_node *n = get(*state, version_key(1, name, 1));

	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(
		vault_span_equal(n->key.path, vault_span_str("hero.psd")), 1);
}

static void a_forgotten_node_is_gone_and_its_number_is_not_reused(void **state)
{
	struct vault_view_nodes *t = *state;
	struct vault_view_node *n = get(t, version_key(1, "a", 1));
	const uint64_t id = n->id;

	vault_view_nodes_looked_up(t, n);
	vault_view_nodes_looked_up(t, n);
	vault_view_nodes_unpin(t, n);
	assert_int_equal(vault_view_nodes_count(t), 1);
	vault_view_nodes_forget(t, id, 1);
	n = vault_view_nodes_pin(t, id);
	assert_non_null(n);
	vault_view_nodes_forget(t, id, 1);
	assert_int_equal(vault_view_nodes_count(t), 1); /* pinned */
	vault_view_nodes_unpin(t, n);
	assert_int_equal(vault_view_nodes_count(t), 0);
	assert_null(vault_view_nodes_pin(t, id));
	assert_true(get(t, version_key(1, "a", 1))->id != id);
}

static void many_nodes_come_and_go(void **state)
{
	enum { N = 5000 };
	struct vault_view_nodes *t = *state;
	uint64_t *ids = calloc(N, sizeof(*ids));

	assert_non_null(ids);
	for (unsigned i = 0; i < N; i++) {
		char name[32];
		struct vault_view_node *n;

		snprintf(name, sizeof(name), "file%u", i);
		n = get(t, version_key(i % 7, name, i));
		ids[i] = n->id;
		vault_view_nodes_looked_up(t, n);
		vault_view_nodes_unpin(t, n);
	}
	assert_int_equal(vault_view_nodes_count(t), N);
	for (unsigned i = 0; i < N; i++) {
		struct vault_view_node *n = vault_view_nodes_pin(t, ids[i]);

		assert_non_null(n);
		assert_int_equal(n->key.seq, i);
		vault_view_nodes_unpin(t, n);
		if (i % 3 != 0)
			vault_view_nodes_forget(t, ids[i], 1);
	}
	for (unsigned i = 0; i < N; i += 3)
		vault_view_nodes_forget(t, ids[i], 1);
	assert_int_equal(vault_view_nodes_count(t), 0);
	free(ids);
}

static void a_text_is_taken_by_a_new_node_only(void **state)
{
	struct vault_view_nodes *t = *state;
	const struct vault_view_key key = {
		.kind = VAULT_VIEW_TEXT,
		.where = vault_span_str(".timeline/a/@timeline.txt"),
	};
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_view_node *n = NULL;

	assert_int_equal(vault_buf_append_str(&text, "one"), VAULT_OK);
	assert_int_equal(vault_view_nodes_get(t, &key, 0, &text, &n), VAULT_OK);
	assert_int_equal(text.len, 0);
	assert_int_equal(vault_buf_append_str(&text, "three"), VAULT_OK);
	assert_int_equal(vault_view_nodes_get(t, &key, 0, &text, &n), VAULT_OK);
	assert_int_equal(text.len, 5);
	assert_int_equal(n->text.len, 3);
	vault_buf_release(&text);
}

static void the_latest_ways_to_a_version_are_remembered(void **state)
{
	struct vault_view_nodes *t = *state;
	struct vault_view_node *n = get(t, version_key(1, "a", 1));
	uint64_t at[VAULT_VIEW_REACHED];

	vault_view_nodes_reached(t, n, at);
	assert_int_equal(at[0], 0);
	for (uint64_t i = 1; i <= 9; i++)
		vault_view_nodes_reach(t, n, i);
	vault_view_nodes_reach(t, n, 8);
	vault_view_nodes_reach(t, n, 8);
	vault_view_nodes_reached(t, n, at);
	assert_int_equal(at[0], 8);
	assert_int_equal(at[1], 9);
	assert_int_equal(at[2], 7);
	assert_int_equal(at[3], 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_version_is_one_node_however_it_is_reached),
		TEST(a_directory_is_its_name_and_moment),
		TEST(the_inode_number_follows_from_the_key_alone),
		TEST(a_key_outlives_what_it_was_made_from),
		TEST(a_forgotten_node_is_gone_and_its_number_is_not_reused),
		TEST(many_nodes_come_and_go),
		TEST(a_text_is_taken_by_a_new_node_only),
		TEST(the_latest_ways_to_a_version_are_remembered),
	};

	return cmocka_run_group_tests_name("view nodes", tests, NULL, NULL);
}
