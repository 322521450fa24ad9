/*
 * test_vlm_mask.c
 *	  The API key in text from outside: it is never left, however it is spelled, and
 *	  nothing else is touched.
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "vlm/mask.h"
#include "vlm/vlm.h"

#define ROUNDS 4000

static uint32_t random_state = 11;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* A text being written. */
typedef struct Text
{
	char		bytes[65536];
	size_t		size;
} Text;

static void
put(Text *text, const char *bytes, size_t size)
{
	assert_true(text->size + size < sizeof(text->bytes));
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

static void
put_text(Text *text, const char *bytes)
{
	put(text, bytes, strlen(bytes));
}

/* One character of UTF-8: its bytes, and *code. */
static size_t
character(const char *p, uint32_t *code)
{
	unsigned char c = (unsigned char) *p;
	size_t		size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*code = size == 1 ? c : c & (0x7f >> size);
	for (size_t i = 1; i < size; i++)
		*code = *code << 6 | ((unsigned char) p[i] & 0x3f);
	return size;
}

static void
put_hex(Text *text, uint32_t code)
{
	char		escape[16];

	snprintf(escape, sizeof(escape), draw(2) ? "\\u%04x" : "\\u%04X", code);
	put_text(text, escape);
}

/* As a string of JSON says it, each character with an escape or, where it may, without. */
static void
put_json(Text *text, const char *bytes, size_t size)
{
	for (size_t at = 0; at < size;)
	{
		uint32_t	code;
		size_t		n = character(bytes + at, &code);
		bool		must = code == '"' || code == '\\' || code < 0x20;

		if (code >= 0x10000 && draw(2))
		{
			put_hex(text, 0xd800 + ((code - 0x10000) >> 10));
			put_hex(text, 0xdc00 + ((code - 0x10000) & 0x3ff));
		}
		else if (code < 0x20 || (code < 0x10000 && draw(3) == 0))
			put_hex(text, code);
		else if (must || (code == '/' && draw(2)))
		{
			put_text(text, "\\");
			put(text, bytes + at, n);
		}
		else
			put(text, bytes + at, n);
		at += n;
	}
}

static void
put_url(Text *text, const char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++)
	{
		char		escape[8];

		if (bytes[at] != '%' && draw(2))
		{
			put(text, bytes + at, 1);
			continue;
		}
		snprintf(escape, sizeof(escape), draw(2) ? "%%%02x" : "%%%02X", (unsigned char) bytes[at]);
		put_text(text, escape);
	}
}

static void
put_html(Text *text, const char *bytes, size_t size)
{
	for (size_t at = 0; at < size;)
	{
		uint32_t	code;
		size_t		n = character(bytes + at, &code);
		char		escape[16];

		if (code != '&' && code != '<' && draw(2))
			put(text, bytes + at, n);
		else
		{
			snprintf(escape, sizeof(escape), draw(2) ? "&#%u;" : "&#x%x;", code);
			put_text(text, code == '&' && draw(2) ? "&amp;" : escape);
		}
		at += n;
	}
}

/* Four characters and more, many of which need an escape, and some that repeat. */
static void
draw_key(Text *key)
{
	static const char *const characters[] = {
		"a", "b", "k", "s", "A", "u", "0", "4", "1", "n", "-", "_", "+", "/", "=", "\"", "\\", "%", "&", "#",
		";", "*", "<", " ", "é", "密", "\xf0\x9f\x94\x91"
	};
	uint32_t	kinds = 2 + draw(26);
	uint32_t	size = 4 + draw(draw(8) == 0 ? 60 : 12);

	key->size = 0;
	while (key->size < size)
		put_text(key, characters[draw(kinds)]);
}

static void
check_without(const json_t *json, const char *key, int depth);

