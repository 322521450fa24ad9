/*
 * names.c
 *	  See names.h.
 *
 * The system's hosts file is not read, no search domain is added, and addresses are not
 * sorted: for that c-ares would connect sockets to them before anybody has judged them.
 */
#include "names.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define BUCKETS 4096
#define MOST_KEPT 50000

/* After so many lookups in a row without an answer the name servers are taken to be away. */
#define SILENT_AFTER 5

#define FIRST_TIMEOUT_MS 2500
#define TRIES 3

/* How long answers are kept, whatever their TTL. */
#define SHORTEST_MS (60 * 1000)
#define LONGEST_MS (10 * 60 * 1000)
#define NO_NAME_MS (60 * 1000)
#define FAILED_MS (5 * 1000)

typedef struct Asker
{
	NamesDone	done;
	void	   *arg;
	struct Asker *next;
} Asker;

typedef struct Entry
{
	struct Entry *next;			/* in its bucket */
	Names	   *names;
	Asker	   *askers;
	int64_t		expires_ms;
	bool		asking;
	NamesAnswer answer;
	char		host[];
} Entry;

struct Names
{
	ares_channel channel;
	int			epoll;
	uint64_t	mark;
	int			kept;
	int			unanswered;		/* lookups in a row */
	bool		ending;
	Entry	   *buckets[BUCKETS];
};

int64_t
web_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	Names	   *names = arg;
	struct epoll_event event = {.events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0),
	.data.u64 = names->mark | (uint32_t) fd};

	if (event.events == 0)
		(void) epoll_ctl(names->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(names->epoll, EPOLL_CTL_MOD, fd, &event) != 0)
		(void) epoll_ctl(names->epoll, EPOLL_CTL_ADD, fd, &event);
}

