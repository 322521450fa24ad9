/*
 * long_images.c
 *	  What becomes of long pictures: product pages of 750 x 8000 pixels and the like,
 *	  whose text the server's pixel limit would make unreadable.
 *
 * They are shrunk like any other, sent with more pixels than the server's option
 * max_pixels allows, or parked: recorded with a reason and not sent to the model.
 */
#include "postgres.h"

#include "task.h"

/* The limit of the model's own processor, in units of factor x factor pixels. */
#define MODEL_MAX_UNITS 16384

static const char *const policy_names[] = {
	[LONG_SHRINK] = "shrink",
	[LONG_RAISE] = "raise",
	[LONG_PARK] = "park",
};

LongImages
long_images_of(const char *word)
{
	for (int i = LONG_SHRINK; word != NULL && i < lengthof(policy_names); i++)
		if (strcmp(word, policy_names[i]) == 0)
			return (LongImages) i;
	return LONG_AS_TASK;
}

const char *
long_images_name(LongImages policy)
{
	return policy_names[policy];
}

LongImages
long_images_fit(const LlavaTask *task, LongImages of_row, const ImageInfo *info, ImageFit *fit)
{
	LongImages	policy = of_row != LONG_AS_TASK ? of_row : task->long_images;

	if (!image_is_long(info, fit, task->long_ratio))
		return LONG_AS_TASK;
	if (policy == LONG_RAISE)
	{
		int64		most = task->long_max_pixels > 0 ? task->long_max_pixels :
		(int64) MODEL_MAX_UNITS * fit->factor * fit->factor;

		fit->max_pixels = Max(fit->max_pixels, most);
	}
	return policy;
}