/* The text, and what it is as JSON and as a URL, is without the key. */
static void
check_text(const char *text, size_t size, const char *key, int depth)
{
	json_t	   *inner;

	if (memmem(text, size, key, strlen(key)) != NULL)
		fail_msg("\"%s\" is left in %.*s", key, (int) size, text);
	inner = depth > 0 ? json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL) : NULL;
	check_without(inner, key, depth - 1);
	json_decref(inner);
}

static void
check_without(const json_t *json, const char *key, int depth)
{
	const char *name;
	json_t	   *value;
	size_t		i;

	if (json_is_string(json))
		check_text(json_string_value(json), json_string_length(json), key, depth);
	json_object_foreach((json_t *) (uintptr_t) json, name, value)
	{
		check_text(name, strlen(name), key, depth);
		check_without(value, key, depth);
	}
	json_array_foreach(json, i, value)
		check_without(value, key, depth);
}

/* Masked in a copy exactly as large, for the sanitizer; *size as it then is. */
static char *
masked(const Text *text, const char *key, bool body, size_t *size)
{
	char	   *copy = malloc(text->size + 1);

	assert_non_null(copy);
	memcpy(copy, text->bytes, text->size + 1);
	*size = text->size;
	assert_true(body ? mask_body(copy, size, key) : mask_words(copy, *size, key));
	return copy;
}

static void
a_key_in_json_is_masked_however_it_is_escaped(void **state)
{
	static Text key;
	static Text message;
	static Text inner;
	static Text body;

	(void) state;
	for (int round = 0; round < ROUNDS; round++)
	{
		size_t		size;
		size_t		cut;
		char	   *copy;
		json_t	   *json;
		json_t	   *before;

		draw_key(&key);
		inner.size = message.size = body.size = 0;
		put_text(&message, "Incorrect key ");
		put(&message, key.bytes, key.size);
		put_text(&message, draw(2) ? " 说 \n" : "");
		/* some of it once more, cut on a character */
		cut = key.size / (1 + draw(3));
		while (cut < key.size && ((unsigned char) key.bytes[cut] & 0xc0) == 0x80)
			cut--;
		put(&message, key.bytes, cut);
		/* a gateway passes on the server's JSON as a string */
		put_text(&inner, "{\"detail\":\"");
		put_json(&inner, message.bytes, message.size);
		put_text(&inner, "\"}");
		put_text(&body, "{\"n\":[7,2.5e3,true,\"\\u4e2d\"],\"");
		put_json(&body, message.bytes, message.size);
		put_text(&body, "\":\"");
		put_json(&body, inner.bytes, inner.size);
		put_text(&body, "\",\"m\":\"");
		put_json(&body, message.bytes, message.size);
		put_text(&body, "\"}");
		before = json_loadb(body.bytes, body.size, 0, NULL);
		assert_non_null(before);
		copy = masked(&body, key.bytes, true, &size);
		json = json_loadb(copy, size, 0, NULL);
		if (json == NULL)
			fail_msg("no JSON any more: %s", copy);
		assert_int_equal(copy[size], '\0');
		check_text(copy, size, key.bytes, 3);
		assert_int_equal(json_object_size(json), json_object_size(before));
		assert_true(json_equal(json_object_get(json, "n"), json_object_get(before, "n")));
		free(copy);
		json_decref(json);
		json_decref(before);
	}
}

/* What is stored of a body reads as what was masked when it had been read. */
static void
body_and_words_are_masked_alike(void **state)
{
	static Text key;
	static Text words;
	static Text body;

	(void) state;
	for (int round = 0; round < ROUNDS; round++)
	{
		size_t		size;
		size_t		words_size;
		char	   *copy;
		char	   *words_copy;
		json_t	   *json;

		/* a key with a backslash may stand in the body and not in what it says */
		do
			draw_key(&key);
		while (strchr(key.bytes, '\\') != NULL);
		words.size = body.size = 0;
		put_text(&words, "这是 ");
		if (draw(2))
			put(&words, key.bytes, key.size);
		else
			put_json(&words, key.bytes, key.size);
		put_text(&words, draw(2) ? " 和 \"密\"" : "");
		put_text(&body, "[\"");
		put_json(&body, words.bytes, words.size);
		put_text(&body, "\"]");
		words_copy = masked(&words, key.bytes, false, &words_size);
		copy = masked(&body, key.bytes, true, &size);
		json = json_loadb(copy, size, 0, NULL);
		assert_non_null(json);
		assert_string_equal(json_string_value(json_array_get(json, 0)), words_copy);
		json_decref(json);
		free(copy);
		free(words_copy);
	}
}

