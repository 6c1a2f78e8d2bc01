#include "scoreboard.h"

#include "layout.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One change of the census word: the count of changes, and one idle worker more or less. */
#define CHANGE    (UINT64_C(1) << 32)
#define IDLE_MASK UINT64_C(0xffffffff)

#define CORRECT_TRIES 3
#define READ_TRIES    100

static size_t
bytes(size_t slots)
{
	return sizeof(struct scoreboard) + slots * sizeof(struct scoreboard_slot);
}

struct scoreboard *
scoreboard_new(size_t slots)
{
	struct scoreboard *sb = mmap(NULL, bytes(slots), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sb == MAP_FAILED)
		return NULL;
	atomic_store(&sb->ring_above, INT_MAX);
	atomic_store(&sb->low, INT_MAX);
	return sb;
}

void
scoreboard_free(struct scoreboard *sb, size_t slots)
{
	if (sb)
		munmap(sb, bytes(slots));
}

void
scoreboard_clear(struct scoreboard *sb, size_t slot)
{
	memset(&sb->slots[slot], 0, sizeof(sb->slots[slot]));
	source_release(&sb->sources, slot);
}

enum activity
scoreboard_activity(const struct scoreboard *sb, size_t slot, int pid)
{
	const struct scoreboard_slot *s = &sb->slots[slot];
	uint32_t activity = atomic_load(&s->activity);

	if ((int)atomic_load(&s->pid) != pid || activity >= ACTIVITIES)
		return ACTIVITY_NONE;
	return (enum activity)activity;
}

static void
copy_said(const struct scoreboard_slot *s, struct scoreboard_view *view)
{
	uint8_t len = s->peer_len;

	view->peer_len = len <= sizeof(s->peer) ? len : 0;
	memcpy(&view->peer, s->peer, view->peer_len);
	memcpy(view->text, s->text, sizeof(s->text));
	view->text[sizeof(s->text)] = '\0';
}

void
scoreboard_read(const struct scoreboard *sb, size_t slot, int pid, struct scoreboard_view *view)
{
	const struct scoreboard_slot *s = &sb->slots[slot];
	uint32_t before, after;
	int tries = READ_TRIES;

	memset(view, 0, sizeof(*view));
	do {
		before = atomic_load(&s->sequence);
		view->activity = scoreboard_activity(sb, slot, pid);
		view->requests = atomic_load(&s->requests);
		view->connections = atomic_load(&s->connections);
		view->since_ms = atomic_load(&s->since_ms);
		view->program = (int)atomic_load(&s->program);
		copy_said(s, view);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load(&s->sequence);
	} while ((before != after || before % 2) && --tries > 0);
	if (tries == 0 || view->activity == ACTIVITY_NONE) {
		view->peer_len = 0;
		view->text[0] = '\0';
	}
}

void
scoreboard_last_words(const struct scoreboard *sb, size_t slot,
		      char text[SCOREBOARD_TEXT_BYTES + 1])
{
	memcpy(text, sb->slots[slot].text, SCOREBOARD_TEXT_BYTES);
	text[SCOREBOARD_TEXT_BYTES] = '\0';
}

bool
scoreboard_has_rung(const struct scoreboard *sb)
{
	return atomic_load(&sb->bell) != 0;
}

void
scoreboard_hush(struct scoreboard *sb)
{
	atomic_store(&sb->bell, 0);
}

void
scoreboard_set_bell(struct scoreboard *sb, int below, int above)
{
	atomic_store(&sb->ring_below, below);
	atomic_store(&sb->ring_above, above);
}

int
scoreboard_idle(const struct scoreboard *sb)
{
	return (int)(atomic_load(&sb->census) & IDLE_MASK);
}

int
scoreboard_low(const struct scoreboard *sb)
{
	int low = atomic_load(&sb->low);

	return low > 0 ? low : 0;
}

void
scoreboard_reset_low(struct scoreboard *sb)
{
	atomic_store(&sb->low, scoreboard_idle(sb));
}

void
scoreboard_note_low(struct scoreboard *sb, int idle)
{
	int32_t low = atomic_load_explicit(&sb->low, memory_order_relaxed);

	while (idle < low && !atomic_compare_exchange_weak(&sb->low, &low, idle))
		;
}

/* The idle workers by their slots, or -1 while one of them is changing. */
static int64_t
count_idle(const struct scoreboard *sb, size_t slots, bool (*alive)(const void *, size_t),
	   const void *arg)
{
	int64_t idle = 0;

	for (size_t i = 0; i < slots; i++) {
		uint32_t activity;

		if (!alive(arg, i))
			continue;
		activity = atomic_load(&sb->slots[i].activity);
		if (activity == ACTIVITY_CHANGING)
			return -1;
		idle += activity == ACTIVITY_IDLE;
	}
	return idle;
}

bool
scoreboard_correct(struct scoreboard *sb, size_t slots, bool (*alive)(const void *, size_t),
		   const void *arg)
{
	for (int i = 0; i < CORRECT_TRIES; i++) {
		uint64_t before = atomic_load(&sb->census);
		int64_t idle = count_idle(sb, slots, alive, arg);

		if (idle < 0)
			continue;
		if (atomic_compare_exchange_strong(&sb->census, &before,
						   (before & ~IDLE_MASK) | (uint64_t)idle))
			return true;
	}
	return false;
}

bool
scoreboard_ring(struct scoreboard *sb)
{
	return atomic_exchange(&sb->bell, 1) == 0;
}

/* Adds one idle worker or takes one away; returns their number afterwards. */
static int32_t
count_change(struct scoreboard *sb, int delta)
{
	uint64_t before = atomic_load(&sb->census), after;

	do
		after = ((before & ~IDLE_MASK) + CHANGE) |
			((before + (uint64_t)(int64_t)delta) & IDLE_MASK);
	while (!atomic_compare_exchange_weak(&sb->census, &before, after));
	return (int32_t)(after & IDLE_MASK);
}

