/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/when_local.h"

#include <stddef.h>
#include <time.h>

/*
 * A zone's offset is asked this far to either side of a time. No two clock
 * changes of one zone lie so close, so between the two answers there is at
 * most one change.
 */
#define REACH 86400

int vault_when_local_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

bool vault_when_local_count(const struct vault_when_fields *f, int64_t *out)
{
	struct tm tm = { 0 };

	if (f->year < 1 || f->year > 9999 || f->month < 1 || f->month > 12 ||
	    f->day < 1 || f->day > vault_when_local_days(f->year, f->month) ||
	    f->hour < 0 || f->hour > 23 || f->minute < 0 || f->minute > 59 ||
	    f->second < 0 || f->second > 59)
		return false;
	tm.tm_year = f->year - 1900;
	tm.tm_mon = f->month - 1;
	tm.tm_mday = f->day;
	tm.tm_hour = f->hour;
	tm.tm_min = f->minute;
	tm.tm_sec = f->second;
	*out = timegm(&tm);
	return true;
}

int64_t vault_when_local_offset(int64_t time)
{
	const time_t at = time;
	struct tm tm;

	return localtime_r(&at, &tm) == NULL ? 0 : tm.tm_gmtoff;
}

struct vault_when_fields vault_when_local_fields(int64_t time, int64_t offset)
{
	const time_t wall = time + offset;
	struct tm tm = { 0 };

	/* Years beyond what a struct tm holds are no moments of ours. */
	if (gmtime_r(&wall, &tm) == NULL)
		tm.tm_mday = 1;
	return (struct vault_when_fields){
		.year = tm.tm_year + 1900,
		.month = tm.tm_mon + 1,
		.day = tm.tm_mday,
		.hour = tm.tm_hour,
		.minute = tm.tm_min,
		.second = tm.tm_sec,
	};
}

static bool shows(int64_t time, int64_t wall)
{
	return time + vault_when_local_offset(time) == wall;
}

bool vault_when_local_repeats(int64_t time)
{
	const int64_t before = vault_when_local_offset(time - REACH);
	const int64_t after = vault_when_local_offset(time + REACH);
	int64_t wall;

	if (before <= after)
		return false;
	wall = time + vault_when_local_offset(time);
	return shows(wall - before, wall) && shows(wall - after, wall);
}

int64_t vault_when_local_instant(int64_t wall)
{
	const int64_t before = vault_when_local_offset(wall - REACH);
	const int64_t after = vault_when_local_offset(wall + REACH);
	int64_t early, late;

	if (shows(wall - after, wall) && shows(wall - before, wall))
		return wall - (after < before ? after : before);
	if (shows(wall - after, wall))
		return wall - after;
	if (shows(wall - before, wall))
		return wall - before;
	/* Skipped: before the jump the wall shows less, after it more. */
	early = wall - REACH;
	late = wall + REACH;
	while (late - early > 1) {
		const int64_t mid = early + (late - early) / 2;

		if (mid + vault_when_local_offset(mid) > wall)
			late = mid;
		else
			early = mid;
	}
	return late;
}
