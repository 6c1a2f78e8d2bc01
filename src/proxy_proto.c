#include "proxy_proto.h"

#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define LINE_BYTES 107 /* of version 1, with its end (2.1) */

/* Version 2: where its parts are, and what they may be (2.2). */
enum { COMMAND_AT = 12, FAMILY_AT = 13, LENGTH_AT = 14, ADDRESSES_AT = 16 };
enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { TCP4 = 0x11, UDP4, TCP6 = 0x21, UDP6, UNIX_STREAM = 0x31, UNIX_DGRAM };
enum { TLV_AUTHORITY = 0x02, TLV_CRC32C, TLV_SSL = 0x20, SSL_VERSION, SSL_CN, SSL_CIPHER };
enum { CLIENT_SSL = 0x01, CLIENT_CERT = 0x02 | 0x04 };

static const unsigned char signature1[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const unsigned char signature2[] = { '\r', '\n', '\r', '\n', '\0', '\r',
					    '\n', 'Q',  'U',  'I',  'T',  '\n' };

static enum proxy_parse
bad(const char **why, const char *text)
{
	*why = text;
	return PROXY_BAD;
}

static size_t
number16(const unsigned char *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* ---- version 1: a line of words, each behind one blank ---- */

/* The next word, terminated; false: there is none. */
static bool
next_word(char **line, char **word)
{
	char *end = strchr(*line, ' ');

	*word = *line;
	*line = end ? end + 1 : *line + strlen(*line);
	if (end)
		*end = '\0';
	return **word != '\0';
}

static bool
parse_port(const char *text, in_port_t *port)
{
	unsigned n = 0;

	if (strlen(text) > 5 || (text[0] == '0' && text[1]))
		return false;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (unsigned)(*p - '0');
	}
	*port = htons((in_port_t)n);
	return *text && n <= UINT16_MAX;
}

static bool
parse_address(int family, const char *host, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)out;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

	out->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		return inet_pton(AF_INET, host, &sin->sin_addr) == 1 &&
		       parse_port(port, &sin->sin_port);
	return inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1 &&
	       parse_port(port, &sin6->sin6_port);
}

static enum proxy_parse
parse_line(char *line, struct proxy_header *out, const char **why)
{
	char *protocol, *words[4], *end;
	int family;

	if (!next_word(&line, &protocol))
		return bad(why, "it names no protocol");
	if (strcmp(protocol, "UNKNOWN") == 0)
		return PROXY_DONE; /* whatever follows */
	family = strcmp(protocol, "TCP4") == 0 ? AF_INET : AF_INET6;
	if (family == AF_INET6 && strcmp(protocol, "TCP6") != 0)
		return bad(why, "its protocol is not TCP4, TCP6 or UNKNOWN");
	/* The blank behind the last word would begin another, empty one. */
	end = line + strlen(line);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!next_word(&line, &words[i]))
			return bad(why, "it lacks an address or a port");
	if (words[3] + strlen(words[3]) != end)
		return bad(why, "it has more than two addresses and two ports");
	if (!parse_address(family, words[0], words[2], &out->source) ||
	    !parse_address(family, words[1], words[3], &out->destination))
		return bad(why, "it has no valid addresses and ports");
	return PROXY_DONE;
}

static enum proxy_parse
parse_version1(const unsigned char *data, size_t len, struct proxy_header *out, size_t *used,
	       const char **why)
{
	size_t most = len < LINE_BYTES ? len : LINE_BYTES;
	const unsigned char *end = memchr(data, '\n', most);
	size_t prefix = sizeof(signature1), text;
	char line[LINE_BYTES];

	if (memchr(data, '\0', end ? (size_t)(end - data) : most))
		return bad(why, "its line has a NUL byte");
	if (!end)
		return len < LINE_BYTES ? PROXY_MORE : bad(why, "its line is too long");
	*used = (size_t)(end - data) + 1;
	text = *used - prefix - 2;
	if (end[-1] != '\r' || memchr(data, '\r', *used - 2))
		return bad(why, "its line does not end with CR and LF");
	memcpy(line, data + prefix, text);
	line[text] = '\0';
	return parse_line(line, out, why);
}

