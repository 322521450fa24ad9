/*
 * test_reply_object.c
 *	  Every case of objects.jsonl comes out exactly: the object, or the reason; the flags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "reply/reply.h"

#define MAX_KEYS 16

static const char *
text_of(json_t *object, const char *key)
{
	json_t	   *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : "";
}

static ReplyFinish
finish_of(const char *word)
{
	return strcmp(word, "stop") == 0 ? REPLY_FINISH_STOP :
		strcmp(word, "length") == 0 ? REPLY_FINISH_LENGTH : REPLY_FINISH_OTHER;
}

static int
keys_of(json_t *row, ReplyKey *keys)
{
	size_t		i;
	json_t	   *spec;

	json_array_foreach(json_object_get(row, "required"), i, spec)
	{
		assert_true(i < MAX_KEYS);
		assert_true(reply_key_parse(json_string_value(spec), json_string_length(spec), &keys[i]));
	}
	return (int) json_array_size(json_object_get(row, "required"));
}

static bool
has_flag(json_t *flags, const char *name)
{
	size_t		i;
	json_t	   *flag;

	json_array_foreach(flags, i, flag)
		if (strcmp(json_string_value(flag), name) == 0)
			return true;
	return false;
}

/* Whether two values are the same, 1 and 1.0 too. */
static bool
same(json_t *a, json_t *b)
{
	size_t		i;
	const char *key;
	json_t	   *value;

	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a))
	{
		if (json_array_size(a) != json_array_size(b))
			return false;
		json_array_foreach(a, i, value)
			if (!same(value, json_array_get(b, i)))
				return false;
		return true;
	}
	if (!json_is_object(a))
		return json_equal(a, b);
	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach(a, key, value)
		if (json_object_get(b, key) == NULL || !same(value, json_object_get(b, key)))
			return false;
	return true;
}

/* True if it came out as expected; says what did not. */
static bool
check_case(json_t *row)
{
	json_t	   *reply = json_object_get(row, "reply");
	json_t	   *wanted = json_object_get(row, "object");
	ReplyKey	keys[MAX_KEYS];
	ReplyRules	rules = {.kind = REPLY_OBJECT,.required = keys};
	ReplyResult result;
	const char *reason;
	json_t	   *object = NULL;
	bool		ok;

	rules.n_required = keys_of(row, keys);
	reply_parse(&rules, json_string_value(reply), json_string_length(reply), finish_of(text_of(row, "finish")), &result);
	reason = result.reason == REPLY_ACCEPTED ? "" : reply_reason_name(result.reason);
	if (result.object != NULL)
		object = json_loadb(result.object, result.object_length, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	ok = strcmp(reason, text_of(row, "reason")) == 0 &&
		(wanted == NULL ? result.object == NULL : object != NULL && same(wanted, object));
	for (int bit = 0; bit < REPLY_FLAGS && json_object_get(row, "flags") != NULL; bit++)
		ok &= ((result.flags >> bit & 1) != 0) == has_flag(json_object_get(row, "flags"), reply_flag_name(bit));
	assert_true(result.offset <= json_string_length(reply));
	if (!ok)
		printf("%s: reason '%s', flags %x, object %.300s\n", text_of(row, "name"), reason, result.flags,
			   result.object == NULL ? "none" : result.object);
	json_decref(object);
	reply_result_free(&result);
	return ok;
}

/* Returns how many of the file's cases came out as expected; *cases: how many there are. */
static int
check_file(const char *path, int *cases)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		room = 0;
	int			right = 0;

	assert_non_null(file);
	*cases = 0;
	while (getline(&line, &room, file) > 0)
	{
		json_t	   *row = json_loads(line, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

		assert_non_null(row);
		right += check_case(row);
		(*cases)++;
		json_decref(row);
	}
	free(line);
	fclose(file);
	printf("%d of %d objects of %s\n", right, *cases, path);
	return right;
}

static void
objects_come_out_exactly(void **state)
{
	int			cases;
	int			right = check_file("test/unit/objects.jsonl", &cases);

	(void) state;
	assert_true(cases >= 120);
	assert_int_equal(right, cases);
}

/* Replies that were written down without a look at the parser, by the rules alone. */
static void
objects_held_back_come_out(void **state)
{
	int			cases;
	int			right = check_file("test/unit/objects_outside.jsonl", &cases);

	(void) state;
	assert_true(cases >= 100);
	assert_true(right * 100 >= cases * 97);
}

/* What stands in no file: bytes that are no text. */
static void
broken_octets_are_refused(void **state)
{
	static const char *const replies[] = {
		"{\"a\": \"\xE4\xB8\"}", "\xFF {\"a\": 1}", "{\"a\": \"\xC0\xAF\"}", "{\"a\": \"\xED\xA0\xBD\"}", "{\"a\": 1} \xF5\x80\x80\x80"
	};
	ReplyRules	rules = {.kind = REPLY_OBJECT};
	ReplyResult result;

	(void) state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
	{
		reply_parse(&rules, replies[i], strlen(replies[i]), REPLY_FINISH_STOP, &result);
		assert_string_equal(reply_reason_name(result.reason), "bad_utf8");
		reply_result_free(&result);
	}
	reply_parse(&rules, "{\"a\": \"b\0c\"}", 12, REPLY_FINISH_STOP, &result);
	assert_string_equal(reply_reason_name(result.reason), "bad_value");
	reply_result_free(&result);
}

/* An object of just so many bytes. */
static ReplyReason
reason_of_size(size_t size)
{
	ReplyRules	rules = {.kind = REPLY_OBJECT};
	ReplyResult result;
	char	   *reply = malloc(size);
	ReplyReason reason;

	assert_non_null(reply);
	memset(reply, 'x', size);
	memcpy(reply, "{\"a\":\"", 6);
	memcpy(reply + size - 2, "\"}", 2);
	reply_parse(&rules, reply, size, REPLY_FINISH_STOP, &result);
	reason = result.reason;
	reply_result_free(&result);
	free(reply);
	return reason;
}

static void
size_is_limited(void **state)
{
	(void) state;
	assert_int_equal(reason_of_size(256 << 10), REPLY_ACCEPTED);
	assert_int_equal(reason_of_size((256 << 10) + 1), REPLY_TOO_LARGE);
	assert_int_equal(reason_of_size(1 << 20), REPLY_TOO_LARGE);
}

static void
what_is_required_is_read(void **state)
{
	static const char *const wrong[] = {
		"", " ", "worth 0..", "worth ..3", "worth 3..0", "worth 0...3", "worth 0..3.5", "worth number", "a\"b", "a\\b text",
		"worth 0..99999999999", "a\nb"
	};
	ReplyKey	key;

	(void) state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (reply_key_parse(wrong[i], strlen(wrong[i]), &key))
			fail_msg("taken: %s", wrong[i]);
	assert_true(reply_key_parse("worth -5..12", 12, &key));
	assert_int_equal(key.type, REPLY_RANGE);
	assert_int_equal(key.low, -5);
	assert_int_equal(key.high, 12);
	assert_int_equal(key.length, 5);
	assert_true(reply_key_parse(" 有文字  boolean ", strlen(" 有文字  boolean "), &key));
	assert_int_equal(key.type, REPLY_BOOLEAN);
	assert_int_equal(key.length, strlen("有文字"));
	assert_true(reply_key_parse("text", 4, &key));
	assert_int_equal(key.type, REPLY_ANY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_out_exactly),
		cmocka_unit_test(objects_held_back_come_out),
		cmocka_unit_test(broken_octets_are_refused),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(what_is_required_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
