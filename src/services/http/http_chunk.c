#include "http_chunk.h"

/*
 * What is expected next.  The bytes of CHUNK_FIRST_DIGIT to CHUNK_QUOTED_END count for max_line,
 * those of CHUNK_TRAILER to CHUNK_TRAILER_LF for max_trailer.
 */
enum state {
	CHUNK_FIRST_DIGIT,
	CHUNK_SIZE,        /* a digit, or the size's end */
	CHUNK_NEXT,        /* behind blanks: ';' only */
	CHUNK_NAME_START,  /* behind ';' */
	CHUNK_NAME,        /* of an extension, or its end */
	CHUNK_NAME_END,    /* behind a name and blanks: '=' or ';' */
	CHUNK_VALUE_START, /* behind '=' */
	CHUNK_VALUE,       /* a token, or its end */
	CHUNK_QUOTED,
	CHUNK_QUOTED_PAIR, /* behind a backslash */
	CHUNK_QUOTED_END,
	CHUNK_LF, /* of the size's line */
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* the beginning of a line: a field, or the end */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_DONE,
	CHUNK_BAD
};

void
http_chunk_init(struct http_chunk *chunk, size_t max_line, size_t max_trailer)
{
	*chunk = (struct http_chunk){ CHUNK_FIRST_DIGIT, 0, 0, max_line, 0, max_trailer, NULL };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* chunk-size = 1*HEXDIG */
static enum state
digit(struct http_chunk *chunk, char c)
{
	int value = http_text_hex(c);

	if (value < 0 || chunk->left > (INT64_MAX - value) / 16)
		return CHUNK_BAD;
	chunk->left = chunk->left * 16 + value;
	return CHUNK_SIZE;
}

/* Where a size or an extension may end; after_blank is what may stand behind blanks. */
static enum state
part_end(char c, enum state after_blank)
{
	if (c == ';')
		return CHUNK_NAME_START;
	if (c == '\r')
		return CHUNK_LF;
	return is_blank(c) ? after_blank : CHUNK_BAD;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
static enum state
extension(enum state state, char c)
{
	switch (state) {
	case CHUNK_NEXT:
		return c == ';' ? CHUNK_NAME_START : is_blank(c) ? state : CHUNK_BAD;
	case CHUNK_NAME_START:
		return http_is(c, HTTP_TOKEN) ? CHUNK_NAME : is_blank(c) ? state : CHUNK_BAD;
	case CHUNK_NAME:
		if (http_is(c, HTTP_TOKEN))
			return state;
		return c == '=' ? CHUNK_VALUE_START : part_end(c, CHUNK_NAME_END);
	case CHUNK_NAME_END:
		if (c == '=')
			return CHUNK_VALUE_START;
		return c == ';' ? CHUNK_NAME_START : is_blank(c) ? state : CHUNK_BAD;
	case CHUNK_VALUE_START:
		if (c == '"')
			return CHUNK_QUOTED;
		return http_is(c, HTTP_TOKEN) ? CHUNK_VALUE : is_blank(c) ? state : CHUNK_BAD;
	case CHUNK_VALUE:
		return http_is(c, HTTP_TOKEN) ? state : part_end(c, CHUNK_NEXT);
	case CHUNK_QUOTED:
		if (c == '"')
			return CHUNK_QUOTED_END;
		if (c == '\\')
			return CHUNK_QUOTED_PAIR;
		return http_is(c, HTTP_FIELD) ? state : CHUNK_BAD;
	case CHUNK_QUOTED_PAIR:
		return http_is(c, HTTP_FIELD) ? CHUNK_QUOTED : CHUNK_BAD;
	default: /* CHUNK_QUOTED_END */
		return part_end(c, CHUNK_NEXT);
	}
}

/* The first byte of a trailer field's name. */
static void
begin_name(struct http_chunk *chunk, char c)
{
	chunk->framing = NULL;
	if (c == 'C' || c == 'c')
		chunk->framing = "ontent-length";
	else if (c == 'T' || c == 't')
		chunk->framing = "ransfer-encoding";
}

/* A control byte that the bit 0x20 makes a letter is no token, and refused by the caller. */
static void
go_on_with_name(struct http_chunk *chunk, char c)
{
	if (chunk->framing == NULL)
		return;
	if (*chunk->framing != '\0' && *chunk->framing == (c == '-' ? c : (c | 0x20)))
		chunk->framing++;
	else
		chunk->framing = NULL;
}

/* A field line is that of a head, RFC 9112 7.1.2. */
static enum state
trailer(struct http_chunk *chunk, char c)
{
	if (chunk->state == CHUNK_TRAILER && c == '\r')
		return CHUNK_LAST_LF;
	if (++chunk->trailer > chunk->max_trailer)
		return CHUNK_BAD;
	switch (chunk->state) {
	case CHUNK_TRAILER:
		begin_name(chunk, c);
		return http_is(c, HTTP_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	case CHUNK_TRAILER_NAME:
		if (c == ':')
			return chunk->framing != NULL && *chunk->framing == '\0'
				   ? CHUNK_BAD
				   : CHUNK_TRAILER_VALUE;
		go_on_with_name(chunk, c);
		return http_is(c, HTTP_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	case CHUNK_TRAILER_VALUE:
		if (http_is(c, HTTP_FIELD))
			return CHUNK_TRAILER_VALUE;
		return c == '\r' ? CHUNK_TRAILER_LF : CHUNK_BAD;
	default: /* CHUNK_TRAILER_LF */
		return c == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
	}
}

/* The state behind a byte that is not data. */
static enum state
step(struct http_chunk *chunk, char c)
{
	if (chunk->state <= CHUNK_QUOTED_END && c != '\r' && ++chunk->line > chunk->max_line)
		return CHUNK_BAD;
	switch (chunk->state) {
	case CHUNK_FIRST_DIGIT:
		return digit(chunk, c);
	case CHUNK_SIZE:
		return http_is(c, HTTP_HEX) ? digit(chunk, c) : part_end(c, CHUNK_NEXT);
	case CHUNK_LF:
		if (c != '\n')
			return CHUNK_BAD;
		return chunk->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
	case CHUNK_DATA_LF:
		chunk->line = 0;
		return c == '\n' ? CHUNK_FIRST_DIGIT : CHUNK_BAD;
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_NAME:
	case CHUNK_TRAILER_VALUE:
	case CHUNK_TRAILER_LF:
		return trailer(chunk, c);
	case CHUNK_LAST_LF:
		return c == '\n' ? CHUNK_DONE : CHUNK_BAD;
	default:
		return extension(chunk->state, c);
	}
}

enum http_parse
http_chunk_feed(struct http_chunk *chunk, const char *in, size_t len, size_t *used,
		struct http_text *data)
{
	size_t i = 0;

	*data = (struct http_text){ in, 0 };
	while (i < len && chunk->state < CHUNK_DONE) {
		if (chunk->state != CHUNK_DATA) {
			chunk->state = step(chunk, in[i++]);
			continue;
		}
		data->at = in + i;
		data->len = (uint64_t)chunk->left < len - i ? (size_t)chunk->left : len - i;
		chunk->left -= (int64_t)data->len;
		if (chunk->left == 0)
			chunk->state = CHUNK_DATA_CR;
		i += data->len;
		break;
	}
	*used = i;
	return chunk->state == CHUNK_DONE  ? HTTP_DONE
	       : chunk->state == CHUNK_BAD ? HTTP_BAD
					   : HTTP_MORE;
}
