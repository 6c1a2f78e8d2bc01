/*
 * http: files for HTTP/1.1 and 1.0.  Here is the course of a connection: read a head,
 * answer, log, wait for the next one.
 */
#include "address.h"
#include "http_prepare.h"
#include "http_record.h"
#include "http_refusal.h"
#include "http_request.h"
#include "http_scratch.h"
#include "layout.h"
#include "program.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define FIELD_BYTES_MAX 262144 /* of all fields together, whatever the limits are */
#define ENDS_BYTES      6      /* CRLF before the request line, behind it, and at the end */
#define BODY_BYTES      16384  /* room behind the largest head */
#define REFUSAL_LOG_MS  1000

#define TOO_LONG "the head is too long"

/*
 * How long a client may take to close after us: when something of it was not read; when
 * its next request may be on its way, looked at in steps; and when there was none, but may
 * be this very moment.  Who says that it closes sends nothing more, and a plain close does.
 */
#define LINGER_MS         2000
#define LINGER_CROWDED_MS 100 /* the same, while others wait for this worker */
#define LINGER_IDLE_MS    500
#define LINGER_STEP_MS    20
#define LINGER_LAST_MS    5

/* So long a new connection may be silent before it is idle: its request may be on its way. */
#define FIRST_MS 1000

static struct {
	const struct service_setup *setup;
	struct http_prepared *prepared;
	const struct conf_http *conf;
	struct http_limits limits;
	struct http_field *fields;
	struct http_conn conn;
	struct http_head head;
	struct http_body body;
	struct http_record record;
	bool begun;                  /* a byte of the request has come */
	struct http_request request; /* last, for its size */
} self __attribute__((aligned(4096)));

