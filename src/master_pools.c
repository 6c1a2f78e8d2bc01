/*
 * What pools ask of the world: processes, timers, the watched socket.
 */
#include "master_private.h"

#include "accepted.h"
#include "child.h"
#include "handover.h"
#include "listener_mend.h"
#include "netdiag.h"
#include "pool_figures.h"
#include "procinfo.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAMILY_MAX    64 /* processes of a program that are looked at */
#define SIGNAL_LOG_MS 10000

/* In the child: what other pools' workers say is none of its business. */
static void
forget_other_pools(const struct pool *own)
{
	for (size_t i = 0; i < master.npools; i++)
		if (master.pools[i] != own) {
			scoreboard_free(master.pools[i]->scoreboard, CONF_MAX_WORKERS);
			pool_figures_forget(master.pools[i]);
		}
}

static pid_t
spawn(struct pool *pool, struct generation *gen, size_t slot)
{
	struct worker worker = {
		.gen = gen,
		.pool = pool->name,
		.title = pool->title,
		.scoreboard = pool->scoreboard,
		.figures = pool_figures_slot(pool, slot),
		.slot = slot,
		.give_fd = pool->give_fds[0],
		.places_fd = pool->places_fd,
		.control_fd = master.control_fds[1],
		.master = getpid(),
	};
	sigset_t old;
	pid_t pid;

	/* A worker whose accept fails has ended for that. */
	listener_mend(gen->listener);
	if (gen->phase == GENERATION_CURRENT && !gen->service->run)
		listener_block(gen->listener);
	worker.status_socket = master_status_socket(gen);
	pid = child_fork(&old);

	if (pid == 0) {
		forget_other_pools(pool);
		worker_run(&worker);
	}
	return pid;
}

/* Whoever waits for a worker that is out of reach must know why. */
static void
send_signal(pid_t pid, int sig)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	unsigned held_back;
	int error = kill(pid, sig) < 0 ? errno : 0;

	if (error != 0 && log_limit_pass(&limit, SIGNAL_LOG_MS, &held_back))
		log_error("cannot send signal %d to worker %d: %s%s%s", sig, (int)pid,
			  strerror(error), error == EPERM ? ": the master needs CAP_KILL" : "",
			  log_limit_more(held_back, more));
}

/* Where the kernel does not tell how many wait, as without sock_diag(7), it tells if any do. */
static int
queue(const struct listener *listener)
{
	struct pollfd pfd = { .fd = listener->fd, .events = POLLIN | POLLRDHUP };
	int limit, n = netdiag_queue(listener->fd, &limit);

	if (n >= 0 || poll(&pfd, 1, 0) < 0 || (pfd.revents & ~POLLIN))
		return n;
	return pfd.revents != 0;
}

static int
handshakes(const struct listener *listener)
{
	return netdiag_handshakes(listener->fd);
}

static int
accepted(const struct listener *listener)
{
	struct accepted list;
	int n;

	if (accepted_list(listener->fd, &list) < 0)
		return -1;
	n = (int)list.n;
	accepted_free(&list);
	return n;
}

/* The program and its children: any of them may be the one that serves. */
static void
examine_program(struct pool_program *program, const struct accepted *list)
{
	pid_t family[FAMILY_MAX];
	size_t n = procinfo_family(program->pid, family, FAMILY_MAX);
	bool seen = list != NULL, found = false;

	for (size_t i = 0; i < n; i++) {
		int holds = list ? accepted_holds(family[i], list) : -1;

		program->cpu_ns += procinfo_cpu_ns(family[i]);
		found |= holds > 0;
		seen &= holds >= 0;
	}
	if (found)
		program->holds = POOL_HOLDS;
	else
		program->holds = seen ? POOL_HOLDS_NONE : POOL_HOLDS_UNKNOWN;
}

static void
examine(const struct listener *listener, struct pool_program *programs, size_t n)
{
	struct accepted list;
	bool known = accepted_list(listener->fd, &list) == 0;

	for (size_t i = 0; i < n; i++)
		if (programs[i].pid > 1)
			examine_program(&programs[i], known ? &list : NULL);
	accepted_free(&list);
}

static int
room(void)
{
	/* The limit of a configuration on trial counts only once it is committed. */
	const struct conf *conf = master.conf ? master.conf : master.plan->conf;
	int64_t left = conf->max_workers;

	for (size_t i = 0; i < master.npools; i++)
		left -= pool_active(master.pools[i]);
	return left > 0 ? (int)left : 0;
}

struct event_base *
master_new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