Names *
names_new(int epoll, uint64_t mark, const char *servers)
{
	Names	   *names = calloc(1, sizeof(Names));
	char		lookups[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = FIRST_TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = names
	};

	if (names == NULL)
		return NULL;
	names->epoll = epoll;
	names->mark = mark;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
		ares_init_options(&names->channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
						  ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
	{
		free(names);
		return NULL;
	}
	if (servers[0] != '\0' && ares_set_servers_ports_csv(names->channel, servers) != ARES_SUCCESS)
	{
		names_free(names);
		return NULL;
	}
	return names;
}

static Entry **
bucket_of(Names *names, const char *host)
{
	uint32_t	hash = 2166136261u;

	for (; *host != '\0'; host++)
		hash = (hash ^ (unsigned char) *host) * 16777619u;
	return &names->buckets[hash % BUCKETS];
}

static Entry *
find(Names *names, const char *host)
{
	Entry	   *entry = *bucket_of(names, host);

	while (entry != NULL && strcmp(entry->host, host) != 0)
		entry = entry->next;
	return entry;
}

/* Drops what has expired in one bucket, and where too much is kept whatever nobody waits for. */
static void
tidy(Names *names, Entry **link)
{
	while (*link != NULL)
	{
		Entry	   *entry = *link;

		if (entry->asking || (entry->expires_ms > web_now_ms() && names->kept < MOST_KEPT))
		{
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		names->kept--;
		free(entry);
	}
}

/* ---- answers ---- */

static void
add_address(NamesAnswer *answer, const struct sockaddr *given, int family)
{
	WebAddress	address;

	if (given->sa_family != family || answer->n == NAMES_ADDRESSES)
		return;
	if (family == AF_INET)
	{
		memcpy(address.bytes, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
		memcpy(address.bytes + 12, &((const struct sockaddr_in *) given)->sin_addr, 4);
	}
	else
		memcpy(address.bytes, &((const struct sockaddr_in6 *) given)->sin6_addr, 16);
	for (int i = 0; i < answer->n; i++)
		if (memcmp(&answer->addresses[i], &address, sizeof(address)) == 0)
			return;
	answer->addresses[answer->n++] = address;
}

/* How long the answer is kept. */
static int64_t
take_addresses(NamesAnswer *answer, const struct ares_addrinfo *found)
{
	int64_t		keep_ms = LONGEST_MS;

	for (int pass = 0; pass < 2; pass++)
		for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
		{
			add_address(answer, node->ai_addr, pass == 0 ? AF_INET : AF_INET6);
			if (node->ai_ttl * INT64_C(1000) < keep_ms)
				keep_ms = node->ai_ttl * INT64_C(1000);
		}
	return keep_ms < SHORTEST_MS ? SHORTEST_MS : keep_ms;
}

/*
 * c-ares says "refused" also where each name server has answered that it cannot tell, so
 * that says nothing.
 */
static void
note_silence(Names *names, int status)
{
	if (status == ARES_ETIMEOUT)
		names->unanswered++;
	else if (status != ARES_ECONNREFUSED && status != ARES_EDESTRUCTION && status != ARES_ECANCELLED)
		names->unanswered = 0;
}

bool
names_are_silent(const Names *names)
{
	return names->unanswered >= SILENT_AFTER;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	Entry	   *entry = arg;
	NamesAnswer *answer = &entry->answer;
	int64_t		keep_ms = FAILED_MS;
	Asker	   *asker = entry->askers;

	(void) timeouts;
	note_silence(entry->names, status);
	memset(answer, 0, sizeof(*answer));
	if (status == ARES_SUCCESS && found != NULL)
		keep_ms = take_addresses(answer, found);
	else
		snprintf(answer->error, sizeof(answer->error), "%s", ares_strerror(status));
	if (answer->n == 0)
	{
		bool		no_name = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS ||
		status == ARES_EBADNAME;

		answer->fault = no_name ? WEB_FAULT_NO_NAME : names_are_silent(entry->names) ? WEB_FAULT_RESOLVER : WEB_FAULT_NAMES;
		keep_ms = no_name ? NO_NAME_MS : FAILED_MS;
	}
	if (found != NULL)
		ares_freeaddrinfo(found);
	entry->asking = false;
	entry->expires_ms = web_now_ms() + keep_ms;
	entry->askers = NULL;
	while (asker != NULL)
	{
		Asker	   *next = asker->next;

		if (!entry->names->ending)
			asker->done(asker->arg, answer);
		free(asker);
		asker = next;
	}
}

static Entry *
add_entry(Names *names, const char *host)
{
	Entry	  **bucket = bucket_of(names, host);
	size_t		size = strlen(host) + 1;
	Entry	   *entry;

	tidy(names, bucket);
	entry = calloc(1, sizeof(Entry) + size);
	if (entry == NULL)
		return NULL;
	memcpy(entry->host, host, size);
	entry->names = names;
	entry->next = *bucket;
	*bucket = entry;
	names->kept++;
	return entry;
}

bool
names_ask(Names *names, const char *host, NamesDone done, void *arg)
{
	Entry	   *entry = find(names, host);
	struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,.ai_family = AF_UNSPEC};
	Asker	   *asker;

	if (entry != NULL && !entry->asking && entry->expires_ms > web_now_ms())
	{
		done(arg, &entry->answer);
		return true;
	}
	if (entry == NULL)
		entry = add_entry(names, host);
	asker = malloc(sizeof(Asker));
	if (entry == NULL || asker == NULL)
	{
		free(asker);
		return false;
	}
	*asker = (Asker)
	{
		.done = done,.arg = arg,.next = entry->askers
	};
	entry->askers = asker;
	if (!entry->asking)
	{
		entry->asking = true;
		ares_getaddrinfo(names->channel, host, NULL, &hints, on_answer, entry);
	}
	return true;
}

void
names_forget(Names *names, const char *host, const void *arg)
{
	Entry	   *entry = find(names, host);
	Asker	  **link = entry == NULL ? NULL : &entry->askers;

	while (link != NULL && *link != NULL)
	{
		Asker	   *asker = *link;

		if (asker->arg != arg)
		{
			link = &asker->next;
			continue;
		}
		*link = asker->next;
		free(asker);
	}
}

int64_t
names_wait_ms(Names *names)
{
	struct timeval longest = {.tv_sec = 3600};
	struct timeval room;
	struct timeval *wait = ares_timeout(names->channel, &longest, &room);

	if (wait->tv_sec >= 3600)
		return -1;
	return (int64_t) wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000;
}

void
names_serve(Names *names, int fd, bool readable, bool writable)
{
	ares_process_fd(names->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
}

void
names_free(Names *names)
{
	if (names == NULL)
		return;
	names->ending = true;
	ares_destroy(names->channel);
	for (int i = 0; i < BUCKETS; i++)
		while (names->buckets[i] != NULL)
		{
			Entry	   *entry = names->buckets[i];

			names->buckets[i] = entry->next;
			free(entry);
		}
	ares_library_cleanup();
	free(names);
}
