#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Bits behind the prefix must be 0: else something else was meant. */
static bool
is_prefix(const unsigned char *bytes, int size, int bits)
{
	for (int i = bits; i < size * 8; i++)
		if (bytes[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

/* The prefix of an IPv4 address in IPv6 clothes as its own: clients are seen so, too. */
static void
undress(struct cidr *c)
{
	static const unsigned char clothes[12] = { [10] = 0xff, [11] = 0xff };

	if (c->family != AF_INET6 || c->bits < 96 || memcmp(c->bytes, clothes, 12) != 0)
		return;
	memmove(c->bytes, c->bytes + 12, 4);
	memset(c->bytes + 4, 0, 12);
	c->family = AF_INET;
	c->bits -= 96;
}

static int
parse(const char *text, struct cidr *c, char **err)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	int size;

	if (strcmp(text, "all") == 0) {
		c->family = AF_UNSPEC;
		c->bits = -1; /* shorter than any other */
		return 0;
	}
	if (strcmp(text, "unix") == 0) {
		c->family = AF_UNIX;
		return 0;
	}
	if (len >= sizeof(host))
		return util_fail(err, "\"%s\" is no address", text);
	memcpy(host, text, len);
	host[len] = '\0';
	c->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	size = c->family == AF_INET ? 4 : 16;
	if (inet_pton(c->family, host, c->bytes) != 1)
		return util_fail(err,
				 "\"%s\" is no address: write \"192.0.2.0/24\", "
				 "\"2001:db8::/32\", \"unix\" or \"all\"",
				 text);
	c->bits = size * 8;
	if (slash) {
		char *end;
		long bits = strtol(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end || bits > c->bits)
			return util_fail(err, "\"%s\": the length of the prefix is 0 to %d", text,
					 c->bits);
		c->bits = (int)bits;
	}
	if (!is_prefix(c->bytes, size, c->bits))
		return util_fail(err, "\"%s\": there are bits behind the prefix of %d bits", text,
				 c->bits);
	undress(c);
	return 0;
}

int
cidr_add(struct cidr_list *list, const char *text, bool deny, char **err)
{
	struct cidr c = { .deny = deny };

	if (parse(text, &c, err) < 0)
		return -1;
	list->at = util_realloc(list->at, list->n + 1, sizeof(*list->at));
	list->at[list->n++] = c;
	list->has_allow |= !deny;
	return 0;
}

void
cidr_free(struct cidr_list *list)
{
	free(list->at);
	memset(list, 0, sizeof(*list));
}

/* The bytes of the address; of no interest if it has none. */
static const unsigned char *
bytes_of(const struct sockaddr *sa, int *family)
{
	const struct sockaddr_in6 *sin6 = (const void *)sa;

	*family = sa->sa_family;
	if (sa->sa_family == AF_INET)
		return (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	if (sa->sa_family != AF_INET6)
		return (const void *)sa;
	if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return sin6->sin6_addr.s6_addr;
	*family = AF_INET;
	return sin6->sin6_addr.s6_addr + 12;
}

static bool
fits(const struct cidr *c, const unsigned char *bytes, int family)
{
	int whole = c->bits / 8, rest = c->bits % 8;

	if (c->bits < 0)
		return true;
	if (c->family != family || memcmp(c->bytes, bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((c->bytes[whole] ^ bytes[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

bool
cidr_allows(const struct cidr_list *list, const struct sockaddr *peer)
{
	int family, best = -2;
	const unsigned char *bytes = bytes_of(peer, &family);
	bool allowed = !list->has_allow;

	for (size_t i = 0; i < list->n; i++) {
		const struct cidr *c = &list->at[i];

		if (c->bits < best || !fits(c, bytes, family))
			continue;
		allowed = c->bits == best ? allowed && !c->deny : !c->deny;
		best = c->bits;
	}
	return allowed;
}
