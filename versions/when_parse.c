/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "store/base/bytes.h"
#include "versions/when.h"
#include "versions/when_local.h"

/* The ends of what a calendar with four digits can say. */
#define TIME_MIN INT64_C(-62135596800)
#define TIME_MAX INT64_C(253402300799)

/* A reader of characters; 0 at the end, which no time contains. */
static char peek(struct vault_span s)
{
	return s.len > 0 ? (char)s.data[0] : '\0';
}

static bool skip(struct vault_span *s, char c)
{
	if (peek(*s) != c || c == '\0')
		return false;
	*s = vault_span_from(*s, 1);
	return true;
}

static bool skip_text(struct vault_span *s, const char *text)
{
	const struct vault_span t = vault_span_str(text);

	if (!vault_span_starts(*s, t))
		return false;
	*s = vault_span_from(*s, t.len);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly `n` digits. */
static bool number(struct vault_span *s, size_t n, int *out)
{
	int v = 0;

	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit((char)s->data[i]))
			return false;
		v = v * 10 + (s->data[i] - '0');
	}
	*s = vault_span_from(*s, n);
	*out = v;
	return true;
}

/* All digits there are: at least one, at most 12. */
static bool long_number(struct vault_span *s, int64_t *out)
{
	int64_t v = 0;
	size_t n = 0;

	for (; is_digit(peek(*s)); n++) {
		if (n == 12)
			return false;
		v = v * 10 + (peek(*s) - '0');
		*s = vault_span_from(*s, 1);
	}
	if (n == 0)
		return false;
	*out = v;
	return true;
}

static bool is(struct vault_span text, const char *word)
{
	return vault_span_equal(text, vault_span_str(word));
}

/* ---- words ---- */

/* The last second of the day that is `back` days before the one of `now`. */
static int64_t day_end(int64_t now, int64_t back)
{
	const int64_t wall = now + vault_when_local_offset(now);
	const int64_t day = wall / 86400 - (wall % 86400 < 0) - back;

	return vault_when_local_instant(day * 86400 + 86399);
}

static bool parse_word(struct vault_span text, int64_t now,
		       struct vault_when *out)
{
	if (is(text, "latest"))
		*out = (struct vault_when){ VAULT_WHEN_LATEST, now };
	else if (is(text, "previous"))
		*out = (struct vault_when){ VAULT_WHEN_PREVIOUS, now };
	else if (is(text, "now"))
		*out = (struct vault_when){ VAULT_WHEN_NOW, now };
	else if (is(text, "today"))
		*out = (struct vault_when){ VAULT_WHEN_TIME, day_end(now, 0) };
	else if (is(text, "yesterday"))
		*out = (struct vault_when){ VAULT_WHEN_TIME, day_end(now, 1) };
	else
		return false;
	return true;
}

/* ---- so long ago ---- */

/* The same day and time of an earlier month, or that month's last day. */
static bool months_ago(int64_t now, int64_t n, int64_t *out)
{
	struct vault_when_fields f =
		vault_when_local_fields(now, vault_when_local_offset(now));
	const int64_t month = (int64_t)f.year * 12 + f.month - 1 - n;
	int64_t wall;

	if (n > 12 * 9999 || month < 12)
		return false;
	f.year = (int)(month / 12);
	f.month = (int)(month % 12) + 1;
	if (f.day > vault_when_local_days(f.year, f.month))
		f.day = vault_when_local_days(f.year, f.month);
	if (!vault_when_local_count(&f, &wall))
		return false;
	*out = vault_when_local_instant(wall);
	return true;
}

static bool parse_ago(struct vault_span text, int64_t now,
		      struct vault_when *out)
{
	static const struct {
		const char *unit;
		int seconds;
		int months;
	} units[] = {
		{ "s-ago", 1, 0 },     { "m-ago", 60, 0 },
		{ "min-ago", 60, 0 },  { "h-ago", 3600, 0 },
		{ "d-ago", 86400, 0 }, { "w-ago", 7 * 86400, 0 },
		{ "mo-ago", 0, 1 },    { "y-ago", 0, 12 },
	};
	int64_t n, time;

	if (!long_number(&text, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!is(text, units[i].unit))
			continue;
		/* Twelve digits of weeks are far below what 64 bits hold. */
		time = now - n * units[i].seconds;
		if (units[i].months != 0 &&
		    !months_ago(now, n * units[i].months, &time))
			return false;
		*out = (struct vault_when){ VAULT_WHEN_TIME, time };
		return true;
	}
	return false;
}

/* ---- dates and times ---- */

/* What was read of a date; a prefix means the last second it leaves open. */
struct stamp {
	struct vault_when_fields f;
	bool has_minute;
	bool has_offset;
	int64_t offset;
};

