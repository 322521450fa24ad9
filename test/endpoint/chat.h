/*
 * chat.h
 *	  One chat-completions request, from its arrival until its reply is out.
 *
 *	  arrived → (waits for a slot) → read and composed in a thread → (latency) →
 *	  answered → done
 *
 * chat.c owns it; compose.c fills it in a thread, and until the job is handed back
 * the loop touches nothing but `connection`.
 */
#ifndef ENDPOINT_CHAT_H
#define ENDPOINT_CHAT_H

#include "answer.h"
#include "connection.h"
#include "digest.h"
#include "fault.h"
#include "work.h"

typedef struct Chat
{
	Job			job;			/* first */
	struct Chat *next;			/* in the line for a slot, or among the held */
	Connection *connection;		/* NULL: the client is gone */

	/* known at arrival */
	int64_t		ordinal;		/* from 1 */
	int64_t		connection_number;
	int64_t		on_connection;	/* the request's number there, from 1 */
	char		request_id[256];
	bool		authorization;
	int64_t		body_bytes;
	int64_t		started;		/* when it got its slot */
	bool		in_line;
	bool		has_slot;
	bool		working;		/* a thread has it */
	bool		held;
	bool		lost;			/* the engine died under it */
	bool		answered;
	int64_t		bytes_sent;		/* of the reply */
	Buffer		body;
	Fault		fault;
	bool		fault_once;		/* no fault if the image is known */
	char		fault_task[32]; /* no fault for another; "": for any */
	bool		flat;
	uint64_t	seed;
	char		wanted_model[256];
	bool		obedient;

	/* filled by compose.c */
	char		image[SHA256_HEX];	/* "": none found */
	size_t		image_bytes;
	int64_t		ask;			/* the how-manieth about this image */
	bool		looked;			/* the facts are there */
	Facts		facts;
	bool		has_task;
	Task		task;
	int64_t		request_seed;	/* -1: none */
	int64_t		max_tokens;		/* -1: none */
	double		presence_penalty;	/* 0: none */
	char		model[256];
	char	   *prompt;			/* where it is obedient */
	const char *finish_reason;	/* static; NULL where there is none */
	Reply		reply;
} Chat;

/* chat.c */
extern void chat_arrived(Connection *connection, const Fault *fault);
extern void chat_sent(Connection *connection);
extern void chat_gone(Connection *connection);
extern void chat_release_held(void);
extern void chat_lost(Chat *chat);	/* the gateway says that the engine died */
extern void chat_fill_slots(void);

/* compose.c: runs in a thread. */
extern void chat_compose(Chat *chat);

/* Makes the reply of count-only mode ready. */
extern void canned_make(size_t bytes);
extern void canned_reply(Reply *reply, const Fault *fault);


#endif							/* ENDPOINT_CHAT_H */
