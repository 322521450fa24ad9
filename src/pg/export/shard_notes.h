/*
 * shard_notes.h
 *	  What a folder of shards says of itself, so that an export can go on there.
 */
#ifndef LLAVA_SHARD_NOTES_H
#define LLAVA_SHARD_NOTES_H

#include "export_digest.h"
#include "image_folder.h"
#include "lib/stringinfo.h"

/* What is noted of one shard. */
typedef struct ShardNote
{
	int64		taken;			/* samples of the export, in its order */
	int64		rows;			/* that are in it; the others' pictures were
								 * missing */
	int64		bytes;
	unsigned char sha256[EXPORT_DIGEST];
	unsigned char content[EXPORT_DIGEST];	/* of all that was taken */
	int64	   *missing;		/* their places among taken, from 0, in order */
	int64		n_missing;
}			ShardNote;

typedef struct ShardNotes
{
	ImageFolder *folder;
	const char *prefix;			/* "train" or "validation" */
	char	   *settings;		/* jsonb's text */
	char	   *preparation;	/* how pictures are prepared */
	MemoryContext context;		/* of what is noted */
	ShardNote  *notes;
	int			n;
	int			room;
	bool		ended;			/* there are no other shards */
	int			reading;		/* a descriptor; else -1 */
}			ShardNotes;

/*
 * Reads what is noted of shards with this prefix, which may be nothing.  ERROR unless
 * it is of an export with the same arguments, and the other side of the split, if it is
 * there, of the same but for the split.  Close them in PG_FINALLY.
 */
extern void notes_open(ShardNotes * notes, ImageFolder *folder, const char *split,
					   const char *settings, char *preparation);

/* Notes the next shard, whose unfinished file is durable. */
extern void notes_add(ShardNotes * notes, const ShardNote * note);

/* Forgets this shard and those after it, and removes their files. */
extern void notes_truncate(ShardNotes * notes, int shard);

/* Another place among what is taken of which the picture is missing. */
extern void note_missing(ShardNote * note, int64 place);

/* Whether the shard's file is there as it was noted. */
extern bool notes_file_is_whole(ShardNotes * notes, int shard);

/* Its name until all shards are there, and then; palloc'd. */
extern char *notes_unfinished_name(const ShardNotes * notes, int shard);
extern char *notes_final_name(const ShardNotes * notes, int shard);

/* All shards are there: gives them their final names. */
extern void notes_finish(ShardNotes * notes);
extern void notes_close(ShardNotes * notes);

/* ERROR: the folder's shards are of something else. */
pg_noreturn extern void notes_refuse(const ShardNotes * notes, const char *why, const char *detail);

#endif							/* LLAVA_SHARD_NOTES_H */
