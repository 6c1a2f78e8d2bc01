/*
 * early - a CGI script that says something at once and the rest 0.2 s later
 *
 * What a client waits for the first line is the server's: its start of the program, and
 * whether it passes on what is there.
 */
#include <string.h>
#include <unistd.h>

static const char first[] = "Content-Type: text/plain\r\n\r\nearly\n", rest[] = "late\n";

int
main(void)
{
	if (write(1, first, strlen(first)) < 0)
		return 1;
	usleep(200000);
	return write(1, rest, strlen(rest)) < 0;
}
