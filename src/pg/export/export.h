/*
 * export.h
 *	  The accepted samples as lines of a trainer's format.
 */
#ifndef LLAVA_EXPORT_H
#define LLAVA_EXPORT_H

#include "db/db.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/jsonb.h"

typedef enum ExportFormat
{
	EXPORT_LLAVA,
	EXPORT_LLAMAFACTORY,
	EXPORT_SHAREGPT,
	EXPORT_SWIFT,
	EXPORT_QWEN,
	EXPORT_OPENAI,
	EXPORT_TRL,
	EXPORT_IMAGEFOLDER,
	EXPORT_FORMATS
} ExportFormat;

/* Why a sample would break a training run, in the order of the checks. */
typedef enum ExportFault
{
	FAULT_NONE,
	FAULT_IMAGE_MISSING,
	FAULT_IMAGE_NAME,
	FAULT_IMAGE_NAME_TWICE,
	FAULT_IMAGE_BROKEN,
	FAULT_IMAGE_CUT,
	FAULT_IMAGE_PIXELS,
	FAULT_IMAGE_FORMAT,
	FAULT_IMAGE_COLOURS,
	FAULT_IMAGE_BYTES,
	FAULT_CONVERSATION,
	FAULT_ODD_TURNS,
	FAULT_ROLES,
	FAULT_EMPTY_TURN,
	FAULT_IMAGE_TOKEN,
	FAULT_MEDIA_TOKEN,
	FAULT_SPECIAL_TOKEN,
	FAULT_THINK_TAG,
	FAULT_CUTOFF_LEN,
	FAULTS
} ExportFault;

typedef struct ExportShape
{
	ExportFormat format;
	bool		image_last;		/* the image stands after the question */
	bool		named_by_hash;	/* 'ab/abcd....jpg' rather than the path */
	bool		named_by_sample;	/* '12-detail.png' rather than the path */
	bool		all_jpeg;		/* so named, and every picture is prepared */
	bool		data_urls;		/* the picture itself rather than its name */
	int			rules;			/* REPLY_TOKEN_RULES, or earlier ones */
	char	  **twice;			/* names that several pictures have, in order;
								 * NULL: not looked for */
	int			n_twice;
	int			cutoff_len;		/* of the trainer, in tokens; 0: not checked */
	const char *folder;			/* before each name, without a slash behind
								 * it; NULL: none */
} ExportShape;

typedef struct ExportSample
{
	int64		image;
	const char *task;
	Jsonb	   *conversation;
	const char *path;			/* or NULL */
	bytea	   *sha256;			/* or NULL */
	const char *image_format;	/* or NULL */
	const char *rejected;		/* why the picture cannot be used, or NULL */
	int			width;
	int			height;
	int			channels;		/* 0: not known */
	bool		ends_early;		/* the file does, though the picture in it may
								 * be whole */
	bool		cut;			/* rows of it are missing */
	struct varlena *picture;	/* not detoasted; NULL: not asked for, or not
								 * there */

	/* of the checks */
	const char *id;
	const char *name;			/* the image's; NULL: none */
	int			turn;			/* the last one looked at, from 1; 0: none */
	const char *at;				/* what is wrong in it, or NULL */
	int			at_length;
	int64		tokens;			/* about; only for a cutoff_len */
} ExportSample;

/* EXPORT_FORMATS if there is no such format. */
extern ExportFormat export_format(const char *name);

/* 'llava, llamafactory, ...' */
extern char *export_format_names(void);

/*
 * Appends the line, spelt as jsonb; after a fault it is of no use.  With_picture: data
 * URLs hold the picture (else nothing: the line is only checked).  Sets the sample's
 * fields of the checks.
 */
extern ExportFault export_line(StringInfo line, ExportSample *sample, const ExportShape *shape,
							   bool with_picture);

/* ---- export_rules.c: what breaks a training run ---- */

typedef struct ExportRule
{
	const char *name;			/* as llava_validate says it */
	const char *broken;			/* a phrase that says what is wrong */
} ExportRule;

extern const ExportRule export_rules[FAULTS];

/* Where in the sample, palloc'd. */
extern char *export_fault_detail(ExportFault fault, const ExportSample *sample);

/* The picture, and its name; sets sample->name. */
extern ExportFault export_check_image(ExportSample *sample, const ExportShape *shape);

/* An array of turns, in pairs. */
extern ExportFault export_check_turns(ExportSample *sample);

/* Turn sample->turn; its text in *value. */
extern ExportFault export_check_turn(ExportSample *sample, JsonbContainer *turn, JsonbValue *value,
									 const ExportShape *shape);

/* When all turns are checked. */
extern ExportFault export_check_length(ExportSample *sample, const ExportShape *shape);

/* ---- export_images.c ---- */

/* The bytes as the model was sent them; NULL if they cannot be made. */
extern bytea *export_prepared_bytes(bytea *bytes);

/*
 * The bytes of a picture, wherever they are, not detoasted; NULL: they are gone.  Read with
 * the caller's rights; they belong to the SPI connection.
 */
extern struct varlena *export_image_bytes(int64 image);

/* ---- export_name.c: what an export calls an image ---- */

/* The shape's fields of names, for the argument image_name; ERROR if there is no such. */
extern void export_image_name(const char *said, ExportShape *shape);

/* Sets sample->name: the folder and the name of the file, each file having only one. */
extern ExportFault export_name(ExportSample *sample, const ExportShape *shape);

/* Whether a picture of this format leaves as the JPEG that the model was sent. */
extern bool export_is_prepared(const char *image_format, bool ends_early);

/* The name of a file without parts that are '.' or empty, in place. */
extern void export_fold_name(char *name);

/* The folder as the shape has it; NULL: none. */
extern char *export_folder(char *folder);

/* ---- export_choice.c: which samples, in which order ---- */

/*
 * Opens a cursor over the samples that the arguments of llava_export choose, with the
 * caller's rights; returns its name.  The name and what the shape points to are palloc'd
 * in the current context.  ERROR for an invalid argument.
 */
extern char *export_open(FunctionCallInfo fcinfo, ExportShape *shape);

/*
 * A row of that cursor: palloc'd in the current context, or pointing into the row.  A
 * picture that stays in a file is read and belongs to the SPI connection.
 */
extern void export_sample(TupleTableSlot *row, ExportSample *sample);

/* ---- export_twice.c: names that several pictures have ---- */

/*
 * Those of pictures with different bytes and with samples of these tasks and without these
 * flags (text arrays; NULL: all), whatever else the export chooses by: train and validation
 * set share a folder.  Sets the shape's names, palloc'd in the context.  SPI-connected.
 */
extern void export_find_twice(ExportShape *shape, ArrayType *tasks, ArrayType *flags,
							  MemoryContext context);

/* ---- export_flags.c ---- */

/*
 * ERROR for a flag that neither the parser nor any sample has.  SPI-connected, with the
 * caller's rights.
 */
extern void export_check_flags(ArrayType *flags);

/* ---- export_weights.c: a mix by weights of the export's own ---- */

/*
 * The tasks that the weights name, as they are stored, and each one's weight, as text
 * arrays; tasks: the only ones that there may be, NULL: all.  ERROR for anything that is
 * no object of positive numbers by task.
 */
extern void export_weights(Jsonb *given, ArrayType *tasks, Datum *names, Datum *weights);

#endif							/* LLAVA_EXPORT_H */
