/*
 * What the files of the master share.
 */
#ifndef PREFORKD_MASTER_PRIVATE_H
#define PREFORKD_MASTER_PRIVATE_H

#include "control_proto.h"
#include "master.h"
#include "reload.h"

#include <event2/event.h>
#include <sys/socket.h>

/* What the master keeps of each pool beside the pool itself. */
struct master_pool {
	struct pool *pool;
	struct event *timer, *sampler, *watch; /* watch: of the listen socket in watched_fd */
	int watched_fd;
	bool watching;
};

enum master_state {
	MASTER_STARTING, /* the first plan is on trial */
	MASTER_RUNNING,
	MASTER_STOPPING,
};

/* What became of the last reload, recycling, resuming or upgrade. */
struct master_outcome {
	unsigned ticket; /* of master_reload_begin(); 0: there was none */
	bool ok;
	const char *what; /* "reload", "upgrade", ... */
	char *text;
	int64_t at; /* 0 for the start, which is none */
};

struct master {
	struct master_options options;
	enum master_state state;
	int status; /* to exit with */
	struct event_base *base;
	struct event *control, *watchdog;
	int control_fds[2];
	int pid_fd;
	char *pid_file;

	struct conf *conf; /* of the last plan that was committed; its pools are in the pools */
	struct pool **pools;
	size_t npools;

	int64_t started_ms;
	unsigned generation; /* how many plans were committed */

	/* The reload that is under way. */
	struct reload_plan *plan;
	unsigned ticket;       /* of the last one that began */
	enum reload_kind kind; /* of that one */
	int64_t begun_ms;      /* that one, too */
	struct master_outcome outcome;
	struct listener *control_new; /* the plan's control socket, if it is another one */
	int gate;                     /* its workers wait for this end to close */
	int log_fd;                   /* its log, opened; -1: the log stays */
	bool reload_again;            /* a HUP came meanwhile, or in an upgrade */
	bool file_refused;            /* when it was last read, since it was last taken over */

	pid_t *sessions; /* of programs whose worker died, until all of them are gone */
	size_t nsessions;
};

extern struct master master;

/* master_pools.c: the pools' side of things. */
/* Its timers count from when they are set, not from when the pass began that sets them. */
struct event_base *master_new_base(void); /* NULL: cannot be had */
struct pool *master_pool_add(const char *name);
void master_pool_free(struct pool *pool);
void master_look_all(bool starved_only);

/* master_outcome.c: what the plan, which is about to be committed, means for each pool. */
bool master_drops(const struct pool *pool);
char *master_outcome_of_plan(const char *what); /* a line, the caller's to free */

/* master_reload.c: from SIGHUP to done or refused. */
unsigned master_reload_begin(void); /* the ticket of its outcome */
unsigned master_again_begin(enum reload_kind kind, struct pool *only);
void master_reload_step(void);
void master_forget_stored(const struct pool *pool); /* its listener ends */
void master_reload_cancel(const char *why);
const char *master_reload_word(void); /* what is under way, or was the last */

/* For whoever waits for the ticket of the last begin; text is owned by the outcome then. */
void master_set_outcome(const char *what, bool ok, char *text);

/* master_upgrade.c: the old master's side of the hand-over. */
unsigned master_upgrade_begin(void); /* the ticket of its outcome */
bool master_upgrade_is_under_way(void);
bool master_upgrade_has_replaced_us(void); /* the new master serves, whatever becomes of us */
bool master_upgrade_reaped(pid_t pid, int status); /* false: it is none of the upgrade's */
void master_upgrade_cancel(const char *why);

/* master_handover.c: the new one's. */
struct listener *master_handover_control(const struct address *address, char **err);
void master_handover_ready(void);        /* calls master_serve() when the old one has let go */
bool master_handover_is_under_way(void); /* ready, but it has not */

/*
 * master_pass_on.c: what the next master finds beside its sockets, in its environment and
 * behind the n descriptors; so many there are then, at most MASTER_PASS_ON_MAX more.
 */
#define MASTER_PASS_ON_MAX (HANDOVER_SOCKETS_MAX + 2)
size_t master_pass_on(char ***environment, int *fds, size_t n, int past_fd);
void master_pass_on_name(char **names, const char *name); /* to a list with colons between */
void master_pass_on_variable(char ***environment, char *assignment); /* which is freed */

/* master_past.c: what the status knows of the past, for the next one; the fd is taken. */
void master_past_write(int fd);
void master_past_read(int fd);

/* master_door.c: a socket on which clients come; each is on_client()'s then. */
struct master_door {
	void (*on_client)(int fd, const struct ucred *peer);
	struct event *event, *pause;
};
void master_door_open(struct master_door *door, int fd); /* the descriptor stays the caller's */
void master_door_close(struct master_door *door);

/* master_status.c: where workers of that generation ask for the status; NULL: they do not. */
const char *master_status_socket(const struct generation *gen);
void master_status_end(void);

/* master_control.c: the control socket. */
void master_control_serve(int fd, const struct ucred *peer, bool asks_only);
int master_control_open(char **err); /* for the plan; commits by adopt or change */
void master_control_adopt(struct listener *listener);
void master_control_change(const struct listener_options *options);
void master_control_own(void);           /* the master before us has let go of it */
int master_control_fd(void);             /* -1: there is none */
void master_control_give_up(bool taken); /* another master listens there; clients stay */
void master_control_look(void);
void master_control_end(void);

/* master_command.c: what is asked for there. */
enum command_state { COMMAND_NONE, COMMAND_WAITS, COMMAND_DONE, COMMAND_FAILED };
struct command_word;
struct master_command {
	enum command_state state;
	char *text; /* the sentence for the end; owned */
	struct control_request request;
	const struct command_word *word;
	bool begun;
	unsigned ticket;
	uint32_t pool_id;
	pid_t pid;
};

/* The request is parsed already; records are written to out. */
void master_command_begin(struct master_command *c, const struct ucred *peer, FILE *out);
void master_command_look(struct master_command *c);
void master_command_end(struct master_command *c);
void master_command_free(struct master_command *c);

/* master.c: what signals and commands have in common. */
void master_stop(bool fast, const char *by);
void master_set_log(const struct conf *conf); /* level and format */
int master_reopen_log(const char *by, char **err);

/* master.c: after anything that may have ended a trial, a pool, or the daemon. */
void master_settle(void);
void master_ready(void); /* the first plan is committed */
void master_serve(void); /* and we are the one master */
void master_tell_ready(void);

#endif
