#include "module_api.h"

#include "module_io.h"

#include <pthread.h>
#include <unistd.h>

#define LOG_INTERVAL_MS 50
#define LOG_BURST       100
#define LOG_TEXT_BYTES  1024

static struct {
	const struct service_setup *setup; /* NULL in the master */
	bool serving, muted;
	bool forked; /* this process is a child of the worker: the module's doing */
	struct module_conn conn;
} self __attribute__((aligned(4096)));

static const char *
peer_name(void)
{
	struct module_conn *c = &self.conn;

	if (!c->named && self.serving)
		address_format(c->conn->peer, c->conn->peer_len, c->peer);
	c->named = true;
	return c->peer;
}

PRINTF_LIKE(3, 0)
static void
api_log(const struct preforkd_pool *pool, int level, const char *fmt, va_list ap)
{
	static struct log_limit of_master;
	struct log_limit *limit = self.setup ? &self.setup->scoreboard->module_limit : &of_master;
	char text[LOG_TEXT_BYTES], more[48] = "";
	unsigned held_back;

	level = level < LOG_ERR ? LOG_ERR : level > LOG_DEBUG ? LOG_DEBUG : level;
	if (self.muted || !log_enabled(level) ||
	    !log_limit_burst(limit, LOG_INTERVAL_MS, LOG_BURST, &held_back))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (held_back > 0)
		snprintf(more, sizeof(more), " (%u lines before were held back)", held_back);
	log_write(level, "pool %s: %s%s%s%s", pool->name, self.serving ? peer_name() : "",
		  self.serving ? " " : "", text, more);
}

static const char *
api_peer(struct preforkd_conn *conn)
{
	(void)conn;
	return peer_name();
}

static void
api_say(struct preforkd_conn *conn, const char *text)
{
	(void)conn;
	scoreboard_say(self.setup->slot, text, strlen(text));
}

const struct preforkd_api module_api = {
	.size = sizeof(struct preforkd_api),
	.log = api_log,
	.peer = api_peer,
	.say = api_say,
	.idle_timeout = module_io_idle_timeout,
	.deadline = module_io_deadline,
	.next_request = module_io_next_request,
	.read = module_io_read,
	.read_line = module_io_read_line,
	.write = module_io_write,
	.print = module_io_print,
	.flush = module_io_flush,
};

void
module_api_mute(void)
{
	self.muted = true;
}

static void
note_fork(void)
{
	self.forked = true;
}

void
module_api_watch_forks(void)
{
	pthread_atfork(NULL, NULL, note_fork);
}

void
module_api_start(const struct service_setup *setup)
{
	self.setup = setup;
	self.conn.setup = setup;
}

/* The buffers stay as they are: to clear them would cost more than a small request. */
struct preforkd_conn *
module_api_begin(struct conn *conn, const struct preforkd_pool *pool, void *state)
{
	struct module_conn *c = &self.conn;

	c->pub = (struct preforkd_conn){
		.api = &module_api,
		.pool = pool,
		.state = state,
		.fd = conn->fd,
		.address = conn->peer,
		.address_len = conn->peer_len,
	};
	c->conn = conn;
	c->idle_ms = c->deadline = 0;
	c->at = c->len = c->out_len = 0;
	c->fills = 0;
	c->asked = c->spared = c->ended = c->broken = c->named = false;
	self.serving = true;
	return &c->pub;
}

/*
 * As a second worker it would write to the first one's slot and hold the listen socket after
 * the daemon's end, and nobody would know it.  The connection is still the worker's.
 */
static _Noreturn void
end_forked(void)
{
	unsigned held_back;

	if (log_limit_burst(&self.setup->scoreboard->module_limit, LOG_INTERVAL_MS, LOG_BURST,
			    &held_back))
		log_error("pool %s: %s process %d that the module has forked returned from serve: "
			  "it ends",
			  self.setup->pool, peer_name(), (int)getpid());
	_exit(1);
}

/* What is still to be sent, and a close that does not cost the client its end. */
void
module_api_end(void)
{
	struct module_conn *c = &self.conn;

	if (self.forked)
		end_forked();
	if (module_io_flush(&c->pub) == 0 && !c->ended)
		conn_hang_up(c->conn->fd);
	c->ended = c->broken = true; /* for a module that has kept it */
	self.serving = false;
}
