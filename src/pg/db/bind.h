/*
 * bind.h
 *	  SQL texts of the extension in which no other object can take the place of a name.
 */
#ifndef LLAVA_BIND_H
#define LLAVA_BIND_H

#include "executor/spi.h"

typedef struct BoundText BoundText;

/*
 * Prepares a text for the extension in this schema.  It lives until bind_free; the plans
 * made of it must be freed first.
 */
extern BoundText *bind_text(const char *text, const char *schema, const Oid *types, int n_types);
extern void bind_free(BoundText *text);

/* A plan of the text, as SPI_prepare's.  Its parameters come as a ParamListInfo. */
extern SPIPlanPtr bind_prepare(BoundText *text);

/* The values of one execution; nulls as for SPI_execute_plan, or NULL.  palloc'd. */
extern ParamListInfo bind_values(const BoundText *text, const Datum *values, const char *nulls);

#endif							/* LLAVA_BIND_H */
