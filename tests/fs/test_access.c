/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may read the past, held against the kernel.
 *
 * A tree of files, folders, ACLs and owners is changed at random in three
 * stages and recorded after each. What the kernel says to five users about
 * the real tree at each stage is written down; the rule's answer about a
 * version must be what the kernel said then, and says now about the same
 * inode wherever it is, together.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/access.h"
#include "store/base/bytes.h"
#include "tests/support/scratch.h"
#include "versions/moment.h"
#include "versions/tree.h"
#include "versions/xattrs.h"

#define ACL_XATTR "system.posix_acl_access"

enum {
	STAGES = 3,
	N_USERS = 5,
	SCENES = 60,
	CHANGES = 3, /* of each scene at each stage */
	MAX_NODES = 4000,
	MAX_SEEN = 3000, /* names at one stage */
	PATH_BYTES = 512,
};

static const gid_t two_groups[] = { 3000, 3001 };
static const struct vault_caller users[N_USERS] = {
	{ 1001, 1001, NULL, 0 },       { 1002, 1002, two_groups, 1 },
	{ 1003, 1003, two_groups, 2 }, { 1004, 3001, NULL, 0 },
	{ 1005, 1005, NULL, 0 },
};
static const struct vault_caller root_user = { 0, 0, NULL, 0 };

/* ---- ACLs ---- */

struct packed_acl {
	uint8_t data[4 + 8 * 8];
	size_t len;
};

static void acl_begin(struct packed_acl *a)
{
	vault_bytes_put_le32(a->data, 2);
	a->len = 4;
}

static void acl_add(struct packed_acl *a, unsigned tag, unsigned perm,
		    uint32_t id)
{
	uint8_t *p = a->data + a->len;

	assert_true(a->len + 8 <= sizeof(a->data));
	vault_bytes_put_le16(p, (uint16_t)tag);
	vault_bytes_put_le16(p + 2, (uint16_t)perm);
	vault_bytes_put_le32(p + 4, id);
	a->len += 8;
}

static bool allows(const struct vault_caller *who, mode_t mode,
		   const struct packed_acl *a, int want)
{
	const struct vault_span acl =
		a == NULL ? VAULT_SPAN_EMPTY : vault_span(a->data, a->len);

	return vault_access_allows(who, mode, 1001, 3000, acl, want);
}

static void the_class_that_fits_first_decides(void **state)
{
	(void)state;
	assert_true(allows(&users[0], 0400, NULL, VAULT_MAY_READ));
	assert_false(allows(&users[0], 0077, NULL, VAULT_MAY_READ));
	assert_true(allows(&users[1], 0040, NULL, VAULT_MAY_READ));
	assert_false(allows(&users[1], 0704, NULL, VAULT_MAY_READ));
	assert_true(allows(&users[4], 0004, NULL, VAULT_MAY_READ));
	assert_false(allows(&users[4], 0770, NULL, VAULT_MAY_READ));
	assert_false(allows(&users[4], 0774, NULL,
			    VAULT_MAY_READ | VAULT_MAY_SEARCH));
	assert_true(allows(&root_user, 0, NULL, VAULT_MAY_READ));
}

static void named_entries_are_limited_by_the_mask(void **state)
{
	struct packed_acl a;

	(void)state;
	acl_begin(&a);
	acl_add(&a, 0x01, 6, UINT32_MAX);
	acl_add(&a, 0x02, 7, 1005);
	acl_add(&a, 0x04, 0, UINT32_MAX);
	acl_add(&a, 0x08, 5, 3001);
	acl_add(&a, 0x10, 4, UINT32_MAX);
	acl_add(&a, 0x20, 0, UINT32_MAX);
	assert_true(allows(&users[4], 0640, &a, VAULT_MAY_READ));
	assert_false(allows(&users[4], 0640, &a, VAULT_MAY_SEARCH));
	/* In the owning group, which may not; and in one that may. */
	assert_false(allows(&users[1], 0640, &a, VAULT_MAY_READ));
	assert_true(allows(&users[2], 0640, &a, VAULT_MAY_READ));
	assert_false(allows(&users[3], 0640, &a, VAULT_MAY_SEARCH));
}

