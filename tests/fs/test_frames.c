/* SPDX-License-Identifier: Apache-2.0 */

/* Frames come whole or not at all, and nothing foreign is believed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/frames.h"
#include "store/base/log.h"
#include "tests/support/scratch.h"

static void make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

struct sender {
	int fd;
	struct vault_span bytes;
	size_t piece; /* 0: as a frame */
};

static void *send_slowly(void *arg)
{
	const struct sender *s = arg;
	struct vault_span left = s->bytes;

	while (left.len > 0) {
		const size_t n = left.len < s->piece ? left.len : s->piece;

		assert_int_equal(send(s->fd, left.data, n, MSG_NOSIGNAL), n);
		left = vault_span_from(left, n);
	}
	return NULL;
}

static void *send_frame(void *arg)
{
	const struct sender *s = arg;

	assert_int_equal(vault_frames_send(s->fd, VAULT_FRAMES_DATA, s->bytes),
			 VAULT_OK);
	return NULL;
}

static void a_frame_of_any_size_arrives_as_it_was_sent(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 1000000, VAULT_FRAMES_MAX };
	struct vault_scratch_random r = vault_scratch_seed(1);
	struct vault_buf sent = VAULT_BUF_INIT;
	struct vault_buf got = VAULT_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		enum vault_frames_type type;
		struct sender s;
		pthread_t thread;
		int fds[2];

		make_pair(fds);
		vault_buf_clear(&sent);
		vault_scratch_bytes(&r, &sent, sizes[i]);
		s = (struct sender){ fds[0], vault_buf_span(&sent), 0 };
		assert_int_equal(pthread_create(&thread, NULL, send_frame, &s),
				 0);
		assert_int_equal(vault_frames_receive(fds[1], &type, &got),
				 VAULT_OK);
		pthread_join(thread, NULL);
		assert_int_equal(type, VAULT_FRAMES_DATA);
		assert_true(vault_span_equal(vault_buf_span(&got),
					     vault_buf_span(&sent)));
		close(fds[0]);
		close(fds[1]);
	}
	vault_buf_release(&sent);
	vault_buf_release(&got);
}

static void how_a_frame_is_split_does_not_matter(void **state)
{
	uint8_t raw[VAULT_FRAMES_HEADER + 300];
	struct vault_buf got = VAULT_BUF_INIT;

	(void)state;
	memset(raw, 7, sizeof(raw));
	raw[0] = VAULT_FRAMES_STDOUT;
	vault_bytes_put_le32(raw + 1, 300);
	for (size_t piece = 1; piece < 20; piece += 3) {
		struct sender s;
		enum vault_frames_type type;
		pthread_t thread;
		int fds[2];

		make_pair(fds);
		s = (struct sender){ fds[0], vault_span(raw, sizeof(raw)),
				     piece };
		assert_int_equal(pthread_create(&thread, NULL, send_slowly, &s),
				 0);
		assert_int_equal(vault_frames_receive(fds[1], &type, &got),
				 VAULT_OK);
		assert_int_equal(got.len, 300);
		pthread_join(thread, NULL);
		close(fds[0]);
		close(fds[1]);
	}
	vault_buf_release(&got);
}

/* What receive says to these bytes and then the end. */
static vault_err receive_raw(const uint8_t *bytes, size_t len)
{
	struct vault_buf got = VAULT_BUF_INIT;
	enum vault_frames_type type;
	vault_err err;
	int fds[2];

	make_pair(fds);
	assert_int_equal(send(fds[0], bytes, len, 0), len);
	close(fds[0]);
	err = vault_frames_receive(fds[1], &type, &got);
	close(fds[1]);
	vault_buf_release(&got);
	return err;
}

