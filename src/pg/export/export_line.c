/*
 * export_line.c
 *	  One sample to one line of a trainer's format.
 *
 * A line is spelt as PostgreSQL spells jsonb (key order, spaces, escapes), but for the
 * characters that some readers take for the end of a line: those are escaped too.  A
 * format is a description of its keys; no format has code of its own.
 */
#include "postgres.h"

#include "common/base64.h"
#include "export.h"
#include "jsonl/jsonl.h"
#include "reply/reply.h"
#include "utils/builtins.h"

/* How a format spells its rows. */
typedef struct Spelling
{
	const char *name;
	const char *before_id;		/* up to the value; NULL: no id */
	const char *before_task;	/* NULL: no task */
	const char *before_image;	/* NULL: its turn's part has its URL */
	const char *before_turns;
	const char *user;
	const char *assistant;
	bool		role_content;	/* else from and value */
	const char *token_first;	/* before the question */
	const char *token_last;		/* after it */
	const char *part;			/* the image among the parts of a content, up
								 * to its URL if it has one; NULL: a content
								 * is a text */
} Spelling;

static const Spelling spellings[EXPORT_FORMATS] = {
	[EXPORT_LLAVA] = {"llava", "\"id\": ", NULL, ", \"image\": ", ", \"conversations\": [",
	"human", "gpt", false, "<image>\\n", "\\n<image>"},
	[EXPORT_LLAMAFACTORY] = {"llamafactory", NULL, NULL, "\"images\": [", "], \"messages\": [",
	"user", "assistant", true, "<image>", "<image>"},
	[EXPORT_SHAREGPT] = {"sharegpt", NULL, NULL, "\"images\": [", "], \"conversations\": [",
	"human", "gpt", false, "<image>", "<image>"},
	[EXPORT_SWIFT] = {"swift", NULL, NULL, "\"images\": [", "], \"messages\": [",
	"user", "assistant", true, "<image>", "<image>"},
	[EXPORT_QWEN] = {"qwen", NULL, NULL, "\"image\": ", ", \"conversations\": [",
	"human", "gpt", false, "<image>\\n", "\\n<image>"},
	[EXPORT_OPENAI] = {"openai", NULL, NULL, NULL, "\"messages\": [",
	"user", "assistant", true, "", "", "{\"type\": \"image_url\", \"image_url\": {\"url\": "},
	[EXPORT_TRL] = {"trl", NULL, NULL, "\"images\": [", "], \"messages\": [",
	"user", "assistant", true, "", "", "{\"type\": \"image\"}"},
	[EXPORT_IMAGEFOLDER] = {"imagefolder", "\"id\": ", ", \"task\": ", ", \"file_name\": ",
	", \"conversations\": [", "human", "gpt", false, "<image>\\n", "\\n<image>"},
};

ExportFormat
export_format(const char *name)
{
	for (int i = 0; i < EXPORT_FORMATS; i++)
		if (strcmp(spellings[i].name, name) == 0)
			return i;
	return EXPORT_FORMATS;
}

char *
export_format_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < EXPORT_FORMATS; i++)
		appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", spellings[i].name);
	return names.data;
}

/* ---- turns ---- */

/*
 * The next character at which Python's splitlines() and its like end a line: U+0085,
 * U+2028 or U+2029 in UTF-8; NULL: there is none.
 */
static const char *
next_separator(const char *bytes, const char *end)
{
	const char *first = NULL;

	for (const char *at = bytes; (at = memchr(at, 0xe2, end - at)) != NULL; at++)
		if (end - at >= 3 && at[1] == '\x80' && (at[2] == '\xa8' || at[2] == '\xa9'))
		{
			first = at;
			end = at;
			break;
		}
	for (const char *at = bytes; (at = memchr(at, 0xc2, end - at)) != NULL; at++)
		if (end - at >= 2 && at[1] == '\x85')
			return at;
	return first;
}

