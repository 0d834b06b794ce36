/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "store/base/log.h"
#include "versions/commit.h"
#include "versions/moment.h"
#include "versions/name_format.h"
#include "versions/snapshot_internal.h"
#include "versions/tree_internal.h"
#include "versions/when.h"

void vault_snapshot_release(struct vault_snapshot *s)
{
	vault_buf_release(&s->name);
	vault_buf_release(&s->note);
	vault_buf_release(&s->tags);
	*s = VAULT_SNAPSHOT_INIT;
}

/* Length of the character that `s` begins with; 0 if it is no UTF-8. */
static size_t utf8_len(struct vault_span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t c = s.data[0];
	const size_t n = c < 0x80   ? 1
			 : c < 0xc0 ? 0
			 : c < 0xe0 ? 2
			 : c < 0xf0 ? 3
			 : c < 0xf8 ? 4
				    : 0;
	uint32_t v = n < 2 ? c : c & (0x7fu >> n);

	if (n == 0 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.data[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	return n;
}

/* What is wrong with the characters of a name; NULL: nothing. */
static const char *bad_characters(struct vault_span name)
{
	for (struct vault_span s = name; s.len > 0;) {
		const size_t n = utf8_len(s);

		if (n == 0)
			return "a snapshot's name must be UTF-8";
		if (s.data[0] == '/')
			return "a snapshot's name cannot contain '/'";
		if (s.data[0] < 0x20 || s.data[0] == 0x7f)
			return "a snapshot's name cannot contain control "
			       "characters";
		if (s.len > 1 && s.data[0] == '.' && s.data[1] == '.')
			return "a snapshot's name cannot contain '..'";
		s = vault_span_from(s, n);
	}
	return NULL;
}

static const char *bad_name(struct vault_span name)
{
	struct vault_when when;

	if (name.len == 0)
		return "a snapshot's name cannot be empty";
	if (name.len > VAULT_NAME_MAX)
		return "a snapshot's name cannot be longer than 255 bytes";
	if (name.data[0] == '.' || name.data[0] == '@')
		return "a snapshot's name cannot begin with '.' or '@'";
	if (vault_when_parse(name, time(NULL), &when) == VAULT_OK)
		return "this would be read as a time";
	return bad_characters(name);
}

vault_err vault_snapshot_check_name(struct vault_tree *t,
				    struct vault_span name, const char **why)
{
	const char *reason = bad_name(name);

	(void)t;
	if (reason == NULL)
		return VAULT_OK;
	*why = reason;
	return VAULT_ERR_SYNTAX;
}

static vault_err check(struct vault_tree *t, struct vault_span name)
{
	const char *why;
	const vault_err err = vault_snapshot_check_name(t, name, &why);

	if (err != VAULT_OK)
		vault_log_info("snapshot '%.*s': %s",
			       (int)(name.len < 255 ? name.len : 255),
			       name.len > 0 ? (const char *)name.data : "",
			       why);
	return err;
}

/* Does the name stand? */
static vault_err get(struct vault_tree *t, struct vault_span name,
		     struct vault_buf *value)
{
	struct vault_buf key = VAULT_BUF_INIT;
	vault_err err;

	if (name.len > VAULT_NAME_MAX)
		return VAULT_ERR_NOT_FOUND;
	err = vault_snapshot_key(name, &key);
	if (err == VAULT_OK)
		err = vault_index_get(t->index, VAULT_CF_NAME,
				      vault_buf_span(&key), value);
	vault_buf_release(&key);
	return err;
}

static vault_err must_be_free(struct vault_tree *t, struct vault_span name)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const vault_err err = get(t, name, &value);

	vault_buf_release(&value);
	if (err == VAULT_OK)
		return VAULT_ERR_EXISTS;
	return err == VAULT_ERR_NOT_FOUND ? VAULT_OK : err;
}

static vault_err must_stand(struct vault_tree *t, struct vault_span name)
{
	struct vault_buf value = VAULT_BUF_INIT;
	const vault_err err = get(t, name, &value);

	vault_buf_release(&value);
	return err;
}

static vault_err append(struct vault_tree *t,
			const struct vault_snapshot_op *op)
{
	struct vault_buf payload = VAULT_BUF_INIT;
	uint64_t seq;
	vault_err err;

	err = vault_snapshot_form_pack_op(op, &payload);
	if (err == VAULT_OK)
		err = vault_tree_append(t, VAULT_ENTRY_NAME,
					vault_buf_span(&payload), &seq);
	vault_buf_release(&payload);
	return err;
}

vault_err vault_snapshot_set(struct vault_tree *t, struct vault_span name,
			     uint64_t seq, struct vault_span note,
			     struct vault_span tags)
{
	const struct vault_snapshot_op op = {
		.op = VAULT_NAME_SET,
		.time = time(NULL),
		.seq = seq,
		.name = name,
		.note = note,
		.tags = tags,
	};
	struct vault_moment m;
	vault_err err;

	err = check(t, name);
	if (err == VAULT_OK)
		err = vault_moment_get(t, seq, &m);
	if (err != VAULT_OK)
		return err;
	pthread_mutex_lock(&t->append_lock);
	err = must_be_free(t, name);
	if (err == VAULT_OK)
		err = append(t, &op);
	pthread_mutex_unlock(&t->append_lock);
	return err;
}

vault_err vault_snapshot_remove(struct vault_tree *t, struct vault_span name)
{
	const struct vault_snapshot_op op = {
		.op = VAULT_NAME_REMOVE,
		.time = time(NULL),
		.name = name,
	};
	vault_err err;

	pthread_mutex_lock(&t->append_lock);
	err = must_stand(t, name);
	if (err == VAULT_OK)
		err = append(t, &op);
	pthread_mutex_unlock(&t->append_lock);
	return err;
}

/* Is there a removal of the name that is not too long ago? */
static vault_err can_undo(struct vault_tree *t, struct vault_span name,
			  int64_t now)
{
	struct vault_buf key = VAULT_BUF_INIT;
	struct vault_buf value = VAULT_BUF_INIT;
	struct vault_snapshot_value v;
	vault_err err;

	err = vault_snapshot_key_removed(t->index, name, &key, &value);
	if (err == VAULT_OK)
		err = vault_snapshot_form_unpack_value(vault_buf_span(&value),
						       &v);
	if (err == VAULT_OK && now - v.removed_at > VAULT_SNAPSHOT_UNDO_SECONDS)
		err = VAULT_ERR_NOT_FOUND;
	vault_buf_release(&key);
	vault_buf_release(&value);
	return err;
}

vault_err vault_snapshot_undo(struct vault_tree *t, struct vault_span name)
{
	const struct vault_snapshot_op op = {
		.op = VAULT_NAME_UNDO,
		.time = time(NULL),
		.name = name,
	};
	vault_err err;

	if (name.len > VAULT_NAME_MAX)
		return VAULT_ERR_NOT_FOUND;
	pthread_mutex_lock(&t->append_lock);
	err = can_undo(t, name, op.time);
	if (err == VAULT_OK)
		err = must_be_free(t, name);
	if (err == VAULT_OK)
		err = append(t, &op);
	pthread_mutex_unlock(&t->append_lock);
	return err;
}

vault_err vault_snapshot_rename(struct vault_tree *t, struct vault_span from,
				struct vault_span to)
{
	const struct vault_snapshot_op op = {
		.op = VAULT_NAME_RENAME,
		.time = time(NULL),
		.name = from,
		.to = to,
	};
	vault_err err;

	err = check(t, to);
	if (err != VAULT_OK)
		return err;
	pthread_mutex_lock(&t->append_lock);
	err = must_stand(t, from);
	if (err == VAULT_OK && !vault_span_equal(from, to)) {
		err = must_be_free(t, to);
		if (err == VAULT_OK)
			err = append(t, &op);
	}
	pthread_mutex_unlock(&t->append_lock);
	return err;
}

/* A snapshot out of its name and value; `out` is written only on success. */
static vault_err fill(struct vault_span name, struct vault_span value,
		      struct vault_snapshot *out)
{
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	struct vault_snapshot_value v;
	vault_err err;

	err = vault_snapshot_form_unpack_value(value, &v);
	if (err == VAULT_OK)
		err = vault_buf_append(&s.name, name);
	if (err == VAULT_OK)
		err = vault_buf_append(&s.note, v.note);
	if (err == VAULT_OK)
		err = vault_buf_append(&s.tags, v.tags);
	if (err != VAULT_OK) {
		vault_snapshot_release(&s);
		return err;
	}
	s.seq = v.seq;
	s.set_at = v.set_at;
	s.removed_at = v.removed_at;
	vault_snapshot_release(out);
	*out = s;
	return VAULT_OK;
}

vault_err vault_snapshot_get(struct vault_tree *t, struct vault_span name,
			     struct vault_snapshot *out)
{
	struct vault_buf value = VAULT_BUF_INIT;
	vault_err err;

	err = get(t, name, &value);
	if (err == VAULT_OK)
		err = fill(name, vault_buf_span(&value), out);
	vault_buf_release(&value);
	return err;
}

vault_err vault_snapshot_each(struct vault_tree *t, vault_snapshot_visit *visit,
			      void *ctx)
{
	static const uint8_t prefix = VAULT_NAME_STANDS;
	struct vault_snapshot s = VAULT_SNAPSHOT_INIT;
	struct vault_tree_cursor c;
	struct vault_span key;
	vault_err err;

	err = vault_tree_cursor_take(t, VAULT_CF_NAME, &c);
	if (err != VAULT_OK)
		return err;
	vault_iter_seek(c.it, vault_span(&prefix, 1));
	while (err == VAULT_OK && vault_iter_valid(c.it)) {
		key = vault_iter_key(c.it);
		if (!vault_span_starts(key, vault_span(&prefix, 1)))
			break;
		err = fill(vault_span_from(key, 1), vault_iter_value(c.it), &s);
		if (err == VAULT_OK)
			err = visit(ctx, &s);
		vault_iter_next(c.it);
	}
	if (err == VAULT_OK)
		err = vault_iter_error(c.it);
	vault_tree_cursor_give(t, &c);
	vault_snapshot_release(&s);
	return err;
}
