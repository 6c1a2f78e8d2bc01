#include "http_log_item.h"

#include "layout.h"
#include "local_time.h"
#include "util.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define US            1000000 /* in a second */
#define APACHE_TIME   "[%d/%b/%Y:%H:%M:%S %z]"
#define JSON_TIME     "%Y-%m-%dT%H:%M:%S"
#define JSON_FRACTION "." /* three digits and Z follow */

static const struct http_text absent;

/* ---- what was asked for ---------------------------------------------------------------- */

static struct http_text
uri(const struct http_head *head)
{
	return head->origin.at ? head->origin : head->target;
}

/* Where the query begins; the length without one. */
static size_t
path_len(struct http_text text)
{
	const char *query = text.len > 0 ? memchr(text.at, '?', text.len) : NULL;

	return query ? (size_t)(query - text.at) : text.len;
}

/* An empty one is there, since %U%q must not become "/-". */
static struct http_text
query(struct http_text text)
{
	size_t n = path_len(text);

	return text.at ? (struct http_text){ text.at + n, text.len - n } : absent;
}

/* As it was sent, also a version that cannot be served. */
static struct http_text
protocol(struct http_text line)
{
	static const char prefix[] = "HTTP/";
	size_t at = line.len;

	while (at > 0 && line.at[at - 1] != ' ')
		at--;
	if (at == 0 || line.len - at < strlen(prefix) ||
	    memcmp(line.at + at, prefix, strlen(prefix)) != 0)
		return absent;
	return (struct http_text){ line.at + at, line.len - at };
}

static struct http_text
of_request(char letter, const char *name, const struct http_head *head)
{
	switch (letter) {
	case 'H':
		return head->method_text.at ? protocol(head->request_line) : absent;
	case 'i':
		return http_head_get(head, name);
	case 'm':
		return head->method_text;
	case 'q':
		return query(uri(head));
	case 'r':
		return head->request_line;
	case 'U':
		return uri(head).at ? (struct http_text){ uri(head).at, path_len(uri(head)) }
				    : absent;
	case HTTP_LOG_TARGET:
		return head->target.at ? head->target : head->request_line;
	default:
		return absent;
	}
}

/* ---- what was answered ------------------------------------------------------------------- */

/* Of a head that we made: each line ends with CRLF, and has a colon but for the first. */
static struct http_text
reply_field(struct http_text reply, const char *name)
{
	const char *at = reply.at ? reply.at : "", *end = at + reply.len, *lf;
	size_t len = strlen(name);

	while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
		at = lf + 1;
		if ((size_t)(end - at) <= len || strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		at += len + 1;
		lf = memchr(at, '\r', (size_t)(end - at));
		return http_text_trim((struct http_text){ at, (size_t)((lf ? lf : end) - at) });
	}
	return absent;
}

static struct http_text
text_of(const struct http_log_item *item, const struct http_log_entry *entry)
{
	switch (item->letter) {
	case 'a':
	case 'h':
		return entry->client;
	case 'A':
		return entry->local;
	case 'o':
		return reply_field(entry->reply, item->name);
	case 'u':
		return entry->user;
	case 'v':
		return entry->server;
	case 'V':
		return entry->head && entry->head->authority.len > 0 ? entry->head->authority
								     : entry->server;
	case 'X':
		return (struct http_text){ &entry->connection, 1 };
	default:
		return entry->head ? of_request(item->letter, item->name, entry->head) : absent;
	}
}

static void
put_text(struct http_log_line *line, const struct http_log_item *item, struct http_text text)
{
	bool json = item->style == HTTP_LOG_JSON;

	if (!text.at || (text.len == 0 && item->style == HTTP_LOG_BARE && item->letter != 'q')) {
		http_log_string(line, json ? "null" : "-");
		return;
	}
	if (json)
		http_log_raw(line, "\"", 1);
	http_log_text(line, text, item->style);
	if (json)
		http_log_raw(line, "\"", 1);
}

/* ---- numbers and times --------------------------------------------------------------------- */

static bool
number_of(char letter, const struct http_log_entry *entry, int64_t *number)
{
	switch (letter) {
	case 'b':
	case 'B':
		*number = entry->body;
		return true;
	case 'D':
		*number = entry->took_us;
		return true;
	case 'I':
		*number = entry->received;
		return true;
	case 'k':
		*number = entry->nth;
		return true;
	case 'O':
		*number = entry->sent;
		return true;
	case 'P':
		*number = entry->pid;
		return true;
	case 'p':
		*number = entry->port;
		return true;
	case 's':
		*number = entry->status;
		return true;
	default:
		return false;
	}
}

/* Rounded down, before 1970 too. */
static int64_t
divide(int64_t number, int64_t by, int64_t *rest)
{
	*rest = number % by;
	if (*rest < 0)
		*rest += by;
	return (number - *rest) / by;
}