static void
a_key_in_words_is_masked(void **state)
{
	static void (*const ways[]) (Text *text, const char *bytes, size_t size) = {
		put, put_json, put_url, put_html
	};
	static Text key;
	static Text words;

	(void) state;
	for (int round = 0; round < ROUNDS; round++)
	{
		size_t		size;
		char	   *copy;
		size_t		begins;

		draw_key(&key);
		words.size = 0;
		put_text(&words, "401 密 (");
		begins = words.size;
		ways[round % 4] (&words, key.bytes, key.size);
		copy = masked(&words, key.bytes, false, &size);
		assert_int_equal(size, words.size);
		assert_memory_equal(copy, words.bytes, begins);
		/* nothing of it is left, whatever it is masked with */
		for (size_t i = begins + 1; i < size; i++)
			assert_int_equal(copy[i], copy[begins]);
		free(copy);
	}
}

static void
what_is_not_the_key_is_untouched(void **state)
{
	static const char *const others[] = {
		"", "sk-abc12", "k-abc123", "sk-abc12 3", "SK-ABC123", "sk\\u002d", "sk-abc\\u0031", "\\u0073k-abc12X",
		"{\"a\":\"\\u4e2d\\n\\/\\\"\"}", "100%", "%", "%2", "&", "&#", "&#x;", "\\", "\\u", "\\u12", "\\ud83d",
		"\\ud83d\\u0041", "\\ud83d\\udd11 \\\\u0073", "密钥\nsk", "{\"id\": 12345, \"x\": [true, null, 1e5]}"
	};

	(void) state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (int body = 0; body < 2; body++)
		{
			static Text text;
			size_t		size;
			char	   *copy;

			text.size = 0;
			put_text(&text, others[i]);
			put_text(&text, " .");
			copy = masked(&text, "sk-abc123", body, &size);
			assert_int_equal(size, text.size);
			assert_string_equal(copy, text.bytes);
			free(copy);
		}
}

/* Masked body -> what is expected. */
static void
assert_masked(const char *body, const char *key, const char *expected)
{
	static Text text;
	size_t		size;
	char	   *copy;

	text.size = 0;
	put_text(&text, body);
	copy = masked(&text, key, true, &size);
	assert_string_equal(copy, expected);
	free(copy);
}

static void
a_body_stays_what_it_is(void **state)
{
	(void) state;
	/* short keys are no secrets; a NULL is none at all */
	assert_masked("{\"message\":\"abc\"}", "abc", "{\"message\":\"abc\"}");
	assert_masked("{\"message\":\"a\"}", "a", "{\"message\":\"a\"}");
	assert_masked("{\"message\":\"a\"}", NULL, "{\"message\":\"a\"}");
	/* numbers stay numbers, other signs of JSON stay */
	assert_masked("{\"a\":12345,\"b\":\"12345\",\"c\":9123459}", "12345", "{\"a\":66666,\"b\":\"*****\",\"c\":9666669}");
	assert_masked("[true,\"true\",{}]", "true", "[true,\"****\",{}]");
	assert_masked("{\"a\":\"b\",\"c\":\"d\"}", "\",\"c", "{\"a\":\"b\",\"c\":\"d\"}");
	/* but what is no JSON is masked wherever it is */
	assert_masked("\",\"c: 12345", "\",\"c", "****: 12345");
	/* an escape goes as a whole */
	assert_masked("[\"ab\\\\\\\"\"]", "[\"ab\\", "[\"ab\\\\\\\"\"]");
	assert_masked("[\"xab\\\\\\\"\"]", "xab\\", "[\"****\\\"\"]");
	/* what it is masked with is not in the key, nor makes it again */
	assert_masked("[\"aa***\"]", "a***", "[\"a####\"]");
	/* occurrences overlap */
	assert_masked("[\"abcabcabc.\"]", "abcabc", "[\"*********.\"]");
}

