/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/glob.h"

#include <ctype.h>
#include <stddef.h>

/* A place to come back to when what follows a wildcard does not match. */
struct retreat {
	bool set;
	size_t pattern; /* just past the wildcard */
	size_t text;	/* how far the wildcard reaches */
};

static bool named_class(struct vault_span name, unsigned char c)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {
		{ "alnum", isalnum }, { "alpha", isalpha },
		{ "blank", isblank }, { "cntrl", iscntrl },
		{ "digit", isdigit }, { "graph", isgraph },
		{ "lower", islower }, { "print", isprint },
		{ "punct", ispunct }, { "space", isspace },
		{ "upper", isupper }, { "xdigit", isxdigit },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		if (vault_span_equal(name, vault_span_str(classes[i].name)))
			return classes[i].is(c) != 0;
	}
	return false;
}

/* At "[:name:]": its length; 0 if it is no such thing. */
static size_t class_len(struct vault_span p, size_t at)
{
	size_t end = at + 2;

	if (at + 3 >= p.len || p.data[at + 1] != ':')
		return 0;
	while (end + 1 < p.len && p.data[end] != ']') {
		if (p.data[end] == ':' && p.data[end + 1] == ']')
			return end + 2 - at;
		end++;
	}
	return 0;
}

/* Where the bracket expression opening at `at` ends (past "]"); 0: never. */
static size_t bracket_end(struct vault_span p, size_t at)
{
	size_t i = at + 1;
	bool first = true;

	if (i < p.len && (p.data[i] == '!' || p.data[i] == '^'))
		i++;
	for (; i < p.len; first = false) {
		const size_t named = p.data[i] == '[' ? class_len(p, i) : 0;

		if (p.data[i] == ']' && !first)
			return i + 1;
		if (named > 0)
			i += named;
		else
			i += p.data[i] == '\\' ? 2 : 1;
	}
	return 0;
}

/* One byte of a bracket expression, taking a backslash's next literally. */
static unsigned char bracket_byte(struct vault_span p, size_t *i)
{
	if (p.data[*i] == '\\' && *i + 1 < p.len)
		(*i)++;
	return p.data[(*i)++];
}

static bool bracket_has(struct vault_span p, size_t at, size_t end,
			unsigned char c)
{
	const size_t last = end - 1; /* the closing bracket */
	size_t i = at + 1;
	bool negated = false;
	bool found = false;

	if (i < last && (p.data[i] == '!' || p.data[i] == '^')) {
		negated = true;
		i++;
	}
	while (i < last) {
		const size_t named = p.data[i] == '[' ? class_len(p, i) : 0;
		unsigned char low, high;

		if (named > 0) {
			found |= named_class(
				vault_span(p.data + i + 2, named - 4), c);
			i += named;
			continue;
		}
		low = high = bracket_byte(p, &i);
		if (i + 1 < last && p.data[i] == '-') {
			i++;
			high = bracket_byte(p, &i);
		}
		found |= low <= c && c <= high;
	}
	return found != negated;
}

/*
 * Match one element of the pattern, which is no star, against one byte.
 * `*next` is where the pattern goes on.
 */
static bool match_one(struct vault_span p, size_t at, unsigned char c,
		      size_t *next)
{
	size_t end;

	switch (p.data[at]) {
	case '?':
		*next = at + 1;
		return c != '/';
	case '[':
		end = bracket_end(p, at);
		if (end == 0)
			return false;
		*next = end;
		return c != '/' && bracket_has(p, at, end, c);
	case '\\':
		if (at + 1 >= p.len)
			return false;
		*next = at + 2;
		return p.data[at + 1] == c;
	default:
		*next = at + 1;
		return p.data[at] == c;
	}
}

/*
 * Is there a `**` standing for whole directories? Then `*after` is where the
 * pattern goes on: past "**" and the slash behind it.
 */
static bool is_globstar(struct vault_span p, size_t at, size_t *after)
{
	if (at + 1 >= p.len || p.data[at] != '*' || p.data[at + 1] != '*')
		return false;
	if (at > 0 && p.data[at - 1] != '/')
		return false;
	if (at + 2 == p.len) {
		*after = p.len;
		return true;
	}
	if (p.data[at + 2] != '/')
		return false;
	*after = at + 3;
	return true;
}

/* Let the wildcards reach further; false when neither can. */
static bool retreat(struct vault_span text, struct retreat *star,
		    struct retreat *globstar, size_t *p, size_t *t)
{
	if (star->set && star->text < text.len &&
	    text.data[star->text] != '/') {
		star->text++;
		*p = star->pattern;
		*t = star->text;
		return true;
	}
	star->set = false;
	if (!globstar->set)
		return false;
	while (globstar->text < text.len && text.data[globstar->text] != '/')
		globstar->text++;
	if (globstar->text == text.len)
		return false;
	globstar->text++;
	*p = globstar->pattern;
	*t = globstar->text;
	return true;
}

/*
 * Only the latest wildcard of each sort ever needs to reach further: were an
 * earlier one to, the later one could have made up for it.
 */
bool vault_glob_match(struct vault_span pattern, struct vault_span text)
{
	struct retreat star = { 0 };
	struct retreat globstar = { 0 };
	size_t p = 0;
	size_t t = 0;
	size_t next;

	for (;;) {
		if (p < pattern.len && is_globstar(pattern, p, &next)) {
			if (next == pattern.len &&
			    pattern.data[next - 1] == '*')
				return t < text.len;
			globstar = (struct retreat){ true, next, t };
			star.set = false;
			p = next;
			continue;
		}
		if (p < pattern.len && pattern.data[p] == '*') {
			while (p < pattern.len && pattern.data[p] == '*')
				p++;
			star = (struct retreat){ true, p, t };
			continue;
		}
		if (p == pattern.len && t == text.len)
			return true;
		if (p < pattern.len && t < text.len &&
		    match_one(pattern, p, text.data[t], &next)) {
			p = next;
			t++;
			continue;
		}
		if (!retreat(text, &star, &globstar, &p, &t))
			return false;
	}
}

bool vault_glob_is_valid(struct vault_span pattern)
{
	size_t i = 0;

	while (i < pattern.len) {
		if (pattern.data[i] == '[') {
			i = bracket_end(pattern, i);
			if (i == 0)
				return false;
		} else if (pattern.data[i] == '\\') {
			i += 2;
		} else {
			i++;
		}
	}
	return i == pattern.len;
}
