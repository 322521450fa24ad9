/*
 * config.c
 *	  The settings.  The context of each follows from what a hostile user could do with
 *	  it: settings that steer the worker or bound the server's memory are SIGHUP or
 *	  SUSET, those that only change the caller's own result are USERSET.
 */
#include "postgres.h"

#include <limits.h>

#include "db.h"
#include "image/image.h"
#include "utils/guc.h"
#include "utils/varlena.h"

static char *llava_databases;
int			llava_workers;
int			llava_naptime;
int			llava_stall_report;
int			llava_max_attempts;
int			llava_retry_delay;
int			llava_retry_delay_max;
int			llava_prepare_threads;
static int	llava_image_quality;
int			llava_prepare_memory;
int			llava_image_max_size;
static int	llava_image_max_pixels;
static int	llava_image_max_memory;
static int	llava_image_max_avif_pixels;
static int	llava_image_max_time;
static bool llava_image_full_chroma;
bool		llava_image_take_cut;
bool		llava_near_duplicates;
int			llava_max_reply_size;
char	   *llava_image_directory;
char	   *llava_server;

/* Where the element of a list ends: at a comma that is not between quotes, or at the end. */
static const char *
element_end(const char *element)
{
	bool		quoted = false;

	while (*element != '\0' && (quoted || *element != ','))
		if (*element++ == '"')
			quoted = !quoted;
	return element;
}

/* Appends the name in one element, if there is one; false if it is no name. */
static bool
add_name(char *element, List **names)
{
	List	   *found;

	if (element[strspn(element, " \t\n\r\f\v")] == '\0')
		return true;
	if (!SplitIdentifierString(element, ',', &found) || list_length(found) != 1)
		return false;
	*names = list_concat(*names, found);
	return true;
}

/*
 * The names of a list, palloc'd.  NULL, or the element that is no name.  An element that is
 * empty stands for no database.
 */
static const char *
split_names(const char *list, List **names)
{
	const char *end;

	for (const char *element = list;; element = end + 1)
	{
		end = element_end(element);
		if (!add_name(pnstrdup(element, end - element), names))
			return pnstrdup(element, end - element);
		if (*end == '\0')
			return NULL;
	}
}

static bool
check_databases(char **value, void **extra, GucSource source)
{
	List	   *names = NIL;
	const char *wrong = split_names(*value, &names);

	if (wrong != NULL)
	{
		GUC_check_errdetail("\"%s\" is not the name of a database.", wrong);
		GUC_check_errhint("As 'one, two, \"Three\"': names with capitals or other characters in double quotes.");
	}
	return wrong == NULL;
}

List *
config_databases(void)
{
	List	   *names = NIL;

	(void) split_names(llava_databases, &names);
	return names;
}

static const struct
{
	const char *name;
	const char *what;
	const char *more;
	int		   *value;
	int			initial;
	int			least;
	int			most;
	GucContext	context;
	int			flags;
}			numbers[] =

