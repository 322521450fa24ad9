/*
 * shard_notes.c
 *	  Which shards of an export are in a folder, kept in a file beside them: what an export
 *	  that was broken off has written, and of which arguments and samples.
 *
 * A shard has a name that begins with a dot until all of them are there.  The notes are
 * written whole after each shard.  Whoever else may write the folder could put notes and
 * shards there, so only files of the server's own user count.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "shard_notes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define NOTES_TITLE "llava_zh shards 1"
#define NOTES_END "end"
#define NOTES_MAX_BYTES (256 * 1024 * 1024)
#define READ_CHUNK (1024 * 1024)

/* ---- names ---- */

static char *
notes_name(const char *prefix)
{
	return psprintf(".llava_zh.%s.shards", prefix);
}

char *
notes_unfinished_name(const ShardNotes * notes, int shard)
{
	return psprintf(".llava_zh.%s-%05d.tar", notes->prefix, shard);
}

char *
notes_final_name(const ShardNotes * notes, int shard)
{
	return psprintf("%s-%05d-of-%05d.tar", notes->prefix, shard, notes->n);
}

/* Whether it is a name until all shards are there. */
static bool
is_unfinished_name(const char *prefix, const char *name)
{
	char	   *begin = psprintf(".llava_zh.%s-", prefix);
	size_t		length = strlen(begin);
	bool		begins_so = strncmp(name, begin, length) == 0;

	pfree(begin);
	name += begins_so ? length : 0;
	name += begins_so ? strspn(name, "0123456789") : 0;
	return begins_so && strcmp(name, ".tar") == 0;
}

/* Whether it is a final name of whatever number of shards. */
static bool
is_final_name(const char *prefix, const char *name)
{
	size_t		length = strlen(prefix);
	size_t		digits;

	if (strncmp(name, prefix, length) != 0 || name[length] != '-')
		return false;
	name += length + 1;
	digits = strspn(name, "0123456789");
	if (digits == 0 || strncmp(name + digits, "-of-", 4) != 0)
		return false;
	name += digits + 4;
	digits = strspn(name, "0123456789");
	return digits > 0 && strcmp(name + digits, ".tar") == 0;
}

/* ---- errors ---- */

void
notes_refuse(const ShardNotes * notes, const char *why, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("directory \"%s\" holds %s", notes->folder->path, why),
			 detail == NULL ? 0 : errdetail("%s", detail),
			 errhint("Export into another directory, or remove the files there whose names begin with "
					 "\"%s-\" or \".llava_zh.%s\".", notes->prefix, notes->prefix)));
}

pg_noreturn static void
cannot_read(const ShardNotes * notes, const char *name)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read \"%s/%s\": %m", notes->folder->path, name)));
}

/* ---- reading files ---- */

/* Opens a regular file into notes->reading; false if there is none. */
static bool
open_file(ShardNotes * notes, const char *name, struct stat *facts)
{
	notes->reading = openat(notes->folder->top, name,
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (notes->reading < 0)
	{
		if (errno == ENOENT)
			return false;
		cannot_read(notes, name);
	}
	if (fstat(notes->reading, facts) < 0)
		cannot_read(notes, name);
	if (!S_ISREG(facts->st_mode) || facts->st_uid != geteuid() || facts->st_nlink > 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s/%s\" is not a file of the server's own user, with one name",
						notes->folder->path, name),
				 errhint("Export into a folder that only the server's user may write.")));
	return true;
}

static void
close_file(ShardNotes * notes)
{
	if (notes->reading >= 0)
		close(notes->reading);
	notes->reading = -1;
}

