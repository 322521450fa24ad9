/*
 * claim_start.c
 *	  After a claim has committed, hands its calls to the threads that prepare pictures;
 *	  a call that cannot be sent is finished at once.
 */
#include "postgres.h"

#include "claim.h"

/*
 * Applies the policy for long pictures: the row's own, else the task's.  Returns false
 * if the row is to be parked.
 */
static bool
fit_if_long(Loop *loop, Call *call)
{
	ImageFit   *fit = &call->fit.job->fit;
	LongImages	of_row = call->row.long_policy;

	if (call->row.released && (of_row == LONG_PARK ||
							   (of_row == LONG_AS_TASK && call->task->long_images == LONG_PARK)))
		of_row = LONG_SHRINK;
	call->fit.long_done = long_images_fit(call->task, of_row, &call->fit.facts, fit);
	call->fit.pixel_factor = fit->factor;
	call->fit.min_pixels = fit->min_pixels;
	call->fit.max_pixels = fit->max_pixels;
	if (call->fit.long_done != LONG_PARK)
		return true;
	call->end.fault = "long_image";
	call->end.fault_detail = MemoryContextAlloc(loop->context, 128);
	snprintf(call->end.fault_detail, 128,
			 "%d x %d pixels are over the ratio %g, and more than " INT64_FORMAT " pixels",
			 call->fit.facts.width, call->fit.facts.height, call->task->long_ratio, fit->max_pixels);
	return false;
}

/* Starts the preparation of one call, or finishes the call if it cannot be sent. */
static void
start_call(Loop *loop, Call *call)
{
	const LlavaServer *options;

	if (loop->scope.limit > 0)
		loop->scope.limit--;

	/*
	 * calls before this one may have used up the memory, or what the server
	 * still accepts
	 */
	if (!call->fit.no_room)
		call_set_server(call, server_for_call(loop, call));
	if (call->server != NULL && call->fit.job == NULL && call->end.fault == NULL)
		call->end.fault = "no_bytes";
	if (call->server == NULL || call->fit.job == NULL || call->end.fault != NULL)
	{
		call_move(loop, call, CALL_FINISHED);
		return;
	}
	options = call->server->options;
	config_image_fit(&call->fit.job->fit);
	call->fit.job->fit.hash = llava_near_duplicates;
	call->fit.job->fit.refuse_blank = !call->row.released;
	call->fit.job->fit.factor = options->pixel_factor;
	call->fit.job->fit.min_pixels = options->min_pixels;
	call->fit.job->fit.max_pixels = options->max_pixels;
	if (!fit_if_long(loop, call))
	{
		call_move(loop, call, CALL_FINISHED);
		return;
	}
	call_move(loop, call, CALL_PREPARING);
	image_pool_submit(loop->dispatch.images, call->fit.job);
}

void
claim_start(Loop *loop, XLogRecPtr claimed_at)
{
	foreach_call(call, loop, CALL_CLAIMED)
	{
		call->lease.claimed_at = claimed_at;
		start_call(loop, call);
	}
}
