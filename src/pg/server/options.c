/*
 * options.c
 *	  The options of servers and user mappings: checked when they are written, read
 *	  when a server is used.
 *
 * Checking needs neither network nor files, so that a dump can be restored
 * anywhere.  Options of a server are world-readable, and messages go to logs: a
 * url that may hold a secret is refused without being repeated, a key is never
 * repeated at all, and statements that may hold either are not logged with the
 * ERROR.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/xact.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "compat.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "server_private.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"

typedef enum OptionKind
{
	OPTION_URL,
	OPTION_TEXT,				/* not empty */
	OPTION_BODY,				/* JSON for vlm_extra_body_check */
	OPTION_BOOL,
	OPTION_INT,
	OPTION_BIGINT,
	OPTION_NUMBER,				/* double */
	OPTION_TIME					/* int, milliseconds */
} OptionKind;

/* The characters of a decimal number. */
#define DECIMAL "0123456789.eE+-"

typedef struct ServerOption
{
	const char *name;
	OptionKind	kind;
	size_t		offset;			/* in LlavaServer */
	int64		min;			/* of numbers and times */
	int64		max;
} ServerOption;

#define TRILLION INT64CONST(1000000000000)

static const ServerOption server_options[] = {
	{"url", OPTION_URL, offsetof(LlavaServer, url), 0, 0},
	{"model", OPTION_TEXT, offsetof(LlavaServer, model), 0, 0},
	{"max_in_flight", OPTION_INT, offsetof(LlavaServer, max_in_flight), 1, 10000},
	{"requests_per_minute", OPTION_INT, offsetof(LlavaServer, requests_per_minute), 0, 10000000},
	{"tokens_per_minute", OPTION_BIGINT, offsetof(LlavaServer, tokens_per_minute), 0, TRILLION},
	{"connect_timeout", OPTION_TIME, offsetof(LlavaServer, connect_timeout), 1, 3600 * 1000},
	{"request_timeout", OPTION_TIME, offsetof(LlavaServer, request_timeout), 1, 24 * 3600 * 1000},
	{"priority", OPTION_INT, offsetof(LlavaServer, priority), -1000000, 1000000},
	{"paused", OPTION_BOOL, offsetof(LlavaServer, paused), 0, 0},
	{"queue", OPTION_BOOL, offsetof(LlavaServer, queue), 0, 0},
	{"max_requests", OPTION_BIGINT, offsetof(LlavaServer, max_requests), 0, 1000 * TRILLION},
	{"budget", OPTION_NUMBER, offsetof(LlavaServer, budget), 0, TRILLION},
	{"input_price", OPTION_NUMBER, offsetof(LlavaServer, price.input), 0, TRILLION},
	{"output_price", OPTION_NUMBER, offsetof(LlavaServer, price.output), 0, TRILLION},
	{"extra_body", OPTION_BODY, offsetof(LlavaServer, extra_body), 0, 0},
	{"pixel_factor", OPTION_INT, offsetof(LlavaServer, pixel_factor),
	PIXEL_FACTOR_MIN, PIXEL_FACTOR_MAX},
	{"min_pixels", OPTION_BIGINT, offsetof(LlavaServer, min_pixels), 1, PIXELS_MAX},
	{"max_pixels", OPTION_BIGINT, offsetof(LlavaServer, max_pixels), 1, PIXELS_MAX},
};

PG_FUNCTION_INFO_V1(llava_fdw_validator);

/* ERROR: the value of an option is refused; hint is palloc'd or static. */
pg_noreturn static void
refuse_value(const char *option, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option, value),
			 errhint("%s", hint)));
}

/* Reads a finite decimal number; false if value is none. */
static bool
parse_number(const char *value, const char *characters, double *number)
{
	char	   *end;

	if (strspn(value, characters) != strlen(value))
		return false;
	*number = strtod(value, &end);
	return end != value && *end == '\0' && isfinite(*number);
}

/* The limits of whole numbers are such that a double holds each exactly. */
static double
read_number(const ServerOption *option, const char *value)
{
	bool		whole = option->kind != OPTION_NUMBER;
	double		number;

	if (!parse_number(value, whole ? "0123456789-" : DECIMAL, &number) ||
		number < option->min || number > option->max)
		refuse_value(option->name, value,
					 psprintf("The value must be a %snumber from " INT64_FORMAT " to " INT64_FORMAT ".",
							  whole ? "whole " : "", option->min, option->max));
	return number;
}

/* Milliseconds; a number without a unit is seconds. */
static int
read_time(const ServerOption *option, const char *value)
{
	double		seconds;
	const char *hint;
	int			ms = -1;

	if (parse_number(value, DECIMAL, &seconds))
		ms = seconds < 0 || seconds * 1000 > option->max ? -1 : (int) rint(seconds * 1000);
	else if (!parse_int(value, &ms, GUC_UNIT_MS, &hint))
		ms = -1;
	if (ms < option->min || ms > option->max)
		refuse_value(option->name, value,
					 psprintf("The value must be a time from 1ms to " INT64_FORMAT "h, as in '300s', '5min' or '2.5', which means seconds; units are ms, s, min and h.",
							  option->max / (3600 * 1000)));
	return ms;
}

