/*
 * copy_part.c
 *	  COPY TO with format jsonl and a file of the server, beyond what core's COPY does:
 *	  the file gets its name when it is whole and on disk.
 *
 * The folder of a file that goes out may be shared with other users of the machine, who
 * may put links, pipes and files there under any name, and take ours away, at any time. So
 * a name is never opened twice: this file opens the folder, creates the part in it, and
 * core's COPY is given /proc/self/fd/N, which leads to that file whatever its name leads
 * to by then.
 */
#include "postgres.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "compat.h"
#include "copy_part.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/acl.h"

/* At most this much is unflushed at the final fsync. */
#define FLUSH_BYTES (16 * 1024 * 1024)

/* As many links in a row as the kernel follows. */
#define MAX_LINKS 40

/* A part is named after its file, within the 255 bytes that a name may have. */
#define PART_PREFIX 200
#define PART_RANDOM 16

/*
 * The unfinished parts of this process, innermost first: a COPY may run in a function that
 * another's query calls.
 */
static CopyPart *unfinished = NULL;

/* ---- which file ---- */

/* With errno, in the words of core's COPY. */
pg_noreturn static void
cannot_open(const CopyPart *part)
{
	bool		is_client = errno == ENOENT || errno == EACCES;

	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not open file \"%s\" for writing: %m", part->given),
			 is_client ? errhint("COPY TO instructs the PostgreSQL server process to write a file. "
								 "You may want a client-side facility such as psql's \\copy.") : 0));
}

/*
 * Whether a file belongs to root or the server's user.  Another user's is never opened,
 * only replaced.
 */
static bool
is_trusted(const struct stat *facts)
{
	return facts->st_uid == geteuid() || facts->st_uid == 0;
}

static bool
is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/*
 * Opens the folder of an absolute name.  Links on the way to it are followed, as by
 * core's COPY: the caller has named that way, and could name where it leads.
 */
static void
enter_folder(CopyPart *part, const char *name)
{
	const char *slash = strrchr(name, '/');
	char	   *folder = slash == name ? pstrdup("/") : pnstrdup(name, slash - name);

	if (part->folder >= 0)
		close(part->folder);
	part->file = pstrdup(slash + 1);
	part->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (part->folder < 0)
		cannot_open(part);
	if (part->file[0] == '\0')
	{
		errno = EISDIR;
		cannot_open(part);
	}
	pfree(folder);
}

/* Where a link in the folder leads, as an absolute name. */
static char *
link_target(const CopyPart *part, const char *name)
{
	char		target[MAXPGPATH];
	ssize_t		size = readlinkat(part->folder, part->file, target, sizeof(target) - 1);

	if (size < 0)
		cannot_open(part);
	target[size] = '\0';
	if (target[0] == '/')
		return pstrdup(target);
	return psprintf("%.*s%s", (int) (strrchr(name, '/') + 1 - name), name, target);
}

/* A link of /proc leads to an open file, and its text need not be that file's name. */
static bool
is_in_proc(const CopyPart *part)
{
	struct statfs facts;

	return fstatfs(part->folder, &facts) == 0 && facts.f_type == PROC_SUPER_MAGIC;
}

/*
 * Finds the folder and name that a COPY TO this name writes to, and what exists there;
 * false if nothing does.  A link under the name itself is followed if nobody but root or
 * the server's user can have made it.
 */
static bool
find_file(CopyPart *part, struct stat *facts)
{
	const char *name = part->given;

	for (int i = 0; i < MAX_LINKS; i++)
	{
		enter_folder(part, name);
		if (fstatat(part->folder, part->file, facts, AT_SYMLINK_NOFOLLOW) < 0)
		{
			if (errno != ENOENT)
				cannot_open(part);
			return false;
		}
		if (!S_ISLNK(facts->st_mode) || !is_trusted(facts))
			return true;
		if (is_in_proc(part))
		{
			part->follow = true;
			if (fstatat(part->folder, part->file, facts, 0) < 0)
				cannot_open(part);
			return true;
		}
		name = link_target(part, name);
	}
	errno = ELOOP;
	cannot_open(part);
}

/* ---- the part ---- */

/* Devices, which only root can make, and pipes are written as they are. */
static bool
is_opened_as_it_is(const CopyPart *part, const struct stat *facts)
{
	return part->follow || S_ISCHR(facts->st_mode) || S_ISBLK(facts->st_mode) ||
		(is_trusted(facts) && (S_ISFIFO(facts->st_mode) || S_ISSOCK(facts->st_mode)));
}

/* Opens what was looked at, so that core writes to this and nothing else. */
static void
take_as_it_is(CopyPart *part, const struct stat *facts)
{
	struct stat taken;

	part->fd = openat(part->folder, part->file,
					  O_PATH | O_CLOEXEC | (part->follow ? 0 : O_NOFOLLOW));
	if (part->fd < 0 || fstat(part->fd, &taken) < 0)
		cannot_open(part);
	if (!is_same_file(&taken, facts))
	{
		errno = EAGAIN;
		cannot_open(part);
	}
	close(part->folder);
	part->folder = -1;
}

/* "NAME.<random>.part": nobody can have put anything under this name. */
static char *
part_name(const char *file)
{
	uint8		random[PART_RANDOM];
	char		digits[2 * PART_RANDOM + 1];
	int			prefix = pg_mbcliplen(file, strlen(file), PART_PREFIX);

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random name for an unfinished file")));
	for (int i = 0; i < PART_RANDOM; i++)
		snprintf(digits + 2 * i, 3, "%02x", random[i]);
	return psprintf("%.*s.%s.part", prefix, file, digits);
}

