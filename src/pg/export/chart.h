/*
 * chart.h
 *	  A chart of the report: what it shows, and how it is drawn.
 */
#ifndef LLAVA_CHART_H
#define LLAVA_CHART_H

#include "lib/stringinfo.h"

/* As many shades as stay apart in greyscale; the template has a style for each. */
#define CHART_SERIES 6

typedef struct Chart
{
	const char *title;			/* for readers that do not see the picture */
	const char *note;			/* between the drawing and the table */
	const char *heading;		/* of the labels in the table */
	char	  **labels;
	int			n_labels;
	char	  **series;
	int			n_series;		/* at most CHART_SERIES */
	double	   *values;			/* by series, then label; NAN: there is none */
} Chart;

extern double chart_value(const Chart *chart, int series, int label);

/* The sum of the label's values; those that are not there count nothing. */
extern double chart_total(const Chart *chart, int label);

/* Appends the number as a table shows it, or shorter for an axis. */
extern void chart_append_number(StringInfo out, double value);
extern void chart_append_short(StringInfo out, double value);

/* Each appends one svg element. */
extern void chart_draw_columns(StringInfo out, const Chart *chart);
extern void chart_draw_lines(StringInfo out, const Chart *chart);
extern void chart_draw_bars(StringInfo out, const Chart *chart);

#endif							/* LLAVA_CHART_H */
