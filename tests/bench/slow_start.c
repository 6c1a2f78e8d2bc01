/*
 * slow_start - a worker that needs three seconds until it is ready
 *
 * To be preloaded into the daemon.  Only a worker of a pool with the option `nice` calls
 * setpriority(), at its start, so such a pool behaves as one whose service has much to
 * load; its programs do not inherit this.
 */
#define _GNU_SOURCE 1
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { START_SECONDS = 3 };

/* <sys/resource.h> of glibc has an enum for the first of them. */
int setpriority(int which, id_t who, int priority);

int
setpriority(int which, id_t who, int priority)
{
	sleep(START_SECONDS);
	return (int)syscall(SYS_setpriority, which, who, priority);
}