/* ---- version 2 ---- */

/* RFC 3720, B.4; bit by bit, for it is short. */
static uint32_t
crc32c(uint32_t crc, const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* That of the header with zeros where the checksum itself is (2.2.3). */
static bool
checksum_fits(const unsigned char *header, size_t len, const unsigned char *at)
{
	static const unsigned char zeros[4];
	size_t before = (size_t)(at - header);
	uint32_t crc = crc32c(UINT32_MAX, header, before), given;

	crc = crc32c(crc, zeros, sizeof(zeros));
	crc = ~crc32c(crc, at + sizeof(zeros), len - before - sizeof(zeros));
	memcpy(&given, at, sizeof(given));
	return ntohl(given) == crc;
}

static void
take_text(char *to, size_t size, const unsigned char *value, size_t len)
{
	to[0] = '\0';
	if (len >= size)
		return;
	for (size_t i = 0; i < len; i++)
		if (value[i] < 0x20 || value[i] == 0x7f)
			return;
	memcpy(to, value, len);
	to[len] = '\0';
}

/* One type, length and value (2.2); false: it does not end within len. */
static bool
next_tlv(const unsigned char **data, size_t *len, unsigned *type, const unsigned char **value,
	 size_t *value_len)
{
	if (*len < 3 || number16(*data + 1) > *len - 3)
		return false;
	*type = **data;
	*value = *data + 3;
	*value_len = number16(*data + 1);
	*data += 3 + *value_len;
	*len -= 3 + *value_len;
	return true;
}

/*
 * 2.2.6: a byte of flags, four that are 0 after a verification, and more of the kind.  Of
 * several the last one counts, whole.
 */
static bool
parse_ssl(const unsigned char *data, size_t len, struct proxy_header *out)
{
	static const unsigned char success[4];
	const unsigned char *value;
	size_t value_len;
	unsigned type;

	if (len < 5)
		return false;
	out->tls_version[0] = out->tls_cipher[0] = out->common_name[0] = '\0';
	out->tls = data[0] & CLIENT_SSL;
	out->verified = (data[0] & CLIENT_CERT) && memcmp(data + 1, success, 4) == 0;
	data += 5;
	len -= 5;
	while (len > 0) {
		if (!next_tlv(&data, &len, &type, &value, &value_len))
			return false;
		if (type == SSL_VERSION)
			take_text(out->tls_version, sizeof(out->tls_version), value, value_len);
		else if (type == SSL_CIPHER)
			take_text(out->tls_cipher, sizeof(out->tls_cipher), value, value_len);
		else if (type == SSL_CN && out->verified)
			take_text(out->common_name, sizeof(out->common_name), value, value_len);
	}
	return true;
}

static enum proxy_parse
parse_tlvs(const unsigned char *header, size_t header_len, size_t at, struct proxy_header *out,
	   const char **why)
{
	const unsigned char *data = header + at, *value;
	size_t len = header_len - at, value_len;
	unsigned type;

	while (len > 0) {
		if (!next_tlv(&data, &len, &type, &value, &value_len))
			return bad(why, "one of its TLVs is cut short");
		if (type == TLV_AUTHORITY)
			take_text(out->authority, sizeof(out->authority), value, value_len);
		else if (type == TLV_SSL && !parse_ssl(value, value_len, out))
			return bad(why, "its TLV of TLS is cut short");
		else if (type == TLV_CRC32C &&
			 (value_len != 4 || !checksum_fits(header, header_len, value)))
			return bad(why, "its checksum is wrong");
	}
	return PROXY_DONE;
}

static void
take_ipv4(struct sockaddr_storage *out, const unsigned char *host, const unsigned char *port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)out;

	sin->sin_family = AF_INET;
	memcpy(&sin->sin_addr, host, 4);
	memcpy(&sin->sin_port, port, 2);
}

