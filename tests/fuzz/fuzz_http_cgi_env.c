/*
 * The environment that comes of the head of a request: whatever that is, no variable stands
 * there twice, none is another one in disguise, and each has the fields of its name and
 * nothing else.
 */
#include "http_cgi_env.h"
#include "util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 100

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
value_of(char *const *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return *list + len + 1;
	return NULL;
}

static void
check_names(char *const *list)
{
	for (size_t i = 0; list[i]; i++) {
		size_t len = strcspn(list[i], "=");

		MUST(len > 0 && list[i][len] == '=');
		for (size_t j = 0; j < len; j++)
			MUST(isupper(list[i][j]) || isdigit(list[i][j]) || list[i][j] == '_');
		for (size_t j = 0; j < i; j++)
			MUST(strncmp(list[i], list[j], len + 1) != 0);
	}
	MUST(!value_of(list, "HTTP_PROXY") && !value_of(list, "REMOTE_IDENT"));
	MUST(!value_of(list, "HTTP_CONTENT_LENGTH") && !value_of(list, "HTTP_CONTENT_TYPE"));
	MUST(!value_of(list, "HTTP_CONNECTION") && !value_of(list, "HTTP_TRANSFER_ENCODING"));
}

static bool
may_be_missing(struct http_text name)
{
	static const char *const names[] = {
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
		"Authorization",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (http_text_is_nocase(name, names[i]))
			return true;
	return false;
}

/* The simple way: each field with all others. */
static void
check_field(char *const *list, const struct http_head *head, const struct http_field *field)
{
	char *name = util_calloc(1, field->name.len + 6);
	bool cookie = http_text_is_nocase(field->name, "Cookie"), first = true;
	const char *at;

	memcpy(name, "HTTP_", 5);
	for (size_t i = 0; i < field->name.len; i++)
		name[5 + i] = field->name.at[i] == '-' ? '_' : (char)toupper(field->name.at[i]);
	at = value_of(list, name);
	free(name);
	if (http_text_is_nocase(field->name, "Host")) {
		MUST(at && memchr(at, '/', strlen(at)) == NULL);
		return;
	}
	for (size_t i = 0; at && i < head->nfields; i++) {
		const struct http_field *other = &head->fields[i];

		if (!http_text_equal_nocase(other->name, field->name))
			continue;
		if (!first) {
			MUST(strncmp(at, cookie ? "; " : ", ", 2) == 0);
			at += 2;
		}
		MUST(strncmp(at, other->value.at, other->value.len) == 0);
		at += other->value.len;
		first = false;
	}
	MUST(at ? *at == '\0' : may_be_missing(field->name));
}

static void
check_fields(char *const *list, const struct http_head *head)
{
	size_t names = 0;

	for (size_t i = 0; i < head->nfields; i++) {
		struct http_text name = head->fields[i].name;
		size_t len = 0;

		while (len < name.len &&
		       (isalnum((unsigned char)name.at[len]) || name.at[len] == '-'))
			len++;
		if (len == name.len)
			check_field(list, head, &head->fields[i]);
	}
	for (; *list; list++)
		names += strncmp(*list, "HTTP_", 5) == 0;
	MUST(names <= head->nfields);
}

static void
check_path(char *const *list, const struct http_target *target)
{
	const char *name = value_of(list, "SCRIPT_NAME"), *info = value_of(list, "PATH_INFO");
	const char *server = value_of(list, "SERVER_NAME");

	MUST(name && strncmp(name, target->path, strlen(name)) == 0);
	MUST(strcmp(info ? info : "", target->path + strlen(name)) == 0);
	MUST(!info == !value_of(list, "PATH_TRANSLATED") && (!info || *info));
	MUST(value_of(list, "QUERY_STRING") && value_of(list, "REQUEST_URI")[0] == '/');
	MUST(server && *server);
	for (; *server; server++)
		MUST(isalnum((unsigned char)*server) || strchr("-.[]:_", *server));
}

static void
check(const struct http_head *head, const struct http_target *target)
{
	static char path[] = "PATH=/bin", https[] = "HTTPS=on";
	static char *const fixed[][3] = { { NULL }, { path, https, NULL } };
	static const struct sockaddr_in v4 = { .sin_family = AF_INET };
	static const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	static const struct sockaddr un = { .sa_family = AF_UNIX };
	static const struct sockaddr *const locals[] = { (const void *)&v4, (const void *)&v6,
							 &un };

	for (size_t i = 0; i < ARRAY_LEN(locals); i++) {
		struct http_cgi_request r = {
			.head = head,
			.target = target,
			.method = head->method_text,
			.uri = head->origin,
			.script_name_len = target->len * i / 2,
			.script_filename = "/srv/x",
			.document_root = i == 1 ? "/" : "/srv",
			.server_name = i == 1 ? "my_name" : NULL,
			.content_length = head->framing == HTTP_NO_BODY ? -1 : head->content_length,
			.user = { i == 2 ? "ann" : NULL, i == 2 ? 3 : 0 },
			.peer = locals[i],
			.local = locals[i],
			.pass_authorization = i == 1,
		};
		char *const *list = http_cgi_env(fixed[i % 2], &r);

		MUST(list != NULL);
		MUST(i % 2 == 0 || list[1] == fixed[1][1]);
		check_names(list);
		check_fields(list, head);
		check_path(list, target);
		MUST(i == 1 || !value_of(list, "HTTP_AUTHORIZATION"));
		MUST(!value_of(list, "REMOTE_USER") == (i != 2));
		MUST(!value_of(list, "CONTENT_LENGTH") == (head->framing == HTTP_NO_BODY));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits limits = { 8190, 8190, FIELDS };
	static struct http_target target;
	struct http_field fields[FIELDS];
	struct http_head head = { .fields = fields };
	/* In memory of just its size, so that a read behind its end is seen. */
	char *buf = util_calloc(1, size > 0 ? size : 1);
	size_t scanned = 0, used;
	const char *why;
	int status;

	if (size > 0)
		memcpy(buf, data, size);
	/* "OPTIONS *" is no script's. */
	if (http_head_parse(&head, buf, size, &limits, &scanned, &used, &status, &why) ==
		HTTP_DONE &&
	    head.origin.at && http_target_parse(head.origin, &target) == 0)
		check(&head, &target);
	free(buf);
	return 0;
}
