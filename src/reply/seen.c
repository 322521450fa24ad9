/*
 * seen.c
 *	  Characters that are counted while a reply is normalised, by which costlier looks are
 *	  spared.
 */
#include "parts.h"

void
seen_take(Seen *seen, uint32_t c)
{
	seen->bytes += c >= 0x80 && c <= 0x143;
	switch (c)
	{
		case 0x951B:			/* 锛紝銆鈥鐨涓 */
		case 0x7D1D:
		case 0x9286:
		case 0x9225:
		case 0x9428:
		case 0x6D93:
			seen->pairs++;
			break;
		case 0x951F:			/* 锟烫屯 */
		case 0x70EB:
		case 0x5C6F:
			seen->fillers++;
			break;
		case 0x120:
		case 0x10A:
		case 0x2581:
			seen->debris++;
			break;
		case 0x25C1:
			seen->triangles++;
			break;
		case 0x2020:
		case 0xE200:
			seen->marks++;
			break;
		default:
			break;
	}
}
