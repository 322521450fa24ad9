/*
 * image_folder.c
 *	  Writing files below one folder of the server, and nowhere else.
 *
 * Every step is taken from the descriptor of the folder before (openat without following
 * links), so that no link, old or new, leads out.  A file is written under a name of its
 * own, made durable and then given its name.
 *
 * That name of its own is always the same, so that the next call removes what a crashed
 * server left.  Whoever else may write the folder can put something there, or in the place
 * of the file while it is written: it is created with O_EXCL, written through its
 * descriptor, and renamed only if the name still is that file.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "image_folder.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#define PART_NAME ".llava_zh.part"
#define WRITE_CHUNK (1024 * 1024)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void
folder_check_role(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to write files of the server"),
				 errhint("GRANT pg_write_server_files TO %s;",
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

static void
check_argument(char *path)
{
	struct stat facts;
	bool		is_there;

	if (!is_absolute_path(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("directory \"%s\" is not an absolute path", path),
				 errhint("Give a directory of the server, such as '/data/export'.")));
	canonicalize_path(path);
	if (lstat(path, &facts) < 0)
	{
		is_there = errno != ENOENT;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", path),
				 !is_there ? errhint("Create it first, owned by the server's user.") : 0));
	}
	if (S_ISLNK(facts.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a symbolic link", path),
				 errhint("Name the directory that it leads to.")));
	if (!S_ISDIR(facts.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a directory", path)));
}

void
folder_open(ImageFolder *folder, const char *path)
{
	folder->path = pstrdup(path);
	check_argument(folder->path);
	folder->top = open(folder->path, FOLDER_FLAGS);
	if (folder->top < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", folder->path)));
	folder->is_open = true;
	folder->part = -1;
	folder->inner = folder->top;
	folder->context = CurrentMemoryContext;
	folder->inner_name = pstrdup("");
	/* the name of the unfinished file is for one at a time */
	if (flock(folder->top, LOCK_EX | LOCK_NB) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("directory \"%s\" is being written by another export", folder->path)));
}

pg_noreturn static void
cannot_make(const ImageFolder *folder, const char *name)
{
	bool		is_link = errno == ELOOP || errno == ENOTDIR;

	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not make a folder for \"%s\" in \"%s\": %m", name, folder->path),
			 is_link ? errhint("Links and files in the place of a folder are not followed.") : 0));
}

/* From one folder to the next; makes it if it is not there. */
static int
step(const ImageFolder *folder, int from, const char *part, const char *name)
{
	int			fd;

	if (mkdirat(from, part, 0777) == 0)
	{
		if (pg_fsync(from) < 0)
			cannot_make(folder, name);
	}
	else if (errno != EEXIST)
		cannot_make(folder, name);
	fd = openat(from, part, FOLDER_FLAGS);
	if (fd < 0)
		cannot_make(folder, name);
	return fd;
}

static void
folder_leave(ImageFolder *folder)
{
	folder_sync(folder);
	if (folder->inner != folder->top)
		close(folder->inner);
	folder->inner = folder->top;
	folder->inner_name[0] = '\0';
}

const char *
folder_enter(ImageFolder *folder, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *file = slash == NULL ? name : slash + 1;
	char	   *path = pnstrdup(name, file - name);
	char	   *rest = path;
	char	   *part;

	if (name[0] == '/' || file[0] == '\0' || strcmp(file, ".") == 0 || strcmp(file, "..") == 0 ||
		strcmp(file, PART_NAME) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("\"%s\" cannot be the name of an image's file", name)));
	if (strcmp(path, folder->inner_name) == 0)
		return file;
	folder_leave(folder);
	while ((part = strsep(&rest, "/")) != NULL)
	{
		int			next;

		if (part[0] == '\0' || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("\"%s\" leads out of the directory", name)));
		next = step(folder, folder->inner, part, name);
		if (folder->inner != folder->top)
			close(folder->inner);
		folder->inner = next;
	}
	pfree(folder->inner_name);
	folder->inner_name = MemoryContextAlloc(folder->context, file - name + 1);
	strlcpy(folder->inner_name, name, file - name + 1);
	return file;
}

int64
folder_file_size(ImageFolder *folder, const char *name, const char *file)
{
	struct stat facts;

	if (fstatat(folder->inner, file, &facts, AT_SYMLINK_NOFOLLOW) < 0)
	{
		if (errno == ENOENT)
			return -1;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not look at \"%s/%s\": %m", folder->path, name)));
	}
	if (!S_ISREG(facts.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s/%s\" exists and is not a regular file", folder->path, name)));
	return facts.st_size;
}

void
folder_cannot_write(const ImageFolder *folder, const char *name)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not write \"%s/%s\": %m", folder->path, name),
			 errhint("The files written so far are complete; another call continues after them.")));
}

bool
folder_part_write(ImageFolder *folder, const char *data, size_t size)
{
	while (size > 0)
	{
		ssize_t		n;

		errno = ENOSPC;			/* if a short write set none */
		n = write(folder->part, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= n;
	}
	return true;
}

/*
 * ERROR unless the part's name still leads to the file that was written.  Its descriptor
 * is open, so that no other file can have its number.
 */
static void
folder_check_part(ImageFolder *folder, const char *name)
{
	struct stat written;
	struct stat named;

	if (fstat(folder->part, &written) < 0)
		folder_cannot_write(folder, name);
	if (fstatat(folder->inner, PART_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		written.st_dev == named.st_dev && written.st_ino == named.st_ino &&
		S_ISREG(named.st_mode) && named.st_nlink <= 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s/%s\" was not written: somebody has replaced, removed or linked its unfinished part",
					folder->path, name),
			 errdetail("The part was \"%s\" in the same folder.", PART_NAME),
			 errhint("Export into a folder that only the server's user may write.")));
}

void
folder_part_begin(ImageFolder *folder, const char *name)
{
	/* what a crashed server left, if anything */
	if (unlinkat(folder->inner, PART_NAME, 0) < 0 && errno != ENOENT)
		folder_cannot_write(folder, name);
	folder->part = openat(folder->inner, PART_NAME,
						  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (folder->part < 0)
		folder_cannot_write(folder, name);
	folder->part_is_there = true;
}

void
folder_part_end(ImageFolder *folder, const char *name, const char *file)
{
	if (pg_fsync(folder->part) < 0)
		folder_cannot_write(folder, name);
	folder_check_part(folder, name);
	if (renameat(folder->inner, PART_NAME, folder->inner, file) < 0)
		folder_cannot_write(folder, name);
	folder->part_is_there = false;
	/* fsync has reported all errors */
	close(folder->part);
	folder->part = -1;
}

void
folder_write(ImageFolder *folder, const char *name, const char *file, const char *data, size_t size)
{
	folder_part_begin(folder, name);
	while (size > 0)
	{
		size_t		n = Min(size, WRITE_CHUNK);

		CHECK_FOR_INTERRUPTS();
		if (!folder_part_write(folder, data, n))
			folder_cannot_write(folder, name);
		data += n;
		size -= n;
	}
	folder_part_end(folder, name, file);
}

void
folder_sync(ImageFolder *folder)
{
	if (pg_fsync(folder->inner) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not fsync directory \"%s/%s\": %m", folder->path,
						folder->inner_name)));
}

void
folder_close(ImageFolder *folder)
{
	if (!folder->is_open)
		return;
	if (folder->part >= 0)
		close(folder->part);
	if (folder->part_is_there)
		unlinkat(folder->inner, PART_NAME, 0);
	if (folder->inner != folder->top)
		close(folder->inner);
	close(folder->top);
	folder->is_open = false;
}
