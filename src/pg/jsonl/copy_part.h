/*
 * copy_part.h
 *	  COPY TO with format jsonl and a file of the server.
 */
#ifndef LLAVA_COPY_PART_H
#define LLAVA_COPY_PART_H

#include <sys/stat.h>

/*
 * What a COPY TO writes: the unfinished part of a file, or a device or pipe as it is.
 * Holds descriptors until copy_part_finish or copy_part_drop.
 */
typedef struct CopyPart
{
	const char *name;			/* for core's COPY: /proc/self/fd/N */
	const char *given;			/* the user's name */
	int			fd;				/* the part, or the device or pipe */
	size_t		unflushed;		/* bytes, approximately */
	struct CopyPart *outer;

	/* what the part is and will be; folder -1: there is none */
	int			folder;			/* of file and part */
	char	   *file;			/* the name it gets when it is whole */
	char	   *part;			/* its name until then */
	bool		is_there;		/* under that name */
	bool		keep_mode;		/* of the file that it replaces */
	mode_t		mode;

	bool		follow;			/* file is a link of /proc, to be followed */
} CopyPart;

/*
 * NULL if core's COPY will refuse the name.  Else COPY must write to the part's name, and
 * one of the two below must follow.
 */
extern CopyPart *copy_part_new(const char *name);

/*
 * Reports that a line of this many bytes was made for the innermost part, if there is one:
 * data is flushed along the way, so that little is left for the final fsync.
 */
extern void copy_part_line(size_t bytes);

/* Syncs the whole file and gives it its name; ERROR if that fails. */
extern void copy_part_finish(CopyPart *part);

/* Removes the part, after an ERROR. */
extern void copy_part_drop(CopyPart *part);

#endif							/* LLAVA_COPY_PART_H */
