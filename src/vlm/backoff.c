/*
 * backoff.c
 *	  How long a request waits that is to be made again.
 */
#include "vlm.h"

int64_t
vlm_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms, uint64_t random)
{
	int64_t		ceiling = base_ms;

	for (int i = 1; i < attempt && ceiling < max_ms; i++)
		ceiling *= 2;
	if (ceiling > max_ms)
		ceiling = max_ms;
	/* full jitter over the upper half: never at once, never all together */
	return ceiling <= 1 ? ceiling : ceiling / 2 + (int64_t) (random % (uint64_t) (ceiling / 2 + 1));
}
