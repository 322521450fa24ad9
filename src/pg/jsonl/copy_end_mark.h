/*
 * copy_end_mark.h
 *	  COPY FROM with format jsonl and a file of the server.
 */
#ifndef LLAVA_COPY_END_MARK_H
#define LLAVA_COPY_END_MARK_H

/*
 * After core's COPY FROM this file: ERROR if a line is '\.', where servers before 18
 * stop reading without a word.
 */
extern void copy_check_end(const char *name);

#endif							/* LLAVA_COPY_END_MARK_H */
