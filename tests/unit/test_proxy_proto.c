#include "unit.h"

#include "proxy_proto.h"
#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MALFORMED = 2000 };

struct bytes {
	unsigned char at[PROXY_HEADER_BYTES + 64];
	size_t len;
};

static void
put(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->at));
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static void
put_text(struct bytes *b, const char *text)
{
	put(b, text, strlen(text));
}

/* Version 2 with a length to be filled in by finish(). */
static void
begin(struct bytes *b, unsigned command, unsigned family)
{
	const unsigned char rest[4] = { (unsigned char)command, (unsigned char)family };

	b->len = 0;
	put(b, "\r\n\r\n\0\r\nQUIT\n", 12);
	put(b, rest, sizeof(rest));
}

static void
set_length(struct bytes *b, size_t at, size_t n)
{
	b->at[at] = (unsigned char)(n >> 8);
	b->at[at + 1] = (unsigned char)n;
}

static void
finish(struct bytes *b)
{
	set_length(b, 14, b->len - 16);
}

static size_t
put_tlv(struct bytes *b, unsigned type, const void *value, size_t len)
{
	unsigned char head[3] = { (unsigned char)type };

	put(b, head, sizeof(head));
	set_length(b, b->len - 2, len);
	put(b, value, len);
	return b->len - len;
}

static void
put_tcp4(struct bytes *b)
{
	put(b, "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x01\xbb", 12);
}

/* Of the source or the destination: "192.0.2.1 12345", or "-". */
static const char *
show(const struct sockaddr_storage *address)
{
	static char text[2][80];
	static int turn;
	const struct sockaddr_in *sin = (const void *)address;
	const struct sockaddr_in6 *sin6 = (const void *)address;
	bool v6 = address->ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN];

	turn = !turn;
	if (address->ss_family == AF_UNSPEC)
		return "-";
	inet_ntop(address->ss_family, v6 ? (const void *)&sin6->sin6_addr : &sin->sin_addr, host,
		  sizeof(host));
	snprintf(text[turn], sizeof(text[0]), "%s %d", host,
		 ntohs(v6 ? sin6->sin6_port : sin->sin_port));
	return text[turn];
}

/* In memory of just its size, so that a sanitizer sees what is read behind it. */
static enum proxy_parse
parse(const void *data, size_t len, struct proxy_header *h, size_t *used, const char **why)
{
	unsigned char *copy = malloc(len > 0 ? len : 1);
	enum proxy_parse result;

	memcpy(copy, data, len);
	result = proxy_proto_parse(copy, len, h, used, why);
	free(copy);
	return result;
}

/* Is done with all its bytes and not with fewer, whatever follows. */
static void
assert_header(const void *data, size_t len, struct proxy_header *h)
{
	struct bytes more = { .len = 0 };
	const char *why;
	size_t used;

	for (size_t i = 0; i < len; i++) {
		enum proxy_parse result = parse(data, i, h, &used, &why);

		assert_true(result == PROXY_MAYBE || result == PROXY_MORE);
		assert_int_equal(used, 0);
	}
	put(&more, data, len);
	put_text(&more, "\r\nPROXY GET / HTTP/1.1\r\n");
	assert_int_equal(parse(more.at, more.len, h, &used, &why), PROXY_DONE);
	assert_int_equal(used, len);
	assert_int_equal(parse(data, len, h, &used, &why), PROXY_DONE);
	assert_int_equal(used, len);
}

static void
assert_bad(const void *data, size_t len)
{
	struct proxy_header h, nothing;
	const char *why;
	size_t used;

	memset(&nothing, 0, sizeof(nothing));
	assert_int_equal(parse(data, len, &h, &used, &why), PROXY_BAD);
	assert_non_null(why);
	assert_memory_equal(&h, &nothing, sizeof(h));
}

static void
assert_addresses(const struct proxy_header *h, const char *source, const char *destination)
{
	assert_string_equal(show(&h->source), source);
	assert_string_equal(show(&h->destination), destination);
}

/* ---- version 1 ---- */

