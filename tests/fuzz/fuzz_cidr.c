/*
 * Lists of prefixes: lines of "+prefix" and "-prefix", then one with a client's address.
 * What is accepted decides as a lookup does that compares strings of 0 and 1.
 */
#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 16, LINE = 80 };

struct entry {
	char bits[2 * 128 + 8]; /* the family in front, so that it is the longest first part */
	bool deny;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_bits(char *out, char family, const unsigned char *bytes, int n)
{
	*out++ = family;
	for (int i = 0; i < n; i++)
		*out++ = bytes[i / 8] & (0x80 >> i % 8) ? '1' : '0';
	*out = '\0';
}

/* "192.0.2.0/24" as "4" and 24 digits; false: no address. */
static bool
bits_of(const char *text, char *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char bytes[16];
	char host[LINE];
	const char *slash = strchr(text, '/');
	int length;

	if (strcmp(text, "all") == 0) {
		*out = '\0';
		return true;
	}
	if (strcmp(text, "unix") == 0) {
		strcpy(out, "u");
		return true;
	}
	snprintf(host, sizeof(host), "%s", text);
	host[strcspn(host, "/")] = '\0';
	length = slash ? atoi(slash + 1) : 128;
	if (inet_pton(AF_INET, host, bytes) == 1)
		write_bits(out, '4', bytes, slash ? length : 32);
	else if (inet_pton(AF_INET6, host, bytes) != 1)
		return false;
	else if (length >= 96 && memcmp(bytes, mapped, 12) == 0)
		write_bits(out, '4', bytes + 12, length - 96);
	else
		write_bits(out, '6', bytes, length);
	return true;
}

static bool
naive(const struct entry *entries, size_t n, const char *peer)
{
	size_t best = 0;
	bool hit = false, allowed = true;

	for (size_t i = 0; i < n; i++)
		allowed &= entries[i].deny;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(entries[i].bits);

		if (strncmp(entries[i].bits, peer, length) != 0 || (hit && length < best))
			continue;
		allowed = hit && length == best ? allowed && !entries[i].deny : !entries[i].deny;
		best = length;
		hit = true;
	}
	return allowed;
}

static const struct sockaddr *
peer_of(const char *text)
{
	static struct sockaddr_storage sa;

	memset(&sa, 0, sizeof(sa));
	sa.ss_family = AF_UNIX;
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&sa)->sin_addr) == 1)
		sa.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&sa)->sin6_addr) == 1)
		sa.ss_family = AF_INET6;
	return (struct sockaddr *)&sa;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cidr_list list = { NULL, 0, false };
	struct entry entries[ENTRIES];
	char line[LINE] = "", peer[2 * 128 + 8];
	size_t n = 0;

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		char *err = NULL;

		snprintf(line, sizeof(line), "%.*s", (int)len, (const char *)data);
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
		if (n == ENTRIES || (line[0] != '+' && line[0] != '-'))
			break;
		if (cidr_add(&list, line + 1, line[0] == '-', &err) == 0) {
			entries[n].deny = line[0] == '-';
			if (!bits_of(line + 1, entries[n++].bits))
				abort();
		} else if (!err) {
			abort();
		}
		free(err);
	}
	if (!strchr(line, '/') && strcmp(line, "all") != 0 && bits_of(line, peer) &&
	    cidr_allows(&list, peer_of(line)) != naive(entries, n, peer))
		abort();
	cidr_free(&list);
	return 0;
}
