/*
 * report.c
 *	  llava_report_step: how long a column of the report's plots over time is.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#define MOST_DAYS 3650

PG_FUNCTION_INFO_V1(llava_report_step);

/* The columns are 190 or fewer: more would be finer than a screen shows. */
static const struct
{
	int			days;			/* up to so many */
	int			hours;
}			steps[] = {{7, 1}, {21, 3}, {45, 6}, {180, 24}, {1300, 7 * 24}, {MOST_DAYS, 30 * 24}};

/* llava_report_step(days integer) */
Datum
llava_report_step(PG_FUNCTION_ARGS)
{
	int32		days = PG_GETARG_INT32(0);
	Interval   *step = palloc0(sizeof(Interval));
	int			i = 0;

	if (days < 1 || days > MOST_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days %d is not between 1 and %d", days, MOST_DAYS),
				 errhint("SELECT llava_report(30) reports on the last 30 days.")));
	while (days > steps[i].days)
		i++;
	step->time = steps[i].hours * USECS_PER_HOUR;
	PG_RETURN_INTERVAL_P(step);
}
