/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/rules.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "versions/glob.h"

enum shape {
	SHAPE_LITERAL,
	SHAPE_SUFFIX, /* "*" and plain bytes */
	SHAPE_PREFIX, /* plain bytes and "*" */
	SHAPE_GLOB,
};

struct rule {
	struct vault_span pattern; /* into the text; without "*" if a shape
				      stands for it */
	enum shape shape;
	enum vault_ignore_why why;
	bool negated;
	bool dir_only;
	bool anchored; /* matched against the path, else against the name */
	uint8_t first; /* what a match begins and ends with; 0: anything */
	uint8_t last;
};

struct vault_rules {
	struct vault_buf text;
	struct rule *rules;
	size_t n_rules;
	size_t room;
};

/* Blanks at the end go, unless a backslash holds the first of them. */
static struct vault_span trim_line(struct vault_span line)
{
	size_t backslashes = 0;

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	while (line.len > 0 && (line.data[line.len - 1] == ' ' ||
				line.data[line.len - 1] == '\t')) {
		size_t i = line.len - 1;

		for (backslashes = 0; i > 0 && line.data[i - 1] == '\\'; i--)
			backslashes++;
		if (backslashes % 2 == 1)
			break;
		line.len--;
	}
	return line;
}

static bool is_plain(struct vault_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (memchr("*?[\\", s.data[i], 4) != NULL)
			return false;
	}
	return true;
}

static void set_shape(struct rule *r)
{
	const struct vault_span p = r->pattern;

	r->first = memchr("*?[\\", p.data[0], 4) != NULL ? 0 : p.data[0];
	r->last = memchr("*?]", p.data[p.len - 1], 3) != NULL
			  ? 0
			  : p.data[p.len - 1];
	r->shape = SHAPE_GLOB;
	if (is_plain(p)) {
		r->shape = SHAPE_LITERAL;
	} else if (r->anchored) {
		return; /* a star must not reach over a slash */
	} else if (p.data[0] == '*' && is_plain(vault_span_from(p, 1))) {
		r->shape = SHAPE_SUFFIX;
		r->pattern = vault_span_from(p, 1);
	} else if (p.data[p.len - 1] == '*' &&
		   is_plain(vault_span(p.data, p.len - 1))) {
		r->shape = SHAPE_PREFIX;
		r->pattern = vault_span(p.data, p.len - 1);
	}
}

/* False: the line says nothing (empty or a comment). */
static bool parse_line(struct vault_span line, struct rule *out)
{
	struct rule r = { 0 };

	if (line.len == 0 || line.data[0] == '#')
		return false;
	if (line.data[0] == '!') {
		r.negated = true;
		line = vault_span_from(line, 1);
	}
	if (line.len > 0 && line.data[line.len - 1] == '/') {
		r.dir_only = true;
		line.len--;
	}
	if (line.len > 0 && line.data[0] == '/') {
		r.anchored = true;
		line = vault_span_from(line, 1);
	}
	if (line.len == 0)
		return false;
	if (memchr(line.data, '/', line.len) != NULL)
		r.anchored = true;
	r.pattern = line;
	*out = r;
	return true;
}

static vault_err add_rule(struct vault_rules *set, const struct rule *r)
{
	if (set->n_rules == set->room) {
		const size_t room = set->room == 0 ? 16 : set->room * 2;
		struct rule *rules = realloc(set->rules, room * sizeof(*rules));

		if (rules == NULL)
			return VAULT_ERR_NOMEM;
		set->rules = rules;
		set->room = room;
	}
	set->rules[set->n_rules++] = *r;
	return VAULT_OK;
}

/* The marks that divide the built-in rules. */
static void read_mark(struct vault_span line, enum vault_ignore_why *why)
{
	if (vault_span_equal(line, vault_span_str("#: temporary")))
		*why = VAULT_IGNORE_TEMPORARY;
	else if (vault_span_equal(line, vault_span_str("#: cache")))
		*why = VAULT_IGNORE_CACHE;
}

static vault_err parse_text(struct vault_rules *set, const char *where,
			    enum vault_ignore_why why)
{
	const bool built_in = why != VAULT_IGNORE_RULE;
	struct vault_span rest = vault_buf_span(&set->text);
	unsigned number = 0;
	vault_err err;

	/* Editors of Windows begin a text with a byte order mark. */
	if (vault_span_starts(rest, vault_span_str("\xEF\xBB\xBF")))
		rest = vault_span_from(rest, 3);
	while (rest.len > 0) {
		const uint8_t *nl = memchr(rest.data, '\n', rest.len);
		const size_t len =
			nl == NULL ? rest.len : (size_t)(nl - rest.data);
		const struct vault_span line =
			trim_line(vault_span(rest.data, len));
		struct rule r;

		number++;
		rest = vault_span_from(rest, len + 1);
		if (built_in)
			read_mark(line, &why);
		if (!parse_line(line, &r))
			continue;
		if (!vault_glob_is_valid(r.pattern)) {
			vault_log_warn("%s:%u: not a valid pattern: %.*s",
				       where, number, (int)line.len,
				       (const char *)line.data);
			continue;
		}
		r.why = why;
		set_shape(&r);
		err = add_rule(set, &r);
		if (err != VAULT_OK)
			return err;
	}
	return VAULT_OK;
}

vault_err vault_rules_parse(struct vault_span text, const char *where,
			    enum vault_ignore_why why, struct vault_rules **out)
{
	struct vault_rules *set = calloc(1, sizeof(*set));
	vault_err err;

	if (set == NULL)
		return VAULT_ERR_NOMEM;
	err = vault_buf_append(&set->text, text);
	if (err == VAULT_OK)
		err = parse_text(set, where, why);
	if (err == VAULT_OK) {
		*out = set;
		set = NULL;
	}
	vault_rules_destroy(set);
	return err;
}

void vault_rules_destroy(struct vault_rules *r)
{
	if (r == NULL)
		return;
	vault_buf_release(&r->text);
	free(r->rules);
	free(r);
}

static bool matches(const struct rule *r, struct vault_span path,
		    struct vault_span name)
{
	const struct vault_span s = r->anchored ? path : name;
	const struct vault_span p = r->pattern;

	if (s.len == 0 || (r->first != 0 && r->first != s.data[0]) ||
	    (r->last != 0 && r->last != s.data[s.len - 1]))
		return false;
	switch (r->shape) {
	case SHAPE_LITERAL:
		return vault_span_equal(s, p);
	case SHAPE_PREFIX:
		return vault_span_starts(s, p);
	case SHAPE_SUFFIX:
		return s.len >= p.len &&
		       memcmp(s.data + s.len - p.len, p.data, p.len) == 0;
	case SHAPE_GLOB:
		break;
	}
	return vault_glob_match(p, s);
}

bool vault_rules_decide(const struct vault_rules *r, struct vault_span path,
			struct vault_span name, bool is_dir,
			enum vault_ignore_why *why)
{
	for (size_t i = r->n_rules; i > 0; i--) {
		const struct rule *rule = &r->rules[i - 1];

		if (rule->dir_only && !is_dir)
			continue;
		if (!matches(rule, path, name))
			continue;
		*why = rule->negated ? VAULT_IGNORE_NOT : rule->why;
		return true;
	}
	return false;
}
