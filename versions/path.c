/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/path.h"

#include <stdlib.h>
#include <string.h>

size_t vault_path_name_at(struct vault_span path)
{
	const uint8_t *slash =
		path.len == 0 ? NULL : memrchr(path.data, '/', path.len);

	return slash == NULL ? 0 : (size_t)(slash - path.data) + 1;
}

struct vault_span vault_path_name(struct vault_span path)
{
	return vault_span_from(path, vault_path_name_at(path));
}

struct vault_span vault_path_parent(struct vault_span path)
{
	const size_t at = vault_path_name_at(path);

	return vault_span(path.data, at == 0 ? 0 : at - 1);
}

char *vault_path_copy(struct vault_span path)
{
	char *p = malloc(path.len + 1);

	if (p == NULL)
		return NULL;
	if (path.len > 0)
		memcpy(p, path.data, path.len);
	p[path.len] = '\0';
	return p;
}