/* Bytes that were read; 0 at the end. */
static size_t
read_some(ShardNotes * notes, const char *name, char *bytes, size_t size)
{
	ssize_t		n;

	CHECK_FOR_INTERRUPTS();
	do
		n = read(notes->reading, bytes, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		cannot_read(notes, name);
	return (size_t) n;
}

/* The text of the notes; NULL if there are none. */
static char *
read_text(ShardNotes * notes, const char *prefix)
{
	char	   *name = notes_name(prefix);
	struct stat facts;
	char	   *text;
	size_t		size = 0;
	size_t		n;

	if (!open_file(notes, name, &facts))
		return NULL;
	if (facts.st_size > NOTES_MAX_BYTES)
		elog(ERROR, "notes of shards have %lld bytes", (long long) facts.st_size);
	text = palloc(facts.st_size + 1);

	while ((n = read_some(notes, name, text +size, facts.st_size - size)) > 0)
		size += n;
	text[		size] = '\0';

	close_file(notes);
	return text;
}

bool
notes_file_is_whole(ShardNotes * notes, int shard)
{
	const		ShardNote *note = &notes->notes[shard];
	EVP_MD_CTX *digest = export_digest_new(CurrentMemoryContext);
	char	   *name = notes_final_name(notes, shard);
	char	   *chunk = palloc(READ_CHUNK);
	unsigned char sha256[EXPORT_DIGEST];
	struct stat facts;
	size_t		n;

	if (!notes->ended || !open_file(notes, name, &facts))
	{
		name = notes_unfinished_name(notes, shard);
		if (!open_file(notes, name, &facts))
			return false;
	}
	while (facts.st_size == note->bytes && (n = read_some(notes, name, chunk, READ_CHUNK)) > 0)
		export_digest_add(digest, chunk, n);
	close_file(notes);
	pfree(chunk);
	export_digest_end(digest, sha256);
	return facts.st_size == note->bytes && memcmp(sha256, note->sha256, EXPORT_DIGEST) == 0;
}

/* ---- what is noted ---- */

void
note_missing(ShardNote * note, int64 place)
{
	/* room for a power of two */
	if (note->missing == NULL)
		note->missing = palloc(sizeof(int64));
	else if ((note->n_missing & (note->n_missing - 1)) == 0)
		note->missing = repalloc_huge(note->missing, 2 * note->n_missing * sizeof(int64));
	note->missing[note->n_missing++] = place;
}

static void
append_note(ShardNotes * notes, const ShardNote * note)
{
	MemoryContext old = MemoryContextSwitchTo(notes->context);

	if (notes->n == notes->room)
	{
		notes->room = Max(2 * notes->room, 16);
		notes->notes = notes->notes == NULL ? palloc(notes->room * sizeof(ShardNote)) :
			repalloc_huge(notes->notes, notes->room * sizeof(ShardNote));
	}
	notes->notes[notes->n++] = *note;
	MemoryContextSwitchTo(old);
}

static bool
parse_number(char **at, int64 *number)
{
	char	   *end;

	errno = 0;
	*number = strtoll(*at, &end, 10);
	if (end == *at || errno != 0 || *number < 0)
		return false;
	*at = *end == '\0' ? end : end + 1;
	return true;
}

static bool
parse_digest(char **at, unsigned char *digest)
{
	if (strspn(*at, "0123456789abcdef") != 2 * EXPORT_DIGEST)
		return false;
	hex_decode(*at, 2 * EXPORT_DIGEST, (char *) digest);
	*at += 2 * EXPORT_DIGEST;
	*at += **at == ' ' ? 1 : 0;
	return true;
}

/* A shard's line: numbers, digests, and the places of missing pictures. */
static bool
parse_note(ShardNotes * notes, char *line)
{
	ShardNote	note = {0};
	int64		place;

	if (!parse_number(&line, &note.taken) || !parse_number(&line, &note.rows) ||
		!parse_number(&line, &note.bytes) || !parse_digest(&line, note.sha256) ||
		!parse_digest(&line, note.content))
		return false;
	while (*line != '\0')
	{
		if (!parse_number(&line, &place))
			return false;
		note_missing(&note, place);
	}
	append_note(notes, &note);
	return note.taken == note.rows + note.n_missing;
}

static void
parse_notes(ShardNotes * notes, char *rest)
{
	char	   *line;

	while (!notes->ended && (line = strsep(&rest, "\n")) != NULL && line[0] != '\0')
	{
		if (strcmp(line, NOTES_END) == 0)
			notes->ended = true;
		else if (!parse_note(notes, line))
			notes_refuse(notes, "damaged notes of an earlier export", NULL);
	}
}

static void
append_hex(StringInfo text, const unsigned char *digest)
{
	char		hex[2 * EXPORT_DIGEST];

	hex_encode((const char *) digest, EXPORT_DIGEST, hex);
	appendStringInfoChar(text, ' ');
	appendBinaryStringInfo(text, hex, sizeof(hex));
}

static void
write_notes(ShardNotes * notes)
{
	StringInfoData text;
	char	   *name = notes_name(notes->prefix);

	initStringInfo(&text);
	appendStringInfo(&text, "%s\n%s\n%s\n", NOTES_TITLE, notes->settings, notes->preparation);
	for (int i = 0; i < notes->n; i++)
	{
		const		ShardNote *note = &notes->notes[i];

		appendStringInfo(&text, INT64_FORMAT " " INT64_FORMAT " " INT64_FORMAT, note->taken,
						 note->rows, note->bytes);
		append_hex(&text, note->sha256);
		append_hex(&text, note->content);
		for (int64 m = 0; m < note->n_missing; m++)
			appendStringInfo(&text, " " INT64_FORMAT, note->missing[m]);
		appendStringInfoChar(&text, '\n');
	}
	if (notes->ended)
		appendStringInfoString(&text, NOTES_END "\n");
	folder_write(notes->folder, name, name, text.data, text.len);
	folder_sync(notes->folder);
	pfree(text.data);
}

void
notes_add(ShardNotes * notes, const ShardNote * note)
{
	append_note(notes, note);
	write_notes(notes);
}

void
notes_truncate(ShardNotes * notes, int shard)
{
	int			n = notes->n;

	if (n == shard)
		return;
	notes->n = shard;
	write_notes(notes);
	for (int i = shard; i < n; i++)
		(void) unlinkat(notes->folder->top, notes_unfinished_name(notes, i), 0);
}

/* ---- whose shards they are ---- */

/* The folder's files of such a name. */
static List *
files_named(ShardNotes * notes, bool (*is_named) (const char *prefix, const char *name))
{
	int			fd = openat(notes->folder->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR		   *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	List	   *names = NIL;

	if (listing == NULL)
		cannot_read(notes, ".");
	while ((entry = readdir(listing)) != NULL)
		if (is_named(notes->prefix, entry->d_name))
			names = lappend(names, pstrdup(entry->d_name));
	closedir(listing);
	return names;
}

/* Another set's file without notes would be taken for a part of this one. */
static void
refuse_others(ShardNotes * notes)
{
	List	   *names = files_named(notes, is_final_name);

	if (names != NIL)
		notes_refuse(notes, psprintf("\"%s\", which is not of this export", (char *) linitial(names)), NULL);
}

/* The title is checked; sets where settings, preparation and the rest begin. */
static void
split_text(const ShardNotes * notes, char *text, char **settings, char **preparation, char **rest)
{
	char	   *title = strsep(&text, "\n");

	*settings = strsep(&text, "\n");
	*preparation = text == NULL ? NULL : strsep(&text, "\n");
	*rest = text;

	if (strcmp(title, NOTES_TITLE) != 0 || *rest == NULL)
		notes_refuse(notes, "damaged notes of an earlier export", NULL);
}

/* The settings without what may differ between the sides of a split. */
static char *
settings_of_both(const char *settings)
{
	static const char *const own[] = {"split", "shard_bytes", "shard_rows"};
	Datum		value = DirectFunctionCall1(jsonb_in, CStringGetDatum(settings));

	for (int i = 0; i < lengthof(own); i++)
		value = DirectFunctionCall2(jsonb_delete, value, CStringGetTextDatum(own[i]));
	return DatumGetCString(DirectFunctionCall1(jsonb_out, value));
}

/* ERROR if the other side's shards are there and could share pictures with these. */
static void
check_other_side(ShardNotes * notes, const char *split)
{
	const char *other = strcmp(notes->prefix, "train") == 0 ? "validation" : "train";
	char	   *text = read_text(notes, other);
	char	   *settings;
	char	   *preparation;
	char	   *rest;

	if (text == NULL)
		return;
	split_text(notes, text, &settings, &preparation, &rest);
	if (split == NULL || strstr(settings, "\"split\": ") == NULL ||
		strcmp(settings_of_both(settings), settings_of_both(notes->settings)) != 0 ||
		strcmp(preparation, notes->preparation) != 0)
	{
		notes->prefix = other;
		notes_refuse(notes, psprintf("%s shards of an export with other arguments", other),
					 psprintf("It was made with %s, %s.", settings, preparation));
	}
}

void
notes_open(ShardNotes * notes, ImageFolder *folder, const char *split, const char *settings,
		   char *preparation)
{
	char	   *text;
	char	   *noted_settings;
	char	   *noted_preparation;
	char	   *rest;

	notes->folder = folder;
	notes->prefix = split == NULL ? "train" : split;
	notes->settings = pstrdup(settings);
	notes->preparation = preparation;
	notes->context = CurrentMemoryContext;
	notes->reading = -1;
	check_other_side(notes, split);
	text = read_text(notes, notes->prefix);

	if (text == NULL)
	{
		refuse_others(notes);
		return;
	}
	split_text(notes, text, &noted_settings, &noted_preparation, &rest);
	if (strcmp(noted_settings, notes->settings) != 0 ||
		strcmp(noted_preparation, notes->preparation) != 0)
		notes_refuse(notes, psprintf("%s shards of an export with other arguments", notes->prefix),
					 psprintf("It was made with %s, %s.", noted_settings, noted_preparation));
	parse_notes(notes, rest);
}

/* ---- the end ---- */

static bool
is_there(ShardNotes * notes, const char *name)
{
	return folder_file_size(notes->folder, name, name) >= 0;
}

/* A call that was ended behind a shard and before its note has left a file of no export. */
static void
remove_unnoted(ShardNotes * notes)
{
	List	   *names = files_named(notes, is_unfinished_name);
	ListCell   *cell;

	foreach(cell, names)
		(void) unlinkat(notes->folder->top, lfirst(cell), 0);
	list_free_deep(names);
}

void
notes_finish(ShardNotes * notes)
{
	if (notes->n > 0 && !notes->ended)
	{
		notes->ended = true;
		write_notes(notes);
	}
	for (int i = 0; i < notes->n; i++)
	{
		char	   *before = notes_unfinished_name(notes, i);
		char	   *after = notes_final_name(notes, i);

		if (!is_there(notes, before))
			continue;
		if (is_there(notes, after))
			notes_refuse(notes, psprintf("\"%s\", which is not of this export", after), NULL);
		if (renameat(notes->folder->top, before, notes->folder->top, after) < 0)
			folder_cannot_write(notes->folder, after);
	}
	remove_unnoted(notes);
	folder_sync(notes->folder);
}

void
notes_close(ShardNotes * notes)
{
	if (notes->folder != NULL)
		close_file(notes);
}