/* The text of the second that was asked for last. */
struct time_text {
	const struct http_log_item *item;
	int64_t second;
	size_t len;
	char text[HTTP_LOG_ITEM_BYTES];
};

static struct time_text shown PER_WORKER;

/* false: it is longer than an item may be, or empty. */
static bool
make_time(struct time_text *made, const struct http_log_item *item, int64_t second)
{
	bool is_json = item->style == HTTP_LOG_JSON;
	struct tm tm;

	*made = (struct time_text){ .item = item, .second = second };
	if (is_json ? utc_time(second, &tm) : local_time(second, &tm)) {
/* The format is the administrator's, and was tried when it was compiled. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		made->len = strftime(made->text, sizeof(made->text), item->name, &tm);
#pragma GCC diagnostic pop
	}
	made->text[made->len] = '\0';
	return made->len > 0;
}

static void
put_time(struct http_log_line *line, const struct http_log_item *item, int64_t us)
{
	int64_t rest, second = divide(us, US, &rest);

	if (shown.item != item || shown.second != second)
		make_time(&shown, item, second);
	if (item->style != HTTP_LOG_JSON) {
		http_log_raw(line, shown.text, shown.len);
		return;
	}
	http_log_raw(line, "\"", 1);
	http_log_raw(line, shown.text, shown.len);
	http_log_string(line, JSON_FRACTION);
	http_log_number(line, rest / 1000, 3);
	http_log_string(line, "Z\"");
}

HOT void
http_log_item_put(struct http_log_line *line, const struct http_log_item *item,
		  const struct http_log_entry *entry)
{
	int64_t us = item->letter == 't' ? entry->began_us : entry->took_us, number;

	if (item->letter == HTTP_LOG_LITERAL) {
		http_log_raw(line, item->name ? item->name : item->text, item->len);
	} else if (item->divide > 0) {
		number = divide(us, item->divide, &us);
		if (item->modulo > 0)
			divide(number, item->modulo, &number);
		http_log_number(line, number, item->digits);
	} else if (item->letter == 't') {
		put_time(line, item, us);
	} else if (number_of(item->letter, entry, &number)) {
		if (number == 0 && (item->letter == 'b' || item->letter == 's'))
			http_log_string(line, item->style == HTTP_LOG_JSON ? "null" : "-");
		else
			http_log_number(line, number, 1);
	} else {
		put_text(line, item, text_of(item, entry));
	}
}

/* ---- from the format ------------------------------------------------------------------------ */

static bool
set_unit(struct http_log_item *item, const char *name)
{
	static const struct {
		char letter;
		const char *name;
		int64_t divide, modulo;
		unsigned digits;
	} units[] = {
		{ 'T', "s", US, 0, 1 },
		{ 'T', "ms", 1000, 0, 1 },
		{ 'T', "us", 1, 0, 1 },
		{ 't', "sec", US, 0, 1 },
		{ 't', "msec", 1000, 0, 1 },
		{ 't', "usec", 1, 0, 1 },
		{ 't', "msec_frac", 1000, 1000, 3 },
		{ 't', "usec_frac", 1, US, 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].letter == item->letter && strcmp(units[i].name, name) == 0) {
			item->divide = units[i].divide;
			item->modulo = units[i].modulo;
			item->digits = units[i].digits;
			return true;
		}
	return false;
}

static int
set_time(const struct http_log_item *item, char **err)
{
	struct time_text made;

	if (strncmp(item->name, "begin:", 6) == 0 || strncmp(item->name, "end:", 4) == 0)
		return util_fail(err, "times have no begin: and end:");
	if (!make_time(&made, item, 0))
		return util_fail(err, "the time is empty, or longer than %d bytes",
				 HTTP_LOG_ITEM_BYTES - 1);
	for (const char *p = made.text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return util_fail(err, "the time has a control character");
	return 0;
}

int
http_log_item_set(struct http_log_item *item, char letter, const char *name, char **err)
{
	bool field = letter == 'i' || letter == 'o';

	if (!strchr("aAbBDhHiIklmoOpPqrstTuUvVX", letter) && letter != HTTP_LOG_TARGET)
		return util_fail(err, "there is no such letter");
	if (field && (!name || !http_text_is_token((struct http_text){ name, strlen(name) })))
		return util_fail(err, "it needs the name of a field, as %%{Referer}i");
	if (!field && name && letter != 't' && letter != 'T')
		return util_fail(err, "this letter has no name");
	if (!name && letter == 't')
		name = item->style == HTTP_LOG_JSON ? JSON_TIME : APACHE_TIME;
	if (!name && letter == 'T')
		name = "s";
	shown.item = NULL; /* it may have been this one's before */
	item->letter = letter;
	item->name = util_strdup(name);
	if (!name || field || set_unit(item, name))
		return 0;
	return letter == 't' ? set_time(item, err) : util_fail(err, "the unit is s, ms or us");
}