static int
http_start(const struct service_setup *setup, char **err)
{
	const struct conf_http *conf;
	int64_t fields;
	size_t table;

	self.setup = setup;
	self.prepared = setup->prepared;
	self.conf = conf = self.prepared->conf;
	http_record_start(&self.record, self.prepared, setup->scoreboard);
	self.limits = (struct http_limits){
		.request_line = (size_t)conf->limit_request_line,
		.field_size = (size_t)conf->limit_request_field_size,
		.fields = (size_t)conf->limit_request_fields,
	};
	table = self.limits.fields * sizeof(*self.fields);
	fields =
	    util_max(conf->limit_request_field_size + 2,
		     util_min(conf->limit_request_fields * (conf->limit_request_field_size + 2),
			      FIELD_BYTES_MAX));
	self.conn.size = self.limits.request_line + (size_t)fields + ENDS_BYTES + BODY_BYTES;
	/* Not of the heap: pages that are never touched cost nothing. */
	self.fields = mmap(NULL, table + self.conn.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (self.fields == MAP_FAILED)
		return util_fail(err, "mmap: %s", strerror(errno));
	self.conn.buf = (char *)self.fields + table;
	if (self.prepared->sites.has_cgi && program_prepare(setup, err) < 0)
		return -1;
	return http_sites_open(&self.prepared->sites, err);
}

/* May the connection go on, as far as can be known before the answer? */
static bool
may_keep(int64_t requests)
{
	/* What follows a CONNECT that was refused need not be HTTP. */
	return self.head.keep_alive && self.head.method != HTTP_CONNECT &&
	       requests < self.conf->keepalive_requests && self.conf->keepalive_timeout > 0 &&
	       !*self.setup->leaving;
}

/* To a connection that waits for this worker. */
static bool
gives_way(void)
{
	if (!scoreboard_is_crowded(self.setup->scoreboard))
		return false;
	figures_count(self.conn.figures, FIGURE_GIVEN_WAY, 1);
	return true;
}

/* Its first byte is there. */
static void
begin_request(void)
{
	if (!self.begun)
		self.setup->next_request();
	self.begun = true;
}

static void
end_request(void)
{
	if (self.begun)
		self.setup->request_done();
	self.begun = false;
}

/* Until the next request begins; false: it does not. */
static bool
wait_for_request(int64_t timeout_ms)
{
	scoreboard_keep(self.setup->slot);
	if (http_conn_wait(&self.conn, timeout_ms) == HTTP_WAIT_REQUEST)
		return true;
	scoreboard_set(self.setup->slot, ACTIVITY_CLOSING);
	http_conn_linger(&self.conn, LINGER_LAST_MS);
	return false;
}

/*
 * The first bytes of a new connection, as http_conn_fill().  Who sends none, such as a browser
 * that connects in advance, is as idle as who sends no next request, and gives way; but a
 * worker that leaves serves whom it has accepted.
 */
static int
fill_first(int64_t deadline)
{
	int64_t idle_at = util_now_ms() + FIRST_MS;
	int n = http_conn_fill(&self.conn, util_min(idle_at, deadline));

	if (n >= 0 || errno != ETIMEDOUT)
		return n;
	scoreboard_keep(self.setup->slot);
	n = http_conn_fill_idle(&self.conn, idle_at, deadline);
	return n == 0 && *self.setup->leaving ? http_conn_fill(&self.conn, deadline) : n;
}

/*
 * The head of the next request.  0: it is there; 1: there is none, and nothing to answer;
 * else the status of the refusal.
 */
static int
read_head(const char **why)
{
	struct http_conn *c = &self.conn;
	int64_t deadline = 0;
	size_t scanned = 0, used;
	int status = 0;

	/* The parser's slices must stay where they are. */
	memmove(c->buf, c->buf + c->at, c->len - c->at);
	c->len -= c->at;
	c->at = c->kept = 0;
	self.begun = false;
	if (http_conn_has_request(c))
		begin_request();
	self.head = (struct http_head){ .fields = self.fields, .method = HTTP_UNKNOWN };
	for (;;) {
		enum http_parse result = HTTP_MORE;
		int n;

		if (c->len > 0)
			result = http_head_parse(&self.head, c->buf, c->len, &self.limits, &scanned,
						 &used, &status, why);
		if (result == HTTP_DONE && used > c->size - BODY_BYTES) {
			*why = TOO_LONG;
			return 431;
		}
		if (result == HTTP_DONE)
			c->at = c->kept = used;
		if (result != HTTP_MORE)
			return status;
		if (deadline == 0)
			deadline = util_now_ms() + self.conf->header_timeout;
		n = self.begun ? http_conn_fill(c, deadline) : fill_first(deadline);
		if (n == 1 && http_conn_has_request(c))
			begin_request();
		if (n == 1)
			continue;
		if (n == 0 || c->len == 0)
			return 1;
		*why = "the head has not ended in time";
		if (errno == ETIMEDOUT)
			return 408;
		*why = TOO_LONG;
		return errno == ENOBUFS ? (self.head.request_line.at ? 431 : 414) : 1;
	}
}

static void
say_request(void)
{
	if (self.head.request_line.at)
		scoreboard_say(self.setup->slot, self.head.request_line.at,
			       self.head.request_line.len);
	scoreboard_set(self.setup->slot, ACTIVITY_WRITING);
}

static void
refuse(int status, const char *why)
{
	static struct log_limit limit;
	struct http_request *r = &self.request;
	char client[ADDRESS_TEXT_BYTES];
	unsigned held_back;

	r->keep_alive = false;
	if (log_limit_pass(&limit, REFUSAL_LOG_MS, &held_back))
		log_info("pool %s: %s: %d: %s", r->pool,
			 address_format(r->peer, r->from->peer_len, client), status,
			 why ? why : "");
	http_answer_status(r, status, NULL);
}

/* Who waits for this worker has a right to it, but not before crowded_ms. */
static void
linger(int64_t limit_ms, int64_t crowded_ms)
{
	for (int64_t ms = 0; ms < limit_ms; ms += LINGER_STEP_MS)
		if (http_conn_linger(&self.conn, LINGER_STEP_MS) ||
		    (ms >= crowded_ms && scoreboard_is_crowded(self.setup->scoreboard)))
			return;
}

/* All but the path of its target, which is 8 KiB and is written before it is read. */
static void
init_request(struct http_request *r, const struct conn *conn)
{
	memset(r, 0, offsetof(struct http_request, target.path));
	r->conn = &self.conn;
	r->head = &self.head;
	r->input = &self.body;
	r->mime = self.prepared->mime;
	r->scoreboard = self.setup->scoreboard;
	r->id = self.setup->id;
	r->peer = conn->peer;
	r->from = conn;
	r->pool = self.setup->pool;
	r->conf = self.conf;
	r->status_socket = self.setup->status_socket;
	r->places_fd = self.setup->places_fd;
	r->site = http_sites_find(&self.prepared->sites, self.head.authority);
	r->now = time(NULL);
	http_scratch_clear();
}

/* What nobody wants of it; true: the connection goes on. */
HOT static bool
drop_body(void)
{
	if (!self.body.ended)
		scoreboard_keep(self.setup->slot);
	return http_body_drop(&self.body);
}

/* One request; true: the connection goes on. */
static bool
serve_request(const struct conn *conn, int64_t requests)
{
	struct http_request *r = &self.request;
	const char *why = NULL;
	int status;

	http_record_begin(&self.record, &self.conn);
	status = read_head(&why);
	if (status == 1) {
		end_request();
		return false;
	}
	say_request();
	init_request(r, conn);
	http_body_init(&self.body, &self.conn, status == 0 ? &self.head : NULL,
		       self.conf->body_timeout, self.conf->body_min_rate);
	if (status != 0) {
		refuse(status, why);
	} else if (self.head.content_length > self.conf->limit_request_body) {
		refuse(413, "the body is too long");
	} else {
		/* None of several answers waits for the one before (RFC 1122 4.2.3.4). */
		if (http_conn_has_request(&self.conn))
			http_conn_stream(&self.conn);
		r->keep_alive = may_keep(requests) && !gives_way();
		http_request_serve(r);
	}
	http_record_write(&self.record, r, &self.head, requests);
	end_request();
	if (r->broken)
		return false;
	if (r->keep_alive && drop_body())
		return true;
	scoreboard_set(self.setup->slot, ACTIVITY_CLOSING);
	if (status != 0 || !self.body.ended || self.conn.at < self.conn.len)
		linger(LINGER_MS, LINGER_CROWDED_MS);
	else if (self.head.keep_alive)
		linger(LINGER_IDLE_MS, 0);
	return false;
}

HOT static void
begin_connection(const struct conn *conn)
{
	self.conn.fd = conn->fd;
	self.conn.give_fd = self.setup->give_fd;
	self.conn.leaving = self.setup->leaving;
	self.conn.send_timeout = self.conf->send_timeout;
	self.conn.recv_limited = self.conn.send_limited = self.conn.nodelay = false;
	self.conn.at = self.conn.len = self.conn.kept = 0;
	self.conn.in = self.conn.out = 0;
	self.conn.figures = conn->figures;
	http_record_connection(&self.record, conn);
	scoreboard_set(self.setup->slot, ACTIVITY_READING);
}

HOT static void
http_serve(struct conn *conn)
{
	begin_connection(conn);
	for (int64_t requests = 1; serve_request(conn, requests); requests++)
		if (!http_conn_has_request(&self.conn) &&
		    !wait_for_request(self.conf->keepalive_timeout))
			return;
}

const struct service service_http = {
	.refusal = http_refusal,
	.keeps_connections = true,
	.half_is_gone = true,
	.counts = true,
	.prepare = http_prepare_new,
	.release = http_prepare_free,
	.open = http_prepare_open,
	.reopen = http_prepare_reopen,
	.descriptors = http_prepare_descriptors,
	.start = http_start,
	.serve = http_serve,
	.terminate = program_terminate,
	.asks_status = http_prepare_asks_status,
};

static void
status_serve(struct conn *conn)
{
	char line[128];
	size_t len;

	if (!self.setup->conf->status.agent) {
		http_serve(conn);
		return;
	}
	begin_connection(conn);
	self.setup->next_request();
	len = http_status_agent(self.setup->status_socket, self.setup->conf->status.pools, line,
				sizeof(line));
	if (cidr_allows(&self.prepared->sites.at[0].statuses[0].access, conn->peer) &&
	    http_conn_send(&self.conn, line, len, false))
		http_conn_linger(&self.conn, LINGER_MS);
	self.setup->request_done();
}

/* A site that has nothing but the status; or an answer to whoever connects. */
const struct service service_status = {
	.refusal = http_refusal,
	.keeps_connections = true,
	.half_is_gone = true,
	.prepare = http_prepare_status,
	.release = http_prepare_free,
	.start = http_start,
	.serve = status_serve,
	.asks_status = http_prepare_asks_status,
};
