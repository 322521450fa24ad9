/*
 * settings.c
 *	  How the endpoint behaves: from the command line, changed by POST /control.
 */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "journal.h"
#include "recorded.h"

Settings	settings = {.threads = 2,.reply_bytes = 1024,.seed = 1,.crash_ms = 3000};

static const char usage[] =
"llava_endpoint: a simulated vision-language model behind the chat-completions API.\n"
"\n"
"It decodes the image it is sent and tells the truth about its size as it was sent,\n"
"colours, light and layout, in Chinese (in English where the prompt is), in the\n"
"format the prompt asks for.  It cannot read text in images.  It listens on 127.0.0.1\n"
"only.\n"
"\n"
"Usage: llava_endpoint [OPTION]...\n"
"\n"
"  --port N            0, the default: a free one, told by the first line on stdout\n"
"  --journal FILE      append a JSON line when a request arrived, was answered, is done\n"
"  --until-eof         exit when standard input ends (SIGTERM and SIGINT always do)\n"
"  --answers FILE      JSON lines with status, headers and body, for the fault \"answer\"\n"
"  --threads N         decoding threads (2)\n"
"  --count-only        look at no request, answer all with the same reply: fast\n"
"  --reply-bytes N     the size of that reply (1024)\n"
"\n"
"The following may be changed while it runs: POST /control {\"latency\": \"200-800\", ...}\n"
"  --latency MS        before each reply; MIN-MAX: evenly spread, by --seed.  Error\n"
"                      statuses come at once\n"
"  --slots N           requests served at a time, the others wait in line (0: all)\n"
"  --reject FAULT      429, 503, 429-none, 429-5 ... instead of waiting in line (0: wait)\n"
"  --per-minute N      requests that are served, a second's worth of them at once; those\n"
"                      beyond get --reject's answer, or 429 (0: all)\n"
"  --by-the-clock 1    a minute's are served at once, and then none until the next begins,\n"
"                      which 429 and 503 say as Retry-After\n"
"  --faults LIST       FAULT=PROBABILITY or FAULT=1/N (every Nth), by commas\n"
"  --fault-once 1      spare --faults to requests about an image seen before\n"
"  --fault-task NAME   spare --faults to requests for other tasks than conversation,\n"
"                      complex_reasoning or detail\n"
"  --plan LIST         N:FAULT, N-M:FAULT or N+:FAULT, by commas: request N, counted\n"
"                      from 1, from the time the plan was set; wins over --faults\n"
"  --script FILE       the same out of a file\n"
"  --seed N            what latencies, --faults and the words of answers depend on (1)\n"
"  --error-shape S     nested ({\"error\":{...}}) or flat ({\"object\":\"error\",...})\n"
"  --obedient 1        say in objects the worth that the prompt tells it to, outside of\n"
"                      quoted strings; the journal has the prompts\n"
"  --api-key KEY       answer 401 to requests without it\n"
"  --model NAME        answer 404 to requests for another\n"
"  --poison LIST       WIDTHxHEIGHT, by commas: looking at a picture that is sent in such\n"
"                      a size takes the engine down.  The journal says crash and restart\n"
"  --crash-ms N        for so long (3000): all connections are reset, new ones refused\n"
"  --crash-status N    502 or 503: it is behind a gateway, which answers so instead (0)\n"
"\n"
"  POST /v1/chat/completions             also without /v1\n"
"  POST /fault/NAME/v1/chat/completions  with that fault, always\n"
"  GET  /v1/models, /health\n"
"  POST /control                         settings as above; {\"release\": true} lets the\n"
"                                        requests held by the fault \"hold\" go on,\n"
"                                        {\"crash\": true} takes the engine down\n"
"  GET  /control/stats                   counts: requests, answered, done, in_flight,\n"
"                                        max_in_flight, connections, images, ...\n"
"  GET  /control/wait?in_flight=4&timeout=10000   answers when at least so many are; a\n"
"                                        name with _max: at most; 408 if it takes longer\n";

enum
{
	OPTION_HELP = 256,
	OPTION_PORT,
	OPTION_JOURNAL,
	OPTION_UNTIL_EOF,
	OPTION_ANSWERS,
	OPTION_THREADS,
	OPTION_COUNT_ONLY,
	OPTION_REPLY_BYTES,
	OPTION_SCRIPT,
	OPTION_CHANGEABLE
};

