/*
 * get.c
 *	  One GET: what libcurl is told, what it may not do, what its end means.
 *
 * libcurl follows no redirect, looks up no name, takes no proxy from the environment, sends
 * no cookie and no credentials.  The address is judged when the socket is opened and again
 * before each request, so that a kept connection outlives no change of the settings; a
 * second request on behalf of the first, for a connection that was dead, is not sent.
 */
#include "get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 10000
#define LOW_SPEED_BYTES 1000L
#define LOW_SPEED_SECONDS 15L
#define HEADERS_MAX (256 * 1024)

/* So much is looked at before a body is taken for something else than a picture. */
#define SNIFFED 512

#define ACCEPT_IMAGES "Accept: image/jpeg,image/png,image/gif,*/*;q=0.1"
#define ACCEPT_TEXT "Accept: text/plain,*/*;q=0.1"

static const char *const header_names[WEB_HEADERS] = {
	"location", "content-type", "x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "retry-after",
	"last-modified", "etag"
};

/* ---- libcurl's callbacks ---- */

static size_t
stop(Get *get, WebFault fault)
{
	if (get->stopped_for == WEB_FAULT_NONE)
		get->stopped_for = fault;
	return 0;
}

static bool
may_connect(const Get *get, const char *text)
{
	WebAddress	address;

	return web_address_parse(text, &address) && web_address_allowed(&address, &pool_config(get->pool)->allow);
}

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	Get		   *get = arg;
	char		text[WEB_ADDRESS_TEXT] = "";

	(void) purpose;
	if (address->family == AF_INET || address->family == AF_INET6)
	{
		WebAddress	judged;

		memcpy(judged.bytes, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
		if (address->family == AF_INET)
			memcpy(judged.bytes + 12, (char *) &address->addr + 4, 4);
		else
			memcpy(judged.bytes, (char *) &address->addr + 8, 16);
		web_address_text(&judged, text);
	}
	if (!may_connect(get, text))
	{
		(void) stop(get, WEB_FAULT_ADDRESS);
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int
on_request(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	Get		   *get = arg;

	(void) local, (void) peer_port, (void) local_port;
	snprintf(get->response.address, sizeof(get->response.address), "%s", peer);
	if (!may_connect(get, peer))
	{
		(void) stop(get, WEB_FAULT_ADDRESS);
		return CURL_PREREQFUNC_ABORT;
	}

	/*
	 * libcurl would ask again where a kept connection was dead: the host's
	 * pace forbids it
	 */
	if (get->response.began_ms != 0)
	{
		(void) stop(get, WEB_FAULT_CONNECT);
		return CURL_PREREQFUNC_ABORT;
	}
	get->response.began_ms = web_now_ms();
	return CURL_PREREQFUNC_OK;
}

static void
keep_header(Get *get, int header, const char *value, size_t size)
{
	char	  **kept = &get->response.headers[header];
	size_t		before = *kept == NULL ? 0 : strlen(*kept);
	char	   *grown;

	while (size > 0 && (value[0] == ' ' || value[0] == '\t'))
		value++, size--;
	while (size > 0 && strchr(" \t\r\n", value[size - 1]) != NULL && value[size - 1] != '\0')
		size--;
	if (memchr(value, '\0', size) != NULL || before + 1 >= WEB_HEADER_MAX)
		return;
	/* of a header that must not be repeated the first counts */
	if (before > 0 && header < WEB_HEADER_X_ROBOTS_TAG)
		return;
	if (size > WEB_HEADER_MAX - before - 1)
		size = WEB_HEADER_MAX - before - 1;
	grown = realloc(*kept, before + size + 2);
	if (grown == NULL)
		return;
	if (before > 0)
		grown[before++] = '\n';
	memcpy(grown + before, value, size);
	grown[before + size] = '\0';
	*kept = grown;
}

static size_t
on_header(char *line, size_t one, size_t size, void *arg)
{
	Get		   *get = arg;
	const char *colon = memchr(line, ':', size);
	size_t		name = colon == NULL ? 0 : (size_t) (colon - line);

	(void) one;
	if (!get->answer_begun)
		get->response.answered_ms = web_now_ms();
	get->answer_begun = true;
	get->header_bytes += size;
	if (get->header_bytes > HEADERS_MAX)
		return stop(get, WEB_FAULT_TOO_LARGE);
	/* what an interim answer said does not count */
	if (size > 5 && memcmp(line, "HTTP/", 5) == 0)
		for (int i = 0; i < WEB_HEADERS; i++)
		{
			free(get->response.headers[i]);
			get->response.headers[i] = NULL;
		}
	for (int i = 0; i < WEB_HEADERS && name > 0; i++)
		if (name == strlen(header_names[i]) && strncasecmp(line, header_names[i], name) == 0)
			keep_header(get, i, colon + 1, size - name - 1);
	if (name == 14 && strncasecmp(line, "content-length", 14) == 0 && !get->request.cut_is_enough &&
		strtoull(colon + 1, NULL, 10) > get->request.max_bytes)
	{
		long		status = 0;

		/* of an error the body is not wanted anyway */
		curl_easy_getinfo(get->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= 200 && status < 300)
			return stop(get, WEB_FAULT_TOO_LARGE);
	}
	return size;
}

/* Whether it begins as one of the formats that are taken does. */
static bool
begins_as_image(const uint8_t *body, size_t size)
{
	return size >= 12 && (memcmp(body, "\xFF\xD8\xFF", 3) == 0 || memcmp(body, "\x89PNG", 4) == 0 ||
						  memcmp(body, "GIF8", 4) == 0 || (memcmp(body, "RIFF", 4) == 0 && memcmp(body + 8, "WEBP", 4) == 0) ||
						  memcmp(body + 4, "ftypavi", 7) == 0);
}

/* What says of itself that it is none, and looks like it. */
static bool
is_plainly_no_image(const Get *get)
{
	const char *type = get->response.headers[WEB_HEADER_CONTENT_TYPE];

	return get->request.images_only && type != NULL &&
		(strncasecmp(type, "text/html", 9) == 0 || strncasecmp(type, "video/", 6) == 0 ||
		 strncasecmp(type, "audio/", 6) == 0) &&
		!begins_as_image(get->response.body, get->response.body_size);
}

static bool
grow_body(Get *get, size_t needed)
{
	size_t		room = get->body_room * 2 < needed ? needed : get->body_room * 2;
	uint8_t    *grown;

	if (needed <= get->body_room)
		return true;
	if (room < 16384)
		room = 16384;
	if (room > get->request.max_bytes)
		room = get->request.max_bytes;
	grown = realloc(get->response.body, room);
	if (grown == NULL)
		return false;
	pool_count_bytes(get->pool, room - get->body_room);
	get->response.body = grown;
	get->body_room = room;
	return true;
}

static size_t
on_body(char *bytes, size_t one, size_t size, void *arg)
{
	Get		   *get = arg;
	size_t		before = get->response.body_size;
	size_t		taken = size;
	long		status = 0;

	(void) one;
	curl_easy_getinfo(get->easy, CURLINFO_RESPONSE_CODE, &status);

	/*
	 * an error's or a redirect's is read no further: the connection is not
	 * worth it
	 */
	if (status < 200 || status >= 300)
	{
		get->header_bytes += size;
		if (get->header_bytes <= HEADERS_MAX)
			return size;
		get->whole = true;
		return 0;
	}
	if (taken > get->request.max_bytes - before)
	{
		if (!get->request.cut_is_enough)
			return stop(get, WEB_FAULT_TOO_LARGE);
		taken = get->request.max_bytes - before;
		get->whole = true;
	}
	if (!grow_body(get, before + taken))
		return stop(get, WEB_FAULT_MEMORY);
	memcpy(get->response.body + before, bytes, taken);
	get->response.body_size += taken;
	if (get->whole)
		return 0;
	if (before < SNIFFED && get->response.body_size >= SNIFFED && is_plainly_no_image(get))
		return stop(get, WEB_FAULT_NOT_IMAGE);
	return size;
}

/* ---- the request ---- */

Get *
get_new(struct WebPool *pool, const WebRequest *request)
{
	Get		   *get = calloc(1, sizeof(Get));

	if (get == NULL)
		return NULL;
	get->pool = pool;
	get->request = *request;
	get->request.url = NULL;
	get->deadline_ms = web_now_ms() + request->deadline_ms;
	get->response.user = request->user;
	get->response.retry_after_ms = -1;
	memcpy(get->host, request->url->host, sizeof(get->host));
	get->port = request->url->port;
	get->url = strdup(request->url->normal);
	if (get->url != NULL)
		return get;
	get_free(get);
	return NULL;
}

void
get_free(Get *get)
{
	if (get->easy != NULL)
		curl_easy_cleanup(get->easy);
	curl_slist_free_all(get->headers);
	curl_slist_free_all(get->connect_to);
	web_response_free(&get->response);
	free(get->url);
	free(get);
}

void
web_response_free(WebResponse *response)
{
	for (int i = 0; i < WEB_HEADERS; i++)
		free(response->headers[i]);
	free(response->body);
	memset(response->headers, 0, sizeof(response->headers));
	response->body = NULL;
}

static bool
add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *grown = curl_slist_append(*list, line);

	if (grown != NULL)
		*list = grown;
	return grown != NULL;
}

static bool
make_lists(Get *get, const WebPoolConfig *config)
{
	char		address[WEB_ADDRESS_TEXT];
	char		line[sizeof(config->from) + 16];
	char		where[WEB_ADDRESS_TEXT + 32];
	bool		ip6;

	web_address_text(&get->places.addresses[get->places.tried], address);
	ip6 = strchr(address, ':') != NULL;
	snprintf(where, sizeof(where), "::%s%s%s:%d", ip6 ? "[" : "", address, ip6 ? "]" : "", get->port);
	snprintf(line, sizeof(line), "From: %s", config->from);
	curl_slist_free_all(get->connect_to);
	curl_slist_free_all(get->headers);
	get->connect_to = get->headers = NULL;
	return add_line(&get->connect_to, where) &&
		add_line(&get->headers, get->request.images_only ? ACCEPT_IMAGES : ACCEPT_TEXT) &&
		(config->from[0] == '\0' || add_line(&get->headers, line));
}

static void
set_callbacks(Get *get)
{
	CURL	   *easy = get->easy;

	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, get);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, get);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, get);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, get);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, get->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, get);
}

