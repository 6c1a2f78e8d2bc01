/*
 * The name of an address.  Whoever is asked for it (files, DNS, LDAP, a module of NSS that
 * nobody knows) may take any time, and neither getnameinfo(3) nor RES_OPTIONS can limit that.
 * So a process of its own asks, and is killed when the time is over; what it has loaded,
 * leaked or started goes with it.
 */
#ifndef PREFORKD_SERVICES_HOSTNAME_H
#define PREFORKD_SERVICES_HOSTNAME_H

#include <stdbool.h>
#include <stdint.h>

#define HOSTNAME_BYTES 254 /* RFC 1035, 2.3.4, with the end */

/*
 * The name of a numeric IPv4 or IPv6 address; "" if there is none, or none that is a
 * hostname.  twice: and it has that address, too.  -1 with errno: ETIME after timeout_ms, or
 * because there cannot be a process.
 *
 * For a process whose handler of SIGCHLD waits for children.
 */
int hostname_find(const char *address, bool twice, int64_t timeout_ms, char name[HOSTNAME_BYTES]);

/*
 * Letters, digits, '-', '_' and dots, no label empty or with a '-' before it, and nothing
 * that could be taken for an address: it goes to programs, as an argument too.  Pure.
 */
bool hostname_is_harmless(const char *name);

#endif
