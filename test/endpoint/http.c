/*
 * http.c
 *	  HTTP/1.1 requests as they come in pieces, and replies as bytes.
 */
#define _GNU_SOURCE

#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void
copy_part(char *to, size_t room, const char *from, size_t size)
{
	if (size >= room)
		size = room - 1;
	memcpy(to, from, size);
	to[size] = '\0';
}

/* "POST /v1/models?x=1 HTTP/1.1", without its line end. */
static bool
parse_request_line(const char *line, size_t size, HttpHead *head)
{
	const char *end = line + size;
	const char *target = memchr(line, ' ', size);
	const char *version;
	const char *query;

	if (target == NULL || target == line)
		return false;
	copy_part(head->method, sizeof(head->method), line, (size_t) (target - line));
	target++;
	version = memchr(target, ' ', (size_t) (end - target));
	if (version == NULL || *target != '/' || end - version < 9 || memcmp(version, " HTTP/1.", 8) != 0)
		return false;
	head->close = version[8] == '0';
	query = memchr(target, '?', (size_t) (version - target));
	if (query)
		copy_part(head->query, sizeof(head->query), query + 1, (size_t) (version - query - 1));
	else
		query = version;
	if ((size_t) (query - target) >= sizeof(head->path))
		return false;
	copy_part(head->path, sizeof(head->path), target, (size_t) (query - target));
	return true;
}

static bool
parse_content_length(const char *value, HttpHead *head)
{
	char	   *end;
	long long	length = strtoll(value, &end, 10);

	if (!isdigit((unsigned char) *value) || *end != '\0' || length < 0 || length > (1LL << 40))
		return false;
	head->content_length = length;
	return true;
}

/* "Name: value", without its line end. */
static bool
parse_header(const char *line, size_t size, HttpHead *head)
{
	const char *colon = memchr(line, ':', size);
	const char *start;
	const char *end = line + size;
	size_t		name;
	char		value[1024];

	if (colon == NULL || colon == line)
		return false;
	name = (size_t) (colon - line);
	for (start = colon + 1; start < end && (*start == ' ' || *start == '\t'); start++)
		;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	copy_part(value, sizeof(value), start, (size_t) (end - start));

#define IS(text) (name == sizeof(text) - 1 && strncasecmp(line, text, name) == 0)
	if (IS("Content-Length"))
		return parse_content_length(value, head);
	if (IS("Transfer-Encoding"))
	{
		head->chunked = strcasecmp(value, "chunked") == 0;
		return head->chunked;
	}
	if (IS("Connection"))
	{
		if (strcasecmp(value, "close") == 0)
			head->close = true;
		else if (strcasecmp(value, "keep-alive") == 0)
			head->close = false;
	}
	else if (IS("Expect"))
		head->expects_continue = strcasecmp(value, "100-continue") == 0;
	else if (IS("X-Request-Id"))
		copy_part(head->request_id, sizeof(head->request_id), value, strlen(value));
	else if (IS("Authorization"))
		copy_part(head->authorization, sizeof(head->authorization), value, strlen(value));
#undef IS
	return true;
}

int
http_parse_head(const char *data, size_t size, HttpHead *head)
{
	const char *whole = memmem(data, size, "\r\n\r\n", 4);
	const char *line = data;

	if (whole == NULL)
		return size > HTTP_MAX_HEAD ? -1 : 0;
	memset(head, 0, sizeof(*head));
	head->content_length = -1;
	while (line < whole + 2)
	{
		const char *end = memmem(line, (size_t) (whole + 2 - line), "\r\n", 2);
		size_t		length;

		if (end == NULL)
			return -1;
		length = (size_t) (end - line);
		if (line == data ? !parse_request_line(line, length, head) : !parse_header(line, length, head))
			return -1;
		line = end + 2;
	}
	return (int) (whole + 4 - data);
}

enum
{
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_DATA_END,
	CHUNK_TRAILER
};

