/*
 * test_vlm_fingerprint.c
 *	  Two texts are one where they differ in digits and ids only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "vlm/fingerprint.h"

static uint64_t
number(const char *text)
{
	return fingerprint(400, text, strlen(text));
}

static void
digits_and_ids_do_not_count(void **state)
{
	static const char *const same[][2] = {
		{"the image is 1,024 x 768 px", "the image is 8 x 10240 px"},
		{"bad request (request id: 20261129-abc)", "bad request (request id: 8f3ax)"},
		{"bad request, request_id=abcdefgh", "bad request, request_id=xyz"},
		{"bad request, trace-id: qwert", "bad request, trace-id: zuiop"},
		{"bad request id: qwert", "bad request id: zuiop"},
		{"failed: deadbeef-cafe", "failed: facade-bedeadbead"},
		{"failed: qwertzuiopasdfghjklyxcvbnm", "failed: mnbvcxylkjhgfdsapoiuztrewq"},
		{"图片大小为1024像素", "图片大小为99像素"},
		{"图片大小为１２像素", "图片大小为３像素"},
		{"bad\n request.", "bad  request"},
		{"", "..."}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (number(same[i][0]) != number(same[i][1]))
			fail_msg("\"%s\" and \"%s\" are two", same[i][0], same[i][1]);
}

static void
words_count(void **state)
{
	static const char *const other[][2] = {
		{"invalid image", "invalid request"},
		{"image", "images"},
		{"the image is bad", "the image bad is"},
		{"图片过大", "图片过小"},
		{"image", ""},
		{"feed", "face"}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (number(other[i][0]) == number(other[i][1]))
			fail_msg("\"%s\" and \"%s\" are one", other[i][0], other[i][1]);
	assert_int_not_equal(fingerprint(400, "", 0), fingerprint(413, "", 0));
	assert_int_not_equal(fingerprint(400, "", 0), 0);
}

/* It is stored, so it is the same tomorrow. */
static void
is_as_it_was(void **state)
{
	(void) state;
	assert_true(number("bad request") == UINT64_C(0xf24add3af25d2001));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_and_ids_do_not_count),
		cmocka_unit_test(words_count),
		cmocka_unit_test(is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
