/*
 * file.c
 *	  Pictures that stay in files: reading one below a directory, and nothing else.
 *
 * The path is walked name by name with openat, and no link is followed on the way, so
 * that whoever may name a path cannot lead out of the directory, not even by changing
 * names while it is walked.
 */
/* strerror_r as it does not need the buffer */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK (1024 * 1024)

/* An open file. */
typedef struct Opened
{
	int			fd;
	size_t		size;
} Opened;

static ImageStatus
cannot_open(ImageError *error, int number)
{
	char		words[80];

	return image_fail(error, IMAGE_NO_FILE, "the file could not be opened: %s",
					  strerror_r(number, words, sizeof(words)));
}

/* Opens one name in a directory that is open; a link is said to be one. */
static ImageStatus
open_name(int directory, const char *name, int flags, int *fd, ImageError *error)
{
	struct stat facts;
	int			number;

	*fd = openat(directory, name,
				 flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd >= 0)
		return IMAGE_OK;
	number = errno;
	if ((number == ELOOP || number == ENOTDIR) &&
		fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode))
		return image_fail(error, IMAGE_NO_FILE, "the path has a symbolic link, which is not followed");
	return cannot_open(error, number);
}

/* From the directory to the file, name by name; path is changed. */
static ImageStatus
walk(int directory, char *path, int *fd, ImageError *error)
{
	ImageStatus status = IMAGE_OK;
	int			at = directory;
	char	   *name = path;
	char	   *slash;

	while (status == IMAGE_OK && (slash = strchr(name, '/')) != NULL)
	{
		int			below = -1;

		*slash = '\0';
		if (strcmp(name, "..") == 0)
			status = image_fail(error, IMAGE_NO_FILE, "the path leads upwards");
		else if (name[0] != '\0' && strcmp(name, ".") != 0)
			status = open_name(at, name, O_DIRECTORY, &below, error);
		if (below >= 0)
		{
			if (at != directory)
				close(at);
			at = below;
		}
		name = slash + 1;
	}
	if (status == IMAGE_OK)
		status = open_name(at, name, 0, fd, error);
	if (at != directory)
		close(at);
	return status;
}

static ImageStatus
open_below(const char *directory, const char *path, Opened *opened, ImageError *error)
{
	struct stat facts;
	char		words[80];
	ImageStatus status;
	char	   *walked;
	int			top;

	if (directory[0] == '\0')
		return image_fail(error, IMAGE_NO_DIRECTORY, "no directory of pictures is set");
	top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return image_fail(error, IMAGE_NO_DIRECTORY,
						  "the directory of pictures could not be opened: %s",
						  strerror_r(errno, words, sizeof(words)));
	walked = strdup(path);
	status = walked == NULL ? image_fail(error, IMAGE_NO_MEMORY, "no memory for a path") :
		walk(top, walked, &opened->fd, error);
	free(walked);
	close(top);
	if (opened->fd < 0)
		return status;
	if (fstat(opened->fd, &facts) == 0 && S_ISREG(facts.st_mode))
	{
		opened->size = (size_t) facts.st_size;
		return IMAGE_OK;
	}
	close(opened->fd);
	return image_fail(error, IMAGE_NO_FILE, "the path is not a file's");
}

/* The bytes of an open file, *size of them, less if it has shrunk since. */
static ImageStatus
read_all(int fd, uint8_t **data, size_t *size, ImageError *error)
{
	size_t		done = 0;

	*data = malloc(*size > 0 ? *size : 1);
	if (*data == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a file of %zu bytes", *size);
	while (done < *size)
	{
		size_t		wanted = *size - done < READ_CHUNK ? *size - done : READ_CHUNK;
		ssize_t		n = read(fd, *data + done, wanted);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
		{
			int			number = errno;

			free(*data);
			*data = NULL;
			return cannot_open(error, number);
		}
		if (n == 0)
			break;
		done += (size_t) n;
	}
	*size = done;
	return IMAGE_OK;
}

void
image_sha256(const uint8_t *data, size_t size, uint8_t digest[IMAGE_SHA256_SIZE])
{
	(void) SHA256(data, size, digest);
}

static ImageStatus
check_size(size_t size, size_t max_bytes, ImageError *error)
{
	if (max_bytes == 0 || size <= max_bytes)
		return IMAGE_OK;
	return image_fail(error, IMAGE_TOO_LARGE, "the file has %zu bytes, over the limit of %zu",
					  size, max_bytes);
}

ImageStatus
image_file_read(const char *directory, const char *path, size_t max_bytes, uint8_t **data,
				size_t *size, ImageError *error)
{
	Opened		opened = {-1, 0};
	ImageStatus status = open_below(directory, path, &opened, error);

	*data = NULL;
	*size = 0;
	if (status != IMAGE_OK)
		return status;
	*size = opened.size;
	status = check_size(opened.size, max_bytes, error);
	if (status == IMAGE_OK)
		status = read_all(opened.fd, data, size, error);
	close(opened.fd);
	return status;
}

ImageStatus
image_file_read_known(const ImageFile *file, size_t max_bytes, uint8_t **data,
					  ImageError *error)
{
	uint8_t		digest[IMAGE_SHA256_SIZE];
	size_t		size = file->size;
	Opened		opened = {-1, 0};
	ImageStatus status = check_size(file->size, max_bytes, error);

	*data = NULL;
	if (status == IMAGE_OK)
		status = open_below(file->directory, file->path, &opened, error);
	if (status != IMAGE_OK)
		return status;
	if (opened.size != file->size)
		status = image_fail(error, IMAGE_CHANGED, "the file has %zu bytes and had %zu at intake",
							opened.size, file->size);
	else
		status = read_all(opened.fd, data, &size, error);
	close(opened.fd);
	if (status != IMAGE_OK)
		return status;
	image_sha256(*data, size, digest);
	if (size == file->size && memcmp(digest, file->sha256, sizeof(digest)) == 0)
		return IMAGE_OK;
	free(*data);
	*data = NULL;
	return image_fail(error, IMAGE_CHANGED, "the file has another sha256 than at intake");
}

ImageFile *
image_file_new(const char *directory, const char *path, size_t size,
			   const uint8_t sha256[IMAGE_SHA256_SIZE])
{
	ImageFile  *file = calloc(1, sizeof(ImageFile));

	if (file == NULL)
		return NULL;
	file->directory = strdup(directory);
	file->path = strdup(path);
	file->size = size;
	memcpy(file->sha256, sha256, IMAGE_SHA256_SIZE);
	if (file->directory != NULL && file->path != NULL)
		return file;
	image_file_free(file);
	return NULL;
}

void
image_file_free(ImageFile *file)
{
	if (file == NULL)
		return;
	free(file->directory);
	free(file->path);
	free(file);
}
