/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fs/ran.h"

#define MAX_WORDS 16

static void run_child(const struct vault_scratch *s, int out, int err,
		      char *const *argv)
{
	if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
	    chdir(s->path) != 0)
		_exit(99);
	execv(ARTVAULT, argv);
	_exit(98);
}

void ran_release(struct ran *r)
{
	vault_buf_release(&r->out);
	vault_buf_release(&r->err);
}

void ran_words(struct ran *r, const struct vault_scratch *s, char *const *argv)
{
	const int flags = O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC;
	const int out = openat(s->fd, "out", flags, 0600);
	const int err = openat(s->fd, "err", flags, 0600);
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		run_child(s, out, err, argv);
	close(out);
	close(err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	vault_scratch_read(s->fd, "out", &r->out);
	vault_scratch_read(s->fd, "err", &r->err);
	assert_non_null(vault_buf_cstr(&r->out));
	assert_non_null(vault_buf_cstr(&r->err));
	r->code = WEXITSTATUS(status);
}

void ran_run(struct ran *r, const struct vault_scratch *s, ...)
{
	char *argv[MAX_WORDS + 2] = { (char[]){ "artvault" } };
	va_list args;
	int n = 1;

	va_start(args, s);
	while (n <= MAX_WORDS && (argv[n] = va_arg(args, char *)) != NULL)
		n++;
	va_end(args);
	ran_words(r, s, argv);
}

pid_t ran_start(const struct vault_scratch *s, char *const *argv)
{
	const pid_t pid = fork();
	int null;

	assert_true(pid >= 0);
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		run_child(s, null, null, argv);
	}
	return pid;
}

const char *ran_out(const struct ran *r)
{
	return (const char *)r->out.data;
}

const char *ran_err(const struct ran *r)
{
	return (const char *)r->err.data;
}

void ran_expect(const struct ran *r, int code)
{
	if (r->code != code)
		fprintf(stderr, "exit %d: %s%s\n", r->code, ran_out(r),
			ran_err(r));
	assert_int_equal(r->code, code);
}

void ran_expect_said(const struct ran *r, const char *text)
{
	if (strstr(ran_err(r), text) == NULL)
		fail_msg("not said: %s in %s", text, ran_err(r));
}

json_t *ran_json(const struct ran *r)
{
	json_error_t why;
	json_t *d = json_loadb(ran_out(r), r->out.len, 0, &why);

	if (d == NULL)
		fail_msg("%s: %s", why.text, ran_out(r));
	return d;
}

const char *ran_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL)
		fail_msg("no text member %s", key);
	return text != NULL ? text : "";
}