static const struct option options[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"port", required_argument, NULL, OPTION_PORT},
	{"journal", required_argument, NULL, OPTION_JOURNAL},
	{"until-eof", no_argument, NULL, OPTION_UNTIL_EOF},
	{"answers", required_argument, NULL, OPTION_ANSWERS},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"count-only", no_argument, NULL, OPTION_COUNT_ONLY},
	{"reply-bytes", required_argument, NULL, OPTION_REPLY_BYTES},
	{"script", required_argument, NULL, OPTION_SCRIPT},
	{"latency", required_argument, NULL, OPTION_CHANGEABLE},
	{"slots", required_argument, NULL, OPTION_CHANGEABLE},
	{"reject", required_argument, NULL, OPTION_CHANGEABLE},
	{"per-minute", required_argument, NULL, OPTION_CHANGEABLE},
	{"by-the-clock", required_argument, NULL, OPTION_CHANGEABLE},
	{"faults", required_argument, NULL, OPTION_CHANGEABLE},
	{"fault-once", required_argument, NULL, OPTION_CHANGEABLE},
	{"fault-task", required_argument, NULL, OPTION_CHANGEABLE},
	{"plan", required_argument, NULL, OPTION_CHANGEABLE},
	{"seed", required_argument, NULL, OPTION_CHANGEABLE},
	{"error-shape", required_argument, NULL, OPTION_CHANGEABLE},
	{"obedient", required_argument, NULL, OPTION_CHANGEABLE},
	{"api-key", required_argument, NULL, OPTION_CHANGEABLE},
	{"model", required_argument, NULL, OPTION_CHANGEABLE},
	{"poison", required_argument, NULL, OPTION_CHANGEABLE},
	{"crash-ms", required_argument, NULL, OPTION_CHANGEABLE},
	{"crash-status", required_argument, NULL, OPTION_CHANGEABLE},
	{NULL, 0, NULL, 0}
};

/* A whole number from low to high; false: it is none. */
static bool
read_number(const char *text, int64_t low, int64_t high, int64_t *number)
{
	char	   *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

static bool
change_number(const char *name, const char *value, int64_t high, int *target, Buffer *message)
{
	int64_t		number;

	if (!read_number(value, 0, high, &number))
	{
		buffer_printf(message, "%s: a number from 0 to %lld is wanted", name, (long long) high);
		return false;
	}
	*target = (int) number;
	return true;
}

static bool
change_latency(const char *value, Buffer *message)
{
	char	   *end;
	long		low = strtol(value, &end, 10);
	long		high = low;
	bool		good = end != value;

	if (*end == '-')
	{
		value = end + 1;
		high = strtol(value, &end, 10);
		good = good && end != value;
	}
	if (!good || *end || low < 0 || high < low || high > 86400000)
	{
		buffer_text(message, "latency: MS or MIN-MAX is wanted");
		return false;
	}
	settings.latency_min = (int) low;
	settings.latency_max = (int) high;
	return true;
}

static bool
change_text(const char *name, const char *value, char *target, size_t room, Buffer *message)
{
	if (strlen(value) >= room)
	{
		buffer_printf(message, "%s: too long", name);
		return false;
	}
	memset(target, 0, room);
	memcpy(target, value, strlen(value));
	return true;
}

static bool
change_shape(const char *value, Buffer *message)
{
	if (strcmp(value, "flat") != 0 && strcmp(value, "nested") != 0)
	{
		buffer_text(message, "error-shape: nested or flat is wanted");
		return false;
	}
	settings.flat = strcmp(value, "flat") == 0;
	return true;
}

static bool
change_reject(const char *value, Buffer *message)
{
	Fault		fault;

	if (strcmp(value, "0") == 0)
		value = "";
	else if ((strncmp(value, "429", 3) != 0 && strncmp(value, "503", 3) != 0) ||
			 !fault_parse(value, strlen(value), &fault))
	{
		buffer_text(message, "reject: 429, 503, another fault of these, or 0 is wanted");
		return false;
	}
	return change_text("reject", value, settings.reject, sizeof(settings.reject), message);
}

static bool
change_switch(const char *name, const char *value, bool *target, Buffer *message)
{
	int			number;

	if (!change_number(name, value, 1, &number, message))
		return false;
	*target = number == 1;
	return true;
}

static bool
change_plan(const char *value, Buffer *message)
{
	if (!fault_plan_parse(value, &settings.plan, message))
		return false;
	settings.plan_from = stats.requests;
	return true;
}

static bool
change_poison(const char *value, Buffer *message)
{
	int			room = (int) (sizeof(settings.poison) / sizeof(settings.poison[0]));
	int			count = 0;
	int			used;

	for (; *value != '\0'; value += *value == ',')
	{
		if (count == room || sscanf(value, "%dx%d%n", &settings.poison[count].width,
									&settings.poison[count].height, &used) != 2 ||
			(value[used] != '\0' && value[used] != ','))
		{
			settings.poisons = 0;
			buffer_printf(message, "poison: at most %d times WIDTHxHEIGHT, by commas, are wanted", room);
			return false;
		}
		value += used;
		count++;
	}
	settings.poisons = count;
	return true;
}

static bool
change_crash_status(const char *value, Buffer *message)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "502") != 0 && strcmp(value, "503") != 0)
	{
		buffer_text(message, "crash-status: 502, 503 or 0 is wanted");
		return false;
	}
	settings.crash_status = atoi(value);
	return true;
}