static void
a_line_names_both_ends(void **state)
{
	static const struct {
		const char *line, *source, *destination;
	} rows[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", "192.0.2.1 12345",
		  "198.51.100.2 443" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		  "255.255.255.255 65535", "255.255.255.255 65535" },
		{ "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0 0", "0.0.0.0 0" },
		{ "PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n", "2001:db8::1 1", "2001:db8::2 2" },
		{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
		{ "PROXY TCP6 ::ffff:192.0.2.1 ::1 7 8\r\n", "::ffff:192.0.2.1 7", "::1 8" },
		{ "PROXY UNKNOWN\r\n", "-", "-" },
		{ "PROXY UNKNOWN \r\n", "-", "-" },
		{ "PROXY UNKNOWN what\tever 1 2 3  4\r\n", "-", "-" },
		{ "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		  "-", "-" },
	};
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_header(rows[i].line, strlen(rows[i].line), &h);
		assert_addresses(&h, rows[i].source, rows[i].destination);
	}
}

static void
a_line_that_is_not_exact_is_bad(void **state)
{
	static const char *const lines[] = {
		"PROXY \r\n",
		"PROXY TCP4\r\n",
		"PROXY TCP4 \r\n",
		"PROXY TCP4 192.0.2.1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1  2\r\n",
		"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
		"PROXY TCP4 192.0.2.1\r192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 000002\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 00\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 3221225985 192.0.2.2 1 2\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP4 localhost 192.0.2.2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 2001:db8::1::2 ::1 1 2\r\n",
		"PROXY TCP6 2001:db8:::1 ::1 1 2\r\n",
		"PROXY TCP6 12345::1 ::1 1 2\r\n",
		"PROXY TCP6 [::1] ::1 1 2\r\n",
		"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
		"PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
		"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY UNKNOWNS\r\n",
		"PROXY UNKNOWN\n",
		"PROXY unknown\r\n",
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct proxy_header h;
		const char *why;
		size_t used;

		if (strncmp(lines[i], "PROXY ", 6) != 0)
			assert_int_equal(parse(lines[i], strlen(lines[i]), &h, &used, &why),
					 PROXY_NONE);
		else
			assert_bad(lines[i], strlen(lines[i]));
	}
	assert_bad("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", 38);
	assert_bad("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\0\r\n", 37);
	/* 108 bytes are too many, however it goes on. */
	snprintf(line, sizeof(line), "PROXY UNKNOWN %92s\r\n", "x");
	assert_int_equal(strlen(line), 108);
	assert_bad(line, 108);
	assert_bad(line, 107);
}

static void
what_is_none_is_told_from_what_may_become_one(void **state)
{
	static const char *const others[] = { "G",         "PO",     "PROXX",      "proxy ",
					      "PROXY\r\n", "\r\nGE", "\r\n\r\n\n", "\n",
					      " PROXY ",   "PROXY\t" };
	struct proxy_header h;
	const char *why;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(parse(others[i], strlen(others[i]), &h, &used, &why), PROXY_NONE);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(parse("PROXY ", i, &h, &used, &why), PROXY_MAYBE);
	assert_int_equal(parse("PROXY ", 6, &h, &used, &why), PROXY_MORE);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(parse("\r\n\r\n\0\r\nQUIT\n", i, &h, &used, &why), PROXY_MAYBE);
	assert_int_equal(parse("\r\n\r\n\0\r\nQUIT\n", 12, &h, &used, &why), PROXY_MORE);
	assert_int_equal(parse("\r\n\r\n\0\r\nQUIT\r", 12, &h, &used, &why), PROXY_NONE);
}

/* ---- version 2 ---- */

static void
a_block_names_both_ends(void **state)
{
	static const unsigned char v6[] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0,    0,    0,    0,
					    0,    0,    0,    0,    0, 0,    1,    0,    0,
					    0,    0,    0,    0,    0, 0,    0,    0,    0,
					    0,    0,    0,    0,    1, 0xff, 0xff, 0x00, 0x50 };
	struct proxy_header h;
	struct bytes b;

	(void)state;
	begin(&b, 0x21, 0x11);
	put_tcp4(&b);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_addresses(&h, "192.0.2.1 12345", "198.51.100.2 443");
	assert_int_equal(proxy_proto_address_len(&h.source), sizeof(struct sockaddr_in));
	begin(&b, 0x21, 0x21);
	put(&b, v6, sizeof(v6));
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_addresses(&h, "2001:db8::1 65535", "::1 80");
	assert_int_equal(proxy_proto_address_len(&h.source), sizeof(struct sockaddr_in6));
}

