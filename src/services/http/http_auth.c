#include "http_auth.h"

#include "http_auth_file.h"
#include "http_siphash.h"
#include "util.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CREDENTIALS_BYTES 1024 /* a user and CRYPT_MAX_PASSPHRASE_SIZE, 512, and more */
#define PROVEN            16

struct http_auth {
	char *path;
	struct http_auth_file file;
	char credentials[CREDENTIALS_BYTES]; /* of the last check; then the user only */
	char why[256];

	/*
	 * What was right lately, as keyed digests of user, password and hash: a client that
	 * stays does not cost a bcrypt a request, and no password stands in memory between
	 * requests.  Whoever can read this memory can read the key too and guess faster than
	 * with the file; but then he can as well wait for the next request.  A change of the
	 * hash makes the digest another one, and a user who is gone is not looked up here.
	 */
	uint64_t key[2], proven[PROVEN];
	size_t nproven, next;
};

struct http_auth *
http_auth_new(const char *path)
{
	struct http_auth *auth = util_calloc(1, sizeof(*auth));

	auth->path = util_strdup(path);
	auth->file.path = auth->path;
	if (getrandom(auth->key, sizeof(auth->key), 0) != sizeof(auth->key))
		abort();
	return auth;
}

void
http_auth_free(struct http_auth *auth)
{
	if (!auth)
		return;
	http_auth_file_forget(&auth->file);
	free(auth->path);
	free(auth);
}

/* ---- what the client says ---------------------------------------------------------------- */

static int
base64_value(char c)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

/*
 * RFC 4648 4 to the letter: with its padding, whose bits are 0, so that there is one way only
 * to write the same.  The length, or -1.
 */
static ssize_t
base64_decode(char *dst, size_t size, struct http_text text)
{
	size_t n = 0, pad = 0;

	while (pad < 2 && text.len > pad && text.at[text.len - 1 - pad] == '=')
		pad++;
	if (text.len % 4 != 0 || text.len / 4 * 3 - pad > size)
		return -1;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t letters = i + 4 < text.len ? 4 : 4 - pad;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < letters ? base64_value(text.at[i + k]) : 0;

			if (value < 0)
				return -1;
			bits = bits << 6 | (uint32_t)value;
		}
		for (size_t k = 0; k < letters - 1; k++)
			dst[n++] = (char)(bits >> (16 - 8 * k));
		if (letters < 4 && (bits & (letters == 3 ? 0xff : 0xffff)) != 0)
			return -1;
	}
	return (ssize_t)n;
}

/* Leaves user and password, each with a NUL, in auth->credentials.  The password, or NULL. */
static char *
read_credentials(struct http_auth *auth, struct http_text value)
{
	static const char scheme[] = "Basic";
	size_t len = strlen(scheme);
	ssize_t n;
	char *colon;

	if (value.len <= len || value.at[len] != ' ' ||
	    !http_text_is_nocase((struct http_text){ value.at, len }, scheme))
		return NULL;
	for (; len < value.len && value.at[len] == ' '; len++)
		;
	n = base64_decode(auth->credentials, sizeof(auth->credentials) - 1,
			  (struct http_text){ value.at + len, value.len - len });
	if (n < 0)
		return NULL;
	auth->credentials[n] = '\0';
	/* No controls, by RFC 7617 2; a NUL would hide the rest of the password from crypt(3). */
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)auth->credentials[i] < ' ' || auth->credentials[i] == 0x7f)
			return NULL;
	colon = strchr(auth->credentials, ':');
	if (!colon || colon == auth->credentials)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* Whether libcrypt can check it, and should. */
static bool
is_good(const char *hash)
{
	return crypt_checksalt(hash) == CRYPT_SALT_OK;
}