bool
get_set_up(Get *get, const WebPoolConfig *config)
{
	int64_t		left = get->deadline_ms - web_now_ms();
	CURL	   *easy;

	if (get->easy == NULL)
		get->easy = curl_easy_init();
	easy = get->easy;
	if (easy == NULL || !make_lists(get, config))
		return false;
	get->error[0] = '\0';
	set_callbacks(get);
	curl_easy_setopt(easy, CURLOPT_URL, get->url);

	/*
	 * the URL is in its normal form already: it goes out as robots.txt was
	 * asked for it
	 */
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, get->connect_to);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, get->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, config->agent);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) (left < 1 ? 1 : left));
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SECONDS);
	curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, 600L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, get->request.unverified ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, get->request.unverified ? 0L : 2L);
	return true;
}

/* ---- its end ---- */

void
get_fail(Get *get, WebFault fault, const char *error)
{
	get->response.fault = fault;
	snprintf(get->response.error, sizeof(get->response.error), "%s", error);
}

static WebFault
fault_of_timeout(const Get *get)
{
	if (get->response.began_ms == 0)
		return WEB_FAULT_CONNECT;
	/* libcurl says the same of both */
	return web_now_ms() >= get->deadline_ms - 100 ? WEB_FAULT_TIMEOUT : WEB_FAULT_SLOW;
}

