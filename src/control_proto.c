#include "control_proto.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_control((unsigned char)text[i]))
			return true;
	return false;
}

static void
put_escaped(FILE *out, unsigned char c)
{
	fprintf(out, "\\x%02x", c);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: what it stands for is never longer.  A NUL cannot be in a C string: it stays. */
static void
unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (from[0] == '\\' && from[1] == 'x' && (high = hex_digit(from[2])) >= 0 &&
		    (low = hex_digit(from[3])) >= 0 && high + low > 0) {
			*to++ = (char)(high << 4 | low);
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static int
add_word(struct control_request *request, char *word, char **err)
{
	if (strcmp(word, "--no-wait") == 0) {
		request->no_wait = true;
	} else if (strcmp(word, "--now") == 0) {
		request->now = true;
	} else if (word[0] == '-' && word[1] == '-') {
		return util_fail(err, "unknown option %s", word);
	} else if (request->n == CONTROL_WORDS) {
		return util_fail(err, "too many words");
	} else {
		unescape(word);
		if (has_control(word, strlen(word)))
			return util_fail(err, "a control byte in the request");
		request->words[request->n++] = word;
	}
	return 0;
}

int
control_request_parse(struct control_request *request, const char *line, size_t len, char **err)
{
	char *at = request->text;

	memset(request, 0, sizeof(*request));
	if (len >= sizeof(request->text))
		return util_fail(err, "a request has at most %d bytes", CONTROL_LINE_BYTES);
	if (has_control(line, len))
		return util_fail(err, "a control byte in the request");
	memcpy(request->text, line, len);
	while (*at) {
		size_t word = strcspn(at, " ");
		bool last = at[word] == '\0';

		at[word] = '\0';
		if (word > 0 && add_word(request, at, err) < 0)
			return -1;
		at += word + !last;
	}
	return request->n > 0 ? 0 : util_fail(err, "an empty request");
}

static void
write_word(FILE *out, const char *word)
{
	bool like_option = word[0] == '-' && word[1] == '-';

	for (const char *p = word; *p; p++)
		if (*p == ' ' || *p == '\\' || (like_option && p == word))
			put_escaped(out, (unsigned char)*p);
		else
			putc(*p, out);
}

static int
check_words(const struct control_request *request, char **err)
{
	if (request->n == 0 || request->n > CONTROL_WORDS)
		return util_fail(err, "a request has 1 to %d words", CONTROL_WORDS);
	for (size_t i = 0; i < request->n; i++) {
		if (!request->words[i][0])
			return util_fail(err, "an empty word");
		if (has_control(request->words[i], strlen(request->words[i])))
			return util_fail(err, "a control byte in a word");
	}
	return 0;
}

char *
control_request_format(const struct control_request *request, char **err)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out;

	if (check_words(request, err) < 0)
		return NULL;
	out = open_memstream(&line, &len);
	if (!out) {
		util_fail(err, "%s", strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < request->n; i++) {
		if (i > 0)
			putc(' ', out);
		write_word(out, request->words[i]);
	}
	fprintf(out, "%s%s\n", request->now ? " --now" : "", request->no_wait ? " --no-wait" : "");
	fclose(out);
	if (len <= CONTROL_LINE_BYTES)
		return line;
	free(line);
	util_fail(err, "a request has at most %d bytes", CONTROL_LINE_BYTES);
	return NULL;
}

void
control_record_begin(FILE *out, const char *kind)
{
	fputs(kind, out);
}

void
control_record_text(FILE *out, const char *key, const char *value)
{
	fprintf(out, "\t%s=", key);
	for (; value && *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (is_control(c) || c == '\\')
			put_escaped(out, c);
		else
			putc(c, out);
	}
}

void
control_record_number(FILE *out, const char *key, int64_t value)
{
	fprintf(out, "\t%s=%" PRId64, key, value);
}

void
control_record_end(FILE *out)
{
	putc('\n', out);
}

int
control_record_parse(struct control_record *record, char *line)
{
	char *field = strchr(line, '\t');

	memset(record, 0, sizeof(*record));
	record->kind = line;
	while (field) {
		char *key = field + 1, *value;

		*field = '\0';
		field = strchr(key, '\t');
		if (field)
			*field = '\0';
		value = strchr(key, '=');
		if (!value)
			return -1;
		*value++ = '\0';
		unescape(value);
		if (record->n == CONTROL_FIELDS)
			continue;
		record->keys[record->n] = key;
		record->values[record->n++] = value;
	}
	for (const char *p = line; *p; p++)
		if (!islower((unsigned char)*p) && *p != '_')
			return -1;
	return line[0] ? 0 : -1;
}

const char *
control_record_get(const struct control_record *record, const char *key)
{
	for (size_t i = 0; i < record->n; i++)
		if (strcmp(record->keys[i], key) == 0)
			return record->values[i];
	return NULL;
}

int64_t
control_record_get_number(const struct control_record *record, const char *key, int64_t fallback)
{
	const char *text = control_record_get(record, key);
	char *end;
	long long n;

	if (!text || !*text)
		return fallback;
	errno = 0;
	n = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? n : fallback;
}

const char *
control_last_parse(const char *line, bool *ok)
{
	static const char *const words[] = { "failed", "ok" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);

		if (strncmp(line, words[i], len) == 0 && (line[len] == ' ' || line[len] == '\0')) {
			*ok = i == 1;
			return line + len + (line[len] == ' ');
		}
	}
	return NULL;
}
