/*
 * failures.c
 *	  What one server returns in place of answers, and whether the server is at fault.
 *
 * A picture that is refused fails; but if picture after picture is refused with the same
 * text and none is answered, the server is at fault, whatever the text is.
 *
 * Only first attempts are counted: at the end of a run only the pictures that a server
 * cannot process are left, and they shall fail one by one.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "server_private.h"

/* After this many consecutive first-attempt failures the server is at fault. */
#define FAILURES_IN_A_ROW 16

/*
 * Rows go back for this long after the pause: other processes were settling some of
 * them when it was recorded.
 */
#define OWED_MS 5000

void
failures_ask(Failures *failures, const char *url, const char *model)
{
	uint64		run = hash_bytes_extended((const unsigned char *) url, (int) strlen(url), 0) ^
	hash_bytes_extended((const unsigned char *) model, (int) strlen(model), 1);

	if (run == failures->run)
		return;
	memset(failures, 0, sizeof(*failures));
	failures->run = run;
}

static bool
is_reason(const VlmOutcome *outcome, const char *reason)
{
	return outcome->reason != NULL && strcmp(outcome->reason, reason) == 0;
}

void
failures_note_end(Failures *failures, const VlmOutcome *outcome)
{
	if (outcome->action == VLM_DONE || outcome->action == VLM_FILTERED ||
		(outcome->action == VLM_IMAGE_FAULT && !outcome->probe))
		failures->unanswered = 0;
	if (outcome->action != VLM_DONE || is_reason(outcome, "content_filter"))
		return;
	failures->answered = true;
	if (outcome->said != 0)
		return;
	failures->said = 0;
	failures->in_a_row = 0;
}

bool
limits_failing(Limits *limits, bool first_attempt)
{
	Failures   *failures = &limits->failures;
	bool		failing;

	limits_lock();
	if (first_attempt && failures->unanswered < FAILURES_IN_A_ROW)
		failures->unanswered++;
	failing = failures->unanswered >= FAILURES_IN_A_ROW;
	limits_unlock();
	return failing;
}

/*
 * Counts one more refusal with this text, or the first with another; 0: none that
 * counts.
 */
static void
count(Failures *failures, uint64 said)
{
	if (failures->said != said || said == 0)
		failures->in_a_row = 0;
	failures->said = said;
	if (said != 0 && failures->in_a_row < FAILURES_IN_A_ROW)
		failures->in_a_row++;
}

static void
owe(Failures *failures, const VlmOutcome *outcome, TimestampTz until)
{
	failures->owed = outcome->said;
	failures->owed_until = until;
	strlcpy(failures->owed_reason, outcome->reason, sizeof(failures->owed_reason));
}

/* As limits_blame, with the lock held. */
static bool
blame(Failures *failures, const VlmOutcome *outcome, bool first_attempt)
{
	bool		of_picture = failures->answered && is_reason(outcome, "content_filter");

	if (outcome->said == 0)
		return false;
	if (first_attempt || is_reason(outcome, "no_answer_thinking"))
		count(failures, of_picture ? 0 : outcome->said);
	if (of_picture)
		return false;
	if (failures->said == outcome->said && failures->in_a_row == FAILURES_IN_A_ROW)
	{
		failures->guilty = outcome->said;
		owe(failures, outcome, DT_NOEND);
	}
	return failures->guilty == outcome->said;
}

void
failures_forgive(Failures *failures)
{
	failures->guilty = failures->said = 0;
	failures->in_a_row = 0;
	if (failures->owed_until == DT_NOEND)
		failures->owed_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), OWED_MS);
}

bool
limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt)
{
	bool		guilty;

	limits_lock();
	guilty = blame(&limits->failures, outcome, first_attempt);
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
	if (outcome->said != 0 && limits->failures.guilty == 0)
		owe(&limits->failures, outcome, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), OWED_MS));
	limits_unlock();
}

bool
limits_owed(Limits *limits, uint64 *said, char *reason, Size room)
{
	const Failures *failures = &limits->failures;
	bool		owed;

	limits_lock();
	owed = failures->owed != 0 && GetCurrentTimestamp() < failures->owed_until;
	*said = failures->owed;
	strlcpy(reason, failures->owed_reason, room);
	limits_unlock();
	return owed;
}
