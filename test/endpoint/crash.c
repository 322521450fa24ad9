/*
 * crash.c
 *	  The engine dies under its requests, and is back after a while.
 *
 * With nothing before it all its connections are reset and new ones are refused; behind
 * a gateway (settings.crash_status) each request is answered with that status.
 */
#include "crash.h"

#include <stdio.h>

#include "errors.h"
#include "journal.h"
#include "listener.h"
#include "settings.h"

static Timer back;
static bool down;				/* behind a gateway */
static bool refuses;

static void
engine_is_back(void *owner)
{
	(void) owner;
	down = false;
	if (refuses)
		listener_open();
	refuses = false;
	journal_event("restart");
}

bool
crash_is_caused_by(const Chat *chat)
{
	int			i;

	for (i = 0; chat->looked && i < settings.poisons; i++)
		if (settings.poison[i].width == chat->facts.width && settings.poison[i].height == chat->facts.height)
			return true;
	return false;
}

bool
crash_is_told(void)
{
	return down;
}

void
crash_reply(Chat *chat)
{
	chat->fault.group = FAULT_NONE;
	reply_free(&chat->reply);
	error_reply_named(&chat->reply, settings.crash_status == 503 ? "503" : "502", chat->flat, NULL);
}

void
crash_begin(void)
{
	if (back.place > 0)
		return;
	stats.crashes++;
	journal_event("crash");
	if (settings.crash_status == 0)
	{
		refuses = true;
		listener_close();
		connections_reset();
	}
	else
	{
		down = true;
		connections_each_chat(chat_lost);
	}
	back.fire = engine_is_back;
	loop_arm(&back, loop_now() + (int64_t) settings.crash_ms * 1000);
}
