/*
 * Addresses as the configuration writes them and as the log shows them.  Pure.
 */
#ifndef PREFORKD_ADDRESS_H
#define PREFORKD_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_BYTES 128

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
	bool any;  /* a bare port: [::] and IPv4 on one socket, IPv4 alone without IPv6 */
	bool path; /* a Unix socket with a file */
};

/*
 * "80", "127.0.0.1:80", "[::1]:80", "/path", "@abstract".  0, or -1 with *err saying
 * what would be right.  Names are not looked up: a listener must not wait for DNS.
 */
int address_parse(const char *text, struct address *out, char **err);

/* The same socket would be bound (or one of the two would be refused). */
bool address_equal(const struct address *a, const struct address *b);

/* wanted has port 0, and bound is what may come of it. */
bool address_is_one_of(const struct address *wanted, const struct address *bound);

/* The same TCP port, not 0, on whatever address; and: all addresses of its family. */
bool address_same_port(const struct address *a, const struct address *b);
bool address_is_wildcard(const struct address *a);

/*
 * "127.0.0.1:80", "[::1]:80", "*:80" (any address), "/path", "@name".  An IPv4 address
 * in IPv6 clothes is shown as IPv4.  Unnamed Unix sockets are "unix".  Returns buf.
 */
char *address_format(const struct sockaddr *sa, socklen_t len, char buf[ADDRESS_TEXT_BYTES]);

/* Host and port apart, for environments; false if it is not IPv4 or IPv6. */
bool address_split(const struct sockaddr *sa, char host[ADDRESS_TEXT_BYTES], char port[8]);

#endif
