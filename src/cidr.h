/*
 * Lists of address prefixes: who may, who may not.  IPv4 and IPv6; an IPv4 address in
 * IPv6 clothes is its IPv4 self.  Pure.
 */
#ifndef PREFORKD_CIDR_H
#define PREFORKD_CIDR_H

#include "util.h"

#include <stdbool.h>
#include <sys/socket.h>

struct cidr {
	unsigned char bytes[16];
	int family; /* AF_INET or AF_INET6 */
	int bits;
	bool deny;
};

struct cidr_list {
	struct cidr *at;
	size_t n;
	bool has_allow;
};

/* "192.0.2.0/24", "2001:db8::/32", "::1", "all".  0, or -1 with *err. */
int cidr_add(struct cidr_list *list, const char *text, bool deny, char **err);
void cidr_free(struct cidr_list *list);

/*
 * The longest prefix that fits decides, and of two of one length the one that denies.  Who
 * fits none may if nothing is allowed by name.  A Unix socket's client fits "all" only.
 */
bool cidr_allows(const struct cidr_list *list, const struct sockaddr *peer);

#endif
