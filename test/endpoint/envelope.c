/*
 * envelope.c
 *	  The chat completion around a reply's text, sound or with its faults.
 */
#include "envelope.h"

#include <string.h>
#include <time.h>

#include "errors.h"

static bool
is_body(const Fault *fault, FaultBody body)
{
	return fault->group == FAULT_BODY && fault->index == (int) body;
}

/* The text as a JSON string with raw bytes amid it. */
static void
add_spoilt(Buffer *to, const char *text, const char *raw)
{
	size_t		half = strlen(text) / 2;
	Buffer		first = {0};
	Buffer		second = {0};

	while (half > 0 && ((unsigned char) text[half] & 0xc0) == 0x80)
		half--;
	buffer_add(&first, text, half);
	buffer_json(&second, text + half);
	buffer_json(to, first.data);
	to->size--;					/* the quote */
	buffer_text(to, raw);
	buffer_text(to, second.data + 1);
	buffer_free(&first);
	buffer_free(&second);
}

/* A long content: the text, then one letter until N MB are full. */
static void
add_huge(Buffer *to, const char *text, const Fault *fault)
{
	size_t		filler = (size_t) (fault->argument > 0 ? fault->argument : 64) * 1024 * 1024;

	buffer_json(to, text);
	to->size--;
	buffer_reserve(to, filler + 1);
	memset(to->data + to->size, 'A', filler);
	to->size += filler;
	buffer_text(to, "\"");
}

static void
add_message(Buffer *to, const char *content, const Fault *fault)
{
	buffer_text(to, "{\"role\":\"assistant\",\"content\":");
	if (is_body(fault, BODY_CONTENT_NULL) || is_body(fault, BODY_REASONING_ONLY) ||
		is_body(fault, BODY_REFUSAL_FIELD))
		buffer_text(to, "null");
	else if (is_body(fault, BODY_CONTENT_PARTS))
	{
		buffer_text(to, "[{\"type\":\"text\",\"text\":");
		buffer_json(to, content);
		buffer_text(to, "}]");
	}
	else if (is_body(fault, BODY_BAD_UTF8))
		add_spoilt(to, content, "\xe5\x9b\xff\xc0\x80");
	else if (is_body(fault, BODY_NUL))
		add_spoilt(to, content, "\\u0000");
	else if (is_body(fault, BODY_HUGE))
		add_huge(to, content, fault);
	else if (is_body(fault, BODY_CONTENT_FILTER))
		buffer_json(to, "这张图片");
	else
		buffer_json(to, content);
	if (is_body(fault, BODY_REASONING_ONLY))
	{
		buffer_text(to, ",\"reasoning_content\":");
		buffer_json(to, content);
	}
	if (is_body(fault, BODY_REFUSAL_FIELD))
	{
		buffer_text(to, ",\"refusal\":");
		buffer_json(to, "抱歉，我无法回答与这张图片有关的问题。");
	}
	buffer_text(to, "}");
}

/* Tokens as the endpoint counts them: one a character. */
static int64_t
characters(const char *text)
{
	int64_t		count = 0;

	for (; *text; text++)
		count += ((unsigned char) *text & 0xc0) != 0x80;
	return count;
}

static void
add_usage(Buffer *to, int64_t prompt, int64_t completion, const Fault *fault)
{
	const char *quote = is_body(fault, BODY_USAGE_TEXT) ? "\"" : "";

	if (is_body(fault, BODY_NO_USAGE))
		return;
	if (is_body(fault, BODY_USAGE_NONSENSE))
	{
		buffer_text(to, ",\"usage\":{\"prompt_tokens\":-7,\"completion_tokens\":\"many\",\"total_tokens\":null}");
		return;
	}
	if (is_body(fault, BODY_USAGE_ZERO))
		prompt = completion = 0;
	buffer_printf(to, ",\"usage\":{\"prompt_tokens\":%s%lld%s,\"completion_tokens\":%s%lld%s,\"total_tokens\":%s%lld%s}",
				  quote, (long long) prompt, quote, quote, (long long) completion, quote,
				  quote, (long long) (prompt + completion), quote);
}

