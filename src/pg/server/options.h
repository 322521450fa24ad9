/*
 * options.h
 *	  What options.c and those that are given the same values in SQL share.
 */
#ifndef LLAVA_OPTIONS_H
#define LLAVA_OPTIONS_H

#include "llava_zh.h"

/* A side of the model's patches: 28 for Qwen2.5-VL, 32 for Qwen3-VL. */
#define PIXEL_FACTOR_MIN 14
#define PIXEL_FACTOR_MAX 64

/* A picture of this size takes 300 MB when it is decoded. */
#define PIXELS_MAX 100000000

/* pause.c's: rows that wait for a time become due, but for those that somebody works on. */
extern SqlStatement sql_forget_waits;

/* What does not go together, palloc'd; NULL: it does. */
extern const char *options_pixels_problem(int factor, int64 min_pixels, int64 max_pixels);

/* What is wrong with text as a base URL, static; NULL: nothing. */
extern const char *options_url_problem(const char *url);

/* The option url as it is used, palloc'd; ERROR if it cannot be. */
extern char *options_url(const char *url);

/* Why text cannot be a key, static, without the key; NULL: it can. */
extern const char *options_key_problem(const char *key);

/*
 * The server of this name, whoever asks; ERROR if there is none or it is another
 * wrapper's.
 */
extern Oid	server_named(const char *name);

#endif							/* LLAVA_OPTIONS_H */
