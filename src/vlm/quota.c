/*
 * quota.c
 *	  How many requests one server may be sent in all, and for how much money.
 *
 * What was made is recorded in a table by whoever asked, some time after the answer.
 * Counted here is what is recorded and what is not yet, so that no request too many
 * is sent meanwhile.  The table is read again and again, because a person may change
 * it: less than before in it, or more than was counted, is a person's doing, and the
 * count starts from there.  That holds only of a reading beside which nothing was
 * recorded and no other reading was taken: an older one that comes late would pass for
 * a person's word, and what is being recorded would be counted twice or not at all.
 */
#include "vlm.h"

#include <string.h>

/* Sums of money differ by less in the order of their terms. */
#define ROUNDING 1e-9

void
vlm_quota_init(VlmQuota *quota)
{
	memset(quota, 0, sizeof(*quota));
	quota->max_requests = -1;
	quota->budget = -1;
}

void
vlm_quota_limits(VlmQuota *quota, int64_t max_requests, double budget, double input_price,
				 double output_price)
{
	quota->max_requests = max_requests;
	quota->budget = budget;
	quota->input_price = input_price;
	quota->output_price = output_price;
}

int64_t
vlm_quota_left(const VlmQuota *quota)
{
	if (quota->max_requests < 0)
		return INT64_MAX / 2;
	return quota->max_requests - quota->requests;
}

bool
vlm_quota_over_budget(const VlmQuota *quota)
{
	return quota->budget >= 0 && quota->cost >= quota->budget;
}

void
vlm_quota_sent(VlmQuota *quota)
{
	quota->requests++;
	quota->unsettled++;
}

void
vlm_quota_not_sent(VlmQuota *quota)
{
	quota->requests--;
	quota->unsettled--;
}

bool
vlm_tokens_known(VlmTokens said)
{
	return said.prompt >= 0 && said.completion >= 0;
}

VlmTokens
vlm_tokens_used(VlmTokens said, VlmTokens forecast)
{
	if (said.prompt < 0)
		said.prompt = forecast.prompt;
	if (said.completion < 0)
		said.completion = forecast.completion;
	return said;
}

double
vlm_quota_ended(VlmQuota *quota, VlmTokens used)
{
	double		cost = ((double) used.prompt * quota->input_price +
						(double) used.completion * quota->output_price) / 1e6;

	quota->cost += cost;
	quota->unsettled_cost += cost;
	return cost;
}

void
vlm_quota_settled(VlmQuota *quota, int64_t requests, double cost)
{
	quota->unsettled -= requests;
	quota->unsettled_cost -= cost;
}

void
vlm_quota_recording(VlmQuota *quota, bool begins)
{
	quota->recording += begins ? 1 : -1;
	quota->changes++;
}

int64_t
vlm_quota_begin_reading(const VlmQuota *quota)
{
	return quota->recording > 0 ? -1 : quota->changes;
}

bool
vlm_quota_read(VlmQuota *quota, int64_t reading, int64_t requests, double cost)
{
	if (reading != quota->changes)
		return false;
	if (requests < quota->recorded || requests > quota->requests)
		quota->requests = requests + quota->unsettled;
	if (cost < quota->recorded_cost || cost > quota->cost * (1 + ROUNDING) + ROUNDING)
		quota->cost = cost + quota->unsettled_cost;
	quota->recorded = requests;
	quota->recorded_cost = cost;
	quota->changes++;
	return true;
}
