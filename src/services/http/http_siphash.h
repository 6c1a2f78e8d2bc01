/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a digest of 64 bits that nobody without the key can
 * aim at.  Pure.
 */
#ifndef PREFORKD_HTTP_SIPHASH_H
#define PREFORKD_HTTP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t http_siphash(const uint64_t key[2], const void *data, size_t len);

#endif
