/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scarce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

/* Counts down to 0, where it begins to fail, and on to -lasting. */
#define NONE_FAILS (-1000000L)

static atomic_long countdown = NONE_FAILS;
static atomic_long in_a_row = 1;
static atomic_bool failed;

void vault_scarce_begin_lasting(long n, long lasting)
{
	atomic_store(&failed, false);
	atomic_store(&in_a_row, lasting);
	atomic_store(&countdown, n);
}

void vault_scarce_begin(long n)
{
	vault_scarce_begin_lasting(n, 1);
}

bool vault_scarce_end(void)
{
	atomic_store(&countdown, NONE_FAILS);
	return atomic_load(&failed);
}

bool vault_scarce_failed(void)
{
	return atomic_load(&failed);
}

static bool fails(void)
{
	long left;

	if (atomic_load(&countdown) <= -atomic_load(&in_a_row))
		return false;
	left = atomic_fetch_sub(&countdown, 1);
	if (left > 0 || left <= -atomic_load(&in_a_row))
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

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}
