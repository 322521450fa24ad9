/*
 * load.h
 *	  One call of llava_load: load.c walks the folder, load_files.c reads it, load_store.c
 *	  stores the files.
 */
#ifndef LLAVA_LOAD_H
#define LLAVA_LOAD_H

#include <dirent.h>
#include <sys/types.h>

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

/* A name in a folder. */
typedef struct LoadEntry
{
	bool		is_folder;
	char		name[FLEXIBLE_ARRAY_MEMBER];
} LoadEntry;

/* ERROR if the folder cannot be opened. */
extern void load_files_open(LoadFiles *files, const char *directory);

/*
 * The regular files and folders in a folder, palloc'd in the current context and sorted by
 * the bytes of their names.  False, with errno set, if the list is incomplete.
 */
extern bool load_files_list(LoadFiles *files, const char *name, List **entries);

/* Opens a regular file, its size in *size; false, with errno set, if it cannot. */
extern bool load_files_open_file(LoadFiles *files, const char *name, off_t *size);

/* Reads up to size bytes of that file; returns how many were read, or -1 with errno set. */
extern ssize_t load_files_read(LoadFiles *files, char *bytes, size_t size);

extern void load_files_close_file(LoadFiles *files);

extern void load_files_close(LoadFiles *files);

/* ---- one call ---- */

/* One file on its way into llava_image. */
typedef struct LoadFile
{
	bool		skipped;		/* it could not be read */
	char		name[FLEXIBLE_ARRAY_MEMBER];	/* below the directory */
} LoadFile;

/* What became of files that were stored; rolled back with their rows. */
typedef struct LoadCounts
{
	int64		queued;
	int64		stopped;
} LoadCounts;

typedef struct Load
{
	/* the call */
	char	   *directory;		/* absolute, without a slash at its end */
	text	   *task;			/* or NULL */
	text	   *licence;		/* or NULL */
	int			batch;
	bool		store;			/* the bytes too; else they stay in the files */
	const char *prefix;			/* of paths: "", or where directory lies below
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
	int64		seen;
	int64		known;
	int64		unreadable;
	int64		refused;
	List	   *reasons;		/* why files were skipped */
} Load;

/* ---- load.c ---- */

/* ERROR if the call's task does not exist. */
extern void load_check_task(const Load *load);

/* Reports with a WARNING, in errno's words, that a file or folder is skipped. */
extern void load_cannot_read(Load *load, const char *name);

/* Counts a file that was skipped; the first for each reason is the report's example. */
extern void load_count_skipped(Load *load, const char *reason, const char *name,
							   const char *message);

/* ---- load_store.c ---- */

/* Stores and commits the gathered files.  Files that the database refuses are skipped. */
extern void load_store(Load *load);

#endif							/* LLAVA_LOAD_H */