static void
what_is_no_tcp_names_nobody(void **state)
{
	static const struct {
		unsigned command, family;
		size_t len;
	} rows[] = {
		{ 0x20, 0x00, 0 },   { 0x20, 0x00, 300 },  { 0x20, 0x11, 12 }, { 0x20, 0x11, 3 },
		{ 0x20, 0xff, 5 },   { 0x21, 0x00, 0 },    { 0x21, 0x12, 12 }, { 0x21, 0x22, 36 },
		{ 0x21, 0x31, 216 }, { 0x21, 0x32, 216 },  { 0x21, 0x10, 0 },  { 0x21, 0x01, 7 },
		{ 0x21, 0x30, 99 },  { 0x20, 0x00, 4080 },
	};
	static const unsigned char zeros[PROXY_HEADER_BYTES];
	struct proxy_header h;
	struct bytes b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&b, rows[i].command, rows[i].family);
		put(&b, zeros, rows[i].len);
		finish(&b);
		assert_header(b.at, b.len, &h);
		assert_addresses(&h, "-", "-");
	}
}

static void
tlvs_tell_of_tls(void **state)
{
	struct bytes ssl = { .len = 0 }, b;
	struct proxy_header h;

	(void)state;
	put(&ssl, "\x07\0\0\0\0", 5);
	put_tlv(&ssl, 0x21, "TLSv1.3", 7);
	put_tlv(&ssl, 0x25, "RSA2048", 7);
	put_tlv(&ssl, 0x22, "J\xc3\xb6rg", 5);
	put_tlv(&ssl, 0x23, "TLS_AES_256_GCM_SHA384", 22);
	begin(&b, 0x21, 0x11);
	put_tcp4(&b);
	put_tlv(&b, 0x04, "", 0);
	put_tlv(&b, 0x02, "www.example.org", 15);
	put_tlv(&b, 0xea, "\0\1\2", 3);
	put_tlv(&b, 0x20, ssl.at, ssl.len);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_addresses(&h, "192.0.2.1 12345", "198.51.100.2 443");
	assert_string_equal(h.authority, "www.example.org");
	assert_true(h.tls && h.verified);
	assert_string_equal(h.tls_version, "TLSv1.3");
	assert_string_equal(h.tls_cipher, "TLS_AES_256_GCM_SHA384");
	assert_string_equal(h.common_name, "J\xc3\xb6rg");
}

/* Who has a certificate that nobody vouches for can have any name in it. */
static void
a_name_counts_only_if_it_is_verified(void **state)
{
	static const struct {
		const char *head;
		bool tls, verified;
	} rows[] = {
		{ "\x03\0\0\0\0", true, true },  { "\x05\0\0\0\0", true, true },
		{ "\x01\0\0\0\0", true, false }, { "\x03\0\0\0\1", true, false },
		{ "\x03\1\0\0\0", true, false }, { "\x00\0\0\0\0", false, false },
	};
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes ssl = { .len = 0 }, b;

		put(&ssl, rows[i].head, 5);
		put_tlv(&ssl, 0x22, "root", 4);
		begin(&b, 0x21, 0x00);
		put_tlv(&b, 0x20, ssl.at, ssl.len);
		finish(&b);
		assert_header(b.at, b.len, &h);
		assert_int_equal(h.tls, rows[i].tls);
		assert_int_equal(h.verified, rows[i].verified);
		assert_string_equal(h.common_name, rows[i].verified ? "root" : "");
	}
}

static void
of_two_tlvs_of_tls_the_last_counts_whole(void **state)
{
	struct bytes ssl = { .len = 0 }, b;
	struct proxy_header h;

	(void)state;
	put(&ssl, "\x03\0\0\0\0", 5);
	put_tlv(&ssl, 0x22, "root", 4);
	begin(&b, 0x21, 0x00);
	put_tlv(&b, 0x20, ssl.at, ssl.len);
	put_tlv(&b, 0x20, "\x01\0\0\0\0", 5);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_true(h.tls && !h.verified);
	assert_string_equal(h.common_name, "");
}

