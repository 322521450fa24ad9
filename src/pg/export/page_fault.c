/*
 * page_fault.c
 *	  llava_page_fault: whether an export would leave a sample out, for the page that
 *	  shows it.
 *
 * By the rules of format llava, of which other formats have the same and some more.  The
 * facts come as arguments, so that the page reads each row once and with the caller's
 * rights.
 */
#include "postgres.h"

#include "export.h"
#include "reply/reply.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_page_fault);

/* Arguments */
enum
{
	ARG_CONVERSATION,
	ARG_PATH,
	ARG_SHA256,
	ARG_FORMAT,
	ARG_REJECTED,
	ARG_WIDTH,
	ARG_HEIGHT,
	ARG_CHANNELS,
	ARG_COMPLETE,
	ARG_ROWS
};

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static int
int_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? 0 : PG_GETARG_INT32(i);
}

static void
sample_arguments(FunctionCallInfo fcinfo, ExportSample *sample)
{
	memset(sample, 0, sizeof(*sample));
	sample->task = "";
	sample->conversation = PG_GETARG_JSONB_P(ARG_CONVERSATION);
	sample->path = text_argument(fcinfo, ARG_PATH);
	sample->sha256 = PG_ARGISNULL(ARG_SHA256) ? NULL : PG_GETARG_BYTEA_PP(ARG_SHA256);
	sample->image_format = text_argument(fcinfo, ARG_FORMAT);
	sample->rejected = text_argument(fcinfo, ARG_REJECTED);
	sample->width = int_argument(fcinfo, ARG_WIDTH);
	sample->height = int_argument(fcinfo, ARG_HEIGHT);
	sample->channels = int_argument(fcinfo, ARG_CHANNELS);
	sample->ends_early = !PG_ARGISNULL(ARG_COMPLETE) && !PG_GETARG_BOOL(ARG_COMPLETE);
	sample->cut = sample->ends_early && int_argument(fcinfo, ARG_ROWS) != sample->height;
}

/* llava_page_fault(conversation jsonb, ... OUT rule text, OUT detail text); NULLs: none. */
Datum
llava_page_fault(PG_FUNCTION_ARGS)
{
	const ExportShape shape = {.format = EXPORT_LLAVA,.rules = REPLY_TOKEN_RULES};
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};
	ExportFault fault = FAULT_NONE;
	ExportSample sample;
	StringInfoData line;

	if (!PG_ARGISNULL(ARG_CONVERSATION))
	{
		sample_arguments(fcinfo, &sample);
		initStringInfo(&line);
		fault = export_line(&line, &sample, &shape, false);
	}
	if (fault != FAULT_NONE)
	{
		values[0] = CStringGetTextDatum(export_rules[fault].name);
		values[1] = CStringGetTextDatum(export_fault_detail(fault, &sample));
		nulls[0] = nulls[1] = false;
	}
	return rows_result(fcinfo, values, nulls);
}
