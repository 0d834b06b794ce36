/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/view_xattr.h"

#include <errno.h>
#include <string.h>

#include "store/digest.h"
#include "store/store.h"
#include "versions/moment.h"
#include "versions/when.h"
#include "versions/xattrs.h"

#define OURS "user.artvault."
#define XATTRS_MAX ((uint64_t)64 << 20)

/* The kernel asks for these to decide itself; they are part of the mode. */
static bool is_acl(struct vault_span name)
{
	return vault_span_starts(name, vault_span_str("system.posix_acl_"));
}

/* Never the version's own: what would lend rights again, and our words. */
static bool is_kept_back(struct vault_span name)
{
	return vault_span_equal(name, vault_span_str("security.capability")) ||
	       vault_span_starts(name, vault_span_str(OURS));
}

static void reply(fuse_req_t req, struct vault_span value, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, value.len);
	else if (value.len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, (const char *)value.data, value.len);
}

static vault_err read_own(struct vault_view *v, const struct vault_row *row,
			  struct vault_buf *out)
{
	if (vault_id_is_none(&row->xattrs))
		return VAULT_OK;
	return vault_store_read_all(vault_tree_store(v->tree), &row->xattrs,
				    XATTRS_MAX, out);
}

/* What we say of a version. NOT_FOUND: nothing under that name. */
static vault_err ours(struct vault_view *v, const struct vault_version *version,
		      struct vault_span name, struct vault_buf *out)
{
	char digest[VAULT_DIGEST_HEX];
	char text[VAULT_WHEN_NAME_MAX];
	struct vault_moment m;
	vault_err err;

	if (vault_span_equal(name, vault_span_str(OURS "moment"))) {
		err = vault_moment_of(v->tree, version->seq, &m);
		if (err != VAULT_OK)
			return err;
		vault_when_name(m.time, text);
		return vault_buf_append_str(out, text);
	}
	if (vault_span_equal(name, vault_span_str(OURS "digest")) &&
	    version->row.kind == VAULT_KIND_FILE) {
		vault_digest_hex(&version->row.digest, digest);
		return vault_buf_append_str(out, digest);
	}
	return VAULT_ERR_NOT_FOUND;
}

static vault_err value_of(struct vault_view *v,
			  const struct vault_version *version,
			  struct vault_span name, struct vault_buf *out)
{
	struct vault_buf packed = VAULT_BUF_INIT;
	struct vault_span value;
	vault_err err;

	if (vault_span_starts(name, vault_span_str(OURS)))
		return ours(v, version, name, out);
	if (is_kept_back(name))
		return VAULT_ERR_NOT_FOUND;
	err = read_own(v, &version->row, &packed);
	if (err == VAULT_OK)
		err = vault_xattrs_get(vault_buf_span(&packed), name, &value);
	if (err == VAULT_OK)
		err = vault_buf_append(out, value);
	vault_buf_release(&packed);
	return err;
}

vault_err vault_view_xattr_get(struct vault_view *v, fuse_req_t req,
			       const struct vault_view_node *n,
			       const char *name, size_t size)
{
	const struct vault_span wanted = vault_span_str(name);
	struct vault_buf value = VAULT_BUF_INIT;
	struct vault_version version;
	vault_err err;

	err = vault_view_core_version(v, n, &version);
	if (err == VAULT_OK)
		err = value_of(v, &version, wanted, &value);
	if (err == VAULT_ERR_NOT_FOUND || err == VAULT_ERR_INVALID) {
		fuse_reply_err(req, ENODATA);
		err = VAULT_OK;
		goto out;
	}
	if (err == VAULT_OK && !is_acl(wanted))
		err = vault_view_core_check(v, req, n, VAULT_MAY_READ);
	if (err == VAULT_OK)
		reply(req, vault_buf_span(&value), size);
out:
	vault_buf_release(&value);
	return err;
}

static vault_err add_name(void *ctx, struct vault_span name,
			  struct vault_span value)
{
	struct vault_buf *names = ctx;
	vault_err err;

	(void)value;
	if (is_kept_back(name))
		return VAULT_OK;
	err = vault_buf_append(names, name);
	return err == VAULT_OK ? vault_buf_put_u8(names, 0) : err;
}

vault_err vault_view_xattr_list(struct vault_view *v, fuse_req_t req,
				const struct vault_view_node *n, size_t size)
{
	struct vault_buf packed = VAULT_BUF_INIT;
	struct vault_buf names = VAULT_BUF_INIT;
	struct vault_version version;
	vault_err err;

	err = vault_view_core_version(v, n, &version);
	if (err == VAULT_ERR_INVALID) { /* made, not recorded: has none */
		reply(req, VAULT_SPAN_EMPTY, size);
		err = VAULT_OK;
		goto out;
	}
	if (err == VAULT_OK)
		err = read_own(v, &version.row, &packed);
	if (err == VAULT_OK && packed.len > 0)
		err = vault_xattrs_each(vault_buf_span(&packed), add_name,
					&names);
	if (err == VAULT_OK && names.len > 0)
		err = vault_view_core_check(v, req, n, VAULT_MAY_READ);
	if (err == VAULT_OK)
		reply(req, vault_buf_span(&names), size);
out:
	vault_buf_release(&packed);
	vault_buf_release(&names);
	return err;
}
