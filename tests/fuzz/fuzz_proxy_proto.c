/*
 * A PROXY header: it is the same one however much of what follows is there, none shorter
 * is one, and what it says is either an address of TCP or nothing, and clean texts.
 */
#include "proxy_proto.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its own, so that a byte too many is seen. */
static enum proxy_parse
parse(const uint8_t *data, size_t len, struct proxy_header *out, size_t *used)
{
	unsigned char *copy = util_calloc(1, len > 0 ? len : 1);
	const char *why;
	enum proxy_parse result;

	memcpy(copy, data, len);
	result = proxy_proto_parse(copy, len, out, used, &why);
	free(copy);
	MUST((result == PROXY_BAD) == (why != NULL));
	MUST(*used <= len && (*used > 0) == (result == PROXY_DONE));
	return result;
}

static void
check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	MUST(len < size);
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void
check_header(const struct proxy_header *h)
{
	MUST(h->source.ss_family == h->destination.ss_family);
	MUST(h->source.ss_family == AF_UNSPEC || proxy_proto_address_len(&h->source) > 0);
	check_text(h->authority, sizeof(h->authority));
	check_text(h->tls_version, sizeof(h->tls_version));
	check_text(h->tls_cipher, sizeof(h->tls_cipher));
	check_text(h->common_name, sizeof(h->common_name));
	MUST(h->verified || !h->common_name[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	size_t used, again, step = 1 + size / 64;
	enum proxy_parse result = parse(data, size, &whole, &used);

	check_header(&whole);
	for (size_t len = 0; len < size; len += step) {
		enum proxy_parse early = parse(data, len, &part, &again);

		if (result == PROXY_DONE && len >= used)
			MUST(early == PROXY_DONE && again == used &&
			     memcmp(&part, &whole, sizeof(part)) == 0);
		else if (result != PROXY_BAD)
			MUST(early == PROXY_MAYBE || early == PROXY_MORE || early == result);
		/* What was judged once stays so. */
		if (early == PROXY_BAD || early == PROXY_NONE)
			MUST(result == early);
	}
	return 0;
}
