#include "address.h"

#include "layout.h"
#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define FORMS "write \"8080\", \"127.0.0.1:8080\", \"[::1]:8080\", \"/a/path\" or \"@name\""

static int
parse_port(const char *text, in_port_t *port)
{
	unsigned long n = 0;

	if (*text == '\0' || strlen(text) > 5 || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (unsigned long)(*text - '0');
	}
	if (n > 65535)
		return -1;
	*port = htons((in_port_t)n);
	return 0;
}

static int
parse_unix(const char *text, struct address *out, char **err)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&out->sa;
	size_t len = strlen(text);

	if (text[0] == '@' && len == 1)
		return util_fail(err, "\"@\" has no name: " FORMS);
	if (len >= sizeof(sun->sun_path))
		return util_fail(err, "\"%s\" is too long for a Unix socket: at most %zu bytes",
				 text, sizeof(sun->sun_path) - 1);
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, text, len);
	out->path = text[0] == '/';
	if (out->path) {
		out->len = sizeof(*sun);
	} else {
		sun->sun_path[0] = '\0';
		out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	return 0;
}

static void
any_port(struct address *out, in_port_t port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&out->sa;

	sin6->sin6_family = AF_INET6;
	sin6->sin6_addr = in6addr_any;
	sin6->sin6_port = port;
	out->len = sizeof(*sin6);
	out->any = true;
}

/* host is "127.0.0.1" or "[::1]" without its port. */
static int
parse_host(char *host, in_port_t port, struct address *out)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&out->sa;
	struct sockaddr_in *sin = (struct sockaddr_in *)&out->sa;
	size_t len = strlen(host);

	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = port;
		out->len = sizeof(*sin6);
		return inet_pton(AF_INET6, host + 1, &sin6->sin6_addr) == 1 ? 0 : -1;
	}
	sin->sin_family = AF_INET;
	sin->sin_port = port;
	out->len = sizeof(*sin);
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1 ? 0 : -1;
}

int
address_parse(const char *text, struct address *out, char **err)
{
	const char *colon = strrchr(text, ':');
	in_port_t port;
	char *host;
	int result;

	memset(out, 0, sizeof(*out));
	if (text[0] == '/' || text[0] == '@')
		return parse_unix(text, out, err);
	if (!colon && parse_port(text, &port) == 0) {
		any_port(out, port);
		return 0;
	}
	if (!colon || colon == text)
		return util_fail(err, "\"%s\" is not a listen address: " FORMS, text);
	if (parse_port(colon + 1, &port) < 0)
		return util_fail(err, "\"%s\" has no port from 0 to 65535 at its end: " FORMS,
				 text);
	host = util_strdup(text);
	host[colon - text] = '\0';
	result = parse_host(host, port, out);
	free(host);
	if (result < 0)
		return util_fail(err, "\"%s\" has no numeric address before the port: " FORMS,
				 text);
	return 0;
}

static in_port_t
port_of(const struct address *a)
{
	if (a->sa.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->sa)->sin_port;
	if (a->sa.ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)&a->sa)->sin6_port;
	return 0;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	bool same_kind = a->sa.ss_family == b->sa.ss_family && a->any == b->any;

	/* Port 0 is a new port each time; with a name of the kernel's nothing is equal. */
	if (a->sa.ss_family != AF_UNIX && port_of(a) == 0)
		return false;
	return same_kind && a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

bool
address_is_one_of(const struct address *wanted, const struct address *bound)
{
	struct address copy = *bound;

	if (wanted->sa.ss_family == AF_UNIX || port_of(wanted) != 0 ||
	    wanted->sa.ss_family != bound->sa.ss_family)
		return false;
	if (copy.sa.ss_family == AF_INET)
		((struct sockaddr_in *)&copy.sa)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&copy.sa)->sin6_port = 0;
	return wanted->len == copy.len && memcmp(&wanted->sa, &copy.sa, copy.len) == 0;
}

bool
address_same_port(const struct address *a, const struct address *b)
{
	return port_of(a) != 0 && port_of(a) == port_of(b);
}

static bool
is_any(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr ==
		       INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

bool
address_is_wildcard(const struct address *a)
{
	return a->sa.ss_family != AF_UNIX && is_any((const struct sockaddr *)&a->sa);
}

static const struct in_addr *
mapped_ipv4(const struct sockaddr_in6 *sin6)
{
	if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return NULL;
	return (const struct in_addr *)(const void *)&sin6->sin6_addr.s6_addr[12];
}

/* As inet_ntop(3) and printf(3) do it, which cost more than all else that a connection needs. */
static void
write_ipv4(const struct in_addr *address, char *out)
{
	char digits[UTIL_DIGITS], *end = digits + sizeof(digits);
	const uint8_t *bytes = (const uint8_t *)address;

	for (int i = 0; i < 4; i++) {
		char *at = util_digits(end, bytes[i]);

		memcpy(out, at, (size_t)(end - at));
		out += end - at;
		*out++ = i < 3 ? '.' : '\0';
	}
}

static void
write_port(in_port_t port, char *out)
{
	char digits[UTIL_DIGITS], *end = digits + sizeof(digits);
	char *at = util_digits(end, ntohs(port));

	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
}

HOT bool
address_split(const struct sockaddr *sa, char host[ADDRESS_TEXT_BYTES], char port[8])
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)sa;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)sa;
	const struct in_addr *v4 = NULL;
	in_port_t number;

	if (sa->sa_family == AF_INET) {
		v4 = &sin->sin_addr;
		number = sin->sin_port;
	} else if (sa->sa_family == AF_INET6) {
		v4 = mapped_ipv4(sin6);
		number = sin6->sin6_port;
	} else {
		return false;
	}
	if (v4)
		write_ipv4(v4, host);
	else
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, ADDRESS_TEXT_BYTES);
	write_port(number, port);
	return true;
}

char *
address_format(const struct sockaddr *sa, socklen_t len, char buf[ADDRESS_TEXT_BYTES])
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)sa;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	char host[ADDRESS_TEXT_BYTES], port[8];

	if (len >= sizeof(sa_family_t) && address_split(sa, host, port)) {
		if (is_any(sa))
			snprintf(buf, ADDRESS_TEXT_BYTES, "*:%s", port);
		else
			snprintf(buf, ADDRESS_TEXT_BYTES,
				 strchr(host, ':') ? "[%.60s]:%s" : "%.60s:%s", host, port);
	} else if (len > head && sun->sun_path[0] == '\0') {
		snprintf(buf, ADDRESS_TEXT_BYTES, "@%.*s", (int)(len - head - 1),
			 sun->sun_path + 1);
	} else if (len > head) {
		snprintf(buf, ADDRESS_TEXT_BYTES, "%.*s", (int)(len - head), sun->sun_path);
	} else {
		snprintf(buf, ADDRESS_TEXT_BYTES, "unix");
	}
	return buf;
}
