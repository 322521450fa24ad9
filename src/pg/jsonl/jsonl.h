/*
 * jsonl.h
 *	  COPY (FORMAT jsonl), and JSON in bytes.
 */
#ifndef LLAVA_JSONL_H
#define LLAVA_JSONL_H

#include "json_scan.h"

/* ---- copy_jsonl.c ---- */

extern void copy_jsonl_install(void);	/* the ProcessUtility hook, once */

#endif							/* LLAVA_JSONL_H */
