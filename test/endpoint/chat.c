/*
 * chat.c
 *	  One chat-completions request, from its arrival until its reply is out.
 */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

#include "crash.h"
#include "errors.h"
#include "journal.h"
#include "settings.h"

static Chat *line_first;
static Chat *line_last;
static Chat *held;

/* Of the requests that had arrived by then none is held any more. */
static int64_t last_released;

static void chat_start(Chat *chat);

static void
chat_free(Chat *chat)
{
	buffer_free(&chat->body);
	reply_free(&chat->reply);
	free(chat->prompt);
	free(chat);
}

/* Whoever waits gets a slot, as far as there are; called when a batch is over. */
void
chat_fill_slots(void)
{
	while (line_first && (settings.slots == 0 || stats.slots_taken < settings.slots))
	{
		Chat	   *chat = line_first;

		line_first = chat->next;
		chat->next = NULL;
		chat->in_line = false;
		stats.in_line--;
		chat_start(chat);
	}
}

static void
unlink_chat(Chat **list, const Chat *chat)
{
	for (; *list; list = &(*list)->next)
		if (*list == chat)
		{
			*list = chat->next;
			return;
		}
}

/* The end of it, whatever it was. */
static void
chat_done(Chat *chat, bool sent)
{
	if (chat->in_line)
	{
		unlink_chat(&line_first, chat);
		for (line_last = line_first; line_last && line_last->next; line_last = line_last->next)
			;
		stats.in_line--;
	}
	if (chat->held)
	{
		unlink_chat(&held, chat);
		stats.held--;
	}
	stats.in_flight--;
	stats.done++;
	stats.unsent += !sent;
	stats.bytes_sent += chat->bytes_sent;
	if (!chat->answered)
		stats_count_fault(&chat->fault);
	journal_chat("done", chat, sent);
	if (chat->has_slot)
		stats.slots_taken--;
	chat_free(chat);
}

/* The latency is over: out with the reply. */
static void
chat_answer(Chat *chat)
{
	Connection *connection = chat->connection;
	Reply		reply;

	chat->answered = true;
	stats.answered++;
	stats.status[chat->reply.status]++;
	stats_count_fault(&chat->fault);
	if (chat->reply.status == 200 && chat->fault.group == FAULT_NONE)
		stats.ok++;
	journal_chat("answered", chat, false);

	/* The bytes go to the connection, the status stays for the journal. */
	reply = chat->reply;
	memset(&chat->reply.bytes, 0, sizeof(chat->reply.bytes));
	connection_send(connection, &reply);
}

static void
chat_due(void *owner)
{
	chat_answer(owner);
}

static int64_t
chat_latency(const Chat *chat)
{
	int			spread = settings.latency_max - settings.latency_min;
	double		drawn = mix_fraction(settings.seed * 31 + (uint64_t) chat->ordinal);

	if (chat->fault.group == FAULT_WIRE && chat->fault.index == WIRE_SLOW)
		return (int64_t) (chat->fault.argument >= 0 ? chat->fault.argument : 5000) * 1000;
	return ((int64_t) settings.latency_min * 1000) + (int64_t) (drawn * spread * 1000);
}

/* The reply is ready: now, later, or never? */
static void
chat_ready(Chat *chat)
{
	int64_t		due = chat->started + chat_latency(chat);

	if (crash_is_caused_by(chat))
	{
		crash_begin();
		return;
	}
	if (chat->fault.group == FAULT_WIRE && chat->fault.index == WIRE_HANG)
		return;
	if (chat->fault.group == FAULT_WIRE && chat->fault.index == WIRE_HOLD &&
		chat->ordinal > last_released)
	{
		chat->held = true;
		chat->next = held;
		held = chat;
		stats.held++;
		return;
	}
	if (chat->reply.status >= 300 || due <= loop_now())
	{
		chat_answer(chat);
		return;
	}
	chat->connection->timer.fire = chat_due;
	chat->connection->timer.owner = chat;
	loop_arm(&chat->connection->timer, due);
}

static void
compose_run(Job *job)
{
	chat_compose((Chat *) job);
}

static void
compose_done(Job *job)
{
	Chat	   *chat = (Chat *) job;

	chat->working = false;
	if (chat->connection == NULL)
		chat_done(chat, false);
	else if (chat->lost)
		chat_lost(chat);
	else
		chat_ready(chat);
}

void
chat_lost(Chat *chat)
{
	chat->lost = true;
	if (chat->working)
		return;
	crash_reply(chat);
	chat_answer(chat);
}

/* It has its slot, or needs none. */
static void
chat_start(Chat *chat)
{
	chat->has_slot = true;
	stats.slots_taken++;
	if (stats.slots_taken > stats.max_slots_taken)
		stats.max_slots_taken = stats.slots_taken;
	chat->started = loop_now();
	if (settings.count_only)
	{
		if (chat->fault.group == FAULT_STATUS)
			error_reply(&chat->reply, &chat->fault, chat->flat, NULL);
		else
			canned_reply(&chat->reply, &chat->fault);
		chat_ready(chat);
		return;
	}
	chat->working = true;
	chat->job.run = compose_run;
	chat->job.done = compose_done;
	work_submit(&chat->job);
}

