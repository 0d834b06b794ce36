/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"

#define CONFIG_NAME "config"
#define CONFIG_NEW "config.new"
#define CONFIG_LIMIT ((size_t)1 << 20)

static vault_err fail(const char *what)
{
	const int number = errno;

	vault_log_error("%s of the vault: %s", what, strerror(number));
	return vault_err_from_errno(number);
}

/* The whole file; a missing one is empty and `*there` false. */
static vault_err read_config(int vaultfd, struct vault_buf *out, bool *there)
{
	vault_err err = VAULT_OK;
	ssize_t n = 1;
	int fd = openat(vaultfd, CONFIG_NAME,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*there = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? VAULT_OK : fail(CONFIG_NAME);
	while (err == VAULT_OK && n != 0) {
		err = vault_buf_reserve(out, out->len + 4096);
		if (err != VAULT_OK)
			break;
		n = read(fd, out->data + out->len, 4096);
		if (n < 0 && errno != EINTR)
			err = fail(CONFIG_NAME);
		else if (n > 0)
			out->len += (size_t)n;
		if (out->len > CONFIG_LIMIT)
			err = VAULT_ERR_TOO_BIG;
	}
	close(fd);
	return err;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct vault_span trim(struct vault_span s)
{
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.data[0]))
		s = vault_span_from(s, 1);
	return s;
}

/* Take the next line off `rest`, without its newline. */
static struct vault_span take_line(struct vault_span *rest)
{
	const uint8_t *nl = memchr(rest->data, '\n', rest->len);
	const size_t len = nl == NULL ? rest->len : (size_t)(nl - rest->data);
	const struct vault_span line = vault_span(rest->data, len);

	*rest = vault_span_from(*rest, len + 1);
	return line;
}

/* Is it "key = value"? Comments are not. */
static bool is_key(struct vault_span line, const char *key,
		   struct vault_span *value)
{
	const uint8_t *equals;
	size_t at;

	line = trim(line);
	if (line.len == 0 || line.data[0] == '#')
		return false;
	equals = memchr(line.data, '=', line.len);
	if (equals == NULL)
		return false;
	at = (size_t)(equals - line.data);
	if (!vault_span_equal(trim(vault_span(line.data, at)),
			      vault_span_str(key)))
		return false;
	*value = trim(vault_span_from(line, at + 1));
	return true;
}

vault_err vault_config_get(int vaultfd, const char *key,
			   struct vault_buf *value)
{
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_buf found = VAULT_BUF_INIT;
	struct vault_span rest;
	struct vault_span v;
	bool there;
	vault_err err;

	err = read_config(vaultfd, &text, &there);
	if (err != VAULT_OK)
		goto out;
	err = VAULT_ERR_NOT_FOUND;
	rest = vault_buf_span(&text);
	while (rest.len > 0 && err == VAULT_ERR_NOT_FOUND) {
		if (is_key(take_line(&rest), key, &v))
			err = vault_buf_append(&found, v);
	}
	if (err == VAULT_OK)
		vault_buf_move(value, &found);
out:
	vault_buf_release(&text);
	vault_buf_release(&found);
	return err;
}

static vault_err put_line(struct vault_buf *out, const char *key,
			  struct vault_span value)
{
	vault_err err = vault_buf_append_str(out, key);

	if (err == VAULT_OK)
		err = vault_buf_put_u8(out, '=');
	if (err == VAULT_OK)
		err = vault_buf_append(out, value);
	if (err == VAULT_OK)
		err = vault_buf_put_u8(out, '\n');
	return err;
}

/* `text` with the first line of `key` replaced, later ones dropped. */
static vault_err edit(struct vault_span text, const char *key,
		      struct vault_span value, struct vault_buf *out)
{
	struct vault_span old;
	bool done = false;
	vault_err err = VAULT_OK;

	while (err == VAULT_OK && text.len > 0) {
		const struct vault_span line = take_line(&text);

		if (!is_key(line, key, &old)) {
			err = vault_buf_append(out, line);
			if (err == VAULT_OK)
				err = vault_buf_put_u8(out, '\n');
		} else if (!done) {
			err = put_line(out, key, value);
			done = true;
		}
	}
	if (err == VAULT_OK && !done)
		err = put_line(out, key, value);
	return err;
}

static vault_err write_all(int fd, struct vault_span bytes)
{
	while (bytes.len > 0) {
		const ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(CONFIG_NEW);
		bytes = vault_span_from(bytes, (size_t)n);
	}
	return VAULT_OK;
}

/* Old or new, whatever happens: write beside, sync, rename, sync. */
static vault_err replace_config(int vaultfd, struct vault_span text)
{
	vault_err err;
	int fd = openat(vaultfd, CONFIG_NEW,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);

	if (fd < 0)
		return fail(CONFIG_NEW);
	err = write_all(fd, text);
	if (err == VAULT_OK && fsync(fd) != 0)
		err = fail(CONFIG_NEW);
	close(fd);
	if (err == VAULT_OK &&
	    renameat(vaultfd, CONFIG_NEW, vaultfd, CONFIG_NAME) != 0)
		err = fail(CONFIG_NAME);
	if (err == VAULT_OK && fsync(vaultfd) != 0)
		err = fail("the folder");
	if (err != VAULT_OK)
		(void)unlinkat(vaultfd, CONFIG_NEW, 0);
	return err;
}

/* A line must be read back as what it was. */
static bool is_writable(const char *key, struct vault_span value)
{
	const struct vault_span k = vault_span_str(key);

	return k.len > 0 && k.data[0] != '#' &&
	       memchr(key, '=', k.len) == NULL &&
	       memchr(key, '\n', k.len) == NULL && trim(k).len == k.len &&
	       trim(value).len == value.len &&
	       (value.len == 0 ||
		(memchr(value.data, '\n', value.len) == NULL &&
		 memchr(value.data, 0, value.len) == NULL));
}

vault_err vault_config_set(int vaultfd, const char *key,
			   struct vault_span value)
{
	struct vault_buf text = VAULT_BUF_INIT;
	struct vault_buf edited = VAULT_BUF_INIT;
	bool there;
	vault_err err;

	if (!is_writable(key, value))
		return VAULT_ERR_INVALID;
	err = read_config(vaultfd, &text, &there);
	if (err == VAULT_OK)
		err = edit(vault_buf_span(&text), key, value, &edited);
	if (err == VAULT_OK)
		err = replace_config(vaultfd, vault_buf_span(&edited));
	vault_buf_release(&text);
	vault_buf_release(&edited);
	return err;
}
