/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_BASE_LOG_H
#define VAULT_STORE_BASE_LOG_H

/*
 * One line for each fact, said once, where it is known: the path or record,
 * and the reason. Callers above pass the error code on and log nothing.
 * Lines go to the sink, by default stderr as "artvault: LEVEL: text". Any
 * thread may log; the sink is called under a lock and must not log itself.
 */
enum vault_log_level {
	VAULT_LOG_ERROR,
	VAULT_LOG_WARN,
	VAULT_LOG_INFO,
	VAULT_LOG_DEBUG,
};

typedef void vault_log_sink(void *ctx, enum vault_log_level level,
			    const char *line);

/* Send lines elsewhere; NULL restores stderr. `ctx` must outlive its use. */
void vault_log_set_sink(vault_log_sink *sink, void *ctx);

/* Lines above this level are dropped; VAULT_LOG_WARN at the start. */
void vault_log_set_level(enum vault_log_level level);

void vault_log(enum vault_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define vault_log_error(...) vault_log(VAULT_LOG_ERROR, __VA_ARGS__)
#define vault_log_warn(...) vault_log(VAULT_LOG_WARN, __VA_ARGS__)
#define vault_log_info(...) vault_log(VAULT_LOG_INFO, __VA_ARGS__)
#define vault_log_debug(...) vault_log(VAULT_LOG_DEBUG, __VA_ARGS__)

#endif