static char *
read_text(const ServerOption *option, const char *value)
{
	const char *problem = NULL;

	if (option->kind == OPTION_BODY)
		problem = vlm_extra_body_check(value);
	else if (value[0] == '\0')
		problem = "must not be empty";
	if (problem != NULL)
		refuse_value(option->name, value, psprintf("It %s.", problem));
	return pstrdup(value);
}

/* Puts one option into its member; ERROR if its value is refused. */
static void
read_option(const ServerOption *option, const char *value, LlavaServer *server)
{
	void	   *member = (char *) server + option->offset;

	switch (option->kind)
	{
		case OPTION_URL:
			*(char **) member = options_url(value);
			break;
		case OPTION_TEXT:
		case OPTION_BODY:
			*(char **) member = read_text(option, value);
			break;
		case OPTION_BOOL:
			if (!parse_bool(value, (bool *) member))
				refuse_value(option->name, value, "The value must be true or false.");
			break;
		case OPTION_INT:
			*(int *) member = (int) read_number(option, value);
			break;
		case OPTION_BIGINT:
			*(int64 *) member = (int64) read_number(option, value);
			break;
		case OPTION_NUMBER:
			*(double *) member = read_number(option, value);
			break;
		case OPTION_TIME:
			*(int *) member = read_time(option, value);
			break;
	}
}

static const ServerOption *
option_named(const char *name)
{
	for (int i = 0; i < lengthof(server_options); i++)
		if (strcmp(server_options[i].name, name) == 0)
			return &server_options[i];
	return NULL;
}

static void
set_defaults(LlavaServer *server)
{
	memset(server, 0, sizeof(*server));
	server->queue = true;
	server->max_in_flight = 32;
	server->connect_timeout = 10 * 1000;
	server->request_timeout = 300 * 1000;
	server->max_requests = -1;
	server->budget = -1;
	server->price.input = server->price.output = -1;
	server->pixel_factor = IMAGE_FACTOR;
}

const char *
options_pixels_problem(int factor, int64 min_pixels, int64 max_pixels)
{
	if (factor < PIXEL_FACTOR_MIN || factor > PIXEL_FACTOR_MAX)
		return psprintf("pixel_factor (%d) is not in %d .. %d", factor,
						PIXEL_FACTOR_MIN, PIXEL_FACTOR_MAX);
	if (min_pixels < 1 || max_pixels > PIXELS_MAX)
		return psprintf("min_pixels and max_pixels are not in 1 .. %d", PIXELS_MAX);
	if (max_pixels < (int64) factor * factor)
		return psprintf("max_pixels (" INT64_FORMAT ") is less than pixel_factor squared (%d)",
						max_pixels, factor * factor);
	if (min_pixels > max_pixels)
		return psprintf("min_pixels (" INT64_FORMAT ") is more than max_pixels (" INT64_FORMAT ")",
						min_pixels, max_pixels);
	return NULL;
}

/*
 * ERROR if options that are valid one by one do not go together.  Sets the defaults that
 * depend on other options.
 */
static void
check_together(LlavaServer *server)
{
	const char *problem;
	ImageFit	fit;

	if (server->url == NULL || server->model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"%s\" is required for servers of the wrapper llava_zh",
						server->url == NULL ? "url" : "model"),
				 errhint("For example, OPTIONS (url 'http://127.0.0.1:8000/v1', model 'Qwen/Qwen2.5-VL-32B-Instruct').")));
	if (server->budget >= 0 && (server->price.input < 0 || server->price.output < 0))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"budget\" needs the options \"input_price\" and \"output_price\""),
				 errhint("They are prices per million tokens, in the budget's currency.")));
	image_fit_defaults(&fit, server->pixel_factor);
	if (server->min_pixels == 0)
		server->min_pixels = fit.min_pixels;
	if (server->max_pixels == 0)
		server->max_pixels = fit.max_pixels;
	server->price.input = Max(server->price.input, 0);
	server->price.output = Max(server->price.output, 0);
	problem = options_pixels_problem(server->pixel_factor, server->min_pixels,
									 server->max_pixels);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid pixel options: %s", problem),
				 errhint("The defaults are %d and %d times pixel_factor squared.",
						 IMAGE_MIN_TOKENS, IMAGE_MAX_TOKENS)));
}

/* What an option of other programs is called here, or where it belongs. */
typedef struct OptionAlias
{
	const char *word;
	const char *meant;
} OptionAlias;

static const OptionAlias server_aliases[] = {
	{"base_url", "url"}, {"api_base", "url"}, {"endpoint", "url"}, {"host", "url"},
	{"model_name", "model"}, {"timeout", "request_timeout"}, {"concurrency", "max_in_flight"},
	{"rpm", "requests_per_minute"}, {"tpm", "tokens_per_minute"},
};

