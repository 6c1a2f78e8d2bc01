/*
 * The environment of a program that serves a connection: the user's part, fixed for
 * all connections, and the connection's part, in the words of UCSPI and CGI.
 */
#ifndef PREFORKD_SERVICES_EXEC_ENV_H
#define PREFORKD_SERVICES_EXEC_ENV_H

#include "exec_facts.h"

/* PATH HOME USER LOGNAME SHELL, then pass_environment, then environment; later ones win. */
char **exec_env_fixed(const struct conf_pool *conf, const struct identity *id);

/* The same for more of both lists; NULL: none. */
void exec_env_extend(char ***list, char *const *pass, char *const *assignments);

/* Refuses a pool that sets one of the names or passes it on, as why says.  -1 with *err. */
int exec_env_refuse(const struct conf_pool *conf, const char *const *names, const char *why,
		    char **err);

/* The names that each connection sets, and those that hostname_lookup does; NULL at the end. */
extern const char *const exec_env_of_connection[], *const exec_env_of_lookup[];

/* The value of NAME, or NULL. */
const char *exec_env_get(char *const *environment, const char *name);

/*
 * The environment of a worker's programs, one after the other: the fixed part, with room for
 * a connection's and for as many as there are in more (NULL: none).  To be made in the
 * master: a worker that never calls malloc(3) has fewer pages of its own.  free(3) frees it,
 * and the fixed part must stay as long.
 */
struct exec_env *exec_env_new(char *const *fixed, char *const *more);

/*
 * The fixed part with PROTO, TCPREMOTEIP ... of the connection behind it, behind a proxy
 * what that says of TLS, and more (at most as many as there was room made for).  Until the
 * next call.
 */
char *const *exec_env_for(struct exec_env *env, char *const *more, const struct conn *conn,
			  const struct exec_facts *facts);

#endif