static void
completion_body(Buffer *to, const Completion *completion, const Fault *fault)
{
	Buffer		model = {0};

	buffer_printf(to, "{\"id\":\"chatcmpl-simulated-%lld\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":",
				  (long long) completion->ordinal, (long long) time(NULL));
	buffer_printf(&model, "simulated-%s", completion->model);
	buffer_json(to, model.data);
	buffer_free(&model);
	if (is_body(fault, BODY_EMPTY_CHOICES))
		buffer_text(to, ",\"choices\":[]");
	else if (!is_body(fault, BODY_NO_CHOICES))
	{
		buffer_text(to, ",\"choices\":[{\"index\":0,\"message\":");
		add_message(to, completion->content, fault);
		buffer_text(to, ",\"logprobs\":null,\"finish_reason\":");
		buffer_json(to, is_body(fault, BODY_CONTENT_FILTER) ? "content_filter" : completion->finish_reason);
		buffer_text(to, "}]");
	}
	add_usage(to, completion->prompt_tokens, characters(completion->content), fault);
	buffer_text(to, "}");
}

/* A reply that begins and goes on without end, in what is no body. */
static void
make_endless(Reply *reply, FaultWire wire)
{
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
	static const char name[] = HEAD "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\3";
	static const char chunk[] = HEAD "Transfer-Encoding: chunked\r\n\r\n5;";

	buffer_clear(&reply->bytes);
	if (wire == WIRE_ENDLESS_CHUNK)
		buffer_add(&reply->bytes, chunk, sizeof(chunk) - 1);
	else if (wire == WIRE_ENDLESS_NAME)
		buffer_add(&reply->bytes, name, sizeof(name) - 1);
	else
		buffer_text(&reply->bytes, interim);
	reply->again = reply->bytes.size;
	for (int i = 0; i < 2000; i++)
		buffer_text(&reply->bytes, wire == WIRE_ENDLESS_INTERIM ? interim : "never to end, never to end, ");
}

/* How a wire fault sends the finished reply. */
static void
apply_wire(Reply *reply, const Fault *fault, size_t body_size)
{
	size_t		half = reply->bytes.size - body_size + body_size / 2;

	if (fault->group != FAULT_WIRE)
		return;
	switch ((FaultWire) fault->index)
	{
		case WIRE_RESET:
		case WIRE_CLOSE:
			reply->cut = true;
			reply->limit = 0;
			reply->status = 0;
			reply->end = fault->index == WIRE_RESET ? END_RESET : END_CLOSE;
			break;
		case WIRE_TRUNCATED:
		case WIRE_RESET_MIDWAY:
			reply->cut = true;
			reply->limit = half;
			reply->end = fault->index == WIRE_TRUNCATED ? END_CLOSE : END_RESET;
			break;
		case WIRE_TRICKLE:
			reply->pace_ms = fault->argument > 0 ? fault->argument : 100;
			reply->pace_bytes = 16;
			break;
		case WIRE_ENDLESS_CHUNK:
		case WIRE_ENDLESS_NAME:
		case WIRE_ENDLESS_INTERIM:
			make_endless(reply, (FaultWire) fault->index);
			break;
		case WIRE_HANG:
		case WIRE_HOLD:
		case WIRE_SLOW:
		case WIRE_WRONG_LENGTH:
		case WIRE_CHUNKED:
		case WIRE_NO_LENGTH:
			break;
	}
}

static BodyLength
body_length(const Fault *fault)
{
	if (fault->group != FAULT_WIRE)
		return LENGTH_TOLD;
	switch ((FaultWire) fault->index)
	{
		case WIRE_WRONG_LENGTH:
			return LENGTH_TOO_LONG;
		case WIRE_CHUNKED:
			return LENGTH_CHUNKED;
		case WIRE_NO_LENGTH:
			return LENGTH_UNTIL_CLOSE;
		default:
			return LENGTH_TOLD;
	}
}

void
completion_reply(Reply *reply, const Completion *completion, const Fault *fault)
{
	const char *type = "application/json";
	Fault		error;
	Buffer		body = {0};

	buffer_add(&body, "", 0);
	if (is_body(fault, BODY_GARBAGE))
	{
		type = "text/html";
		buffer_text(&body, "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n");
	}
	else if (is_body(fault, BODY_ERROR) || is_body(fault, BODY_ERROR_FLAT))
	{
		fault_parse("500", 3, &error);
		error_body(&body, &error, is_body(fault, BODY_ERROR_FLAT), NULL);
	}
	else if (!is_body(fault, BODY_EMPTY))
		completion_body(&body, completion, fault);
	if (is_body(fault, BODY_NOT_JSON))
		body.size = body.size * 2 / 3;
	http_reply(reply, 200, type, NULL, &body, body_length(fault));
	apply_wire(reply, fault, body.size);
	buffer_free(&body);
}
