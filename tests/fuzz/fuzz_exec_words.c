/*
 * Words: the first line of the input is a text, the others are values.  The text is refused
 * with a message, or becomes one whose length is that of its parts; without words it stays as
 * it is, and what was escaped becomes itself again.
 */
#include "exec_words.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
escape(const char *text)
{
	char *escaped = util_calloc(2 * strlen(text) + 1, 1), *to = escaped;

	for (; *text; text++) {
		if (*text == '%')
			*to++ = '%';
		*to++ = *text;
	}
	return escaped;
}

static void
check_escaped(const char *text, const char *const values[EXEC_WORDS])
{
	char *escaped = escape(text), *back = exec_words_expand(escaped, values), *err = NULL;
	bool used[EXEC_WORDS] = { false };

	if (exec_words_check(escaped, used, &err) < 0 || strcmp(back, text) != 0)
		abort();
	free(escaped);
	free(back);
}

static void
check(const char *text, const char *const values[EXEC_WORDS])
{
	static const char *const nothing[EXEC_WORDS];
	bool used[EXEC_WORDS] = { false };
	char *err = NULL, *full, *bare;
	size_t longest = 0;

	if (exec_words_check(text, used, &err) < 0) {
		if (!err)
			abort();
		free(err);
		return;
	}
	full = exec_words_expand(text, values);
	bare = exec_words_expand(text, nothing);
	if (err || strlen(bare) > strlen(text) || strlen(full) < strlen(bare))
		abort();
	if (!exec_words_in(text) && strcmp(full, text) != 0)
		abort();
	for (size_t i = 0; i < EXEC_WORDS; i++)
		if (used[i] && values[i] && strlen(values[i]) > longest)
			longest = strlen(values[i]);
	if (longest == 0 ? strcmp(full, bare) != 0 : strlen(full) <= strlen(bare))
		abort();
	free(full);
	free(bare);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = util_calloc(size + 1, 1), *rest = text;
	const char *first, *values[EXEC_WORDS];

	if (size > 0)
		memcpy(text, data, size);
	first = strsep(&rest, "\n");
	for (size_t i = 0; i < EXEC_WORDS; i++)
		values[i] = rest ? strsep(&rest, "\n") : NULL;
	check(first, values);
	check_escaped(first, values);
	free(text);
	return 0;
}
