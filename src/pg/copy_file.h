/*
 * copy_file.h
 *	  COPY with format jsonl and a file of the server.
 */
#ifndef LLAVA_COPY_FILE_H
#define LLAVA_COPY_FILE_H

/* The unfinished file of a COPY TO, and what it is to be. */
typedef struct CopyPart
{
	char	   *name;
	char	   *file;
	size_t		unflushed;		/* bytes, about */
	struct CopyPart *outer;
} CopyPart;

/*
 * NULL: core is to open this name itself.  Else COPY writes to the part's name, and
 * one of the two follows.
 */
extern CopyPart *copy_part_new(const char *name);

/*
 * A line of so many bytes was made, of the innermost part if there is one: the disk
 * writes while lines are made, so that the end has not all to wait for.
 */
extern void copy_part_line(size_t bytes);

/* The whole file onto the disk and under its name; ERROR if that cannot be. */
extern void copy_part_finish(CopyPart *part);

/* After an ERROR. */
extern void copy_part_drop(CopyPart *part);

/*
 * After core's COPY FROM this file: ERROR if a line is '\.', where servers before 18
 * stop reading without a word.
 */
extern void copy_check_end(const char *name);

#endif							/* LLAVA_COPY_FILE_H */
