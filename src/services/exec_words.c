#include "exec_words.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

#define NAMES "pool, worker, remote_ip, remote_port, remote_host, local_ip, local_port"

static const char *const names[EXEC_WORDS] = {
	[EXEC_WORD_POOL] = "pool",
	[EXEC_WORD_WORKER] = "worker",
	[EXEC_WORD_REMOTE_IP] = "remote_ip",
	[EXEC_WORD_REMOTE_PORT] = "remote_port",
	[EXEC_WORD_REMOTE_HOST] = "remote_host",
	[EXEC_WORD_LOCAL_IP] = "local_ip",
	[EXEC_WORD_LOCAL_PORT] = "local_port",
};

enum kind { LITERAL, WORD };

/* What a text is made of. */
struct part {
	enum kind kind;
	const char *at; /* a literal, or the name of a word */
	size_t len;
};

static bool
begins_word(const char *text)
{
	return text[0] == '%' && text[1] == '{';
}

/* Returns what is behind it; NULL: a word that does not end. */
static const char *
take(const char *text, struct part *part)
{
	if (begins_word(text)) {
		part->kind = WORD;
		part->at = text + 2;
		part->len = strcspn(part->at, "}");
		return part->at[part->len] ? part->at + part->len + 1 : NULL;
	}
	part->kind = LITERAL;
	part->at = text;
	part->len = 1 + strcspn(text + 1, "%");
	if (text[0] == '%' && text[1] == '%') {
		part->len = 1;
		return text + 2;
	}
	return text + part->len;
}

static int
find(const struct part *part)
{
	for (int i = 0; i < EXEC_WORDS; i++)
		if (strlen(names[i]) == part->len && memcmp(names[i], part->at, part->len) == 0)
			return i;
	return -1;
}

bool
exec_words_in(const char *text)
{
	return strstr(text, "%%") || strstr(text, "%{");
}

int
exec_words_check(const char *text, bool used[EXEC_WORDS], char **err)
{
	const char *next;
	struct part part;

	for (; *text; text = next) {
		int word;

		next = take(text, &part);
		if (!next)
			return util_fail(
			    err, "\"%s\": the } is missing; for a plain %%{ write %%%%{", text);
		if (part.kind == LITERAL)
			continue;
		word = find(&part);
		if (word < 0)
			return util_fail(err,
					 "there is no word %%{%.*s}: there are " NAMES
					 "; for a plain %%{ write %%%%{",
					 (int)part.len, part.at);
		used[word] = true;
	}
	return 0;
}

static size_t
expand(const char *text, const char *const values[EXEC_WORDS], char *to)
{
	const char *next;
	struct part part;
	size_t len = 0;

	for (; *text && (next = take(text, &part)); text = next) {
		if (part.kind == WORD) {
			int word = find(&part);

			part.at = word < 0 || !values[word] ? "" : values[word];
			part.len = strlen(part.at);
		}
		if (to)
			memcpy(to + len, part.at, part.len);
		len += part.len;
	}
	return len;
}

char *
exec_words_expand(const char *text, const char *const values[EXEC_WORDS])
{
	char *expanded = util_calloc(expand(text, values, NULL) + 1, 1);

	expand(text, values, expanded);
	return expanded;
}
