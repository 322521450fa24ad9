/*
 * load_report.c
 *	  What a call of llava_load says of its files: at once of those that cannot be read, and
 *	  at its end how many there were of each kind.
 */
#include "postgres.h"

#include "load.h"
#include "mb/pg_wchar.h"

/* How many reasons the report tells apart. */
#define MAX_REASONS 12

/* A reason why files were skipped, and the first of them. */
typedef struct Reason
{
	char	   *reason;
	int64		files;
	char	   *example;
} Reason;

static Reason *
find_reason(Load *load, const char *reason)
{
	ListCell   *cell;
	Reason	   *new;

	if (list_length(load->report.reasons) >= MAX_REASONS)
		reason = "other";
	foreach(cell, load->report.reasons)
	{
		if (strcmp(((Reason *) lfirst(cell))->reason, reason) == 0)
			return lfirst(cell);
	}
	new = palloc0(sizeof(Reason));
	new->reason = pstrdup(reason);
	load->report.reasons = lappend(load->report.reasons, new);
	return new;
}

void
load_count_skipped(Load *load, const char *reason, const char *name, const char *message)
{
	MemoryContext caller = MemoryContextSwitchTo(load->context);
	Reason	   *counted = find_reason(load, reason);

	if (counted->files++ == 0)
		counted->example = message == NULL ? psprintf("\"%s\"", name) :
			psprintf("\"%s\": %s", name, message);
	MemoryContextSwitchTo(caller);
}

void
load_cannot_read(Load *load, const char *name)
{
	int			failure = errno;

	/* these errors are not about the file */
	if (failure == EMFILE || failure == ENFILE || failure == ENOMEM)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read \"%s/%s\": %m", load->directory, name)));
	load->report.unreadable++;
	load_count_skipped(load, strerror(failure), name, NULL);
	errno = failure;
	ereport(WARNING,
			(errcode_for_file_access(),
			 errmsg("could not read \"%s%s%s\": %m", load->directory,
					name[0] != '\0' ? "/" : "", name),
			 load->report.unreadable > 1 ? 0 : load_files_hint(failure)));
}

/* A name in a form that can be shown, whatever its bytes are. */
static char *
escaped(const char *name)
{
	StringInfoData shown;

	initStringInfo(&shown);
	for (const unsigned char *c = (const unsigned char *) name; *c != '\0'; c++)
		if (*c >= ' ' && *c < 0x7f)
			appendStringInfoChar(&shown, *c);
		else
			appendStringInfo(&shown, "\\x%02x", *c);
	return shown.data;
}

void
load_cannot_name(Load *load, const char *name)
{
	char	   *shown = escaped(name);

	load->report.seen++;
	load->report.unreadable++;
	load_count_skipped(load, psprintf("name not valid in encoding %s", GetDatabaseEncodingName()),
					   shown, NULL);
	ereport(WARNING,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("a file name in \"%s\" is not valid in encoding %s",
					load->directory, GetDatabaseEncodingName()),
			 errdetail_internal("%s", shown)));
}

void
load_count_other(Load *load, const char *name, int64 image)
{
	if (load->report.others++ > 0)
		return;
	load->report.other = MemoryContextStrdup(load->context, name);
	load->report.other_image = image;
}

/* ---- at the end ---- */

/* One line for each reason why files were skipped. */
static char *
reasons_detail(const Load *load)
{
	StringInfoData lines;
	ListCell   *cell;

	initStringInfo(&lines);
	appendStringInfoString(&lines, "Skipped, with the first of each kind:");
	foreach(cell, load->report.reasons)
	{
		const Reason *reason = lfirst(cell);

		appendStringInfo(&lines, "\n" INT64_FORMAT " x %s, as %s", reason->files, reason->reason,
						 reason->example);
	}
	return lines.data;
}

static void
report_counts(const Load *load)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, "llava_load: " INT64_FORMAT " files, " INT64_FORMAT " queued, "
					 INT64_FORMAT " stopped before any request, " INT64_FORMAT " known",
					 load->report.seen, load->stored.queued, load->stored.stopped, load->report.known);
	if (load->report.unreadable > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " unreadable", load->report.unreadable);
	if (load->report.refused > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " refused", load->report.refused);
	if (load->stored.replaced > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " replaced", load->stored.replaced);
	if (load->report.others > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " left out", load->report.others);
	ereport(NOTICE,
			(errmsg_internal("%s", line.data),
			 load->report.reasons != NIL ? errdetail_internal("%s", reasons_detail(load)) : 0));
}

static void
warn_of_others(const Load *load)
{
	if (load->report.others == 0)
		return;
	ereport(WARNING,
			(errmsg_plural("%lld file was left out: its path is known and has another picture",
						   "%lld files were left out: their paths are known and have other pictures",
						   (unsigned long) load->report.others, (long long) load->report.others),
			 errdetail("The first is \"%s\"; image %lld has the path \"%s%s\".", load->report.other,
					   (long long) load->report.other_image, load->prefix, load->report.other),
			 load->store ?
			 errhint("Give other pictures other paths, with a prefix => 'b/'. Where files were changed, "
					 "replace => true makes new rows and takes the path from the old ones.") :
			 errhint("Where files were changed, replace => true makes new rows and takes the path from the old ones.")));
}

void
load_report(const Load *load)
{
	report_counts(load);
	warn_of_others(load);
}
