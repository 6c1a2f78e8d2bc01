/*
 * What the access log is to say of the requests of one connection after the other; nothing,
 * where there is no log.
 */
#ifndef PREFORKD_SERVICES_HTTP_RECORD_H
#define PREFORKD_SERVICES_HTTP_RECORD_H

#include "address.h"
#include "http_prepare.h"
#include "http_request.h"

struct http_record {
	const struct http_prepared *prepared;
	pid_t pid;
	char client[ADDRESS_TEXT_BYTES], local[ADDRESS_TEXT_BYTES]; /* of the connection */
	unsigned port;
	int64_t began_us; /* the request, CLOCK_REALTIME */
	uint64_t in, out; /* bytes of the connection before it */
};

/* Once in a process. */
void http_record_start(struct http_record *record, const struct http_prepared *prepared,
		       struct scoreboard *sb);

void http_record_connection(struct http_record *record, const struct conn *from);

/* Before anything of a request is read. */
void http_record_begin(struct http_record *record, const struct http_conn *conn);

/* One line, of the request with this head; nth counts from 1 on each connection. */
void http_record_write(const struct http_record *record, const struct http_request *r,
		       const struct http_head *head, int64_t nth);

#endif