static void
take_ipv6(struct sockaddr_storage *out, const unsigned char *host, const unsigned char *port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

	sin6->sin6_family = AF_INET6;
	memcpy(&sin6->sin6_addr, host, 16);
	memcpy(&sin6->sin6_port, port, 2);
}

/* The bytes that the addresses of a family take; -1 if it is not known (2.2). */
static int
addresses_size(unsigned family)
{
	switch (family) {
	case 0:
		return 0;
	case TCP4:
	case UDP4:
		return 12;
	case TCP6:
	case UDP6:
		return 36;
	case UNIX_STREAM:
	case UNIX_DGRAM:
		return 216;
	default:
		return -1;
	}
}

/* header_len bytes are there. */
static enum proxy_parse
parse_block(const unsigned char *header, size_t header_len, struct proxy_header *out,
	    const char **why)
{
	const unsigned char *at = header + ADDRESSES_AT;
	unsigned family = header[FAMILY_AT];
	int size = addresses_size(family);

	if (header[COMMAND_AT] == COMMAND_LOCAL)
		return PROXY_DONE; /* the block does not matter */
	if (family >> 4 > 3 || (family & 15) > 2)
		return bad(why, "its address family or protocol is unknown");
	if (size < 0)
		return PROXY_DONE; /* half of it is unspecified: so is where its TLVs begin */
	if ((size_t)size > header_len - ADDRESSES_AT)
		return bad(why, "its addresses are cut short");
	if (family == TCP4) {
		take_ipv4(&out->source, at, at + 8);
		take_ipv4(&out->destination, at + 4, at + 10);
	} else if (family == TCP6) {
		take_ipv6(&out->source, at, at + 32);
		take_ipv6(&out->destination, at + 16, at + 34);
	}
	return parse_tlvs(header, header_len, ADDRESSES_AT + (size_t)size, out, why);
}

static enum proxy_parse
parse_version2(const unsigned char *data, size_t len, struct proxy_header *out, size_t *used,
	       const char **why)
{
	if (len > COMMAND_AT && data[COMMAND_AT] != COMMAND_LOCAL &&
	    data[COMMAND_AT] != COMMAND_PROXY)
		return bad(why, "its version or command is unknown");
	if (len < ADDRESSES_AT)
		return PROXY_MORE;
	*used = ADDRESSES_AT + number16(data + LENGTH_AT);
	if (*used > PROXY_HEADER_BYTES)
		return bad(why, "it is too long");
	return len < *used ? PROXY_MORE : parse_block(data, *used, out, why);
}

/* ---- both ---- */

enum proxy_parse
proxy_proto_parse(const unsigned char *data, size_t len, struct proxy_header *out, size_t *used,
		  const char **why)
{
	size_t n1 = len < sizeof(signature1) ? len : sizeof(signature1);
	size_t n2 = len < sizeof(signature2) ? len : sizeof(signature2);
	enum proxy_parse result;

	memset(out, 0, sizeof(*out));
	*used = 0;
	*why = NULL;
	if (memcmp(data, signature1, n1) == 0)
		result = n1 < sizeof(signature1) ? PROXY_MAYBE
						 : parse_version1(data, len, out, used, why);
	else if (memcmp(data, signature2, n2) == 0)
		result = n2 < sizeof(signature2) ? PROXY_MAYBE
						 : parse_version2(data, len, out, used, why);
	else
		return PROXY_NONE;
	if (result != PROXY_DONE) {
		memset(out, 0, sizeof(*out));
		*used = 0;
	}
	return result;
}

socklen_t
proxy_proto_address_len(const struct sockaddr_storage *address)
{
	switch (address->ss_family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	default:
		return 0;
	}
}