static void a_group_that_is_named_does_not_fall_back_to_others(void **state)
{
	struct packed_acl a;

	(void)state;
	acl_begin(&a);
	acl_add(&a, 0x01, 6, UINT32_MAX);
	acl_add(&a, 0x04, 0, UINT32_MAX);
	acl_add(&a, 0x08, 1, 3001);
	acl_add(&a, 0x10, 7, UINT32_MAX);
	acl_add(&a, 0x20, 4, UINT32_MAX);
	assert_false(allows(&users[3], 0674, &a, VAULT_MAY_READ));
	assert_true(allows(&users[4], 0674, &a, VAULT_MAY_READ));
}

static void a_malformed_acl_lets_nobody_in(void **state)
{
	struct packed_acl a;

	(void)state;
	acl_begin(&a);
	acl_add(&a, 0x20, 7, UINT32_MAX);
	a.len--;
	assert_false(allows(&users[4], 0777, &a, VAULT_MAY_READ));
	a.len = 3;
	assert_false(allows(&users[4], 0777, &a, VAULT_MAY_READ));
	acl_begin(&a);
	acl_add(&a, 0x20, 7, UINT32_MAX);
	a.data[0] = 9;
	assert_false(allows(&users[4], 0777, &a, VAULT_MAY_READ));
}

/* ---- a tree that is recorded ---- */

/* An inode, held open so that its number is not given out again. */
struct node {
	ino_t ino;
	int fd;
	uint64_t id;
	uid_t owner; /* as last recorded */
};

/* A name that was there at a stage. */
struct seen {
	char path[PATH_BYTES];
	uint64_t dir;
	const char *name; /* into path */
	size_t node;	  /* into world.nodes */
	uint8_t kernel[N_USERS];
	/* As the kernel lets the same users pass through it (folders). */
	uint8_t pass[N_USERS];
};

struct stage {
	struct seen *seen;
	size_t n;
	uint64_t seq;
};

struct world {
	struct vault_scratch scratch;
	struct vault_scratch_random random;
	struct vault_tree *tree;
	int projectfd;
	struct node *nodes;
	size_t n_nodes;
	struct stage stages[STAGES];
};

static size_t node_of(struct world *w, int dirfd, const char *name,
		      const struct stat *st)
{
	struct node *n;

	for (size_t i = 0; i < w->n_nodes; i++) {
		if (w->nodes[i].ino == st->st_ino)
			return i;
	}
	assert_true(w->n_nodes < MAX_NODES);
	n = &w->nodes[w->n_nodes];
	n->ino = st->st_ino;
	n->fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	assert_true(n->fd >= 0);
	n->id = name[0] == '.' && name[1] == 0 ? VAULT_NODE_ROOT
					       : vault_tree_new_node(w->tree);
	return w->n_nodes++;
}

static void add_row(struct world *w, struct vault_commit *c, uint64_t dir,
		    const char *name, const struct stat *st, struct node *n)
{
	struct vault_buf xattrs = VAULT_BUF_INIT;
	struct vault_backing backing = {
		.dev = st->st_dev,
		.ino = st->st_ino,
	};
	struct vault_row row = {
		.kind = vault_row_kind_of(st->st_mode),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.node = n->id,
	};
	struct vault_content content;

	n->owner = st->st_uid;
	assert_int_equal(vault_xattrs_read(n->fd, &xattrs), VAULT_OK);
	if (xattrs.len > 0) {
		assert_int_equal(vault_store_put_span(vault_tree_store(w->tree),
						      vault_buf_span(&xattrs),
						      &content),
				 VAULT_OK);
		row.xattrs = content.id;
	}
	assert_int_equal(
		vault_commit_add(c, dir, vault_span_str(name), &row, &backing),
		VAULT_OK);
	vault_buf_release(&xattrs);
}

