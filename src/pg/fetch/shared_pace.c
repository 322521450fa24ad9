/*
 * shared_pace.c
 *	  The pace of a host over all databases of the cluster, where llava_zh is preloaded.
 *
 * Each database has a fetcher and rows of llava_host of its own; what a host must not feel
 * is that there are several.  A place holds a host while one of them asks it, and until its
 * delay is over.  A database is kept waiting by others only: its own pace is in its rows,
 * which outlive a crash.  A place whose time is over is free, so nothing is left behind by
 * a process that has died.  Where all places near a host's are taken it is not counted.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "errand.h"
#include "miscadmin.h"
#include "process/process.h"

#define PLACES 65536

/* A host's place is one of so many. */
#define NEAR 8

/* A host that another database is asking is looked at again after this. */
#define ASKING_MS 200

/* Longest time that a request's place is kept without its end being heard of. */
#define ASKED_FOR_MS (llava_fetch_timeout + 60 * 1000)

typedef struct HostPlace
{
	uint64		host;			/* hash of its name; 0: nothing yet */
	Oid			database;
	bool		asking;
	TimestampTz until;
} HostPlace;

static HostPlace *places;

const SharedPart fetch_shared = {
	"llava_zh hosts", sizeof(HostPlace) * PLACES, NULL, (void **) &places, NULL
};

static uint64
hash_of(const char *host)
{
	return hash_bytes_extended((const unsigned char *) host, strlen(host), 0) | 1;
}

/* Its place, or one that is free; NULL: there is none.  Lock held. */
static HostPlace *
place_of(uint64 host, TimestampTz now)
{
	HostPlace  *vacant = NULL;

	for (int i = 0; i < NEAR; i++)
	{
		HostPlace  *place = &places[(host + i) % PLACES];

		if (place->host == host && place->until > now)
			return place;
		if (vacant == NULL && place->until <= now)
			vacant = place;
	}
	return vacant;
}

TimestampTz
shared_pace_take(const char *host, TimestampTz now)
{
	uint64		hash = hash_of(host);
	TimestampTz free_at = DT_NOBEGIN;
	HostPlace  *place;

	if (places == NULL)
		return DT_NOBEGIN;
	LWLockAcquire(shared_lock(SHARED_LOCK_FETCH), LW_EXCLUSIVE);
	place = place_of(hash, now);
	if (place != NULL && place->host == hash && place->until > now && place->database != MyDatabaseId)
		free_at = place->asking ? Min(place->until, TimestampTzPlusMilliseconds(now, ASKING_MS)) : place->until;
	else if (place != NULL)
		*place = (HostPlace)
	{
		.host = hash,.database = MyDatabaseId,.asking = true,
			.until = TimestampTzPlusMilliseconds(now, ASKED_FOR_MS)
	};
	LWLockRelease(shared_lock(SHARED_LOCK_FETCH));
	return free_at;
}

void
shared_pace_give(const char *host, TimestampTz free_at)
{
	uint64		hash = hash_of(host);
	HostPlace  *place;

	if (places == NULL)
		return;
	LWLockAcquire(shared_lock(SHARED_LOCK_FETCH), LW_EXCLUSIVE);
	place = place_of(hash, GetCurrentTimestamp());
	if (place != NULL && place->host == hash && place->database == MyDatabaseId)
	{
		place->asking = false;
		place->until = free_at;
	}
	LWLockRelease(shared_lock(SHARED_LOCK_FETCH));
}