/* As jsonb writes strings; escape_json() takes each byte by itself, this whole runs. */
static void
append_json(StringInfo line, const char *bytes, int length)
{
	static const char escapes[' '] = {['\b'] = 'b',['\f'] = 'f',['\n'] = 'n',['\r'] = 'r',['\t'] = 't'};
	const char *end = bytes + length;

	while (bytes < end)
	{
		const char *run = bytes;

		bytes = json_plain_end(bytes, end);
		appendBinaryStringInfo(line, run, bytes - run);
		if (bytes == end)
			break;
		if ((unsigned char) *bytes >= ' ')
			appendStringInfo(line, "\\%c", *bytes);
		else if (escapes[(unsigned char) *bytes] != '\0')
			appendStringInfo(line, "\\%c", escapes[(unsigned char) *bytes]);
		else
			appendStringInfo(line, "\\u%04x", (unsigned char) *bytes);
		bytes++;
	}
}

/* The rules of 1.0.0 leave separators as they are. */
static void
append_escaped(StringInfo line, const char *bytes, int length, int rules)
{
	const char *end = bytes + length;
	const char *at;

	while (rules > REPLY_TOKEN_RULES_1_0 && (at = next_separator(bytes, end)) != NULL)
	{
		append_json(line, bytes, at - bytes);
		appendStringInfoString(line, *at == '\xc2' ? "\\u0085" :
							   at[2] == '\xa8' ? "\\u2028" : "\\u2029");
		bytes = at + (*at == '\xc2' ? 2 : 3);
	}
	append_json(line, bytes, end - bytes);
}

/* Content as a list of parts: alike in all turns, or a table's column has two types. */
static void
append_parts(StringInfo line, const JsonbValue *value, const char *image, const ExportShape *shape)
{
	if (image != NULL && !shape->image_last)
		appendStringInfo(line, "%s, ", image);
	appendStringInfoString(line, "{\"text\": \"");
	append_escaped(line, value->val.string.val, value->val.string.len, shape->rules);
	appendStringInfoString(line, "\", \"type\": \"text\"}");
	if (image != NULL && shape->image_last)
		appendStringInfo(line, ", %s", image);
}

/* A turn's text, with the image token if this is the turn that has it. */
static void
append_text(StringInfo line, const JsonbValue *value, bool with_token, const ExportShape *shape)
{
	const Spelling *spelling = &spellings[shape->format];

	appendStringInfoChar(line, '"');
	if (with_token && !shape->image_last)
		appendStringInfoString(line, spelling->token_first);
	append_escaped(line, value->val.string.val, value->val.string.len, shape->rules);
	if (with_token && shape->image_last)
		appendStringInfoString(line, spelling->token_last);
	appendStringInfoChar(line, '"');
}

/* The turn, checked, onto the line.  image: the part that shows it, or NULL. */
static ExportFault
append_turn(StringInfo line, ExportSample *sample, JsonbContainer *turn, const char *image,
			const ExportShape *shape)
{
	const Spelling *spelling = &spellings[shape->format];
	bool		first = sample->turn == 1;
	bool		asks = sample->turn % 2 == 1;
	JsonbValue	value;
	ExportFault fault = export_check_turn(sample, turn, &value, shape);

	if (fault != FAULT_NONE)
		return fault;
	if (!first)
		appendStringInfoString(line, ", ");
	appendStringInfoString(line, spelling->role_content ? "{\"role\": \"" : "{\"from\": \"");
	appendStringInfoString(line, asks ? spelling->user : spelling->assistant);
	appendStringInfoString(line, spelling->role_content ? "\", \"content\": " : "\", \"value\": ");
	if (spelling->part != NULL)
	{
		appendStringInfoChar(line, '[');
		append_parts(line, &value, first ? image : NULL, shape);
		appendStringInfoChar(line, ']');
	}
	else
		append_text(line, &value, first, shape);
	appendStringInfoChar(line, '}');
	return FAULT_NONE;
}

