/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_LOSSES_H
#define VAULT_VERSIONS_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * What was not kept and why, newest last, at most VAULT_LOSSES_MAX; the
 * oldest give way. Not locked: its owner's lock.
 */
#define VAULT_LOSSES_MAX ((size_t)1000)

struct vault_losses {
	struct vault_loss {
		char *path;
		const char *reason; /* static storage */
		int64_t time;	    /* seconds since the epoch */
	} * list;
	size_t n;
};

#define VAULT_LOSSES_INIT ((struct vault_losses){ NULL, 0 })

void vault_losses_release(struct vault_losses *l);
/* Note and log it, once for each path and reason. `reason` is static. */
void vault_losses_add(struct vault_losses *l, struct vault_span path,
		      const char *reason);
/* A later version of the path was kept. */
void vault_losses_remove(struct vault_losses *l, struct vault_span path);

#endif
