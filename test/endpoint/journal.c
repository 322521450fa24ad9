/*
 * journal.c
 *	  What happened, as JSON lines and as counts.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Stats		stats;

static int	journal_fd = -1;
static int64_t started;

/* Faults by name, as they were counted. */
static struct
{
	char		name[48];
	int64_t		count;
}		   *fault_counts;
static int	fault_names;

/* How often each image was asked about: open addressing, by the digest's head. */
typedef struct ImageCount
{
	uint64_t	key;			/* 0: free */
	int64_t		asks;
} ImageCount;

static pthread_mutex_t images_lock = PTHREAD_MUTEX_INITIALIZER;
static ImageCount *images;
static size_t images_room;
static int64_t images_size;

void
journal_open(const char *path)
{
	started = loop_now();
	if (path == NULL)
		return;
	journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (journal_fd < 0)
		die("cannot open journal \"%s\": %s", path, strerror(errno));
}

/* What a thread found out; only when it has handed the request back. */
static void
add_findings(Buffer *line, const Chat *chat)
{
	if (chat->image[0])
		buffer_printf(line, ",\"image\":\"%s\",\"image_bytes\":%zu,\"ask\":%lld",
					  chat->image, chat->image_bytes, (long long) chat->ask);
	if (chat->looked)
		buffer_printf(line, ",\"width\":%d,\"height\":%d,\"colour\":\"%s\"",
					  chat->facts.width, chat->facts.height, colour_zh(chat->facts.main));
	if (chat->has_task)
		buffer_printf(line, ",\"task\":\"%s\"", task_name(chat->task));
	if (chat->prompt)
	{
		buffer_text(line, ",\"prompt\":");
		buffer_json(line, chat->prompt);
	}
	if (chat->request_seed >= 0)
		buffer_printf(line, ",\"seed\":%lld", (long long) chat->request_seed);
	if (chat->max_tokens >= 0)
		buffer_printf(line, ",\"max_tokens\":%lld", (long long) chat->max_tokens);
	if (chat->presence_penalty != 0)
		buffer_printf(line, ",\"presence_penalty\":%g", chat->presence_penalty);
	if (chat->model[0])
	{
		buffer_text(line, ",\"model\":");
		buffer_json(line, chat->model);
	}
	if (chat->answered)
		buffer_printf(line, ",\"status\":%d", chat->reply.status);
	if (chat->finish_reason)
		buffer_printf(line, ",\"finish_reason\":\"%s\"", chat->finish_reason);
}

static void
write_line(const Buffer *line)
{
	size_t		written = 0;

	while (written < line->size)
	{
		ssize_t		size = write(journal_fd, line->data + written, line->size - written);

		if (size < 0 && errno != EINTR)
			die("cannot write the journal: %s", strerror(errno));
		if (size > 0)
			written += (size_t) size;
	}
}

void
journal_event(const char *event)
{
	Buffer		line = {0};

	if (journal_fd < 0)
		return;
	buffer_printf(&line, "{\"event\":\"%s\",\"ms\":%.3f}\n", event, (double) (loop_now() - started) / 1000);
	write_line(&line);
	buffer_free(&line);
}

void
journal_chat(const char *event, const Chat *chat, bool sent)
{
	Buffer		line = {0};

	if (journal_fd < 0)
		return;
	buffer_printf(&line, "{\"event\":\"%s\",\"n\":%lld,\"ms\":%.3f,\"request_id\":", event, (long long) chat->ordinal,
				  (double) (loop_now() - started) / 1000);
	buffer_json(&line, chat->request_id);
	buffer_printf(&line, ",\"connection\":%lld,\"on_connection\":%lld,\"authorization\":%s,\"body_bytes\":%lld",
				  (long long) chat->connection_number, (long long) chat->on_connection,
				  chat->authorization ? "true" : "false", (long long) chat->body_bytes);
	if (!chat->working)
	{
		add_findings(&line, chat);
		buffer_text(&line, ",\"fault\":");
		if (chat->fault.group != FAULT_NONE)
			buffer_json(&line, chat->fault.name);
		else
			buffer_text(&line, "null");
	}
	if (strcmp(event, "done") == 0)
		buffer_printf(&line, ",\"sent\":%s,\"bytes_sent\":%lld", sent ? "true" : "false", (long long) chat->bytes_sent);
	buffer_text(&line, "}\n");
	write_line(&line);
	buffer_free(&line);
}

