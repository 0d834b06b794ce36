/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/logfile.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/base/log.h"

#define LOG_BYTES (1 << 20)

/* The sink is called under the log's own lock. */
static int dirfd = -1;
static int fd = -1;
static atomic_bool loud;

static const char *const levels[] = { "error", "warning", "info", "debug" };

static void open_log(void)
{
	struct stat st;

	if (fd < 0)
		fd = openat(dirfd, "log",
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < LOG_BYTES)
		return;
	close(fd);
	fd = -1;
	if (renameat(dirfd, "log", dirfd, "log.1") == 0)
		fd = openat(dirfd, "log",
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void write_line(void *ctx, enum vault_log_level level, const char *line)
{
	const time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	(void)ctx;
	if (atomic_load(&loud) && level <= VAULT_LOG_WARN)
		fprintf(stderr, "artvault: %s: %s\n", levels[level], line);
	open_log();
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (fd >= 0)
		dprintf(fd, "%s [%d] %s: %s\n", stamp, (int)getpid(),
			levels[level], line);
}

void vault_logfile_start(int vaultfd)
{
	dirfd = vaultfd;
	atomic_store(&loud, true);
	vault_log_set_level(VAULT_LOG_INFO);
	vault_log_set_sink(write_line, NULL);
}

void vault_logfile_quiet(void)
{
	atomic_store(&loud, false);
}

void vault_logfile_stop(void)
{
	vault_log_set_sink(NULL, NULL);
	if (fd >= 0)
		close(fd);
	fd = -1;
	dirfd = -1;
}
