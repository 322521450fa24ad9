/*
 * objects.h
 *	  Composes objects that are known, and replies that hold them as models write: other
 *	  quotation marks, words, signs and white space; comments; drafts, thoughts and prose
 *	  round them.  All of it follows from one seed.
 */
#ifndef TEST_OBJECTS_H
#define TEST_OBJECTS_H

#include "replies.h"

#define OBJECT_ROOM (1u << 20)

/* How one document is written. */
typedef struct Manner
{
	int			quotes;			/* an index of marks */
	bool		bare_keys;
	int			wide;			/* per cent of the signs that are full-width */
	bool		python_words;
	int			escapes;		/* per cent of other characters that are escaped */
	bool		raw_lines;		/* line breaks inside texts */
	int			blanks;			/* per cent of places with white space */
	bool		comments;
	bool		trailing;
	bool		forgets;		/* to escape marks inside texts */
} Manner;

typedef struct Marks
{
	const char *open;
	const char *close;
} Marks;

static const Marks marks[] = {{"\"", "\""}, {"'", "'"}, {"“", "”"}, {"＂", "＂"}};

static const char *const words[] = {
	"街景", "店招", "open", "it's", "a photo", "两个人", "值得一问", "清楚", "3 apples", "路牌", "éà", "😀", "x", "的", " ", "，", "。", "、"
};

/* What people put in quotation marks: a comma alone in them would read as two values. */
static const char *const quoted[] = {"营业中", "open", "a photo", "两个人", "3", "A", "出口", "é", "😀"};

/* Pieces that a reader of JSON may trip over. */
static const char *const traps[] = {
	"\"", "\"", "'", "“", "”", "＂", "{", "}", "[", "]", ":", "：", ",", "\\", "\\n", "\n", "\t", "//", "/*", "*/", "#", "```", "```json\n", "<think>", "</think>",
	"<|im_end|>", "{\"worth\": 1}", "\", \"worth\": 0, \"", "\"}", "\r\n", "null", "True", "\\u0041", "\x7F", "\x01", "｛", "｝", "\xE3\x80\x80", "http://a.cn/b", "data: ", "&quot;"
};

/* A text; tame: the marks in it come in pairs around words, as people write them. */
static void
say_text(Text *text, bool tame, const Marks *m)
{
	text->n = 0;
	text->p[0] = '\0';
	for (int i = (int) below(8); i > 0; i--)
	{
		if (!tame && chance(40))
			put(text, PICK(traps));
		else if (tame && chance(40))
		{
			put(text, m->open);
			put(text, PICK(quoted));
			if (chance(20))
				put(text, PICK(words));
			put(text, PICK(quoted));
			put(text, m->close);
		}
		else
			put(text, PICK(words));
	}
}

static const char *const plain_keys[] = {
	"a", "b2", "seen", "note_1", "类型", "文字", "Worth", "why2", "k k", "lines_", "x-y"
};

static json_t *
compose_value(Text *room, int depth, bool tame, const Marks *m)
{
	json_t	   *value;
	int			n = (int) below(4);

	switch (below(depth > 3 ? 5 : 7))
	{
		case 0:
			return json_integer((json_int_t) below(1000) - 500);
		case 1:
			return json_real(((double) below(100000) - 50000) / 64);
		case 2:
			return json_boolean(chance(50));
		case 3:
			return chance(30) ? json_null() : json_integer((json_int_t) below(1u << 30) * 1000003);
		case 4:
			say_text(room, tame, m);
			return json_stringn(room->p, room->n);
		case 5:
			value = json_array();
			for (int i = 0; i < n; i++)
				json_array_append_new(value, compose_value(room, depth + 1, tame, m));
			return value;
		default:
			value = json_object();
			for (int i = 0; i < n; i++)
				json_object_set_new(value, PICK(plain_keys), compose_value(room, depth + 1, tame, m));
			return value;
	}
}

static json_t *
compose_list(Text *room, bool tame, const Marks *m)
{
	json_t	   *list = json_array();

	for (int i = (int) below(4); i > 0; i--)
	{
		say_text(room, tame, m);
		json_array_append_new(list, json_stringn(room->p, room->n));
	}
	return list;
}

/* What the task of these tests requires, in any order, and some more. */
static json_t *
compose_object(Text *room, bool tame, const Marks *m)
{
	json_t	   *object = json_object();
	int			first = (int) below(5);

	for (int i = 0; i < 5; i++)
		switch ((first + i) % 5)
		{
			case 0:
				json_object_set_new(object, "worth", json_integer(below(4)));
				break;
			case 1:
				json_object_set_new(object, "has_text", json_boolean(chance(50)));
				break;
			case 2:
				say_text(room, tame, m);
				json_object_set_new(object, "why", json_stringn(room->p, room->n));
				break;
			case 3:
				json_object_set_new(object, "lines", compose_list(room, tame, m));
				break;
			default:
				for (int j = (int) below(4); j > 0; j--)
					json_object_set_new(object, PICK(plain_keys), compose_value(room, 0, tame, m));
		}
	return object;
}

/* ---- writing it ---- */

