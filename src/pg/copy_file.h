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
	struct CopyPart *outer;
} CopyPart;

/*
 * NULL: core is to open this name itself.  Else COPY writes to the part's name, and
 * one of the two follows.
 */
extern CopyPart *copy_part_new(const char *name);

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
