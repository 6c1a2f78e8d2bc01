/*
 * Both ways at the same time: the request's body to a script, and what the script writes to
 * the client.  Neither waits for the other, and each has its limits of time.
 */
#ifndef PREFORKD_SERVICES_HTTP_PUMP_H
#define PREFORKD_SERVICES_HTTP_PUMP_H

#include "http_cgi_answer.h"

struct http_pump {
	struct http_conn *conn;
	struct http_body *body; /* what it gives goes to in_fd; may have ended */
	struct http_text input; /* before that */
	int in_fd;              /* -1: the script does not read */
	int out_fd;
	struct http_cgi_answer *answer;
	int64_t timeout_ms; /* of the script, while it is what we wait for */
	int64_t end_at_ms;  /* util_now_ms(); INT64_MAX: no limit */
	bool keep_running;  /* when the client has gone */
};

/* A script whose answer is complete, or whose output is closed, has so long to end. */
#define HTTP_PUMP_GRACE_MS 1000

enum http_pump_end {
	HTTP_PUMP_OVER,       /* the answer has gone out, or is at fault */
	HTTP_PUMP_LINGERS,    /* the answer is complete, but the script has not ended since */
	HTTP_PUMP_GONE,       /* the client has */
	HTTP_PUMP_STUCK,      /* the client takes nothing */
	HTTP_PUMP_BODY_LATE,  /* the client does not send what it promised */
	HTTP_PUMP_SILENT,     /* the script does nothing */
	HTTP_PUMP_TOO_LONG,   /* end_at_ms */
	HTTP_PUMP_TERMINATED, /* the worker must end, or the request */
};

/* While a program runs that was started with the other ends.  Closes in_fd. */
enum http_pump_end http_pump_run(struct http_pump *pump);

#endif