static void
put_blank(Text *out, const Manner *how)
{
	static const char *const blanks[] = {" ", " ", "  ", "\n", "\n  ", "\t", "\r\n", "\xE3\x80\x80", "\xC2\xA0", "\\n"};
	static const char *const comments[] = {
		"/* 注 */", "// 说明: \"x\", {1}\n", "/* \"a\": 1, } */", "// it's\n", "# note\n"
	};

	while (chance(how->blanks))
		put(out, PICK(blanks));
	if (how->comments && chance(10))
		put(out, PICK(comments));
}

static void
put_sign(Text *out, const Manner *how, const char *narrow, const char *wide)
{
	put_blank(out, how);
	put(out, chance(how->wide) ? wide : narrow);
	put_blank(out, how);
}

static bool
is_mark(const char *p, const Marks *m)
{
	return strncmp(p, m->open, strlen(m->open)) == 0 || strncmp(p, m->close, strlen(m->close)) == 0;
}

/* One character of a text, from *p. */
static void
put_character(Text *out, const Manner *how, const char **p)
{
	const Marks *m = &marks[how->quotes];
	unsigned char c = (unsigned char) **p;
	char		bytes[16];
	int			n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

	memcpy(bytes, *p, (size_t) n);
	bytes[n] = '\0';
	if (is_mark(*p, m) && !how->forgets)
	{
		put(out, "\\");
		put(out, bytes);
	}
	else if (c == '\\')
		put(out, "\\\\");
	else if (c == '\n' && !how->raw_lines)
		put(out, "\\n");
	else if (c < 0x20 && c != '\n')
	{
		snprintf(bytes, sizeof(bytes), "\\u%04X", c);
		put(out, bytes);
	}
	else if (n == 3 && chance(how->escapes))
	{
		snprintf(bytes, sizeof(bytes), "\\u%04x", (unsigned) ((c & 15) << 12 | ((*p)[1] & 63) << 6 | ((*p)[2] & 63)));
		put(out, bytes);
	}
	else
		put(out, bytes);
	*p += n;
}

static void
put_string(Text *out, const Manner *how, const char *text)
{
	put(out, marks[how->quotes].open);
	while (*text != '\0')
		put_character(out, how, &text);
	put(out, marks[how->quotes].close);
}

static void
put_key(Text *out, const Manner *how, const char *key)
{
	bool		bare = how->bare_keys;

	for (const char *p = key; *p != '\0'; p++)
		bare &= (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';
	if (bare)
		put(out, key);
	else
		put_string(out, how, key);
}

static void put_value(Text *out, const Manner *how, json_t *value);

static void
put_object(Text *out, const Manner *how, json_t *object)
{
	const char *key;
	json_t	   *value;
	bool		first = true;

	put(out, chance(how->wide / 4) ? "｛" : "{");
	put_blank(out, how);
	json_object_foreach(object, key, value)
	{
		if (!first)
			put_sign(out, how, ",", "，");
		put_key(out, how, key);
		put_sign(out, how, ":", "：");
		put_value(out, how, value);
		first = false;
	}
	if (!first && how->trailing)
		put_sign(out, how, ",", "，");
	put_blank(out, how);
	put(out, chance(how->wide / 4) ? "｝" : "}");
}

static void
put_list(Text *out, const Manner *how, json_t *list)
{
	size_t		i;
	json_t	   *value;

	put(out, "[");
	put_blank(out, how);
	json_array_foreach(list, i, value)
	{
		if (i > 0)
			put_sign(out, how, ",", "，");
		put_value(out, how, value);
	}
	if (json_array_size(list) > 0 && how->trailing)
		put_sign(out, how, ",", "，");
	put_blank(out, how);
	put(out, "]");
}

static void
put_value(Text *out, const Manner *how, json_t *value)
{
	char		number[64];

	switch (json_typeof(value))
	{
		case JSON_OBJECT:
			put_object(out, how, value);
			break;
		case JSON_ARRAY:
			put_list(out, how, value);
			break;
		case JSON_STRING:
			put_string(out, how, json_string_value(value));
			break;
		case JSON_INTEGER:
			snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
			put(out, number);
			break;
		case JSON_REAL:
			snprintf(number, sizeof(number), "%.17g", json_real_value(value));
			put(out, number);
			break;
		case JSON_TRUE:
			put(out, how->python_words ? "True" : "true");
			break;
		case JSON_FALSE:
			put(out, how->python_words ? "False" : "false");
			break;
		default:
			put(out, how->python_words ? "None" : "null");
	}
}

static void
choose_manner(Manner *how)
{
	memset(how, 0, sizeof(*how));
	how->quotes = chance(50) ? 0 : (int) below(4);
	how->bare_keys = chance(5);
	how->wide = chance(25) ? (int) below(101) : 0;
	how->python_words = how->quotes == 1 || chance(10);
	how->escapes = chance(10) ? 100 : chance(10) ? 30 : 0;
	how->raw_lines = chance(30);
	how->blanks = (int) below(50);
	how->comments = chance(20);
	how->trailing = chance(20);
	how->forgets = chance(20);
}

#endif							/* TEST_OBJECTS_H */
