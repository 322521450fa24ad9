/*
 * limits_signs.c
 *	  What the ends of requests say of a server: failures.c's and suspects.c's rules, under
 *	  the lock.
 */
#include "postgres.h"

#include "limits_private.h"
#include "server.h"

void
limits_suspect_back(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	suspects_back(&limits->suspects, 1, limits_now_ms());
	mine->suspects--;
	limits_unlock();
}

bool
limits_suspects_first(Limits *limits)
{
	bool		first;

	limits_lock();
	first = suspects_first(&limits->suspects, limits_now_ms());
	limits_unlock();
	return first;
}

void
limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row, Loss *loss)
{
	limits_lock();
	suspects_ended(&limits->suspects, sign, limits->pace.in_flight, row, limits_now_ms(), loss);
	limits_unlock();
}

bool
limits_died(Limits *limits, uint64 event, int *company)
{
	bool		died;

	limits_lock();
	died = suspects_died(&limits->suspects, event, company);
	limits_unlock();
	return died;
}

bool
limits_trial(Limits *limits, bool *news)
{
	bool		trial;

	limits_lock();
	trial = suspects_trial(&limits->suspects, limits_now_ms());
	*news = trial != limits->suspects.recorded;
	limits_unlock();
	return trial;
}

void
limits_trial_recorded(Limits *limits, bool trial)
{
	limits_lock();
	limits->suspects.recorded = trial;
	limits_unlock();
}

bool
limits_failing(Limits *limits, bool first_attempt)
{
	bool		failing;

	limits_lock();
	failing = failures_are_outage(&limits->failures, first_attempt);
	limits_unlock();
	return failing;
}

bool
limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt)
{
	bool		guilty;

	limits_lock();
	guilty = failures_blame(&limits->failures, outcome, first_attempt);
	limits_unlock();
	return guilty;
}

bool
limits_guilty(Limits *limits, uint64 said)
{
	uint64		guilty;

	limits_lock();
	guilty = limits->failures.guilty;
	limits_unlock();
	return guilty != 0 && (said == 0 || said == guilty);
}

void
limits_owe(Limits *limits, const VlmOutcome *outcome)
{
	limits_lock();
	failures_owe(&limits->failures, outcome);
	limits_unlock();
}

bool
limits_owed(Limits *limits, uint64 *said, char *reason, Size room)
{
	bool		owed;

	limits_lock();
	owed = failures_are_owed(&limits->failures);
	*said = limits->failures.owed;
	strlcpy(reason, limits->failures.owed_reason, room);
	limits_unlock();
	return owed;
}
