/*
 * crash.h
 *	  The engine dies under its requests, and is back after a while.
 */
#ifndef ENDPOINT_CRASH_H
#define ENDPOINT_CRASH_H

#include "chat.h"

/* Whether looking at this picture takes the engine down. */
extern bool crash_is_caused_by(const Chat *chat);

/*
 * It dies: all that is in flight is lost, and for settings.crash_ms nothing is served.
 * Chats that no thread works on are freed.
 */
extern void crash_begin(void);

/* Whether it is down, and what stands before it says so to all that arrive. */
extern bool crash_is_told(void);

/* That reply. */
extern void crash_reply(Chat *chat);

#endif							/* ENDPOINT_CRASH_H */
