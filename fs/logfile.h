/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_LOGFILE_H
#define VAULT_FS_LOGFILE_H

#include <stdbool.h>

/*
 * The daemon's log: `log` in the vault, one line each with its time. At 1 MB
 * it becomes `log.1` and begins anew, so two files is all there ever is. A
 * log that cannot be written is done without: it never stops anything.
 */

/* Log into the vault; until vault_logfile_quiet(), warnings and errors also
 * go to stderr. Any thread may log afterwards. */
void vault_logfile_start(int vaultfd);
void vault_logfile_quiet(void);
/* Back to stderr alone; closes the file. */
void vault_logfile_stop(void);

#endif
