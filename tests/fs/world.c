/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/fs/world.h"

void world_latest(struct world *w, char name[64])
{
	json_t *d;

	OK(w, "log", "--json", "-C", "art");
	d = json_of(w);
	assert_true(json_array_size(d) > 0);
	snprintf(name, 64, "%s", text_of(json_array_get(d, 0), "moment"));
	json_decref(d);
}

void world_write(struct world *w, const char *name, const char *text)
{
	vault_scratch_write_str(w->s.fd, name, text);
}

void world_expect(struct world *w, const char *name, const char *text)
{
	vault_scratch_expect(w->s.fd, name, vault_span_str(text));
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	setenv("TZ", "UTC", 1);
	vault_scratch_init(&w->s);
	world_write(w, "art/hero.psd", "hero one");
	world_write(w, "art/chars/bob.txt", "bob one");
	world_write(w, "art/chars/same", "same");
	OK(w, "sync", "art");
	assert_string_equal(out(w), "");
	world_latest(w, w->first);
	world_write(w, "art/hero.psd", "hero two, longer");
	world_write(w, "art/chars/bob.txt", "bob two");
	OK(w, "sync", "-C", "art");
	world_latest(w, w->second);
	assert_string_not_equal(w->first, w->second);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	ran_release(&w->ran);
	vault_scratch_release(&w->s);
	free(w);
	return 0;
}
