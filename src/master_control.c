/*
 * The control socket: who may speak, one request a connection, and the answer when what
 * it asks for is done.  Each client has a place, a time to ask, a time to read, and a
 * bounded line; none of them can make the master wait.
 */
#include "master_private.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX  64
#define ASK_SECONDS  5
#define READ_SECONDS 10

#define REFUSED_LOG_MS 1000

struct client {
	struct bufferevent *bev; /* NULL: it has left, see leave() */
	struct ucred peer;
	bool asks_only;                /* for the status */
	struct master_command command; /* state COMMAND_NONE: it has not asked yet */
	bool answered;
	struct client *next; /* younger: what waits is done in the order of its coming */
};

static struct {
	struct listener *listener;
	struct client *clients;
	unsigned n;
	gid_t group; /* -1: root only */
} self = { .group = (gid_t)-1 };

static void
drop(struct client *client)
{
	struct client **at = &self.clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	self.n--;
	master_command_free(&client->command);
	if (client->bev)
		bufferevent_free(client->bev);
	free(client);
}

/* What it has asked for goes on without it, also if that has to wait for something else first. */
static void
leave(struct client *client)
{
	if (client->command.state != COMMAND_WAITS || client->command.begun) {
		drop(client);
		return;
	}
	bufferevent_free(client->bev);
	client->bev = NULL;
}

/* ---- who may speak ---- */

static bool
in_group(int fd, gid_t wanted)
{
	static gid_t groups[NGROUPS_MAX]; /* touched as far as there are some */
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* The mode of the socket's file says the same, but a file can be changed. */
static bool
may_speak(int fd, const struct ucred *peer)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return self.group != (gid_t)-1 && (peer->gid == self.group || in_group(fd, self.group));
}

/* ---- answers ---- */

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (client->answered)
		drop(client);
}

/* The last line; whoever does not read it in time loses it. */
static void
answer(struct client *client, bool ok, const char *text)
{
	struct timeval tv = { .tv_sec = READ_SECONDS };
	char line[4096];

	util_escape(line, sizeof(line), text, strlen(text));
	client->answered = true;
	bufferevent_disable(client->bev, EV_READ);
	bufferevent_set_timeouts(client->bev, NULL, &tv);
	evbuffer_add_printf(bufferevent_get_output(client->bev), "%s %s\n", ok ? "ok" : "failed",
			    line);
}

static void
answer_if_done(struct client *client)
{
	const struct master_command *command = &client->command;

	if (!client->answered &&
	    (command->state == COMMAND_DONE || command->state == COMMAND_FAILED))
		answer(client, command->state == COMMAND_DONE, command->text ? command->text : "");
}

void
master_control_look(void)
{
	struct client *next;

	for (struct client *client = self.clients; client; client = next) {
		next = client->next;
		master_command_look(&client->command);
		if (client->bev)
			answer_if_done(client);
		else if (client->command.begun || client->command.state != COMMAND_WAITS)
			drop(client);
	}
}

/* ---- requests ---- */

