/*
 * config_fetch.c
 *	  The settings of fetching.  All are the server's: with fetching on, INSERT on
 *	  llava_image is the right to make the server send requests, and these say where to.
 */
#include "postgres.h"

#include <limits.h>

#include "db.h"
#include "utils/guc.h"

bool		llava_fetch;
char	   *llava_fetch_contact;
char	   *llava_fetch_allow;
char	   *llava_fetch_ports;
char	   *llava_fetch_nameservers;
int			llava_fetch_in_flight;
int			llava_fetch_delay;
int			llava_fetch_max_delay;
int			llava_fetch_timeout;
int			llava_fetch_memory;
int			llava_fetch_attempts;
int			llava_fetch_tls;
char	   *llava_fetch_reservations;

static WebPorts ports;

/* What is named ends up in a header of each request. */
static bool
check_contact(char **value, void **extra, GucSource source)
{
	if (strlen(*value) > 200)
	{
		GUC_check_errdetail("It is longer than 200 bytes.");
		return false;
	}
	for (const char *p = *value; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("()\\\"", *p) != NULL)
		{
			GUC_check_errdetail("\"%s\" is neither a mail address nor a URL.", *value);
			GUC_check_errhint("As 'crawler@example.org' or 'https://example.org/crawler'.");
			return false;
		}
	return true;
}

static bool
check_allow(char **value, void **extra, GucSource source)
{
	WebNets		nets;
	const char *bad = *value;

	if (web_nets_parse(*value, &nets, &bad))
		return true;
	GUC_check_errdetail("\"%s\" does not begin with a range of addresses.", bad);
	GUC_check_errhint("As '198.18.0.0/15, fd00::/8', at most %d.", WEB_NETS);
	return false;
}

/* A comma-separated list of numbers; false: it is none. */
static bool
parse_ports(const char *text, WebPorts *list)
{
	list->n = 0;
	while (*(text +=strspn(text, " ,")) !='\0')
	{
		char	   *end;
		long		port = strtol(text, &end, 10);

		if (end == text ||port < 1 || port > 65535 || list->n == WEB_PORTS ||
			(*end != '\0' && *end != ',' && *end != ' '))
			return false;
		list->ports[list->n++] = (int) port;
		text = end;
	}
	return true;
}

static bool
check_ports(char **value, void **extra, GucSource source)
{
	WebPorts	list;

	if (parse_ports(*value, &list))
		return true;
	GUC_check_errdetail("\"%s\" is no list of ports.", *value);
	GUC_check_errhint("As '8080, 8000', at most %d.", WEB_PORTS);
	return false;
}

static void
assign_ports(const char *value, void *extra)
{
	(void) parse_ports(value, &ports);
}

const WebPorts *
config_fetch_ports(void)
{
	return &ports;
}

static bool
check_nameservers(char **value, void **extra, GucSource source)
{
	if (strlen(*value) < 500 && (*value)[strspn(*value, "0123456789abcdefABCDEF.:[], ")] == '\0')
		return true;
	GUC_check_errdetail("\"%s\" is no list of addresses.", *value);
	GUC_check_errhint("As '9.9.9.9, 127.0.0.1:5353, [2620:fe::fe]:53'.");
	return false;
}

static bool
check_reservations(char **value, void **extra, GucSource source)
{
	int			honoured;
	const char *bad = *value;

	if (web_reservations_parse(*value, &honoured, &bad))
		return true;
	GUC_check_errdetail("\"%s\" does not begin with a kind of reservation.", bad);
	GUC_check_errhint("A list of noai, noindex, tdm, content-usage.");
	return false;
}

static const struct config_enum_entry tls_options[] = {
	{"verify", FETCH_TLS_VERIFY, false},
	{"record", FETCH_TLS_RECORD, false},
	{NULL, 0, false}
};

static void
define_where(void)
{
	DefineCustomBoolVariable("llava_zh.fetch",
							 "Fetch the pictures of rows that have a source_url and no bytes.",
							 "Whoever may INSERT into llava_image can then make this server send requests to public addresses. "
							 "Needs llava_zh.fetch_contact.",
							 &llava_fetch, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("llava_zh.fetch_contact",
							   "Where the owners of hosts can reach you: a mail address or a URL.",
							   "Part of the User-Agent of each request.",
							   &llava_fetch_contact, "", PGC_SIGHUP, 0, check_contact, NULL, NULL);
	DefineCustomStringVariable("llava_zh.fetch_allow",
							   "Ranges of addresses that may be connected to although they are not public.",
							   "For proxies that answer each name with an address of 198.18.0.0/15, and for tests. Metadata services stay refused.",
							   &llava_fetch_allow, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_allow, NULL, NULL);
	DefineCustomStringVariable("llava_zh.fetch_ports",
							   "Ports that may be connected to beside 80 and 443.",
							   NULL,
							   &llava_fetch_ports, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_ports, assign_ports, NULL);
	DefineCustomStringVariable("llava_zh.fetch_nameservers",
							   "Name servers that are asked for hosts; empty: those of resolv.conf.",
							   "/etc/hosts is not read.",
							   &llava_fetch_nameservers, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_nameservers, NULL, NULL);
	DefineCustomEnumVariable("llava_zh.fetch_tls",
							 "What becomes of a host whose certificate does not hold.",
							 "verify: nothing is fetched; record: it is fetched all the same, and llava_fetched.tls_unverified says so.",
							 &llava_fetch_tls, FETCH_TLS_VERIFY, tls_options, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("llava_zh.fetch_reservations",
							   "Reservations in headers that keep a picture from being stored.",
							   "noai and noindex (X-Robots-Tag), tdm (tdm-reservation), content-usage.",
							   &llava_fetch_reservations, "noai, noindex, tdm, content-usage", PGC_SIGHUP, 0,
							   check_reservations, NULL, NULL);
}

void
config_define_fetch(void)
{
	define_where();
	DefineCustomIntVariable("llava_zh.fetch_in_flight",
							"Pictures that are fetched at once.",
							"One of a host, four of a registered domain, eight of an address.",
							&llava_fetch_in_flight, 256, 1, 2048, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("llava_zh.fetch_delay",
							"Shortest time from one request to a host to the next.",
							"Crawl-delay, the host's latency and its refusals make it longer.",
							&llava_fetch_delay, 1000, 10, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("llava_zh.fetch_max_delay",
							"Longest Crawl-delay that is obeyed; rows of hosts that want a longer one rest.",
							NULL,
							&llava_fetch_max_delay, 300 * 1000, 1000, 24 * 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("llava_zh.fetch_timeout",
							"Longest time that one request may take, the name's lookup included.",
							NULL,
							&llava_fetch_timeout, 60 * 1000, 1000, 300 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("llava_zh.fetch_memory",
							"Memory for pictures that are being fetched; when it is used up no request begins.",
							NULL,
							&llava_fetch_memory, 64 * 1024, 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("llava_zh.fetch_attempts",
							"Attempts to fetch a picture before its row rests.",
							"Attempts whose failure was the whole host's do not count.",
							&llava_fetch_attempts, 4, 1, 20, PGC_SIGHUP, 0, NULL, NULL, NULL);
}
