/*
 * The header that a proxy puts in front of a connection to say whose it is: the PROXY
 * protocol, versions 1 and 2 (proxy-protocol.txt of HAProxy; numbers below are its
 * sections).  Pure.
 */
#ifndef PREFORKD_PROXY_PROTO_H
#define PREFORKD_PROXY_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PROXY_HEADER_BYTES 4096 /* a longer one is bad; senders keep below 536 (2.) */

enum proxy_parse {
	PROXY_NONE,  /* it begins with something else */
	PROXY_MAYBE, /* too short to tell: what there is could begin one */
	PROXY_MORE,  /* the beginning of one */
	PROXY_DONE,
	PROXY_BAD, /* one that nobody may send, or too long */
};

/*
 * What it says.  The family of both addresses is AF_UNSPEC when the connection is the
 * proxy's own (LOCAL), or its client's address is unknown or not of TCP: then those of the
 * connection itself are the right ones (2.1, 2.2).
 *
 * Texts are "" when they are not given, do not fit, or have control bytes in them.
 */
struct proxy_header {
	struct sockaddr_storage source, destination;
	bool tls;             /* the client speaks TLS with the proxy */
	bool verified;        /* with a certificate that the proxy has verified */
	char authority[256];  /* the host that the client named (SNI) */
	char tls_version[32]; /* "TLSv1.3" */
	char tls_cipher[64];
	char common_name[256]; /* of its certificate, and only if that is verified */
};

/*
 * DONE: the header is the first *used bytes.  BAD: *why says what is wrong, a static text.
 * Whatever the result, nothing behind len bytes is read.
 */
enum proxy_parse proxy_proto_parse(const unsigned char *data, size_t len, struct proxy_header *out,
				   size_t *used, const char **why);

/* The size of the address that proxy_header has, for what wants a socklen_t. */
socklen_t proxy_proto_address_len(const struct sockaddr_storage *address);

#endif
