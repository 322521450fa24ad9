/*
 * bind.h
 *	  SQL texts of the extension whose names cannot be taken by anybody's objects.
 */
#ifndef LLAVA_BIND_H
#define LLAVA_BIND_H

#include "executor/spi.h"

typedef struct BoundText BoundText;

/*
 * A text of sql.c for the extension in this schema.  Lives until bind_free; the
 * plans made of it must be freed before.
 */
extern BoundText *bind_text(const char *text, const char *schema, const Oid *types, int n_types);
extern void bind_free(BoundText *text);

/* A plan of the text, as SPI_prepare's.  Its parameters come as a ParamListInfo. */
extern SPIPlanPtr bind_prepare(BoundText *text);

/* The values of one execution; nulls as for SPI_execute_plan, or NULL.  palloc'd. */
extern ParamListInfo bind_values(const BoundText *text, const Datum *values, const char *nulls);

#endif							/* LLAVA_BIND_H */
