/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/control_session.h"
#include "fs/destination.h"
#include "fs/frames.h"
#include "store/base/log.h"

/*
 * The client trusts the daemon with what it prints and with the bytes of what
 * is restored, and with nothing else: it writes only where its own command
 * line says, and the writer checks every path below that.
 */
struct client {
	int fd;
	int argc;
	char **argv;
	struct vault_buf payload;
	struct vault_destination *destination;
	struct vault_restore_sink sink;
	vault_err trouble; /* of the restore that runs */
	bool done;
	int code;
};

/* ---- connecting ---- */

static bool may_trust(int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return false;
	return geteuid() == 0 || cred.uid == 0 || cred.uid == geteuid();
}

static bool connect_to(const char *path, int *out)
{
	struct sockaddr_un address;
	int dirfd;
	int fd;

	if (vault_control_address(path, &address, &dirfd) != VAULT_OK)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       sizeof(address)) != 0) {
		const int number = errno;

		close(fd);
		fd = -1;
		if (number == EACCES || number == EPERM)
			vault_log_error("%s: only the owner of the project "
					"and root are served",
					path);
	}
	close(dirfd);
	if (fd >= 0)
		*out = fd;
	return fd >= 0;
}

static vault_err send_request(const struct client *c, const char *inside)
{
	const uint32_t flags =
		(isatty(STDOUT_FILENO) ? VAULT_FRAMES_OUT_TTY : 0) |
		(isatty(STDERR_FILENO) ? VAULT_FRAMES_ERR_TTY : 0);
	struct vault_buf payload = VAULT_BUF_INIT;
	vault_err err;

	err = vault_frames_send_hello(c->fd);
	if (err == VAULT_OK)
		err = vault_frames_put_request(&payload, flags, inside, c->argc,
					       c->argv);
	if (err == VAULT_OK)
		err = vault_frames_send(c->fd, VAULT_FRAMES_REQUEST,
					vault_buf_span(&payload));
	vault_buf_release(&payload);
	return err;
}

/* ---- restoring ---- */

/* Is it a word of our own command line, or the end of `--option=word`? */
static bool we_said(const struct client *c, const char *dest)
{
	const size_t len = strlen(dest);

	for (int i = 1; i < c->argc; i++) {
		const char *word = c->argv[i];
		const size_t n = strlen(word);

		if (strcmp(word, dest) == 0)
			return true;
		if (n > len && word[n - len - 1] == '=' &&
		    strcmp(word + n - len, dest) == 0)
			return true;
	}
	return false;
}

static vault_err answer(const struct client *c, vault_err what)
{
	return vault_frames_send_number(c->fd, VAULT_FRAMES_ANSWER,
					(uint32_t)what);
}

static vault_err on_restore(struct client *c)
{
	struct vault_buf dest = VAULT_BUF_INIT;
	struct vault_buf name = VAULT_BUF_INIT;
	vault_err err;

	err = vault_frames_get_restore(vault_buf_span(&c->payload), &dest,
				       &name);
	if (err == VAULT_OK &&
	    (c->destination != NULL || !we_said(c, (const char *)dest.data)))
		err = VAULT_ERR_CORRUPT;
	if (err != VAULT_OK)
		goto out;
	c->trouble = vault_destination_open((const char *)dest.data,
					    (const char *)name.data,
					    &c->destination, &c->sink);
	err = answer(c, c->trouble);

out:
	vault_buf_release(&dest);
	vault_buf_release(&name);
	return err;
}

static vault_err write_data(const struct client *c)
{
	struct vault_reader r = vault_reader(vault_buf_span(&c->payload));
	const uint64_t off = vault_reader_le64(&r);

	if (r.failed)
		return VAULT_ERR_CORRUPT;
	return c->sink.data(c->sink.ctx, off, r.left);
}

static vault_err write_item(const struct client *c, enum vault_frames_type type)
{
	struct vault_restore_item item;
	vault_err err;

	err = vault_frames_get_item(vault_buf_span(&c->payload), &item);
	if (err != VAULT_OK)
		return err;
	if (type == VAULT_FRAMES_BEGIN)
		return c->sink.begin(c->sink.ctx, &item);
	if (type == VAULT_FRAMES_END)
		return c->sink.end(c->sink.ctx, &item);
	return c->sink.leave(c->sink.ctx, &item);
}

