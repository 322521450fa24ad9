/*
 * export_line.c
 *	  One sample to one line of a trainer's format, or why it must not be one.
 *
 * A line is spelt as PostgreSQL spells jsonb (key order, spaces, escapes), so that
 * it comes back byte for byte from a jsonb column.  A format is a description of
 * its keys; no format has code of its own.
 */
#include "postgres.h"

#include <ctype.h>

#include "export.h"
#include "llava_zh.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

/* A longer '<|name|>' is no special token of any model. */
#define SPECIAL_TOKEN_MAX 64

/* How a format spells its rows. */
typedef struct Spelling
{
	const char *name;
	const char *before_id;		/* up to the value; NULL: no id */
	const char *before_task;	/* NULL: no task */
	const char *before_image;	/* NULL: the image is a part of its turn */
	const char *before_turns;
	const char *user;
	const char *assistant;
	bool		role_content;	/* else from and value */
	const char *token_first;	/* before the question */
	const char *token_last;		/* after it */
} Spelling;

static const Spelling spellings[EXPORT_FORMATS] = {
	[EXPORT_LLAVA] = {"llava", "\"id\": ", NULL, ", \"image\": ", ", \"conversations\": [",
	"human", "gpt", false, "<image>\\n", "\\n<image>"},
	[EXPORT_LLAMAFACTORY] = {"llamafactory", NULL, NULL, "\"images\": [", "], \"messages\": [",
	"user", "assistant", true, "<image>", "<image>"},
	[EXPORT_SWIFT] = {"swift", NULL, NULL, "\"images\": [", "], \"messages\": [",
	"user", "assistant", true, "<image>", "<image>"},
	[EXPORT_QWEN] = {"qwen", NULL, NULL, "\"image\": ", ", \"conversations\": [",
	"human", "gpt", false, "<image>\\n", "\\n<image>"},
	[EXPORT_OPENAI] = {"openai", NULL, NULL, NULL, "\"messages\": [",
	"user", "assistant", true, "", ""},
	[EXPORT_IMAGEFOLDER] = {"imagefolder", "\"id\": ", ", \"task\": ", ", \"file_name\": ",
	", \"conversations\": [", "human", "gpt", false, "<image>\\n", "\\n<image>"},
};

static const struct
{
	const char *rule;
	const char *text;
}			faults[FAULTS] =

{
	[FAULT_IMAGE_MISSING] = {"image_missing", "neither path nor hash of the image"},
	[FAULT_IMAGE_NAME] = {"image_name", "a name of the image that leaves the images' folder"},
	[FAULT_TURNS] = {"turns", "turns that do not alternate human and gpt"},
	[FAULT_EMPTY] = {"empty", "an empty turn"},
	[FAULT_MEDIA_TOKEN] = {"media_token", "an image token in a turn"},
	[FAULT_SPECIAL_TOKEN] = {"special_token", "a special token in a turn"},
	[FAULT_THINK] = {"think", "a think tag in a turn"},
};

const char *
export_fault_rule(ExportFault fault)
{
	return faults[fault].rule;
}

const char *
export_fault_text(ExportFault fault)
{
	return faults[fault].text;
}

