/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "versions/when.h"

/*
 * Times as people write them, in zones whose clocks jump in different ways.
 */

static const char *const zones[] = {
	"UTC",
	"Europe/Berlin",
	"America/New_York",
	"Asia/Kathmandu",
	"Africa/Casablanca",
	"Pacific/Apia",
	"Europe/Dublin",
	"America/St_Johns",
	"Asia/Gaza",
	"Australia/Lord_Howe",
};
#define N_ZONES (sizeof(zones) / sizeof(zones[0]))

static void set_zone(const char *zone)
{
	assert_int_equal(vault_when_set_zone(zone), VAULT_OK);
}

static int64_t parse_at(const char *text, int64_t now)
{
	struct vault_when w;
	vault_err err = vault_when_parse(vault_span_str(text), now, &w);

	if (err != VAULT_OK)
		fail_msg("'%s': %s", text, vault_err_name(err));
	assert_int_equal(w.kind, VAULT_WHEN_TIME);
	return w.time;
}

static int64_t parse(const char *text)
{
	return parse_at(text, 0);
}

static void refuses(const char *text)
{
	struct vault_when w;

	if (vault_when_parse(vault_span_str(text), 0, &w) != VAULT_ERR_SYNTAX)
		fail_msg("'%s' was understood", text);
}

/* Offset of the zone at an instant, not from the code that is tested. */
static long offset(int64_t t)
{
	const time_t at = t;
	struct tm tm;

	assert_non_null(localtime_r(&at, &tm));
	return tm.tm_gmtoff;
}

/* Call `f` with every second at which the zone's clock changes. */
static unsigned each_change(void (*f)(int64_t))
{
	const int64_t step = 86400;
	const int64_t end = INT64_C(2145916800); /* 2038 */
	unsigned n = 0;

	for (int64_t t = 1577836800; t < end; t += step) {
		int64_t low = t;
		int64_t high = t + step;

		if (offset(low) == offset(high))
			continue;
		while (high - low > 1) {
			const int64_t mid = low + (high - low) / 2;

			if (offset(mid) == offset(t))
				low = mid;
			else
				high = mid;
		}
		f(high);
		n++;
	}
	return n;
}

static void round_trip(int64_t t)
{
	char name[VAULT_WHEN_NAME_MAX];

	vault_when_name(t, name);
	assert_int_equal(parse(name), t);
	vault_when_rfc3339(t, name);
	assert_int_equal(parse(name), t);
	vault_when_gmt(t, name);
	assert_int_equal(parse(name), t);
}

static void around(int64_t change)
{
	char a[VAULT_WHEN_NAME_MAX], b[VAULT_WHEN_NAME_MAX];

	for (int64_t t = change - 7500; t < change + 7500; t += 31)
		round_trip(t);
	for (int64_t t = change - 5; t < change + 5; t++)
		round_trip(t);
	/* Both passes of whatever is repeated differ in name. */
	for (int64_t t = change - 3600; t < change + 3600; t += 60) {
		for (int64_t d = 600; d <= 7200; d += 600) {
			vault_when_name(t, a);
			vault_when_name(t + d, b);
			assert_string_not_equal(a, b);
		}
	}
}

static void a_name_means_its_second_around_every_clock_change(void **state)
{
	unsigned changes = 0;

	(void)state;
	for (size_t i = 0; i < N_ZONES; i++) {
		set_zone(zones[i]);
		changes += each_change(around);
	}
	assert_true(changes > 200);
}

static void a_name_means_its_second_at_any_time(void **state)
{
	struct vault_scratch_random r = vault_scratch_seed(11);

	(void)state;
	for (size_t i = 0; i < N_ZONES; i++) {
		set_zone(zones[i]);
		for (int n = 0; n < 3000; n++)
			round_trip((int64_t)vault_scratch_below(
				&r, UINT64_C(4000000000)));
	}
}

/* At a change back: the bare form is the later pass, prefixes end there. */
static void check_back(int64_t change)
{
	const int64_t d = offset(change - 1) - offset(change);
	char name[VAULT_WHEN_NAME_MAX];

	if (d <= 0)
		return;
	for (int64_t t = change - d; t < change; t += 97) {
		vault_when_name(t, name);
		assert_int_equal(strlen(name), 24);
		assert_int_equal(parse(name), t);
		name[19] = '\0';
		assert_int_equal(parse(name), t + d);
		name[16] = '\0'; /* up to the minute */
		assert_int_equal((parse(name) + offset(change)) / 60,
				 (t + offset(change - 1)) / 60);
		assert_true(parse(name) >= change);
		vault_when_name(t + d, name);
		assert_int_equal(strlen(name), 24);
	}
	vault_when_name(change - d - 1, name);
	assert_int_equal(strlen(name), 19);
	vault_when_name(change + d, name);
	assert_int_equal(strlen(name), 19);
}

