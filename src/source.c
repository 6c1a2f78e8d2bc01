#include "source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>

/*
 * The upper half of an IPv6 address as it is; the rest in a part of ::/8 that belongs to
 * nobody (RFC 4291, 2.4), and the half of ::1, which is 0, there too.
 */
#define IPV4_TAG (UINT64_C(1) << 32)
#define USER_TAG (UINT64_C(2) << 32)
#define ZERO_TAG (UINT64_C(3) << 32)

#define CHOOSING_TRIES 1000

static uint64_t
number(const unsigned char *bytes, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

uint64_t
source_of_address(const struct sockaddr *peer)
{
	const struct sockaddr_in *sin = (const void *)peer;
	const struct sockaddr_in6 *sin6 = (const void *)peer;
	const unsigned char *bytes = sin6->sin6_addr.s6_addr;
	uint64_t prefix;

	if (peer->sa_family == AF_INET)
		return IPV4_TAG | ntohl(sin->sin_addr.s_addr);
	if (peer->sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return IPV4_TAG | number(bytes + 12, 4);
	prefix = number(bytes, 8);
	return prefix ? prefix : ZERO_TAG;
}

uint64_t
source_of_user(uid_t uid)
{
	return USER_TAG | uid;
}

uint64_t
source_of(const struct sockaddr *peer, int fd)
{
	struct ucred user;
	socklen_t len = sizeof(user);

	if (peer->sa_family != AF_UNIX)
		return source_of_address(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &len) < 0)
		user.uid = (uid_t)-1;
	return source_of_user(user.uid);
}

static void
note_used(struct source_claims *claims, uint32_t n)
{
	uint32_t used = atomic_load(&claims->used);

	while (used < n && !atomic_compare_exchange_weak(&claims->used, &used, n))
		;
}

/* Others of the source whose ticket is earlier; *choosing: those that have none yet. */
static unsigned
count_earlier(const struct source_claims *claims, size_t slot, unsigned *choosing)
{
	uint64_t source = atomic_load(&claims->at[slot].source);
	uint64_t ticket = atomic_load(&claims->at[slot].ticket);
	size_t used = (size_t)util_min(atomic_load(&claims->used), CONF_MAX_WORKERS);
	unsigned n = 0;

	*choosing = 0;
	for (size_t i = 0; i < used; i++) {
		uint64_t other;

		if (i == slot || atomic_load(&claims->at[i].source) != source)
			continue;
		other = atomic_load(&claims->at[i].ticket);
		*choosing += other == 0;
		n += other != 0 && other < ticket;
	}
	return n;
}

bool
source_claim(struct source_claims *claims, size_t slot, uint64_t source, unsigned limit)
{
	struct source_claim *mine = &claims->at[slot];

	note_used(claims, (uint32_t)slot + 1);
	atomic_store(&mine->ticket, 0);
	atomic_store(&mine->source, source);
	atomic_store(&mine->ticket, atomic_fetch_add(&claims->last_ticket, 1) + 1);
	for (int try = 0; try < CHOOSING_TRIES; try++) {
		unsigned choosing, n = count_earlier(claims, slot, &choosing);

		if (n + choosing < limit)
			return true;
		if (n >= limit)
			break;
		sched_yield();
	}
	source_release(claims, slot);
	return false;
}

unsigned
source_count(const struct source_claims *claims, size_t slot)
{
	uint64_t source = atomic_load(&claims->at[slot].source);
	size_t used = (size_t)util_min(atomic_load(&claims->used), CONF_MAX_WORKERS);
	unsigned n = 0;

	for (size_t i = 0; i < used; i++)
		n += atomic_load(&claims->at[i].source) == source;
	return n;
}

void
source_release(struct source_claims *claims, size_t slot)
{
	atomic_store(&claims->at[slot].source, 0);
}