static void record_dir(struct world *w, struct vault_commit *c, int fd,
		       const char *path, uint64_t dir, struct stage *s)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *e;

	assert_non_null(d);
	rewinddir(d);
	while ((e = readdir(d)) != NULL) {
		struct seen *seen = &s->seen[s->n];
		struct stat st;
		int below;
		int len;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		assert_true(s->n < MAX_SEEN);
		s->n++;
		assert_int_equal(
			fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		len = snprintf(seen->path, sizeof(seen->path), "%s%s%s", path,
			       path[0] ? "/" : "", e->d_name);
		assert_true(len > 0 && (size_t)len < sizeof(seen->path));
		seen->name =
			seen->path + strlen(seen->path) - strlen(e->d_name);
		seen->dir = dir;
		seen->node = node_of(w, fd, e->d_name, &st);
		add_row(w, c, dir, e->d_name, &st, &w->nodes[seen->node]);
		if (!S_ISDIR(st.st_mode))
			continue;
		below = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY);
		assert_true(below >= 0);
		record_dir(w, c, below, seen->path, w->nodes[seen->node].id, s);
		close(below);
	}
	closedir(d);
}

static bool still_there(const struct stage *s, const struct seen *old)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->seen[i].dir == old->dir &&
		    !strcmp(s->seen[i].name, old->name))
			return true;
	}
	return false;
}

