#include "worker_accept.h"

#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ACCEPT_LOG_MS       10000
#define ACCEPT_PAUSE_MS     100
#define ACCEPT_PAUSE_MAX_MS 1600

static int64_t pause_ms PER_WORKER; /* the last one; 0: accept(2) works */

static void
describe_remedy(int error, char *text, size_t size)
{
	struct rlimit rl;

	text[0] = '\0';
	if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &rl) == 0)
		snprintf(text, size, ": raise rlimit_nofile of the pool (now %llu)",
			 (unsigned long long)rl.rlim_cur);
	else if (error == ENFILE)
		snprintf(text, size, ": raise fs.file-max with sysctl(8)");
}

static void
pause_accepting(const struct worker *worker, int error)
{
	struct timespec ts;
	unsigned held_back;
	char remedy[96], more[LOG_MORE_BYTES];

	if (log_limit_pass(&worker->scoreboard->accept_limit, ACCEPT_LOG_MS, &held_back)) {
		describe_remedy(error, remedy, sizeof(remedy));
		log_warn("pool %s: cannot accept connections: %s; they wait%s%s", worker->pool,
			 strerror(error), remedy, log_limit_more(held_back, more));
	}
	pause_ms = pause_ms == 0 ? ACCEPT_PAUSE_MS : pause_ms * 2;
	if (pause_ms > ACCEPT_PAUSE_MAX_MS)
		pause_ms = ACCEPT_PAUSE_MAX_MS;
	ts.tv_sec = (time_t)(pause_ms / 1000);
	ts.tv_nsec = (long)(pause_ms % 1000 * 1000000);
	nanosleep(&ts, NULL);
}

static void
log_lost_connection(const struct worker *worker, int error)
{
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (log_limit_pass(&worker->scoreboard->lost_limit, ACCEPT_LOG_MS, &held_back))
		log_notice("pool %s: a connection was gone before it was accepted: %s%s",
			   worker->pool, strerror(error), log_limit_more(held_back, more));
}

/* false: this worker is to leave. */
bool
worker_accept_failed(const struct worker *worker, int error)
{
	switch (error) {
	case ENOTSOCK: /* retired */
	case EAGAIN:   /* finishing, and the queue is empty */
	case EINVAL:   /* the same for a Unix socket */
	case EBADF:
		return false;
	case EINTR:
		return true;
	case ECONNABORTED: /* and what else accept(2) passes on of one connection */
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		log_lost_connection(worker, error);
		return true;
	default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM, or nobody knows what */
		pause_accepting(worker, error);
		return true;
	}
}

void
worker_accept_works(void)
{
	pause_ms = 0;
}
