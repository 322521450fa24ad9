/*
 * picture.h
 *	  Pictures as SQL sees them.
 */
#ifndef LLAVA_PICTURE_H
#define LLAVA_PICTURE_H

#include "image/image.h"

/* ---- hash_sql.c ---- */

/* The columns fine and colours of llava_hash: bytea, palloc'd. */
extern Datum hash_fine_datum(const ImageHash *hash);
extern Datum hash_colours_datum(const ImageHash *hash);

/* False if the columns hold no hash of this make. */
extern bool hash_read(Datum coarse, Datum fine, Datum colours, ImageHash *hash);

#endif							/* LLAVA_PICTURE_H */
