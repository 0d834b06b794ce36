/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_VIEW_NODES_H
#define VAULT_FS_VIEW_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The nodes of the views that the kernel knows.
 *
 * A node is found or made by what it is (its key) and gets a number that is
 * never given out again. Files of the past are their version record, so that
 * an unchanged file is one node, and one page cache, through all moments.
 * Directories are the name they were reached by and their moment: the kernel
 * wants one name for a directory, so `latest/` and the moment it means are
 * two. Keys never change; a node goes when the kernel has forgotten it and
 * nobody has it pinned. Any thread.
 */
enum vault_view_kind {
	VAULT_VIEW_HISTORY,  /* `.history` of a directory */
	VAULT_VIEW_GMT,	     /* `.gmt` in it */
	VAULT_VIEW_PAST,     /* a directory as of a moment */
	VAULT_VIEW_VERSION,  /* a file, link or device: one version of it */
	VAULT_VIEW_TIMELINE, /* `.timeline` and the directories in it */
	VAULT_VIEW_TEXT,     /* a text made from a timeline */
	VAULT_VIEW_MARKER,   /* a fixed file that stops crawlers */
};

/* What a node is. Spans are borrowed. */
struct vault_view_key {
	enum vault_view_kind kind;
	/* PAST: its directory id; VERSION: the directory that held it. */
	uint64_t dir;
	/* PAST: the moment; VERSION: its commit; TEXT: the newest version's. */
	uint64_t seq;
	/* All but VERSION: the path from the mount's root. */
	struct vault_span where;
	/* VERSION: its name in `dir`; else the path in the project. */
	struct vault_span path;
};

/* How many of the moments a version was reached through are remembered. */
#define VAULT_VIEW_REACHED 4

struct vault_view_node {
	struct vault_view_key key; /* spans into the node itself */
	uint64_t id;		   /* for the kernel */
	uint64_t ino;		   /* st_ino; top bit set */
	uint64_t up;		   /* st_ino of the directory above */
	struct vault_buf text;	   /* TEXT, MARKER */
	/* Guarded by the table's lock, as all below. */
	uint64_t reached[VAULT_VIEW_REACHED];
	uint64_t lookups; /* the kernel's references */
	uint32_t pins;	  /* ours */
	struct vault_view_node *next_by_id;
	struct vault_view_node *next_by_key;
};

struct vault_view_nodes;

VAULT_MUST_CHECK vault_err
vault_view_nodes_create(struct vault_view_nodes **out);
/* Frees all nodes, pinned or not. Accepts NULL. */
void vault_view_nodes_destroy(struct vault_view_nodes *t);

/* The st_ino of whatever has this key; a pure function of it. */
uint64_t vault_view_nodes_ino(const struct vault_view_key *key);

/*
 * The node with this key, made if there is none, pinned. A new one takes what
 * `text` holds (may be NULL); `up` counts for a new one only.
 */
VAULT_MUST_CHECK vault_err vault_view_nodes_get(
	struct vault_view_nodes *t, const struct vault_view_key *key,
	uint64_t up, struct vault_buf *text, struct vault_view_node **out);

/* The node with this number, pinned; NULL: the kernel does not know it. */
struct vault_view_node *vault_view_nodes_pin(struct vault_view_nodes *t,
					     uint64_t id);
/* Accepts NULL. */
void vault_view_nodes_unpin(struct vault_view_nodes *t,
			    struct vault_view_node *n);

/* The kernel gets one more reference. */
void vault_view_nodes_looked_up(struct vault_view_nodes *t,
				struct vault_view_node *n);
void vault_view_nodes_forget(struct vault_view_nodes *t, uint64_t id,
			     uint64_t n);

/* A version was reached as of moment `at`; and the moments so far, newest
 * first, 0 where there are fewer. */
void vault_view_nodes_reach(struct vault_view_nodes *t,
			    struct vault_view_node *n, uint64_t at);
void vault_view_nodes_reached(struct vault_view_nodes *t,
			      const struct vault_view_node *n,
			      uint64_t out[VAULT_VIEW_REACHED]);

/* How many there are. */
uint64_t vault_view_nodes_count(struct vault_view_nodes *t);

#endif
