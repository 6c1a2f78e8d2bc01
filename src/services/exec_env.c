#include "exec_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_VARIABLES 16
#define VARIABLE_BYTES       (256 + 32) /* the longest texts are those of a proxy_header */

static bool
same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=';
}

static void
set(char ***list, const char *assignment)
{
	for (size_t i = 0; *list && (*list)[i]; i++)
		if (same_name(assignment, (*list)[i])) {
			free((*list)[i]);
			(*list)[i] = util_strdup(assignment);
			return;
		}
	util_list_add(list, assignment);
}

static void
set_pair(char ***list, const char *name, const char *value)
{
	char *assignment = util_format("%s=%s", name, value);

	set(list, assignment);
	free(assignment);
}

void
exec_env_extend(char ***list, char *const *pass, char *const *assignments)
{
	for (size_t i = 0; pass && pass[i]; i++) {
		const char *value = getenv(pass[i]);

		if (value)
			set_pair(list, pass[i], value);
	}
	for (size_t i = 0; assignments && assignments[i]; i++)
		set(list, assignments[i]);
}

char **
exec_env_fixed(const struct conf_pool *conf, const struct identity *id)
{
	char **list = NULL;

	set_pair(&list, "PATH",
		 id->uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
			      : "/usr/local/bin:/usr/bin:/bin");
	set_pair(&list, "HOME", id->home);
	set_pair(&list, "USER", id->user);
	set_pair(&list, "LOGNAME", id->user);
	set_pair(&list, "SHELL", id->shell);
	exec_env_extend(&list, conf->pass_environment, conf->environment);
	return list;
}

const char *const exec_env_of_connection[] = {
	"PROTO",
	"TCPREMOTEIP",
	"TCPREMOTEPORT",
	"TCPLOCALIP",
	"TCPLOCALPORT",
	"REMOTE_ADDR",
	"REMOTE_PORT",
	"TCPCONNNUM",
	"UNIXLOCALPATH",
	"UNIXREMOTEPID",
	"UNIXREMOTEEUID",
	"UNIXREMOTEEGID",
	"SSL_PROTOCOL",
	"SSL_CIPHER",
	"SSL_TLS_SNI_SERVERNAME",
	"SSL_CLIENT_S_DN_CN",
	NULL,
};

const char *const exec_env_of_lookup[] = { "REMOTE_HOST", "TCPREMOTEHOST", NULL };

int
exec_env_refuse(const struct conf_pool *conf, const char *const *names, const char *why, char **err)
{
	for (size_t i = 0; names[i]; i++) {
		const char *option = NULL;

		if (exec_env_get(conf->environment, names[i]))
			option = "environment";
		else if (util_list_has(conf->pass_environment, names[i]))
			option = "pass_environment";
		if (option)
			return conf_pool_fail(conf, option, util_format("%s %s", names[i], why),
					      err);
	}
	return 0;
}

const char *
exec_env_get(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; environment && environment[i]; i++)
		if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=')
			return environment[i] + len + 1;
	return NULL;
}

struct exec_env {
	size_t n;   /* of the fixed part, which list begins with */
	char *text; /* behind the list */
	char *list[];
};

struct exec_env *
exec_env_new(char *const *fixed, char *const *more)
{
	size_t n = util_list_len(fixed);
	size_t bytes = (n + CONNECTION_VARIABLES + util_list_len(more) + 1) * sizeof(char *);
	struct exec_env *env =
	    util_calloc(1, sizeof(*env) + bytes + CONNECTION_VARIABLES * VARIABLE_BYTES);

	env->n = n;
	env->text = (char *)env->list + bytes;
	memcpy(env->list, fixed, n * sizeof(char *));
	return env;
}

/* The variables of a connection, as they are added. */
struct variables {
	char **next, *text;
};

static void
added(struct variables *v, int len)
{
	*v->next++ = v->text;
	v->text += util_min(len, VARIABLE_BYTES - 1) + 1;
}

static void
add(struct variables *v, const char *name, const char *value)
{
	added(v, snprintf(v->text, VARIABLE_BYTES, "%s=%s", name, value));
}

static void
add_number(struct variables *v, const char *name, unsigned long value)
{
	added(v, snprintf(v->text, VARIABLE_BYTES, "%s=%lu", name, value));
}

static void
add_if_known(struct variables *v, const char *name, const char *value)
{
	if (value[0])
		add(v, name, value);
}

static void
add_tcp(struct variables *v, const struct exec_facts *f)
{
	add(v, "PROTO", "TCP");
	add_if_known(v, "TCPREMOTEIP", f->remote_ip);
	add_if_known(v, "TCPREMOTEPORT", f->remote_port);
	add_if_known(v, "REMOTE_ADDR", f->remote_ip);
	add_if_known(v, "REMOTE_PORT", f->remote_port);
	add_if_known(v, "TCPLOCALIP", f->local_ip);
	add_if_known(v, "TCPLOCALPORT", f->local_port);
	add_if_known(v, "TCPREMOTEHOST", f->remote_host);
	add_if_known(v, "REMOTE_HOST", f->remote_host);
	add_if_known(v, "TCPLOCALHOST", f->local_host);
	add_number(v, "TCPCONNNUM", f->connections);
}

static void
add_unix(struct variables *v, const struct exec_facts *f, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	add(v, "PROTO", "UNIX");
	add_if_known(v, "UNIXLOCALPATH", f->local_path);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	add_number(v, "UNIXREMOTEPID", (unsigned long)peer.pid);
	add_number(v, "UNIXREMOTEEUID", peer.uid);
	add_number(v, "UNIXREMOTEEGID", peer.gid);
}

/* In the words of s6-tlsd and, for the certificate, of Apache. */
static void
add_tls(struct variables *v, const struct proxy_header *proxy)
{
	if (!proxy->tls)
		return;
	add_if_known(v, "SSL_PROTOCOL", proxy->tls_version);
	add_if_known(v, "SSL_CIPHER", proxy->tls_cipher);
	add_if_known(v, "SSL_TLS_SNI_SERVERNAME", proxy->authority);
	add_if_known(v, "SSL_CLIENT_S_DN_CN", proxy->common_name);
}

char *const *
exec_env_for(struct exec_env *env, char *const *more, const struct conn *conn,
	     const struct exec_facts *facts)
{
	struct variables v = { env->list + env->n, env->text };

	if (conn->peer->sa_family == AF_UNIX)
		add_unix(&v, facts, conn->fd);
	else
		add_tcp(&v, facts);
	if (conn->proxy)
		add_tls(&v, conn->proxy);
	while (more && *more)
		*v.next++ = *more++;
	*v.next = NULL;
	return env->list;
}
