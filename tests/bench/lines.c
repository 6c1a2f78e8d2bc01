/*
 * lines - a module for preforkd that sends each line back, by the public interface
 */
#include <preforkd/module.h>

static void
serve(struct preforkd_conn *conn)
{
	char line[1024];

	preforkd_idle_timeout(conn, 60000);
	while (preforkd_read_line(conn, line, sizeof(line)) >= 0)
		preforkd_print(conn, "%s\n", line);
}

const struct preforkd_module preforkd_module = {
	.api = PREFORKD_MODULE_API,
	.size = sizeof(struct preforkd_module),
	.description = "lines back",
	.serve = serve,
};