static void
texts_that_could_do_harm_are_left_out(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		const char *taken;
	} rows[] = {
		{ "a.example", 9, "a.example" },
		{ "a\0b", 3, "" },
		{ "a\nB=c", 5, "" },
		{ "a\x7f", 2, "" },
		{ "", 0, "" },
		{ "\xff", 1, "\xff" },
	};
	char longest[256], too_long[256];
	struct proxy_header h;
	struct bytes b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&b, 0x21, 0x00);
		put_tlv(&b, 0x02, rows[i].value, rows[i].len);
		finish(&b);
		assert_header(b.at, b.len, &h);
		assert_string_equal(h.authority, rows[i].taken);
	}
	memset(longest, 'x', sizeof(longest));
	memset(too_long, 'y', sizeof(too_long));
	begin(&b, 0x21, 0x00);
	put_tlv(&b, 0x02, longest, 255);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_int_equal(strlen(h.authority), 255);
	put_tlv(&b, 0x02, too_long, 256);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_string_equal(h.authority, "");
}

static void
a_checksum_must_fit(void **state)
{
	/* By another program: crc32c of the header with four zeros in its place. */
	static const unsigned char sum[4] = { 0x27, 0x93, 0xe2, 0xdd };
	struct proxy_header h;
	struct bytes b;
	size_t at;

	(void)state;
	begin(&b, 0x21, 0x11);
	put_tcp4(&b);
	at = put_tlv(&b, 0x03, sum, sizeof(sum));
	put_tlv(&b, 0x02, "a.example", 9);
	finish(&b);
	assert_header(b.at, b.len, &h);
	assert_string_equal(h.authority, "a.example");
	for (size_t i = 12; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			const char *why;
			size_t used;

			b.at[i] ^= (unsigned char)(1 << bit);
			assert_int_not_equal(parse(b.at, b.len, &h, &used, &why), PROXY_NONE);
			if (i >= 16 && (i < at - 3 || i >= at))
				assert_bad(b.at, b.len);
			b.at[i] ^= (unsigned char)(1 << bit);
		}
	b.at[at + 3] ^= 1;
	b.at[12] = 0x20; /* LOCAL: the block does not matter */
	assert_header(b.at, b.len, &h);
}

static void
a_block_that_is_not_exact_is_bad(void **state)
{
	static const struct {
		unsigned command, family;
		size_t len;
	} rows[] = {
		{ 0x11, 0x11, 12 }, { 0x31, 0x11, 12 }, { 0x01, 0x11, 12 },   { 0x22, 0x11, 12 },
		{ 0x2f, 0x11, 12 }, { 0x21, 0x41, 12 }, { 0x21, 0xf1, 12 },   { 0x21, 0x13, 12 },
		{ 0x21, 0x1f, 12 }, { 0x21, 0x03, 12 }, { 0x21, 0x40, 12 },   { 0x21, 0x11, 0 },
		{ 0x21, 0x11, 11 }, { 0x21, 0x11, 13 }, { 0x21, 0x11, 14 },   { 0x21, 0x12, 11 },
		{ 0x21, 0x21, 12 }, { 0x21, 0x21, 35 }, { 0x21, 0x31, 215 },  { 0x21, 0x31, 218 },
		{ 0x21, 0x00, 1 },  { 0x21, 0x00, 2 },  { 0x20, 0x00, 4081 }, { 0x21, 0x11, 4081 },
	};
	static const unsigned char zeros[PROXY_HEADER_BYTES];
	struct bytes b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&b, rows[i].command, rows[i].family);
		put(&b, zeros, rows[i].len);
		finish(&b);
		assert_bad(b.at, b.len);
	}
	begin(&b, 0x21, 0x00);
	set_length(&b, 14, 65535);
	assert_bad(b.at, b.len); /* as soon as it says so */
}

/* ---- two thousand of both, each made wrong in one way ---- */

