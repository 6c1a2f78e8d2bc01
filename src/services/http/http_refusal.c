#include "http_refusal.h"

#include "http_date.h"

#include <stdio.h>
#include <time.h>

/* RFC 9110, 15; 429 is RFC 6585, 4. */
static const char *const status_lines[REFUSALS] = {
	[REFUSED_QUEUE] = "503 Service Unavailable\r\nRetry-After: 1",
	[REFUSED_ACCESS] = "403 Forbidden",
	[REFUSED_TIMES] = "503 Service Unavailable",
	[REFUSED_LOAD] = "503 Service Unavailable\r\nRetry-After: 10",
	[REFUSED_SOURCE] = "429 Too Many Requests\r\nRetry-After: 1",
	[REFUSED_PROXY] = "400 Bad Request",
};

size_t
http_refusal(enum refusal why, char *text, size_t size)
{
	char date[HTTP_DATE_BYTES];
	int n;

	http_date_format(date, time(NULL));
	n = snprintf(text, size,
		     "HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		     status_lines[why], date);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
