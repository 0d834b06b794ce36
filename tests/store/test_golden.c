/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/digest.h"
#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * A vault of each format version lies in tests/golden and must open for ever,
 * every byte of it. With VAULT_GOLDEN_MAKE naming an empty folder, one of the
 * present version is written there instead.
 */
#define GOLDEN VAULT_GOLDEN_DIR "/store-1"

/* What the vault holds: one content of each kind. */
static const struct {
	const char *key;
	unsigned len;
	unsigned kind; /* 0 random, 1 text, 2 with holes, 3 empty */
	const char *digest;
} contents[] = {
	{ "small", 100, 0, "0ec79d1bdb4cd806e0c4370990ec1b52" },
	{ "text", 20000, 1, "d9d576ebc812758248a21ad6a3edb335" },
	{ "chunks", 12000, 0, "0c0383d418f4603b5ff7b0d8ad43a817" },
	{ "holes", 30000, 2, "6cbc2ce74d33f1f4dbd93c56822faff5" },
	{ "empty", 0, 3, "99aa06d3014798d86001c324468d497f" },
};
#define N_CONTENTS (sizeof(contents) / sizeof(contents[0]))

static void content_of(size_t i, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(i + 100);

	vault_buf_clear(b);
	if (contents[i].kind == 1) {
		while (b->len < contents[i].len)
			assert_int_equal(
				vault_buf_printf(b, "line %zu\n", b->len),
				VAULT_OK);
	} else {
		vault_scratch_bytes(&r, b, contents[i].len);
	}
	b->len = contents[i].len;
	if (contents[i].kind == 2)
		memset(b->data + 5000, 0, 20000);
}

static struct vault_store_options options(void)
{
	struct vault_store_options o = vault_toy_options();

	o.pack_size = 20 << 10;
	return o;
}

static void put(struct vault_store *s, size_t i)
{
	struct vault_buf bytes = VAULT_BUF_INIT;

	content_of(i, &bytes);
	assert_int_equal(vault_toy_keep(s, VAULT_ENTRY_COMMIT, contents[i].key,
					vault_buf_span(&bytes)),
			 VAULT_OK);
	vault_buf_release(&bytes);
}

static void make(const char *path)
{
	const struct vault_store_params params = {
		.chunk_min = 512,
		.chunk_avg = 2048,
		.chunk_max = 8192,
		.zone = "Europe/Lisbon",
	};
	const struct vault_store_options o = options();
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct vault_store *s;

	assert_true(fd >= 0);
	assert_int_equal(vault_store_create(fd, NULL, &params), VAULT_OK);
	assert_int_equal(vault_store_open(fd, &o, &s), VAULT_OK);
	for (size_t i = 0; i < N_CONTENTS; i++)
		put(s, i);
	vault_store_close(s);
	vault_scratch_remove(fd, "index");
	vault_scratch_remove(fd, "cache");
	vault_scratch_remove(fd, "lock");
	close(fd);
}

static void expect(struct vault_store *s, size_t i)
{
	struct vault_buf should = VAULT_BUF_INIT;
	struct vault_buf is = VAULT_BUF_INIT;
	struct vault_content_file *f;
	struct vault_content c;
	struct vault_id id;
	char hex[VAULT_DIGEST_HEX];

	assert_int_equal(vault_index_get(vault_store_index(s), VAULT_CF_ROW,
					 vault_span_str(contents[i].key), &is),
			 VAULT_OK);
	assert_int_equal(is.len, 16);
	memcpy(id.b, is.data, 16);
	assert_int_equal(vault_store_open_content(s, &id, &f), VAULT_OK);
	c = vault_content_file_info(f);
	vault_content_file_close(f);
	vault_digest_hex(&c.digest, hex);
	assert_string_equal(hex, contents[i].digest);
	assert_int_equal(c.size, contents[i].len);
	content_of(i, &should);
	vault_toy_expect(s, &is, vault_buf_span(&should));
	vault_buf_release(&is);
	vault_buf_release(&should);
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

static void a_vault_of_format_1_opens_for_ever(void **state)
{
	const struct vault_store_options o = options();
	struct vault_scratch *d = *state;
	struct vault_store *s;
	char command[600];

	snprintf(command, sizeof(command), "cp -r " GOLDEN "/. %s", d->path);
	assert_int_equal(system(command), 0);
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_OK);
		assert_int_equal(vault_store_damage(s), 0);
		assert_string_equal(vault_store_params(s)->zone,
				    "Europe/Lisbon");
		assert_int_equal(vault_store_params(s)->chunk_avg, 2048);
		for (size_t i = 0; i < N_CONTENTS; i++)
			expect(s, i);
		assert_int_equal(
			vault_store_check(s, true, no_finding, NULL, NULL),
			VAULT_OK);
		vault_store_close(s);
	}
}

/* What is there is found again, so the rules of cutting have not changed. */
static void putting_it_again_adds_no_chunk(void **state)
{
	const struct vault_store_options o = options();
	struct vault_scratch *d = *state;
	struct vault_buf bytes = VAULT_BUF_INIT;
	struct vault_store *s;
	char command[600];
	uint64_t before;

	snprintf(command, sizeof(command), "cp -r " GOLDEN "/. %s", d->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(vault_store_open(d->fd, &o, &s), VAULT_OK);
	before = vault_store_pack_bytes(s);
	for (size_t i = 0; i < N_CONTENTS; i++) {
		struct vault_content c;

		content_of(i, &bytes);
		assert_int_equal(
			vault_store_put_span(s, vault_buf_span(&bytes), &c),
			VAULT_OK);
	}
	assert_int_equal(vault_store_pack_bytes(s), before);
	vault_store_close(s);
	vault_buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_SCRATCH_TEST(a_vault_of_format_1_opens_for_ever),
		VAULT_SCRATCH_TEST(putting_it_again_adds_no_chunk),
	};
	const char *path = getenv("VAULT_GOLDEN_MAKE");

	if (path != NULL) {
		make(path);
		return 0;
	}
	return cmocka_run_group_tests(tests, vault_scratch_quiet, NULL);
}
