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
	int family; /* AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC: all */
	int bits;
	bool deny;
};

struct cidr_list {
	struct cidr *at;
	size_t n;
	bool has_allow;
};

/*
 * "192.0.2.0/24", "2001:db8::/32", "::1"; "unix", who comes by a Unix socket; "all".  0, or
 * -1 with *err.
 */
int cidr_add(struct cidr_list *list, const char *text, bool deny, char **err);
void cidr_free(struct cidr_list *list);

/*
 * The longest prefix that fits decides, whatever the order, and of two of one length the one
 * that denies: no entry opens by accident what another one closes.  Who fits none may if
 * nothing is allowed by name.  "all" is shorter than any prefix, 0.0.0.0/0 and ::/0 too.
 */
bool cidr_allows(const struct cidr_list *list, const struct sockaddr *peer);

#endif
