/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_WHEN_LOCAL_H
#define VAULT_VERSIONS_WHEN_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Between instants and the clock on the wall, in the process's zone. Internal
 * to versions/. A wall time is counted in seconds as if it were UTC, which
 * makes it a plain number.
 */

/* A wall time in parts; the year of the calendar, month and day from 1. */
struct vault_when_fields {
	int year, month, day, hour, minute, second;
};

/* False if there is no such day or time. */
bool vault_when_local_count(const struct vault_when_fields *f, int64_t *out);
/* Days that a month has. */
int vault_when_local_days(int year, int month);

/* Seconds east of Greenwich at an instant. */
int64_t vault_when_local_offset(int64_t time);
/* The parts of an instant's wall time, or of its UTC with offset 0. */
struct vault_when_fields vault_when_local_fields(int64_t time, int64_t offset);

/* Does the wall show this instant's time twice? */
bool vault_when_local_repeats(int64_t time);
/* The instant at which the wall shows `wall`: the later one if there are two,
 * the jump of the clocks if there is none. */
int64_t vault_when_local_instant(int64_t wall);

#endif
