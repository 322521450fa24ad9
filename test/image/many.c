/*
 * many.c
 *	  many N: N AVIF files and N animated WebP files of random sides, depths, layouts and
 *	  frames, each prepared and held against the picture it was made of.
 *
 * Prints how many there were, and how many went wrong; exits with 1 if any did.
 */
#include <inttypes.h>

#include "image/image.h"
#include "../unit/pictures_more.h"

static uint64_t state = 1;

/* From 0 to one less than this many (Marsaglia, Xorshift RNGs, 2003). */
static int
any(int choices)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int) (state % (uint64_t) choices);
}

/* A film's frame at its place, on white. */
static Picture
on_canvas(const Picture *picture, int left, int top)
{
	Picture		canvas = picture_new(picture->width + 2 * left, picture->height + 2 * top, 3);

	memset(canvas.samples, 255, (size_t) canvas.width * (size_t) canvas.height * 3);
	for (int y = 0; y < picture->height; y++)
		memcpy(at(&canvas, left, y + top), at(picture, 0, y), (size_t) picture->width * 3);
	return canvas;
}

/* Whether what is made of the file looks like the picture; says why not. */
static bool
looks_right(Bytes file, const Picture *shown, const char *what)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 1000000,.quality = 98,.full_chroma = true};
	ImagePrepared prepared;
	ImageError	error = {IMAGE_OK, ""};
	Picture		made;
	double		found;

	fit.limits = image_default_limits;
	fit.hash = any(2);
	if (image_prepare(file.data, file.size, &fit, &prepared, &error) != IMAGE_OK)
	{
		printf("not ok: %s of %d x %d: %s\n", what, shown->width, shown->height, error.message);
		return false;
	}
	made = picture_of_jpeg(prepared.data, prepared.size);
	found = psnr(&made, shown);
	image_prepared_free(&prepared);
	free(made.samples);
	if (found < 28)
		printf("not ok: %s of %d x %d: %.1f dB\n", what, shown->width, shown->height, found);
	return found >= 28;
}

#ifdef LLAVA_WITH_AVIF

static bool
an_avif(void)
{
	static const avifPixelFormat samplings[] = {
		AVIF_PIXEL_FORMAT_YUV444, AVIF_PIXEL_FORMAT_YUV422, AVIF_PIXEL_FORMAT_YUV420, AVIF_PIXEL_FORMAT_YUV400
	};
	Picture		colours = scene(10 + any(200), 10 + any(200));
	Picture		grey = grey_of(&colours);
	AvifKind	kind = {.depth = 8 + 2 * any(3),.chroma = samplings[any(4)],.limited = any(2),.frames = 1 + any(3),.quality = any(20)};
	const Picture *plain = kind.chroma == AVIF_PIXEL_FORMAT_YUV400 ? &grey : &colours;
	Picture		both = with_alpha(plain);
	Picture		flat = on_white(&both);
	bool		alpha = any(2);
	Picture		frames[3] = {alpha ? both : *plain, alpha ? both : *plain, alpha ? both : *plain};
	Bytes		avif = avif_of(frames, kind);
	char		what[80];
	bool		right;

	snprintf(what, sizeof(what), "AVIF, %d bits, layout %d, %d frames, alpha %d", kind.depth, kind.chroma,
			 kind.frames, alpha);
	right = looks_right(avif, alpha ? &flat : plain, what);
	free(avif.data);
	free(colours.samples);
	free(grey.samples);
	free(both.samples);
	free(flat.samples);
	return right;
}

#endif

static bool
a_film(void)
{
	Picture		picture = scene(10 + any(200), 10 + any(200));
	Picture		alpha = with_alpha(&picture);
	Picture		flat = on_white(&alpha);
	Picture		other = negative_of(&picture);
	int			left = 2 * any(20);
	int			top = 2 * any(20);
	int			frames = 1 + any(4);
	bool		clear = any(2);
	Bytes		first = webp_of(clear ? &alpha : &picture, any(2));
	Bytes		next = webp_of(&other, any(2));
	Bytes		stills[] = {first, next, first, next};
	Bytes		film = webp_film(stills, frames, picture.width, picture.height, left, top);
	Picture		canvas = on_canvas(clear ? &flat : &picture, left, top);
	bool		right = looks_right(film, &canvas, "animated WebP");

	free(film.data);
	free(first.data);
	free(next.data);
	free(canvas.samples);
	free(picture.samples);
	free(alpha.samples);
	free(flat.samples);
	free(other.samples);
	return right;
}

int
main(int argc, char **argv)
{
	int			n = argc > 1 ? atoi(argv[1]) : 1000;
	int			made = 0;
	int			wrong = 0;

	for (int i = 0; i < n; i++)
	{
		made++;
		wrong += !a_film();
#ifdef LLAVA_WITH_AVIF
		made++;
		wrong += !an_avif();
#endif
	}
	printf("# %d animated WebP and AVIF files, %d failed\n", made, wrong);
	return wrong > 0;
}
