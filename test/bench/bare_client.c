/*
 * bare_client.c
 *	  bare_client URL IN_FLIGHT IMAGE_BYTES: the yardstick.
 *
 * Posts the same body over and over, so many requests at a time, until it is
 * killed: libcurl's multi interface and nothing else, no database, no base64, no
 * look at the replies.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Transfer
{
	CURL	   *easy;
	size_t		position;
} Transfer;

static char *body;
static size_t body_size;
static struct curl_slist *headers;

static size_t
on_read(char *buffer, size_t size, size_t n, void *arg)
{
	Transfer   *transfer = arg;
	size_t		left = body_size - transfer->position;
	size_t		take = size * n < left ? size * n : left;

	memcpy(buffer, body + transfer->position, take);
	transfer->position += take;
	return take;
}

static size_t
on_write(char *data, size_t size, size_t n, void *arg)
{
	(void) data;
	(void) arg;
	return size * n;
}

static void
make_body(size_t image_bytes)
{
	static const char head[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
	"\"image_url\":{\"url\":\"data:image/jpeg;base64,";
	static const char tail[] = "\"}}]}],\"stream\":false}";
	size_t		encoded = (image_bytes + 2) / 3 * 4;

	body_size = strlen(head) + encoded + strlen(tail);
	body = malloc(body_size + 1);
	if (body == NULL)
		exit(1);
	strcpy(body, head);
	memset(body + strlen(head), 'A', encoded);
	strcpy(body + strlen(head) + encoded, tail);
}

static void
start(CURLM *multi, Transfer *transfer, const char *url)
{
	if (transfer->easy == NULL)
	{
		transfer->easy = curl_easy_init();
		curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
		curl_easy_setopt(transfer->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) body_size);
		curl_easy_setopt(transfer->easy, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(transfer->easy, CURLOPT_READDATA, transfer);
		curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_write);
		curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
		curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
	}
	transfer->position = 0;
	curl_multi_add_handle(multi, transfer->easy);
}

int
main(int argc, char **argv)
{
	int			in_flight = argc > 3 ? atoi(argv[2]) : 0;
	Transfer   *transfers = calloc((size_t) in_flight + 1, sizeof(Transfer));
	CURLM	   *multi;

	if (in_flight < 1 || transfers == NULL)
	{
		fputs("bare_client URL IN_FLIGHT IMAGE_BYTES\n", stderr);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	make_body(strtoul(argv[3], NULL, 10));
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) in_flight);
	for (int i = 0; i < in_flight; i++)
		start(multi, &transfers[i], argv[1]);
	for (;;)
	{
		CURLMsg    *message;
		int			running;
		int			left;

		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			Transfer   *transfer;

			if (message->data.result != CURLE_OK)
			{
				fprintf(stderr, "bare_client: %s\n", curl_easy_strerror(message->data.result));
				return 1;
			}
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &transfer);
			curl_multi_remove_handle(multi, transfer->easy);
			start(multi, transfer, argv[1]);
		}
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}