{
	{"llava_zh.workers", "Background workers per database.", NULL,
	&llava_workers, 1, 1, MAX_WORKERS, PGC_SIGHUP, 0},
	{"llava_zh.stall_report",
		"Time after which a worker says why rows that are due are not sent.",
		"In its activity (llava_stat_worker) and once for each reason in the log.",
	&llava_stall_report, 60 * 1000, 1000, 24 * 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS},
	{"llava_zh.naptime", "Longest time between two looks at the queue.",
		"What is inserted wakes the worker at commit; this finds what was not.",
	&llava_naptime, 10000, 100, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS},
	{"llava_zh.max_attempts", "Requests about one image and task before its row rests as failed.",
		"Requests whose failure was not the image's do not count.",
	&llava_max_attempts, 5, 1, 100, PGC_SIGHUP, 0},
	{"llava_zh.retry_delay", "First pause before a row is sent again; doubles with each attempt.",
	NULL, &llava_retry_delay, 2000, 0, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS},
	{"llava_zh.retry_delay_max",
		"Longest pause before a row is sent again or a paused server is probed.", NULL,
	&llava_retry_delay_max, 300 * 1000, 10, 24 * 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS},
	{"llava_zh.prepare_threads", "Threads of a worker that decode and fit pictures.",
	"Takes effect when a worker starts.", &llava_prepare_threads, 0, 0, 64, PGC_SIGHUP, 0},
	{"llava_zh.prepare_memory",
		"Memory of a worker for pictures that are claimed and not yet sent.",
		"One picture is always taken, however large.",
	&llava_prepare_memory, 48 * 1024, 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
	{"llava_zh.image_quality", "JPEG quality of pictures that have to be encoded anew.", NULL,
	&llava_image_quality, 90, 1, 100, PGC_SIGHUP, 0},
	{"llava_zh.image_max_size", "Largest picture that is taken, in bytes of its file.", NULL,
	&llava_image_max_size, 32 * 1024, 1, 512 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"llava_zh.image_max_pixels", "Largest picture that is taken, in thousands of pixels.", NULL,
	&llava_image_max_pixels, 150 * 1000, 1, 1000 * 1000, PGC_SUSET, 0},
	{"llava_zh.image_max_memory",
		"Most memory a picture may take that cannot be decoded row by row.",
		"Progressive JPEG, interlaced PNG and GIF, WebP, AVIF.",
	&llava_image_max_memory, 160 * 1024, 1, 2000 * 1024, PGC_SUSET, GUC_UNIT_KB},
	{"llava_zh.image_max_avif_pixels", "Largest AVIF that is taken, in thousands of pixels.",
		"Each byte counts as 4 pixels: the limit is one of time, since nothing can interrupt its decoding.",
	&llava_image_max_avif_pixels, IMAGE_AVIF_PIXELS / 1000, 1, 1000 * 1000, PGC_SUSET, 0},
	{"llava_zh.image_max_time", "Most CPU time that preparing one picture may take.", NULL,
	&llava_image_max_time, 10 * 1000, 10, 600 * 1000, PGC_SUSET, GUC_UNIT_MS},
	{"llava_zh.max_reply_size", "Largest response body that is read.", NULL,
	&llava_max_reply_size, 1024, 16, 64 * 1024, PGC_SUSET, GUC_UNIT_KB},
};

static bool
check_directory(char **value, void **extra, GucSource source)
{
	if ((*value)[0] == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("\"%s\" is not an absolute path.", *value);
	GUC_check_errhint("As '/data/images', a directory of the database server.");
	return false;
}

void
config_define(void)
{
	for (int i = 0; i < lengthof(numbers); i++)
		DefineCustomIntVariable(numbers[i].name, numbers[i].what, numbers[i].more, numbers[i].value,
								numbers[i].initial, numbers[i].least, numbers[i].most,
								numbers[i].context, numbers[i].flags, NULL, NULL, NULL);
	DefineCustomStringVariable("llava_zh.databases",
							   "Databases that get background workers when llava_zh is preloaded.",
							   "A comma-separated list.",
							   &llava_databases, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
	DefineCustomStringVariable("llava_zh.image_directory",
							   "Directory of the server below which pictures may stay in files.",
							   "Whoever may INSERT into llava_image can have any picture below it sent to a model.",
							   &llava_image_directory, "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_directory, NULL, NULL);
	DefineCustomBoolVariable("llava_zh.image_full_chroma",
							 "Encode pictures anew with colours at full resolution (4:4:4).",
							 "Off: at half of it (4:2:0), as most JPEGs are.",
							 &llava_image_full_chroma, false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("llava_zh.image_take_cut",
							 "Take pictures whose file ends early, if 90 % of their rows are there.",
							 "They are cut to those rows; llava_image.complete is false.",
							 &llava_image_take_cut, false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("llava_zh.near_duplicates",
							 "Park pictures that look like one that was sent before.",
							 "llava_image.same_as says which; llava_retry(image) sends it all the same.",
							 &llava_near_duplicates, true, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("llava_zh.server",
							   "The server llava_generate asks when none is named.",
							   "Empty: the only one the caller may use.",
							   &llava_server, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	config_define_fetch();
	MarkGUCPrefixReserved("llava_zh");
}

void
config_image_fit(ImageFit *fit)
{
	memset(fit, 0, sizeof(*fit));
	fit->limits = image_default_limits;
	fit->limits.max_bytes = (size_t) llava_image_max_size * 1024;
	fit->limits.max_pixels = (int64_t) llava_image_max_pixels * 1000;
	fit->limits.max_memory = (int64_t) llava_image_max_memory * 1024;
	fit->limits.max_avif_pixels = (int64_t) llava_image_max_avif_pixels * 1000;
	fit->limits.max_ms = llava_image_max_time;
	fit->limits.take_cut = llava_image_take_cut;
	fit->quality = llava_image_quality;
	fit->full_chroma = llava_image_full_chroma;
}
