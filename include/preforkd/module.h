/* SPDX-License-Identifier: ISC */
/*
 * A service for preforkd(8) as a shared object: see preforkd-module(3).
 *
 * The object has one symbol for the daemon, a struct preforkd_module named
 * preforkd_module.  It needs none of the daemon's: all that it may call is behind the
 * pointer `api` of what it is given, and the functions preforkd_*() below call it there.
 *
 * Times are in milliseconds.  What a function is given belongs to the daemon and is valid
 * as said below; texts are copied.  Functions that return -1 set errno.
 */
#ifndef PREFORKD_MODULE_H
#define PREFORKD_MODULE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A module of another number is refused.  It changes when something here changes its
 * meaning; members may come to the end of a struct without, which `size` tells.
 */
#define PREFORKD_MODULE_API 1

#define PREFORKD_PRINTF(fmt, args) __attribute__((__format__(__printf__, fmt, args)))

struct preforkd_api;

/* The pool that is served; valid from prepare() to release(), and in a worker to its end. */
struct preforkd_pool {
	const struct preforkd_api *api;
	const char *name;
	const char *const *options; /* "NAME=VALUE" each, in the order of the file; NULL ends */
};

/* One connection; valid until serve() returns. */
struct preforkd_conn {
	const struct preforkd_api *api;
	const struct preforkd_pool *pool;
	void *state;                    /* what start() has set */
	int fd;                         /* a blocking stream socket; the daemon closes it */
	const struct sockaddr *address; /* of the client */
	socklen_t address_len;
};

/* What a person reads when prepare() or start() fails: one line, see preforkd_fail(). */
struct preforkd_error {
	char text[512];
};

/* What a module is.  Functions that it does not need are NULL; only serve() must be there. */
struct preforkd_module {
	uint32_t api;               /* PREFORKD_MODULE_API */
	uint32_t size;              /* sizeof(struct preforkd_module) */
	const char *description;    /* for the log */
	const char *const *options; /* names that it knows, NULL ends; others are refused */

	/*
	 * In the master, before its workers are forked: they share what it allocates.  Also
	 * when a file is only checked, and beside what is in use, so the result is *shared and
	 * no variable.  It must return soon, and change nothing outside of the process.
	 * 0, or -1 with *error; then release() is not called.
	 */
	int (*prepare)(const struct preforkd_pool *pool, void **shared,
		       struct preforkd_error *error);
	void (*release)(void *shared); /* in the master, when its last worker has gone */

	/*
	 * In each worker, with its user, limits and root directory.  *state is *shared until
	 * it says otherwise.  0, or -1 with *error: the worker cannot start.
	 */
	int (*start)(const struct preforkd_pool *pool, void *shared, void **state,
		     struct preforkd_error *error);
	void (*serve)(struct preforkd_conn *conn);
	void (*stop)(void *state); /* in a worker that leaves in order; not when it is killed */
};

/* The one symbol of a module. */
extern const struct preforkd_module preforkd_module __attribute__((__visibility__("default")));

/* What the daemon offers: each is described at its function below. */
struct preforkd_api {
	uint32_t size; /* sizeof(struct preforkd_api) of the daemon */
	void (*log)(const struct preforkd_pool *, int level, const char *fmt, va_list);
	const char *(*peer)(struct preforkd_conn *);
	void (*say)(struct preforkd_conn *, const char *text);
	void (*idle_timeout)(struct preforkd_conn *, int64_t ms);
	void (*deadline)(struct preforkd_conn *, int64_t ms);
	bool (*next_request)(struct preforkd_conn *);
	ssize_t (*read)(struct preforkd_conn *, void *data, size_t size);
	ssize_t (*read_line)(struct preforkd_conn *, char *line, size_t size);
	int (*write)(struct preforkd_conn *, const void *data, size_t len);
	int (*print)(struct preforkd_conn *, const char *fmt, va_list);
	int (*flush)(struct preforkd_conn *);
};

/* ---- for prepare() and start() ---- */

/* Sets what went wrong, cut to fit, and returns -1. */
static inline int preforkd_fail(struct preforkd_error *error, const char *fmt, ...)
    PREFORKD_PRINTF(2, 3);

