#include "worker_check.h"

#include "layout.h"
#include "procinfo.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#define SHED_LOG_MS    10000
#define MEMORY_LOOK_MS 500

static struct {
	uint64_t jitter;     /* 0 to 999 */
	uint64_t max_memory; /* 0: any, and so for cpu_ms */
	int64_t cpu_ms;
	struct procinfo_memory memory;
	int64_t memory_at; /* when it is looked at again */
} self PER_WORKER;

void
worker_check_open(const struct worker *worker)
{
	int64_t cpu = worker->gen->conf->rlimit[CONF_RLIMIT_CPU];

	self.jitter = (uint32_t)getpid() * 2654435761U % 1000;
	self.max_memory = (uint64_t)worker->gen->conf->max_worker_memory;
	if (self.max_memory > 0)
		procinfo_memory_open(&self.memory);
	if (cpu != CONF_UNSET && cpu != CONF_UNLIMITED)
		self.cpu_ms = util_min(util_max(cpu, 1), INT64_MAX / 500) * 500;
}

/*
 * Has it waited too long to be of use to its client?  The kernel knows when its last
 * data came, or its handshake ended (tcp(7): TCP_INFO); a Unix socket does not tell.
 */
bool
worker_check_shed(const struct worker *worker, int fd)
{
	struct scoreboard *sb = worker->scoreboard;
	int64_t limit = atomic_load_explicit(&sb->max_queue_wait_ms, memory_order_relaxed);
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (limit <= 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    info.tcpi_last_data_recv <= limit)
		return false;
	if (log_limit_pass(&sb->refusal_limit[REFUSED_QUEUE], SHED_LOG_MS, &held_back))
		log_warn("pool %s: closed a connection that had waited %u.%u s (max_queue_wait)%s",
			 worker->pool, info.tcpi_last_data_recv / 1000,
			 info.tcpi_last_data_recv % 1000 / 100, log_limit_more(held_back, more));
	return true;
}

/* Up to a tenth earlier, by the process: workers of one start do not all go at once. */
static bool
has_served_enough(const struct worker *worker, uint64_t requests)
{
	uint64_t max =
	    atomic_load_explicit(&worker->scoreboard->max_requests, memory_order_relaxed);

	return max > 0 && requests >= max - self.jitter * max / 10000;
}

/* The proportional size is dear, so it is looked at only if the resident one allows it. */
static bool
is_too_big(void)
{
	int64_t now;

	if (self.max_memory == 0 || (now = util_now_coarse_ms()) < self.memory_at)
		return false;
	self.memory_at = now + MEMORY_LOOK_MS;
	return procinfo_resident(&self.memory) > self.max_memory &&
	       procinfo_proportional(&self.memory) > self.max_memory;
}

/*
 * Half of rlimit_cpu: at the whole of it the kernel kills it, with its connection.  What it
 * runs has a clock of its own.
 */
static bool
has_worked_enough(void)
{
	struct timespec used;

	return self.cpu_ms > 0 && clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 &&
	       used.tv_sec * 1000 + used.tv_nsec / 1000000 >= self.cpu_ms;
}

HOT enum worker_due
worker_check_due(const struct worker *worker, bool between)
{
	if (has_served_enough(worker, worker->scoreboard->slots[worker->slot].requests))
		return DUE_REQUESTS;
	if (has_worked_enough())
		return DUE_CPU;
	return between && is_too_big() ? DUE_MEMORY : DUE_NOT;
}
