#include "http_request.h"

#include "http_scratch.h"
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

HOT size_t
http_answer_make(struct http_request *r, struct http_reply *reply)
{
	char *text = http_scratch_take(HTTP_REPLY_HEAD_BYTES);
	size_t len = 0;

	r->keep_alive = r->keep_alive && http_body_is_droppable(r->input);
	reply->keep_alive = r->keep_alive;
	reply->minor = r->head->minor;
	reply->extra = r->site ? r->site->fields : NULL;
	if (text) {
		len = http_reply_head(reply, text, HTTP_REPLY_HEAD_BYTES);
		http_scratch_trim(text + len);
	}
	r->status = reply->status;
	r->sent = (struct http_text){ text, len };
	if (len == 0)
		r->broken = true;
	return len;
}

bool
http_answer_head(struct http_request *r, struct http_reply *reply, bool more)
{
	size_t len = http_answer_make(r, reply);

	if (len > 0 && !http_conn_send(r->conn, r->sent.at, len, more))
		r->broken = true;
	return !r->broken;
}

HOT void
http_answer_body(struct http_request *r, struct http_reply *reply, const char *body, size_t len)
{
	uint64_t before = r->conn->out;
	size_t head;

	reply->length = (int64_t)len;
	head = http_answer_make(r, reply);
	if (head == 0)
		return;
	if (r->head->method == HTTP_HEAD)
		len = 0;
	r->broken = !http_conn_send_pair(r->conn, r->sent.at, head, body, len, !r->keep_alive);
	r->body = util_max((int64_t)(r->conn->out - before) - (int64_t)head, 0);
}

HOT void
http_answer_behind(struct http_request *r, size_t len)
{
	uint64_t before = r->conn->out;
	size_t head = r->sent.len;

	/* A last answer and the end of the connection are one segment. */
	r->broken = !http_conn_send(r->conn, r->sent.at, head + len, !r->keep_alive);
	r->body = util_max((int64_t)(r->conn->out - before) - (int64_t)head, 0);
}

/* What sendfile(2) says of the file, and not of the socket. */
static bool
is_of_the_file(int error)
{
	return error == ENODATA || error == EIO || error == EINVAL || error == ESTALE ||
	       error == EBADMSG || error == EUCLEAN;
}

void
http_answer_file(struct http_request *r, int fd, int64_t from, int64_t len)
{
	uint64_t before = r->conn->out;

	r->broken = !http_conn_send_file(r->conn, fd, from, len);
	if (r->broken && is_of_the_file(errno))
		r->unread = errno;
	r->body += (int64_t)(r->conn->out - before);
}

/* The site's own page for a status; false: there is none, or it cannot be read. */
static bool
send_error_document(struct http_request *r, struct http_reply *reply)
{
	const char *path = r->site ? http_site_error_document(r->site, reply->status) : NULL;
	bool has_body;
	struct stat st;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	reply->type = http_mime_type(r->mime, path);
	reply->length = st.st_size;
	has_body = r->head->method != HTTP_HEAD && st.st_size > 0;
	if (http_answer_head(r, reply, has_body) && has_body)
		http_answer_file(r, fd, 0, st.st_size);
	close(fd);
	return true;
}

void
http_answer_status(struct http_request *r, int status, const char *fields)
{
	struct http_reply reply = { .status = status,
				    .fields = fields,
				    .type = "text/html; charset=utf-8" };
	char page[512];

	if (status < 400) {
		reply.type = NULL;
		http_answer_body(r, &reply, "", 0);
	} else if (!send_error_document(r, &reply)) {
		http_answer_body(r, &reply, page, http_reply_page(status, page, sizeof(page)));
	}
}

void
http_answer_redirect(struct http_request *r, int status, const char *location)
{
	struct http_reply reply = { .status = status,
				    .location = location,
				    .type = "text/html; charset=utf-8" };
	char page[512];

	http_answer_body(r, &reply, page, http_reply_page(status, page, sizeof(page)));
}

void
http_answer_redirect_query(struct http_request *r, int status, char *location, size_t size)
{
	struct http_text query = r->target.query;
	size_t len = strlen(location);

	if (r->target.has_query && query.len + 2 > size - len) {
		http_answer_status(r, 414, NULL);
		return;
	}
	if (r->target.has_query)
		snprintf(location + len, size - len, "?%.*s", (int)query.len, query.at);
	http_answer_redirect(r, status, location);
}

/* A relative reference: the client knows its scheme and host better than we do. */
void
http_answer_slash(struct http_request *r)
{
	static char location[3 * HTTP_PATH_BYTES + HTTP_REDIRECT_QUERY_BYTES];
	size_t len =
	    http_target_encode(location, 3 * HTTP_PATH_BYTES, r->target.path, r->target.len);

	memcpy(location + len, "/", 2);
	http_answer_redirect_query(r, 301, location, sizeof(location));
}
