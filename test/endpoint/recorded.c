/*
 * recorded.c
 *	  Answers as other servers gave them, from a file of JSON lines.
 */
#include "recorded.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t **answers;
static int	count;

static void
add_line(const char *path, const char *line)
{
	json_error_t error;
	json_t	   *answer = json_loads(line, 0, &error);

	if (!json_is_object(answer) || !json_is_integer(json_object_get(answer, "status")))
		die("%s, line %d: no answer: %s", path, count + 1, answer ? "status is missing" : error.text);
	answers = must_resize(answers, (size_t) (count + 1) * sizeof(*answers));
	answers[count++] = answer;
}

void
recorded_load(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		room = 0;

	if (file == NULL)
		die("cannot open \"%s\": %s", path, strerror(errno));
	while (getline(&line, &room, file) > 0)
		add_line(path, line);
	free(line);
	fclose(file);
}

void
recorded_reply(Reply *reply, int n)
{
	const json_t *answer;
	const char *type = "application/json";
	const char *text;
	Buffer		extra = {0};
	Buffer		body = {0};
	json_t	   *header;
	size_t		i;

	if (n < 1 || n > count)
		die("there is no answer %d: --answers has %d", n, count);
	answer = answers[n - 1];
	buffer_add(&extra, "", 0);
	json_array_foreach(json_object_get(answer, "headers"), i, header)
	{
		text = json_string_value(header);
		if (text != NULL && strncasecmp(text, "Content-Type: ", 14) == 0)
			type = text + 14;
		else if (text != NULL)
			buffer_printf(&extra, "%s\r\n", text);
	}
	text = json_string_value(json_object_get(answer, "body"));
	buffer_text(&body, text ? text : "");
	http_reply(reply, (int) json_integer_value(json_object_get(answer, "status")), type, extra.data,
			   &body, LENGTH_TOLD);
	buffer_free(&body);
	buffer_free(&extra);
}
