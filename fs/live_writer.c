/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/live_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/acting.h"
#include "store/base/buf.h"

struct vault_live_writer {
	struct vault_project *project;
	const struct vault_caller *caller;
	struct vault_restore_writer *writer;
	struct vault_restore_sink sink; /* of `writer` */
	struct vault_buf path;		/* of what is written, in the project */
	struct vault_buf names; /* paths that came, each with a 0 byte after */
	int dirfd;
};

/* ---- the sink ---- */

typedef vault_err item_call(void *ctx, const struct vault_restore_item *item);

static vault_err as_caller(struct vault_live_writer *w, item_call *call,
			   const struct vault_restore_item *item)
{
	struct vault_acting id;
	vault_err err = vault_acting_begin(w->caller, &id);

	if (err != VAULT_OK)
		return err;
	err = call(w->sink.ctx, item);
	vault_acting_end(&id);
	return err;
}

/* Remember a name for the capture engine. */
static vault_err note_name(struct vault_live_writer *w, struct vault_span below)
{
	vault_err err = vault_buf_append(&w->names, vault_buf_span(&w->path));

	if (err == VAULT_OK && below.len > 0)
		err = vault_buf_put_u8(&w->names, '/');
	if (err == VAULT_OK)
		err = vault_buf_append(&w->names, below);
	return err == VAULT_OK ? vault_buf_put_u8(&w->names, 0) : err;
}

static vault_err begin(void *ctx, const struct vault_restore_item *item)
{
	struct vault_live_writer *w = ctx;
	const vault_err err = note_name(w, item->path);

	return err == VAULT_OK ? as_caller(w, w->sink.begin, item) : err;
}

static vault_err data(void *ctx, uint64_t off, struct vault_span bytes)
{
	struct vault_live_writer *w = ctx;

	/* An open file asks nobody again who writes. */
	return w->sink.data(w->sink.ctx, off, bytes);
}

static vault_err end(void *ctx, const struct vault_restore_item *item)
{
	struct vault_live_writer *w = ctx;

	return as_caller(w, w->sink.end, item);
}

static vault_err leave(void *ctx, const struct vault_restore_item *item)
{
	struct vault_live_writer *w = ctx;

	return as_caller(w, w->sink.leave, item);
}

/* ---- life ---- */

static vault_err open_beneath(int projectfd, struct vault_span dir, int *out)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	struct vault_buf path = VAULT_BUF_INIT;
	vault_err err = VAULT_ERR_NOMEM;
	const char *text;
	long fd;

	if (vault_buf_append(&path, dir.len > 0 ? dir : vault_span_str(".")) !=
	    VAULT_OK)
		goto out;
	text = vault_buf_cstr(&path);
	if (text == NULL)
		goto out;
	fd = syscall(SYS_openat2, projectfd, text, &how, sizeof(how));
	err = fd < 0 ? vault_err_from_errno(errno) : VAULT_OK;
	if (fd >= 0)
		*out = (int)fd;

out:
	vault_buf_release(&path);
	return err;
}

static vault_err set_path(struct vault_live_writer *w, struct vault_span dir,
			  struct vault_span name)
{
	vault_err err = vault_buf_append(&w->path, dir);

	if (err == VAULT_OK && dir.len > 0)
		err = vault_buf_put_u8(&w->path, '/');
	return err == VAULT_OK ? vault_buf_append(&w->path, name) : err;
}

/* Open what is written to; as the caller. */
static vault_err open_writer(struct vault_live_writer *w, struct vault_span dir,
			     const char *name)
{
	struct vault_acting id;
	vault_err err = vault_acting_begin(w->caller, &id);

	if (err != VAULT_OK)
		return err;
	err = open_beneath(w->project->projectfd, dir, &w->dirfd);
	if (err == VAULT_OK)
		err = vault_restore_writer_create(w->dirfd, name, &w->writer,
						  &w->sink);
	vault_acting_end(&id);
	return err;
}

vault_err vault_live_writer_create(struct vault_project *project,
				   const struct vault_caller *caller,
				   struct vault_span dir,
				   struct vault_span name,
				   struct vault_live_writer **out,
				   struct vault_restore_sink *sink)
{
	struct vault_live_writer *w = calloc(1, sizeof(*w));
	struct vault_buf text = VAULT_BUF_INIT;
	vault_err err = VAULT_ERR_NOMEM;

	if (w == NULL)
		return err;
	w->project = project;
	w->caller = caller;
	w->dirfd = -1;
	err = vault_buf_append(&text, name);
	if (err == VAULT_OK)
		err = set_path(w, dir, name);
	if (err == VAULT_OK && vault_buf_cstr(&text) == NULL)
		err = VAULT_ERR_NOMEM;
	if (err == VAULT_OK)
		err = open_writer(w, dir, (const char *)text.data);
	if (err != VAULT_OK)
		goto out;
	*sink = (struct vault_restore_sink){ .ctx = w,
					     .begin = begin,
					     .data = data,
					     .end = end,
					     .leave = leave };
	*out = w;
	w = NULL;

out:
	vault_buf_release(&text);
	vault_live_writer_destroy(w);
	return err;
}

/* The engine looks at every name that came, and, where a folder was put in
 * the place of another, for those that went. */
static void tell_capture(struct vault_live_writer *w)
{
	struct vault_capture *c = w->project->capture;
	struct vault_span left = vault_buf_span(&w->names);
	unsigned n = 0;

	if (c == NULL)
		return;
	for (; left.len > 0; n++) {
		const size_t len = strlen((const char *)left.data);

		vault_capture_changed(c, vault_span(left.data, len));
		left = vault_span_from(left, len + 1);
	}
	if (n > 1 && vault_capture_rescan(c) != VAULT_OK)
		return; /* the next rescan finds them */
}

vault_err vault_live_writer_finish(struct vault_live_writer *w, bool replace)
{
	struct vault_capture *c = w->project->capture;
	struct vault_acting id;
	vault_err err;

	if (replace && c != NULL)
		vault_capture_replacing(c, vault_buf_span(&w->path));
	err = vault_acting_begin(w->caller, &id);
	if (err != VAULT_OK)
		return err;
	err = vault_restore_writer_finish(w->writer, replace);
	vault_acting_end(&id);
	if (err == VAULT_OK)
		tell_capture(w);
	return err;
}

void vault_live_writer_destroy(struct vault_live_writer *w)
{
	struct vault_acting id;

	if (w == NULL)
		return;
	/* As ourselves if need be: nothing may be left behind. */
	if (vault_acting_begin(w->caller, &id) == VAULT_OK) {
		vault_restore_writer_destroy(w->writer);
		vault_acting_end(&id);
	} else {
		vault_restore_writer_destroy(w->writer);
	}
	if (w->dirfd >= 0)
		close(w->dirfd);
	vault_buf_release(&w->path);
	vault_buf_release(&w->names);
	free(w);
}
