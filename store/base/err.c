/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/err.h"

#include <errno.h>
#include <stddef.h>

struct err_row {
	const char *name;
	const char *text;
	int number;
};

#define ERR_ROW(code, num, sentence) \
	[VAULT_ERR_##code] = { .name = #code, .text = sentence, .number = num },
static const struct err_row rows[] = {
	[VAULT_OK] = { .name = "OK", .text = "success", .number = 0 },
	VAULT_ERR_TABLE(ERR_ROW)
};
#undef ERR_ROW

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const char *vault_err_name(vault_err err)
{
	return (size_t)err < N_ROWS ? rows[err].name : "UNKNOWN";
}

const char *vault_err_text(vault_err err)
{
	return (size_t)err < N_ROWS ? rows[err].text : "unknown error";
}

int vault_err_to_errno(vault_err err)
{
	return (size_t)err < N_ROWS ? rows[err].number : EIO;
}

vault_err vault_err_from_errno(int number)
{
	switch (number) {
	case 0:
		return VAULT_OK;
	case ENOMEM:
		return VAULT_ERR_NOMEM;
	case EINVAL:
		return VAULT_ERR_INVALID;
	case ENOENT:
		return VAULT_ERR_NOT_FOUND;
	case EEXIST:
		return VAULT_ERR_EXISTS;
	case ENOTDIR:
		return VAULT_ERR_NOT_DIR;
	case EISDIR:
		return VAULT_ERR_IS_DIR;
	case ENOTEMPTY:
		return VAULT_ERR_NOT_EMPTY;
	case ENAMETOOLONG:
		return VAULT_ERR_NAME_TOO_LONG;
	case ELOOP:
		return VAULT_ERR_LOOP;
	case EACCES:
		return VAULT_ERR_DENIED;
	case EPERM:
		return VAULT_ERR_FORBIDDEN;
	case EROFS:
		return VAULT_ERR_READ_ONLY;
	case ENOSPC:
	case EDQUOT:
		return VAULT_ERR_NO_SPACE;
	case EFBIG:
		return VAULT_ERR_TOO_BIG;
	case EBUSY:
	case ETXTBSY:
		return VAULT_ERR_BUSY;
	case ESTALE:
		return VAULT_ERR_STALE;
	case EOPNOTSUPP:
	case ENOSYS:
		return VAULT_ERR_UNSUPPORTED;
	default:
		return VAULT_ERR_IO;
	}
}
