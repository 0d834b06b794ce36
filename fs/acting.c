/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/acting.h"

#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's setgroups() would change every thread. */
static bool set_thread_groups(size_t n, const gid_t *groups)
{
	return syscall(SYS_setgroups, n, groups) == 0;
}

/* setfsuid() tells nothing but the value before; asked again it tells. */
static bool set_ids(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return (gid_t)setfsgid((gid_t)-1) == gid &&
	       (uid_t)setfsuid((uid_t)-1) == uid;
}

vault_err vault_acting_begin(const struct vault_caller *who,
			     struct vault_acting *out)
{
	*out = (struct vault_acting){ .changed = false };
	if (geteuid() != 0 || who->uid == 0)
		return VAULT_OK;
	if (!set_thread_groups(who->n_groups, who->groups))
		return VAULT_ERR_DENIED;
	out->changed = true;
	if (set_ids(who->uid, who->gid))
		return VAULT_OK;
	vault_acting_end(out);
	return VAULT_ERR_DENIED;
}

void vault_acting_end(struct vault_acting *id)
{
	if (!id->changed)
		return;
	id->changed = false;
	if (!set_ids(geteuid(), getegid()) || !set_thread_groups(0, NULL))
		abort();
}

struct vault_caller vault_acting_self(gid_t *groups, size_t max)
{
	const int n = getgroups((int)max, groups);

	return (struct vault_caller){ .uid = geteuid(),
				      .gid = getegid(),
				      .groups = groups,
				      .n_groups = n > 0 ? (size_t)n : 0 };
}
