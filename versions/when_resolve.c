/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/when.h"

/* The moment that a name stands for. */
static vault_err by_snapshot(struct vault_tree *t, struct vault_span name,
			     struct vault_moment *out)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	vault_err err;

	err = vault_snapshot_get(t, name, &s);
	if (err == VAULT_OK)
		err = vault_moment_of(t, s.seq, out);
	vault_snapshot_release(&s);
	return err;
}

static vault_err by_when(struct vault_tree *t, const struct vault_when *w,
			 struct vault_moment *out)
{
	struct vault_moment latest;
	vault_err err;

	switch (w->kind) {
	case VAULT_WHEN_TIME:
		return vault_moment_as_of(t, w->time, out);
	case VAULT_WHEN_LATEST:
		return vault_moment_latest(t, out);
	case VAULT_WHEN_PREVIOUS:
		err = vault_moment_latest(t, &latest);
		return err != VAULT_OK
			       ? err
			       : vault_moment_before(t, latest.seq, out);
	case VAULT_WHEN_NOW:
		break;
	}
	return VAULT_ERR_INVALID;
}

vault_err vault_when_resolve(struct vault_tree *t, struct vault_span text,
			     int64_t now, struct vault_moment *out)
{
	struct vault_when w;
	vault_err err;

	err = by_snapshot(t, text, out);
	if (err != VAULT_ERR_NOT_FOUND)
		return err;
	err = vault_when_parse(text, now, &w);
	if (err != VAULT_OK)
		return err;
	return by_when(t, &w, out);
}
