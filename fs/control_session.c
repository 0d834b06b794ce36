/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control_session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "fs/frames.h"
#include "store/base/log.h"

#define ASK_TIMEOUT_SECONDS 10 /* until a client has said what it wants */

struct session {
	const struct vault_control_options *options;
	int fd;
	struct vault_caller caller;
	gid_t *groups;
	struct vault_frames_request request;
	struct vault_buf payload; /* of what was received last */
	struct vault_buf item;	  /* of what is sent next */
};

/* ---- what the command prints ---- */

static ssize_t write_frames(int fd, enum vault_frames_type type,
			    const char *bytes, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		size_t n = len - sent;

		if (n > VAULT_FRAMES_CHUNK)
			n = VAULT_FRAMES_CHUNK;
		if (vault_frames_send(fd, type, vault_span(bytes + sent, n)) !=
		    VAULT_OK)
			return 0; /* nobody listens: the stream has failed */
		sent += n;
	}
	return (ssize_t)len;
}

static ssize_t write_out(void *cookie, const char *bytes, size_t len)
{
	const struct session *s = cookie;

	return write_frames(s->fd, VAULT_FRAMES_STDOUT, bytes, len);
}

static ssize_t write_err(void *cookie, const char *bytes, size_t len)
{
	const struct session *s = cookie;

	return write_frames(s->fd, VAULT_FRAMES_STDERR, bytes, len);
}

static bool is_gone(void *ctx)
{
	const struct session *s = ctx;
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 &&
	       (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* ---- what the command restores ---- */

/* The client's answer; trouble said before it is older news. */
static vault_err receive_answer(struct session *s)
{
	enum vault_frames_type type;
	uint32_t number;
	vault_err err;

	do {
		err = vault_frames_receive(s->fd, &type, &s->payload);
		if (err != VAULT_OK)
			return err;
	} while (type == VAULT_FRAMES_TROUBLE);
	err = type != VAULT_FRAMES_ANSWER
		      ? VAULT_ERR_CORRUPT
		      : vault_frames_get_number(vault_buf_span(&s->payload),
						&number);
	return err == VAULT_OK ? vault_frames_err(number) : err;
}

/* Has the client said that writing failed? Does not wait. */
static vault_err look_for_trouble(struct session *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	enum vault_frames_type type;
	uint32_t number;
	vault_err err;

	if (poll(&p, 1, 0) <= 0)
		return VAULT_OK;
	err = vault_frames_receive(s->fd, &type, &s->payload);
	if (err == VAULT_OK && type != VAULT_FRAMES_TROUBLE)
		err = VAULT_ERR_CORRUPT;
	if (err == VAULT_OK)
		err = vault_frames_get_number(vault_buf_span(&s->payload),
					      &number);
	return err == VAULT_OK ? vault_frames_err(number) : err;
}

static vault_err send_item(struct session *s, enum vault_frames_type type,
			   const struct vault_restore_item *item)
{
	vault_err err = look_for_trouble(s);

	if (err != VAULT_OK)
		return err;
	vault_buf_clear(&s->item);
	err = vault_frames_put_item(&s->item, item);
	return err == VAULT_OK ? vault_frames_send(s->fd, type,
						   vault_buf_span(&s->item))
			       : err;
}

static vault_err sink_begin(void *ctx, const struct vault_restore_item *item)
{
	return send_item(ctx, VAULT_FRAMES_BEGIN, item);
}

static vault_err sink_end(void *ctx, const struct vault_restore_item *item)
{
	return send_item(ctx, VAULT_FRAMES_END, item);
}

static vault_err sink_leave(void *ctx, const struct vault_restore_item *item)
{
	return send_item(ctx, VAULT_FRAMES_LEAVE, item);
}

static vault_err sink_data(void *ctx, uint64_t off, struct vault_span bytes)
{
	struct session *s = ctx;
	vault_err err = look_for_trouble(s);

	while (err == VAULT_OK && bytes.len > 0) {
		size_t n = bytes.len;

		if (n > VAULT_FRAMES_CHUNK)
			n = VAULT_FRAMES_CHUNK;
		vault_buf_clear(&s->item);
		err = vault_buf_put_le64(&s->item, off);
		if (err == VAULT_OK)
			err = vault_buf_append(&s->item,
					       vault_span(bytes.data, n));
		if (err == VAULT_OK)
			err = vault_frames_send(s->fd, VAULT_FRAMES_DATA,
						vault_buf_span(&s->item));
		bytes = vault_span_from(bytes, n);
		off += n;
	}
	return err;
}

static vault_err restore_to(void *ctx, const char *dest, const char *name,
			    struct vault_restore_sink *sink)
{
	struct session *s = ctx;
	vault_err err;

	vault_buf_clear(&s->item);
	err = vault_frames_put_restore(&s->item, dest, name);
	if (err == VAULT_OK)
		err = vault_frames_send(s->fd, VAULT_FRAMES_RESTORE,
					vault_buf_span(&s->item));
	if (err == VAULT_OK)
		err = receive_answer(s);
	if (err == VAULT_OK)
		*sink = (struct vault_restore_sink){ .ctx = s,
						     .begin = sink_begin,
						     .data = sink_data,
						     .end = sink_end,
						     .leave = sink_leave };
	return err;
}

static vault_err restore_done(void *ctx, bool ok)
{
	struct session *s = ctx;
	const uint8_t flag = ok ? 1 : 0;
	const vault_err err = vault_frames_send(s->fd, VAULT_FRAMES_FINISH,
						vault_span(&flag, 1));

	return err == VAULT_OK ? receive_answer(s) : err;
}

/* ---- commands ---- */

static int run_unmount(struct vault_command_env *env)
{
	if (vault_command_sync(env, VAULT_CAUSE_SYNC, NULL) == VAULT_OK)
		return VAULT_EXIT_DONE;
	fprintf(env->err,
		"artvault: still mounted, since finished saves could not be "
		"kept; `umount` leaves without them\n");
	return VAULT_EXIT_FAILED;
}

static FILE *open_stream(struct session *s, bool is_err)
{
	const cookie_io_functions_t calls = {
		.write = is_err ? write_err : write_out,
	};
	FILE *f = fopencookie(s, "w", calls);

	if (f != NULL)
		setvbuf(f, NULL, is_err ? _IOLBF : _IOFBF, 65536);
	return f;
}

static int run_words(struct session *s, struct vault_command_env *env)
{
	const struct vault_frames_request *q = &s->request;

	if (strcmp(q->argv[0], "unmount") == 0)
		return run_unmount(env);
	return vault_command_run(env, q->argc, q->argv);
}

static int run_command(struct session *s)
{
	struct vault_command_env env = {
		.project = s->options->project,
		.mounted = true,
		.live_path = "",
		.shadowed = "",
		.inside = s->request.inside,
		.caller = s->caller,
		.out = open_stream(s, false),
		.err = open_stream(s, true),
		.out_is_tty = (s->request.flags & VAULT_FRAMES_OUT_TTY) != 0,
		.err_is_tty = (s->request.flags & VAULT_FRAMES_ERR_TTY) != 0,
		.gone = is_gone,
		.gone_ctx = s,
		.restore_to = restore_to,
		.restore_done = restore_done,
		.restore_ctx = s,
	};
	int code = VAULT_EXIT_FAILED;

	if (env.out != NULL && env.err != NULL) {
		if (s->options->describe != NULL)
			s->options->describe(s->options->ctx, &env);
		code = run_words(s, &env);
	}
	if (env.out != NULL && fclose(env.out) != 0)
		code = VAULT_EXIT_FAILED;
	if (env.err != NULL && fclose(env.err) != 0)
		code = VAULT_EXIT_FAILED;
	return code;
}

/* ---- who is there, and what is asked ---- */

static vault_err ask_groups(struct session *s)
{
	socklen_t size = 64 * sizeof(gid_t);

	for (;;) {
		gid_t *groups = realloc(s->groups, size);

		if (groups == NULL)
			return VAULT_ERR_NOMEM;
		s->groups = groups;
		if (getsockopt(s->fd, SOL_SOCKET, SO_PEERGROUPS, groups,
			       &size) == 0)
			break;
		if (errno != ERANGE || size > 65536 * sizeof(gid_t))
			return VAULT_ERR_DENIED;
	}
	s->caller.groups = s->groups;
	s->caller.n_groups = size / sizeof(gid_t);
	return VAULT_OK;
}

static vault_err ask_peer(struct session *s)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		return VAULT_ERR_DENIED;
	s->caller.uid = cred.uid;
	s->caller.gid = cred.gid;
	if (cred.uid != 0 && cred.uid != s->options->owner)
		return VAULT_ERR_DENIED;
	return ask_groups(s);
}

/* How long a receive may wait; 0 for ever. */
static void set_timeout(int fd, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) != 0)
		vault_log_warn("control: no timeout: %s", strerror(errno));
}