/* A whole line of the chunked framing (size, end of data, trailer). */
static void
chunk_line(Chunked *chunked)
{
	char	   *end;

	switch (chunked->state)
	{
		case CHUNK_SIZE:
			chunked->left = strtoull(chunked->line.data, &end, 16);
			if (!isxdigit((unsigned char) chunked->line.data[0]) || (*end && *end != ';' && *end != ' ') ||
				chunked->left > UINT64_C(1) << 40)
				chunked->bad = true;
			chunked->state = chunked->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
			break;
		case CHUNK_DATA_END:
			chunked->bad = chunked->line.size != 0;
			chunked->state = CHUNK_SIZE;
			break;
		default:
			if (chunked->line.size == 0)
				chunked->done = true;
			break;
	}
	buffer_clear(&chunked->line);
}

size_t
http_take_chunks(Chunked *chunked, const char *data, size_t size, Buffer *body)
{
	size_t		taken = 0;

	while (taken < size && !chunked->done && !chunked->bad)
	{
		if (chunked->state == CHUNK_DATA)
		{
			size_t		part = size - taken < chunked->left ? size - taken : (size_t) chunked->left;

			if (body)
				buffer_add(body, data + taken, part);
			taken += part;
			chunked->left -= part;
			if (chunked->left == 0)
				chunked->state = CHUNK_DATA_END;
		}
		else
		{
			char		c = data[taken++];

			if (c == '\n')
			{
				buffer_add(&chunked->line, "", 0);
				chunk_line(chunked);
			}
			else if (c != '\r')
				buffer_add(&chunked->line, &c, 1);
			if (chunked->line.size > 4096)
				chunked->bad = true;
		}
	}
	return taken;
}

bool
http_query_number(const char *query, const char *name, int64_t *value)
{
	size_t		size = strlen(name);
	const char *at;

	for (at = query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
		if (strncmp(at, name, size) == 0 && at[size] == '=')
		{
			*value = strtoll(at + size + 1, NULL, 10);
			return true;
		}
	return false;
}

static const char *
status_text(int status)
{
	static const struct
	{
		int			status;
		const char *text;
	}			texts[] = {
		{200, "OK"}, {302, "Found"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
		{404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
		{413, "Payload Too Large"}, {429, "Too Many Requests"}, {500, "Internal Server Error"},
		{502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}
	};
	size_t		i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Unknown";
}

/* The body in chunks of uneven sizes. */
static void
add_chunks(Buffer *bytes, const Buffer *body)
{
	size_t		at = 0;
	size_t		part = 1;

	while (at < body->size)
	{
		if (part > body->size - at)
			part = body->size - at;
		buffer_printf(bytes, "%zx\r\n", part);
		buffer_add(bytes, body->data + at, part);
		buffer_text(bytes, "\r\n");
		at += part;
		part = part * 3 + 1;
	}
	buffer_text(bytes, "0\r\n\r\n");
}

void
http_reply(Reply *reply, int status, const char *type, const char *extra, const Buffer *body,
		   BodyLength length)
{
	Buffer	   *bytes = &reply->bytes;

	reply->status = status;
	buffer_clear(bytes);
	buffer_reserve(bytes, body->size + 512);
	buffer_printf(bytes, "HTTP/1.1 %d %s\r\nServer: llava_endpoint\r\nContent-Type: %s\r\n",
				  status, status_text(status), type);
	if (extra)
		buffer_text(bytes, extra);
	switch (length)
	{
		case LENGTH_TOLD:
			buffer_printf(bytes, "Content-Length: %zu\r\n\r\n", body->size);
			break;
		case LENGTH_TOO_LONG:
			buffer_printf(bytes, "Content-Length: %zu\r\n\r\n", body->size + 1000);
			reply->end = END_CLOSE;
			break;
		case LENGTH_CHUNKED:
			buffer_text(bytes, "Transfer-Encoding: chunked\r\n\r\n");
			add_chunks(bytes, body);
			return;
		case LENGTH_UNTIL_CLOSE:
			buffer_text(bytes, "Connection: close\r\n\r\n");
			reply->end = END_CLOSE;
			break;
	}
	buffer_add(bytes, body->data, body->size);
}

void
reply_free(Reply *reply)
{
	buffer_free(&reply->bytes);
	memset(reply, 0, sizeof(*reply));
}
