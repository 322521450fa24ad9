/*
 * fetch.h
 *	  Fetches the pictures of rows that have a source_url.
 */
#ifndef LLAVA_FETCH_H
#define LLAVA_FETCH_H

#include "fmgr.h"
#include "process/process.h"

/* The fetcher's number in slots.c, beyond all workers'. */
#define FETCHER_SLOT 100

/* Our product token: in User-Agent, and in robots.txt. */
#define FETCHER_AGENT "llava_zh"

typedef struct Fetcher Fetcher;

/* shared_pace.c's */
extern const SharedPart fetch_shared;

/* Whether the settings say that pictures are fetched. */
extern bool fetch_is_on(void);

extern Fetcher *fetcher_new(void);

/* One turn: settles what has come, claims what is due, sends it, and waits. */
extern void fetcher_turn(Fetcher *fetcher);

/* After an ERROR that ended a turn. */
extern void fetcher_recover(Fetcher *fetcher, int rest_ms);

/* The settings were read again. */
extern void fetcher_reload(Fetcher *fetcher);

/* Settles what has come and gives the rest back, before the process ends. */
extern void fetcher_wind_up(Fetcher *fetcher);

#endif							/* LLAVA_FETCH_H */
