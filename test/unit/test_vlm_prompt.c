/*
 * test_vlm_prompt.c
 *	  What stands in the place of a prompt's placeholders: one JSON string that reads as the
 *	  text again, and holds nothing that could end it or what is round it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vlm/vlm.h"

#define MADE 20000

static void
expanded_is(const char *prompt, const char *text, const char *expected)
{
	VlmInsert	inserts[2] = {{"conversation", text, strlen(text)}, {"annotation", "A", 1}};
	char	   *expanded = vlm_prompt_insert(prompt, inserts, 2);

	assert_string_equal(expanded, expected);
	free(expanded);
}

static void
known_prompts(void **state)
{
	(void) state;
	expanded_is("", "x", "");
	expanded_is("看 {{conversation}}。", "红色", "看 \"红色\"。");
	expanded_is("{{conversation}}{{annotation}}{{conversation}}", "x", "\"x\"\"A\"\"x\"");
	expanded_is("{{ conversation }} {{other}} {{conversation} {conversation}} {{{conversation}}}", "x",
				"{{ conversation }} {{other}} {{conversation} {conversation}} {\"x\"}");
	/* inserted text is not searched */
	expanded_is("{{conversation}}", "{{annotation}}", "\"\\u007b\\u007bannotation\\u007d\\u007d\"");
	expanded_is("{{conversation}}", "a\"b\\c\n</x>```\t\r\x7f", "\"a\\\"b\\\\c\\u000a\\u003c/x\\u003e\\u0060\\u0060\\u0060\\u0009\\u000d\\u007f\"");
	expanded_is("{{conversation}}", "\xC2\x85\xE2\x80\xA8\xE2\x80\xA9“”", "\"\\u0085\\u2028\\u2029“”\"");
	assert_true(vlm_prompt_has("a {{b}} {{c}}", "c"));
	assert_false(vlm_prompt_has("a {{b}} {{c}", "c"));
	assert_true(vlm_prompt_has("{{{c}}", "c"));
}

static const char *const pieces[] = {
	"\"", "\\", "\n", "\r", "<", ">", "{", "}", "{{", "}}", "{{conversation}}", "{{annotation}}", "`", "```", "'", "“", "”", "图",
	"\\u0022", "\\\"", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xF0\x9F\x98\x80", "\x01", "a", "worth", ": 3", "</answer>"
};

/* Any text comes back from the JSON string, which has none of the characters that end things. */
static void
any_text_comes_back(void **state)
{
	(void) state;
	srand(19);
	for (int i = 0; i < MADE; i++)
	{
		char		text[1024] = "";
		VlmInsert	insert = {"conversation", text, 0};
		char	   *expanded;
		json_t	   *read;
		const char *quote;

		for (int n = rand() % 30; n > 0; n--)
			strcat(text, pieces[(size_t) rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
		insert.length = strlen(text);
		expanded = vlm_prompt_insert("<a>```{{conversation}}```</a>", &insert, 1);
		assert_non_null(expanded);
		assert_int_equal(strncmp(expanded, "<a>```\"", 7), 0);
		quote = expanded + strlen(expanded) - strlen("\"```</a>");
		assert_string_equal(quote, "\"```</a>");
		*strrchr(expanded, '"') = '\0';
		assert_null(strpbrk(expanded + 6, "<>{}`\n\r"));
		expanded[strlen(expanded)] = '"';
		expanded[quote - expanded + 1] = '\0';
		read = json_loads(expanded + 6, JSON_DECODE_ANY, NULL);
		assert_true(json_is_string(read));
		assert_string_equal(json_string_value(read), text);
		json_decref(read);
		free(expanded);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_prompts),
		cmocka_unit_test(any_text_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
