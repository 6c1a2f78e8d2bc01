/*
 * module: functions of a shared object serve the connections, see <preforkd/module.h>.
 */
#include "module_service.h"

#include "layout.h"
#include "module_api.h"

static struct {
	const struct service_setup *setup;
	const struct module_prepared *prepared;
	void *state;
} self PER_WORKER;

int
module_start(const struct service_setup *setup, char **err)
{
	const struct module_prepared *p = setup->prepared;
	struct preforkd_error error = { "it does not say why" };

	self.setup = setup;
	self.prepared = p;
	self.state = p->shared;
	module_api_start(setup);
	if (p->module->start && p->module->start(&p->pool, p->shared, &self.state, &error) < 0)
		return util_fail(err, "%.*s", (int)sizeof(error.text), error.text);
	return 0;
}

/* Where connections may be kept, requests are counted here, and not as they are accepted. */
void
module_serve(struct conn *conn)
{
	if (self.setup->give_fd >= 0) {
		self.setup->next_request();
		scoreboard_set(self.setup->slot, ACTIVITY_BUSY);
	}
	self.prepared->module->serve(module_api_begin(conn, &self.prepared->pool, self.state));
	module_api_end();
}

void
module_stop(void)
{
	if (self.prepared->module->stop)
		self.prepared->module->stop(self.state);
}

static int
start(const struct service_setup *setup, char **err)
{
	module_api_watch_forks();
	return module_start(setup, err);
}

const struct service service_module = {
	.keeps_connections = true,
	.prepare = module_prepare,
	.release = module_release,
	.same = module_same,
	.open = module_open,
	.start = start,
	.serve = module_serve,
	.stop = module_stop,
};