/*
 * A new file, with the permissions that core's COPY gives one; or with those of the file
 * that it will replace, less the right to write that another user gave to others.
 */
static void
create(CopyPart *part, const struct stat *replaced)
{
	mode_t		mode = 0666;
	mode_t		mask;

	if (replaced != NULL && S_ISREG(replaced->st_mode))
	{
		part->keep_mode = true;
		mode = part->mode = replaced->st_mode & (is_trusted(replaced) ? 0777 : 0755);
	}
	part->part = part_name(part->file);
	mask = umask(S_IWGRP | S_IWOTH);
	part->fd = openat(part->folder, part->part,
					  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
					  mode | S_IRUSR | S_IWUSR);
	umask(mask);
	if (part->fd < 0)
		cannot_open(part);
	part->is_there = true;
}

/* ERROR where /proc is not mounted, or is not that of this process. */
static void
check_proc(const CopyPart *part)
{
	struct stat here;
	struct stat named;

	if (fstat(part->fd, &here) == 0 && stat(part->name, &named) == 0 &&
		is_same_file(&here, &named))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("could not open file \"%s\" for writing: \"%s\" does not lead to it",
					part->given, part->name),
			 errdetail("COPY with format jsonl writes files of the server through /proc, so that nobody can put a link in their place."),
			 errhint("Mount /proc where the server runs, or use COPY ... TO STDOUT or psql's \\copy.")));
}

static void
part_open(CopyPart *part)
{
	struct stat facts;
	bool		is_there = find_file(part, &facts);

	if (is_there && S_ISDIR(facts.st_mode))
	{
		errno = EISDIR;
		cannot_open(part);
	}
	if (is_there && is_opened_as_it_is(part, &facts))
		take_as_it_is(part, &facts);
	else
		create(part, is_there ? &facts : NULL);
	part->name = psprintf("/proc/self/fd/%d", part->fd);
	check_proc(part);
}

static void
part_close(CopyPart *part)
{
	unfinished = part->outer;
	if (part->fd >= 0)
		close(part->fd);
	if (part->folder >= 0)
		close(part->folder);
	ReleaseExternalFD();
	ReleaseExternalFD();
}

/* Callback at the end of the process, which runs no PG_CATCH. */
static void
drop_all(int code, Datum arg)
{
	while (unfinished != NULL)
		copy_part_drop(unfinished);
}

CopyPart *
copy_part_new(const char *name)
{
	static bool at_exit = false;
	CopyPart   *part;

	/* core's COPY refuses both itself */
	if (!is_absolute_path(name) ||
		!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		return NULL;
	if (!at_exit)
		before_shmem_exit(drop_all, (Datum) 0);
	at_exit = true;
	part = palloc0(sizeof(CopyPart));
	part->given = pstrdup(name);
	part->folder = part->fd = -1;
	part->outer = unfinished;
	unfinished = part;
	ReserveExternalFD();
	ReserveExternalFD();
	PG_TRY();
	{
		part_open(part);
	}
	PG_CATCH();
	{
		copy_part_drop(part);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return part;
}

void
copy_part_line(size_t bytes)
{
	if (unfinished == NULL || !unfinished->is_there ||
		(unfinished->unflushed += bytes) < FLUSH_BYTES)
		return;
	unfinished->unflushed = 0;
	pg_flush_data(unfinished->fd, 0, 0);
}

/* ---- the end ---- */

pg_noreturn static void
cannot_finish(const CopyPart *part, const char *what)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\": %m", what, part->given)));
}

/* ERROR unless the part's name still leads to the file that was written. */
static void
copy_part_check(const CopyPart *part)
{
	struct stat written;
	struct stat named;

	if (fstat(part->fd, &written) < 0)
		cannot_finish(part, "look at");
	if (fstatat(part->folder, part->part, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		is_same_file(&written, &named) && S_ISREG(named.st_mode) && named.st_nlink <= 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("file \"%s\" was not written: somebody has replaced, removed or linked its unfinished part",
					part->given),
			 errdetail("The part was \"%s\" in the same folder.", part->part),
			 errhint("COPY into a folder that only the server's user may write.")));
}

/* Makes the new name durable, as far as core's durable_rename does. */
static void
sync_folder(const CopyPart *part)
{
	int			fd = openat(part->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			failure = 0;

	if (fd < 0 && errno == EACCES)
		return;
	if (fd < 0)
		cannot_finish(part, "fsync the folder of");
	if (pg_fsync(fd) < 0 && errno != EBADF && errno != EINVAL)
		failure = errno;
	close(fd);
	errno = failure;
	if (failure != 0)
		cannot_finish(part, "fsync the folder of");
}

void
copy_part_finish(CopyPart *part)
{
	if (part->is_there)
	{
		if (part->keep_mode && fchmod(part->fd, part->mode) < 0)
			cannot_finish(part, "set permissions of");
		if (pg_fsync(part->fd) < 0)
			cannot_finish(part, "fsync");
		copy_part_check(part);
		if (renameat(part->folder, part->part, part->folder, part->file) < 0)
			cannot_finish(part, "rename the whole part to");
		part->is_there = false;
		sync_folder(part);
	}
	part_close(part);
}

void
copy_part_drop(CopyPart *part)
{
	if (part->is_there)
		(void) unlinkat(part->folder, part->part, 0);
	part_close(part);
}
