/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/versions/project.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "versions/ingest.h"
#include "versions/restore.h"
#include "versions/when.h"
#include "versions/xattrs.h"

#define VAULT_NAME ".artvault"

struct vault_capture_options test_project_options(void)
{
	struct vault_capture_options o = vault_capture_options_default;

	o.quiet_ms = 60;
	o.open_quiet_ms = 300;
	o.rescan_ms = 0;
	o.batch_ms = 20;
	o.spacing_ms = 0;
	o.min_free_bytes = 0;
	o.min_free_percent = 0;
	o.vault_name = VAULT_NAME;
	return o;
}

int test_project_setup(void **state)
{
	struct test_project *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	vault_scratch_init(&p->scratch);
	assert_int_equal(mkdirat(p->scratch.fd, "art", 0755), 0);
	p->fd = openat(p->scratch.fd, "art", O_RDONLY | O_DIRECTORY);
	assert_true(p->fd >= 0);
	assert_int_equal(mkdirat(p->fd, VAULT_NAME, 0700), 0);
	p->vaultfd = openat(p->fd, VAULT_NAME, O_RDONLY | O_DIRECTORY);
	assert_true(p->vaultfd >= 0);
	assert_int_equal(vault_store_create(p->vaultfd, NULL,
					    &vault_store_params_default),
			 VAULT_OK);
	assert_int_equal(vault_tree_open(p->vaultfd, NULL, &p->tree), VAULT_OK);
	*state = p;
	return 0;
}

int test_project_teardown(void **state)
{
	struct test_project *p = *state;

	test_project_stop(p);
	vault_tree_close(p->tree);
	close(p->vaultfd);
	close(p->fd);
	vault_scratch_release(&p->scratch);
	free(p);
	return 0;
}

void test_project_start(struct test_project *p, bool watch)
{
	const struct vault_capture_options o = test_project_options();

	assert_int_equal(vault_capture_start(p->tree, p->fd, p->vaultfd, &o,
					     watch, &p->capture),
			 VAULT_OK);
}

void test_project_stop(struct test_project *p)
{
	vault_capture_stop(p->capture);
	p->capture = NULL;
}

void test_project_reopen(struct test_project *p)
{
	vault_tree_close(p->tree);
	p->tree = NULL;
	assert_int_equal(vault_tree_open(p->vaultfd, NULL, &p->tree), VAULT_OK);
}

struct vault_moment test_project_sync(struct test_project *p)
{
	struct vault_moment m;
	const bool started = p->capture == NULL;

	if (started)
		test_project_start(p, false);
	assert_int_equal(vault_capture_sync(p->capture, VAULT_CAUSE_SYNC, NULL,
					    NULL, &m),
			 VAULT_OK);
	if (started)
		test_project_stop(p);
	return m;
}

void test_project_wait(struct test_project *p, test_project_condition *holds,
		       void *ctx)
{
	const struct timespec ts = { .tv_nsec = 5000000 };

	for (int i = 0; i < 4000; i++) {
		if (holds(p, ctx))
			return;
		nanosleep(&ts, NULL);
	}
	fail_msg("waited for nothing");
}

static vault_err count_moment(void *ctx, const struct vault_moment *m)
{
	size_t *n = ctx;

	(void)m;
	(*n)++;
	return VAULT_OK;
}

size_t test_project_count_moments(struct test_project *p)
{
	size_t n = 0;

	assert_int_equal(vault_moment_each(p->tree, count_moment, &n),
			 VAULT_OK);
	return n;
}

static uint64_t last_node(struct test_project *p, const char *path)
{
	struct vault_version v;

	if (vault_tree_resolve_last_known(p->tree, vault_span_str(path),
					  VAULT_AT_NOW, &v) != VAULT_OK)
		return VAULT_NODE_NONE;
	return v.row.node;
}

struct versions {
	struct vault_id ids[64];
	size_t n;
};

static vault_err add_version(void *ctx, uint64_t dir, struct vault_span name,
			     const struct vault_version *v)
{
	struct versions *l = ctx;

	(void)dir;
	(void)name;
	assert_true(l->n < 64);
	l->ids[l->n++] = v->row.content;
	return VAULT_OK;
}

static void list_versions(struct test_project *p, const char *path,
			  struct versions *l)
{
	const uint64_t node = last_node(p, path);

	l->n = 0;
	if (node != VAULT_NODE_NONE)
		assert_int_equal(
			vault_tree_timeline(p->tree, node, add_version, l),
			VAULT_OK);
}

size_t test_project_count_versions(struct test_project *p, const char *path)
{
	struct versions l;

	list_versions(p, path, &l);
	return l.n;
}

void test_project_expect_version(struct test_project *p, const char *path,
				 size_t nth, const char *text)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct versions l;

	list_versions(p, path, &l);
	assert_true(nth < l.n);
	if (!vault_id_is_none(&l.ids[nth]))
		assert_int_equal(vault_store_read_all(vault_tree_store(p->tree),
						      &l.ids[nth], 1 << 20, &b),
				 VAULT_OK);
	assert_int_equal(b.len, strlen(text));
	if (b.len > 0)
		assert_memory_equal(b.data, text, b.len);
	vault_buf_release(&b);
}

