/*
 * chart.c
 *	  llava_chart: a chart of the report with its legend, and the table of what it shows.
 *
 * The caller gives labels and series in their order, and cells by the names of both.  Cells
 * of one label and series are added up, and so are the series that there are no shades for:
 * a chart shows sums, or few enough series.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "chart.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "template.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_chart);

/* What the chart's kinds are called, and how they are drawn. */
static const struct
{
	const char *name;
	void		(*draw) (StringInfo out, const Chart *chart);
	bool		is_stacked;		/* the sum of a label's values means something */
	char		mark;			/* class of what is drawn */
}			kinds[] =

{
	{"columns", chart_draw_columns, true, 's'},
	{"lines", chart_draw_lines, false, 'l'},
	{"bars", chart_draw_bars, true, 's'}
};

/* rows that a page of paper has room for, beside the plot */
#define LONG_TABLE 40

/* sums of these are numbers, too */
#define MOST_VALUE 1e300

#define OTHERS "其他 Others"
#define TOTAL "合计 Total"
#define NONE "<p class='none'>没有数据 No data</p>"

double
chart_value(const Chart *chart, int series, int label)
{
	return chart->values[series * chart->n_labels + label];
}

double
chart_total(const Chart *chart, int label)
{
	double		total = 0;

	for (int i = 0; i < chart->n_series; i++)
		if (!isnan(chart_value(chart, i, label)))
			total += chart_value(chart, i, label);
	return total;
}

/* ---- numbers ---- */

/* 1234567 as 1,234,567 */
static void
append_grouped(StringInfo out, double value)
{
	char		digits[512];
	int			length = snprintf(digits, sizeof(digits), "%.0f", fabs(value));

	if (value < 0)
		appendStringInfoChar(out, '-');
	for (int i = 0; i < length; i++)
	{
		if (i > 0 && (length - i) % 3 == 0)
			appendStringInfoChar(out, ',');
		appendStringInfoChar(out, digits[i]);
	}
}

void
chart_append_number(StringInfo out, double value)
{
	if (value == rint(value) || fabs(value) >= 1000)
		append_grouped(out, value);
	else if (fabs(value) >= 1)
		appendStringInfo(out, "%.2f", value);
	else
		appendStringInfo(out, "%.3g", value);
}

void
chart_append_short(StringInfo out, double value)
{
	if (value >= 1e9)
		appendStringInfo(out, "%.4gG", value / 1e9);
	else if (value >= 1e6)
		appendStringInfo(out, "%.4gM", value / 1e6);
	else if (value >= 1e4)
		appendStringInfo(out, "%.4gk", value / 1e3);
	else
		appendStringInfo(out, "%.6g", value);
}

/* ---- what it shows ---- */

/* The texts of an array argument, NULL for null elements; none if it is NULL. */
static char **
text_argument(FunctionCallInfo fcinfo, int argument, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **texts;

	*n = 0;
	if (PG_ARGISNULL(argument))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, n);
	texts = palloc0(sizeof(char *) * (*n + 1));
	for (int i = 0; i < *n; i++)
		if (!nulls[i])
			texts[i] = TextDatumGetCString(elements[i]);
	return texts;
}

/* Where the name is among them, -1: nowhere; looks first at the one found last. */
static int
find_name(char **names, int n, const char *name, int last)
{
	if (name == NULL)
		return -1;
	if (last >= 0 && last < n && names[last] != NULL && strcmp(names[last], name) == 0)
		return last;
	for (int i = 0; i < n; i++)
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/* Adds up the cells; those without a place, and that are no number or a larger one, are left out. */
static void
read_cells(FunctionCallInfo fcinfo, Chart *chart, int n_series)
{
	int			n;
	int			n_names;
	char	  **at_label = text_argument(fcinfo, 6, &n);
	char	  **at_series = text_argument(fcinfo, 7, &n_names);
	Datum	   *values;
	bool	   *nulls;
	int			n_values = 0;
	int			label = -1;
	int			series = -1;

	for (int i = 0; i < chart->n_series * chart->n_labels; i++)
		chart->values[i] = NAN;
	if (!PG_ARGISNULL(8))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(8), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, &values, &nulls, &n_values);
	if (n != n_names || n != n_values)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the cells of a chart are %d labels, %d series and %d values", n, n_names, n_values)));
	for (int i = 0; i < n; i++)
	{
		double	   *cell;

		CHECK_FOR_INTERRUPTS();
		label = find_name(chart->labels, chart->n_labels, at_label[i], label);
		series = find_name(chart->series, n_series, at_series[i], series);
		if (label < 0 || series < 0 || nulls[i] || !(fabs(DatumGetFloat8(values[i])) < MOST_VALUE))
			continue;
		cell = &chart->values[Min(series, chart->n_series - 1) * chart->n_labels + label];
		*cell = (isnan(*cell) ? 0 : *cell) + DatumGetFloat8(values[i]);
	}
}

