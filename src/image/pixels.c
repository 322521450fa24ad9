/*
 * pixels.c
 *	  Pixels as they are stored to pixels as they are looked at.
 */
#include "private.h"

#include <string.h>

/*
 * Upright (x, y) was stored at (sx, sy), EXIF 2.32, 4.6.4 A: 5 to 8 are turned about
 * the diagonal, and then or else mirrored.
 */
void
image_turn_row(const uint8_t *stored, int width, int height, int channels, int orientation,
			   int y, uint8_t *row)
{
	bool		swapped = orientation >= 5;
	bool		mirrored = orientation == 2 || orientation == 3 || orientation == 7 ||
	orientation == 8;
	bool		flipped = orientation == 3 || orientation == 4 || orientation == 6 ||
	orientation == 7;
	int			length = swapped ? height : width;
	ptrdiff_t	along_x = mirrored ? -channels : channels;
	ptrdiff_t	along_y = (ptrdiff_t) width * (flipped ? -channels : channels);
	ptrdiff_t	step = swapped ? along_y : along_x;
	const uint8_t *pixel = stored;

	if (mirrored)
		pixel += (ptrdiff_t) (width - 1) * channels;
	if (flipped)
		pixel += (ptrdiff_t) (height - 1) * width * channels;
	pixel += y * (swapped ? along_x : along_y);
	for (int x = 0; x < length; x++, row += channels)
		for (int c = 0; c < channels; c++)
			row[c] = pixel[x * step + c];
}
