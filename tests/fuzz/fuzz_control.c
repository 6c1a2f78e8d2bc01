/*
 * A request to the control socket: it is refused with a message, or its words are clean
 * and can be written as a line that is read as the same request.
 */
#include "control_proto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_word(const char *word)
{
	if (!*word)
		abort();
	for (; *word; word++)
		if ((unsigned char)*word < 0x20 || *word == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request first, second;
	char *err = NULL, *line;

	if (control_request_parse(&first, (const char *)data, size, &err) < 0) {
		if (!err)
			abort();
		free(err);
		return 0;
	}
	if (err || first.n == 0)
		abort();
	for (size_t i = 0; i < first.n; i++)
		check_word(first.words[i]);
	line = control_request_format(&first, &err);
	if (!line) { /* escapes may have made it too long */
		free(err);
		return 0;
	}
	if (control_request_parse(&second, line, strlen(line) - 1, &err) < 0)
		abort();
	if (second.n != first.n || second.now != first.now || second.no_wait != first.no_wait)
		abort();
	for (size_t i = 0; i < first.n; i++)
		if (strcmp(first.words[i], second.words[i]) != 0)
			abort();
	free(line);
	return 0;
}
