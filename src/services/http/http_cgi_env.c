#include "http_cgi_env.h"

#include "address.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

#define TEXT(literal) ((struct http_text){ literal, sizeof(literal) - 1 })

#define VARIABLES  32     /* those with a name of their own */
#define STRING_MAX 131071 /* MAX_ARG_STRLEN of Linux with pages of 4 KiB, without the NUL */

/* The list as far as it is made, in memory of which no page is touched without need. */
static struct {
	char *list[HTTP_CGI_ENV_FIXED_MAX + VARIABLES + HTTP_FIELDS_MAX + 1];
	size_t n, nfixed;
	char text[HTTP_CGI_ENV_BYTES];
	size_t len, begin; /* where the variable begins that is being made */
	bool full;
} env;

/*
 * The fields that become variables: the first of each name, sorted; and the next one of the
 * same name, as they came.  0 is nobody's next one.
 */
static struct {
	uint16_t first[HTTP_FIELDS_MAX];
	size_t n;
	uint16_t next[HTTP_FIELDS_MAX];
	uint16_t last[HTTP_FIELDS_MAX]; /* of the name, at its first one */
} names;

static struct http_text
text_of(const char *text)
{
	return (struct http_text){ text, text ? strlen(text) : 0 };
}

/* ---- one variable ------------------------------------------------------------------------- */

/* One byte is always left, for the NUL. */
static void
put(struct http_text text)
{
	if (text.len == 0)
		return;
	if (text.len + 2 > sizeof(env.text) - env.len) {
		env.full = true;
		return;
	}
	memcpy(env.text + env.len, text.at, text.len);
	env.len += text.len;
}

/* Its name is there.  False: the fixed part has it. */
static bool
named(void)
{
	const char *name = env.text + env.begin;

	put(TEXT("="));
	for (size_t i = 0; i < env.nfixed; i++)
		if (strncmp(env.list[i], name, env.len - env.begin) == 0) {
			env.len = env.begin;
			return false;
		}
	return true;
}

static bool
begin(const char *name)
{
	env.begin = env.len;
	put(text_of(name));
	return named();
}

static void
end(void)
{
	env.full |= env.len - env.begin > STRING_MAX;
	if (env.full)
		return;
	env.text[env.len++] = '\0';
	env.list[env.n++] = env.text + env.begin;
}

/* An absent value is no variable. */
static void
set(const char *name, struct http_text value)
{
	if (value.at == NULL || !begin(name))
		return;
	put(value);
	end();
}

static void
set_text(const char *name, const char *value)
{
	set(name, text_of(value));
}

/* ---- fields ------------------------------------------------------------------------------- */

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/*
 * Only names that no other one can be taken for: '-' becomes '_', so '_' is refused.  Not those
 * that are variables of their own, that are about the connection, that hold a password, and
 * not Proxy, since programs take HTTP_PROXY for their configuration (CVE-2016-5385).
 */
static bool
is_passed(struct http_text name, bool authorization)
{
	static const char *const never[] = {
		"Proxy",
		"Content-Type",
		"Content-Length",
		"Connection",
		"Keep-Alive",
		"Proxy-Connection",
		"Proxy-Authorization",
		"TE",
		"Trailer",
		"Transfer-Encoding",
		"Upgrade",
		"Expect",
	};

	for (size_t i = 0; i < name.len; i++)
		if (!is_word(name.at[i]) && name.at[i] != '-')
			return false;
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (http_text_is_nocase(name, never[i]))
			return false;
	return authorization || !http_text_is_nocase(name, "Authorization");
}

/* Of two that pass; of their bytes, 0x20 changes none but letters. */
static int
compare(struct http_text a, struct http_text b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++)
		if ((a.at[i] | 0x20) != (b.at[i] | 0x20))
			return (a.at[i] | 0x20) - (b.at[i] | 0x20);
	return (a.len > b.len) - (a.len < b.len);
}

