/*
 * nap - a program that takes one second and answers with a line
 *
 * The sleeping side of the burst: it costs no processor time, so the time of a burst
 * is this second and what the server adds to it.
 */
#include <string.h>
#include <unistd.h>

static const char answer[] = "Content-Type: text/plain\r\n\r\nslept\n";

int
main(void)
{
	char request[4096];

	if (read(0, request, sizeof(request)) < 0)
		return 1;
	sleep(1);
	return write(1, answer, strlen(answer)) < 0;
}
