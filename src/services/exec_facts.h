/*
 * What exec knows of a connection, as text: for variables and for words.
 */
#ifndef PREFORKD_SERVICES_EXEC_FACTS_H
#define PREFORKD_SERVICES_EXEC_FACTS_H

#include "address.h"
#include "hostname.h"
#include "service.h"

/* Each text is "" if that is not known. */
struct exec_facts {
	char remote_ip[ADDRESS_TEXT_BYTES], remote_port[8];
	char local_ip[ADDRESS_TEXT_BYTES], local_port[8];
	char remote_host[HOSTNAME_BYTES], local_host[HOSTNAME_BYTES];
	char local_path[ADDRESS_TEXT_BYTES]; /* of a Unix socket */
	/* From its source, as for max_connections_per_source, with this one; 0: not counted. */
	unsigned connections;
};

/*
 * Counts the connection, until exec_facts_end(), and looks up names as the pool wants it,
 * which may take hostname_timeout; of the local address only if wants_local_host, and once.
 */
void exec_facts_begin(const struct service_setup *setup, const struct conn *conn,
		      bool wants_local_host, struct exec_facts *facts);
void exec_facts_end(const struct service_setup *setup);

#endif
