/*
 * load.h
 *	  One call of llava_load: load.c walks the folder, load_files.c reads it, load_known.c
 *	  compares a file with the picture under its path, load_store.c stores the files,
 *	  load_report.c says what became of them.
 */
#ifndef LLAVA_LOAD_H
#define LLAVA_LOAD_H

#include <dirent.h>
#include <sys/types.h>

#include "compat.h"
#include "db/db.h"

/* ---- load_files.c: reads the folder, and nothing that a link leads to ---- */

/*
 * Holds descriptors through commits and rollbacks: close it in PG_FINALLY.  Names are
 * below the folder and separated by '/'; "" is the folder itself.
 */
typedef struct LoadFiles
{
	bool		is_open;
	int			top;
	int			file;			/* that is being read; else -1 */
	DIR		   *listing;		/* of a folder; else NULL */
} LoadFiles;

/* What tells a file that was changed, most of the time, without a look at its bytes. */
typedef struct LoadFacts
{
	int64		size;			/* -1: not known */
	TimestampTz time;			/* DT_NOBEGIN: not known, or too young to tell */
} LoadFacts;

/* A name in a folder. */
typedef struct LoadEntry
{
	bool		is_folder;
	LoadFacts	facts;			/* of a file */
	char		name[FLEXIBLE_ARRAY_MEMBER];
} LoadEntry;

/* ERROR if the folder cannot be opened. */
extern void load_files_open(LoadFiles *files, const char *directory);

/* ERROR: the folder could not be read, by errno. */
pg_noreturn extern void load_files_no_directory(const char *directory);

/* errhint for an errno with which the folder, or something in it, could not be read. */
extern int	load_files_hint(int failure);

/*
 * The regular files and folders in a folder, palloc'd in the current context and sorted by
 * the bytes of their names.  False, with errno set, if the list is incomplete.
 */
extern bool load_files_list(LoadFiles *files, const char *name, List **entries);

/* Opens a regular file; false, with errno set, if it cannot. */
extern bool load_files_open_file(LoadFiles *files, const char *name, LoadFacts *facts);

/* Reads up to size bytes of that file; returns how many were read, or -1 with errno set. */
extern ssize_t load_files_read(LoadFiles *files, char *bytes, size_t size);

extern void load_files_close_file(LoadFiles *files);

extern void load_files_close(LoadFiles *files);

/* ---- one call ---- */

/* What is done about a file. */
typedef enum LoadStep
{
	LOAD_ADD,					/* a row of its own */
	LOAD_REPLACE,				/* the same, and its path is taken from the
								 * rows that have it */
	LOAD_SET_TIME				/* its picture is known; only the time is
								 * stored */
} LoadStep;

/* One file on its way into llava_image. */
typedef struct LoadFile
{
	LoadStep	step;
	bool		skipped;		/* it could not be read */
	int64		image;			/* LOAD_SET_TIME: whose time it is */
	TimestampTz time;			/* of the file when it was listed or compared */
	char		name[FLEXIBLE_ARRAY_MEMBER];	/* below the directory */
} LoadFile;

/* What became of files that were stored; rolled back with their rows. */
typedef struct LoadCounts
{
	int64		queued;
	int64		stopped;
	int64		replaced;		/* of both */
} LoadCounts;

/* What became of the others. */
typedef struct LoadReport
{
	int64		seen;			/* all files */
	int64		known;
	int64		unreadable;
	int64		refused;
	int64		others;			/* left out: a known path, other bytes */
	char	   *other;			/* the first of them */
	int64		other_image;	/* that has its path */
	List	   *reasons;		/* why files were skipped */
} LoadReport;

typedef struct Load
{
	/* the call */
	char	   *directory;		/* absolute, without a slash at its end */
	text	   *task;			/* or NULL */
	text	   *licence;		/* or NULL */
	int			batch;
	bool		store;			/* the bytes too; else they stay in the files */
	bool		replace;
	bool		compare;		/* files of known paths; false for a table of
								 * 1.0.0 */
	const char *prefix;			/* of paths: "", as the call says, or where
								 * directory lies below
								 * llava_zh.image_directory */
	LoadFiles	in;

	/* memory */
	MemoryContext context;		/* of the call: survives commits */
	MemoryContext batch_context;	/* of files */
	MemoryContext file_context; /* of one file */

	/* what is stored next */
	List	   *files;			/* of LoadFile */
	int			reached;		/* behind the file that was tried last */
	uint64		uncommitted_bytes;

	/* for the report */
	struct Work *work;			/* how far the call is */
	LoadCounts	stored;
	LoadReport	report;
} Load;

/* ---- load.c ---- */

/* ERROR if the call's task does not exist. */
extern void load_check_task(const Load *load);

/* ---- load_report.c ---- */

/* Reports with a WARNING, in errno's words, that a file or folder is skipped. */
extern void load_cannot_read(Load *load, const char *name);

/* Counts a file that was skipped; the first for each reason is the report's example. */
extern void load_count_skipped(Load *load, const char *reason, const char *name,
							   const char *message);

/* The same of a name that is no text in the database's encoding. */
extern void load_cannot_name(Load *load, const char *name);

/* Counts a file that is left out, since this other picture has its path. */
extern void load_count_other(Load *load, const char *name, int64 image);

/* Says what became of all files. */
extern void load_report(const Load *load);

/* ---- load_known.c ---- */

/* What is known of a file's path. */
typedef enum LoadVerdict
{
	PATH_IS_NEW,
	PATH_HAS_FILE,				/* its picture is the file's */
	PATH_HAS_FILE_UNTIMED,		/* the same, and its row has another time, or
								 * none */
	PATH_HAS_OTHER,
	FILE_IS_UNREADABLE			/* errno is set */
} LoadVerdict;

/*
 * Compares a file with the pictures that have its path.  Size and time are the file's when
 * it was listed; where they do not decide it is read, and they become those of the file
 * that was read.  *image is the row that was found.
 */
extern LoadVerdict load_compare(Load *load, const char *name, LoadFacts *facts, int64 *image);

/* ---- load_store.c ---- */

/* Stores and commits the gathered files.  Files that the database refuses are skipped. */
extern void load_store(Load *load);

#endif							/* LLAVA_LOAD_H */
