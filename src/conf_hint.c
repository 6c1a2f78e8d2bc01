#include "conf_hint.h"

#include <stdlib.h>
#include <string.h>

/* A small edit distance between names: two typos at most are worth a suggestion. */
static size_t
distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[64];

	if (la >= ARRAY_LEN(row) || lb >= ARRAY_LEN(row))
		return ARRAY_LEN(row);
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);
			size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = best < replace ? best : replace;
		}
	}
	return row[lb];
}

/* The sections below a pool that know the name; NULL: none. */
static char *
sections_with(const char *name)
{
	char *all = NULL;

	for (size_t i = 2; conf_all_sections[i]; i++) {
		const struct conf_section *section = conf_all_sections[i];
		char *longer;

		if (section == &conf_status_section || conf_option_index(section, name) < 0)
			continue; /* the service of that name has the same */
		longer =
		    util_format("%s%s%s { }", all ? all : "", all ? " or " : "", section->name);
		free(all);
		all = longer;
	}
	return all;
}

char *
conf_hint(const struct conf_section *section, const char *name)
{
	const char *guess =
	    section == &conf_global_section && distance(name, "pool") < 3 ? "pool" : NULL;
	size_t best = 3;
	char *others, *hint;

	if (section != &conf_global_section && conf_option_index(&conf_global_section, name) >= 0)
		return util_strdup("; it belongs outside of all sections");
	if (section != &conf_pool_section && conf_option_index(&conf_pool_section, name) >= 0)
		return util_strdup("; it belongs directly inside pool \"...\" { }");
	others = sections_with(name);
	if (others) {
		hint = util_format("; it belongs inside %s", others);
		free(others);
		return hint;
	}
	for (size_t i = 0; i < section->n; i++) {
		size_t d = distance(name, section->options[i].name);

		if (d < best) {
			best = d;
			guess = section->options[i].name;
		}
	}
	return guess ? util_format(": did you mean %s", guess) : util_strdup("");
}
