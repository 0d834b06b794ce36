/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/*
 * Replays a corpus without libFuzzer: every file as it is, cut off at every
 * length, and with every single bit turned over. Each input lies in memory of
 * exactly its size, so that a sanitizer sees the first byte read beyond it.
 */

#define LARGEST ((size_t)1 << 20)
/* Where the neighbours of an input are tried. */
#define NEIGHBOURS ((size_t)2048)

static void run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void run_neighbours(uint8_t *bytes, size_t len)
{
	const size_t n = len < NEIGHBOURS ? len : NEIGHBOURS;

	run(bytes, len);
	for (size_t i = 0; i < n; i++) {
		run(bytes, i);
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			run(bytes, len);
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	}
}

static int replay(const char *dir, const char *name)
{
	static uint8_t bytes[LARGEST];
	char path[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return 1;
	}
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	run_neighbours(bytes, len);
	return 0;
}

int main(int argc, char **argv)
{
	size_t n = 0;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct dirent *e;
		DIR *d = opendir(argv[i]);

		if (d == NULL) {
			perror(argv[i]);
			return 1;
		}
		while ((e = readdir(d)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			failed |= replay(argv[i], e->d_name);
			n++;
		}
		closedir(d);
	}
	printf("%zu inputs and their neighbours\n", n);
	return failed != 0 || n == 0;
}
