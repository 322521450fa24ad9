/*
 * crowd.c
 *	  See crowd.h.  A request finds its address's numbers at once, however many requests
 *	  there are: each start and each end asks for them.
 */
#include "crowd.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

struct Crowd
{
	CrowdPlace *buckets[BUCKETS];
};

static unsigned
bucket_of(const WebAddress *address)
{
	uint32_t	hash = 2166136261u;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return hash % BUCKETS;
}

Crowd *
crowd_new(void)
{
	return calloc(1, sizeof(Crowd));
}

void
crowd_free(Crowd *crowd)
{
	for (int i = 0; crowd != NULL && i < BUCKETS; i++)
		while (crowd->buckets[i] != NULL)
		{
			CrowdPlace *place = crowd->buckets[i];

			crowd->buckets[i] = place->next;
			free(place);
		}
	free(crowd);
}

CrowdPlace *
crowd_find(const Crowd *crowd, const WebAddress *address)
{
	CrowdPlace *place = crowd->buckets[bucket_of(address)];

	while (place != NULL && memcmp(&place->address, address, sizeof(WebAddress)) != 0)
		place = place->next;
	return place;
}

CrowdPlace *
crowd_enter(Crowd *crowd, const WebAddress *address, int running, int waiting)
{
	CrowdPlace *place = crowd_find(crowd, address);

	if (place == NULL)
	{
		CrowdPlace **bucket = &crowd->buckets[bucket_of(address)];

		place = calloc(1, sizeof(CrowdPlace));
		if (place == NULL)
			return NULL;
		place->address = *address;
		place->next = *bucket;
		*bucket = place;
	}
	place->running += running;
	place->waiting += waiting;
	return place;
}

void
crowd_leave(Crowd *crowd, CrowdPlace *place, int running, int waiting)
{
	CrowdPlace **link;

	if (place == NULL)
		return;
	place->running -= running;
	place->waiting -= waiting;
	if (place->running + place->waiting > 0)
		return;
	for (link = &crowd->buckets[bucket_of(&place->address)]; *link != place;)
		link = &(*link)->next;
	*link = place->next;
	free(place);
}
