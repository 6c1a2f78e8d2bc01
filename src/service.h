/*
 * What a worker does with a connection.  Every service implements this one interface:
 * blocking calls, one connection at a time.  The master prepares a service before it
 * forks, so that workers share the memory; a worker starts it once its identity and
 * limits are in force, and then serves connection after connection.
 */
#ifndef PREFORKD_SERVICE_H
#define PREFORKD_SERVICE_H

#include "conf.h"
#include "figures.h"
#include "privs.h"
#include "proxy_proto.h"
#include "scoreboard.h"

#include <signal.h>
#include <sys/socket.h>

struct conn {
	int fd;                      /* the worker closes it */
	const struct sockaddr *peer; /* the client; behind a proxy the one that it names */
	socklen_t peer_len;
	const struct proxy_header *proxy; /* what a proxy said of it; NULL: nothing */
	int64_t began_ms;                 /* util_now_coarse_ms() when its service began */
	int64_t io_limit_ms;              /* of the socket's timeouts as set by conn_limit_io() */
	struct figures_slot *figures;     /* for its bytes, by who knows them */
};

/* What a worker tells its service at the start; valid for the worker's life. */
struct service_setup {
	const struct conf_pool *conf;
	const struct identity *id;
	const char *pool;
	void *prepared;
	struct scoreboard *scoreboard;
	struct scoreboard_slot *slot;
	/*
	 * For services that keep connections: readable when one of those that wait for a
	 * next request must give way.  Who reads a uint64_t from it is the one; an end of file
	 * says that the worker leaves, as *leaving does.
	 */
	int give_fd;
	int places_fd; /* for services that count: a file whose bytes the pool's workers lock */
	const volatile sig_atomic_t *leaving;
	const char *status_socket; /* where the master tells its status, as ctl_client.h; or NULL */
	/*
	 * For services that keep connections: the next request in it has begun, and it is
	 * over.  Of the others a connection is a request.
	 */
	void (*next_request)(void);
	void (*request_done)(void);
	/*
	 * For services with run(): the listen socket, which is no socket any more when this
	 * worker is to leave whatever waits there; the end of file that says that a reload is
	 * decided, or -1; and what to call when the program is ready, and when that is so.
	 */
	int listen_fd, gate;
	void (*enter)(enum activity activity);
};

#define SERVICE_DESCRIPTORS 4

struct service {
	bool keeps_connections; /* wants give_fd */
	bool counts;            /* wants places_fd */
	bool half_is_gone;      /* who has closed its side while it waits is not served */
	/*
	 * In the worker: writes what a client gets that is not served, and returns the length.
	 * No function: deny_message.
	 */
	size_t (*refusal)(enum refusal why, char *text, size_t size);
	/* In the master.  -1 with *err as "FILE:LINE: text". */
	int (*prepare)(const struct conf_pool *conf, const struct identity *id, void **prepared,
		       char **err);
	void (*release)(void *prepared);
	/*
	 * In the master, at a reload that changes no option: is what both were prepared from
	 * the same?  No function: it is.
	 */
	bool (*same)(const void *prepared, const void *other);
	/* In the master, when it is to be used: opens what a check must not make. */
	int (*open)(void *prepared, char **err);
	/*
	 * The places of descriptors that workers inherit: at most SERVICE_DESCRIPTORS.  In
	 * the worker they get their new numbers.
	 */
	size_t (*descriptors)(void *prepared, int *places[]);
	/* SIGUSR1: opens its logs again.  -1 with *err: the old ones stay. */
	int (*reopen)(void *prepared, char **err);
	/* In the worker.  -1 with *err: it cannot start. */
	int (*start)(const struct service_setup *setup, char **err);
	void (*serve)(struct conn *conn);
	void (*stop)(void); /* in a worker that leaves in order */
	/*
	 * Instead of serve, for a service whose program accepts by itself: returns when the
	 * program has ended.  false: it was not to end; the slot's text says how it did.
	 */
	bool (*run)(void);
	/*
	 * The worker must end, or its request has lasted too long.  Async-signal-safe.
	 * true: serve() will return soon, let it; false (or no function): the worker ends at
	 * once.
	 */
	bool (*terminate)(void);
	/* Wants status_socket. */
	bool (*asks_status)(const void *prepared);
};

const struct service *service_find(int64_t conf_service);

extern const struct service service_exec, service_program, service_echo, service_rot13,
    service_http, service_status, service_module;

/* Limits each following read and write of the connection to idle_ms; 0: no limit. */
void conn_limit_io(struct conn *conn, int64_t idle_ms);

/*
 * The connection ends now, whoever else still holds its descriptor.  Input that nobody
 * read would make close() reset the connection and could cost the client its answer,
 * so it is read and dropped for a moment.
 */
void conn_hang_up(int fd);

/*
 * The address that the client has connected to; behind a proxy the one that it names.
 * Returns its length, or 0.
 */
socklen_t conn_local(const struct conn *conn, struct sockaddr_storage *local);

#endif
