/*
 * load_files.h
 *	  Reads the folder of the server that llava_load was given, and nothing that a link
 *	  leads to.
 */
#ifndef LLAVA_LOAD_FILES_H
#define LLAVA_LOAD_FILES_H

#include <dirent.h>
#include <sys/types.h>

#include "nodes/pg_list.h"

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

#endif							/* LLAVA_LOAD_FILES_H */
