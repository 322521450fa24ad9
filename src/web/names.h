/*
 * names.h
 *	  Addresses of names, over c-ares, kept for as long as the answer may be.
 */
#ifndef LLAVA_WEB_NAMES_H
#define LLAVA_WEB_NAMES_H

#include "web.h"

#define NAMES_ADDRESSES 8

typedef struct NamesAnswer
{
	WebFault	fault;			/* none, WEB_FAULT_NO_NAME, WEB_FAULT_NAMES,
								 * WEB_FAULT_RESOLVER */
	int			n;
	WebAddress	addresses[NAMES_ADDRESSES]; /* IPv4 first */
	char		error[128];
} NamesAnswer;

typedef struct Names Names;

typedef void (*NamesDone) (void *arg, const NamesAnswer *answer);

/*
 * The event mark goes beside the descriptor into the data of the epoll set.  servers: as
 * WebPoolConfig's.  NULL: no memory, or servers that c-ares does not understand.
 */
extern Names *names_new(int epoll, uint64_t mark, const char *servers);

/* Calls done once, perhaps at once, unless names_forget comes before.  False: no memory. */
extern bool names_ask(Names *names, const char *host, NamesDone done, void *arg);
extern void names_forget(Names *names, const char *host, const void *arg);

/* Milliseconds until names_serve has something to do; -1: nothing. */
extern int64_t names_wait_ms(Names *names);

/* fd: of an event, or -1. */
extern void names_serve(Names *names, int fd, bool readable, bool writable);
extern void names_free(Names *names);

/* Whether the last lookups, of whatever names, got no answer at all. */
extern bool names_are_silent(const Names *names);

extern int64_t web_now_ms(void);

#endif