/* At a jump forward: what the clock never showed is the jump. */
static void check_jump(int64_t change)
{
	const int64_t before = offset(change - 1);
	const int64_t after = offset(change);

	for (int64_t wall = change + before; wall < change + after;
	     wall += 59) {
		char text[32];
		const time_t as_utc = wall;
		struct tm tm;

		assert_non_null(gmtime_r(&as_utc, &tm));
		strftime(text, sizeof(text), "%Y-%m-%d_%H-%M-%S", &tm);
		assert_int_equal(parse(text), change);
	}
}

static void a_repeated_hour_means_its_later_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ZONES; i++) {
		set_zone(zones[i]);
		(void)each_change(check_back);
	}
}

static void a_skipped_hour_means_the_jump(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ZONES; i++) {
		set_zone(zones[i]);
		(void)each_change(check_jump);
	}
}

static void known_times_are_read_as_they_are_meant(void **state)
{
	static const struct {
		const char *text;
		int64_t time;
	} berlin[] = {
		{ "2026-11-20_10-30-00", 1795167000 },
		{ "2026-11-20T10:30:00", 1795167000 },
		{ "2026-11-20 10:30:00", 1795167000 },
		{ "2026-11-20T10-30-00", 1795167000 },
		{ "2026-11-20T10:30:00.999", 1795167000 },
		{ "2026-11-20T10:30:00,5", 1795167000 },
		{ "2026-11-20T09:30:00Z", 1795167000 },
		{ "2026-11-20T09:30:00.25Z", 1795167000 },
		{ "2026-11-20T09:30:00z", 1795167000 },
		{ "2026-11-20T10:30:00+01:00", 1795167000 },
		{ "2026-11-20T10:30:00+0100", 1795167000 },
		{ "2026-11-20T04:30:00-05:00", 1795167000 },
		{ "2026-11-20_04-30-00-0500", 1795167000 },
		{ "2026-11-20_15-15-00+0545", 1795167000 },
		{ "@GMT-2026.11.20-09.30.00", 1795167000 },
		{ "@1795167000", 1795167000 },
		{ "@-1", -1 },
		{ "@0", 0 },
		/* Prefixes: the last second. */
		{ "2026-11-20_10-30", 1795167059 },
		{ "2026-11-20T10:30", 1795167059 },
		{ "2026-11-20T09:30Z", 1795167059 },
		{ "2026-11-20T10:30+01:00", 1795167059 },
		{ "2026-11-20_10", 1795168799 },
		{ "2026-11-20T09Z", 1795168799 },
		{ "2026-11-20", 1795215599 },
		{ "2026-11", 1796079599 },
		{ "2026", 1798757999 },
		{ "2024-02", 1709247599 }, /* leap year */
		/* Clock changes in Berlin. */
		{ "2026-10-25_02-30-00+0200", 1792888200 },
		{ "2026-10-25_02-30-00+0100", 1792891800 },
		{ "2026-10-25_02-30-00", 1792891800 },
		{ "2026-10-25_02", 1792893599 },
		{ "2026-03-29_02-30-00", 1774746000 },
	};

	(void)state;
	set_zone("Europe/Berlin");
	for (size_t i = 0; i < sizeof(berlin) / sizeof(berlin[0]); i++)
		if (parse(berlin[i].text) != berlin[i].time)
			fail_msg("'%s' is %lld, not %lld", berlin[i].text,
				 (long long)parse(berlin[i].text),
				 (long long)berlin[i].time);
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"client-review",
		"2",
		"20",
		"202",
		"20261",
		"2026-",
		"2026-1",
		"2026-13",
		"2026-00",
		"2026-11-",
		"2026-11-2",
		"2026-11-31",
		"2026-11-00",
		"2025-02-29",
		"2026-11-20_",
		"2026-11-20_1",
		"2026-11-20_24",
		"2026-11-20_10-",
		"2026-11-20_10-3",
		"2026-11-20_10-60",
		"2026-11-20_10-30-",
		"2026-11-20_10-30-0",
		"2026-11-20_10-30-60",
		"2026-11-20_10-30-00 ",
		" 2026-11-20",
		"2026-11-20_10-30-00-",
		"2026-11-20_10-30-00+01",
		"2026-11-20_10-30-00+2400",
		"2026-11-20_10-30-00+0160",
		"2026-11-20_10-30:00",
		"2026-11-20T10:30:00.",
		"2026-11-20T10:30:00.Z",
		"2026-11-20T10:30:00ZZ",
		"2026-11-20T10+01:00",
		"2026-11-20Z",
		"2026/11/20",
		"@",
		"@x",
		"@12x",
		"@9999999999999",
		"@253402300800",
		"@GMT-2026.11.20-09.30.0",
		"@GMT-2026.11.20-09.30.00x",
		"@GMT-2026.11.31-09.30.00",
		"@GMT-2026-11-20-09-30-00",
		"Latest",
		"latest ",
		"ago",
		"2x-ago",
		"-2h-ago",
		"h-ago",
		"2h",
		"2h-agO",
		"9999999999999s-ago",
		"130000y-ago",
		"0000-01-01",
	};

	(void)state;
	set_zone("Europe/Berlin");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i]);
}