static ExportFault
append_turns(StringInfo line, ExportSample *sample, const char *image, const ExportShape *shape)
{
	ExportFault fault = export_check_turns(sample);
	int			turns = JB_ROOT_COUNT(sample->conversation);

	for (int i = 0; i < turns && fault == FAULT_NONE; i++)
	{
		JsonbValue *turn = getIthJsonbValueFromContainer(&sample->conversation->root, i);

		sample->turn = i + 1;
		fault = FAULT_CONVERSATION;
		if (turn->type == jbvBinary)
			fault = append_turn(line, sample, turn->val.binary.data, image, shape);
		pfree(turn);
	}
	return fault != FAULT_NONE ? fault : export_check_length(sample, shape);
}

/* ---- the image ---- */

static char *
data_url(const ExportSample *sample)
{
	bytea	   *picture = (bytea *) PG_DETOAST_DATUM(PointerGetDatum(sample->picture));
	int			length = VARSIZE_ANY_EXHDR(picture);
	int			room = pg_b64_enc_len(length) + 1;
	char	   *url = psprintf("data:image/%s;base64,", sample->image_format);
	int			prefix = strlen(url);
	int			encoded;

	url = repalloc(url, prefix + room);
	/* of char before 18, of uint8 since */
	encoded = pg_b64_encode((const void *) VARDATA_ANY(picture), length, url + prefix, room);
	if (encoded < 0)
		elog(ERROR, "could not encode a picture");
	url[prefix + encoded] = '\0';
	return url;
}

static void
append_string(StringInfo line, const char *before, const char *value, int rules)
{
	appendStringInfo(line, "%s\"", before);
	append_escaped(line, value, strlen(value), rules);
	appendStringInfoChar(line, '"');
}

/* The image as a part of a turn's content; NULL if contents are texts. */
static char *
image_part(const ExportSample *sample, const ExportShape *shape, bool with_picture)
{
	const Spelling *spelling = &spellings[shape->format];
	const char *url = sample->name;
	StringInfoData part;

	if (spelling->part == NULL)
		return NULL;
	if (spelling->before_image != NULL)
		return pstrdup(spelling->part);
	if (shape->data_urls)
		url = with_picture ? data_url(sample) : "";
	initStringInfo(&part);
	append_string(&part, spelling->part, url, shape->rules);
	appendStringInfoString(&part, "}}");
	return part.data;
}

/* ---- the line ---- */

/*
 * A string in every row, and no two rows' are the same; with the task also where the
 * image has no other sample yet, so that a line stays what it is.
 */
static char *
sample_id(const ExportSample *sample)
{
	size_t		task_size = strlen(sample->task) + 1;
	char	   *id = palloc(MAXINT8LEN + 1 + task_size);
	int			digits = pg_lltoa(sample->image, id);

	id[digits] = '-';
	memcpy(id + digits + 1, sample->task, task_size);
	return id;
}

ExportFault
export_line(StringInfo line, ExportSample *sample, const ExportShape *shape, bool with_picture)
{
	const Spelling *spelling = &spellings[shape->format];
	ExportFault fault;

	sample->id = sample_id(sample);
	fault = export_check_image(sample, shape);
	if (fault != FAULT_NONE)
		return fault;
	appendStringInfoChar(line, '{');
	if (spelling->before_id != NULL)
		append_string(line, spelling->before_id, sample->id, shape->rules);
	if (spelling->before_task != NULL)
		append_string(line, spelling->before_task, sample->task, shape->rules);
	if (spelling->before_image != NULL)
		append_string(line, spelling->before_image, sample->name, shape->rules);
	appendStringInfoString(line, spelling->before_turns);
	fault = append_turns(line, sample, image_part(sample, shape, with_picture), shape);
	appendStringInfoString(line, "]}");
	return fault;
}
