/*
 * chart_draw.c
 *	  Charts of the report as SVG: stacked columns, lines, and stacked bars that lie.
 *
 * What is drawn has classes (s0 to s5, l0 to l5) whose shades and dashes the page's style
 * sets, so that there is no style attribute.  All series of a column or bar are stacked in
 * the order of the legend.  Coordinates are units of the viewBox, which a phone shows at
 * two thirds of a pixel each.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "chart.h"
#include "mb/pg_wchar.h"
#include "template.h"

#define WIDTH 480
#define HEIGHT 220
#define LEFT 46
#define RIGHT 10
#define TOP 10
#define BOTTOM 26
#define PLOT_WIDTH (WIDTH - LEFT - RIGHT)
#define PLOT_HEIGHT (HEIGHT - TOP - BOTTOM)
#define FONT 15					/* for room: the style has 16 on a phone, and
								 * 13 */
#define TICKS 4
#define BAR_ROW 40				/* a line of words and the bar below it */
#define BAR_HEIGHT 13

/* About how wide the text is, of at most the bytes. */
static double
text_width(const char *words, int bytes)
{
	double		width = 0;
	int			length;

	for (int i = 0; i < bytes; i += length)
	{
		length = pg_mblen(words + i);
		width += length == 1 ? 0.58 * FONT : FONT;
	}
	return width;
}

/* How many bytes of the text fit. */
static int
clip(const char *words, int bytes, double width)
{
	int			fit = 0;

	while (fit < bytes)
	{
		int			next = fit + pg_mblen(words + fit);

		if (text_width(words, next) > width)
			break;
		fit = next;
	}
	return fit;
}

static void
append_text(StringInfo out, double x, double y, const char *anchor, const char *words, int bytes,
			double room)
{
	int			fit = clip(words, bytes, room);

	appendStringInfo(out, "<text x='%.1f' y='%.1f' text-anchor='%s'>", x, y, anchor);
	template_append_html(out, words, fit);
	appendStringInfo(out, "%s</text>", fit < bytes ? "\xE2\x80\xA6" : "");
}

static void
begin(StringInfo out, const Chart *chart, int height)
{
	appendStringInfo(out, "<svg class='plot' viewBox='0 0 %d %d' role='img' aria-label='", WIDTH, height);
	template_append_html(out, chart->title, strlen(chart->title));
	appendStringInfoString(out, "'>");
}

/* ---- axes ---- */

