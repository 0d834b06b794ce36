/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/persona.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS_AT_FIRST 64

static _Thread_local bool own_umask;

static void take_umask(mode_t mask)
{
	if (!own_umask && unshare(CLONE_FS) == 0)
		own_umask = true;
	umask(mask);
}

/* glibc's setgroups() changes every thread of the process. */
static int set_groups(size_t n, const gid_t *groups)
{
	return syscall(SYS_setgroups, n, groups) == 0 ? 0 : errno;
}

static int take_groups(fuse_req_t req)
{
	gid_t some[GROUPS_AT_FIRST];
	gid_t *groups = some;
	int room = GROUPS_AT_FIRST;
	int n = fuse_req_getgroups(req, room, groups);
	int err;

	while (n > room) {
		if (groups != some)
			free(groups);
		room = n;
		groups = calloc((size_t)room, sizeof(*groups));
		if (groups == NULL)
			return ENOMEM;
		n = fuse_req_getgroups(req, room, groups);
	}
	/* A caller that has died or lives in another pid namespace has no
	 * groups that we can see: it gets none. */
	err = set_groups(n < 0 ? 0 : (size_t)n, groups);
	if (groups != some)
		free(groups);
	return err;
}

int vault_persona_take(struct vault_persona *p, fuse_req_t req, bool root)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int err;

	p->switched = false;
	if (root && ctx->uid != 0) {
		err = take_groups(req);
		if (err != 0) {
			set_groups(0, NULL);
			return err;
		}
	}
	take_umask(ctx->umask);
	if (!root)
		return 0;
	p->switched = true;
	setfsgid(ctx->gid);
	/* Last: it gives up the right to do the above. */
	setfsuid(ctx->uid);
	return 0;
}

void vault_persona_drop(struct vault_persona *p)
{
	const int saved = errno;

	umask(0);
	if (p->switched) {
		setfsuid(0);
		setfsgid(0);
		set_groups(0, NULL);
	}
	p->switched = false;
	errno = saved;
}
