/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "store/store.h"
#include "tests/versions/past.h"
#include "versions/commit.h"

static void open_tree(struct vault_past *p)
{
	assert_int_equal(vault_tree_open(p->dirfd, NULL, &p->tree), VAULT_OK);
}

void vault_past_init(struct vault_past *p)
{
	vault_scratch_init(&p->scratch);
	vault_scratch_mkdirs(p->scratch.fd, "vault");
	p->dirfd = openat(p->scratch.fd, "vault", O_RDONLY | O_DIRECTORY);
	assert_true(p->dirfd >= 0);
	assert_int_equal(
		vault_store_create(p->dirfd, NULL, &vault_store_params_default),
		VAULT_OK);
	assert_int_equal(vault_commit_create(&p->commit), VAULT_OK);
	open_tree(p);
}

void vault_past_release(struct vault_past *p)
{
	vault_tree_close(p->tree);
	vault_commit_destroy(p->commit);
	close(p->dirfd);
	vault_scratch_release(&p->scratch);
}

int vault_past_setup(void **state)
{
	struct vault_past *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	vault_past_init(p);
	*state = p;
	return 0;
}

int vault_past_teardown(void **state)
{
	vault_past_release(*state);
	free(*state);
	return 0;
}

void vault_past_reopen(struct vault_past *p, bool forget)
{
	vault_tree_close(p->tree);
	p->tree = NULL;
	if (forget)
		vault_scratch_remove(p->dirfd, "index");
	open_tree(p);
}

struct vault_row vault_past_file(uint64_t node, uint64_t content)
{
	struct vault_row r = { .kind = VAULT_KIND_FILE,
			       .mode = 0644,
			       .node = node };

	r.digest = vault_digest_of(vault_span(&content, content ? 8 : 0));
	if (content != 0) {
		memcpy(r.content.b, r.digest.b, sizeof(r.content.b));
		r.size = 1000 + content;
	}
	return r;
}

struct vault_row vault_past_dir(uint64_t node)
{
	return (struct vault_row){ .kind = VAULT_KIND_DIR,
				   .mode = 0755,
				   .node = node };
}

void vault_past_add(struct vault_past *p, uint64_t dir, const char *name,
		    struct vault_row row)
{
	const struct vault_backing backing = { .dev = 1, .ino = row.node };

	assert_int_equal(vault_commit_add(p->commit, dir, vault_span_str(name),
					  &row, &backing),
			 VAULT_OK);
}

void vault_past_remove(struct vault_past *p, uint64_t dir, const char *name)
{
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };

	assert_int_equal(vault_commit_add(p->commit, dir, vault_span_str(name),
					  &gone, NULL),
			 VAULT_OK);
}

struct vault_moment vault_past_commit_as(struct vault_past *p,
					 enum vault_cause cause, bool partial)
{
	struct vault_moment m;

	assert_int_equal(
		vault_tree_commit(p->tree, p->commit, cause, partial, &m),
		VAULT_OK);
	return m;
}

struct vault_moment vault_past_commit(struct vault_past *p)
{
	return vault_past_commit_as(p, VAULT_CAUSE_SAVE, false);
}

struct vault_moment vault_past_root(struct vault_past *p)
{
	vault_past_add(p, VAULT_DIR_ABOVE, "", vault_past_dir(VAULT_NODE_ROOT));
	return vault_past_commit(p);
}

void vault_past_dump(struct vault_past *p, struct vault_buf *out)
{
	static const enum vault_cf families[] = {
		VAULT_CF_ROW,	  VAULT_CF_LIVE,   VAULT_CF_NODE,
		VAULT_CF_TOUCHED, VAULT_CF_MOMENT, VAULT_CF_NAME,
	};

	vault_buf_clear(out);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct vault_buf one = VAULT_BUF_INIT;

		assert_int_equal(vault_store_dump(vault_tree_store(p->tree),
						  families[i], vault_tree_strip,
						  &one),
				 VAULT_OK);
		assert_int_equal(
			vault_buf_printf(out, "family %d\n", (int)families[i]),
			VAULT_OK);
		assert_int_equal(vault_buf_append(out, vault_buf_span(&one)),
				 VAULT_OK);
		vault_buf_release(&one);
	}
}

void vault_past_at(struct vault_past *p, int64_t time, bool partial)
{
	const struct vault_commit_head head = { .cause = VAULT_CAUSE_SAVE,
						.partial = partial,
						.time = time,
						.clock_ns = time * 1000000000 };
	struct vault_buf payload = VAULT_BUF_INIT;
	uint64_t seq;

	assert_int_equal(vault_commit_encode(p->commit, &head, &payload),
			 VAULT_OK);
	assert_int_equal(vault_store_append(vault_tree_store(p->tree),
					    VAULT_ENTRY_COMMIT,
					    vault_buf_span(&payload), &seq),
			 VAULT_OK);
	vault_commit_clear(p->commit);
	vault_buf_release(&payload);
}