/* The distance of lines at round numbers, TICKS of them or one less or more. */
static double
round_step(double most)
{
	/* what is smaller has no round number below it */
	double		step = most > DBL_MIN * 1e10 ? most / TICKS : 1;
	double		power = pow(10, floor(log10(step)));
	double		digit = step / power;

	return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/* Draws the lines of the values' axis; returns the value at its top. */
static double
draw_values_axis(StringInfo out, double most)
{
	double		step = round_step(most);
	int			ticks = Max((int) ceil(most / step - 1e-9), 1);

	for (int i = 0; i <= ticks; i++)
	{
		double		y = TOP + PLOT_HEIGHT * (1 - (double) i / ticks);

		appendStringInfo(out, "<path class='%s' d='M%d %.1fH%d'/><text x='%d' y='%.1f' text-anchor='end'>",
						 i == 0 ? "axis" : "grid", LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4.5);
		chart_append_short(out, i * step);
		appendStringInfoString(out, "</text>");
	}
	return ticks * step;
}

/* How much of a label the axis shows: of "11-24 06:00" only the day. */
static int
label_length(const char *label)
{
	const char *space = strchr(label, ' ');

	return space != NULL && strchr(space, ':') != NULL ? space - label : strlen(label);
}

static bool
begins_another(const Chart *chart, int i)
{
	int			length = label_length(chart->labels[i]);

	return i > 0 && (chart->labels[i - 1][length] != chart->labels[i][length] ||
					 strncmp(chart->labels[i - 1], chart->labels[i], length) != 0);
}

/* Labels below the axis: each one's middle, or where a day begins; as many as there is room for. */
static void
draw_labels_axis(StringInfo out, const Chart *chart)
{
	double		slot = (double) PLOT_WIDTH / chart->n_labels;
	bool		days = chart->labels[0][label_length(chart->labels[0])] != '\0';
	double		free_from = LEFT - FONT;
	double		widest = 0;

	for (int i = 0; i < chart->n_labels; i++)
		widest = Max(widest, text_width(chart->labels[i], label_length(chart->labels[i])));
	for (int i = 0; i < chart->n_labels; i++)
	{
		double		at = LEFT + slot * (days ? i : i + 0.5);
		int			bytes = label_length(chart->labels[i]);
		double		half = text_width(chart->labels[i], bytes) / 2;

		if (days && !begins_another(chart, i))
			continue;
		if (days)
			appendStringInfo(out, "<path class='axis' d='M%.1f %dv4'/>", at, TOP + PLOT_HEIGHT);
		/* the first that fits, and from then on those at the same distance */
		if (at - widest / 2 < free_from || at + half > WIDTH)
			continue;
		append_text(out, at, HEIGHT - 8, "middle", chart->labels[i], bytes, WIDTH);
		free_from = at + widest / 2 + FONT / 2;
	}
}

/* ---- columns ---- */

static double
largest_total(const Chart *chart)
{
	double		most = 0;

	for (int i = 0; i < chart->n_labels; i++)
		most = Max(most, chart_total(chart, i));
	return most;
}

/* One path for all columns' parts of a series, each on top of the series before it. */
static void
draw_column_parts(StringInfo out, const Chart *chart, int series, double *below, double top)
{
	double		slot = (double) PLOT_WIDTH / chart->n_labels;
	double		width = slot > 4 ? slot * 0.82 : slot;

	appendStringInfo(out, "<path class='s%d' d='", series);
	for (int i = 0; i < chart->n_labels; i++)
	{
		double		value = chart_value(chart, series, i);
		double		x = LEFT + slot * i + (slot - width) / 2;

		if (isnan(value) || value <= 0)
			continue;
		appendStringInfo(out, "M%.2f %.2fh%.2fV%.2fh-%.2fz", x, TOP + PLOT_HEIGHT * (1 - below[i] / top), width,
						 TOP + PLOT_HEIGHT * (1 - (below[i] + value) / top), width);
		below[i] += value;
	}
	appendStringInfoString(out, "'/>");
}

void
chart_draw_columns(StringInfo out, const Chart *chart)
{
	double	   *below = palloc0(sizeof(double) * chart->n_labels);
	double		top;

	begin(out, chart, HEIGHT);
	top = draw_values_axis(out, largest_total(chart));
	for (int i = 0; i < chart->n_series; i++)
		draw_column_parts(out, chart, i, below, top);
	draw_labels_axis(out, chart);
	appendStringInfoString(out, "</svg>");
}

/* ---- lines ---- */

static double
largest_value(const Chart *chart)
{
	double		most = 0;

	for (int i = 0; i < chart->n_series * chart->n_labels; i++)
		if (!isnan(chart->values[i]))
			most = Max(most, chart->values[i]);
	return most;
}

static bool
is_alone(const Chart *chart, int series, int label)
{
	return (label == 0 || isnan(chart_value(chart, series, label - 1))) &&
		(label == chart->n_labels - 1 || isnan(chart_value(chart, series, label + 1)));
}

/* A line that goes through one point only is not seen. */
static void
draw_dots(StringInfo out, const Chart *chart, int series, double top)
{
	double		slot = (double) PLOT_WIDTH / chart->n_labels;

	for (int i = 0; i < chart->n_labels; i++)
	{
		double		value = chart_value(chart, series, i);

		if (!isnan(value) && is_alone(chart, series, i))
			appendStringInfo(out, "<circle class='l%d' cx='%.2f' cy='%.2f' r='3'/>", series, LEFT + slot * (i + 0.5),
							 TOP + PLOT_HEIGHT * (1 - value / top));
	}
}

/* The line has a gap where there is no value. */
static void
draw_line(StringInfo out, const Chart *chart, int series, double top)
{
	double		slot = (double) PLOT_WIDTH / chart->n_labels;
	bool		is_drawing = false;

	appendStringInfo(out, "<path class='l%d' d='", series);
	for (int i = 0; i < chart->n_labels; i++)
	{
		double		value = chart_value(chart, series, i);

		if (!isnan(value))
			appendStringInfo(out, "%c%.2f %.2f%s", is_drawing ? 'L' : 'M', LEFT + slot * (i + 0.5),
							 TOP + PLOT_HEIGHT * (1 - value / top), is_drawing ? "" : "h0");
		is_drawing = !isnan(value);
	}
	appendStringInfoString(out, "'/>");
}

void
chart_draw_lines(StringInfo out, const Chart *chart)
{
	double		top;

	begin(out, chart, HEIGHT);
	top = draw_values_axis(out, largest_value(chart));
	for (int i = 0; i < chart->n_series; i++)
	{
		draw_line(out, chart, i, top);
		draw_dots(out, chart, i, top);
	}
	draw_labels_axis(out, chart);
	appendStringInfoString(out, "</svg>");
}

/* ---- bars ---- */

static void
draw_bar(StringInfo out, const Chart *chart, int label, double most)
{
	const char *words = chart->labels[label];
	double		y = BAR_ROW * label + FONT + 2;
	double		x = 0;
	StringInfoData total;

	initStringInfo(&total);
	chart_append_number(&total, chart_total(chart, label));
	append_text(out, 0, y, "start", words, strlen(words), WIDTH - text_width(total.data, total.len) - 2 * FONT);
	append_text(out, WIDTH, y, "end", total.data, total.len, WIDTH);
	appendStringInfo(out, "<rect class='track' y='%.1f' width='%d' height='%d'/>", y + 6, WIDTH, BAR_HEIGHT);
	for (int i = 0; i < chart->n_series; i++)
	{
		double		value = chart_value(chart, i, label);
		double		width = isnan(value) || value < 0 ? 0 : WIDTH * value / most;

		if (width > 0)
			appendStringInfo(out, "<rect class='s%d' x='%.2f' y='%.1f' width='%.2f' height='%d'/>",
							 i, x, y + 6, width, BAR_HEIGHT);
		x += width;
	}
}

void
chart_draw_bars(StringInfo out, const Chart *chart)
{
	double		most = largest_total(chart);

	begin(out, chart, BAR_ROW * chart->n_labels);
	for (int i = 0; i < chart->n_labels; i++)
		draw_bar(out, chart, i, most > 0 ? most : 1);
	appendStringInfoString(out, "</svg>");
}
