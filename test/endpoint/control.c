/*
 * control.c
 *	  Changing and watching the endpoint while it runs.
 *
 *	  POST /control			{"faults": ..., "latency": ..., "release": true, ...}
 *	  GET /control/stats	the counts
 *	  GET /control/wait?in_flight=4&timeout=10000
 *							answers when they are so: NAME=N at least N, NAME_max=N
 *							at most N; 408 when the time (ms) is over before
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "crash.h"
#include "journal.h"
#include "serve.h"
#include "settings.h"

typedef struct Wait
{
	struct Wait *next;
	Connection *connection;
} Wait;

static Wait *waits;

/* The value as a setting's text; NULL: of no use. */
static const char *
value_text(const json_t *value, char *room, size_t size)
{
	if (json_is_integer(value))
	{
		snprintf(room, size, "%lld", (long long) json_integer_value(value));
		return room;
	}
	if (json_is_boolean(value))
		return json_is_true(value) ? "1" : "0";
	return json_string_value(value);
}

/* Changes what the object says; false: message says why not. */
static bool
change_all(json_t *wanted, Buffer *message)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(wanted, name, value)
	{
		char		room[32];
		const char *text = value_text(value, room, sizeof(room));

		if (strcmp(name, "release") == 0 || strcmp(name, "crash") == 0)
			continue;
		if (text == NULL)
		{
			buffer_printf(message, "%s: a string, an integer or a boolean is wanted", name);
			return false;
		}
		if (!settings_change(name, text, message))
			return false;
	}
	return true;
}

static void
control_change(Connection *connection)
{
	json_error_t error;
	json_t	   *wanted = json_loadb(connection->body.data ? connection->body.data : "",
									connection->body.size, 0, &error);
	Buffer		message = {0};
	Buffer		body = {0};
	bool		release = wanted && json_is_true(json_object_get(wanted, "release"));
	bool		crash = wanted && json_is_true(json_object_get(wanted, "crash"));

	if (!json_is_object(wanted))
		buffer_text(&message, "a JSON object is wanted");
	else
		change_all(wanted, &message);
	json_decref(wanted);
	if (message.size > 0)
	{
		buffer_text(&body, "{\"error\":");
		buffer_json(&body, message.data);
		buffer_text(&body, "}\n");
		serve_json(connection, 400, &body);
	}
	else
	{
		if (release)
			chat_release_held();
		if (crash)
			crash_begin();
		stats_json(&body);
		serve_json(connection, 200, &body);
	}
	buffer_free(&message);
	buffer_free(&body);
}

static void
send_stats(Connection *connection, int status)
{
	Buffer		body = {0};

	stats_json(&body);
	serve_json(connection, status, &body);
	buffer_free(&body);
}

/* One NAME=N of the query; -1: no such name, else whether it is so. */
static int
condition_holds(const char *part, size_t size)
{
	char		name[64];
	const char *equal = memchr(part, '=', size);
	size_t		length = equal ? (size_t) (equal - part) : sizeof(name);
	bool		most;
	int64_t		value;

	if (length >= sizeof(name))
		return -1;
	memcpy(name, part, length);
	name[length] = '\0';
	if (strcmp(name, "timeout") == 0)
		return 1;
	most = length > 4 && strcmp(name + length - 4, "_max") == 0;
	if (most)
		name[length - 4] = '\0';
	value = stats_value(name);
	if (value < 0)
		return -1;
	return most ? value <= strtoll(equal + 1, NULL, 10) : value >= strtoll(equal + 1, NULL, 10);
}

/* All of the query: -1: it is wrong, else whether it is so. */
static int
query_holds(const char *query)
{
	int			holds = 1;

	while (*query)
	{
		size_t		size = strcspn(query, "&");
		int			one = size > 0 ? condition_holds(query, size) : 1;

		if (one < 0)
			return -1;
		holds = holds && one;
		query += size + (query[size] == '&');
	}
	return holds;
}

static void
forget_wait(const Connection *connection)
{
	Wait	  **at = &waits;

	while (*at)
		if ((*at)->connection == connection)
		{
			Wait	   *wait = *at;

			*at = wait->next;
			free(wait);
		}
		else
			at = &(*at)->next;
}

static void
wait_over(void *owner)
{
	forget_wait(owner);
	send_stats(owner, 408);
}

static void
control_wait(Connection *connection)
{
	int			holds = query_holds(connection->head.query);
	int64_t		timeout = 10000;
	Wait	   *wait;

	if (holds != 0)
	{
		send_stats(connection, holds > 0 ? 200 : 400);
		return;
	}
	http_query_number(connection->head.query, "timeout", &timeout);
	wait = must_alloc(sizeof(Wait));
	wait->connection = connection;
	wait->next = waits;
	waits = wait;
	connection->timer.fire = wait_over;
	connection->timer.owner = connection;
	loop_arm(&connection->timer, loop_now() + timeout * 1000);
}

void
control_check_waits(void)
{
	Wait	   *wait;
	Wait	   *next;

	for (wait = waits; wait; wait = next)
	{
		Connection *connection = wait->connection;

		next = wait->next;
		if (query_holds(connection->head.query) == 1)
		{
			forget_wait(connection);
			send_stats(connection, 200);
		}
	}
}

void
control_gone(Connection *connection)
{
	forget_wait(connection);
}

bool
control_request(Connection *connection)
{
	const char *path = connection->head.path;

	if (strcmp(path, "/control") == 0 && strcmp(connection->head.method, "POST") == 0)
		control_change(connection);
	else if (strcmp(path, "/control/stats") == 0)
		send_stats(connection, 200);
	else if (strcmp(path, "/control/wait") == 0)
		control_wait(connection);
	else
		return false;
	return true;
}
