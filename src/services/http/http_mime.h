/*
 * The media type of a file by the extension of its name.  Loaded once, read-only from then
 * on, so that it is shared by all processes that come of a fork(2).
 */
#ifndef PREFORKD_HTTP_MIME_H
#define PREFORKD_HTTP_MIME_H

struct http_mime;

/*
 * A built-in table of what the web is made of, and over it the file of path: lines of a
 * type and its extensions, "#" begins a comment, the last line of an extension wins.  path
 * may be NULL, and a file that does not exist is no mistake.  NULL with *err: it cannot be
 * read, is larger than 4 MiB, or a line is none of these.
 */
struct http_mime *http_mime_load(const char *path, char **err);
void http_mime_free(struct http_mime *mime);

/*
 * For Content-Type, by the last extension of a file's name or path, in whatever case;
 * "application/octet-stream" if that is unknown.  Texts, scripts, JSON, XML and SVG are
 * said to be UTF-8.  Lives as long as the table.
 */
const char *http_mime_type(const struct http_mime *mime, const char *name);

#endif
