/* Parts of a file: 206 with one, or with several as multipart/byteranges; 416. */
#include "http_request.h"

#include "http_range.h"
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RANGES_MAX     32
#define BOUNDARY_BYTES 17
#define TYPE           "multipart/byteranges; boundary="
#define PART_BYTES     256

/* Of each answer another one: a file could have one that is known (RFC 2046 5.1.1). */
static void
make_boundary(char boundary[BOUNDARY_BYTES])
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		abort();
	snprintf(boundary, BOUNDARY_BYTES, "%016" PRIx64, number);
}

static void
send_text(struct http_request *r, const char *text, size_t len, bool more)
{
	uint64_t before = r->conn->out;

	r->broken = !http_conn_send(r->conn, text, len, more);
	r->body += (int64_t)(r->conn->out - before);
}

static void
send_one(struct http_request *r, struct http_reply *reply, int fd, const struct http_range *range,
	 int64_t size)
{
	char fields[96];

	snprintf(fields, sizeof(fields),
		 "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", range->first,
		 range->last, size);
	reply->status = 206;
	reply->fields = fields;
	reply->length = range->last - range->first + 1;
	if (http_answer_head(r, reply, true))
		http_answer_file(r, fd, range->first, reply->length);
}

static int
part_head(char *text, const char *boundary, const struct http_range *range, const char *type,
	  int64_t size)
{
	return snprintf(text, PART_BYTES,
			"\r\n--%s\r\nContent-Type: %.100s\r\n"
			"Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n\r\n",
			boundary, type, range->first, range->last, size);
}

static void
send_several(struct http_request *r, struct http_reply *reply, int fd,
	     const struct http_range *ranges, size_t n, int64_t size)
{
	const char *type = reply->type;
	char text[PART_BYTES], boundary[BOUNDARY_BYTES], whole_type[sizeof(TYPE) + BOUNDARY_BYTES];
	char end[BOUNDARY_BYTES + 8];
	int end_len;

	make_boundary(boundary);
	snprintf(whole_type, sizeof(whole_type), TYPE "%s", boundary);
	end_len = snprintf(end, sizeof(end), "\r\n--%s--\r\n", boundary);
	reply->status = 206;
	reply->type = whole_type;
	reply->length = end_len;
	for (size_t i = 0; i < n; i++)
		reply->length += part_head(text, boundary, &ranges[i], type, size) +
				 ranges[i].last - ranges[i].first + 1;
	http_answer_head(r, reply, true);
	for (size_t i = 0; i < n && !r->broken; i++) {
		send_text(r, text, (size_t)part_head(text, boundary, &ranges[i], type, size), true);
		if (!r->broken)
			http_answer_file(r, fd, ranges[i].first,
					 ranges[i].last - ranges[i].first + 1);
	}
	if (!r->broken)
		send_text(r, end, (size_t)end_len, false);
}

HOT bool
http_ranges_serve(struct http_request *r, struct http_reply *reply, int fd, int64_t size)
{
	struct http_range ranges[RANGES_MAX];
	char fields[64];
	size_t n;

	if (r->head->method != HTTP_GET || http_head_count(r->head, "range") != 1 ||
	    !http_entity_if_range(reply->entity, r->head, r->now))
		return false;
	switch (http_range_parse(http_head_get(r->head, "range"), size, ranges, RANGES_MAX, &n)) {
	case HTTP_RANGE_NONE:
		return false;
	case HTTP_RANGE_SOME:
		/* Content-Encoding would be that of the parts together (RFC 9110 8.4). */
		if (n > 1 && reply->coding)
			return false;
		if (n == 1)
			send_one(r, reply, fd, &ranges[0], size);
		else
			send_several(r, reply, fd, ranges, n, size);
		return true;
	case HTTP_RANGE_UNSATISFIABLE:
		snprintf(fields, sizeof(fields), "Content-Range: bytes */%" PRId64 "\r\n", size);
		http_answer_status(r, 416, fields);
		return true;
	}
	return false;
}
