/*
 * counters.c
 *	  How requests to a server ended, as llava_stat_server shows it: plain data in the
 *	  server's Limits, under their lock.
 */
#include "postgres.h"

#include <math.h>

#include "limits.h"
#include "server.h"
#include "vlm/vlm.h"

static int
latency_bucket(int64 latency_ms)
{
	int			bucket = latency_ms < 1 ? 0 : (int) (log2((double) latency_ms) * 4);

	return Min(bucket, LATENCY_BUCKETS - 1);
}

/* Decaying means: an answer from LIMITS_RATE_MS ago weighs 1/e. */
static void
count_rates(ServerCounters *counters, int answers, int64 tokens)
{
	TimestampTz now = GetCurrentTimestamp();
	double		kept = exp(-(double) (now - counters->rated_at) / 1000.0 / LIMITS_RATE_MS);

	counters->answers_rate = counters->answers_rate * kept + answers;
	counters->tokens_rate = counters->tokens_rate * kept + (double) tokens;
	counters->rated_at = now;
}

void
counters_note_end(ServerCounters *counters, const VlmOutcome *outcome, int64 latency_ms,
				  int64 prompt_tokens, int64 completion_tokens)
{
	const char *reason = outcome->reason;

	if (outcome->action == VLM_DONE)
	{
		counters->answers++;
		counters->prompt_tokens += prompt_tokens;
		counters->completion_tokens += completion_tokens;
		counters->latency[latency_bucket(latency_ms)]++;
		count_rates(counters, 1, completion_tokens);
	}
	else if (outcome->action == VLM_THROTTLE)
		counters->throttled++;
	else if (strstr(reason, "timeout") != NULL || strcmp(reason, "http_408") == 0)
		counters->timeouts++;
	else if (strcmp(reason, "connection_lost") == 0 || strcmp(reason, "partial_body") == 0 ||
			 strcmp(reason, "refused") == 0 || strcmp(reason, "dns") == 0 ||
			 strcmp(reason, "tls") == 0)
		counters->disconnects++;
	else if (strncmp(reason, "http_5", 6) == 0)
		counters->server_errors++;
	else
		counters->others++;
}