static void hostile_lengths_and_types_are_refused(void **state)
{
	uint8_t raw[VAULT_FRAMES_HEADER] = { VAULT_FRAMES_DATA };

	(void)state;
	vault_bytes_put_le32(raw + 1, UINT32_MAX);
	assert_int_equal(receive_raw(raw, sizeof(raw)), VAULT_ERR_CORRUPT);
	vault_bytes_put_le32(raw + 1, VAULT_FRAMES_MAX + 1);
	assert_int_equal(receive_raw(raw, sizeof(raw)), VAULT_ERR_CORRUPT);
	vault_bytes_put_le32(raw + 1, 100); /* that never come */
	assert_int_equal(receive_raw(raw, sizeof(raw)), VAULT_ERR_CANCELLED);
	assert_int_equal(receive_raw(raw, 3), VAULT_ERR_CANCELLED);
	vault_bytes_put_le32(raw + 1, 0);
	raw[0] = 0;
	assert_int_equal(receive_raw(raw, sizeof(raw)), VAULT_ERR_CORRUPT);
	raw[0] = 200;
	assert_int_equal(receive_raw(raw, sizeof(raw)), VAULT_ERR_CORRUPT);
}

static void a_peer_that_left_ends_sending(void **state)
{
	int fds[2];

	(void)state;
	make_pair(fds);
	close(fds[1]);
	assert_int_equal(vault_frames_send(fds[0], VAULT_FRAMES_STDOUT,
					   vault_span_str("x")),
			 VAULT_ERR_CANCELLED);
	close(fds[0]);
}

static void requests_come_back_as_they_went(void **state)
{
	char *words[] = { (char[]){ "log" }, (char[]){ "" },
			  (char[]){ "--json" }, (char[]){ "a b\xFF" }, NULL };
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_frames_request r;

	(void)state;
	assert_int_equal(vault_frames_put_request(&b, 3, "chars/x", 4, words),
			 VAULT_OK);
	assert_int_equal(vault_frames_get_request(vault_buf_span(&b), &r),
			 VAULT_OK);
	assert_int_equal(r.flags, 3);
	assert_string_equal(r.inside, "chars/x");
	assert_int_equal(r.argc, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(r.argv[i], words[i]);
	assert_null(r.argv[4]);
	vault_frames_request_release(&r);

	/* Every shorter form is refused, and so is a longer one. */
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(
			vault_frames_get_request(vault_span(b.data, n), &r),
			VAULT_ERR_CORRUPT);
	assert_int_equal(vault_buf_put_u8(&b, 0), VAULT_OK);
	assert_int_equal(vault_frames_get_request(vault_buf_span(&b), &r),
			 VAULT_ERR_CORRUPT);
	vault_buf_release(&b);
}

static void a_request_without_words_or_with_zeros_in_them_is_refused(
	void **state)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_frames_request r;
	char *words[] = { (char[]){ "log" }, NULL };

	(void)state;
	assert_int_equal(vault_frames_put_request(&b, 0, "", 0, words),
			 VAULT_OK);
	assert_int_equal(vault_frames_get_request(vault_buf_span(&b), &r),
			 VAULT_ERR_CORRUPT);
	vault_buf_clear(&b);
	assert_int_equal(vault_frames_put_request(&b, 0, "", 1, words),
			 VAULT_OK);
	b.data[b.len - 1] = 0;
	assert_int_equal(vault_frames_get_request(vault_buf_span(&b), &r),
			 VAULT_ERR_CORRUPT);
	vault_buf_release(&b);
}

static void items_come_back_as_they_went(void **state)
{
	struct vault_restore_item item = {
		.path = vault_span_str("a/b"),
		.xattrs = vault_span_str("xx"),
		.target = vault_span_str("there"),
		.link_to = vault_span_str("a/c"),
		.row = { .kind = VAULT_KIND_SYMLINK,
			 .mode = 0777,
			 .uid = 3,
			 .gid = 4,
			 .mtime_ns = -5,
			 .size = 5,
			 .node = 9,
			 .content = { { 1 } } },
	};
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_restore_item got;

	(void)state;
	assert_int_equal(vault_frames_put_item(&b, &item), VAULT_OK);
	assert_int_equal(vault_frames_get_item(vault_buf_span(&b), &got),
			 VAULT_OK);
	assert_true(vault_span_equal(got.path, item.path));
	assert_true(vault_span_equal(got.xattrs, item.xattrs));
	assert_true(vault_span_equal(got.target, item.target));
	assert_true(vault_span_equal(got.link_to, item.link_to));
	assert_true(vault_row_same(&got.row, &item.row));
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(
			vault_frames_get_item(vault_span(b.data, n), &got),
			VAULT_ERR_CORRUPT);
	vault_buf_release(&b);
}

