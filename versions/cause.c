/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/moment.h"

const char *vault_cause_text(enum vault_cause cause)
{
	switch (cause) {
	case VAULT_CAUSE_SAVE:
		return "save";
	case VAULT_CAUSE_INITIAL:
		return "initial";
	case VAULT_CAUSE_OFFLINE:
		return "offline";
	case VAULT_CAUSE_RESCAN:
		return "rescan";
	case VAULT_CAUSE_SYNC:
		return "sync";
	case VAULT_CAUSE_RESTORE:
		return "restore";
	case VAULT_CAUSE_SNAPSHOT:
		return "snapshot";
	}
	return "unknown";
}
