/*
 * bulk - a CGI script that reads or writes much
 *
 * For POST it reads all of its input and says how many bytes there were.  Else the query
 * is the number of bytes to write, the last of which is a full stop; with "&length" behind
 * it the head says it too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 65536 };

static char buffer[BUFFER_SIZE];

static int
say(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(1, text, len);

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
count_input(void)
{
	char said[128];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		sum += (size_t)n;
	if (n < 0)
		return -1;
	n = snprintf(said, sizeof(said),
		     "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%zu\n",
		     snprintf(NULL, 0, "%zu\n", sum), sum);
	return say(said, (size_t)n);
}

static int
write_output(const char *query)
{
	size_t left = strtoul(query, NULL, 10);

	printf("Content-Type: application/octet-stream\r\n");
	if (strstr(query, "&length"))
		printf("Content-Length: %zu\r\n", left);
	printf("\r\n");
	fflush(stdout);
	for (size_t n; left > 1; left -= n) {
		n = left - 1 < sizeof(buffer) ? left - 1 : sizeof(buffer);
		if (say(buffer, n) < 0)
			return -1;
	}
	return say(".", left);
}

int
main(void)
{
	const char *query = getenv("QUERY_STRING"), *method = getenv("REQUEST_METHOD");

	memset(buffer, 'x', sizeof(buffer));
	if (method && strcmp(method, "POST") == 0)
		return count_input() < 0;
	return !query || write_output(query) < 0;
}
