/*
 * The client's side of the control socket: one request, one answer, and, when there is
 * none, a sentence that says who is to blame: the socket, its mode, a daemon that hangs
 * or has gone, or something that is not preforkd.
 */
#ifndef PREFORKD_CTL_CLIENT_H
#define PREFORKD_CTL_CLIENT_H

#include "control_proto.h"

#define CTL_LINE_BYTES   65536     /* of a line of the answer */
#define CTL_ANSWER_BYTES (1 << 26) /* of an answer */

enum ctl_outcome {
	CTL_DONE,      /* it said ok */
	CTL_FAILED,    /* it said failed */
	CTL_NO_DAEMON, /* nobody there, or nobody that answers as preforkd does */
	CTL_STUCK,     /* time is up before the request could be sent */
	CTL_WAITING,   /* time is up before the last line came */
};

struct ctl_request {
	const char *socket; /* a path, or "@name" */
	const char *line;   /* with its end */
	int64_t timeout_ms; /* for all of it; 0: for ever */
	/* Takes each record; -1 with *err ends it as CTL_NO_DAEMON.  NULL: they are ignored. */
	int (*take)(void *arg, const struct control_record *record, char **err);
	void *arg;
};

/* *text: the daemon's own words (CTL_DONE, CTL_FAILED), or what is wrong. */
enum ctl_outcome ctl_client_ask(const struct ctl_request *request, char **text);

#endif
