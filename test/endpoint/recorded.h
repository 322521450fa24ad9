/*
 * recorded.h
 *	  Answers as other servers gave them, from a file of JSON lines.
 */
#ifndef ENDPOINT_RECORDED_H
#define ENDPOINT_RECORDED_H

#include "http.h"

/*
 * Reads the answers of --answers: one object a line, with status, headers (a list of
 * lines) and body.  Ends the program where the file is none such.
 */
extern void recorded_load(const char *path);

/* The answer of line n, from 1; ends the program where there is none. */
extern void recorded_reply(Reply *reply, int n);

#endif							/* ENDPOINT_RECORDED_H */
