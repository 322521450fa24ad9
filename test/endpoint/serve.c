/*
 * serve.c
 *	  Which request is for whom.
 */
#include "serve.h"

#include <string.h>
#include <time.h>

#include "chat.h"
#include "errors.h"
#include "settings.h"

void
serve_json(Connection *connection, int status, const Buffer *body)
{
	Reply		reply = {.status = status};

	http_reply(&reply, status, "application/json", NULL, body, LENGTH_TOLD);
	connection->user = NULL;
	connection_send(connection, &reply);
}

static void
serve_error(Connection *connection, const char *name, const char *detail)
{
	Reply		reply = {.status = 0};

	error_reply_named(&reply, name, settings.flat, detail);
	connection_send(connection, &reply);
}

static void
serve_models(Connection *connection)
{
	Buffer		body = {0};

	buffer_text(&body, "{\"object\":\"list\",\"data\":[{\"id\":");
	buffer_json(&body, settings.model[0] ? settings.model : "simulated-vl");
	buffer_printf(&body, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"llava_endpoint (simulated)\"}]}",
				  (long long) time(NULL));
	serve_json(connection, 200, &body);
	buffer_free(&body);
}

static void
serve_health(Connection *connection)
{
	Buffer		body = {0};

	buffer_text(&body, "{\"status\":\"ok\"}");
	serve_json(connection, 200, &body);
	buffer_free(&body);
}

/* Takes "/fault/NAME" off the path; false: there is no such fault. */
static bool
take_fault(const char **path, Fault *fault)
{
	const char *name = *path + 7;
	const char *end;

	memset(fault, 0, sizeof(*fault));
	if (strncmp(*path, "/fault/", 7) != 0)
		return true;
	end = strchr(name, '/');
	if (end == NULL || !fault_parse(name, (size_t) (end - name), fault))
		return false;
	*path = end;
	return true;
}

void
serve_request(Connection *connection)
{
	const char *path = connection->head.path;
	bool		get = strcmp(connection->head.method, "GET") == 0;
	bool		post = strcmp(connection->head.method, "POST") == 0;
	Fault		fault;

	connection->user = NULL;
	if (control_request(connection))
		return;
	if (!take_fault(&path, &fault))
	{
		serve_error(connection, "404", "no such fault; --help lists them");
		return;
	}
	if (strncmp(path, "/v1/", 4) == 0)
		path += 3;
	if (strcmp(path, "/chat/completions") == 0 && post)
		chat_arrived(connection, &fault);
	else if (strcmp(path, "/models") == 0 && get)
		serve_models(connection);
	else if (strcmp(path, "/health") == 0 && get)
		serve_health(connection);
	else
		serve_error(connection, "404", NULL);
}

void
serve_sent(Connection *connection)
{
	if (connection->user)
		chat_sent(connection);
}

void
serve_gone(Connection *connection)
{
	if (connection->user)
		chat_gone(connection);
	else
		control_gone(connection);
}
