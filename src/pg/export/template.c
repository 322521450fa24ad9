/*
 * template.c
 *	  A fixed text with values in it: what the page, the card and the report are made of.
 *
 * The texts are those of page.template, card.template and report.template, and page.js as a
 * whole, which make turns into the strings of templates.h.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "template.h"
#include "templates.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(llava_template);

/* The text of this name, palloc'd, and whether it is Markdown rather than HTML. */
static char *
template_find(const char *name, bool *markdown)
{
	const char *const files[] = {page_template, card_template, report_template};
	char	   *mark = psprintf("\n=== %s\n", name);

	*markdown = false;
	if (strcmp(name, "page_script") == 0)
		return pstrdup(page_js);

	for (int i = 0; i < lengthof(files); i++)
	{
		const char *begin = strstr(files[i], mark);

		if (begin == NULL)
			continue;
		begin += strlen(mark);
		*markdown = files[i] == card_template;
		return pnstrdup(begin, strstr(begin, "\n===") - begin);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no template \"%s\"", name)));
}

void
template_append_html(StringInfo out, const char *bytes, int length)
{
	static const char *const entities[PG_UINT8_MAX + 1] = {
		['&'] = "&amp;",['<'] = "&lt;",['>'] = "&gt;",['"'] = "&quot;",['\''] = "&#39;"
	};

	for (int i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (entities[c] != NULL)
			appendStringInfoString(out, entities[c]);
		/* HTML has no control characters */
		else if ((c < ' ' && c != '\t' && c != '\n') || c == 0x7f)
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
template_append_value(StringInfo out, bool markdown, Jsonb *values, const char *name,
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
	else if (markdown)
		append_markdown(out, bytes, size);
	else
		template_append_html(out, bytes, size);
}

/* llava_template(name text, "values" jsonb): the text with the values in it. */
Datum
llava_template(PG_FUNCTION_ARGS)
{
	bool		markdown;
	const char *at = template_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), &markdown);
	Jsonb	   *values = PG_GETARG_JSONB_P(1);
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
		template_append_value(&out, markdown, values, name, close - name, raw);
		at = close + (raw ? 3 : 2);
	}
	appendStringInfoString(&out, at);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