static bool parse_offset(struct vault_span *s, struct stamp *st)
{
	const bool west = peek(*s) == '-';
	int h, m;

	if (!skip(s, '+') && !skip(s, '-'))
		return false;
	if (!number(s, 2, &h))
		return false;
	(void)skip(s, ':');
	if (!number(s, 2, &m) || h > 23 || m > 59)
		return false;
	st->offset = (west ? -1 : 1) * (h * 3600 + m * 60);
	st->has_offset = true;
	return true;
}

/* A fraction says nothing that whole seconds do not. */
static bool skip_fraction(struct vault_span *s)
{
	if (!skip(s, '.') && !skip(s, ','))
		return true;
	if (!is_digit(peek(*s)))
		return false;
	while (is_digit(peek(*s)))
		*s = vault_span_from(*s, 1);
	return true;
}

/* Everything behind the hour. */
static bool parse_clock(struct vault_span *s, struct stamp *st)
{
	const char sep = peek(*s);

	if (sep == ':' || sep == '-') {
		(void)skip(s, sep);
		if (!number(s, 2, &st->f.minute))
			return false;
		st->has_minute = true;
		st->f.second = 59;
		if (skip(s, sep) &&
		    (!number(s, 2, &st->f.second) || !skip_fraction(s)))
			return false;
	}
	if (skip(s, 'Z') || skip(s, 'z')) {
		st->has_offset = true;
		return true;
	}
	/* An hour and an offset would look like an hour and minutes. */
	if (st->has_minute && s->len > 0)
		return parse_offset(s, st);
	return true;
}

static bool parse_date(struct vault_span *s, struct stamp *st)
{
	if (!number(s, 4, &st->f.year))
		return false;
	st->f.month = 12;
	st->f.day = 31;
	st->f.hour = 23;
	st->f.minute = 59;
	st->f.second = 59;
	if (s->len == 0)
		return true;
	if (!skip(s, '-') || !number(s, 2, &st->f.month) || st->f.month < 1 ||
	    st->f.month > 12)
		return false;
	st->f.day = vault_when_local_days(st->f.year, st->f.month);
	if (s->len == 0)
		return true;
	if (!skip(s, '-') || !number(s, 2, &st->f.day))
		return false;
	if (s->len == 0)
		return true;
	if (!skip(s, '_') && !skip(s, 'T') && !skip(s, ' '))
		return false;
	return number(s, 2, &st->f.hour) && parse_clock(s, st);
}

static bool parse_stamp(struct vault_span text, struct vault_when *out)
{
	struct stamp st = { 0 };
	int64_t wall;

	if (!parse_date(&text, &st) || text.len != 0 ||
	    !vault_when_local_count(&st.f, &wall))
		return false;
	*out = (struct vault_when){
		VAULT_WHEN_TIME,
		st.has_offset ? wall - st.offset
			      : vault_when_local_instant(wall),
	};
	return true;
}

/* ---- forms of other programs ---- */

static bool parse_gmt(struct vault_span text, struct vault_when *out)
{
	struct vault_when_fields f;
	int64_t time;

	if (!skip_text(&text, "@GMT-") || !number(&text, 4, &f.year) ||
	    !skip(&text, '.') || !number(&text, 2, &f.month) ||
	    !skip(&text, '.') || !number(&text, 2, &f.day) ||
	    !skip(&text, '-') || !number(&text, 2, &f.hour) ||
	    !skip(&text, '.') || !number(&text, 2, &f.minute) ||
	    !skip(&text, '.') || !number(&text, 2, &f.second) ||
	    text.len != 0 || !vault_when_local_count(&f, &time))
		return false;
	*out = (struct vault_when){ VAULT_WHEN_TIME, time };
	return true;
}

static bool parse_epoch(struct vault_span text, struct vault_when *out)
{
	int64_t time;
	bool negative;

	if (!skip(&text, '@'))
		return false;
	negative = skip(&text, '-');
	if (!long_number(&text, &time) || text.len != 0)
		return false;
	if (negative)
		time = -time;
	if (time < TIME_MIN || time > TIME_MAX)
		return false;
	*out = (struct vault_when){ VAULT_WHEN_TIME, time };
	return true;
}

vault_err vault_when_parse(struct vault_span text, int64_t now,
			   struct vault_when *out)
{
	struct vault_when w;

	if (parse_word(text, now, &w) || parse_ago(text, now, &w) ||
	    parse_stamp(text, &w) || parse_gmt(text, &w) ||
	    parse_epoch(text, &w)) {
		*out = w;
		return VAULT_OK;
	}
	return VAULT_ERR_SYNTAX;
}