bool
settings_change(const char *name, const char *value, Buffer *message)
{
	int			number = 0;

	if (strcmp(name, "latency") == 0)
		return change_latency(value, message);
	if (strcmp(name, "slots") == 0)
		return change_number(name, value, 1000000, &settings.slots, message);
	if (strcmp(name, "reject") == 0)
		return change_reject(value, message);
	if (strcmp(name, "faults") == 0)
		return fault_mix_parse(value, &settings.mix, message);
	if (strcmp(name, "plan") == 0)
		return change_plan(value, message);
	if (strcmp(name, "error-shape") == 0)
		return change_shape(value, message);
	if (strcmp(name, "api-key") == 0)
		return change_text(name, value, settings.api_key, sizeof(settings.api_key), message);
	if (strcmp(name, "model") == 0)
		return change_text(name, value, settings.model, sizeof(settings.model), message);
	if (strcmp(name, "fault-task") == 0)
		return change_text(name, value, settings.fault_task, sizeof(settings.fault_task), message);
	if (strcmp(name, "poison") == 0)
		return change_poison(value, message);
	if (strcmp(name, "crash-ms") == 0)
		return change_number(name, value, 3600000, &settings.crash_ms, message);
	if (strcmp(name, "crash-status") == 0)
		return change_crash_status(value, message);
	if (strcmp(name, "per-minute") == 0)
		return change_number(name, value, 100000000, &settings.per_minute, message);
	if (strcmp(name, "by-the-clock") == 0)
		return change_switch(name, value, &settings.by_the_clock, message);
	if (strcmp(name, "fault-once") == 0)
		return change_switch(name, value, &settings.fault_once, message);
	if (strcmp(name, "obedient") == 0)
		return change_switch(name, value, &settings.obedient, message);
	if (strcmp(name, "seed") == 0)
	{
		if (!change_number(name, value, INT32_MAX, &number, message))
			return false;
		settings.seed = (uint64_t) number;
		return true;
	}
	buffer_printf(message, "no such setting: %s", name);
	return false;
}

static void
read_script(const char *path)
{
	FILE	   *file = fopen(path, "r");
	Buffer		text = {0};
	Buffer		message = {0};
	char		piece[4096];
	size_t		size;

	if (file == NULL)
		die("cannot open \"%s\": %s", path, strerror(errno));
	while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(&text, piece, size);
	fclose(file);
	buffer_add(&text, "", 0);
	if (!change_plan(text.data, &message))
		die("%s: %s", path, message.data);
	buffer_free(&text);
}

static int
number_or_die(const char *name, const char *value, int64_t low, int64_t high)
{
	int64_t		number;

	if (!read_number(value, low, high, &number))
		die("--%s: a number from %lld to %lld is wanted", name, (long long) low, (long long) high);
	return (int) number;
}

static void
take_option(int option, const char *name, const char *value)
{
	Buffer		message = {0};

	switch (option)
	{
		case OPTION_HELP:
			fputs(usage, stdout);
			fputs("\nFaults by name; NAME-N gives one its number.\n", stdout);
			fault_list(stdout);
			exit(0);
		case OPTION_PORT:
			settings.port = number_or_die(name, value, 0, 65535);
			break;
		case OPTION_JOURNAL:
			settings.journal = value;
			break;
		case OPTION_UNTIL_EOF:
			settings.until_eof = true;
			break;
		case OPTION_ANSWERS:
			recorded_load(value);
			break;
		case OPTION_THREADS:
			settings.threads = number_or_die(name, value, 1, 256);
			break;
		case OPTION_COUNT_ONLY:
			settings.count_only = true;
			break;
		case OPTION_REPLY_BYTES:
			settings.reply_bytes = (size_t) number_or_die(name, value, 0, 1 << 30);
			break;
		case OPTION_SCRIPT:
			read_script(value);
			break;
		case OPTION_CHANGEABLE:
			if (!settings_change(name, value, &message))
				die("--%s", message.data);
			break;
		default:
			die("--help tells what there is");
	}
}

void
settings_from_arguments(int argc, char **argv)
{
	int			option;
	int			index = 0;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
		take_option(option, option == '?' ? "" : options[index].name, optarg);
	if (optind < argc)
		die("no such argument: %s (--help tells what there is)", argv[optind]);
}