bool
export_format(const char *name, ExportFormat *format)
{
	for (int i = 0; i < EXPORT_FORMATS; i++)
		if (strcmp(spellings[i].name, name) == 0)
		{
			*format = i;
			return true;
		}
	return false;
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

/* Whether '<|name|>' begins here. */
static bool
is_special_token(const char *at, const char *end)
{
	const char *c = at + 2;

	if (end - at < 5 || at[1] != '|')
		return false;
	while (c < end && c - at < SPECIAL_TOKEN_MAX && (isalnum((unsigned char) *c) || *c == '_'))
		c++;
	return c > at + 2 && end - c >= 2 && c[0] == '|' && c[1] == '>';
}

/* What of a turn's text a trainer's template would take for something else. */
static ExportFault
token_fault(const char *bytes, int length)
{
	static const char *const media[] = {"<image>", "<video>", "<audio>"};
	static const char *const think[] = {"<think>", "</think>"};
	const char *end = bytes + length;
	const char *at = bytes;

	while ((at = memchr(at, '<', end - at)) != NULL)
	{
		for (int i = 0; i < lengthof(media); i++)
			if (end - at >= strlen(media[i]) && memcmp(at, media[i], strlen(media[i])) == 0)
				return FAULT_MEDIA_TOKEN;
		if (is_special_token(at, end))
			return FAULT_SPECIAL_TOKEN;
		for (int i = 0; i < lengthof(think); i++)
			if (end - at >= strlen(think[i]) && memcmp(at, think[i], strlen(think[i])) == 0)
				return FAULT_THINK;
		at++;
	}
	return FAULT_NONE;
}

/* Nothing but white space and characters that do not show. */
static bool
is_blank(const char *bytes, int length)
{
	static const struct
	{
		pg_wchar	first;
		pg_wchar	last;
	}			blanks[] =
	{
		{0, ' '}, {0x7f, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200f}, {0x2028, 0x202f},
		{0x205f, 0x2064}, {0x3000, 0x3000}, {0xfeff, 0xfeff}
	};

	for (int at = 0; at < length; at += pg_utf_mblen((const unsigned char *) bytes + at))
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) bytes + at);
		bool		blank = false;

		for (int i = 0; i < lengthof(blanks); i++)
			blank |= c >= blanks[i].first && c <= blanks[i].last;
		if (!blank)
			return false;
	}
	return true;
}

