/*
 * The two sides of a request's body: a client's socket, and the connection that it is
 * read from.
 */
#ifndef PREFORKD_TESTS_HTTP_UPLOAD_H
#define PREFORKD_TESTS_HTTP_UPLOAD_H

#include "unit.h"

#include "http_body.h"
#include "util.h"

#define HTTP_UPLOAD_BUFFER 4096 /* of the connection: less than most bodies */

struct http_upload {
	int client;
	struct http_conn conn;
	struct http_head head;
	struct http_body body;
	char buffer[HTTP_UPLOAD_BUFFER];
};

/* A body of that length, or in chunks; the client has 10 s and then 1,000 bytes a second. */
void http_upload_begin(struct http_upload *u, enum http_framing framing, int64_t length);
void http_upload_end(struct http_upload *u);

/* What the client sends; more than a socket's buffer has no room. */
void http_upload_send(struct http_upload *u, const char *data, size_t len);

/* The same in chunks of that size, and the last one. */
void http_upload_send_chunks(struct http_upload *u, const char *data, size_t len, size_t chunk);

/* The client is gone. */
void http_upload_close(struct http_upload *u);

#endif