static void
add_name(const struct http_field *fields, size_t i)
{
	size_t low = 0, high = names.n;

	names.next[i] = 0;
	while (low < high) {
		size_t middle = (low + high) / 2, first = names.first[middle];
		int order = compare(fields[i].name, fields[first].name);

		if (order == 0) {
			names.next[names.last[first]] = (uint16_t)i;
			names.last[first] = (uint16_t)i;
			return;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	memmove(&names.first[low + 1], &names.first[low],
		(names.n++ - low) * sizeof(names.first[0]));
	names.first[low] = names.last[i] = (uint16_t)i;
}

/* RFC 9112 3.2.2: the host of an absolute-form counts, with its port, not that of the field. */
static struct http_text
value_of_host(const struct http_head *head, struct http_text field)
{
	const char *host = head->authority.at, *p = host,
		   *stop = head->target.at + head->target.len;

	if (host == NULL || host < head->target.at || host >= stop)
		return field;
	while (p < stop && *p != '/' && *p != '?')
		p++;
	return (struct http_text){ host, (size_t)(p - host) };
}

static char
upper(char c)
{
	if (c == '-')
		return '_';
	return (char)(c >= 'a' && c <= 'z' ? c & ~0x20 : c);
}

/* The variable of the fields that have the name of that one. */
static void
set_field(const struct http_head *head, size_t i)
{
	const struct http_field *fields = head->fields;
	struct http_text name = fields[i].name;
	bool cookie = http_text_is_nocase(name, "Cookie"); /* RFC 6265 4.2.1 */
	size_t at;

	env.begin = env.len;
	put(TEXT("HTTP_"));
	at = env.len;
	put(name);
	for (; at < env.len; at++)
		env.text[at] = upper(env.text[at]);
	if (!named())
		return;
	if (http_text_is_nocase(name, "Host")) {
		put(value_of_host(head, fields[i].value));
	} else {
		put(fields[i].value);
		while ((i = names.next[i]) != 0) {
			put(cookie ? TEXT("; ") : TEXT(", "));
			put(fields[i].value);
		}
	}
	end();
}

static void
set_fields(const struct http_cgi_request *r)
{
	names.n = 0;
	for (size_t i = 0; i < r->head->nfields; i++)
		if (is_passed(r->head->fields[i].name, r->pass_authorization))
			add_name(r->head->fields, i);
	for (size_t i = 0; i < names.n; i++)
		set_field(r->head, names.first[i]);
}

/* ---- the rest ----------------------------------------------------------------------------- */

/* Labels of letters, digits and '-', which do not begin with that, and so neither ".." nor an
 * option of a program; a dot at the end makes a name absolute. */
static bool
is_name(struct http_text host)
{
	char before = '.';

	for (size_t i = 0; i < host.len; before = host.at[i++])
		if (!is_word(host.at[i]) &&
		    (before == '.' || (host.at[i] != '-' && host.at[i] != '.')))
			return false;
	return host.len > 0;
}

/*
 * A script puts SERVER_NAME into links and mails: what the client made up may only be what is
 * harmless everywhere.
 */
static bool
may_be_server_name(const struct http_cgi_request *r, struct http_text host)
{
	if (host.len > 0 && host.at[0] == '[')
		return true;
	if (r->server_name && http_text_is_nocase(host, r->server_name))
		return true;
	for (char *const *alias = r->server_alias; alias && *alias; alias++)
		if ((*alias)[0] != '*' && http_text_is_nocase(host, *alias))
			return true;
	return is_name(host);
}

/* local: the address, or "" without one. */
static void
set_server_name(const struct http_cgi_request *r, const char *local)
{
	bool literal = strchr(local, ':') != NULL;

	if (may_be_server_name(r, r->head->authority)) {
		set("SERVER_NAME", r->head->authority);
	} else if (r->server_name) {
		set_text("SERVER_NAME", r->server_name);
	} else if (begin("SERVER_NAME")) {
		put(literal ? TEXT("[") : TEXT(""));
		put(*local ? text_of(local) : TEXT("localhost"));
		put(literal ? TEXT("]") : TEXT(""));
		end();
	}
}

static void
set_addresses(const struct http_cgi_request *r)
{
	char host[ADDRESS_TEXT_BYTES], port[8];
	bool ip = address_split(r->peer, host, port);

	set_text("REMOTE_ADDR", ip ? host : "unix:");
	set_text("REMOTE_HOST", ip ? host : "unix:");
	set_text("REMOTE_PORT", ip ? port : NULL);
	ip = address_split(r->local, host, port);
	set_text("SERVER_ADDR", ip ? host : "unix:");
	set_text("SERVER_PORT", ip ? port : "80");
	set_server_name(r, ip ? host : "");
}

static void
set_path(const struct http_cgi_request *r)
{
	const char *path = r->target->path;
	struct http_text info = { path + r->script_name_len, r->target->len - r->script_name_len };
	struct http_text root = text_of(r->document_root);

	set("SCRIPT_NAME", (struct http_text){ path, r->script_name_len });
	set_text("SCRIPT_FILENAME", r->script_filename);
	set("DOCUMENT_ROOT", root);
	if (info.len == 0)
		return;
	set("PATH_INFO", info);
	while (root.len > 0 && root.at[root.len - 1] == '/')
		root.len--;
	if (begin("PATH_TRANSLATED")) {
		put(root);
		put(info);
		end();
	}
}

static void
set_request(const struct http_cgi_request *r)
{
	struct http_text query = r->target->query;
	char length[24];

	set("REQUEST_METHOD", r->method);
	if (begin("REQUEST_URI")) {
		/* An absolute-form need not have a path. */
		put(r->uri.len > 0 && r->uri.at[0] == '?' ? TEXT("/") : TEXT(""));
		put(r->uri);
		end();
	}
	set("QUERY_STRING", query.at ? query : TEXT(""));
	set_text("SERVER_PROTOCOL", r->head->minor > 0 ? "HTTP/1.1" : "HTTP/1.0");
	set_text("REQUEST_SCHEME", r->tls ? "https" : "http");
	if (r->tls)
		set_text("HTTPS", "on");
	if (r->content_length >= 0) {
		snprintf(length, sizeof(length), "%lld", (long long)r->content_length);
		set_text("CONTENT_LENGTH", length);
	}
	if (!r->redirected)
		set("CONTENT_TYPE", http_head_get(r->head, "Content-Type"));
	set_text("AUTH_TYPE", r->user.at ? "Basic" : NULL);
	set("REMOTE_USER", r->user);
}

char *const *
http_cgi_env(char *const *fixed, const struct http_cgi_request *r)
{
	env.n = env.nfixed = util_list_len(fixed);
	env.len = 0;
	env.full = false;
	if (env.nfixed > HTTP_CGI_ENV_FIXED_MAX)
		return NULL;
	memcpy(env.list, fixed, env.nfixed * sizeof(*fixed));
	set_text("GATEWAY_INTERFACE", "CGI/1.1");
	set_text("SERVER_SOFTWARE", "preforkd/" PACKAGE_VERSION);
	set_text("SERVER_ADMIN", r->server_admin);
	set_text("REDIRECT_STATUS", "200"); /* php-cgi refuses to run without it */
	set_addresses(r);
	set_request(r);
	set_path(r);
	set_fields(r);
	env.list[env.n] = NULL;
	return env.full ? NULL : env.list;
}

bool
http_cgi_env_is_reserved(const char *assignment)
{
	static const char *const reserved[] = {
		"AUTH_TYPE",       "CONTENT_LENGTH",  "CONTENT_TYPE", "GATEWAY_INTERFACE",
		"PATH_INFO",       "PATH_TRANSLATED", "QUERY_STRING", "REDIRECT_STATUS",
		"REMOTE_ADDR",     "REMOTE_HOST",     "REMOTE_IDENT", "REMOTE_PORT",
		"REMOTE_USER",     "REQUEST_METHOD",  "REQUEST_URI",  "SCRIPT_NAME",
		"SERVER_ADDR",     "SERVER_NAME",     "SERVER_PORT",  "SERVER_PROTOCOL",
		"SERVER_SOFTWARE",
	};
	struct http_text name = { assignment, strcspn(assignment, "=") };

	if (name.len >= 5 && memcmp(name.at, "HTTP_", 5) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (http_text_is(name, reserved[i]))
			return true;
	return false;
}
