/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_CORE_H
#define VAULT_FS_VIEW_CORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/access.h"
#include "fs/view.h"
#include "fs/view_nodes.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/row.h"

/*
 * What the parts of the views share. Internal to fs/view*.c.
 *
 * What a name leads to is a `struct vault_view_found`; the parts fill it and
 * view.c tells the kernel. The past does not change, so what lies inside a
 * moment is given out for long; names that may mean something else later
 * (`latest`, snapshots, versions in a timeline) are asked for every time.
 * Nothing is locked across a look into the store.
 */
struct vault_view {
	struct vault_tree *tree;
	struct vault_capture *capture;
	int projectfd;
	struct vault_view_options options;
	struct vault_view_nodes *nodes;
	uint64_t generation;
	int64_t started; /* mtime of what has none */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t idle;
	unsigned jobs;	      /* that run on threads of their own */
	void *spare_reads[4]; /* buffers of VAULT_VIEW_READ_MAX bytes */
	unsigned n_spare_reads;
	struct vault_view_open *open; /* files and directories */
};

/* The first member of what a file or a directory is while it is open. */
struct vault_view_open {
	struct vault_view_open *next; /* under the lock of the view */
	struct vault_view_open *prev;
	void (*close)(struct vault_view *v, struct vault_view_open *o);
};

/* Note it as open; `close` is called once, by one of the two below. */
void vault_view_core_opened(struct vault_view *v, struct vault_view_open *o);
void vault_view_core_close(struct vault_view *v, struct vault_view_open *o);
/* Close what was never released: a kernel that is cut off releases nothing. */
void vault_view_core_close_all(struct vault_view *v);

#define VAULT_VIEW_FOREVER 86400.0 /* seconds; for what cannot change */
#define VAULT_VIEW_READ_MAX ((size_t)1 << 20)

struct vault_view_found {
	struct vault_view_node *node; /* pinned */
	struct stat attr;
	double entry_timeout;
	double attr_timeout;
};

/* Unpins. */
void vault_view_core_release(struct vault_view *v, struct vault_view_found *f);

/* As the kernel wants it; raises the lookup count. */
void vault_view_core_entry(struct vault_view *v,
			   const struct vault_view_found *f,
			   struct fuse_entry_param *out);

/* The stat of a node; the row is looked up where there is one. */
VAULT_MUST_CHECK vault_err vault_view_core_attr(struct vault_view *v,
						const struct vault_view_node *n,
						struct stat *out);
/* The same with the row at hand. */
void vault_view_core_row_attr(const struct vault_view_node *n,
			      const struct vault_row *row, struct stat *out);
/* How long the kernel may keep a node's stat. */
double vault_view_core_attr_timeout(const struct vault_view_node *n);

/*
 * Fill `out` with the node of `key`, made if need be; `row` may be NULL (it
 * is looked up then); `text` may be NULL and is taken for a new node.
 */
VAULT_MUST_CHECK vault_err vault_view_core_found(
	struct vault_view *v, const struct vault_view_key *key, uint64_t up,
	const struct vault_row *row, struct vault_buf *text,
	double entry_timeout, struct vault_view_found *out);

/* The version record of a VERSION, or of a PAST as of its moment. INVALID
 * for the other kinds. */
VAULT_MUST_CHECK vault_err
vault_view_core_version(struct vault_view *v, const struct vault_view_node *n,
			struct vault_version *out);

/* May whoever sent `req` do `want` (VAULT_MAY_*) with the node? DENIED. */
VAULT_MUST_CHECK vault_err
vault_view_core_check(struct vault_view *v, fuse_req_t req,
		      const struct vault_view_node *n, int want);

/* Append "a" to "b/c" with a slash between them, where both are there. */
VAULT_MUST_CHECK vault_err vault_view_core_join(struct vault_buf *path,
						struct vault_span name);

/*
 * Run `run(arg)` on a thread of its own, which vault_view_core_wait() waits
 * for. `run` answers the request and frees `arg`.
 */
typedef void vault_view_core_job(void *arg);
VAULT_MUST_CHECK vault_err vault_view_core_spawn(struct vault_view *v,
						 vault_view_core_job *run,
						 void *arg);
void vault_view_core_wait(struct vault_view *v);

#endif