bool test_project_was_ever(struct test_project *p, const char *path)
{
	return last_node(p, path) != VAULT_NODE_NONE;
}

uint64_t test_project_node(struct test_project *p, const char *path)
{
	struct vault_version v;

	if (vault_tree_resolve(p->tree, vault_span_str(path), VAULT_AT_NOW,
			       &v) != VAULT_OK)
		return VAULT_NODE_NONE;
	return v.row.node;
}

/* ---- the disk, described ---- */

static void describe(int dirfd, const char *name, const char *path,
		     struct vault_buf *out);

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void describe_entries(int fd, const char *path, struct vault_buf *out)
{
	struct dirent **list;
	const int n = scandirat(fd, ".", &list, NULL, by_name);
	char below[4096];

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    strcmp(name, VAULT_NAME) != 0) {
			snprintf(below, sizeof(below), "%s/%s", path, name);
			describe(fd, name, below, out);
		}
		free(list[i]);
	}
	free(list);
}

static void describe_bytes(int fd, struct vault_buf *out)
{
	struct vault_digest_stream *s;
	struct vault_digest d;
	char hex[VAULT_DIGEST_HEX];
	uint8_t piece[65536];
	ssize_t n;

	assert_int_equal(vault_digest_stream_create(&s), VAULT_OK);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		vault_digest_stream_add(s, vault_span(piece, (size_t)n));
	assert_int_equal(n, 0);
	d = vault_digest_stream_end(s);
	vault_digest_hex(&d, hex);
	vault_digest_stream_destroy(s);
	assert_int_equal(vault_buf_printf(out, " %s", hex), VAULT_OK);
}

static void describe_xattrs(int fd, struct vault_buf *out)
{
	struct vault_buf x = VAULT_BUF_INIT;

	assert_int_equal(vault_xattrs_read(fd, &x), VAULT_OK);
	for (size_t i = 0; i < x.len; i++)
		assert_int_equal(vault_buf_printf(out, "%02x", x.data[i]),
				 VAULT_OK);
	vault_buf_release(&x);
}

static void describe(int dirfd, const char *name, const char *path,
		     struct vault_buf *out)
{
	const int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW);
	struct vault_ingest_stat st;
	char target[4096];
	ssize_t len;
	int readable;

	assert_true(fd >= 0);
	assert_int_equal(vault_ingest_stat(fd, "", &st), VAULT_OK);
	assert_int_equal(
		vault_buf_printf(out,
				 "%s kind %d mode %o owner %u:%u rdev %llx "
				 "mtime %lld links %u ",
				 path, (int)st.kind, st.mode, st.uid, st.gid,
				 (unsigned long long)st.rdev,
				 (long long)st.mtime_ns,
				 st.kind == VAULT_KIND_DIR ? 0 : st.nlink),
		VAULT_OK);
	describe_xattrs(fd, out);
	if (st.kind == VAULT_KIND_SYMLINK) {
		len = readlinkat(fd, "", target, sizeof(target));
		assert_true(len > 0);
		assert_int_equal(
			vault_buf_printf(out, " -> %.*s", (int)len, target),
			VAULT_OK);
	}
	close(fd);
	if (st.kind == VAULT_KIND_FILE || st.kind == VAULT_KIND_DIR) {
		readable = openat(dirfd, name, O_RDONLY | O_NOFOLLOW);
		assert_true(readable >= 0);
		if (st.kind == VAULT_KIND_FILE)
			describe_bytes(readable, out);
		assert_int_equal(vault_buf_put_u8(out, '\n'), VAULT_OK);
		if (st.kind == VAULT_KIND_DIR)
			describe_entries(readable, path, out);
		close(readable);
	} else {
		assert_int_equal(vault_buf_put_u8(out, '\n'), VAULT_OK);
	}
}

void test_project_expect_disk(struct test_project *p, uint64_t seq)
{
	struct vault_restore_writer *w;
	struct vault_restore_sink sink;
	struct vault_buf live = VAULT_BUF_INIT;
	struct vault_buf old = VAULT_BUF_INIT;
	uint64_t failed = 0;

	assert_int_equal(
		vault_restore_writer_create(p->scratch.fd, "back", &w, &sink),
		VAULT_OK);
	assert_int_equal(vault_restore_walk(p->tree, VAULT_SPAN_EMPTY, seq,
					    NULL, NULL, &sink, &failed),
			 VAULT_OK);
	assert_int_equal(failed, 0);
	assert_int_equal(vault_restore_writer_finish(w, false), VAULT_OK);
	vault_restore_writer_destroy(w);
	describe(p->scratch.fd, "art", "", &live);
	describe(p->scratch.fd, "back", "", &old);
	assert_string_equal(vault_buf_cstr(&old), vault_buf_cstr(&live));
	vault_buf_release(&live);
	vault_buf_release(&old);
	vault_scratch_remove(p->scratch.fd, "back");
}
