#include "http_record.h"

#include "http_scratch.h"
#include "layout.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 32768

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
http_record_start(struct http_record *record, const struct http_prepared *prepared,
		  struct scoreboard *sb)
{
	record->prepared = prepared;
	record->pid = getpid();
	if (prepared->log)
		access_file_start(&sb->log_torn);
}

HOT void
http_record_connection(struct http_record *record, const struct conn *from)
{
	struct sockaddr_storage local;
	char port[8];

	record->client[0] = record->local[0] = '\0';
	record->port = 0;
	if (!record->prepared->log)
		return;
	address_split(from->peer, record->client, port);
	if (http_log_format_has_local(record->prepared->format) && conn_local(from, &local) > 0 &&
	    address_split((struct sockaddr *)&local, record->local, port))
		record->port = (unsigned)atoi(port);
}

HOT void
http_record_begin(struct http_record *record, const struct http_conn *conn)
{
	if (!record->prepared->log)
		return;
	record->began_us = now_us();
	record->in = conn->in - (conn->len - conn->at);
	record->out = conn->out;
}

HOT static void
write_line(const struct http_record *record, const struct http_request *r,
	   const struct http_head *head, int64_t nth)
{
	struct http_log_entry entry = {
		.head = head,
		.reply = r->sent,
		.client = http_text_of(record->client),
		.local = http_text_of(record->local),
		.server = http_text_of(r->site->conf->server_name),
		.user = r->user,
		.port = record->port,
		.pid = record->pid,
		.status = r->status,
		.began_us = record->began_us,
		.took_us = now_us() - record->began_us,
		.body = r->body,
		.received = (int64_t)(r->conn->in - record->in),
		.sent = (int64_t)(r->conn->out - record->out),
		.nth = (unsigned)nth - 1,
		.connection = r->broken       ? 'X'
			      : r->keep_alive ? '+'
					      : '-',
	};
	char *line = http_scratch_take(LINE_BYTES);
	size_t len;

	if (!line)
		return;
	len = http_log_format_line(record->prepared->format, &entry, line, LINE_BYTES);
	access_file_write(record->prepared->log, line, len);
}

void
http_record_write(const struct http_record *record, const struct http_request *r,
		  const struct http_head *head, int64_t nth)
{
	if (record->prepared->log)
		write_line(record, r, head, nth);
}
