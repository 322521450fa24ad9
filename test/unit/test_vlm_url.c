/*
 * test_vlm_url.c
 *	  Spellings of one URL are one, and URLs of two endpoints are two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vlm/vlm.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Each line's spellings are one URL, the first as it is compared; none is another line's. */
static const char *const urls[][9] = {
	{"http://gpu:8000/v1", "HTTP://gpu:8000/v1", "http://GPU:8000/v1/", "http://gpu:08000/v1//",
	"http://gpu.:8000/v1", "http://gpu:8000/%76%31", "http://gpu:8000/./v1/.", "http://gpu:8000/x/../v1"},
	{"http://gpu/v1", "http://gpu:80/v1", "http://gpu:080/v1/", "http://gpu/../../v1"},
	{"https://gpu/v1", "https://gpu:443/v1/", "HTTPS://Gpu:443/v1"},
	{"https://gpu:80/v1"},
	{"http://gpu:443/v1"},
	{"http://gpu:8001/v1"},
	{"http://gpu2:8000/v1"},
	{"http://gpu:8000/V1"},
	{"http://gpu:8000", "http://gpu:8000/", "http://gpu:8000/."},
	{"http://gpu:8000/v1/b", "http://gpu:8000/v1/%62", "http://gpu:8000/v1/a/%2e%2E/b", "http://gpu:8000/v1/./b"},
	{"http://gpu:8000/v1//b"},
	{"http://gpu:8000/v1%2Fb", "http://gpu:8000/v1%2fb"},
	{"http://gpu:8000/%E5%9B%BE", "http://gpu:8000/%e5%9b%be"},
	{"http://gpu:8000/a%zz%4", "http://gpu:8000/%61%zz%4"},
	{"http://127.0.0.1:8000/v1", "http://127.1:8000/v1", "http://2130706433:8000/v1", "http://0x7f000001:8000/v1"},
	{"http://[::1]:8000/v1", "http://[0:0::1]:8000/v1/", "http://[0:0:0:0:0:0:0:1]:8000/v1"},
	{"http://[fe80::ab]/v1", "http://[FE80:0::AB]:80/v1"},
	{"http://localhost:8000/v1", "http://LOCALHOST:8000/v1"},
};

static void
spellings_are_one(void **state)
{
	(void) state;
	for (size_t i = 0; i < COUNT(urls); i++)
		for (int j = 0; urls[i][j] != NULL; j++)
		{
			char	   *normal = vlm_url_normal(urls[i][j]);

			assert_string_equal(normal, urls[i][0]);
			free(normal);
		}
	for (size_t i = 0; i < COUNT(urls); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(urls[i][0], urls[j][0]);
}

/* Whatever it is given: what comes out stays as it is, and nothing breaks. */
static void
odd_texts_are_harmless(void **state)
{
	static const char *const odd[] = {
		"", "/", "://", "http://", "http://[", "http://[]", "http://[::1", "http://:", "http://h:/", "http://h:x/",
		"http://h:99999999999999999999/", "gpu:8000/v1", "http:///v1", "http://./..", "%", "http://h/%", "http://h/%4",
		"http://[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24:25:26:27:28:29:30]/v1"
	};

	(void) state;
	for (size_t i = 0; i < COUNT(odd); i++)
	{
		char	   *once = vlm_url_normal(odd[i]);
		char	   *twice = vlm_url_normal(once);

		assert_string_equal(once, twice);
		free(once);
		free(twice);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings_are_one),
		cmocka_unit_test(odd_texts_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
