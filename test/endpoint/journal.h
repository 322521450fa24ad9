/*
 * journal.h
 *	  What happened, as JSON lines and as counts.
 *
 * Three lines a chat request: "arrived" when it is there as a whole, "answered"
 * before the reply's first byte goes out, "done" when the reply is out as far as
 * it was meant to ("sent" true) or the client went before.  Each line stands
 * alone and is written before anything that follows from it.
 */
#ifndef ENDPOINT_JOURNAL_H
#define ENDPOINT_JOURNAL_H

#include "chat.h"

typedef struct Stats
{
	int64_t		requests;		/* chat requests that arrived */
	int64_t		answered;
	int64_t		done;
	int64_t		unsent;			/* done without the reply sent whole */
	int64_t		ok;				/* answered 200 without any fault */
	int64_t		in_flight;		/* arrived and not done */
	int64_t		max_in_flight;
	int64_t		in_line;		/* waiting for a slot */
	int64_t		slots_taken;
	int64_t		max_slots_taken;
	int64_t		held;
	int64_t		faults;			/* answered or done with one */
	int64_t		body_bytes;
	int64_t		bytes_sent;		/* of replies that are done */
	int64_t		images;			/* distinct ones */
	int64_t		crashes;
	int64_t		status[600];
} Stats;

extern Stats stats;

extern void journal_open(const char *path);
/* What befell no single request: "crash", "restart". */
extern void journal_event(const char *event);
extern void journal_chat(const char *event, const Chat *chat, bool sent);

/* By name: requests, answered, done, in_flight, ...; -1: no such. */
extern int64_t stats_value(const char *name);
extern void stats_json(Buffer *to);
extern void stats_count_fault(const Fault *fault);

/* Notes that the image was asked about once more; thread-safe. Says how often by now. */
extern int64_t images_note(const char *sha256);
extern int64_t images_known(void);

#endif							/* ENDPOINT_JOURNAL_H */