static const OptionAlias mapping_aliases[] = {
	{"key", "api_key"}, {"apikey", "api_key"}, {"token", "api_key"}, {"password", "api_key"},
	{"key_file", "api_key_file"},
};

/* What may be meant by a word; NULL: nobody knows. */
static const char *
option_meant(const OptionAlias *aliases, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (pg_strcasecmp(aliases[i].word, word) == 0)
			return aliases[i].meant;
	return NULL;
}

/* ERROR: there is no such option; the hint is palloc'd or static. */
pg_noreturn static void
refuse_name(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 errhidestmt(true),
			 errhint("%s", hint)));
}

static const char *
hint_of_valid(const char *meant, const char *valid)
{
	return meant != NULL ? psprintf("Perhaps you meant the option \"%s\".", meant) :
		psprintf("Valid options in this context are: %s.", valid);
}

pg_noreturn static void
refuse_server_option(const char *name)
{
	StringInfoData names;

	if (strcmp(name, "api_key") == 0 || strcmp(name, "api_key_file") == 0 ||
		option_meant(mapping_aliases, lengthof(mapping_aliases), name) != NULL)
		refuse_name(name, "Keys belong into a user mapping, which others cannot read: CREATE USER MAPPING FOR CURRENT_USER SERVER ... OPTIONS (api_key '...').");
	initStringInfo(&names);
	for (int i = 0; i < lengthof(server_options); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", server_options[i].name);
	refuse_name(name, hint_of_valid(option_meant(server_aliases, lengthof(server_aliases), name), names.data));
}

static void
check_server_options(List *options)
{
	LlavaServer server;
	ListCell   *cell;

	set_defaults(&server);
	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);
		const ServerOption *option = option_named(element->defname);

		if (option == NULL)
			refuse_server_option(element->defname);
		read_option(option, defGetString(element), &server);
	}
	check_together(&server);
}

char *
options_value(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0)
		return defGetString(lfirst_node(DefElem, cell));
	return NULL;
}

const char *
options_key_problem(const char *key)
{
	if (key[0] == '\0')
		return "it is empty";
	for (const char *c = key; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return "it has control characters";
	if (key[0] == ' ' || key[strlen(key) - 1] == ' ')
		return "it begins or ends with a blank";
	return NULL;
}

static void
check_mapping_options(List *options)
{
	const char *key = options_value(options, "api_key");
	const char *file = options_value(options, "api_key_file");
	const char *problem = key != NULL ? options_key_problem(key) : NULL;
	ListCell   *cell;

	foreach(cell, options)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (strcmp(name, "api_key") != 0 && strcmp(name, "api_key_file") != 0)
			refuse_name(name, hint_of_valid(option_meant(mapping_aliases, lengthof(mapping_aliases), name),
											"api_key, api_key_file"));
	}
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"api_key\": %s", problem),
				 errhidestmt(true),
				 errhint("A key is one line of text. If the endpoint needs none, leave the option out.")));
	if (file != NULL && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("option \"api_key_file\" may be set by superusers only"),
				 errhint("The option reads a file of the database server; use the option api_key instead.")));
	if (file != NULL && !is_absolute_path(file))
		refuse_value("api_key_file", file, "The value must be an absolute path on the database server.");
	if (key != NULL && file != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("options \"api_key\" and \"api_key_file\" exclude each other"),
				 errhidestmt(true),
				 errhint("ALTER USER MAPPING ... OPTIONS (DROP api_key, ADD api_key_file '...')")));
}

/* llava_fdw_validator(options text[], catalog oid): ERROR if they are refused. */
Datum
llava_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);

	if (catalog == ForeignServerRelationId)
		check_server_options(options);
	else if (catalog == UserMappingRelationId)
		check_mapping_options(options);
	else if (options != NIL)
		refuse_name(((DefElem *) linitial(options))->defname, "There are no valid options in this context.");
	PG_RETURN_VOID();
}

bool
server_takes_queue(Oid server)
{
	char	   *value = options_value(GetForeignServer(server)->options, "queue");
	bool		takes = true;

	return value == NULL || !parse_bool(value, &takes) || takes;
}

bool
server_is_committed(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(oid));
	bool		committed;

	if (!HeapTupleIsValid(tuple))
		return false;
	committed = !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	ReleaseSysCache(tuple);
	return committed;
}

LlavaServer *
server_load(Oid oid)
{
	ForeignServer *foreign = GetForeignServer(oid);
	LlavaServer *server = palloc(sizeof(LlavaServer));
	ListCell   *cell;

	set_defaults(server);
	server->oid = oid;
	server->owner = foreign->owner;
	server->name = pstrdup(foreign->servername);
	foreach(cell, foreign->options)
	{
		DefElem    *element = lfirst(cell);
		const ServerOption *option = option_named(element->defname);

		if (option != NULL)
			read_option(option, defGetString(element), server);
	}
	check_together(server);
	return server;
}
