/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "store/base/log.h"

/* ---- bytes ---- */

/* Both parts, whole, without SIGPIPE. */
static vault_err send_parts(int fd, struct iovec *parts, size_t n_parts)
{
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = n_parts };

	while (msg.msg_iovlen > 0) {
		ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return VAULT_ERR_CANCELLED;
		while (msg.msg_iovlen > 0 &&
		       (size_t)n >= msg.msg_iov->iov_len) {
			n -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen > 0) {
			msg.msg_iov->iov_base =
				(char *)msg.msg_iov->iov_base + n;
			msg.msg_iov->iov_len -= (size_t)n;
		}
	}
	return VAULT_OK;
}

static vault_err receive_all(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		const ssize_t n = recv(fd, to, len, 0);

		/* A signal ends the wait: whoever asked has had enough. */
		if (n <= 0)
			return VAULT_ERR_CANCELLED;
		to += n;
		len -= (size_t)n;
	}
	return VAULT_OK;
}

/* ---- frames ---- */

vault_err vault_frames_send(int fd, enum vault_frames_type type,
			    struct vault_span payload)
{
	uint8_t header[VAULT_FRAMES_HEADER];
	struct iovec parts[2] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		/* sendmsg() only reads; its type does not say so. */
		{ .iov_base = (void *)(uintptr_t)payload.data,
		  .iov_len = payload.len },
	};

	if (payload.len > VAULT_FRAMES_MAX)
		return VAULT_ERR_TOO_BIG;
	header[0] = (uint8_t)type;
	vault_bytes_put_le32(header + 1, (uint32_t)payload.len);
	return send_parts(fd, parts, payload.len > 0 ? 2 : 1);
}

vault_err vault_frames_receive(int fd, enum vault_frames_type *type,
			       struct vault_buf *payload)
{
	uint8_t header[VAULT_FRAMES_HEADER];
	uint32_t len;
	vault_err err;

	err = receive_all(fd, header, sizeof(header));
	if (err != VAULT_OK)
		return err;
	len = vault_bytes_get_le32(header + 1);
	if (len > VAULT_FRAMES_MAX || header[0] < VAULT_FRAMES_HELLO ||
	    header[0] > VAULT_FRAMES_EXIT)
		return VAULT_ERR_CORRUPT;
	vault_buf_clear(payload);
	err = vault_buf_reserve(payload, len);
	if (err == VAULT_OK)
		err = receive_all(fd, payload->data, len);
	if (err != VAULT_OK)
		return err;
	payload->len = len;
	*type = (enum vault_frames_type)header[0];
	return VAULT_OK;
}

/* ---- what is in them ---- */

static vault_err put_string(struct vault_buf *out, struct vault_span s)
{
	vault_err err;

	if (s.len > VAULT_FRAMES_MAX)
		return VAULT_ERR_TOO_BIG;
	err = vault_buf_put_le32(out, (uint32_t)s.len);
	return err == VAULT_OK ? vault_buf_append(out, s) : err;
}

static struct vault_span get_string(struct vault_reader *r)
{
	const uint32_t len = vault_reader_le32(r);

	return vault_reader_take(r, len);
}

vault_err vault_frames_send_hello(int fd)
{
	struct vault_buf payload = VAULT_BUF_INIT;
	vault_err err;

	err = vault_buf_put_le32(&payload, VAULT_FRAMES_PROTOCOL);
	if (err == VAULT_OK)
		err = put_string(&payload, vault_span_str(VAULT_VERSION));
	if (err == VAULT_OK)
		err = vault_frames_send(fd, VAULT_FRAMES_HELLO,
					vault_buf_span(&payload));
	vault_buf_release(&payload);
	return err;
}

vault_err vault_frames_receive_hello(int fd)
{
	struct vault_buf payload = VAULT_BUF_INIT;
	enum vault_frames_type type;
	struct vault_reader r;
	uint32_t protocol;
	struct vault_span version;
	vault_err err;

	err = vault_frames_receive(fd, &type, &payload);
	if (err != VAULT_OK)
		goto out;
	r = vault_reader(vault_buf_span(&payload));
	protocol = vault_reader_le32(&r);
	version = get_string(&r);
	err = VAULT_ERR_CORRUPT;
	if (type != VAULT_FRAMES_HELLO || r.failed)
		goto out;
	err = VAULT_OK;
	if (protocol != VAULT_FRAMES_PROTOCOL) {
		vault_log_error("control: the other side is artvault %.*s and "
				"speaks protocol %u, this is " VAULT_VERSION
				" with protocol %u; unmount and mount again",
				version.len < 32 ? (int)version.len : 32,
				(const char *)version.data, protocol,
				VAULT_FRAMES_PROTOCOL);
		err = VAULT_ERR_NEWER;
	}

out:
	vault_buf_release(&payload);
	return err;
}

vault_err vault_frames_put_request(struct vault_buf *out, uint32_t flags,
				   const char *inside, int argc,
				   char *const *argv)
{
	vault_err err;

	err = vault_buf_put_le32(out, flags);
	if (err == VAULT_OK)
		err = put_string(out, vault_span_str(inside));
	if (err == VAULT_OK)
		err = vault_buf_put_le32(out, (uint32_t)argc);
	for (int i = 0; i < argc && err == VAULT_OK; i++)
		err = put_string(out, vault_span_str(argv[i]));
	return err;
}

