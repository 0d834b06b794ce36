/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

/* Longer lines are cut; a path is at most 4,096 bytes. */
#define LINE_MAX_BYTES 6144

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static vault_log_sink *current_sink; /* under lock; NULL is stderr */
static void *current_ctx;	     /* under lock */
static atomic_int threshold = VAULT_LOG_WARN;

void vault_log_set_sink(vault_log_sink *sink, void *ctx)
{
	pthread_mutex_lock(&lock);
	current_sink = sink;
	current_ctx = ctx;
	pthread_mutex_unlock(&lock);
}

void vault_log_set_level(enum vault_log_level level)
{
	atomic_store(&threshold, (int)level);
}

static void to_stderr(enum vault_log_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info",
					     "debug" };

	fprintf(stderr, "artvault: %s: %s\n", names[level], line);
}

void vault_log(enum vault_log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	if ((int)level > atomic_load(&threshold))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);

	pthread_mutex_lock(&lock);
	if (current_sink != NULL)
		current_sink(current_ctx, level, line);
	else
		to_stderr(level, line);
	pthread_mutex_unlock(&lock);
}
