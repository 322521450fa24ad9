/*
 * export.h
 *	  One sample to one line of a trainer's format.
 */
#ifndef LLAVA_EXPORT_H
#define LLAVA_EXPORT_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

typedef enum ExportFormat
{
	EXPORT_LLAVA,
	EXPORT_LLAMAFACTORY,
	EXPORT_SWIFT,
	EXPORT_QWEN,
	EXPORT_OPENAI,
	EXPORT_IMAGEFOLDER,
	EXPORT_FORMATS
} ExportFormat;

/* Why a sample would break a training run, in the order of the checks. */
typedef enum ExportFault
{
	FAULT_NONE,
	FAULT_IMAGE_MISSING,
	FAULT_IMAGE_NAME,
	FAULT_TURNS,
	FAULT_EMPTY,
	FAULT_MEDIA_TOKEN,
	FAULT_SPECIAL_TOKEN,
	FAULT_THINK,
	FAULTS
} ExportFault;

/* The rule as llava_validate names it, and what is wrong, for people. */
extern const char *export_fault_rule(ExportFault fault);
extern const char *export_fault_text(ExportFault fault);

typedef struct ExportShape
{
	ExportFormat format;
	bool		image_last;		/* the image stands after the question */
	bool		named_by_hash;	/* 'ab/abcd....jpg' rather than the path */
	const char *folder;			/* before each name; NULL: none */
} ExportShape;

typedef struct ExportSample
{
	int64		image;
	const char *task;
	bool		several;		/* the image has samples of other tasks too */
	Jsonb	   *conversation;
	const char *path;			/* or NULL */
	bytea	   *sha256;			/* or NULL */
	const char *image_format;	/* or NULL */
} ExportSample;

/* False: no such format. */
extern bool export_format(const char *name, ExportFormat *format);

/* 'llava, llamafactory, ...' */
extern char *export_format_names(void);

/* The line, spelt as jsonb; after a fault it is of no use. */
extern ExportFault export_line(StringInfo line, const ExportSample *sample,
							   const ExportShape *shape);

/* ---- export_choice.c: which samples, in which order ---- */

/*
 * Opens a cursor over the samples that the arguments of llava_export or
 * llava_validate choose, with the caller's rights; returns its name.  The name and
 * what the shape points to are palloc'd in the current context.  ERROR for an
 * argument that is no good.
 */
extern char *export_open(FunctionCallInfo fcinfo, ExportShape *shape);

/* A row of that cursor, palloc'd in the current context. */
extern void export_sample(HeapTuple row, TupleDesc desc, ExportSample *sample);

#endif							/* LLAVA_EXPORT_H */
