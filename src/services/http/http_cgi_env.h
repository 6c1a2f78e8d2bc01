/*
 * The environment of a CGI script: the meta-variables of RFC 3875 4.1 and those that scripts
 * expect since Apache sets them.  Pure.
 */
#ifndef PREFORKD_HTTP_CGI_ENV_H
#define PREFORKD_HTTP_CGI_ENV_H

#include "http_head.h"
#include "http_target.h"

#include <sys/socket.h>

/* Beside the fixed part, which has as many variables as that at most. */
#define HTTP_CGI_ENV_BYTES     655360
#define HTTP_CGI_ENV_FIXED_MAX 1024

struct http_cgi_request {
	const struct http_head *head;     /* the fields, the version, the host */
	const struct http_target *target; /* of the script: path and query */
	struct http_text method;          /* after a local redirect no longer the head's ... */
	struct http_text uri;             /* ... while this one is: its origin */
	size_t script_name_len; /* of the target's path; PATH_INFO is the rest, and may be empty */
	const char *script_filename, *document_root;
	const char *server_admin;            /* or NULL */
	const char *server_name;             /* of the site; or NULL */
	char *const *server_alias;           /* its further names, wildcards too; or NULL */
	int64_t content_length;              /* -1: there is no body */
	struct http_text user;               /* proven; at NULL: none */
	const struct sockaddr *peer, *local; /* any that is not IP is a Unix socket */
	bool pass_authorization;
	bool redirected; /* locally: the body was another script's, and so is its type */
	bool tls;        /* the client speaks it, with a proxy that has said so */
};

/*
 * fixed ("NAME=VALUE", no name twice) stands first, and what it has is not set again.  The
 * list lives in static memory, until the next call, and has no name twice.  NULL: a variable
 * is longer than execve(2) takes (131,071 bytes), which only fields can make it, or there
 * is no room, which does not happen with what http_head_parse() lets through.
 */
char *const *http_cgi_env(char *const *fixed, const struct http_cgi_request *r);

/*
 * "NAME" or "NAME=VALUE" is the request's alone: the configuration may not set it, neither in
 * the place of the request's own nor where a request has none.  Not so are DOCUMENT_ROOT,
 * SCRIPT_FILENAME, SERVER_ADMIN, HTTPS and REQUEST_SCHEME.
 */
bool http_cgi_env_is_reserved(const char *assignment);

#endif
