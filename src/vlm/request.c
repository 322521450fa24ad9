/*
 * request.c
 *	  One request: the options of its handle, its body, its reply.
 */
#include "request.h"

#include "base64.h"
#include "mask.h"
#include "retry_after.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define PATH "/chat/completions"
#define UPLOAD_BUFFER (64L * 1024)

/*
 * What may come on the wire: WIRE_FACTOR bytes for each byte of a reply (small chunks, TLS)
 * and WIRE_BESIDE more (headers).  libcurl does not count as reply what a server could send
 * without end: extensions of chunks, the file name of gzip, interim responses, trailers.
 */
#define WIRE_FACTOR 4
#define WIRE_BESIDE (256 * 1024)

/* Counts bytes that the request holds from now on, and those that it has freed. */
static void
count(Request *request, size_t more, size_t less)
{
	request->counted += more - less;
	*request->held += more - less;
}

/* libcurl asks for the next n bytes of head, base64 of the image, tail. */
static size_t
on_read(char *buffer, size_t size, size_t n, void *arg)
{
	Request    *request = arg;
	RequestBody *body = &request->body;
	size_t		image_end = body->json.head_size + body->encoded_size;
	size_t		wanted = size * n;
	size_t		done = 0;

	while (done < wanted && body->position < body->size)
	{
		size_t		at = body->position;
		size_t		left = wanted - done;
		size_t		piece;

		if (at < body->json.head_size)
		{
			piece = body->json.head_size - at;
			piece = piece < left ? piece : left;
			memcpy(buffer + done, body->json.head + at, piece);
		}
		else if (at < image_end)
		{
			piece = image_end - at;
			piece = piece < left ? piece : left;
			base64_slice(body->image, body->image_size, at - body->json.head_size,
						 piece, buffer + done);
		}
		else
		{
			piece = body->size - at;
			piece = piece < left ? piece : left;
			memcpy(buffer + done, body->json.tail + (at - image_end), piece);
		}
		done += piece;
		body->position += piece;
	}
	/* once all was handed over the picture is not needed any more */
	if (body->position == body->size && body->image != NULL)
	{
		free(body->image);
		body->image = NULL;
		count(request, 0, body->image_size);
	}
	return done;
}

/* Appends to the reply; a short count makes libcurl end the transfer. */
static size_t
on_write(char *data, size_t size, size_t n, void *arg)
{
	Request    *request = arg;
	VlmResponse *response = &request->response;
	size_t		bytes = size * n;

	if (bytes > request->inbound.max_reply_bytes - response->body_size)
	{
		response->too_large = true;
		return 0;
	}
	if (response->body_size + bytes + 1 > request->room)
	{
		size_t		room = (response->body_size + bytes + 1) * 2;
		char	   *grown = realloc(response->body, room);

		if (grown == NULL)
			return 0;
		response->body = grown;
		count(request, room, request->room);
		request->room = room;
	}
	memcpy(response->body + response->body_size, data, bytes);
	response->body_size += bytes;
	response->body[response->body_size] = '\0';
	return bytes;
}

Request *
request_new(void)
{
	Request    *request = calloc(1, sizeof(Request));

	if (request == NULL)
		return NULL;
	request->easy = curl_easy_init();
	if (request->easy == NULL)
	{
		free(request);
		return NULL;
	}
	return request;
}

static void
free_headers(Request *request)
{
	/* one of them is the key */
	for (struct curl_slist *header = request->headers; header != NULL; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(request->headers);
	request->headers = NULL;
}

void
vlm_response_free(VlmResponse *response)
{
	free(response->body);
	if (response->api_key != NULL)
		explicit_bzero(response->api_key, strlen(response->api_key));
	free(response->api_key);
	memset(response, 0, sizeof(*response));
}

void
request_clear(Request *request)
{
	CURL	   *easy = request->easy;

	curl_easy_reset(easy);
	if (request->held != NULL)
		*request->held -= request->counted;
	free_headers(request);
	vlm_body_free(&request->body.json);
	free(request->url);
	free(request->body.image);
	vlm_response_free(&request->response);
	memset(request, 0, sizeof(*request));
	request->easy = easy;
}

void
request_free(Request *request)
{
	request_clear(request);
	curl_easy_cleanup(request->easy);
	free(request);
}

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool
add_header(Request *request, const char *name, const char *value)
{
	size_t		size = strlen(name) + strlen(value) + 1;
	char	   *line;
	struct curl_slist *longer;

	if (!is_printable(value) || (line = malloc(size)) == NULL)
		return false;
	snprintf(line, size, "%s%s", name, value);
	longer = curl_slist_append(request->headers, line);
	explicit_bzero(line, size);
	free(line);
	if (longer == NULL)
		return false;
	request->headers = longer;
	return true;
}

static bool
set_headers(Request *request, const VlmRequest *wanted)
{
	return add_header(request, "Content-Type: ", "application/json") &&
		add_header(request, "X-Request-Id: ", wanted->request_id) &&
		(wanted->api_key == NULL ||
		 add_header(request, "Authorization: Bearer ", wanted->api_key)) &&
		add_header(request, "Expect:", "");
}

/* False: no memory. */
static bool
keep_key(VlmResponse *response, const char *api_key)
{
	if (api_key == NULL)
		return true;
	response->api_key = strdup(api_key);
	return response->api_key != NULL;
}

static bool
set_url(Request *request, const char *base)
{
	size_t		length = strlen(base);
	size_t		room;

	while (length > 0 && base[length - 1] == '/')
		length--;
	room = length + sizeof(PATH);
	request->url = malloc(room);
	if (request->url == NULL)
		return false;
	snprintf(request->url, room, "%.*s" PATH, (int) length, base);
	return true;
}

#define SET(option, value) (curl_easy_setopt(request->easy, option, value) == CURLE_OK)

/* Options that are the same for every request. */
static bool
set_policy(Request *request)
{
	return SET(CURLOPT_NOSIGNAL, 1L) &&
		SET(CURLOPT_QUICK_EXIT, 1L) &&
		SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
		SET(CURLOPT_FOLLOWLOCATION, 0L) &&
		SET(CURLOPT_PROXY, "") &&
		SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1) &&
		SET(CURLOPT_ACCEPT_ENCODING, "") &&
		SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
		SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER) &&
		SET(CURLOPT_USERAGENT, "llava_zh");
}