static void a_time_with_bytes_around_it_is_refused(void **state)
{
	struct vault_when w;

	(void)state;
	set_zone("UTC");
	assert_int_equal(vault_when_parse(vault_span("latest\0", 7), 0, &w),
			 VAULT_ERR_SYNTAX);
	assert_int_equal(vault_when_parse(vault_span("2026\0", 5), 0, &w),
			 VAULT_ERR_SYNTAX);
	assert_int_equal(vault_when_parse(vault_span("\xff", 1), 0, &w),
			 VAULT_ERR_SYNTAX);
}

static void words_count_from_now(void **state)
{
	const int64_t now = 1795167000; /* 2026-11-20 10:30 in Berlin */
	struct vault_when w;

	(void)state;
	set_zone("Europe/Berlin");
	assert_int_equal(parse_at("today", now), 1795215599);
	assert_int_equal(parse_at("yesterday", now), 1795215599 - 86400);
	assert_int_equal(parse_at("90s-ago", now), now - 90);
	assert_int_equal(parse_at("5m-ago", now), now - 300);
	assert_int_equal(parse_at("5min-ago", now), now - 300);
	assert_int_equal(parse_at("2h-ago", now), now - 7200);
	assert_int_equal(parse_at("3d-ago", now), now - 3 * 86400);
	assert_int_equal(parse_at("2w-ago", now), now - 14 * 86400);
	/* The same time on the wall, summer or winter. */
	assert_int_equal(parse_at("1mo-ago", now),
			 parse("2026-10-20_10-30-00"));
	assert_int_equal(parse_at("1y-ago", now), parse("2025-11-20_10-30-00"));
	/* A month without a 31st. */
	assert_int_equal(parse_at("1mo-ago", parse("2026-03-31_12-00-00")),
			 parse("2026-02-28_12-00-00"));
	assert_int_equal(parse_at("11mo-ago", parse("2026-03-31_12-00-00")),
			 parse("2025-04-30_12-00-00"));

	assert_int_equal(vault_when_parse(vault_span_str("latest"), now, &w),
			 VAULT_OK);
	assert_int_equal(w.kind, VAULT_WHEN_LATEST);
	assert_int_equal(vault_when_parse(vault_span_str("previous"), now, &w),
			 VAULT_OK);
	assert_int_equal(w.kind, VAULT_WHEN_PREVIOUS);
	assert_int_equal(vault_when_parse(vault_span_str("now"), now, &w),
			 VAULT_OK);
	assert_int_equal(w.kind, VAULT_WHEN_NOW);
}

static void a_day_has_its_own_length(void **state)
{
	(void)state;
	set_zone("Europe/Berlin");
	/* 23 and 25 hours. */
	assert_int_equal(parse("2026-03-29") - parse("2026-03-28"), 23 * 3600);
	assert_int_equal(parse("2026-10-25") - parse("2026-10-24"), 25 * 3600);
	assert_int_equal(parse_at("yesterday", parse("2026-10-26_00-00-01")),
			 parse("2026-10-25"));
}

static void a_zone_that_is_none_becomes_utc(void **state)
{
	static const char *const bad[] = { "Europe/Nowhere",
					   "",
					   "../../etc/passwd",
					   "/etc/passwd",
					   "Europe/../Europe/Berlin",
					   "Europe",
					   "CET-1CEST" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_zone("Asia/Kathmandu");
		assert_int_equal(vault_when_set_zone(bad[i]), VAULT_ERR_SYNTAX);
		assert_int_equal(offset(1795167000), 0);
	}
	set_zone("utc");
	assert_int_equal(offset(1795167000), 0);
}

static void the_systems_zone_can_be_set(void **state)
{
	char zone[64];

	(void)state;
	assert_int_equal(setenv("TZ", ":Asia/Kathmandu", 1), 0);
	vault_when_system_zone(zone, sizeof(zone));
	assert_string_equal(zone, "Asia/Kathmandu");
	assert_int_equal(setenv("TZ", "/usr/share/zoneinfo/Europe/Berlin", 1),
			 0);
	vault_when_system_zone(zone, sizeof(zone));
	assert_string_equal(zone, "Europe/Berlin");
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	vault_when_system_zone(zone, sizeof(zone));
	assert_string_equal(zone, "UTC");
	/* Whatever the machine says otherwise is a zone that exists. */
	assert_int_equal(unsetenv("TZ"), 0);
	vault_when_system_zone(zone, sizeof(zone));
	set_zone(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_name_means_its_second_around_every_clock_change),
		cmocka_unit_test(a_name_means_its_second_at_any_time),
		cmocka_unit_test(a_repeated_hour_means_its_later_pass),
		cmocka_unit_test(a_skipped_hour_means_the_jump),
		cmocka_unit_test(known_times_are_read_as_they_are_meant),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_time_with_bytes_around_it_is_refused),
		cmocka_unit_test(words_count_from_now),
		cmocka_unit_test(a_day_has_its_own_length),
		cmocka_unit_test(a_zone_that_is_none_becomes_utc),
		cmocka_unit_test(the_systems_zone_can_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
