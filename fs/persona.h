/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_PERSONA_H
#define VAULT_FS_PERSONA_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>

/*
 * Acting as the caller of a request.
 *
 * What is created must belong to its caller, in a set-group-id directory as
 * the disk's own rules say, with the caller's umask unless the directory has
 * a default ACL; and a change that costs a file its set-id bits must cost
 * them. So the thread that serves such a request takes the caller's fsuid,
 * fsgid, supplementary groups and umask for the length of a few system calls.
 * All four belong to the thread alone: the raw system calls are used, and a
 * thread's umask is made its own first.
 *
 * Without `root` only the umask is taken: such a mount serves its owner.
 */
struct vault_persona {
	bool switched;
};

/* An errno when the caller's groups cannot be told; nothing is taken then. */
int vault_persona_take(struct vault_persona *p, fuse_req_t req, bool root);
/* Back to ourselves. errno is kept. */
void vault_persona_drop(struct vault_persona *p);

#endif
