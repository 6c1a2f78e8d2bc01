#include "worker_admit.h"

#include "banner.h"
#include "layout.h"
#include "proxy_read.h"
#include "worker_check.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#define PROXY_TIMEOUT_MS 5000 /* a lost segment of TCP takes up to 3 s (2. of its text) */
#define LOG_MS           10000
#define LONG_DELAY_MS    1000
#define REFUSAL_BYTES    1024
#define REFUSED_READS    16
#define SECOND_NS        INT64_C(1000000000)

/* Of the connection that is being served. */
static struct proxy_header header;

/* ---- refusals ---- */

/* What has come is taken before the end: unread, it would reset the connection. */
static void
tell(const struct worker *worker, int fd, enum refusal why)
{
	static char dropped[4096]; /* not on the stack, as in conn_hang_up() */
	const struct service *service = worker->gen->service;
	const char *text = worker->gen->conf->deny_message;
	char answer[REFUSAL_BYTES];
	size_t len = text ? strlen(text) : 0;

	if (service->refusal) {
		len = service->refusal(why, answer, sizeof(answer));
		text = answer;
	}
	if (len > 0 && send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 &&
	    shutdown(fd, SHUT_WR) == 0)
		for (int i = 0; i < REFUSED_READS; i++)
			if (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) <= 0)
				break;
}

static bool
refuse(const struct worker *worker, const struct conn *conn, enum refusal why, const char *text)
{
	struct scoreboard *sb = worker->scoreboard;
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES];
	unsigned held_back;

	atomic_fetch_add(&sb->refused[why], 1);
	if (text && log_limit_pass(&sb->refusal_limit[why], LOG_MS, &held_back))
		log_notice("pool %s: refused %s: %s%s", worker->pool,
			   address_format(conn->peer, conn->peer_len, client), text,
			   log_limit_more(held_back, more));
	tell(worker, conn->fd, why);
	return false;
}

/* ---- whose is it? ---- */

static bool
take_header(const struct worker *worker, struct conn *conn, void (*ring)(bool))
{
	bool optional = worker->gen->conf->proxy_protocol == CONF_PROXY_OPTIONAL;
	const char *why = NULL;
	char text[128];

	if (!cidr_allows(&worker->gen->access->proxies, conn->peer))
		return optional ||
		       refuse(worker, conn, REFUSED_PROXY, "it is no proxy of proxy_from");
	ring(scoreboard_arrive(worker->scoreboard, worker->slot, conn->peer, conn->peer_len));
	switch (proxy_read(conn->fd, optional, util_now_ms() + PROXY_TIMEOUT_MS, &header, &why)) {
	case PROXY_READ_DONE:
		conn->proxy = &header;
		break;
	case PROXY_READ_NONE:
		return true;
	case PROXY_READ_BAD:
		snprintf(text, sizeof(text), "PROXY header: %s", why);
		return refuse(worker, conn, REFUSED_PROXY, text);
	case PROXY_READ_GONE:
		return false;
	}
	if (header.source.ss_family != AF_UNSPEC) {
		conn->peer = (const struct sockaddr *)&header.source;
		conn->peer_len = proxy_proto_address_len(&header.source);
	}
	return true;
}

/* ---- is it let in? ---- */

static bool
is_in_time(const struct access_times *times)
{
	time_t now = time(NULL);
	struct tm local;

	return times->n == 0 || (localtime_r(&now, &local) && access_times_allow(times, &local));
}

/* In thousandths, over a minute; by a call that needs no file, for there may be no /proc. */
static int64_t
load_average(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (int64_t)info.loads[0] * 1000 >> SI_LOAD_SHIFT : 0;
}

static bool
may_come_in(const struct worker *worker, const struct conn *conn, uint64_t source)
{
	const struct conf_pool *conf = worker->gen->conf;
	const struct access *access = worker->gen->access;

	if (!cidr_allows(&access->clients, conn->peer))
		return refuse(worker, conn, REFUSED_ACCESS, "by allow and deny");
	if (!is_in_time(&access->times))
		return refuse(worker, conn, REFUSED_TIMES, "it is not the time of access_times");
	if (conf->max_load > 0 && load_average() >= conf->max_load)
		return refuse(worker, conn, REFUSED_LOAD, "the load is at max_load");
	if (conf->max_connections_per_source > 0 &&
	    !source_claim(&worker->scoreboard->sources, worker->slot, source,
			  (unsigned)conf->max_connections_per_source))
		return refuse(worker, conn, REFUSED_SOURCE,
			      "its source has max_connections_per_source already");
	return true;
}

/* ---- when? ---- */

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

