/*
 * template.c
 *	  A fixed text with values in it: what the page and the dataset card are made of.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "template.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(llava_template);

static const Template *
template_find(const char *name)
{
	const Template *const lists[] = {page_templates, card_templates};

	for (int i = 0; i < lengthof(lists); i++)
		for (const Template *t = lists[i]; t->name != NULL; t++)
			if (strcmp(t->name, name) == 0)
				return t;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no template \"%s\"", name)));
}

/* Text that no element, attribute or entity can begin or end in. */
static void
append_html(StringInfo out, const char *bytes, int length)
{
	for (int i = 0; i < length; i++)
		switch (bytes[i])
		{
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			case '"':
				appendStringInfoString(out, "&quot;");
				break;
			case '\'':
				appendStringInfoString(out, "&#39;");
				break;
			case '\t':
			case '\n':
				appendStringInfoChar(out, bytes[i]);
				break;
			default:
				/* HTML has no control characters */
				if ((unsigned char) bytes[i] < ' ' || bytes[i] == 0x7f)
					appendStringInfoString(out, "\357\277\275");
				else
					appendStringInfoChar(out, bytes[i]);
		}
}

/* Text that stays on its line and in its table cell, and is no mark-up. */
static void
append_markdown(StringInfo out, const char *bytes, int length)
{
	for (int i = 0; i < length; i++)
		if ((unsigned char) bytes[i] < ' ' || bytes[i] == 0x7f)
			appendStringInfoChar(out, ' ');
		else if (bytes[i] == '<')
			appendStringInfoString(out, "&lt;");
		else if (bytes[i] == '&')
			appendStringInfoString(out, "&amp;");
		else
		{
			if (strchr("\\`*[]|!#~", bytes[i]) != NULL)
				appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, bytes[i]);
		}
}

/* A value by its name, empty if it is missing or null. */
static void
template_append_value(StringInfo out, const Template *t, Jsonb *values, const char *name,
					  int length, bool raw)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&values->root, name, length, NULL);
	const char *bytes;
	int			size;

	if (value == NULL)
		return;
	if (value->type == jbvString)
	{
		bytes = value->val.string.val;
		size = value->val.string.len;
	}
	else if (value->type == jbvNumeric)
	{
		bytes = DatumGetCString(DirectFunctionCall1(numeric_out,
													NumericGetDatum(value->val.numeric)));
		size = strlen(bytes);
	}
	else
		return;
	if (raw)
		appendBinaryStringInfo(out, bytes, size);
	else if (t->markdown)
		append_markdown(out, bytes, size);
	else
		append_html(out, bytes, size);
}

/* llava_template(name text, "values" jsonb): the text with the values in it. */
Datum
llava_template(PG_FUNCTION_ARGS)
{
	const Template *t = template_find(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Jsonb	   *values = PG_GETARG_JSONB_P(1);
	const char *at = t->text;
	const char *open;
	StringInfoData out;

	if (!JB_ROOT_IS_OBJECT(values))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the values of a template must be a JSON object")));
	initStringInfo(&out);
	while ((open = strstr(at, "{{")) != NULL)
	{
		bool		raw = open[2] == '{';
		const char *name = open + (raw ? 3 : 2);
		const char *close = strstr(name, "}}");

		if (close == NULL)
			break;
		appendBinaryStringInfo(&out, at, open - at);
		template_append_value(&out, t, values, name, close - name, raw);
		at = close + (raw ? 3 : 2);
	}
	appendStringInfoString(&out, at);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