/* As jsonb writes strings; escape_json() takes each byte by itself, this whole runs. */
static void
append_escaped(StringInfo line, const char *bytes, int length)
{
	static const char escapes[' '] = {['\b'] = 'b',['\f'] = 'f',['\n'] = 'n',['\r'] = 'r',['\t'] = 't'};
	const char *end = bytes + length;

	while (bytes < end)
	{
		const char *run = bytes;

		while (bytes < end && (unsigned char) *bytes >= ' ' && *bytes != '"' && *bytes != '\\')
			bytes++;
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

/* A string of a turn; false if it is not there or is something else. */
static bool
turn_string(JsonbContainer *turn, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(turn, key, strlen(key), value) != NULL &&
		value->type == jbvString;
}

/* A turn as it is stored; its text in *value. */
static ExportFault
check_turn(JsonbContainer *turn, const char *role, JsonbValue *value)
{
	JsonbValue	from;

	if (!JsonContainerIsObject(turn) || JsonContainerSize(turn) != 2 ||
		!turn_string(turn, "from", &from) || !turn_string(turn, "value", value) ||
		from.val.string.len != strlen(role) ||
		memcmp(from.val.string.val, role, strlen(role)) != 0)
		return FAULT_TURNS;
	if (is_blank(value->val.string.val, value->val.string.len))
		return FAULT_EMPTY;
	return token_fault(value->val.string.val, value->val.string.len);
}

/* Content as a list of parts: alike in all turns, or a table's column has two types. */
static void
append_parts(StringInfo line, const JsonbValue *value, const char *image, const ExportShape *shape)
{
	if (image != NULL && !shape->image_last)
		appendStringInfo(line, "%s, ", image);
	appendStringInfoString(line, "{\"text\": \"");
	append_escaped(line, value->val.string.val, value->val.string.len);
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
	append_escaped(line, value->val.string.val, value->val.string.len);
	if (with_token && shape->image_last)
		appendStringInfoString(line, spelling->token_last);
	appendStringInfoChar(line, '"');
}

/* The i-th turn, checked, onto the line.  image: the part that shows it, or NULL. */
static ExportFault
append_turn(StringInfo line, JsonbContainer *turn, int i, const char *image,
			const ExportShape *shape)
{
	const Spelling *spelling = &spellings[shape->format];
	bool		asks = i % 2 == 0;
	JsonbValue	value;
	ExportFault fault = check_turn(turn, asks ? "human" : "gpt", &value);

	if (fault != FAULT_NONE)
		return fault;
	appendStringInfo(line, "%s{\"%s\": \"%s\", \"%s\": ", i == 0 ? "" : ", ",
					 spelling->role_content ? "role" : "from",
					 asks ? spelling->user : spelling->assistant,
					 spelling->role_content ? "content" : "value");
	if (shape->format == EXPORT_OPENAI)
	{
		appendStringInfoChar(line, '[');
		append_parts(line, &value, i == 0 ? image : NULL, shape);
		appendStringInfoChar(line, ']');
	}
	else
		append_text(line, &value, i == 0, shape);
	appendStringInfoChar(line, '}');
	return FAULT_NONE;
}

static ExportFault
append_turns(StringInfo line, Jsonb *conversation, const char *image, const ExportShape *shape)
{
	int			turns;

	if (!JB_ROOT_IS_ARRAY(conversation) || JB_ROOT_IS_SCALAR(conversation))
		return FAULT_TURNS;
	turns = JB_ROOT_COUNT(conversation);
	if (turns == 0 || turns % 2 != 0)
		return FAULT_TURNS;
	for (int i = 0; i < turns; i++)
	{
		JsonbValue *turn = getIthJsonbValueFromContainer(&conversation->root, i);
		ExportFault fault = FAULT_TURNS;

		if (turn->type == jbvBinary)
			fault = append_turn(line, turn->val.binary.data, i, image, shape);
		pfree(turn);
		if (fault != FAULT_NONE)
			return fault;
	}
	return FAULT_NONE;
}

/* ---- the image's name ---- */

/*
 * Relative, without a '..' and without control characters: a trainer joins it to
 * its own folder.
 */
static bool
is_safe_name(const char *name)
{
	const char *part = name;

	if (name[0] == '/')
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return false;
	while (part != NULL)
	{
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
		part = strchr(part, '/');
		if (part != NULL)
			part++;
	}
	return true;
}

/* The user's name for the image, else 'ab/abcd....jpg' by its hash. */
static ExportFault
image_name(const ExportSample *sample, const ExportShape *shape, char **name)
{
	const char *format = sample->image_format;
	char	   *hex;

	if (!shape->named_by_hash && sample->path != NULL && sample->path[0] != '\0')
		*name = pstrdup(sample->path);
	else if (sample->sha256 != NULL && format != NULL)
	{
		hex = TextDatumGetCString(DirectFunctionCall2(binary_encode,
													  PointerGetDatum(sample->sha256),
													  CStringGetTextDatum("hex")));
		*name = psprintf("%.2s/%s.%s", hex, hex, strcmp(format, "jpeg") == 0 ? "jpg" : format);
	}
	else
		return FAULT_IMAGE_MISSING;
	if (!is_safe_name(*name))
		return FAULT_IMAGE_NAME;
	if (shape->folder != NULL)
		*name = psprintf("%s/%s", shape->folder, *name);
	return FAULT_NONE;
}

/* The image as a part of a turn's content. */
static char *
image_part(const char *name)
{
	StringInfoData part;

	initStringInfo(&part);
	appendStringInfoString(&part, "{\"type\": \"image_url\", \"image_url\": {\"url\": ");
	escape_json(&part, name);
	appendStringInfoString(&part, "}}");
	return part.data;
}

/* ---- the line ---- */

/* The id is always a string, and no two lines' are the same. */
ExportFault
export_line(StringInfo line, const ExportSample *sample, const ExportShape *shape)
{
	const Spelling *spelling = &spellings[shape->format];
	char	   *name;
	char	   *part = NULL;
	ExportFault fault = image_name(sample, shape, &name);

	if (fault != FAULT_NONE)
		return fault;
	appendStringInfoChar(line, '{');
	if (spelling->before_id != NULL)
	{
		appendStringInfoString(line, spelling->before_id);
		escape_json(line, psprintf(INT64_FORMAT "%s%s", sample->image, sample->several ? "-" : "",
								   sample->several ? sample->task : ""));
	}
	if (spelling->before_task != NULL)
	{
		appendStringInfoString(line, spelling->before_task);
		escape_json(line, sample->task);
	}
	if (spelling->before_image != NULL)
	{
		appendStringInfoString(line, spelling->before_image);
		escape_json(line, name);
	}
	else
		part = image_part(name);
	appendStringInfoString(line, spelling->before_turns);
	fault = append_turns(line, sample->conversation, part, shape);
	appendStringInfoString(line, "]}");
	return fault;
}
