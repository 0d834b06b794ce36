/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_CONTROL_SESSION_H
#define VAULT_FS_CONTROL_SESSION_H

#include <sys/un.h>

#include "fs/control.h"
#include "store/base/err.h"

/*
 * One connection to the daemon, from its first frame to its exit code.
 *
 * Who is there is asked of the kernel (SO_PEERCRED, SO_PEERGROUPS), not of
 * the peer. The words `unmount` are the daemon's own: everything finished is
 * made durable, the client is told, and then the mount goes away; all others
 * are commands of fs/command.h. The caller closes the socket.
 */
void vault_control_session_run(const struct vault_control_options *options,
			       int fd);

/* Tell a client why it is not served. */
void vault_control_session_refuse(int fd, const char *reason);

/*
 * An address for `path` however long it is: through a descriptor of its
 * directory, which the caller closes when bound or connected. For both ends.
 */
VAULT_MUST_CHECK vault_err vault_control_address(const char *path,
						 struct sockaddr_un *out,
						 int *dirfd);

#endif
