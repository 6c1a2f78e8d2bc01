/* rot13: each letter goes back as the one thirteen places on; all else as it is. */
#include "stream.h"

static int64_t idle_timeout;
static unsigned char table[256];

static int
rot13_start(const struct service_setup *setup, char **err)
{
	(void)err;
	idle_timeout = setup->conf->rot13.idle_timeout;
	for (int c = 0; c < 256; c++)
		table[c] = (unsigned char)c;
	for (int i = 0; i < 26; i++) {
		table['a' + i] = (unsigned char)('a' + (i + 13) % 26);
		table['A' + i] = (unsigned char)('A' + (i + 13) % 26);
	}
	return 0;
}

static void
rot13_serve(struct conn *conn)
{
	stream_serve(conn, table, idle_timeout);
}

const struct service service_rot13 = { .start = rot13_start, .serve = rot13_serve };