static void
choose_fault(Chat *chat, const Fault *fault)
{
	chat->fault = *fault;
	if (fault->group != FAULT_NONE ||
		fault_plan_find(&settings.plan, chat->ordinal - settings.plan_from, &chat->fault))
		return;
	chat->fault_once = settings.fault_once;
	memcpy(chat->fault_task, settings.fault_task, sizeof(chat->fault_task));
	fault_mix_draw(&settings.mix, settings.seed, chat->ordinal, &chat->fault);
}

static bool
key_is_wrong(const HttpHead *head)
{
	return settings.api_key[0] &&
		(strncmp(head->authorization, "Bearer ", 7) != 0 || strcmp(head->authorization + 7, settings.api_key) != 0);
}

static Chat *
chat_new(Connection *connection)
{
	Chat	   *chat = must_alloc(sizeof(Chat));

	chat->connection = connection;
	connection->user = chat;
	chat->ordinal = ++stats.requests;
	chat->connection_number = connection->number;
	chat->on_connection = connection->requests;
	memcpy(chat->request_id, connection->head.request_id, sizeof(chat->request_id));
	chat->authorization = connection->head.authorization[0] != '\0';
	chat->body_bytes = connection->body_size;
	chat->body = connection->body;
	memset(&connection->body, 0, sizeof(connection->body));
	chat->flat = settings.flat;
	chat->obedient = settings.obedient;
	chat->seed = settings.seed;
	chat->request_seed = -1;
	chat->max_tokens = -1;
	memcpy(chat->wanted_model, settings.model, sizeof(chat->wanted_model));
	stats.body_bytes += chat->body_bytes;
	stats.in_flight++;
	if (stats.in_flight > stats.max_in_flight)
		stats.max_in_flight = stats.in_flight;
	return chat;
}

/* One of the requests that are served a minute; false: there is none now. */
static bool
take_of_minute(void)
{
	static double credit;
	static int64_t filled_at = -1;
	int64_t		now = loop_now();
	double		most = settings.by_the_clock ? settings.per_minute : settings.per_minute / 60.0;

	if (settings.per_minute == 0)
		return true;
	if (!settings.by_the_clock)
		credit += (double) (now - filled_at) * settings.per_minute / 60e6;
	if (filled_at < 0 || (settings.by_the_clock && now / 60000000 != filled_at / 60000000))
		credit = most;
	filled_at = now;
	if (credit > most && most >= 1)
		credit = most;
	if (credit < 1)
		return false;
	credit -= 1;
	return true;
}

/* The answer to a request beyond what is served. */
static void
refuse(Chat *chat)
{
	const char *name = settings.reject[0] ? settings.reject : "429";
	char		timed[64];

	if (settings.by_the_clock && settings.per_minute && strlen(name) == 3)
	{
		snprintf(timed, sizeof(timed), "%s-%d", name, (int) (60 - loop_now() / 1000000 % 60));
		name = timed;
	}
	chat->fault.group = FAULT_NONE;
	error_reply_named(&chat->reply, name, chat->flat, NULL);
	chat_answer(chat);
}

void
chat_arrived(Connection *connection, const Fault *fault)
{
	Chat	   *chat = chat_new(connection);

	choose_fault(chat, fault);
	journal_chat("arrived", chat, false);
	if (key_is_wrong(&connection->head))
	{
		chat->fault.group = FAULT_NONE;
		error_reply_named(&chat->reply, ERROR_KEY, chat->flat, NULL);
		chat_answer(chat);
	}
	else if (crash_is_told())
		chat_lost(chat);
	else if (!take_of_minute())
		refuse(chat);
	else if (line_first == NULL && (settings.slots == 0 || stats.slots_taken < settings.slots))
		chat_start(chat);
	else if (settings.reject[0])
		refuse(chat);
	else
	{
		chat->in_line = true;
		stats.in_line++;
		if (line_first)
			line_last->next = chat;
		else
			line_first = chat;
		line_last = chat;
	}
}

void
chat_sent(Connection *connection)
{
	Chat	   *chat = connection->user;

	chat->bytes_sent = connection->sent_in_all;
	chat_done(chat, !connection->reply.cut && connection->reply.end != END_RESET);
}

void
chat_gone(Connection *connection)
{
	Chat	   *chat = connection->user;

	/* A thread may have it still; it is over when that hands it back. */
	chat->connection = NULL;
	chat->bytes_sent = connection->sent_in_all;
	if (!chat->working)
		chat_done(chat, false);
}

void
chat_release_held(void)
{
	last_released = stats.requests;
	while (held)
	{
		Chat	   *chat = held;

		held = chat->next;
		chat->next = NULL;
		chat->held = false;
		stats.held--;
		chat_answer(chat);
	}
}
