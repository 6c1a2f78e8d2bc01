/*
 * The chunked transfer coding, RFC 9112 7.1: framed bytes in, slices of the body out.
 * Exact: lines end with CRLF, extensions and trailer fields must be well formed (both are
 * dropped), no trailer field may be about framing (RFC 9110 6.5.1), and a size has 63 bits.  Pure:
 * no copy, and a state of a few words, so bytes may arrive in any pieces.
 */
#ifndef PREFORKD_HTTP_CHUNK_H
#define PREFORKD_HTTP_CHUNK_H

#include "http_head.h"

/* Which byte is next; see http_chunk.c. */
struct http_chunk {
	int state;
	int64_t left; /* of the chunk's data; while its size is read, the size so far */
	size_t line, max_line;
	size_t trailer, max_trailer;
	const char *framing; /* what is left of a framing field's name, in a trailer's name */
};

/* max_line: bytes of a chunk's size and extensions.  max_trailer: of all trailer fields with
 * their line ends.  The sum of the sizes is for the caller to limit. */
void http_chunk_init(struct http_chunk *chunk, size_t max_line, size_t max_trailer);

/*
 * Takes *used bytes of in, which are never more than up to the end of the next piece of
 * the body: *data is that slice of in, of length 0 when there is none in this step.
 *
 * HTTP_MORE: go on with in + *used, or with more bytes when all are used.
 * HTTP_DONE: the body and its trailer section have ended just before in + *used.
 * HTTP_BAD: 400.
 * After the last two, each further call says the same and uses nothing.
 */
enum http_parse http_chunk_feed(struct http_chunk *chunk, const char *in, size_t len, size_t *used,
				struct http_text *data);

#endif
