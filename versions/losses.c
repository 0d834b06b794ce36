/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/losses.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/base/log.h"

void vault_losses_release(struct vault_losses *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->list[i].path);
	free(l->list);
	*l = VAULT_LOSSES_INIT;
}

static void drop(struct vault_losses *l, size_t at)
{
	free(l->list[at].path);
	memmove(&l->list[at], &l->list[at + 1],
		(l->n - at - 1) * sizeof(*l->list));
	l->n--;
}

static size_t find(const struct vault_losses *l, struct vault_span path)
{
	size_t i = 0;

	while (i < l->n &&
	       !vault_span_equal(vault_span_str(l->list[i].path), path))
		i++;
	return i;
}

void vault_losses_remove(struct vault_losses *l, struct vault_span path)
{
	const size_t at = find(l, path);

	if (at < l->n)
		drop(l, at);
}

void vault_losses_add(struct vault_losses *l, struct vault_span path,
		      const char *reason)
{
	const size_t at = find(l, path);
	char *copy;

	if (at < l->n && strcmp(l->list[at].reason, reason) == 0) {
		l->list[at].time = time(NULL);
		return;
	}
	vault_log_warn("%.*s: not kept: %s", (int)path.len,
		       path.len == 0 ? "" : (const char *)path.data, reason);
	if (at < l->n)
		drop(l, at);
	if (l->list == NULL)
		l->list = calloc(VAULT_LOSSES_MAX, sizeof(*l->list));
	copy = malloc(path.len + 1);
	if (l->list == NULL || copy == NULL) {
		free(copy);
		return; /* it was logged */
	}
	if (path.len > 0)
		memcpy(copy, path.data, path.len);
	copy[path.len] = '\0';
	if (l->n == VAULT_LOSSES_MAX)
		drop(l, 0);
	l->list[l->n++] =
		(struct vault_loss){ copy, reason, (int64_t)time(NULL) };
}
