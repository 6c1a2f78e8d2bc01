/*
 * hello - the smallest program worth a connection
 *
 * Reads what the client sent first, so that the connection can end without a reset,
 * and answers with a line.  The head makes the same program do as a CGI script.
 */
#include <string.h>
#include <unistd.h>

static const char answer[] = "Content-Type: text/plain\r\n\r\nhello\n";

int
main(void)
{
	char request[4096];

	if (read(0, request, sizeof(request)) < 0)
		return 1;
	return write(1, answer, strlen(answer)) < 0;
}
