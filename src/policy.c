#include "policy.h"

#include "util.h"

#include <limits.h>

/* Forks that may be under way before one of them has proven that workers can start. */
#define UNPROVEN_MAX 10

#define PROVEN_MS          1000
#define AT_LIMIT_ARM_MS    250
#define UNSEEN_ARM_MS      50
#define UNSEEN_LOOK_MS     1000
#define UNSEEN_LOOK_MIN_MS 50
#define GIVE_WAY_LOOK_MS   2
#define GIVE_WAY_SOON_MS   50
#define SATURATED_LOOK_MS  1000
#define BACKOFF_FIRST_MS   1000
#define BACKOFF_MAX_MS     30000
#define FORK_RETRY_MS      100
#define FORK_RETRY_MAX_MS  5000
#define TERM_TO_KILL_MS    5000

static int
at_least_0(int n)
{
	return n > 0 ? n : 0;
}

static int64_t
doubled(int64_t first, int times, int64_t limit)
{
	while (times-- > 0 && first < limit)
		first *= 2;
	return first < limit ? first : limit;
}

static void
look_again(struct policy_plan *plan, int64_t when)
{
	if (plan->look_at == 0 || when < plan->look_at)
		plan->look_at = when;
}

static bool
backed_off(const struct policy_state *state)
{
	return state->failures >= UNPROVEN_MAX;
}

/* How many workers are missing, by need alone. */
static int
deficit(const struct policy_limits *l, const struct policy_census *c)
{
	int total = c->starting + c->idle + c->busy;
	int wanted = l->min_spare + c->queue - c->idle - c->starting;
	int missing = l->max - total;

	if (!l->fixed && wanted < missing)
		missing = wanted;
	return at_least_0(missing);
}

/* How many forks the history allows just now. */
static int
allowed(const struct policy_census *c, struct policy_state *state, int64_t now,
	struct policy_plan *plan)
{
	if (state->proof_at != 0 && now >= state->proof_at && c->idle + c->busy > 0)
		policy_forgive(state);
	if (now < state->next_try) {
		look_again(plan, state->next_try);
		return 0;
	}
	if (backed_off(state)) {
		if (state->proof_at != 0)
			look_again(plan, state->proof_at);
		return at_least_0(1 - c->starting - (state->proof_at != 0));
	}
	if (state->last_ready != 0 && now - state->last_ready <= PROVEN_MS)
		return INT_MAX;
	return at_least_0(UNPROVEN_MAX - state->failures - c->starting);
}

/*
 * Surplus is what was idle all the time for spare_timeout: the low-water mark says it
 * exactly, so one look retires it whole, and a saw-tooth load does not make it swing.
 */
static int
surplus(const struct policy_limits *l, const struct policy_census *c, struct policy_state *state,
	int64_t now, struct policy_plan *plan)
{
	int spare = c->idle - c->queue; /* who waits will be taken on by them any moment */
	int goes = 0;

	if (l->fixed || spare <= l->max_spare) {
		state->surplus_end = 0;
		return 0;
	}
	if (l->spare_timeout == 0)
		return spare - l->max_spare;
	if (state->surplus_end != 0 && now >= state->surplus_end) {
		goes = at_least_0((int)util_min(c->low, spare) - l->max_spare);
		state->surplus_end = 0;
	}
	if (state->surplus_end == 0 && spare - goes > l->max_spare) {
		state->surplus_end = now + l->spare_timeout;
		plan->reset_low = true;
	}
	if (state->surplus_end != 0)
		look_again(plan, state->surplus_end);
	return goes;
}

/*
 * What would tell of the next connection is armed now, or again only after a while, so
 * that a pool that is hard at work costs no more than a few looks a second.
 */
static bool
may_arm(struct policy_state *state, int64_t pause, int64_t now, struct policy_plan *plan)
{
	int64_t arm_at = state->armed_at + pause;

	if (state->armed_at != 0 && now != state->armed_at && now < arm_at) {
		look_again(plan, arm_at);
		return false;
	}
	state->armed_at = now;
	return true;
}

/* Nothing can be started, but whether connections wait must be seen. */
static void
watch_limit(const struct policy_limits *l, const struct policy_census *c,
	    struct policy_state *state, int64_t now, struct policy_plan *plan)
{
	if (c->idle == 0 && c->kept > 0) {
		/* Whoever comes is served as soon as an idle connection has given way. */
		plan->give_way = at_least_0((int)util_min(c->queue - c->closing, c->kept));
		if (c->queue > 0)
			look_again(plan, now + GIVE_WAY_LOOK_MS);
		else
			plan->watch = c->starting + plan->start == 0;
		return;
	}
	if (plan->saturated) {
		look_again(plan, now + (l->keeps ? GIVE_WAY_SOON_MS : SATURATED_LOOK_MS));
		return;
	}
	if (!may_arm(state, l->keeps ? GIVE_WAY_LOOK_MS : AT_LIMIT_ARM_MS, now, plan))
		return;
	if (c->idle > 0 && !l->unseen)
		plan->ring_below = 1;
	else if (c->starting + plan->start == 0)
		plan->watch = true;
}

/* Who does not tell that it goes idle must be counted while there may be too many. */
static void
sample_unseen(const struct policy_limits *l, const struct policy_census *c, int64_t now,
	      struct policy_plan *plan)
{
	int64_t pause =
	    util_max(util_min(l->spare_timeout / 10, UNSEEN_LOOK_MS), UNSEEN_LOOK_MIN_MS);