void
stats_count_fault(const Fault *fault)
{
	int			i;

	if (fault->group == FAULT_NONE)
		return;
	stats.faults++;
	for (i = 0; i < fault_names; i++)
		if (strcmp(fault_counts[i].name, fault->name) == 0)
			break;
	if (i == fault_names)
	{
		fault_counts = must_resize(fault_counts, (size_t) (i + 1) * sizeof(*fault_counts));
		memset(&fault_counts[i], 0, sizeof(*fault_counts));
		memcpy(fault_counts[i].name, fault->name, sizeof(fault_counts[i].name));
		fault_names++;
	}
	fault_counts[i].count++;
}

static const struct
{
	const char *name;
	const int64_t *value;
}			stat_names[] = {
	{"requests", &stats.requests}, {"answered", &stats.answered}, {"done", &stats.done},
	{"unsent", &stats.unsent}, {"ok", &stats.ok}, {"faults", &stats.faults},
	{"in_flight", &stats.in_flight}, {"max_in_flight", &stats.max_in_flight}, {"in_line", &stats.in_line},
	{"slots_taken", &stats.slots_taken}, {"max_slots_taken", &stats.max_slots_taken},
	{"held", &stats.held}, {"body_bytes", &stats.body_bytes},
	{"bytes_sent", &stats.bytes_sent}, {"crashes", &stats.crashes},
};

#define STAT_NAMES ((int) (sizeof(stat_names) / sizeof(stat_names[0])))

int64_t
stats_value(const char *name)
{
	int			i;

	for (i = 0; i < STAT_NAMES; i++)
		if (strcmp(stat_names[i].name, name) == 0)
			return *stat_names[i].value;
	if (strcmp(name, "connections") == 0)
		return connections_now();
	if (strcmp(name, "connections_ever") == 0)
		return connections_ever();
	return strcmp(name, "images") == 0 ? images_known() : -1;
}

void
stats_json(Buffer *to)
{
	const char *comma = "";
	int			i;

	buffer_text(to, "{");
	for (i = 0; i < STAT_NAMES; i++)
		buffer_printf(to, "\"%s\":%lld,", stat_names[i].name, (long long) *stat_names[i].value);
	buffer_printf(to, "\"images\":%lld,\"connections\":%d,\"connections_ever\":%lld,\"up_ms\":%lld,\"status\":{",
				  (long long) images_known(), connections_now(), (long long) connections_ever(),
				  (long long) (loop_now() - started) / 1000);
	for (i = 0; i < 600; i++)
		if (stats.status[i] > 0)
		{
			buffer_printf(to, "%s\"%d\":%lld", comma, i, (long long) stats.status[i]);
			comma = ",";
		}
	buffer_text(to, "},\"fault\":{");
	comma = "";
	for (i = 0; i < fault_names; i++)
	{
		buffer_printf(to, "%s\"%s\":%lld", comma, fault_counts[i].name, (long long) fault_counts[i].count);
		comma = ",";
	}
	buffer_text(to, "}}\n");
}

static ImageCount *
images_place(ImageCount *table, size_t room, uint64_t key)
{
	size_t		at = (size_t) mix64(key) & (room - 1);

	while (table[at].key != 0 && table[at].key != key)
		at = (at + 1) & (room - 1);
	return &table[at];
}

static void
images_grow(void)
{
	size_t		room = images_room ? images_room * 2 : 1024;
	ImageCount *grown = must_alloc(room * sizeof(*grown));
	size_t		i;

	for (i = 0; i < images_room; i++)
		if (images[i].key != 0)
			*images_place(grown, room, images[i].key) = images[i];
	free(images);
	images = grown;
	images_room = room;
}

int64_t
images_note(const char *sha256)
{
	char		head[17] = {0};
	uint64_t	key;
	ImageCount *place;
	int64_t		asks;

	memcpy(head, sha256, 16);
	key = strtoull(head, NULL, 16) | 1;
	pthread_mutex_lock(&images_lock);
	if ((size_t) images_size * 2 >= images_room)
		images_grow();
	place = images_place(images, images_room, key);
	if (place->key == 0)
	{
		place->key = key;
		images_size++;
	}
	asks = ++place->asks;
	pthread_mutex_unlock(&images_lock);
	return asks;
}

int64_t
images_known(void)
{
	int64_t		size;

	pthread_mutex_lock(&images_lock);
	size = images_size;
	pthread_mutex_unlock(&images_lock);
	return size;
}