static WebFault
fault_of(const Get *get, CURLcode code)
{
	switch (code)
	{
		case CURLE_OK:
			return WEB_FAULT_NONE;
		case CURLE_OPERATION_TIMEDOUT:
			return fault_of_timeout(get);
		case CURLE_OUT_OF_MEMORY:
			return WEB_FAULT_MEMORY;
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:	/* too many headers, or one that is too long */
			return WEB_FAULT_TOO_LARGE;
#endif
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return WEB_FAULT_TLS;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_HTTP2:
			return WEB_FAULT_PROTOCOL;
		default:
			return get->answer_begun ? WEB_FAULT_CUT : WEB_FAULT_CONNECT;
	}
}

static int64_t
retry_after_of(const Get *get)
{
	const char *value = get->response.headers[WEB_HEADER_RETRY_AFTER];
	time_t		date;

	if (value == NULL)
		return -1;
	if (value[0] != '\0' && value[strspn(value, "0123456789")] == '\0')
		return strlen(value) > 9 ? INT64_MAX : strtoll(value, NULL, 10) * 1000;
	date = curl_getdate(value, NULL);
	if (date < 0)
		return -1;
	return date <= time(NULL) ? 0 : (int64_t) (date - time(NULL)) * 1000;
}

bool
get_finish(Get *get, CURLcode code)
{
	WebResponse *response = &get->response;
	WebFault	fault = get->stopped_for != WEB_FAULT_NONE ? get->stopped_for : get->whole ? WEB_FAULT_NONE : fault_of(get, code);
	int64_t		now_ms = web_now_ms();
	long		status = 0;

	if (response->began_ms == 0 && get->places.tried + 1 < get->places.n && now_ms < get->deadline_ms &&
		(fault == WEB_FAULT_CONNECT || fault == WEB_FAULT_ADDRESS))
	{
		get->places.tried++;
		get->stopped_for = WEB_FAULT_NONE;
		return true;
	}
	curl_easy_getinfo(get->easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = (int) status;

	/*
	 * before the body: a picture that is told to be too small is told so by
	 * its bytes
	 */
	if (fault == WEB_FAULT_NONE && status == 0)
		fault = WEB_FAULT_PROTOCOL;
	if (fault == WEB_FAULT_NONE && status >= 200 && status < 300 && is_plainly_no_image(get))
		fault = WEB_FAULT_NOT_IMAGE;
	response->fault = fault;
	if (fault != WEB_FAULT_NONE)
		snprintf(response->error, sizeof(response->error), "%s",
				 get->error[0] != '\0' ? get->error : curl_easy_strerror(code));
	response->retry_after_ms = retry_after_of(get);
	if (response->began_ms != 0)
		response->latency_ms = (int) (now_ms - response->began_ms);
	return false;
}