static unsigned
pick(unsigned n)
{
	static uint64_t seed = 20261121;

	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

static void
spoil_line(struct bytes *b)
{
	char words[6][64] = { "PROXY", "TCP4" }, *line;
	unsigned which = pick(4) + 2, how = pick(9);
	const char *gap = " ", *end = "\r\n";

	for (int i = 2; i < 4; i++)
		snprintf(words[i], 64, "%u.%u.%u.%u", pick(256), pick(256), pick(256), pick(256));
	for (int i = 4; i < 6; i++)
		snprintf(words[i], 64, "%u", pick(65536));
	switch (how) {
	case 0:
		words[which][0] = '\0';
		break;
	case 1:
		memmove(words[which] + 1, words[which], strlen(words[which]) + 1);
		words[which][0] = "0+-x "[pick(5)];
		break;
	case 2:
		snprintf(words[which], 64, which < 4 ? "1.2.%u.4" : "%u", 65536 + pick(100000));
		break;
	case 3:
		words[1][pick(4)] ^= 1 << pick(7);
		break;
	case 4:
		snprintf(words[pick(2) + 2], 64, "2001:db8::%x", pick(65536));
		break;
	case 5:
		strcat(words[which], " 1");
		break;
	case 6:
		gap = pick(2) ? "  " : "\t";
		break;
	case 7:
		end = pick(2) ? "\n" : " \r\n";
		break;
	case 8:
		words[which][pick((unsigned)strlen(words[which]))] = "\r:/a"[pick(4)];
	}
	line = util_format("PROXY %s%s%s %s%s%s %s%s", words[1], gap, words[2], words[3], gap,
			   words[4], words[5], end);
	b->len = 0;
	put_text(b, line);
	free(line);
}

static void
spoil_block(struct bytes *b)
{
	static const unsigned families[] = { 0x11, 0x12, 0x21, 0x22, 0x31, 0x32 };
	static const size_t sizes[] = { 12, 12, 36, 36, 216, 216 };
	unsigned family = pick(ARRAY_LEN(families)), how = pick(7);
	size_t at, size = sizes[family];

	begin(b, 0x21, families[family]);
	for (size_t i = 0; i < size; i++)
		put(b, &(unsigned char){ (unsigned char)pick(256) }, 1);
	at = put_tlv(b, 0x02, "www.example.org", pick(16));
	switch (how) {
	case 0: /* another version or command */
		b->at[12] = (unsigned char)(0x22 + pick(256 - 2));
		break;
	case 1: /* another family */
		b->at[13] = (unsigned char)((4 + pick(12)) << 4 | pick(16));
		break;
	case 2: /* another protocol */
		b->at[13] = (unsigned char)((b->at[13] & 0xf0) | (3 + pick(13)));
		break;
	case 3: /* shorter than its addresses */
		b->len = 16 + pick((unsigned)size);
		break;
	case 4: /* a TLV without its end */
		set_length(b, at - 2, b->len - at + 1 + pick(60000));
		break;
	case 5: /* a checksum of another header */
		put_tlv(b, 0x03, "\x13\x57\x9b\xdf", pick(5));
		break;
	case 6: /* no TLV at the end */
		put(b, "\0\0", 1 + pick(2));
	}
	finish(b);
}

static void
two_thousand_malformed_ones_are_bad(void **state)
{
	struct bytes b;

	(void)state;
	for (int i = 0; i < MALFORMED; i++) {
		if (i % 2)
			spoil_block(&b);
		else
			spoil_line(&b);
		assert_bad(b.at, b.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_names_both_ends),
		cmocka_unit_test(a_line_that_is_not_exact_is_bad),
		cmocka_unit_test(what_is_none_is_told_from_what_may_become_one),
		cmocka_unit_test(a_block_names_both_ends),
		cmocka_unit_test(what_is_no_tcp_names_nobody),
		cmocka_unit_test(tlvs_tell_of_tls),
		cmocka_unit_test(a_name_counts_only_if_it_is_verified),
		cmocka_unit_test(of_two_tlvs_of_tls_the_last_counts_whole),
		cmocka_unit_test(texts_that_could_do_harm_are_left_out),
		cmocka_unit_test(a_checksum_must_fit),
		cmocka_unit_test(a_block_that_is_not_exact_is_bad),
		cmocka_unit_test(two_thousand_malformed_ones_are_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