static bool
set_transfer(Request *request, const VlmRequest *wanted)
{
	return SET(CURLOPT_URL, request->url) &&
		SET(CURLOPT_POST, 1L) &&
		SET(CURLOPT_POSTFIELDS, NULL) &&
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body.size) &&
		SET(CURLOPT_READFUNCTION, on_read) &&
		SET(CURLOPT_READDATA, request) &&
		SET(CURLOPT_WRITEFUNCTION, on_write) &&
		SET(CURLOPT_WRITEDATA, request) &&
		SET(CURLOPT_HTTPHEADER, request->headers) &&
		SET(CURLOPT_ERRORBUFFER, request->error) &&
		SET(CURLOPT_PRIVATE, request) &&
		SET(CURLOPT_CONNECTTIMEOUT_MS, (long) wanted->connect_timeout_ms) &&
		SET(CURLOPT_TIMEOUT_MS, (long) wanted->request_timeout_ms);
}

bool
request_set_up(Request *request, VlmRequest *wanted, size_t *held, int64_t now_ms)
{
	RequestBody *body = &request->body;

	body->json = wanted->body;
	body->image = wanted->image;
	body->image_size = wanted->image_size;
	body->encoded_size = base64_length(wanted->image_size);
	body->size = wanted->body.head_size + body->encoded_size + wanted->body.tail_size;
	request->inbound.max_reply_bytes = wanted->max_reply_bytes;
	request->held = held;
	count(request, body->image_size + body->json.head_size + body->json.tail_size, 0);
	request->submitted_ms = now_ms;
	request->user = wanted->user;
	return keep_key(&request->response, wanted->api_key) &&
		set_url(request, wanted->url) && set_headers(request, wanted) &&
		set_policy(request) && set_transfer(request, wanted);
}

/* Bytes that have come on the connection since it was made; 0: unknown. */
static uint64_t
received_on(int fd)
{
	struct tcp_info info;
	socklen_t	size = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_bytes_received;
}

bool
request_inbound(Request *request, int fd)
{
	RequestInbound *inbound = &request->inbound;
	uint64_t	received;
	int			unread;

	/* most replies come in one piece: the kernel is not asked for those */
	if (++inbound->times < 2)
		return true;
	received = received_on(fd);
	/* the first call, or another connection */
	if (inbound->read_before == 0 || received < inbound->read_before)
		inbound->read_before = ioctl(fd, FIONREAD, &unread) == 0 && unread > 0 ?
			received - (uint64_t) unread : received;
	if (received - inbound->read_before <=
		(uint64_t) inbound->max_reply_bytes * WIRE_FACTOR + WIRE_BESIDE)
		return true;
	request->response.too_large = true;
	return false;
}

static const char *
header_of(void *arg, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(arg, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ?
		header->value : NULL;
}

/*
 * Whether libcurl gave up because of what came: too many headers, or a status or header
 * line that is too long for it.  Before 8.6 it has a code for neither, and reports the latter
 * as a lack of memory; that an answer had begun shows what it was.
 */
static bool
came_too_much(Request *request, CURLcode code)
{
	long		header_size = 0;
	curl_off_t	first_byte_us = 0;

	if (code == CURLE_OK)
		return false;
	if (curl_easy_getinfo(request->easy, CURLINFO_HEADER_SIZE, &header_size) == CURLE_OK &&
		header_size > WIRE_BESIDE)
		return true;
#if LIBCURL_VERSION_NUM >= 0x080600
	if (code == CURLE_TOO_LARGE)
		return true;
#endif
	return code == CURLE_OUT_OF_MEMORY &&
		curl_easy_getinfo(request->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us) == CURLE_OK &&
		first_byte_us > 0;
}

bool
request_lost_connection(CURLcode code)
{
	return code == CURLE_SEND_ERROR || code == CURLE_SEND_FAIL_REWIND || code == CURLE_RECV_ERROR ||
		code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_COULDNT_CONNECT;
}

void
request_finish(Request *request, CURLcode code, int64_t now_ms)
{
	VlmResponse *response = &request->response;
	long		status = 0;

	request->ended_well = code == CURLE_OK;
	response->curl_code = (int) code;
	response->user = request->user;
	response->latency_ms = now_ms - request->submitted_ms;
	response->sent = request->body.position == request->body.size;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK)
		response->status = (int) status;
	if (came_too_much(request, code))
		response->too_large = true;
	response->broken_off = code != CURLE_OK && status / 100 == 2 &&
		(response->body_size > 0 || response->too_large);
	response->retry_after_ms = retry_after_ms(header_of, request->easy, (int) status,
											  (int64_t) time(NULL),
											  &response->budget_empty);
	snprintf(response->error, sizeof(response->error), "%s",
			 code == CURLE_OK ? "" : request->error[0] != '\0' ? request->error :
			 curl_easy_strerror(code));
	/* some of libcurl's messages quote the server */
	if (!mask_words(response->error, strlen(response->error), response->api_key))
		strcpy(response->error, "out of memory");
	/* a response without a byte of body has an empty one */
	if (code == CURLE_OK && response->body == NULL)
		response->body = calloc(1, 1);
}