/* Write one call of the sink; the first failure is said, the rest is let go
 * by until the daemon has heard of it. */
static vault_err on_write(struct client *c, enum vault_frames_type type)
{
	if (c->destination == NULL)
		return VAULT_ERR_CORRUPT;
	if (c->trouble != VAULT_OK)
		return VAULT_OK;
	c->trouble =
		type == VAULT_FRAMES_DATA ? write_data(c) : write_item(c, type);
	if (c->trouble == VAULT_OK)
		return VAULT_OK;
	return vault_frames_send_number(c->fd, VAULT_FRAMES_TROUBLE,
					(uint32_t)c->trouble);
}

static vault_err finish(struct client *c, bool ok)
{
	const bool keep = ok && c->trouble == VAULT_OK;
	const vault_err err = vault_destination_finish(c->destination, keep);

	c->destination = NULL;
	return c->trouble != VAULT_OK ? c->trouble : err;
}

static vault_err on_finish(struct client *c)
{
	if (c->destination == NULL || c->payload.len != 1)
		return VAULT_ERR_CORRUPT;
	return answer(c, finish(c, c->payload.data[0] == 1));
}

/* ---- what the daemon says ---- */

static vault_err on_output(const struct client *c, FILE *to)
{
	if (fwrite(c->payload.data, 1, c->payload.len, to) != c->payload.len ||
	    fflush(to) != 0)
		return VAULT_ERR_CANCELLED; /* our own reader has left */
	return VAULT_OK;
}

static vault_err on_exit_code(struct client *c)
{
	uint32_t code;
	const vault_err err =
		vault_frames_get_number(vault_buf_span(&c->payload), &code);

	if (err != VAULT_OK || code > 255)
		return VAULT_ERR_CORRUPT;
	c->code = (int)code;
	c->done = true;
	return VAULT_OK;
}

static vault_err on_frame(struct client *c, enum vault_frames_type type)
{
	switch (type) {
	case VAULT_FRAMES_STDOUT:
		return on_output(c, stdout);
	case VAULT_FRAMES_STDERR:
		return on_output(c, stderr);
	case VAULT_FRAMES_RESTORE:
		return on_restore(c);
	case VAULT_FRAMES_BEGIN:
	case VAULT_FRAMES_DATA:
	case VAULT_FRAMES_END:
	case VAULT_FRAMES_LEAVE:
		return on_write(c, type);
	case VAULT_FRAMES_FINISH:
		return on_finish(c);
	case VAULT_FRAMES_EXIT:
		return on_exit_code(c);
	default:
		return VAULT_ERR_CORRUPT;
	}
}

static vault_err talk(struct client *c)
{
	enum vault_frames_type type;
	vault_err err;

	err = vault_frames_receive_hello(c->fd);
	while (err == VAULT_OK && !c->done) {
		err = vault_frames_receive(c->fd, &type, &c->payload);
		if (err == VAULT_OK)
			err = on_frame(c, type);
	}
	return err;
}

int vault_control_call(const char *socket, const char *inside, int argc,
		       char **argv, bool *ran)
{
	struct client c = { .argc = argc,
			    .argv = argv,
			    .code = VAULT_EXIT_FAILED };
	vault_err err;

	*ran = false;
	if (!connect_to(socket, &c.fd))
		return VAULT_EXIT_FAILED;
	*ran = true;
	if (!may_trust(c.fd)) {
		vault_log_error("%s: made by somebody else; not used", socket);
		close(c.fd);
		return VAULT_EXIT_FAILED;
	}
	err = send_request(&c, inside);
	/* A daemon that refuses may hang up before it has read everything;
	 * what it said is there all the same. */
	if (err == VAULT_OK || err == VAULT_ERR_CANCELLED)
		err = talk(&c);
	if (c.destination != NULL && finish(&c, false) != VAULT_OK)
		vault_log_debug("control: nothing was restored");
	if (err == VAULT_ERR_CORRUPT)
		vault_log_error("%s: the daemon said what cannot be understood",
				socket);
	else if (err != VAULT_OK && err != VAULT_ERR_NEWER && !ferror(stdout))
		vault_log_error("%s: the daemon went away before it was done",
				socket);
	vault_buf_release(&c.payload);
	close(c.fd);
	return err == VAULT_OK ? c.code : VAULT_EXIT_FAILED;
}