/* Takes as long wherever the difference is. */
static bool
is_equal(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

/* What is wrong with a hash that is not good. */
static const char *
complaint(const char *hash)
{
	static const struct {
		const char *prefix, *what;
	} kinds[] = {
		{ "{SHA}", "{SHA}, which crypt(3) cannot check; use htpasswd -B" },
		{ "$apr1$", "$apr1$ (MD5), which crypt(3) cannot check; use htpasswd -B" },
		{ "$1$", "$1$ (MD5), which is too weak; use htpasswd -B" },
		{ "$5$", "$5$ (SHA-256), which is too weak; use htpasswd -B" },
		{ "$", "of a kind that crypt(3) cannot check, or too weak; use htpasswd -B" },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(hash, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].what;
	return "no hash of a password, or DES; use htpasswd -B";
}

/* 0, 401, or 500 with errno. */
static int
try_password(const char *password, const char *hash)
{
	static struct crypt_data data; /* 32 KiB, touched only by who needs it */
	const char *made = crypt_rn(password, hash, &data, sizeof(data));
	int result = !made ? 500 : is_equal(made, hash) ? 0 : 401, saved = errno;

	/* A longer password than crypt(3) takes is just wrong. */
	if (!made && saved == ERANGE)
		result = 401;
	explicit_bzero(&data, sizeof(data));
	errno = saved;
	return result;
}

/* ---- what was right lately ------------------------------------------------------------------ */

/* Of what read_credentials() has left, and the hash. */
static uint64_t
digest(const struct http_auth *auth, const char *password, const char *hash)
{
	char text[CREDENTIALS_BYTES + CRYPT_OUTPUT_SIZE];
	size_t len = (size_t)(password - auth->credentials) + strlen(password) + 1;
	uint64_t sum;

	memcpy(text, auth->credentials, len);
	memcpy(text + len, hash, strlen(hash));
	sum = http_siphash(auth->key, text, len + strlen(hash));
	explicit_bzero(text, len);
	return sum;
}

static bool
is_proven(const struct http_auth *auth, uint64_t sum)
{
	for (size_t i = 0; i < auth->nproven; i++)
		if (auth->proven[i] == sum)
			return true;
	return false;
}

static void
remember(struct http_auth *auth, uint64_t sum)
{
	if (auth->nproven < PROVEN)
		auth->nproven++;
	auth->proven[auth->next++ % PROVEN] = sum;
}

/* ---- the check ---------------------------------------------------------------------------------
 */

/* Copies a hash that can be one; false: it is too long. */
static bool
copy_hash(char dst[CRYPT_OUTPUT_SIZE], struct http_text hash)
{
	if (!hash.at || hash.len >= CRYPT_OUTPUT_SIZE || memchr(hash.at, '\0', hash.len))
		return false;
	memcpy(dst, hash.at, hash.len);
	dst[hash.len] = '\0';
	return true;
}

/* The user's hash ("" if it cannot be one); false: there is no such user, but a good hash. */
static bool
find(const struct http_auth *auth, char hash[CRYPT_OUTPUT_SIZE])
{
	struct http_text text = { auth->file.text, auth->file.size }, user, his;
	char other[CRYPT_OUTPUT_SIZE];

	hash[0] = '\0';
	while (http_auth_file_next(&text, &user, &his)) {
		if (http_text_is(user, auth->credentials)) {
			if (!copy_hash(hash, his))
				hash[0] = '\0';
			return true;
		}
		if (!hash[0] && copy_hash(other, his) && is_good(other))
			memcpy(hash, other, sizeof(other));
	}
	return false;
}

static int
check_known(struct http_auth *auth, const char *password, const char *hash)
{
	uint64_t sum;
	int result;

	if (!is_good(hash)) {
		snprintf(auth->why, sizeof(auth->why), "the password of user \"%.64s\" is %s",
			 auth->credentials, complaint(hash));
		return 500;
	}
	sum = digest(auth, password, hash);
	if (is_proven(auth, sum))
		return 0;
	result = try_password(password, hash);
	if (result == 0)
		remember(auth, sum);
	if (result == 500)
		snprintf(auth->why, sizeof(auth->why),
			 "the password of user \"%.64s\" cannot be checked: %s", auth->credentials,
			 strerror(errno));
	return result;
}

static int
check_password(struct http_auth *auth, const char *password)
{
	char hash[CRYPT_OUTPUT_SIZE];

	if (http_auth_file_refresh(&auth->file, util_now_coarse_ms()) < 0) {
		snprintf(auth->why, sizeof(auth->why), "%s", auth->file.why);
		return 500;
	}
	if (find(auth, hash))
		return check_known(auth, password, hash);
	/* For the time it takes. */
	if (hash[0])
		try_password(password, hash);
	return 401;
}

int
http_auth_check(struct http_auth *auth, struct http_text authorization, struct http_text *user,
		const char **why)
{
	char *password = authorization.at ? read_credentials(auth, authorization) : NULL;
	int result = password ? check_password(auth, password) : 401;

	*user = (struct http_text){ NULL, 0 };
	if (result == 0)
		*user = (struct http_text){ auth->credentials, strlen(auth->credentials) };
	if (result == 500)
		*why = auth->why;
	password = password ? password : auth->credentials;
	explicit_bzero(password, (size_t)(auth->credentials + CREDENTIALS_BYTES - password));
	return result;
}

/* ---- the check of the file
 * ------------------------------------------------------------------------ */

static int
verify_line(struct http_text user, struct http_text hash, const char **why)
{
	char text[CRYPT_OUTPUT_SIZE];

	if (!user.len && !hash.at)
		return 0; /* an empty line, or a comment */
	*why = "it is not USER:HASH";
	if (!user.len || !hash.at || !hash.len)
		return -1;
	*why = complaint(copy_hash(text, hash) ? text : "");
	return copy_hash(text, hash) && is_good(text) ? 0 : -1;
}

int
http_auth_verify(const char *path, char **err)
{
	struct http_auth_file file = { .path = path };
	struct http_text text, user, hash;
	int rc = http_auth_file_refresh(&file, 0);

	if (rc < 0)
		util_fail(err, "%s: %s", path, file.why);
	text = (struct http_text){ file.text, file.size };
	for (size_t line = 1; rc == 0 && http_auth_file_next(&text, &user, &hash); line++) {
		const char *why;

		rc = verify_line(user, hash, &why);
		if (rc < 0)
			util_fail(err, "%s:%zu: %s", path, line, why);
	}
	http_auth_file_forget(&file);
	return rc;
}
