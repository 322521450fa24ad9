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

/* The same, but the reason goes to *error; only a cancel raises an ERROR. */
extern ImageStatus image_try_prepare_here(const uint8 *data, size_t size, ImageFit *fit,
										  ImagePrepared *prepared, ImageError *error);

/* ---- hash_sql.c ---- */

/* The columns fine and colours of llava_hash: bytea, palloc'd. */
extern Datum hash_fine_datum(const ImageHash *hash);
extern Datum hash_colours_datum(const ImageHash *hash);

/* False if the columns hold no hash of this kind. */
extern bool hash_read(Datum coarse, Datum fine, Datum colours, ImageHash *hash);

#endif							/* LLAVA_PICTURE_H */
