/*
 * own_lock.c
 *	  Locks of ours that no SQL can take.
 *
 * They are advisory locks with a fourth field that SQL, which uses 1 and 2, cannot set, so
 * that no role can block a worker by taking a number.  No process waits for one without
 * limit: one that cannot take it reports who holds it (process_words).
 */
#include "postgres.h"

#include "compat.h"
#include "db.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* Of all of them: 'llav'. */
#define OUR_LOCKS 0x6c6c6176

static LOCKTAG
own_tag(OwnLock kind, int number)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, OUR_LOCKS, (uint32) number, kind);
	return tag;
}

void
own_lock_take(OwnLock kind, int number)
{
	LOCKTAG		tag = own_tag(kind, number);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

bool
own_lock_try(OwnLock kind, int number, bool for_good)
{
	LOCKTAG		tag = own_tag(kind, number);

	return LockAcquire(&tag, ExclusiveLock, for_good, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
own_lock_release(OwnLock kind, int number, bool for_good)
{
	LOCKTAG		tag = own_tag(kind, number);

	(void) LockRelease(&tag, ExclusiveLock, for_good);
}

bool
own_lock_is_mine(OwnLock kind, int number)
{
	LOCKTAG		tag = own_tag(kind, number);

	return compat_lock_held_by_me(&tag, ExclusiveLock);
}

int
own_lock_holders(OwnLock kind, OwnLockHolder **holders)
{
	LockData   *locks = GetLockStatusData();
	int			n = 0;

	*holders = palloc(sizeof(OwnLockHolder) * Max(locks->nelements, 1));
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];
		LOCKTAG		tag = own_tag(kind, (int) lock->locktag.locktag_field3);

		if (lock->holdMask == 0 || memcmp(&tag, &lock->locktag, sizeof(tag)) != 0)
			continue;
		(*holders)[n].number = (int) lock->locktag.locktag_field3;
		(*holders)[n++].pid = lock->pid;
	}
	pfree(locks->locks);
	pfree(locks);
	return n;
}

int
own_lock_pid(OwnLockHolder *holders, int n, int number)
{
	int			pid = 0;

	for (int i = 0; i < n; i++)
		if (holders[i].number == number)
			pid = holders[i].pid;
	pfree(holders);
	return pid;
}

int
own_lock_holder(OwnLock kind, int number)
{
	OwnLockHolder *holders;
	int			n = own_lock_holders(kind, &holders);

	return own_lock_pid(holders, n, number);
}
