/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_FRAMES_FORMAT_H
#define VAULT_FS_FRAMES_FORMAT_H

/*
 * What goes over the control socket. Never on disk: both ends are the same
 * program, but perhaps not the same version of it, so the first frame of each
 * side says which protocol it speaks and another one is refused by name.
 *
 * frame     type u8, length u32 le, `length` bytes
 * string    length u32 le, bytes
 */
#define VAULT_FRAMES_PROTOCOL 1u
#define VAULT_FRAMES_HEADER 5u
/* No frame is longer; what streams is cut well below it. */
#define VAULT_FRAMES_MAX ((uint32_t)4 << 20)
/* Bytes of output or content in one frame. */
#define VAULT_FRAMES_CHUNK ((size_t)256 << 10)
/* Words of a command, all together. */
#define VAULT_FRAMES_MAX_WORDS 4096u

enum vault_frames_type {
	/* both ways, first: protocol u32, version of the program as string */
	VAULT_FRAMES_HELLO = 1,
	/* client: flags u32, directory inside the project as string, number
	 * of words u32, words as strings */
	VAULT_FRAMES_REQUEST = 2,
	/* daemon: bytes to print */
	VAULT_FRAMES_STDOUT = 3,
	VAULT_FRAMES_STDERR = 4,
	/* daemon: destination and name in it as strings; write it.
	 * Answered. */
	VAULT_FRAMES_RESTORE = 5,
	/* daemon: an item (see vault_frames_put_item); the calls of a
	 * vault_restore_sink. Not answered unless something is wrong. */
	VAULT_FRAMES_BEGIN = 6,
	VAULT_FRAMES_DATA = 7, /* offset u64, bytes */
	VAULT_FRAMES_END = 8,
	VAULT_FRAMES_LEAVE = 9,
	/* daemon: put it in place (u8 1) or throw it away (0). Answered. */
	VAULT_FRAMES_FINISH = 10,
	/* client: vault_err u32, to RESTORE and FINISH */
	VAULT_FRAMES_ANSWER = 11,
	/* client: vault_err u32, between them: stop, writing has failed */
	VAULT_FRAMES_TROUBLE = 12,
	/* daemon, last: exit code u32 */
	VAULT_FRAMES_EXIT = 13,
};

/* Flags of a request. */
#define VAULT_FRAMES_OUT_TTY 1u
#define VAULT_FRAMES_ERR_TTY 2u

#endif
