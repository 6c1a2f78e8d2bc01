/*
 * nap - a program that takes its time and answers with a line
 *
 * As many seconds as the request or, for CGI, the query begins with; one if it begins
 * with no number.  The sleep costs no processor time, so what a client waits is this and
 * what the server adds to it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char answer[] = "Content-Type: text/plain\r\n\r\nslept\n";

int
main(void)
{
	char request[4096];
	const char *query = getenv("QUERY_STRING");
	ssize_t n = read(0, request, sizeof(request) - 1);

	if (n < 0)
		return 1;
	request[n] = '\0';
	if (!query)
		query = request;
	sleep(isdigit((unsigned char)query[0]) ? (unsigned)atoi(query) : 1);
	return write(1, answer, strlen(answer)) < 0;
}
