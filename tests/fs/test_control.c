/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The control socket: the real server in this process, on a real project, and
 * the real program as its client; and peers that are not what they should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/control.h"
#include "fs/frames.h"
#include "store/base/log.h"
#include "tests/fs/ran.h"
#include "tests/support/scratch.h"

struct world {
	struct vault_scratch s;
	struct ran ran;
	struct vault_project *project;
	struct vault_control *control;
	char socket[PATH_MAX];
	char first[64];
	atomic_int unmounts;
	atomic_int described;
};

#define OK(w, ...) RAN_OK(&(w)->ran, &(w)->s, __VA_ARGS__)
#define FAILS(w, code, text, ...) \
	RAN_FAILS(&(w)->ran, &(w)->s, code, text, __VA_ARGS__)
#define out(w) ran_out(&(w)->ran)

/* What the server logs of its clients' faults is not a fault of the test. */
static void drop_line(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

static void describe(void *ctx, struct vault_command_env *env)
{
	struct world *w = ctx;

	env->live_path = "a test";
	env->shadowed = "deep/.history\nother/.diff\n";
	w->described++;
}

static void unmount(void *ctx)
{
	struct world *w = ctx;

	w->unmounts++;
}

static void start(struct world *w, uid_t owner)
{
	const struct vault_control_options options = {
		.project = w->project,
		.owner = owner,
		.describe = describe,
		.unmount = unmount,
		.ctx = w,
	};

	assert_int_equal(
		vault_project_socket_path(
			vault_store_uuid(vault_tree_store(w->project->tree)),
			true, w->socket),
		VAULT_OK);
	assert_int_equal(vault_control_start(w->socket, &options, &w->control),
			 VAULT_OK);
}

static void latest(struct world *w, char name[64])
{
	json_t *d;

	OK(w, "log", "--json", "-C", "art");
	d = ran_json(&w->ran);
	snprintf(name, 64, "%s", ran_member(json_array_get(d, 0), "moment"));
	json_decref(d);
}

/* A project with one moment, and a server on it. */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vault_place place;

	assert_non_null(w);
	setenv("TZ", "UTC", 1);
	vault_scratch_init(&w->s);
	setenv("XDG_RUNTIME_DIR", w->s.path, 1);
	vault_scratch_write_str(w->s.fd, "art/hero.psd", "hero one");
	vault_scratch_write_str(w->s.fd, "art/chars/bob.txt", "bob one");
	OK(w, "sync", "art");
	latest(w, w->first);
	assert_int_equal(vault_project_place(vault_scratch_path(&w->s, "art"),
					     NULL, &place),
			 VAULT_OK);
	assert_int_equal(vault_project_open(&place, false, &w->project),
			 VAULT_OK);
	start(w, geteuid());
	vault_log_set_sink(drop_line, NULL);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char dir[PATH_MAX];

	vault_control_stop(w->control);
	vault_log_set_sink(NULL, NULL);
	vault_project_close(w->project);
	assert_int_not_equal(access(w->socket, F_OK), 0);
	snprintf(dir, sizeof(dir), "%s", w->socket);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	ran_release(&w->ran);
	vault_scratch_release(&w->s);
	free(w);
	return 0;
}

/* ---- the real client ---- */

static void commands_run_in_the_daemon(void **state)
{
	struct world *w = *state;
	json_t *d;

	OK(w, "-C", "art", "status", "--json");
	assert_int_equal(w->described, 1);
	d = ran_json(&w->ran);
	assert_string_equal(ran_member(d, "live_path"), "a test");
	assert_true(json_is_true(json_object_get(d, "mounted")));
	assert_int_equal(json_array_size(json_object_get(d, "shadowed")), 2);
	json_decref(d);
	OK(w, "-C", "art", "status");
	assert_non_null(strstr(out(w), "  other/.diff\n"));
	OK(w, "-C", "art/chars", "cat", "latest", "bob.txt");
	assert_string_equal(out(w), "bob one");
	vault_scratch_write_str(w->s.fd, "art/hero.psd", "hero two");
	OK(w, "sync", "art");
	OK(w, "-C", "art", "cat", "latest", "hero.psd");
	assert_string_equal(out(w), "hero two");
	FAILS(w, 1, "never", "-C", "art", "cat", "latest", "never");
	FAILS(w, 2, "--bad", "-C", "art", "log", "--bad");
	OK(w, "-C", "art", "check", "--data");
	FAILS(w, 1, "use", "-C", "art", "rebuild-index");
}