static inline int
preforkd_fail(struct preforkd_error *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* The value of the last option of that name, or NULL; lives as long as the pool. */
static inline const char *
preforkd_option(const struct preforkd_pool *pool, const char *name)
{
	const char *value = NULL;
	size_t len = strlen(name);

	for (const char *const *option = pool->options; *option; option++)
		if (strncmp(*option, name, len) == 0 && (*option)[len] == '=')
			value = *option + len + 1;
	return value;
}

/* ---- everywhere ---- */

/*
 * A line of the log, of a level of syslog(3), with the pool's name and, in serve(), the
 * client's address.  A pool may write 20 lines a second, and 100 at once; what is held back is
 * counted in the next line.
 */
static inline void preforkd_log(const struct preforkd_pool *pool, int level, const char *fmt, ...)
    PREFORKD_PRINTF(3, 4);

static inline void
preforkd_log(const struct preforkd_pool *pool, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pool->api->log(pool, level, fmt, ap);
	va_end(ap);
}

/* ---- for serve() ---- */

/* The client's address as text, "192.0.2.1:4711"; valid until serve() returns. */
static inline const char *
preforkd_peer(struct preforkd_conn *conn)
{
	return conn->api->peer(conn);
}

/* Tells `preforkctl workers` what is served: its first 51 bytes. */
static inline void
preforkd_say(struct preforkd_conn *conn, const char *text)
{
	conn->api->say(conn, text);
}

/* How long each wait for the client may last from now on; 0 (as it begins): for ever. */
static inline void
preforkd_idle_timeout(struct preforkd_conn *conn, int64_t ms)
{
	conn->api->idle_timeout(conn, ms);
}

/*
 * How long all waits together may last, counted from now, to within a sixteenth; 0 (as it
 * begins): for ever.
 */
static inline void
preforkd_deadline(struct preforkd_conn *conn, int64_t ms)
{
	conn->api->deadline(conn, ms);
}

/*
 * For connections with one request after the other: waits for the first byte of the next.
 * false: there will be none, so return.  That is so when the client has closed, when a time
 * is over, and between two requests also when the worker is to leave or others wait for it.
 * The daemon counts and times each request by itself.
 */
static inline bool
preforkd_next_request(struct preforkd_conn *conn)
{
	return conn->api->next_request(conn);
}

/*
 * What has come, as soon as there is something: at most size bytes, their number; 0 when the
 * client has closed; -1, ETIMEDOUT when a time is over, or as recv(2).
 */
static inline ssize_t
preforkd_read(struct preforkd_conn *conn, void *data, size_t size)
{
	return conn->api->read(conn, data, size);
}

/* So many bytes: 1; 0 when the client has closed before; -1 as preforkd_read(). */
static inline int
preforkd_read_all(struct preforkd_conn *conn, void *data, size_t size)
{
	char *at = (char *)data;

	while (size > 0) {
		ssize_t n = preforkd_read(conn, at, size);

		if (n <= 0)
			return (int)n;
		at += n;
		size -= (size_t)n;
	}
	return 1;
}

/*
 * The next line, without the LF or CR LF at its end and with a NUL behind it: its length; -1
 * when there is no whole line: errno is 0 when the client has closed, EMSGSIZE when line has
 * no room for it (a connection that cannot go on), else as preforkd_read().
 */
static inline ssize_t
preforkd_read_line(struct preforkd_conn *conn, char *line, size_t size)
{
	return conn->api->read_line(conn, line, size);
}

/*
 * All of it, by a buffer of the daemon's, which is sent when it is full, before the next wait
 * for the client, and at the end.  0, or -1 as send(2), ETIMEDOUT when a time is over; then
 * all later ones fail too.
 */
static inline int
preforkd_write(struct preforkd_conn *conn, const void *data, size_t len)
{
	return conn->api->write(conn, data, len);
}

/* The same with what printf(3) makes. */
static inline int preforkd_print(struct preforkd_conn *conn, const char *fmt, ...)
    PREFORKD_PRINTF(2, 3);

static inline int
preforkd_print(struct preforkd_conn *conn, const char *fmt, ...)
{
	va_list ap;
	int result;

	va_start(ap, fmt);
	result = conn->api->print(conn, fmt, ap);
	va_end(ap);
	return result;
}

/* Sends what waits in the buffer: before fd is used directly, or before long work. */
static inline int
preforkd_flush(struct preforkd_conn *conn)
{
	return conn->api->flush(conn);
}

#ifdef __cplusplus
}
#endif
#endif
