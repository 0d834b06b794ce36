/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"
#include "tests/support/scratch.h"
#include "tests/support/toy.h"

/*
 * The nth allocation of our own code fails, for every n (every STRIDEth, but
 * for VAULT_TORTURE): an error comes out, nothing acknowledged is lost, and
 * nothing is left by halves. The linker sends malloc and its kin here.
 */
#define STRIDE 3
#define STEPS 4

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static atomic_long countdown = -1; /* < 0: none fails */
static atomic_bool failed;

static bool fails(void)
{
	if (atomic_load(&countdown) < 0 || atomic_fetch_sub(&countdown, 1) != 0)
		return false;
	atomic_store(&failed, true);
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static void content_of(unsigned i, struct vault_buf *b)
{
	struct vault_scratch_random r = vault_scratch_seed(i);

	vault_buf_clear(b);
	vault_scratch_bytes(&r, b, i % 2 == 0 ? 900 : 40000);
}

/* The bytes of all steps, made while memory is plenty. */
static struct vault_buf contents[STEPS];

static vault_err do_step(struct vault_store *s, unsigned i)
{
	struct vault_content c;
	uint8_t entry[32];
	uint64_t seq;
	int len;
	vault_err err;

	err = vault_store_put_span(s, vault_buf_span(&contents[i]), &c);
	if (err != VAULT_OK)
		return err;
	len = snprintf((char *)entry, sizeof(entry), "key%u=", i);
	memcpy(entry + len, c.id.b, 16);
	return vault_store_append(s, VAULT_ENTRY_COMMIT,
				  vault_span(entry, (size_t)len + 16), &seq);
}

/* NOT_FOUND where the step is not there; any error but of memory ends it. */
static vault_err read_step(struct vault_store *s, unsigned i)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_id id;
	char key[16];
	vault_err err;

	snprintf(key, sizeof(key), "key%u", i);
	err = vault_index_get(vault_store_index(s), VAULT_CF_ROW,
			      vault_span_str(key), &b);
	if (err != VAULT_OK)
		goto out;
	memcpy(id.b, b.data, sizeof(id.b));
	err = vault_store_read_all(s, &id, 1 << 20, &b);
	if (err == VAULT_OK)
		assert_true(vault_span_equal(vault_buf_span(&b),
					     vault_buf_span(&contents[i])));

out:
	vault_buf_release(&b);
	return err;
}

static vault_err no_finding(void *ctx, const struct vault_finding *f)
{
	(void)ctx;
	print_message("finding: %s\n", f->text);
	return VAULT_ERR_CORRUPT;
}

/* Everything that is done with a store, each part going on after errors. */
static void use(struct vault_store *s, bool *acked)
{
	struct vault_buf dump = VAULT_BUF_INIT;
	vault_err err;

	for (unsigned i = 0; i < STEPS; i++) {
		acked[i] = do_step(s, i) == VAULT_OK || acked[i];
		err = read_step(s, i);
		assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM ||
			    (err == VAULT_ERR_NOT_FOUND && !acked[i]));
	}
	err = vault_store_dump(s, VAULT_CF_CHUNK, NULL, &dump);
	assert_true(err == VAULT_OK || err == VAULT_ERR_NOMEM);
	err = vault_store_check(s, true, no_finding, NULL, NULL);
	assert_true(err == VAULT_OK || atomic_load(&failed));
	vault_buf_release(&dump);
}

static void one(long n, bool with_index)
{
	struct vault_store_options o = vault_toy_options();
	bool acked[STEPS] = { false };
	struct vault_scratch d;
	struct vault_store *s = NULL;
	vault_err err;

	vault_scratch_init(&d);
	s = vault_toy_open(d.fd, &o);
	acked[0] = do_step(s, 0) == VAULT_OK;
	vault_store_close(s);
	if (!with_index)
		vault_scratch_remove(d.fd, "index");

	atomic_store(&failed, false);
	atomic_store(&countdown, n);
	err = vault_store_open(d.fd, &o, &s);
	if (err == VAULT_OK) {
		use(s, acked);
		vault_store_close(s);
	} else {
		assert_true(atomic_load(&failed));
	}
	atomic_store(&countdown, -1);

	assert_int_equal(vault_store_open(d.fd, &o, &s), VAULT_OK);
	assert_int_equal(vault_store_damage(s), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		err = read_step(s, i);
		assert_true(err == VAULT_OK ||
			    (err == VAULT_ERR_NOT_FOUND && !acked[i]));
	}
	assert_int_equal(vault_store_check(s, true, no_finding, NULL, NULL),
			 VAULT_OK);
	vault_store_close(s);
	vault_scratch_release(&d);
}

static void want_of_memory_is_an_error_and_no_more(void **state)
{
	const long stride = getenv("VAULT_TORTURE") != NULL ? 1 : STRIDE;
	long n = 0;

	(void)state;
	do {
		one(n, n % 2 == 0);
		n += stride;
	} while (atomic_load(&failed));
	print_message("%ld allocations\n", n);
	assert_true(n > 50);
}

static int prepare(void **state)
{
	(void)vault_scratch_quiet(state);
	for (unsigned i = 0; i < STEPS; i++)
		content_of(i, &contents[i]);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STEPS; i++)
		vault_buf_release(&contents[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_is_an_error_and_no_more),
	};

	vault_scratch_in_memory();
	return cmocka_run_group_tests(tests, prepare, clear);
}
