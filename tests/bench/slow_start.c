/*
 * slow_start - a worker that needs three seconds until it is ready
 *
 * To be preloaded into the daemon.  Only a worker of a pool with the option `nice` calls
 * setpriority(), at its start, so such a pool behaves as one whose service has much to
 * load; its programs do not inherit this.
 */
#define _GNU_SOURCE 1
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { START_SECONDS = 3 };

int
setpriority(__priority_which_t which, id_t who, int priority)
{
	sleep(START_SECONDS);
	return (int)syscall(SYS_setpriority, which, who, priority);
}
