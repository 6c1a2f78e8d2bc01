/* Parts of a file: 206 with one, or with several as multipart/byteranges; 416. */
#include "http_request.h"

#include "http_range.h"
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RANGES_MAX    32
#define BOUNDARY      "preforkd-byteranges-7b1f0a6e"
#define BOUNDARY_TYPE "multipart/byteranges; boundary=" BOUNDARY
#define PART_BYTES    256

static const char last_boundary[] = "\r\n--" BOUNDARY "--\r\n";

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
part_head(char *text, const struct http_range *range, const char *type, int64_t size)
{
	return snprintf(text, PART_BYTES,
			"\r\n--" BOUNDARY "\r\nContent-Type: %.100s\r\n"
			"Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n\r\n",
			type, range->first, range->last, size);
}

static void
send_several(struct http_request *r, struct http_reply *reply, int fd,
	     const struct http_range *ranges, size_t n, int64_t size)
{
	const char *type = reply->type;
	char text[PART_BYTES];

	reply->status = 206;
	reply->type = BOUNDARY_TYPE;
	reply->length = (int64_t)sizeof(last_boundary) - 1;
	for (size_t i = 0; i < n; i++)
		reply->length +=
		    part_head(text, &ranges[i], type, size) + ranges[i].last - ranges[i].first + 1;
	http_answer_head(r, reply, true);
	for (size_t i = 0; i < n && !r->broken; i++) {
		send_text(r, text, (size_t)part_head(text, &ranges[i], type, size), true);
		if (!r->broken)
			http_answer_file(r, fd, ranges[i].first,
					 ranges[i].last - ranges[i].first + 1);
	}
	if (!r->broken)
		send_text(r, last_boundary, sizeof(last_boundary) - 1, false);
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