/* Not a moment too early: libevent's clock is behind ours by up to a tick of the kernel. */
static void
start_timer(struct event *timer, int64_t when)
{
	int64_t left = util_max(when - util_now_ms(), 0);
	struct timespec tick = { 0 };
	struct timeval tv;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	left = left * 1000 + 999 + tick.tv_nsec / 1000;
	tv.tv_sec = (time_t)(left / 1000000);
	tv.tv_usec = (suseconds_t)(left % 1000000);
	evtimer_add(timer, &tv);
}

static void
wake_at(struct pool *pool, int64_t when)
{
	struct master_pool *mp = pool->owner;

	if (when != 0)
		start_timer(mp->timer, when);
	else if (evtimer_pending(mp->timer, NULL))
		evtimer_del(mp->timer);
}

static void
sample_at(struct pool *pool, int64_t when)
{
	struct master_pool *mp = pool->owner;

	start_timer(mp->sampler, when);
}

static void
on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct master_pool *mp = arg;

	(void)fd;
	(void)what;
	pool_sample(mp->pool, util_now_ms());
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct master_pool *mp = arg;
	int64_t now = util_now_ms();

	(void)fd;
	mp->watching = false;
	if ((what & EV_READ) && listener_mend(mp->pool->current->listener))
		policy_told(&mp->pool->policy, now);
	pool_look(mp->pool, now);
	master_settle();
}

static void
watch(struct pool *pool, bool on)
{
	struct master_pool *mp = pool->owner;
	const struct listener *listener = pool->current ? pool->current->listener : NULL;
	int fd = listener ? listener->fd : -1;

	on = on && listener && !listener->shut;
	if (mp->watch && (!on || mp->watched_fd != fd)) {
		event_free(mp->watch);
		mp->watch = NULL;
		mp->watching = false;
	}
	if (!on || mp->watching)
		return;
	if (!mp->watch)
		mp->watch = event_new(master.base, fd, EV_READ, on_look, mp);
	mp->watched_fd = fd;
	mp->watching = event_add(mp->watch, NULL) == 0;
}

/* As many as there can be, for a worker may write as fast as this reads. */
static void
take_back(int fd)
{
	uint64_t token;

	for (int i = 0; i < CONF_MAX_WORKERS; i++)
		if (recv(fd, &token, sizeof(token), MSG_DONTWAIT) <= 0)
			return;
}

/*
 * What is left of an earlier look is taken back: those have given way, or need not; and so
 * is what workers have handed back.  These calls do not wait, whatever flags a worker sets.
 */
static void
give_way(struct pool *pool, int n)
{
	static const uint64_t token = 1;

	if (n == 0 && !pool->giving_way)
		return;
	for (size_t i = 0; i < ARRAY_LEN(pool->give_fds); i++)
		take_back(pool->give_fds[i]);
	pool->giving_way = n > 0;
	while (n-- > 0 && send(pool->give_fds[1], &token, sizeof(token),
			       MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(token))
		;
}

static void
left_behind(pid_t session)
{
	master.sessions = util_realloc(master.sessions, master.nsessions + 1, sizeof(pid_t));
	master.sessions[master.nsessions++] = session;
}

static const struct pool_ops ops = {
	.spawn = spawn,
	.signal = send_signal,
	.queue = queue,
	.handshakes = handshakes,
	.room = room,
	.wake_at = wake_at,
	.sample_at = sample_at,
	.give_way = give_way,
	.watch = watch,
	.accepted = accepted,
	.examine = examine,
	.left_behind = left_behind,
};

struct pool *
master_pool_add(const char *name)
{
	struct pool *pool = pool_new(name, &ops);
	struct master_pool *mp;
	int places;

	if (!pool)
		return NULL;
	places = handover_take_places(name);
	if (places >= 0) {
		close(pool->places_fd);
		pool->places_fd = places;
	}
	mp = util_calloc(1, sizeof(*mp));
	mp->pool = pool;
	mp->timer = evtimer_new(master.base, on_look, mp);
	mp->sampler = evtimer_new(master.base, on_sample, mp);
	pool->owner = mp;
	master.pools = util_realloc(master.pools, master.npools + 1, sizeof(*master.pools));
	master.pools[master.npools++] = pool;
	return pool;
}

void
master_pool_free(struct pool *pool)
{
	struct master_pool *mp = pool->owner;

	for (size_t i = 0; i < master.npools; i++)
		if (master.pools[i] == pool) {
			master.pools[i] = master.pools[--master.npools];
			break;
		}
	if (mp->watch)
		event_free(mp->watch);
	event_free(mp->timer);
	event_free(mp->sampler);
	free(mp);
	pool_free(pool);
}

void
master_look_all(bool starved_only)
{
	int64_t now = util_now_ms();

	for (size_t i = 0; i < master.npools; i++)
		if (!starved_only || master.pools[i]->starved)
			pool_look(master.pools[i], now);
}
