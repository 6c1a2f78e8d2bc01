#include "http_authority.h"

#include "layout.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The length of the IP literal that text begins with, brackets included; 0: it is none. */
static size_t
literal_length(struct http_text text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;
	const char *close = memchr(text.at, ']', text.len);
	size_t len;

	if (close == NULL)
		return 0;
	len = (size_t)(close - text.at) - 1;
	if (len >= sizeof(address))
		return 0;
	memcpy(address, text.at + 1, len);
	address[len] = '\0';
	return inet_pton(AF_INET6, address, &binary) == 1 ? len + 2 : 0;
}

/* The length of the reg-name (or IPv4 address, which has the same bytes) at its beginning. */
static size_t
name_length(struct http_text text)
{
	size_t i = 0;

	while (i < text.len) {
		if (http_is(text.at[i], HTTP_HOST))
			i++;
		else if (text.at[i] == '%' && text.len - i > 2 &&
			 http_is(text.at[i + 1], HTTP_HEX) && http_is(text.at[i + 2], HTTP_HEX))
			i += 3;
		else
			break;
	}
	return i;
}

static bool
is_port(struct http_text text)
{
	unsigned int port = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		port = port * 10 + (unsigned int)(text.at[i] - '0');
		if (port > 65535)
			return false;
	}
	return true;
}

HOT bool
http_authority_parse(struct http_text text, struct http_text *host, struct http_text *port)
{
	size_t len;

	*host = *port = (struct http_text){ NULL, 0 };
	if (text.len == 0)
		return false;
	len = text.at[0] == '[' ? literal_length(text) : name_length(text);
	if (len == 0)
		return false;
	if (len < text.len) {
		*port = (struct http_text){ text.at + len + 1, text.len - len - 1 };
		if (text.at[len] != ':' || !is_port(*port))
			return false;
	}
	*host = (struct http_text){ text.at, len };
	return true;
}
