/*
 * The bytes of one connection, as <preforkd/module.h> promises them to a module: what has
 * come and is not read yet, what was written and is not sent yet, and the limits in time.
 */
#ifndef PREFORKD_SERVICES_MODULE_IO_H
#define PREFORKD_SERVICES_MODULE_IO_H

#include "address.h"
#include "service.h"
#include "util.h"

#include <preforkd/module.h>

#define MODULE_BUFFER_BYTES 8192

/* In an order that lets a small service touch one page only. */
struct module_conn {
	struct preforkd_conn pub; /* the first member: this is what the module has */
	struct conn *conn;
	const struct service_setup *setup;
	int64_t idle_ms;               /* 0: none */
	int64_t deadline, deadline_ms; /* util_now_ms(), 0: none; how long that was */
	size_t at, len, out_len;       /* in[at] to in[len] is not read yet */
	bool asked;                    /* for its first request */
	uint64_t fills, last_fill; /* so often more was received; the last time for a spared one */
	bool spared;               /* it was to end, but a request had come */
	bool ended, broken;        /* no more comes; no more can be sent */
	bool named;                /* peer is set */
	char out[MODULE_BUFFER_BYTES], in[MODULE_BUFFER_BYTES];
	char peer[ADDRESS_TEXT_BYTES];
};

/* As the functions preforkd_*() of their names. */
void module_io_idle_timeout(struct preforkd_conn *conn, int64_t ms);
void module_io_deadline(struct preforkd_conn *conn, int64_t ms);
bool module_io_next_request(struct preforkd_conn *conn);
ssize_t module_io_read(struct preforkd_conn *conn, void *data, size_t size);
ssize_t module_io_read_line(struct preforkd_conn *conn, char *line, size_t size);
int module_io_write(struct preforkd_conn *conn, const void *data, size_t len);
int module_io_print(struct preforkd_conn *conn, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
int module_io_flush(struct preforkd_conn *conn);

#endif
