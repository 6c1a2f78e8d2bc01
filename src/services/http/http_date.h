/*
 * Dates as HTTP writes them (RFC 9110 5.6.7): seconds since 1970 in UTC, by no locale and
 * no time zone.  Pure.
 */
#ifndef PREFORKD_HTTP_DATE_H
#define PREFORKD_HTTP_DATE_H

#include "http_text.h"

#include <stdint.h>

#define HTTP_DATE_BYTES     30
#define HTTP_DATE_ISO_BYTES 17

/* "Sun, 06 Nov 1994 08:49:37 GMT".  A year before 0 or after 9999 is the nearest second of those.
 */
void http_date_format(char out[HTTP_DATE_BYTES], int64_t seconds);

/* "1994-11-06 08:49", for people; the same years. */
void http_date_iso(char out[HTTP_DATE_ISO_BYTES], int64_t seconds);

/*
 * Reads IMF-fixdate, the date of RFC 850 or that of asctime(3), each to the letter; false,
 * with *seconds as it was, for anything else and for a day that no calendar has.  The name
 * of the day must be one, but need not be that of the date.  A year of two digits is the
 * latest one with these whose date is not more than 50 years ahead of now.
 */
bool http_date_parse(struct http_text text, int64_t now, int64_t *seconds);

#endif
