/*
 * The values that a master finds in PREFORKD_HANDOVER and PREFORKD_FIGURES: refused
 * without a change, or read as something that can be written and is read as the same.
 */
#include "handover.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of just its size, so that a read behind its end is seen. */
static char *
text_of(const uint8_t *data, size_t size)
{
	char *text = util_calloc(1, size + 1);

	memcpy(text, data, size);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size), *again;
	char *kinds = util_calloc(1, HANDOVER_SOCKETS_MAX + 1);
	char *kinds_again = util_calloc(1, HANDOVER_SOCKETS_MAX + 1);
	int fd = -2, fd_again;

	if (handover_parse(text, &fd, kinds) < 0) {
		if (fd != -2 || kinds[0] != '\0')
			abort();
	} else {
		if (fd <= 2 || kinds[strspn(kinds, "oic")] != '\0')
			abort();
		again = util_format("%d:%d:%s", HANDOVER_FORMAT, fd, kinds);
		if (handover_parse(again, &fd_again, kinds_again) < 0 || fd_again != fd ||
		    strcmp(kinds, kinds_again) != 0)
			abort();
		free(again);
	}
	fd = handover_parse_file(text, HANDOVER_FORMAT);
	if (fd != -1 && fd <= 2)
		abort();
	free(text);
	free(kinds);
	free(kinds_again);
	return 0;
}