/* What one user is told about every name, by a process that is that user. */
static void ask_as(const struct world *w, const struct stage *s, size_t user,
		   uint8_t *answers)
{
	const struct vault_caller *who = &users[user];

	if (setgroups(who->n_groups, who->groups) != 0 ||
	    setresgid(who->gid, who->gid, who->gid) != 0 ||
	    setresuid(who->uid, who->uid, who->uid) != 0 ||
	    chdir(vault_scratch_path(&w->scratch, "project")) != 0)
		_exit(1);
	for (size_t i = 0; i < s->n; i++) {
		char inside[PATH_BYTES + 4];
		int fd = open(s->seen[i].path,
			      O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		snprintf(inside, sizeof(inside), "%s/.", s->seen[i].path);
		answers[2 * i] = fd >= 0;
		if (fd >= 0)
			close(fd);
		fd = open(inside, O_PATH | O_CLOEXEC);
		answers[2 * i + 1] = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

static void ask_the_kernel(struct world *w, struct stage *s)
{
	uint8_t *shared =
		mmap(NULL, (size_t)2 * MAX_SEEN, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(shared != MAP_FAILED);
	for (size_t u = 0; u < N_USERS; u++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			ask_as(w, s, u, shared);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		for (size_t i = 0; i < s->n; i++) {
			s->seen[i].kernel[u] = shared[2 * i];
			s->seen[i].pass[u] = shared[2 * i + 1];
		}
	}
	munmap(shared, (size_t)2 * MAX_SEEN);
}

static void record(struct world *w, struct stage *s, const struct stage *before)
{
	const struct vault_row gone = { .kind = VAULT_KIND_NONE };
	struct vault_commit *c = NULL;
	struct vault_moment m;
	struct stat st;
	size_t root;

	s->seen = calloc(MAX_SEEN, sizeof(*s->seen));
	assert_non_null(s->seen);
	assert_int_equal(vault_commit_create(&c), VAULT_OK);
	assert_int_equal(fstat(w->projectfd, &st), 0);
	root = node_of(w, w->projectfd, ".", &st);
	add_row(w, c, VAULT_DIR_ABOVE, "", &st, &w->nodes[root]);
	record_dir(w, c, w->projectfd, "", VAULT_NODE_ROOT, s);
	for (size_t i = 0; before != NULL && i < before->n; i++) {
		const struct seen *old = &before->seen[i];

		if (!still_there(s, old))
			assert_int_equal(
				vault_commit_add(c, old->dir,
						 vault_span_str(old->name),
						 &gone, NULL),
				VAULT_OK);
	}
	assert_int_equal(
		vault_tree_commit(w->tree, c, VAULT_CAUSE_SYNC, false, &m),
		VAULT_OK);
	s->seq = m.seq;
	vault_commit_destroy(c);
	ask_the_kernel(w, s);
}

/* ---- changes at random ---- */

static uint64_t below(struct world *w, uint64_t n)
{
	return vault_scratch_below(&w->random, n);
}

/*
 * The kernel passes over an ACL when the group's bits of the mode are clear,
 * and acl(5) does not; such modes are only given to what has no ACL.
 */
static void change_mode(struct world *w, const char *path, bool dir)
{
	static const mode_t files[] = { 0644, 0640, 0600, 0604, 0440,
					0000, 0664, 0400, 0044, 0755 };
	static const mode_t dirs[] = { 0755, 0711, 0700, 0750, 0701,
				       0710, 0775, 0055, 0744, 0755 };
	const mode_t mode = dir ? dirs[below(w, 10)] : files[below(w, 10)];

	if ((mode & 070) == 0) {
		int fd = openat(w->projectfd, path, O_PATH | O_NOFOLLOW);
		char proc[64];

		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		removexattr(proc, ACL_XATTR);
		close(fd);
	}
	fchmodat(w->projectfd, path, mode, 0);
}

static void change_owner(struct world *w, const char *path)
{
	static const uid_t uids[] = { 0, 1001, 1002, 1003 };
	static const gid_t gids[] = { 1001, 3000, 3001, 1005 };

	fchownat(w->projectfd, path, uids[below(w, 4)], gids[below(w, 4)],
		 AT_SYMLINK_NOFOLLOW);
}

static void change_acl(struct world *w, const char *path)
{
	int fd = openat(w->projectfd, path, O_PATH | O_NOFOLLOW);
	struct packed_acl a;
	char proc[64];

	assert_true(fd >= 0);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	acl_begin(&a);
	acl_add(&a, 0x01, 4 + (unsigned)below(w, 4), UINT32_MAX);
	acl_add(&a, 0x02, (unsigned)below(w, 8), 1002);
	if (below(w, 2))
		acl_add(&a, 0x02, (unsigned)below(w, 8), 1005);
	acl_add(&a, 0x04, (unsigned)below(w, 8), UINT32_MAX);
	acl_add(&a, 0x08, (unsigned)below(w, 8), 3001);
	acl_add(&a, 0x10, 1 + (unsigned)below(w, 7), UINT32_MAX);
	acl_add(&a, 0x20, (unsigned)below(w, 6), UINT32_MAX);
	setxattr(proc, ACL_XATTR, a.data, a.len, 0);
	close(fd);
}

/* Pick a name in a scene as the last record saw it. */
static const struct seen *pick(struct world *w, const struct stage *s,
			       const char *scene, bool want_dir)
{
	const size_t len = strlen(scene);

	for (unsigned tries = 0; tries < 20000; tries++) {
		const struct seen *e = &s->seen[below(w, s->n)];
		struct stat st;

		if (strncmp(e->path, scene, len) != 0 || e->path[len] != '/' ||
		    fstatat(w->projectfd, e->path, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!want_dir || S_ISDIR(st.st_mode))
			return e;
	}
	return NULL;
}

static void move(struct world *w, const struct stage *s, const char *scene,
		 const struct seen *what, bool as_link)
{
	const struct seen *where = pick(w, s, scene, true);
	char to[2 * PATH_BYTES];

	if (where == NULL)
		return;
	snprintf(to, sizeof(to), "%s/moved%u", where->path,
		 (unsigned)below(w, 1000));
	if (as_link)
		linkat(w->projectfd, what->path, w->projectfd, to, 0);
	else
		renameat2(w->projectfd, what->path, w->projectfd, to,
			  RENAME_NOREPLACE);
}

static void change(struct world *w, const struct stage *s, const char *scene)
{
	const struct seen *e = pick(w, s, scene, false);
	struct stat st;

	if (e == NULL)
		return;
	fstatat(w->projectfd, e->path, &st, AT_SYMLINK_NOFOLLOW);
	switch (below(w, 8)) {
	case 0:
	case 1:
		change_mode(w, e->path, S_ISDIR(st.st_mode));
		break;
	case 2:
		change_owner(w, e->path);
		break;
	case 3:
		change_acl(w, e->path);
		break;
	case 4:
	case 5:
		move(w, s, scene, e, false);
		break;
	case 6:
		move(w, s, scene, e, true);
		break;
	default:
		vault_scratch_remove(w->projectfd, e->path);
	}
}

static void make_scene(struct world *w, const char *scene)
{
	static const char *const dirs[] = { "a", "b", "a/c" };
	static const char *const files[] = { "a/f", "b/g", "a/c/h", "a/c/i" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", scene, dirs[i]);
		vault_scratch_mkdirs(w->projectfd, path);
	}
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", scene, files[i]);
		vault_scratch_write_str(w->projectfd, path, "x");
		change_mode(w, path, false);
		change_owner(w, path);
		if (below(w, 3) == 0)
			change_acl(w, path);
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", scene, dirs[i]);
		if (below(w, 2))
			change_mode(w, path, true);
		change_owner(w, path);
	}
}

/* ---- the comparison ---- */

/* What the kernel says now about an inode, wherever it is; -1: gone. */
static int kernel_now(const struct stage *now, size_t node, size_t user,
		      bool pass)
{
	int answer = -1;

	for (size_t i = 0; i < now->n; i++) {
		const struct seen *e = &now->seen[i];

		if (e->node != node)
			continue;
		if (answer < 0)
			answer = 0;
		answer |= pass ? e->pass[user] : e->kernel[user];
	}
	return answer;
}

static size_t node_at(const struct stage *s, const char *path, size_t len)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strlen(s->seen[i].path) == len &&
		    !memcmp(s->seen[i].path, path, len))
			return s->seen[i].node;
	}
	fail_msg("no folder above %s", path);
	return 0;
}

/* The nearest folder on the old path that is left lets the user pass. */
static bool remains_let_pass(const struct stage *then, const struct stage *now,
			     const char *path, size_t user)
{
	for (size_t len = strlen(path); len-- > 0;) {
		int pass;

		if (path[len] != '/')
			continue;
		pass = kernel_now(now, node_at(then, path, len), user, true);
		if (pass >= 0)
			return pass;
	}
	return true; /* the project's own folder */
}

static bool expected(const struct world *w, const struct stage *then,
		     const struct seen *e, size_t user)
{
	const struct stage *now = &w->stages[STAGES - 1];
	int today = kernel_now(now, e->node, user, false);

	if (today < 0)
		today = w->nodes[e->node].owner == users[user].uid &&
			remains_let_pass(then, now, e->path, user);
	return e->kernel[user] && today;
}

struct tally {
	size_t checks, allowed, gone;
};

static void compare_entry(struct world *w, const struct stage *then,
			  const struct seen *e, struct tally *tally)
{
	for (size_t u = 0; u < N_USERS; u++) {
		const bool want = expected(w, then, e, u);
		const vault_err past = vault_access_past(
			w->tree, w->projectfd, &users[u],
			vault_span_str(e->path), then->seq, VAULT_MAY_READ);
		const vault_err version = vault_access_version(
			w->tree, w->projectfd, &users[u], e->dir,
			vault_span_str(e->name), then->seq, VAULT_MAY_READ);

		if (past != (want ? VAULT_OK : VAULT_ERR_DENIED))
			fail_msg("%s at %llu for %u: %s, then %d, now %d",
				 e->path, (unsigned long long)then->seq,
				 (unsigned)users[u].uid, vault_err_name(past),
				 e->kernel[u],
				 kernel_now(&w->stages[STAGES - 1], e->node, u,
					    false));
		assert_int_equal(version, past);
		tally->checks++;
		tally->allowed += want;
		tally->gone += kernel_now(&w->stages[STAGES - 1], e->node, u,
					  false) < 0;
	}
	assert_int_equal(vault_access_past(w->tree, w->projectfd, &root_user,
					   vault_span_str(e->path), then->seq,
					   VAULT_MAY_READ),
			 VAULT_OK);
}

static void open_world(struct world *w)
{
	const struct rlimit many = { 8192, 8192 };
	const struct vault_store_options options = { .threads = 1 };
	int vaultfd;

	memset(w, 0, sizeof(*w));
	setrlimit(RLIMIT_NOFILE, &many);
	vault_scratch_init(&w->scratch);
	assert_int_equal(chmod(w->scratch.path, 0755), 0);
	w->random = vault_scratch_seed(20261120);
	vault_scratch_mkdirs(w->scratch.fd, "project");
	vault_scratch_mkdirs(w->scratch.fd, "vault");
	w->projectfd = openat(w->scratch.fd, "project", O_RDONLY | O_DIRECTORY);
	vaultfd = openat(w->scratch.fd, "vault", O_RDONLY | O_DIRECTORY);
	assert_true(w->projectfd >= 0 && vaultfd >= 0);
	assert_int_equal(fchmod(w->projectfd, 0755), 0);
	assert_int_equal(
		vault_store_create(vaultfd, NULL, &vault_store_params_default),
		VAULT_OK);
	assert_int_equal(vault_tree_open(vaultfd, &options, &w->tree),
			 VAULT_OK);
	close(vaultfd);
	w->nodes = calloc(MAX_NODES, sizeof(*w->nodes));
	assert_non_null(w->nodes);
}

static void close_world(struct world *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		close(w->nodes[i].fd);
	for (size_t i = 0; i < STAGES; i++)
		free(w->stages[i].seen);
	free(w->nodes);
	vault_tree_close(w->tree);
	close(w->projectfd);
	vault_scratch_release(&w->scratch);
}

static void the_rule_is_what_the_kernel_said_then_and_says_now(void **state)
{
	struct tally tally = { 0, 0, 0 };
	struct world w;

	(void)state;
	if (geteuid() != 0)
		skip();
	open_world(&w);
	for (size_t k = 0; k < STAGES; k++) {
		for (unsigned i = 0; i < SCENES; i++) {
			char scene[32];

			snprintf(scene, sizeof(scene), "s%03u", i);
			if (k == 0)
				make_scene(&w, scene);
			for (unsigned j = 0; k > 0 && j < CHANGES; j++)
				change(&w, &w.stages[k - 1], scene);
		}
		record(&w, &w.stages[k], k > 0 ? &w.stages[k - 1] : NULL);
	}
	for (size_t k = 0; k < STAGES; k++) {
		for (size_t i = 0; i < w.stages[k].n; i++)
			compare_entry(&w, &w.stages[k], &w.stages[k].seen[i],
				      &tally);
	}
	print_message("%zu combinations, %zu allowed, %zu of what is gone\n",
		      tally.checks, tally.allowed, tally.gone);
	assert_true(tally.checks >= 200);
	assert_true(tally.allowed * 10 > tally.checks);
	assert_true(tally.gone * 50 > tally.checks);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_class_that_fits_first_decides),
		cmocka_unit_test(named_entries_are_limited_by_the_mask),
		cmocka_unit_test(
			a_group_that_is_named_does_not_fall_back_to_others),
		cmocka_unit_test(a_malformed_acl_lets_nobody_in),
		cmocka_unit_test(
			the_rule_is_what_the_kernel_said_then_and_says_now),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