/* false: the client has gone before.  A closed TCP connection looks like a half-closed one. */
static bool
sleep_until(const struct worker *worker, const struct conn *conn, int64_t turn)
{
	bool half = worker->gen->service->half_is_gone && conn->peer->sa_family != AF_UNIX;
	struct pollfd pfd = { .fd = conn->fd, .events = half ? POLLRDHUP : 0 };
	int64_t left;

	while ((left = turn - now_ns()) > 0) {
		struct timespec ts = { .tv_sec = (time_t)(left / SECOND_NS),
				       .tv_nsec = (long)(left % SECOND_NS) };

		if (ppoll(&pfd, 1, &ts, NULL) > 0)
			return false;
	}
	return true;
}

/* false: it is not to be served. */
static bool
wait_until(const struct worker *worker, const struct conn *conn, int64_t turn, const char *option,
	   void (*ring)(bool), bool *waited)
{
	struct scoreboard *sb = worker->scoreboard;
	int64_t ms = (turn - now_ns()) / 1000000;
	char client[ADDRESS_TEXT_BYTES];
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (turn <= now_ns())
		return true;
	*waited = true;
	ring(scoreboard_arrive(sb, worker->slot, conn->peer, conn->peer_len));
	if (ms >= LONG_DELAY_MS && log_limit_pass(&sb->delay_limit, LOG_MS, &held_back))
		log_notice("pool %s: %s waits %" PRId64 ".%" PRId64 " s for its turn (%s)%s",
			   worker->pool, address_format(conn->peer, conn->peer_len, client),
			   ms / 1000, ms % 1000 / 100, option, log_limit_more(held_back, more));
	return sleep_until(worker, conn, turn);
}

static bool
wait_for_source(const struct worker *worker, const struct conn *conn, uint64_t source,
		void (*ring)(bool), bool *waited)
{
	struct scoreboard *sb = worker->scoreboard;
	int64_t most = atomic_load_explicit(&sb->max_delayed_per_source, memory_order_relaxed);
	int64_t turn = rate_turn_of(&sb->source_rates, source, &worker->gen->access->source_rate,
				    util_max(most, 1), now_ns());

	if (turn == RATE_NEVER)
		return refuse(worker, conn, REFUSED_SOURCE,
			      "too many of its source wait for rate_limit_per_source");
	return wait_until(worker, conn, turn, "rate_limit_per_source", ring, waited);
}

/*
 * First the turn of its source, then that of the pool: who is late by its own fault takes
 * none from others meanwhile.
 */
static bool
wait_for_turn(const struct worker *worker, const struct conn *conn, uint64_t source,
	      void (*ring)(bool))
{
	struct scoreboard *sb = worker->scoreboard;
	const struct access *access = worker->gen->access;
	bool waited = false, served = true;

	if (access->source_rate.interval > 0)
		served = wait_for_source(worker, conn, source, ring, &waited);
	if (served && access->rate.interval > 0)
		served =
		    wait_until(worker, conn, rate_turn(&sb->rate_full_at, &access->rate, now_ns()),
			       "rate_limit", ring, &waited);
	if (waited)
		atomic_fetch_add(&sb->delayed, 1);
	return served;
}

/* ---- the banner ---- */

static void
greet(const struct conn *conn, const char *text, size_t len)
{
	send(conn->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
greet_from_file(const struct worker *worker, const struct conn *conn)
{
	const char *path = worker->gen->conf->banner_file;
	_Atomic uint32_t *lost = &worker->scoreboard->banner_lost;
	static char text[BANNER_BYTES];
	ssize_t n = banner_read(path, text);

	if (n > 0)
		greet(conn, text, (size_t)n);
	if (n < 0 && atomic_exchange(lost, 1) == 0)
		log_warn("pool %s: banner_file: %s: %s; until it is back there is none",
			 worker->pool, path, strerror(errno));
	if (n >= 0 && atomic_load(lost) != 0)
		atomic_store(lost, 0);
}

/* ---- all of it ---- */

static bool
admit(const struct worker *worker, struct conn *conn, void (*ring)(bool))
{
	const struct conf_pool *conf = worker->gen->conf;
	uint64_t source = 0;

	if (conf->proxy_protocol != CONF_PROXY_OFF && !take_header(worker, conn, ring))
		return false;
	if (conf->max_connections_per_source > 0 || conf->rate_limit_per_source > 0)
		source = source_of(conn->peer, conn->fd);
	if (!may_come_in(worker, conn, source) || !wait_for_turn(worker, conn, source, ring))
		return false;
	if (conf->banner)
		greet(conn, conf->banner, strlen(conf->banner));
	if (conf->banner_file)
		greet_from_file(worker, conn);
	return true;
}

HOT bool
worker_admit(const struct worker *worker, struct conn *conn, void (*ring)(bool))
{
	if (worker_check_shed(worker, conn->fd))
		return refuse(worker, conn, REFUSED_QUEUE, NULL);
	return !worker->gen->access || admit(worker, conn, ring);
}

void
worker_admit_end(const struct worker *worker)
{
	if (worker->gen->access && worker->gen->conf->max_connections_per_source > 0)
		source_release(&worker->scoreboard->sources, worker->slot);
}
