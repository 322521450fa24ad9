/*
 * test_image_file.c
 *	  Pictures in files: what is read, what is refused, what has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"

static char top[] = "/tmp/llava_fileXXXXXX";

static const char *
at(const char *path)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s/%s", top, path);
	return name;
}

static void
put(const char *path, const char *content)
{
	FILE	   *file = fopen(at(path), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
	assert_int_equal(fclose(file), 0);
}

static int
set_up(void **state)
{
	(void) state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(mkdir(at("a"), 0700), 0);
	assert_int_equal(mkdir(at("a/b"), 0700), 0);
	put("a/b/file", "abc");
	put("empty", "");
	assert_int_equal(symlink("b/file", at("a/link")), 0);
	assert_int_equal(symlink("a", at("down")), 0);
	assert_int_equal(symlink("/etc", at("out")), 0);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"a/link", "a/b/file", "empty", "down", "out", "fifo"};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(at(names[i]));
	rmdir(at("a/b"));
	rmdir(at("a"));
	return rmdir(top);
}

static int
open_descriptors(void)
{
	DIR		   *directory = opendir("/proc/self/fd");
	int			n = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n;
}

static void
expect(const char *path, size_t max_bytes, ImageStatus expected, const char *content)
{
	uint8_t    *data;
	size_t		size;
	ImageError	error = {0};
	ImageStatus status = image_file_read(top, path, max_bytes, &data, &size, &error);

	if (status != expected)
		fail_msg("%s: %s, '%s'", path, image_status_name(status), error.message);
	if (status == IMAGE_OK)
	{
		assert_int_equal(size, strlen(content));
		assert_memory_equal(data, content, size);
	}
	else
	{
		assert_null(data);
		assert_true(error.message[0] != '\0');
	}
	free(data);
}

static void
reads_below_the_directory_only(void **state)
{
	int			before = open_descriptors();

	(void) state;
	expect("a/b/file", 0, IMAGE_OK, "abc");
	expect("a//./b/file", 3, IMAGE_OK, "abc");
	expect("empty", 0, IMAGE_OK, "");
	expect("a/b/file", 2, IMAGE_TOO_LARGE, NULL);
	expect("a/../a/b/file", 0, IMAGE_NO_FILE, NULL);
	expect("..", 0, IMAGE_NO_FILE, NULL);
	expect("../../etc/passwd", 0, IMAGE_NO_FILE, NULL);
	expect("a/link", 0, IMAGE_NO_FILE, NULL);
	expect("down/b/file", 0, IMAGE_NO_FILE, NULL);
	expect("out/passwd", 0, IMAGE_NO_FILE, NULL);
	expect("fifo", 0, IMAGE_NO_FILE, NULL);
	expect("a", 0, IMAGE_NO_FILE, NULL);
	expect("", 0, IMAGE_NO_FILE, NULL);
	expect("a/b/none", 0, IMAGE_NO_FILE, NULL);
	expect("a/b/file/x", 0, IMAGE_NO_FILE, NULL);
	assert_int_equal(open_descriptors(), before);
}

static void
needs_the_directory(void **state)
{
	static const char *const directories[] = {"", "/nowhere/at/all"};
	uint8_t    *data;
	size_t		size;
	ImageError	error;

	(void) state;
	for (size_t i = 0; i < 2; i++)
	{
		assert_int_equal(image_file_read(directories[i], "a/b/file", 0, &data, &size, &error),
						 IMAGE_NO_DIRECTORY);
		assert_null(data);
	}
}

static ImageStatus
read_known(const ImageFile *file, size_t max_bytes)
{
	uint8_t    *data;
	ImageError	error;
	ImageStatus status = image_file_read_known(file, max_bytes, &data, &error);

	assert_true((data != NULL) == (status == IMAGE_OK));
	free(data);
	return status;
}

static void
notices_what_changed(void **state)
{
	/* FIPS 180-2, appendix B.1 */
	static const uint8_t abc[IMAGE_SHA256_SIZE] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
		0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
		0x15, 0xad
	};
	ImageFile  *file = image_file_new(top, "a/b/file", 3, abc);

	(void) state;
	assert_non_null(file);
	assert_int_equal(read_known(file, 3), IMAGE_OK);
	put("a/b/file", "abd");
	assert_int_equal(read_known(file, 3), IMAGE_CHANGED);
	put("a/b/file", "abcd");
	assert_int_equal(read_known(file, 3), IMAGE_CHANGED);
	put("a/b/file", "");
	assert_int_equal(read_known(file, 3), IMAGE_CHANGED);
	put("a/b/file", "abc");
	assert_int_equal(read_known(file, 3), IMAGE_OK);
	assert_int_equal(read_known(file, 0), IMAGE_OK);
	assert_int_equal(read_known(file, 2), IMAGE_TOO_LARGE);
	image_file_free(file);
	image_file_free(NULL);
}

static void
is_read_by_the_threads(void **state)
{
	uint8_t		digest[IMAGE_SHA256_SIZE];
	ImagePool  *pool = image_pool_new(1);
	ImageJob   *job = calloc(1, sizeof(ImageJob));
	struct pollfd done = {.fd = image_pool_fd(pool),.events = POLLIN};

	(void) state;
	assert_non_null(pool);
	assert_non_null(job);
	image_sha256((const uint8_t *) "abc", 3, digest);
	job->file = image_file_new(top, "a/b/none", 3, digest);
	image_pool_submit(pool, job);
	assert_int_equal(poll(&done, 1, 10000), 1);
	job = image_pool_next(pool);
	assert_int_equal(job->status, IMAGE_NO_FILE);
	image_file_free(job->file);
	job->file = image_file_new(top, "a/b/file", 3, digest);
	image_pool_submit(pool, job);
	assert_int_equal(poll(&done, 1, 10000), 1);
	job = image_pool_next(pool);
	assert_int_equal(job->status, IMAGE_UNKNOWN);	/* it was read: 'abc' is no picture */
	image_job_free(job);
	image_pool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_below_the_directory_only),
		cmocka_unit_test(needs_the_directory),
		cmocka_unit_test(notices_what_changed),
		cmocka_unit_test(is_read_by_the_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