/* Copy a string to `*to`, which moves on; false if it holds a 0 byte. */
static bool take_word(struct vault_reader *r, char **to, char **word)
{
	const struct vault_span s = get_string(r);

	if (r->failed || (s.len > 0 && memchr(s.data, 0, s.len) != NULL))
		return false;
	*word = *to;
	if (s.len > 0)
		memcpy(*to, s.data, s.len);
	(*to)[s.len] = '\0';
	*to += s.len + 1;
	return true;
}

vault_err vault_frames_get_request(struct vault_span payload,
				   struct vault_frames_request *out)
{
	struct vault_reader r = vault_reader(payload);
	struct vault_frames_request q = { 0 };
	char *to;
	uint32_t n;
	vault_err err = VAULT_ERR_NOMEM;

	/* Every word costs four bytes there and one terminator here. */
	q.words = malloc(payload.len + 1);
	if (q.words == NULL)
		goto out;
	to = q.words;
	err = VAULT_ERR_CORRUPT;
	q.flags = vault_reader_le32(&r);
	if (!take_word(&r, &to, &q.inside))
		goto out;
	n = vault_reader_le32(&r);
	if (r.failed || n == 0 || n > VAULT_FRAMES_MAX_WORDS)
		goto out;
	q.argv = calloc((size_t)n + 1, sizeof(*q.argv));
	if (q.argv == NULL) {
		err = VAULT_ERR_NOMEM;
		goto out;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!take_word(&r, &to, &q.argv[i]))
			goto out;
	if (!vault_reader_done(&r))
		goto out;
	q.argc = (int)n;
	*out = q;
	return VAULT_OK;

out:
	vault_frames_request_release(&q);
	return err;
}

void vault_frames_request_release(struct vault_frames_request *r)
{
	free(r->argv);
	free(r->words);
	*r = (struct vault_frames_request){ 0 };
}

vault_err vault_frames_put_item(struct vault_buf *out,
				const struct vault_restore_item *item)
{
	vault_err err;

	err = put_string(out, item->path);
	if (err == VAULT_OK)
		err = put_string(out, item->xattrs);
	if (err == VAULT_OK)
		err = put_string(out, item->target);
	if (err == VAULT_OK)
		err = put_string(out, item->link_to);
	return err == VAULT_OK ? vault_row_pack(&item->row, out) : err;
}

vault_err vault_frames_get_item(struct vault_span payload,
				struct vault_restore_item *out)
{
	struct vault_reader r = vault_reader(payload);
	struct vault_restore_item item = { 0 };
	vault_err err;

	item.path = get_string(&r);
	item.xattrs = get_string(&r);
	item.target = get_string(&r);
	item.link_to = get_string(&r);
	if (r.failed)
		return VAULT_ERR_CORRUPT;
	err = vault_row_unpack(&r, &item.row);
	if (err == VAULT_OK && !vault_reader_done(&r))
		err = VAULT_ERR_CORRUPT;
	if (err == VAULT_OK)
		*out = item;
	return err;
}

vault_err vault_frames_put_restore(struct vault_buf *out, const char *dest,
				   const char *name)
{
	const vault_err err = put_string(out, vault_span_str(dest));

	return err == VAULT_OK ? put_string(out, vault_span_str(name)) : err;
}

static bool is_plain_name(struct vault_span s)
{
	return s.len > 0 && s.len <= 255 &&
	       memchr(s.data, '/', s.len) == NULL &&
	       !vault_span_equal(s, vault_span_str(".")) &&
	       !vault_span_equal(s, vault_span_str(".."));
}

vault_err vault_frames_get_restore(struct vault_span payload,
				   struct vault_buf *dest,
				   struct vault_buf *name)
{
	struct vault_reader r = vault_reader(payload);
	const struct vault_span d = get_string(&r);
	const struct vault_span n = get_string(&r);
	vault_err err;

	if (!vault_reader_done(&r) || !is_plain_name(n) || d.len == 0 ||
	    memchr(d.data, 0, d.len) != NULL ||
	    memchr(n.data, 0, n.len) != NULL)
		return VAULT_ERR_CORRUPT;
	err = vault_buf_append(dest, d);
	if (err == VAULT_OK)
		err = vault_buf_append(name, n);
	if (err == VAULT_OK &&
	    (vault_buf_cstr(dest) == NULL || vault_buf_cstr(name) == NULL))
		err = VAULT_ERR_NOMEM;
	return err;
}

vault_err vault_frames_send_number(int fd, enum vault_frames_type type,
				   uint32_t number)
{
	uint8_t raw[4];

	vault_bytes_put_le32(raw, number);
	return vault_frames_send(fd, type, vault_span(raw, sizeof(raw)));
}

vault_err vault_frames_get_number(struct vault_span payload, uint32_t *out)
{
	struct vault_reader r = vault_reader(payload);
	const uint32_t number = vault_reader_le32(&r);

	if (!vault_reader_done(&r))
		return VAULT_ERR_CORRUPT;
	*out = number;
	return VAULT_OK;
}

vault_err vault_frames_err(uint32_t number)
{
	if (number == VAULT_OK)
		return VAULT_OK;
	/* The table's names are dense from 0 on. */
	return number <= VAULT_ERR_INDEX ? (vault_err)number : VAULT_ERR_IO;
}