HOT bool
scoreboard_change(struct scoreboard *sb, size_t slot, enum activity activity)
{
	struct scoreboard_slot *s = &sb->slots[slot];
	bool was_idle = atomic_load(&s->activity) == ACTIVITY_IDLE;
	bool is_idle = activity == ACTIVITY_IDLE, wanted = false;
	int32_t idle;

	atomic_store(&s->since_ms, util_now_coarse_ms());
	if (was_idle == is_idle) {
		atomic_store(&s->activity, activity);
		return false;
	}
	atomic_store(&s->activity, ACTIVITY_CHANGING);
	idle = count_change(sb, is_idle ? 1 : -1);
	if (!is_idle)
		scoreboard_note_low(sb, idle);
	wanted =
	    is_idle ? idle > atomic_load(&sb->ring_above) : idle < atomic_load(&sb->ring_below);
	atomic_store(&s->activity, activity);
	return wanted && scoreboard_ring(sb);
}

/* This worker alone writes the sequence: no locked instruction is needed. */
static void
step_sequence(struct scoreboard_slot *s)
{
	atomic_store_explicit(&s->sequence,
			      atomic_load_explicit(&s->sequence, memory_order_relaxed) + 1,
			      memory_order_release);
	atomic_thread_fence(memory_order_release);
}

HOT bool
scoreboard_is_crowded(const struct scoreboard *sb)
{
	return atomic_load_explicit(&sb->crowded, memory_order_relaxed) > 0;
}

/* One of those that wait has been accepted. */
static void
count_off_crowd(struct scoreboard *sb)
{
	uint32_t n = atomic_load_explicit(&sb->crowded, memory_order_relaxed);

	while (n > 0 && !atomic_compare_exchange_weak(&sb->crowded, &n, n - 1))
		;
}

static void
add_one(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* The master wants to know when somebody goes busy: but for that, one load. */
HOT static bool
ring_alarm(struct scoreboard *sb)
{
	return atomic_load(&sb->alarm) != 0 && atomic_exchange(&sb->alarm, 0) != 0 &&
	       scoreboard_ring(sb);
}

/* Who is served, or will be; between two steps of the sequence. */
static void
set_peer(struct scoreboard_slot *s, const struct sockaddr *peer, socklen_t len)
{
	size_t n = len < sizeof(s->peer) ? len : sizeof(s->peer);

	memcpy(s->peer, peer, n);
	s->peer_len = (uint8_t)n;
	s->text[0] = '\0';
}

static bool
is_waiting(const struct scoreboard_slot *s)
{
	return atomic_load_explicit(&s->activity, memory_order_relaxed) == ACTIVITY_WAITING;
}

bool
scoreboard_arrive(struct scoreboard *sb, size_t slot, const struct sockaddr *peer, socklen_t len)
{
	struct scoreboard_slot *s = &sb->slots[slot];
	bool rang;

	if (!is_waiting(s))
		count_off_crowd(sb);
	step_sequence(s);
	set_peer(s, peer, len);
	rang = scoreboard_change(sb, slot, ACTIVITY_WAITING);
	step_sequence(s);
	return rang;
}

HOT bool
scoreboard_begin(struct scoreboard *sb, size_t slot, const struct sockaddr *peer, socklen_t len,
		 bool is_request)
{
	struct scoreboard_slot *s = &sb->slots[slot];
	bool rang;

	if (!is_waiting(s))
		count_off_crowd(sb);
	step_sequence(s);
	if (is_request)
		add_one(&s->requests);
	add_one(&s->connections);
	set_peer(s, peer, len);
	rang = scoreboard_change(sb, slot, ACTIVITY_BUSY);
	step_sequence(s);
	return ring_alarm(sb) || rang;
}

HOT void
scoreboard_keep(struct scoreboard_slot *s)
{
	step_sequence(s);
	s->text[0] = '\0';
	atomic_store(&s->since_ms, util_now_coarse_ms());
	atomic_store(&s->activity, ACTIVITY_KEEPALIVE);
	step_sequence(s);
}

HOT bool
scoreboard_request(struct scoreboard *sb, size_t slot)
{
	struct scoreboard_slot *s = &sb->slots[slot];

	step_sequence(s);
	add_one(&s->requests);
	atomic_store(&s->since_ms, util_now_coarse_ms());
	atomic_store(&s->activity, ACTIVITY_READING);
	step_sequence(s);
	return ring_alarm(sb);
}

HOT void
scoreboard_set(struct scoreboard_slot *s, enum activity activity)
{
	atomic_store_explicit(&s->activity, activity, memory_order_relaxed);
}

HOT void
scoreboard_say(struct scoreboard_slot *s, const char *text, size_t len)
{
	len = len < sizeof(s->text) ? len : sizeof(s->text);
	step_sequence(s);
	memcpy(s->text, text, len);
	if (len < sizeof(s->text))
		s->text[len] = '\0';
	step_sequence(s);
}

bool
scoreboard_want_leave(struct scoreboard *sb, size_t slot, enum worker_due why)
{
	if (atomic_load_explicit(&sb->slots[slot].due, memory_order_relaxed) != DUE_NOT)
		return false;
	atomic_store(&sb->slots[slot].due, why);
	return scoreboard_ring(sb);
}

bool
scoreboard_enter(struct scoreboard *sb, size_t slot, enum activity activity)
{
	bool rang;

	atomic_store(&sb->slots[slot].pid, (uint32_t)getpid());
	rang = scoreboard_change(sb, slot, activity);
	return scoreboard_ring(sb) || rang;
}