static void a_large_file_comes_through_whole(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(3);
	struct vault_buf big = VAULT_BUF_INIT;
	struct world *w = *state;

	vault_scratch_bytes(&r, &big, 3000001);
	vault_scratch_write(w->s.fd, "art/big.psd", vault_buf_span(&big));
	OK(w, "sync", "art");
	OK(w, "-C", "art", "cat", "latest", "big.psd");
	assert_true(vault_span_equal(vault_buf_span(&w->ran.out),
				     vault_buf_span(&big)));
	OK(w, "-C", "art", "restore", "--at", "latest", "big.psd", "--to",
	   "copy.psd");
	vault_scratch_expect(w->s.fd, "copy.psd", vault_buf_span(&big));
	vault_buf_release(&big);
}

static void restore_to_is_written_by_the_client(void **state)
{
	struct world *w = *state;

	OK(w, "-C", "art/chars", "restore", "--at", w->first, "--to", "dest",
	   "..");
	vault_scratch_expect(w->s.fd, "dest/hero.psd",
			     vault_span_str("hero one"));
	vault_scratch_expect(w->s.fd, "dest/chars/bob.txt",
			     vault_span_str("bob one"));
	FAILS(w, 1, "exists", "-C", "art", "restore", "--at", w->first,
	      "hero.psd", "--to", "dest");
	FAILS(w, 1, "nowhere", "-C", "art", "restore", "--at", w->first,
	      "hero.psd", "--to", "nowhere/at/all");
	FAILS(w, 1, "not there", "-C", "art", "restore", "--at", w->first,
	      "never", "--to", "dest2");
	assert_false(vault_scratch_exists(w->s.fd, "dest2"));
}

static void restore_into_the_live_tree_is_done_by_the_daemon(void **state)
{
	struct world *w = *state;
	char name[128];

	vault_scratch_write_str(w->s.fd, "art/hero.psd", "not yet kept");
	OK(w, "-C", "art", "restore", "--at", w->first, "hero.psd");
	snprintf(name, sizeof(name), "art/hero (%s).psd", w->first);
	vault_scratch_expect(w->s.fd, name, vault_span_str("hero one"));
	OK(w, "-C", "art", "restore", "--at", w->first, "--replace",
	   "hero.psd");
	vault_scratch_expect(w->s.fd, "art/hero.psd",
			     vault_span_str("hero one"));
	OK(w, "-C", "art", "cat", "latest", "hero.psd");
	assert_string_equal(out(w), "not yet kept");
}

static void unmount_is_asked_for_once_all_is_kept(void **state)
{
	char *words[] = { (char[]){ "unmount" }, NULL };
	struct world *w = *state;
	struct vault_moment m;
	struct vault_version v;
	bool ran = false;

	vault_scratch_write_str(w->s.fd, "art/late", "late");
	assert_int_equal(vault_control_call(w->socket, "", 1, words, &ran), 0);
	assert_true(ran);
	assert_int_equal(vault_moment_latest(w->project->tree, &m), VAULT_OK);
	assert_int_equal(vault_tree_resolve(w->project->tree,
					    vault_span_str("late"), m.seq, &v),
			 VAULT_OK);
	/* The client may be told before the mount goes. */
	for (int i = 0; i < 500 && w->unmounts == 0; i++)
		usleep(10000);
	assert_int_equal(w->unmounts, 1);
}

static void nobody_behind_a_socket_is_told(void **state)
{
	char *words[] = { (char[]){ "log" }, NULL };
	struct world *w = *state;
	bool ran = true;

	vault_control_stop(w->control);
	w->control = NULL;
	vault_control_call(w->socket, "", 1, words, &ran);
	assert_false(ran);
	/* A socket that a dead daemon left is replaced. */
	start(w, geteuid());
	vault_control_call(w->socket, "", 1, words, &ran);
	assert_true(ran);
}

static void a_path_longer_than_an_address_works(void **state)
{
	char *words[] = { (char[]){ "status" }, NULL };
	struct world *w = *state;
	char deep[400] = "d";
	bool ran = false;

	vault_control_stop(w->control);
	while (strlen(deep) < 250)
		strcat(deep, "/directory");
	vault_scratch_mkdirs(w->s.fd, deep);
	strcat(deep, "/socket");
	assert_int_equal(vault_control_start(vault_scratch_path(&w->s, deep),
					     &(struct vault_control_options){
						     .project = w->project,
						     .owner = geteuid() },
					     &w->control),
			 VAULT_OK);
	assert_int_equal(vault_control_call(vault_scratch_path(&w->s, deep), "",
					    1, words, &ran),
			 0);
	assert_true(ran);
	vault_control_stop(w->control);
	start(w, geteuid());
}

