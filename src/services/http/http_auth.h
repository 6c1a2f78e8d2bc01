/*
 * Basic authentication (RFC 7617) by a file of lines "user:hash", as htpasswd(1) makes it.
 * Hashes are checked by libcrypt, and only kinds that crypt_checksalt(3) finds good enough
 * for new passwords: bcrypt, yescrypt, scrypt, sha512crypt.
 */
#ifndef PREFORKD_HTTP_AUTH_H
#define PREFORKD_HTTP_AUTH_H

#include "http_text.h"

#define HTTP_AUTH_FILE_BYTES 1048576 /* a file may have so much */

struct http_auth;

/* Made in the master; a worker opens the file at its first check, with its own rights. */
struct http_auth *http_auth_new(const char *path);
void http_auth_free(struct http_auth *auth);

/*
 * Checks the value of Authorization, which may be absent.  0: *user is who it is, as text
 * of auth until the next check; else it is at NULL, and the result is 401, or 500 with *why
 * for the log (of auth too, without the path): the file cannot be read, or this user's hash
 * cannot be checked.
 *
 * At most once a second the file is looked at, and read when it is another one.  A user that
 * is not in it costs as much as a wrong password of the first user that is.  A password
 * that was right is not hashed again while the user has the same hash.
 */
int http_auth_check(struct http_auth *auth, struct http_text authorization, struct http_text *user,
		    const char **why);

/*
 * Reads the file and looks at all its hashes; -1 with *err as "PATH:LINE: text".  For the
 * check of a configuration.
 */
int http_auth_verify(const char *path, char **err);

#endif
