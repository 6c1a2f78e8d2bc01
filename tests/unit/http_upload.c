#include "http_upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
http_upload_begin(struct http_upload *u, enum http_framing framing, int64_t length)
{
	static struct figures_slot figures;
	static volatile sig_atomic_t leaving;
	int fds[2];

	memset(u, 0, sizeof(*u));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	u->client = fds[0];
	u->conn = (struct http_conn){
		.fd = fds[1],
		.buf = u->buffer,
		.size = sizeof(u->buffer),
		.figures = &figures,
		.leaving = &leaving,
		.give_fd = -1,
	};
	u->head = (struct http_head){ .framing = framing, .content_length = length };
	http_body_init(&u->body, &u->conn, &u->head, 10000, 1000);
}

void
http_upload_end(struct http_upload *u)
{
	http_upload_close(u);
	close(u->conn.fd);
}

void
http_upload_send(struct http_upload *u, const char *data, size_t len)
{
	assert_int_equal(send(u->client, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), len);
}

/* In one go: each send(2) takes more of the socket's buffer than its bytes. */
void
http_upload_send_chunks(struct http_upload *u, const char *data, size_t len, size_t chunk)
{
	char *framed = util_calloc(1, len + (len / chunk + 2) * 24), *at = framed;

	while (len > 0) {
		size_t n = (size_t)util_min((int64_t)chunk, (int64_t)len);

		at += sprintf(at, "%zx\r\n", n);
		memcpy(at, data, n);
		memcpy(at + n, "\r\n", 2);
		at += n + 2;
		data += n;
		len -= n;
	}
	memcpy(at, "0\r\n\r\n", 5);
	http_upload_send(u, framed, (size_t)(at + 5 - framed));
	free(framed);
}

void
http_upload_close(struct http_upload *u)
{
	if (u->client >= 0)
		close(u->client);
	u->client = -1;
}
