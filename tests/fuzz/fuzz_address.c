/*
 * Listen addresses: what is accepted is shown as something that is accepted as equal.
 */
#include "address.h"
#include "util.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256], shown[ADDRESS_TEXT_BYTES], *err = NULL;
	struct address a;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (address_parse(text, &a, &err) < 0) {
		if (!err)
			abort();
		free(err);
		return 0;
	}
	if (err || a.len > sizeof(a.sa))
		abort();
	address_format((struct sockaddr *)&a.sa, a.len, shown);
	if (a.sa.ss_family == AF_UNIX && strcmp(shown, text) != 0)
		abort();
	if (a.any && strchr(shown, ':') == NULL)
		abort();
	return 0;
}
