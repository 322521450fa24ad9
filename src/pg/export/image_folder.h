/*
 * image_folder.h
 *	  A folder of the server that images are written into, and nothing beside it.
 */
#ifndef LLAVA_IMAGE_FOLDER_H
#define LLAVA_IMAGE_FOLDER_H

#include "compat.h"

/*
 * Holds descriptors: close it in PG_FINALLY.  Zero it before folder_open, so that
 * it can be closed whatever happened.
 */
typedef struct ImageFolder
{
	bool		is_open;
	MemoryContext context;		/* of its names: folder_open's */
	char	   *path;			/* absolute, without a slash at its end */
	int			top;
	int			inner;			/* where the last name led; may be top */
	char	   *inner_name;		/* "" for top, else "a/b" */
	bool		part_is_there;	/* a file that is not whole yet, in inner */
	int			part;			/* while it is written; else -1 */
} ImageFolder;

/* ERROR unless the caller may write files of the server. */
extern void folder_check_role(void);

/*
 * ERROR if the path is not absolute, is a link, is not there or not a directory,
 * or is being written into by another call.
 */
extern void folder_open(ImageFolder *folder, const char *path);

/*
 * Enters the folder of a relative name, making folders on the way; links are not followed.
 * Returns the file's own name within it, a part of the argument.
 */
extern const char *folder_enter(ImageFolder *folder, const char *name);

/*
 * Size of that file; -1 if there is none.  ERROR if it is not a regular file.
 */
extern int64 folder_file_size(ImageFolder *folder, const char *name, const char *file);

/* Writes a whole and durable file of this name; after an ERROR there is none. */
extern void folder_write(ImageFolder *folder, const char *name, const char *file,
						 const char *data, size_t size);

/*
 * The same of a file that is written piece by piece: it gets its name at the end, and until
 * then there can be no other.  folder_part_write returns false with errno, and never
 * raises an ERROR.
 */
extern void folder_part_begin(ImageFolder *folder, const char *name);
extern bool folder_part_write(ImageFolder *folder, const char *data, size_t size);
extern void folder_part_end(ImageFolder *folder, const char *name, const char *file);

/* ERROR, with errno, that says how to go on. */
pg_noreturn extern void folder_cannot_write(const ImageFolder *folder, const char *name);

/* Makes the names durable. */
extern void folder_sync(ImageFolder *folder);

extern void folder_close(ImageFolder *folder);

#endif							/* LLAVA_IMAGE_FOLDER_H */
