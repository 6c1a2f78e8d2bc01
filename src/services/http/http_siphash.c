#include "http_siphash.h"

#include <stdbool.h>

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
mix(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* Up to 8 bytes, the first one lowest. */
static uint64_t
word(const unsigned char *at, size_t len)
{
	uint64_t w = 0;

	for (size_t i = 0; i < len && i < 8; i++)
		w |= (uint64_t)at[i] << (8 * i);
	return w;
}

uint64_t
http_siphash(const uint64_t key[2], const void *data, size_t len)
{
	const unsigned char *at = data;
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};

	for (size_t left = len;; at += 8, left -= 8) {
		bool last = left < 8; /* it has what is left, and the length */
		uint64_t w = word(at, left) | (last ? (uint64_t)len << 56 : 0);

		v[3] ^= w;
		mix(v, 2);
		v[0] ^= w;
		if (last)
			break;
	}
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