static vault_err get_restore(const char *dest, const char *name)
{
	struct vault_buf b = VAULT_BUF_INIT;
	struct vault_buf d = VAULT_BUF_INIT;
	struct vault_buf n = VAULT_BUF_INIT;
	vault_err err;

	assert_int_equal(vault_frames_put_restore(&b, dest, name), VAULT_OK);
	err = vault_frames_get_restore(vault_buf_span(&b), &d, &n);
	if (err == VAULT_OK) {
		assert_string_equal((const char *)d.data, dest);
		assert_string_equal((const char *)n.data, name);
	}
	vault_buf_release(&b);
	vault_buf_release(&d);
	vault_buf_release(&n);
	return err;
}

static void a_name_that_leads_elsewhere_is_refused(void **state)
{
	(void)state;
	assert_int_equal(get_restore("out/x", "hero.psd"), VAULT_OK);
	assert_int_equal(get_restore("out", ".."), VAULT_ERR_CORRUPT);
	assert_int_equal(get_restore("out", "."), VAULT_ERR_CORRUPT);
	assert_int_equal(get_restore("out", ""), VAULT_ERR_CORRUPT);
	assert_int_equal(get_restore("out", "../x"), VAULT_ERR_CORRUPT);
	assert_int_equal(get_restore("", "x"), VAULT_ERR_CORRUPT);
}

static void drop_line(void *ctx, enum vault_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

static void another_protocol_is_refused_by_name(void **state)
{
	uint8_t payload[8 + 3] = { 0 };
	int fds[2];

	(void)state;
	make_pair(fds);
	assert_int_equal(vault_frames_send_hello(fds[0]), VAULT_OK);
	assert_int_equal(vault_frames_receive_hello(fds[1]), VAULT_OK);
	vault_bytes_put_le32(payload, VAULT_FRAMES_PROTOCOL + 1);
	vault_bytes_put_le32(payload + 4, 3);
	memcpy(payload + 8, "9.9", 3);
	assert_int_equal(vault_frames_send(fds[0], VAULT_FRAMES_HELLO,
					   vault_span(payload, 11)),
			 VAULT_OK);
	vault_log_set_sink(drop_line, NULL);
	assert_int_equal(vault_frames_receive_hello(fds[1]), VAULT_ERR_NEWER);
	vault_log_set_sink(NULL, NULL);
	close(fds[0]);
	close(fds[1]);
}

static void numbers_that_are_no_error_become_one(void **state)
{
	(void)state;
	assert_int_equal(vault_frames_err(VAULT_OK), VAULT_OK);
	assert_int_equal(vault_frames_err(VAULT_ERR_EXISTS), VAULT_ERR_EXISTS);
	assert_int_equal(vault_frames_err(77777), VAULT_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_of_any_size_arrives_as_it_was_sent),
		cmocka_unit_test(how_a_frame_is_split_does_not_matter),
		cmocka_unit_test(hostile_lengths_and_types_are_refused),
		cmocka_unit_test(a_peer_that_left_ends_sending),
		cmocka_unit_test(requests_come_back_as_they_went),
		cmocka_unit_test(
			a_request_without_words_or_with_zeros_in_them_is_refused),
		cmocka_unit_test(items_come_back_as_they_went),
		cmocka_unit_test(a_name_that_leads_elsewhere_is_refused),
		cmocka_unit_test(another_protocol_is_refused_by_name),
		cmocka_unit_test(numbers_that_are_no_error_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
