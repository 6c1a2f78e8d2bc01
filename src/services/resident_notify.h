/*
 * The receiving end of sd_notify(3): a socket of the worker's, on which its program says
 * that it is ready.  Only what comes from the program's own session counts, or from its
 * user when the sender has gone meanwhile (systemd-notify(1) in a script).
 */
#ifndef PREFORKD_SERVICES_RESIDENT_NOTIFY_H
#define PREFORKD_SERVICES_RESIDENT_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#define RESIDENT_NOTIFY_NAME_BYTES 16 /* of the socket, "@..." */
#define RESIDENT_STATUS_BYTES      64

/* An abstract name, which is there in any root directory.  -1 with errno. */
int resident_notify_open(char name[RESIDENT_NOTIFY_NAME_BYTES]);

/*
 * Takes all that has come, so that no sender ever waits.  true: READY=1 was among it; a
 * STATUS= is copied to status, cut, or leaves it as it is.
 */
bool resident_notify_read(int fd, pid_t session, char status[RESIDENT_STATUS_BYTES]);

#endif