/* ---- peers that are not what they should be ---- */

static int connect_raw(const struct world *w)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(w->socket) < sizeof(a.sun_path));
	strcpy(a.sun_path, w->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void expect_served(struct world *w)
{
	OK(w, "-C", "art", "cat", w->first, "hero.psd");
	assert_string_equal(out(w), "hero one");
}

static void noise_is_dropped_and_the_next_client_served(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(11);
	struct world *w = *state;

	for (int n = 0; n < 200; n++) {
		uint8_t noise[256];
		const int fd = connect_raw(w);
		const size_t len = vault_scratch_below(&r, sizeof(noise));

		vault_scratch_fill(&r, noise, len);
		if (n % 2 == 0) /* past the first frame */
			assert_int_equal(vault_frames_send_hello(fd), VAULT_OK);
		if (n % 4 == 0 && len > 5) {
			noise[0] = VAULT_FRAMES_REQUEST;
			vault_bytes_put_le32(noise + 1, (uint32_t)len - 5);
		}
		(void)!send(fd, noise, len, MSG_NOSIGNAL);
		close(fd);
	}
	expect_served(w);
}

static void every_cut_of_a_good_request_is_survived(void **state)
{
	char *words[] = { (char[]){ "log" }, (char[]){ "--json" }, NULL };
	struct vault_buf b = VAULT_BUF_INIT;
	struct world *w = *state;

	assert_int_equal(vault_frames_put_request(&b, 0, "", 2, words),
			 VAULT_OK);
	for (size_t n = 0; n <= b.len; n++) {
		const int fd = connect_raw(w);

		assert_int_equal(vault_frames_send_hello(fd), VAULT_OK);
		assert_int_equal(vault_frames_send(fd, VAULT_FRAMES_REQUEST,
						   vault_span(b.data, n)),
				 VAULT_OK);
		close(fd); /* and does not wait for the answer */
	}
	vault_buf_release(&b);
	expect_served(w);
}

static void words_that_no_client_sends_get_a_usage_error(void **state)
{
	char *words[] = { (char[]){ "restore" }, (char[]){ "--replace" },
			  NULL };
	char *unknown[] = { (char[]){ "paint" }, NULL };
	struct world *w = *state;
	bool ran = false;

	assert_int_equal(vault_control_call(w->socket, "", 2, words, &ran), 2);
	assert_int_equal(vault_control_call(w->socket, "", 1, unknown, &ran),
			 2);
	assert_int_equal(
		vault_control_call(w->socket, "../..", 1, unknown, &ran), 2);
	assert_true(ran);
	expect_served(w);
}

static void a_directory_outside_is_no_way_out(void **state)
{
	char *words[] = { (char[]){ "cat" }, (char[]){ "latest" },
			  (char[]){ "passwd" }, NULL };
	struct world *w = *state;
	bool ran = false;

	assert_int_equal(
		vault_control_call(w->socket, "../../etc", 3, words, &ran), 1);
	assert_int_equal(
		vault_control_call(w->socket, ".artvault", 3, words, &ran), 1);
	assert_true(ran);
}

static void a_client_that_dies_ends_its_command(void **state)
{
	char *argv[] = { (char[]){ "artvault" },
			 (char[]){ "-C" },
			 (char[]){ "art" },
			 (char[]){ "cat" },
			 (char[]){ "latest" },
			 (char[]){ "big" },
			 NULL };
	struct vault_scratch_random r = vault_scratch_seed(5);
	struct vault_buf big = VAULT_BUF_INIT;
	struct world *w = *state;
	int status;

	vault_scratch_bytes(&r, &big, 20000000);
	vault_scratch_write(w->s.fd, "art/big", vault_buf_span(&big));
	vault_buf_release(&big);
	OK(w, "sync", "art");
	for (int n = 0; n < 20; n++) {
		const pid_t pid = ran_start(&w->s, argv);

		usleep((useconds_t)n * 1000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	expect_served(w);
}

static void a_server_that_stops_does_not_wait_for_a_sleeping_client(
	void **state)
{
	char *words[] = { (char[]){ "cat" }, (char[]){ "latest" },
			  (char[]){ "big" }, NULL };
	struct vault_buf request = VAULT_BUF_INIT;
	struct vault_scratch_random r = vault_scratch_seed(6);
	struct vault_buf big = VAULT_BUF_INIT;
	struct world *w = *state;
	int fd;

	vault_scratch_bytes(&r, &big, 8000000);
	vault_scratch_write(w->s.fd, "art/big", vault_buf_span(&big));
	vault_buf_release(&big);
	OK(w, "sync", "art");
	fd = connect_raw(w);
	assert_int_equal(vault_frames_send_hello(fd), VAULT_OK);
	assert_int_equal(vault_frames_put_request(&request, 0, "", 3, words),
			 VAULT_OK);
	assert_int_equal(vault_frames_send(fd, VAULT_FRAMES_REQUEST,
					   vault_buf_span(&request)),
			 VAULT_OK);
	/* It never reads: the daemon's buffer fills. Stop ends all the same. */
	vault_control_stop(w->control);
	w->control = NULL;
	close(fd);
	vault_buf_release(&request);
	start(w, geteuid());
	expect_served(w);
}

/* Talk to the daemon as another user; 0 when refused by name. */
static int talk_as(const struct world *w, uid_t uid)
{
	enum vault_frames_type type = VAULT_FRAMES_HELLO;
	struct vault_buf got = VAULT_BUF_INIT;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (setgid(uid) != 0 || setuid(uid) != 0)
		return 10;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(a.sun_path, w->socket);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return errno == EACCES ? 1 : 2;
	if (vault_frames_receive_hello(fd) != VAULT_OK ||
	    vault_frames_receive(fd, &type, &got) != VAULT_OK)
		return 3;
	if (type != VAULT_FRAMES_STDERR || vault_buf_cstr(&got) == NULL ||
	    strstr((char *)got.data, "owner") == NULL)
		return 4;
	return 0;
}

static int talk_in_child(const struct world *w, uid_t uid)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(talk_as(w, uid));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void others_are_not_served(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	/* The file's mode keeps them out; if it did not, the daemon does. */
	assert_int_equal(talk_in_child(w, 4321), 1);
	assert_int_equal(chmod(w->socket, 0666), 0);
	assert_int_equal(talk_in_child(w, 4321), 0);
	expect_served(w);
}

/* ---- as whoever asked ---- */

/* `restore --at first PATH` by user 4321 over the socket; its exit code. */
static int restore_as_user(struct world *w, char *path)
{
	char *words[] = { (char[]){ "restore" }, (char[]){ "--at" }, w->first,
			  path, NULL };
	const pid_t pid = fork();
	bool ran = false;
	int status;

	if (pid == 0) {
		if (setgid(4321) != 0 || setuid(4321) != 0)
			_exit(20);
		_exit(vault_control_call(w->socket, "", 4, words, &ran));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void what_a_user_restores_is_theirs(void **state)
{
	char hero[] = "hero.psd";
	char bob[] = "chars/bob.txt";
	struct world *w = *state;
	char name[128];
	struct stat st;

	if (geteuid() != 0)
		skip();
	/* The project belongs to 4321, the daemon and the vault to root. */
	vault_control_stop(w->control);
	assert_int_equal(chmod(w->s.path, 0755), 0);
	assert_int_equal(fchownat(w->s.fd, "art", 4321, 4321, 0), 0);
	start(w, 4321);
	assert_int_equal(restore_as_user(w, hero), 0);
	snprintf(name, sizeof(name), "art/hero (%s).psd", w->first);
	assert_int_equal(fstatat(w->s.fd, name, &st, 0), 0);
	assert_int_equal(st.st_uid, 4321);
	assert_int_equal(st.st_gid, 4321);
	/* In root's folder they may not, and nothing is left there. */
	assert_int_equal(restore_as_user(w, bob), 1);
	snprintf(name, sizeof(name), "art/chars/bob (%s).txt", w->first);
	assert_false(vault_scratch_exists(w->s.fd, name));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commands_run_in_the_daemon),
		TEST(a_large_file_comes_through_whole),
		TEST(restore_to_is_written_by_the_client),
		TEST(restore_into_the_live_tree_is_done_by_the_daemon),
		TEST(unmount_is_asked_for_once_all_is_kept),
		TEST(nobody_behind_a_socket_is_told),
		TEST(a_path_longer_than_an_address_works),
		TEST(noise_is_dropped_and_the_next_client_served),
		TEST(every_cut_of_a_good_request_is_survived),
		TEST(words_that_no_client_sends_get_a_usage_error),
		TEST(a_directory_outside_is_no_way_out),
		TEST(a_client_that_dies_ends_its_command),
		TEST(a_server_that_stops_does_not_wait_for_a_sleeping_client),
		TEST(others_are_not_served),
		TEST(what_a_user_restores_is_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
