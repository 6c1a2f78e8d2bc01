#include "pool_words.h"

#include "address.h"
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void
describe(const struct scoreboard_view *view, char text[POOL_WORDS_BYTES])
{
	char client[ADDRESS_TEXT_BYTES], what[4 * SCOREBOARD_TEXT_BYTES + 1];

	address_format((const struct sockaddr *)&view->peer, view->peer_len, client);
	util_escape(what, sizeof(what), view->text, strlen(view->text));
	snprintf(text, POOL_WORDS_BYTES, "client %s: request %" PRIu64 "%s%s", client,
		 view->requests, what[0] ? " " : "", what);
}

static bool
has_request(const struct pool *pool, size_t i, struct scoreboard_view *view)
{
	const struct slot *slot = &pool->slots[i];

	if (slot->state == SLOT_FREE || slot->gen->service->run)
		return false;
	scoreboard_read(pool->scoreboard, i, slot->pid, view);
	return activity_is_busy(view->activity);
}

void
pool_words_request(const struct pool *pool, size_t slot, char text[POOL_WORDS_BYTES])
{
	struct scoreboard_view view;

	text[0] = '\0';
	if (has_request(pool, slot, &view))
		describe(&view, text);
}

void
pool_words_longest(const struct pool *pool, int64_t now, char text[POOL_WORDS_BYTES])
{
	struct scoreboard_view view, longest = { .since_ms = INT64_MAX };
	char what[POOL_WORDS_BYTES];
	pid_t pid = 0;
	int64_t ms;

	text[0] = '\0';
	for (size_t i = 0; i < pool->nslots; i++)
		if (has_request(pool, i, &view) && view.since_ms < longest.since_ms) {
			longest = view;
			pid = pool->slots[i].pid;
		}
	if (pid == 0)
		return;
	describe(&longest, what);
	ms = util_max(now - longest.since_ms, 0);
	snprintf(text, POOL_WORDS_BYTES, "worker %d, %.320s, for %" PRId64 ".%" PRId64 " s",
		 (int)pid, what, ms / 1000, ms % 1000 / 100);
}

void
pool_words_fork_remedy(int error, char text[POOL_WORDS_BYTES])
{
	struct rlimit rl;

	text[0] = '\0';
	if (error == ENOMEM)
		snprintf(text, POOL_WORDS_BYTES,
			 ": see MemoryMax of the unit (memory.max), or add memory");
	else if (error == EAGAIN && getrlimit(RLIMIT_NPROC, &rl) == 0 &&
		 rl.rlim_cur != RLIM_INFINITY)
		snprintf(text, POOL_WORDS_BYTES,
			 ": raise LimitNPROC (RLIMIT_NPROC, now %" PRIu64 ") or TasksMax "
			 "(pids.max) of the unit",
			 (uint64_t)rl.rlim_cur);
	else if (error == EAGAIN)
		snprintf(text, POOL_WORDS_BYTES, ": raise TasksMax of the unit (pids.max)");
}

void
pool_words_end(const struct pool *pool, const struct slot *slot, int status, bool oom,
	       char text[POOL_WORDS_BYTES])
{
	char words[SCOREBOARD_TEXT_BYTES + 1];
	bool says_why = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CANNOT_START &&
			slot->state == SLOT_STARTING;

	scoreboard_last_words(pool->scoreboard, (size_t)(slot - pool->slots), words);
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_PROGRAM_ENDED)
		snprintf(text, POOL_WORDS_BYTES, "ended, its program %s", words);
	else if (WIFSIGNALED(status))
		snprintf(text, POOL_WORDS_BYTES, "killed by signal %d (%s)%s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "",
			 oom ? ", out of memory in the control group (raise memory.max, or lower "
			       "max_workers)"
			     : "");
	else if (says_why && words[0])
		snprintf(text, POOL_WORDS_BYTES, "exited with status %d (%s)", WEXITSTATUS(status),
			 words);
	else
		snprintf(text, POOL_WORDS_BYTES, "exited with status %d", WEXITSTATUS(status));
}

void
pool_words_life(const struct slot *slot, uint64_t requests, int64_t now,
		char text[POOL_WORDS_BYTES])
{
	int64_t age = now - slot->forked;
	int n = snprintf(text, POOL_WORDS_BYTES, "after %" PRId64 ".%" PRId64 "s", age / 1000,
			 age % 1000 / 100);

	if (!slot->gen->service->run)
		snprintf(text + n, POOL_WORDS_BYTES - (size_t)n, ", %" PRIu64 " request%s",
			 requests, util_plural(requests));
}
