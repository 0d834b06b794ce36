/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_TESTS_SUPPORT_MOUNTED_H
#define VAULT_TESTS_SUPPORT_MOUNTED_H

#include <stdbool.h>
#include <sys/types.h>

#include "fs/mount.h"

/*
 * A project that is really mounted, by vault_mount_main() and in the
 * background, for the length of a test. What fails ends the test; the
 * teardown gets rid of the processes and the mount all the same, by the ids
 * it found when they started.
 */
struct vault_mounted {
	char project[300];
	char mountpoint[300];
	int back; /* the real directory, opened before anything was mounted */
	pid_t watcher; /* our child */
	pid_t daemon;  /* the watcher's */
	pid_t guard;   /* cleans up if the test is killed */
};

/* Exit 77 unless mounting can work here; as root with /dev/fuse it must. */
void vault_mounted_or_skip(void);

/*
 * From root become an ordinary user who may mount: in a mount namespace of our
 * own, where /dev/fuse is open to all as on a desktop. Exit 77 where that
 * cannot be done; nothing happens for who is an ordinary user already.
 */
void vault_mounted_become_user(void);

/* Defaults for tests: like the program's, with short waits. */
struct vault_mount_options vault_mounted_options(void);

/* Mount `project` (a path) on `mountpoint`; NULL: in place. `m` is all zero
 * the first time. */
void vault_mounted_start(struct vault_mounted *m, const char *project,
			 const char *mountpoint,
			 const struct vault_mount_options *options);
/* Find the processes again, after the watcher started another daemon. False:
 * there is none. */
bool vault_mounted_find(struct vault_mounted *m);
/* Unmount in order; fails the test if something stays behind. */
void vault_mounted_stop(struct vault_mounted *m);
/* For teardowns, after whatever happened. */
void vault_mounted_clean(struct vault_mounted *m);

/* Is a mount of ours at `path`? Never asks it. */
bool vault_mounted_at(const char *path);

/* Wait up to `ms` until `done` says so; fails the test when it does not. */
typedef bool vault_mounted_condition(void *ctx);
void vault_mounted_wait(vault_mounted_condition *done, void *ctx, int ms,
			const char *what);

#endif
