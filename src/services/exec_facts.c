#include "exec_facts.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define LOG_MS 10000

/* ---- names ---- */

/* -1: it takes longer than until, or there is no way to ask; then the name is "". */
static int
look_up(const struct service_setup *setup, const struct conn *conn, const char *ip, bool twice,
	int64_t until, char name[HOSTNAME_BYTES])
{
	static const char doing[] = "looks up names";
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES];
	unsigned held_back;
	int error;

	scoreboard_say(setup->slot, doing, strlen(doing));
	if (hostname_find(ip, twice, util_max(until - util_now_ms(), 0), name) == 0)
		return 0;
	error = errno;
	if (log_limit_pass(&setup->scoreboard->lookup_limit, LOG_MS, &held_back))
		log_notice("pool %s: %s: no name of %s: %s%s", setup->pool,
			   address_format(conn->peer, conn->peer_len, client), ip,
			   error == ETIME ? "it takes longer than hostname_timeout"
					  : strerror(error),
			   log_limit_more(held_back, more));
	return -1;
}

/* It is the same for most connections, and does not change while a worker lives. */
static void
look_up_local(const struct service_setup *setup, const struct conn *conn, int64_t until,
	      struct exec_facts *f)
{
	static struct {
		char ip[ADDRESS_TEXT_BYTES], name[HOSTNAME_BYTES];
	} known;

	if (strcmp(known.ip, f->local_ip) != 0) {
		if (util_now_ms() >= until)
			return;
		memcpy(known.ip, f->local_ip, sizeof(known.ip));
		if (look_up(setup, conn, known.ip, false, until, known.name) < 0)
			known.ip[0] = '\0'; /* the next connection may learn it */
	}
	memcpy(f->local_host, known.name, sizeof(known.name));
}

static void
look_up_both(const struct service_setup *setup, const struct conn *conn, bool wants_local_host,
	     struct exec_facts *f)
{
	const struct conf_service_exec *conf = &setup->conf->exec;
	int64_t until = util_now_ms() + conf->hostname_timeout;
	bool twice = conf->hostname_lookup == CONF_LOOKUP_DOUBLE;

	if (conf->hostname_lookup == CONF_LOOKUP_OFF || !f->remote_ip[0])
		return;
	look_up(setup, conn, f->remote_ip, twice, until, f->remote_host);
	if (f->remote_host[0])
		log_info("pool %s: %s is %s", setup->pool, f->remote_ip, f->remote_host);
	if (wants_local_host && f->local_ip[0])
		look_up_local(setup, conn, until, f);
}

/* ---- the number of connections ---- */

static size_t
slot_of(const struct service_setup *setup)
{
	return (size_t)(setup->slot - setup->scoreboard->slots);
}

/* With max_connections_per_source it is claimed already, by who has let it in. */
static unsigned
count(const struct service_setup *setup, const struct conn *conn)
{
	struct source_claims *claims = &setup->scoreboard->sources;
	size_t slot = slot_of(setup);

	if (setup->conf->max_connections_per_source == 0)
		source_claim(claims, slot, source_of(conn->peer, conn->fd), UINT_MAX);
	return source_count(claims, slot);
}

void
exec_facts_end(const struct service_setup *setup)
{
	if (setup->conf->max_connections_per_source == 0)
		source_release(&setup->scoreboard->sources, slot_of(setup));
}

/* ---- addresses ---- */

static void
note_local(const struct conn *conn, struct exec_facts *f)
{
	struct sockaddr_storage local;
	socklen_t len = conn_local(conn, &local);

	if (len == 0 || address_split((struct sockaddr *)&local, f->local_ip, f->local_port))
		return;
	f->local_ip[0] = f->local_port[0] = '\0';
	address_format((struct sockaddr *)&local, len, f->local_path);
	if (f->local_path[0] != '/')
		f->local_path[0] = '\0';
}

void
exec_facts_begin(const struct service_setup *setup, const struct conn *conn, bool wants_local_host,
		 struct exec_facts *f)
{
	f->remote_ip[0] = f->remote_port[0] = f->local_ip[0] = f->local_port[0] = '\0';
	f->remote_host[0] = f->local_host[0] = f->local_path[0] = '\0';
	if (!address_split(conn->peer, f->remote_ip, f->remote_port))
		f->remote_ip[0] = f->remote_port[0] = '\0';
	note_local(conn, f);
	f->connections = count(setup, conn);
	look_up_both(setup, conn, wants_local_host, f);
}