static char *
text_or_empty(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static void
read_chart(FunctionCallInfo fcinfo, Chart *chart)
{
	int			n_series;

	chart->title = text_or_empty(fcinfo, 1);
	chart->note = text_or_empty(fcinfo, 2);
	chart->heading = text_or_empty(fcinfo, 3);
	chart->labels = text_argument(fcinfo, 4, &chart->n_labels);
	chart->series = text_argument(fcinfo, 5, &n_series);
	chart->n_series = Min(n_series, CHART_SERIES);
	for (int i = 0; i < chart->n_labels; i++)
		if (chart->labels[i] == NULL)
			chart->labels[i] = pstrdup("");
	for (int i = 0; i < n_series; i++)
		if (chart->series[i] == NULL)
			chart->series[i] = pstrdup("");
	chart->values = palloc(sizeof(double) * (chart->n_series * chart->n_labels + 1));
	read_cells(fcinfo, chart, n_series);
	if (n_series > CHART_SERIES)
		chart->series[CHART_SERIES - 1] = pstrdup(OTHERS);
}

static bool
is_empty(const Chart *chart)
{
	for (int i = 0; i < chart->n_series * chart->n_labels; i++)
		if (!isnan(chart->values[i]) && chart->values[i] != 0)
			return false;
	return true;
}

/* ---- around the drawing ---- */

static void
append_legend(StringInfo out, const Chart *chart, char mark)
{
	if (chart->n_series < 2)
		return;
	appendStringInfoString(out, "<ul class='legend'>");
	for (int i = 0; i < chart->n_series; i++)
	{
		appendStringInfo(out, "<li><svg class='key' viewBox='0 0 24 12' aria-hidden='true'>"
						 "<path class='%c%d' d='%s'/></svg>", mark, i,
						 mark == 's' ? "M0 0h24v12h-24z" : "M1 6h22");
		template_append_html(out, chart->series[i], strlen(chart->series[i]));
		appendStringInfoString(out, "</li>");
	}
	appendStringInfoString(out, "</ul>");
}

static void
append_note(StringInfo out, const Chart *chart)
{
	appendStringInfoString(out, "<p class='note'>");
	template_append_html(out, chart->note, strlen(chart->note));
	appendStringInfoString(out, "</p>");
}

static void
append_cell(StringInfo out, double value)
{
	appendStringInfoString(out, "<td>");
	if (isnan(value))
		appendStringInfoString(out, "\xE2\x80\x93");
	else
		chart_append_number(out, value);
	appendStringInfoString(out, "</td>");
}

/* A label without any value has no row. */
static bool
has_row(const Chart *chart, int label)
{
	return chart_total(chart, label) != 0;
}

/* A long table is printed in two columns. */
static bool
is_long(const Chart *chart)
{
	int			rows = 0;

	for (int i = 0; i < chart->n_labels; i++)
		rows += has_row(chart, i);
	return rows > LONG_TABLE;
}

static void
append_table_head(StringInfo out, const Chart *chart, bool with_total)
{
	appendStringInfo(out, "<div class='scroll%s' tabindex='0'><table><thead><tr><th scope='col'>",
					 is_long(chart) ? " long" : "");
	template_append_html(out, chart->heading, strlen(chart->heading));
	for (int i = 0; i < chart->n_series; i++)
	{
		appendStringInfoString(out, "</th><th scope='col'>");
		template_append_html(out, chart->series[i], strlen(chart->series[i]));
	}
	appendStringInfo(out, "%s</th></tr></thead><tbody>", with_total ? "</th><th scope='col'>" TOTAL : "");
}

static void
append_table(StringInfo out, const Chart *chart, bool is_stacked)
{
	bool		with_total = is_stacked && chart->n_series > 1;

	append_table_head(out, chart, with_total);
	for (int label = 0; label < chart->n_labels; label++)
	{
		if (!has_row(chart, label))
			continue;
		appendStringInfoString(out, "<tr><th scope='row'>");
		template_append_html(out, chart->labels[label], strlen(chart->labels[label]));
		appendStringInfoString(out, "</th>");
		for (int i = 0; i < chart->n_series; i++)
			append_cell(out, chart_value(chart, i, label));
		if (with_total)
			append_cell(out, chart_total(chart, label));
		appendStringInfoString(out, "</tr>\n");
	}
	appendStringInfoString(out, "</tbody></table></div>");
}

/*
 * llava_chart(kind text, title text, note text, heading text, labels text[], series text[],
 *             at_label text[], at_series text[], "values" double precision[])
 */
Datum
llava_chart(PG_FUNCTION_ARGS)
{
	char	   *kind = text_or_empty(fcinfo, 0);
	Chart		chart;
	StringInfoData out;

	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		read_chart(fcinfo, &chart);
		initStringInfo(&out);
		if (is_empty(&chart))
			appendStringInfoString(&out, NONE);
		else
		{
			append_legend(&out, &chart, kinds[i].mark);
			kinds[i].draw(&out, &chart);
			append_note(&out, &chart);
			append_table(&out, &chart, kinds[i].is_stacked);
		}
		PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no chart \"%s\"", kind),
			 errhint("There are columns, lines and bars.")));
}