static void
a_long_beginning_is_masked_where_it_was_cut(void **state)
{
	(void) state;
	assert_masked("Incorrect key sk-abcdef", "sk-abcdefghijkl", "Incorrect key *********");
	assert_masked("Incorrect key sk\\u002dabcdef", "sk-abcdefghijkl", "Incorrect key **************");
	assert_masked("{\"message\":\"Incorrect key sk\\u002dabcdef\"}", "sk-abcdefghijkl",
				  "{\"message\":\"Incorrect key *********\"}");
	assert_masked("{\"message\":\"{\\\"key\\\":\\\"sk-abcdef\\\"}\"}", "sk-abcdefghijkl",
				  "{\"message\":\"{\\\"key\\\":\\\"*********\\\"}\"}");
	assert_masked("b'sk\\x2dabcdefghijkl'", "sk-abcdefghijkl", "b'******************'");
	/* a short one says nothing, and one amid other words is another word */
	assert_masked("Incorrect key sk-a", "sk-abcdefghijkl", "Incorrect key sk-a");
	assert_masked("Incorrect sk-abcdefg key", "sk-abcdefghijkl", "Incorrect sk-abcdefg key");
}

static double
seconds_for(const char *repeated, const char *key, size_t size, bool body)
{
	char	   *text = malloc(size + 1);
	struct timespec begin;
	struct timespec end;

	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = repeated[i % strlen(repeated)];
	text[size] = '\0';
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	assert_true(body ? mask_body(text, &size, key) : mask_words(text, size, key));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	free(text);
	return (double) (end.tv_sec - begin.tv_sec) + (double) (end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* 16 times the text: quadratic time would be 256 times as long. */
static void
hostile_text_takes_linear_time(void **state)
{
	static const char *const repeated[] = {
		"\\u", "\\", "\\u005c", "\\u005cu005c", "a", "\"", "aaab", "%25", "%", "&amp;", "&#", "&#38;", "\\ud83d",
		"\\\"", "\\u0061", "%61", "&#97;", "aaaaaaaa\""
	};
	char		key[4097];

	(void) state;
	memset(key, 'a', sizeof(key) - 1);
	for (size_t length = 4096; length >= 8; length /= 512)
	{
		key[length] = '\0';
		for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
			for (int body = 0; body < 2; body++)
			{
				double		little = seconds_for(repeated[i], key, 64 * 1024, body);
				double		much = seconds_for(repeated[i], key, 1024 * 1024, body);

				if (much > 0.05 && much > little * 64)
					fail_msg("%s: %f s, and %f s for 16 times as much", repeated[i], little, much);
			}
	}
}

/* Every word of a response that is kept. */
static void
every_word_of_a_response_is_masked(void **state)
{
	static const char key[] = "sk+ab/c\"1";
	static const char escaped[] = "sk\\u002bab\\/c\\\"\\u0031";
	static const char mask[] = "*********";
	VlmResponse response = {.status = 200};
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	char		expected[128];

	(void) state;
	response.api_key = strdup(key);
	assert_true(asprintf(&response.body, "{\"id\":\"i %s\",\"model\":\"m %s\",\"choices\":[{\"message\":{\"content\":"
						 "\"c %s\"},\"finish_reason\":\"f %s\"}]}", escaped, escaped, escaped, escaped) > 0);
	response.body_size = strlen(response.body);
	vlm_outcome(&response, &outcome, &envelope);
	/* its end has no meaning, and its text none */
	assert_int_equal(outcome.action, VLM_RETRY);
	assert_string_equal(outcome.reason, "unfinished");
	assert_null(strstr(outcome.detail, "sk"));
	snprintf(expected, sizeof(expected), "m %s", mask);
	assert_string_equal(envelope.model, expected);
	*expected = 'f';
	assert_string_equal(envelope.finish_reason, expected);
	*expected = 'c';
	assert_string_equal(envelope.content, expected);
	vlm_envelope_free(&envelope);
	assert_null(strstr(response.body, "sk"));
	assert_int_equal(response.body_size, strlen(response.body));

	/* in what is shown of an error it is masked before that is clipped */
	for (int before = 200; before < 340; before++)
	{
		free(response.body);
		response.status = 401;
		assert_true(asprintf(&response.body, "{\"error\":{\"message\":\"%0*d %s\"}}", before, 0, escaped) > 0);
		response.body_size = strlen(response.body);
		vlm_outcome(&response, &outcome, &envelope);
		assert_null(strstr(outcome.detail, "s"));
		assert_null(strstr(response.body, "sk"));
	}
	/* nor is a transport's word, or one that is clipped by whoever said it */
	response.curl_code = 56;
	snprintf(response.error, sizeof(response.error), "what is sk%%2Bab%%2fc%%221?");
	vlm_outcome(&response, &outcome, &envelope);
	assert_string_equal(outcome.detail, "what is ***************?");
	vlm_response_free(&response);
}

/* A key that is a word of every response does no harm to it. */
static void
a_key_that_is_a_word_of_json_spoils_no_answer(void **state)
{
	static const char *const keys[] = {"message", "choices", "content", "completion_tokens", "tokens\":", "12345"};

	(void) state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		VlmResponse response = {.status = 200};
		VlmOutcome	outcome;
		VlmEnvelope envelope;

		response.api_key = strdup(keys[i]);
		response.body = strdup("{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{\"completion_tokens\":12345}}");
		response.body_size = strlen(response.body);
		vlm_outcome(&response, &outcome, &envelope);
		assert_int_equal(outcome.action, VLM_DONE);
		assert_string_equal(envelope.content, "x");
		assert_int_equal(envelope.completion_tokens, 12345);
		vlm_envelope_free(&envelope);
		vlm_response_free(&response);
	}
}

/* A server's words stand in logs and messages: nothing in them ends a line or turns its order. */
static void
controls_in_words_are_blanks(void **state)
{
	VlmResponse response = {.status = 401};
	VlmOutcome	outcome;
	VlmEnvelope envelope;

	(void) state;
	response.body = strdup("{\"error\":{\"message\":\"a\\u202eb\\u2066c\\u2069d\\u2028e\\u0085f\\ng\\u007fh \\u201c\\u4e2d\\u201d \\u2070\"}}");
	response.body_size = strlen(response.body);
	vlm_outcome(&response, &outcome, &envelope);
	assert_string_equal(outcome.detail, "HTTP 401: a b c d e f g h “中” \u2070");
	vlm_response_free(&response);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_in_json_is_masked_however_it_is_escaped),
		cmocka_unit_test(body_and_words_are_masked_alike),
		cmocka_unit_test(a_key_in_words_is_masked),
		cmocka_unit_test(what_is_not_the_key_is_untouched),
		cmocka_unit_test(a_body_stays_what_it_is),
		cmocka_unit_test(a_long_beginning_is_masked_where_it_was_cut),
		cmocka_unit_test(hostile_text_takes_linear_time),
		cmocka_unit_test(every_word_of_a_response_is_masked),
		cmocka_unit_test(a_key_that_is_a_word_of_json_spoils_no_answer),
		cmocka_unit_test(controls_in_words_are_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