static void
obey(struct client *client, const char *line, size_t len)
{
	char *records = NULL, *err = NULL;
	size_t size = 0;
	FILE *out;

	bufferevent_set_timeouts(client->bev, NULL, NULL);
	if (control_request_parse(&client->command.request, line, len, &err) < 0) {
		answer(client, false, err);
		free(err);
		return;
	}
	if (client->asks_only && strcmp(client->command.request.words[0], "status") != 0) {
		answer(client, false, "only for the status");
		return;
	}
	out = open_memstream(&records, &size);
	if (!out) {
		answer(client, false, strerror(errno));
		return;
	}
	master_command_begin(&client->command, &client->peer, out);
	if (fclose(out) == 0)
		evbuffer_add(bufferevent_get_output(client->bev), records, size);
	free(records);
	answer_if_done(client);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct client *client = arg;
	char *line;
	size_t len;

	if (client->command.state != COMMAND_NONE) {
		evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
	if (line) {
		obey(client, line, len);
		free(line);
		master_settle();
	} else if (evbuffer_get_length(input) >= CONTROL_LINE_BYTES) {
		answer(client, false, "the request is too long");
	}
}

/* Who closed only its own direction still waits for the answer (unix(7): no POLLHUP). */
static bool
still_listens(struct client *client)
{
	struct pollfd pfd = { .fd = bufferevent_getfd(client->bev) };

	return client->command.state != COMMAND_NONE && poll(&pfd, 1, 0) == 0;
}

/* End of file, an error, or its time is over. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	if ((what & BEV_EVENT_EOF) && still_listens(client))
		bufferevent_disable(bev, EV_READ);
	else
		leave(client);
}

/*
 * Somebody makes room, so that status and stop always get in: who has not asked yet or
 * reads slowly, the oldest first; else the one that has waited longest.
 */
static void
make_room(void)
{
	struct client *slow = self.clients;

	if (self.n < CLIENTS_MAX)
		return;
	while (slow && slow->command.state != COMMAND_NONE && !slow->answered)
		slow = slow->next;
	drop(slow ? slow : self.clients);
}

void
master_control_serve(int fd, const struct ucred *peer, bool asks_only)
{
	struct timeval tv = { .tv_sec = ASK_SECONDS };
	struct client *client, **last = &self.clients;
	struct bufferevent *bev;

	make_room();
	bev = bufferevent_socket_new(master.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		close(fd);
		return;
	}
	client = util_calloc(1, sizeof(*client));
	client->bev = bev;
	client->peer = *peer;
	client->asks_only = asks_only;
	while (*last)
		last = &(*last)->next;
	*last = client;
	self.n++;
	bufferevent_setcb(bev, on_read, on_written, on_event, client);
	bufferevent_setwatermark(bev, EV_READ, 0, CONTROL_LINE_BYTES);
	bufferevent_set_timeouts(bev, &tv, &tv);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void
refuse(int fd, const struct ucred *peer)
{
	static const char why[] = "failed permission denied: it takes root or the control_group\n";

	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (log_limit_pass(&limit, REFUSED_LOG_MS, &held_back))
		log_notice("control: uid %d pid %d is refused: neither root nor in control_group%s",
			   (int)peer->uid, (int)peer->pid, log_limit_more(held_back, more));
	send(fd, why, sizeof(why) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
on_client(int fd, const struct ucred *peer)
{
	if (may_speak(fd, peer))
		master_control_serve(fd, peer, false);
	else
		refuse(fd, peer);
}

static struct master_door door = { .on_client = on_client };

/* ---- the socket ---- */

/* In the foreground only if somebody asks for it. */
static bool
is_wanted(const struct conf *conf)
{
	return master.options.control_socket || !master.options.foreground ||
	       conf->set[conf_option_index(&conf_global_section, "control_socket")].file;
}

int
master_control_open(char **err)
{
	const struct conf *conf = master.plan->conf;
	const char *given = master.options.control_socket, *path = given;
	struct address address;
	char *why = NULL;

	if (!conf || !is_wanted(conf))
		return 0;
	if (!path)
		path = conf->control_socket;
	if (address_parse(path, &address, &why) == 0) {
		if (self.listener && address_equal(&self.listener->address, &address))
			return 0;
		master.control_new = master_handover_control(&address, &why);
	}
	if (!master.control_new && !why)
		master.control_new = listener_open(&address, &master.plan->control, &why);
	if (master.control_new)
		return 0;
	return given ? reload_fail_flag("-s", why, err)
		     : reload_fail_global(conf, "control_socket", why, err);
}

static void
close_socket(void)
{
	master_door_close(&door);
	listener_release(self.listener);
	self.listener = NULL;
}

void
master_control_change(const struct listener_options *options)
{
	if (!self.listener)
		return;
	if (!is_wanted(master.plan->conf)) {
		close_socket();
		return;
	}
	self.group = options->group;
	listener_change(self.listener, options);
}

void
master_control_adopt(struct listener *listener)
{
	close_socket();
	self.listener = listener;
	self.group = listener->options.group;
	master_door_open(&door, listener->fd);
}

void
master_control_own(void)
{
	if (self.listener && self.listener->inherited)
		listener_own(self.listener);
}

int
master_control_fd(void)
{
	return self.listener ? self.listener->fd : -1;
}

void
master_control_give_up(bool taken)
{
	if (self.listener && taken)
		listener_give_away(self.listener);
	close_socket();
}

/* The event loop has ended: what is left to say is said without it. */
static void
end_client(struct client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);

	master_command_end(&client->command);
	answer_if_done(client);
	bufferevent_disable(client->bev, EV_READ | EV_WRITE);
	evbuffer_unfreeze(output, 1); /* bufferevents keep theirs for themselves */
	evbuffer_write(output, bufferevent_getfd(client->bev));
}

void
master_control_end(void)
{
	close_socket();
	while (self.clients) {
		if (self.clients->bev)
			end_client(self.clients);
		drop(self.clients);
	}
}
