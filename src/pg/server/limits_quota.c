/*
 * limits_quota.c
 *	  How many requests max_requests leaves, and what llava_usage has recorded.
 */
#include "postgres.h"

#include "limits_private.h"
#include "server.h"

int64
limits_remaining(Limits *limits)
{
	int64		left;

	limits_lock();
	left = vlm_quota_left(&limits->quota);
	limits_unlock();
	return left;
}

void
limits_settled(Limits *limits, double cost)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	vlm_quota_settled(&limits->quota, 1, cost);
	mine->unsettled--;
	mine->unsettled_cost -= cost;
	limits_unlock();
}

bool
limits_were_read(Limits *limits)
{
	bool		read;

	limits_lock();
	read = limits->quota.changes > 0;
	limits_unlock();
	return read;
}

int64
limits_begin_reading(Limits *limits)
{
	int64		reading;

	limits_lock();
	reading = vlm_quota_begin_reading(&limits->quota);
	limits_unlock();
	return reading;
}

void
limits_read(Limits *limits, int64 reading, int64 requests, double cost)
{
	limits_lock();
	(void) vlm_quota_read(&limits->quota, reading, requests, cost);
	limits_unlock();
}
