/*
 * export_name.c
 *	  What an export calls an image: a name below the folder of the images, which a
 *	  trainer joins to its own.
 *
 * One file has one name: './a//b.jpg' becomes 'a/b.jpg'.
 */
#include "postgres.h"

#include "export.h"
#include "mb/pg_wchar.h"
#include "fmgr.h"
#include "reply/reply.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_file_name);

/* The longest path that Linux opens. */
#define PART_MAX_BYTES 255
#define NAME_MAX_BYTES 4095

/* Without control characters, a part '..', or one that no file can have. */
static bool
is_plain(const char *name)
{
	size_t		length;

	if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES)
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return false;
	for (const char *part = name;; part += length + 1)
	{
		length = strcspn(part, "/");
		if (length > PART_MAX_BYTES || (length == 2 && memcmp(part, "..", 2) == 0))
			return false;
		if (part[length] == '\0')
			return true;
	}
}

/*
 * Whether loaders leave the name as it is: they fetch what begins with "http" as a URL, and
 * strip blanks, of which Unicode has many.
 */
static bool
is_left_alone(const char *name)
{
	const char *last = name;

	for (const char *c = name; *c != '\0'; c += pg_mblen(c))
		last = c;
	return strncmp(name, "http", 4) != 0 && !reply_is_blank(name, pg_mblen(name)) &&
		!reply_is_blank(last, strlen(last));
}

void
export_fold_name(char *name)
{
	char	   *to = name;
	char	   *rest = name;
	char	   *part;

	while ((part = strsep(&rest, "/")) != NULL)
	{
		size_t		length = strlen(part);

		if (length == 0 || strcmp(part, ".") == 0)
			continue;
		if (to > name)
			*to++ = '/';
		memmove(to, part, length);
		to += length;
	}
	*to = '\0';
}

/*
 * llava_file_name(path text): what exports call its file; NULL for an absolute path, which
 * has no such name.
 */
Datum
llava_file_name(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (name[0] == '/')
		PG_RETURN_NULL();
	export_fold_name(name);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

static int
compare_names(const void *one, const void *other)
{
	return strcmp(*(char *const *) one, *(char *const *) other);
}

/* Whether another picture has the name, too. */
static bool
is_twice(char *name, const ExportShape *shape)
{
	return shape->twice != NULL &&
		bsearch(&name, shape->twice, shape->n_twice, sizeof(char *), compare_names) != NULL;
}

/* 'ab/abcd....jpg'; NULL if the hash or the format is missing. */
static char *
name_by_hash(const ExportSample *sample)
{
	const char *format = sample->image_format;
	char	   *hex;

	if (sample->sha256 == NULL || format == NULL)
		return NULL;
	hex = TextDatumGetCString(DirectFunctionCall2(binary_encode, PointerGetDatum(sample->sha256),
												  CStringGetTextDatum("hex")));
	return psprintf("%.2s/%s.%s", hex, hex, strcmp(format, "jpeg") == 0 ? "jpg" : format);
}

/* Pillow reads no file that ends early and, before 11.3, no AVIF. */
bool
export_is_prepared(const char *image_format, bool ends_early)
{
	return ends_early || (image_format != NULL && strcmp(image_format, "avif") == 0);
}

/*
 * '12-detail.png'.  Readers of tar files take what stands before the first dot for the
 * sample's key, so that there is none in it; no two samples have the same.
 */
static char *
name_by_sample(const ExportSample *sample, const ExportShape *shape)
{
	const char *format = sample->image_format;
	bool		is_jpeg = shape->all_jpeg || export_is_prepared(format, sample->ends_early);
	StringInfoData name;

	if (format == NULL)
		return NULL;
	initStringInfo(&name);
	for (const char *c = sample->id; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || strchr("%./\\\177", *c) != NULL)
			appendStringInfo(&name, "%%%02X", (unsigned char) *c);
		else
			appendStringInfoChar(&name, *c);
	appendStringInfo(&name, ".%s", is_jpeg || strcmp(format, "jpeg") == 0 ? "jpg" : format);
	return name.data;
}

/* Of a sample whose picture has no path, or is not to be named by it. */
static char *
name_without_path(const ExportSample *sample, const ExportShape *shape)
{
	return shape->named_by_sample ? name_by_sample(sample, shape) : name_by_hash(sample);
}

ExportFault
export_name(ExportSample *sample, const ExportShape *shape)
{
	bool		by_path = !shape->named_by_hash && !shape->named_by_sample && sample->path != NULL &&
	sample->path[0] != '\0';
	char	   *name = by_path ? pstrdup(sample->path) : name_without_path(sample, shape);

	sample->name = name;
	if (name == NULL)
		return FAULT_IMAGE_MISSING;
	if (name[0] == '/')
		return FAULT_IMAGE_NAME;
	export_fold_name(name);
	if (!is_plain(name))
		return FAULT_IMAGE_NAME;
	if (shape->folder != NULL)
		sample->name = psprintf("%s/%s", shape->folder, name);
	if (shape->rules > REPLY_TOKEN_RULES_1_0 && !is_left_alone(sample->name))
		return FAULT_IMAGE_NAME;
	return is_twice(name, shape) ? FAULT_IMAGE_NAME_TWICE : FAULT_NONE;
}

void
export_image_name(const char *said, ExportShape *shape)
{
	shape->all_jpeg = said != NULL && strcmp(said, "sample.jpg") == 0;
	shape->named_by_sample = shape->all_jpeg || (said != NULL && strcmp(said, "sample") == 0);
	shape->named_by_hash = said != NULL && strcmp(said, "sha256") == 0;
	if (said == NULL ||
		!(shape->named_by_sample || shape->named_by_hash || strcmp(said, "path") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid image name \"%s\"", said == NULL ? "NULL" : said),
				 errhint("It is 'path', 'sha256', 'sample' or 'sample.jpg'.")));
}

char *
export_folder(char *folder)
{
	size_t		length;

	if (folder == NULL || folder[0] == '\0')
		return NULL;
	length = strlen(folder);
	while (length > 0 && folder[length - 1] == '/')
		length--;
	folder[length] = '\0';
	return folder;
}
