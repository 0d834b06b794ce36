/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fs/twin.h"

int twin_setup(void **state)
{
	struct twin *f = calloc(1, sizeof(*f));
	const struct vault_mount_options o = vault_mounted_options();

	assert_non_null(f);
	*state = f;
	f->mnt = -1;
	vault_scratch_init(&f->scratch);
	assert_int_equal(chmod(f->scratch.path, 0755), 0);
	vault_scratch_mkdirs(f->scratch.fd, "project");
	vault_scratch_mkdirs(f->scratch.fd, "mnt");
	vault_scratch_write_str(f->scratch.fd, "project/old", "was there");
	/* Older than the mount: it shadows a view. */
	vault_scratch_write_str(f->scratch.fd, "project/deep/.layers", "real");
	vault_mounted_start(&f->m, vault_scratch_path(&f->scratch, "project"),
			    vault_scratch_path(&f->scratch, "mnt"), &o);
	f->mnt = open(f->m.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->mnt >= 0);
	return 0;
}

int twin_teardown(void **state)
{
	struct twin *f = *state;

	if (f->mnt >= 0)
		close(f->mnt);
	vault_mounted_clean(&f->m);
	vault_scratch_release(&f->scratch);
	free(f);
	return 0;
}

void twin_refused(int r, int number)
{
	const int got = errno;

	assert_int_equal(r, -1);
	assert_int_equal(got, number);
}

void twin_same(const struct twin *f, const char *name)
{
	struct stat a;
	struct stat b;

	assert_int_equal(fstatat(f->mnt, name, &a, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstatat(f->m.back, name, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mode, b.st_mode);
	assert_int_equal(a.st_nlink, b.st_nlink);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	assert_int_equal(a.st_size, b.st_size);
	assert_int_equal(a.st_blocks, b.st_blocks);
	assert_int_equal(a.st_rdev, b.st_rdev);
	assert_memory_equal(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim));
	assert_memory_equal(&a.st_ctim, &b.st_ctim, sizeof(a.st_ctim));
}