static vault_err receive_request(struct session *s)
{
	enum vault_frames_type type;
	vault_err err;

	set_timeout(s->fd, ASK_TIMEOUT_SECONDS);
	err = vault_frames_send_hello(s->fd);
	if (err == VAULT_OK)
		err = vault_frames_receive_hello(s->fd);
	if (err == VAULT_OK)
		err = vault_frames_receive(s->fd, &type, &s->payload);
	if (err == VAULT_OK && type != VAULT_FRAMES_REQUEST)
		err = VAULT_ERR_CORRUPT;
	if (err == VAULT_OK)
		err = vault_frames_get_request(vault_buf_span(&s->payload),
					       &s->request);
	set_timeout(s->fd, 0);
	return err;
}

void vault_control_session_refuse(int fd, const char *reason)
{
	char line[256];
	const int n = snprintf(line, sizeof(line), "artvault: %s\n", reason);
	vault_err err = vault_frames_send_hello(fd);

	if (err == VAULT_OK)
		err = vault_frames_send(fd, VAULT_FRAMES_STDERR,
					vault_span(line, (size_t)n));
	if (err == VAULT_OK)
		err = vault_frames_send_number(fd, VAULT_FRAMES_EXIT,
					       VAULT_EXIT_FAILED);
	if (err != VAULT_OK)
		vault_log_debug("control: a refused client has left");
}

static void run_session(struct session *s)
{
	vault_err err;
	int code;

	err = ask_peer(s);
	if (err != VAULT_OK) {
		vault_control_session_refuse(
			s->fd, "only the owner of the project and root are "
			       "served");
		return;
	}
	err = receive_request(s);
	if (err == VAULT_ERR_CORRUPT)
		vault_log_warn("control: uid %u sent what is no request",
			       (unsigned)s->caller.uid);
	if (err != VAULT_OK)
		return;
	code = run_command(s);
	err = vault_frames_send_number(s->fd, VAULT_FRAMES_EXIT,
				       (uint32_t)code);
	if (err != VAULT_OK)
		vault_log_debug("control: a client has left its command");
	if (strcmp(s->request.argv[0], "unmount") == 0 &&
	    code == VAULT_EXIT_DONE && s->options->unmount != NULL)
		s->options->unmount(s->options->ctx);
}

void vault_control_session_run(const struct vault_control_options *options,
			       int fd)
{
	struct session s = { .options = options, .fd = fd };

	run_session(&s);
	vault_frames_request_release(&s.request);
	vault_buf_release(&s.payload);
	vault_buf_release(&s.item);
	free(s.groups);
}