	if (!l->fixed && c->idle + c->busy > l->max_spare)
		look_again(plan, now + pause);
}

/* It can grow, but its workers do not tell when it must. */
static void
watch_unseen(const struct policy_limits *l, const struct policy_census *c,
	     struct policy_state *state, int64_t now, struct policy_plan *plan)
{
	plan->ring_below = 0;
	if (now - state->armed_at >= 2 * UNSEEN_ARM_MS)
		state->pause = 1;
	if (!plan->watch)
		plan->watch = may_arm(state, state->pause, now, plan);
	/* A change may be missed when it is at once accepted: one is seldom alone. */
	if (l->min_spare > 0 && c->busy != state->busy_seen)
		look_again(plan, now + UNSEEN_LOOK_MS);
	state->busy_seen = c->busy;
}

void
policy_told(struct policy_state *state, int64_t now)
{
	if (state->armed_at == now)
		state->armed_at = now - 1;
	state->pause = util_min(2 * state->pause, UNSEEN_ARM_MS);
}

bool
policy_wants_more(const struct policy_limits *limits, const struct policy_census *census)
{
	return deficit(limits, census) > 0;
}

int
policy_due_max(int total)
{
	return total < 20 ? 1 : total / 10;
}

int
policy_due_leave(const struct policy_limits *limits, const struct policy_census *census, int due)
{
	struct policy_census ready = *census;

	ready.starting = 0;
	return at_least_0(due - deficit(limits, &ready));
}

void
policy_look(const struct policy_limits *l, const struct policy_census *c,
	    struct policy_state *state, int64_t now, struct policy_plan *plan)
{
	int total = c->starting + c->idle + c->busy, missing = deficit(l, c), after;
	bool may_try, can_grow, at_limit;

	*plan = (struct policy_plan){ .ring_above = INT_MAX };
	if (total > l->max) {
		plan->retire = total - l->max;
	} else {
		int may = (int)util_min(allowed(c, state, now, plan), at_least_0(c->room));

		plan->start = (int)util_min(missing, may);
		plan->starved = missing > at_least_0(c->room);
		plan->retire = surplus(l, c, state, now, plan);
	}
	after = total + plan->start;
	/* After a back-off one worker, for whoever comes next, must prove itself. */
	may_try = !l->fixed && after < l->max && c->room > plan->start && state->next_try <= now &&
		  !(backed_off(state) && state->proof_at != 0);
	can_grow = may_try && !backed_off(state);
	if (can_grow)
		plan->ring_below = (int)util_max(l->min_spare, 1);
	if (!l->fixed && state->surplus_end == 0)
		plan->ring_above = l->max_spare;
	plan->watch = may_try && c->idle + c->starting + plan->start == 0;
	if (can_grow && l->unseen)
		watch_unseen(l, c, state, now, plan);
	if (l->unseen)
		sample_unseen(l, c, now, plan);
	plan->starved |= !l->fixed && after < l->max && c->room <= plan->start &&
			 c->idle + c->starting + plan->start == 0;
	at_limit = after >= l->max || c->room <= plan->start;
	plan->saturated =
	    at_limit && c->idle + c->starting + plan->start + c->kept == 0 && c->queue > 0;
	if (at_limit && c->starting + plan->start == 0 && c->idle + c->busy > 0)
		watch_limit(l, c, state, now, plan);
}

void
policy_ready(struct policy_state *state, int64_t now)
{
	state->last_ready = now;
	if (state->failures > 0 && state->unready)
		policy_forgive(state);
	else if (state->failures > 0)
		state->proof_at = now + POLICY_OF_USE_MS;
	state->last_ready = now;
}

void
policy_died(struct policy_state *state, enum policy_death how, int64_t forked, int64_t now)
{
	state->last_ready = 0;
	if (how == POLICY_FROM_OUTSIDE)
		return;
	if (how == POLICY_OF_USE) {
		/* An old worker does not prove that new ones can start. */
		if (forked > state->last_failure)
			policy_forgive(state);
		return;
	}
	state->failures++;
	state->last_failure = now;
	state->unready = how == POLICY_NEVER_READY;
	state->proof_at = 0;
	if (backed_off(state))
		state->next_try =
		    now + doubled(BACKOFF_FIRST_MS, state->failures - UNPROVEN_MAX, BACKOFF_MAX_MS);
}

void
policy_fork_failed(struct policy_state *state, int64_t now)
{
	state->next_try = now + doubled(FORK_RETRY_MS, state->fork_failures, FORK_RETRY_MAX_MS);
	state->fork_failures++;
}

void
policy_forked(struct policy_state *state)
{
	state->fork_failures = 0;
}

void
policy_forgive(struct policy_state *state)
{
	state->failures = 0;
	state->unready = false;
	state->proof_at = 0;
	state->next_try = 0;
	state->fork_failures = 0;
}

enum policy_step
policy_step(int64_t grace, int64_t elapsed, int64_t *next)
{
	const struct {
		int64_t until;
		enum policy_step step;
	} ladder[] = {
		{ grace, POLICY_STEP_DRAIN },
		{ grace + TERM_TO_KILL_MS, POLICY_STEP_TERM },
	};

	for (unsigned i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++)
		if (elapsed < ladder[i].until) {
			*next = ladder[i].until;
			return ladder[i].step;
		}
	*next = 0;
	return POLICY_STEP_KILL;
}
