/*
 * picture.h
 *	  Pictures as SQL sees them.
 */
#ifndef LLAVA_PICTURE_H
#define LLAVA_PICTURE_H

#include "fmgr.h"
#include "image/image.h"

/* ---- image_sql.c ---- */

/*
 * image_check and image_prepare in this process, with interrupts served; ERROR
 * says why not.  Sets the fit's stop callback.  *prepared is zeroed before and
 * freed by the caller, after an ERROR too.
 */
extern void image_prepare_here(const uint8 *data, size_t size, ImageFit *fit,
							   ImagePrepared *prepared);

/*
 * The file that would be sent, palloc'd or the picture itself, and in *hash, unless hash is
 * NULL, what the fit wants of it.  With an error, the reason why there is none goes there
 * and the result is NULL; else it is an ERROR.
 */
extern bytea *image_prepared_bytes(bytea *image, ImageFit *fit, ImageHash *hash,
								   ImageError *error);

/* ---- hash_sql.c ---- */

/* The columns fine and colours of llava_hash: bytea, palloc'd. */
extern Datum hash_fine_datum(const ImageHash *hash);
extern Datum hash_colours_datum(const ImageHash *hash);

/* False if the columns hold no hash of this kind. */
extern bool hash_read(Datum coarse, Datum fine, Datum colours, ImageHash *hash);

#endif							/* LLAVA_PICTURE_H */
