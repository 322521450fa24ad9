/*
 * test_reply_object_property.c
 *	  Objects written in any manner and put among drafts, thoughts and prose come back equal
 *	  or are rejected, and never as something else; what is cut is rejected.
 *
 * REPLY_SEED=n and OBJECT_ROUNDS=n choose another sequence, or a longer one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "objects.h"

#define ROUNDS 20000			/* 100,000 were run for each change of the parser */
#define SHOWN 8

/* Most of the time would go into memory that is kept back. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4:malloc_context_size=1";
}

static long
from_environment(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value == NULL ? otherwise : atol(value);
}

static ReplyKey keys[4];

static const ReplyRules rules = {.kind = REPLY_OBJECT,.required = keys,.n_required = 4};

static void
read_keys(void)
{
	static const char *const specs[] = {"worth 0..3", "has_text boolean", "why text", "lines list"};

	for (int i = 0; i < 4; i++)
		assert_true(reply_key_parse(specs[i], strlen(specs[i]), &keys[i]));
}

/* What is to come back, and the reply that says so. */
typedef struct Trial
{
	json_t	   *object;
	Text		reply;
	Text		room;
	Manner		how;
	bool		refuse;			/* nothing may come back */
	bool		must;			/* it must come back, since nothing is unsure */
	ReplyFinish finish;
	size_t		from;			/* the document's place */
	size_t		end;
} Trial;

static const char *const before[] = {
	"好的，以下是结果：\n", "Sure, here it is:\n\n", "### 判断\n", "结果（见图[1]）：", "按 {字段} 填写：\n", "It's a \"photo\".\n", "JSON:\n", "**答案**\n\n", "1. 先看图\n2. 再判断\n"
};
static const char *const behind[] = {
	"\n以上是我的判断。", "\n\nLet me know!", "。", "\n（完）", " [1]", "\n说明：它写着\"营业\"。", "\n{}", "\nNote: it's fine {ok}."
};

/* Another object of the same task, as a template or a draft. */
static void
put_draft(Trial *t)
{
	static const char *const templates[] = {
		"{\"worth\": 0-3, \"has_text\": true/false, \"why\": \"理由\", \"lines\": [\"...\"]}\n",
		"{\"worth\": <int>, \"has_text\": <bool>, \"why\": \"<text>\", \"lines\": []}\n",
		"{\"worth\": 0, \"has_text\": true, \"why\": \"…\", \"lines\": [\"…\"]}\n", "{...}\n", "{\"worth\": ...}\n"
	};
	Manner		how;
	json_t	   *object;

	if (chance(50))
	{
		put(&t->reply, PICK(templates));
		return;
	}
	memset(&how, 0, sizeof(how));
	object = compose_object(&t->room, true, &marks[0]);
	put_object(&t->reply, &how, object);
	put(&t->reply, "\n");
	json_decref(object);
}

static void
put_before(Trial *t)
{
	if (chance(15))
	{
		put(&t->reply, chance(50) ? "<think>\n先想想。" : "<thinking>hm");
		if (chance(50))
			put_draft(t);
		put(&t->reply, strstr(t->reply.p, "<thinking>") != NULL ? "</thinking>\n" : "\n</think>\n");
	}
	if (chance(40))
		put(&t->reply, PICK(before));
	for (int i = (int) below(3); i > 0 && chance(30); i--)
		put_draft(t);
	if (chance(30))
		put(&t->reply, chance(50) ? "```json\n" : "```\n");
}

/* The same key earlier, with another value. */
static void
put_duplicate(Trial *t)
{
	size_t		at = t->from;
	Text		rest = t->room;

	if (t->reply.p[at] != '{' || t->how.bare_keys)
		return;
	at++;
	rest.n = 0;
	put(&rest, t->reply.p + at);
	t->reply.n = at;
	put(&t->reply, "\"why\": \"早先\", ");
	put(&t->reply, rest.p);
}

/* A document of its own, or in a wrapping. */
static void
put_document(Trial *t)
{
	const char *close = "";

	t->from = t->reply.n;
	if (chance(10))
	{
		put(&t->reply, "{\"result\": ");
		close = "}";
	}
	else if (chance(8))
	{
		put(&t->reply, "[");
		close = chance(30) ? ",]" : "]";
	}
	put_object(&t->reply, &t->how, t->object);
	put(&t->reply, close);
	if (chance(5) && *close == '\0')
		put_duplicate(t);
	t->end = t->reply.n;
}

/* The worth as models write numbers; *converts: it is taken. */
static json_t *
number_as_text(int worth, bool *converts)
{
	static const char *const good[][3] = {
		{"0", "1", "2"}, {"０", "１", "２"}, {"0/3", "1/3", "2/3"}, {"0.0", "1.0", "2.0"}
	};
	static const char *const bad[] = {"two", "二", "2分", "2.5", "2/5", "", "1-2", "2点", "high"};

	*converts = worth < 3 && chance(60);
	return json_string(*converts ? good[below(4)][worth] : PICK(bad));
}

/* Writes the object with another worth than it has, and back. */
static void
put_with_number(Trial *t)
{
	json_t	   *worth = json_incref(json_object_get(t->object, "worth"));
	bool		converts;

	json_object_set_new(t->object, "worth", number_as_text((int) json_integer_value(worth), &converts));
	put_document(t);
	t->refuse |= !converts;
	json_object_set_new(t->object, "worth", worth);
}

static void
put_behind(Trial *t)
{
	if (chance(5))
	{
		/* cut: somewhere in the document */
		t->reply.n = t->from + 1 + below(t->end - t->from - 1);
		t->reply.p[t->reply.n] = '\0';
		t->finish = chance(70) ? REPLY_FINISH_LENGTH : REPLY_FINISH_STOP;
		t->refuse = true;
		return;
	}
	if (chance(5))
	{
		put(&t->reply, chance(50) ? "}" : "<|im_end|>\n<|im_start|>user\n{\"worth\": 0}");
		return;
	}
	if (chance(30))
		put(&t->reply, "\n```");
	if (chance(5))
	{
		for (int i = 0; i < 300; i++)
			put(&t->reply, chance(50) ? "\n" : "  ");
		t->finish = REPLY_FINISH_LENGTH;
	}
	else if (chance(30))
		put(&t->reply, PICK(behind));
}

static void
compose_trial(Trial *t)
{
	bool		tame;

	choose_manner(&t->how);
	tame = t->how.forgets;
	t->object = compose_object(&t->room, tame, &marks[t->how.quotes]);
	t->refuse = false;
	t->finish = REPLY_FINISH_STOP;
	t->reply.n = 0;
	t->reply.p[0] = '\0';
	put_before(t);
	if (chance(10))
		put_with_number(t);
	else
		put_document(t);
	put_behind(t);
	t->must = !t->refuse && !t->how.forgets;
}

static bool
is_equal(json_t *a, json_t *b)
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
		json_array_foreach(a, i, value)
			if (!is_equal(value, json_array_get(b, i)))
				return false;
		return json_array_size(a) == json_array_size(b);
	}
	if (!json_is_object(a))
		return json_equal(a, b);
	json_object_foreach(a, key, value)
		if (json_object_get(b, key) == NULL || !is_equal(value, json_object_get(b, key)))
			return false;
	return json_object_size(a) == json_object_size(b);
}

/* What is wrong with the result, or NULL. */
static const char *
wrong_with(const Trial *t, const ReplyResult *result)
{
	json_t	   *object;
	bool		equal;

	if (result->reason != REPLY_ACCEPTED)
		return t->must ? reply_reason_name(result->reason) : NULL;
	if (t->refuse)
		return "it should be rejected";
	object = json_loadb(result->object, result->object_length, 0, NULL);
	if (object == NULL)
		return "what came back is no strict JSON";
	equal = is_equal(t->object, object);
	json_decref(object);
	return equal ? NULL : "another object came back";
}

static void
show(const Trial *t, const ReplyResult *result, const char *what)
{
	char	   *object = json_dumps(t->object, JSON_COMPACT);

	printf("---- %s:\n%s\n---- made of %s\n---- it is %s\n", what, t->reply.p, object,
		   result->object == NULL ? "none" : result->object);
	free(object);
}

static void
objects_come_back_equal_or_not_at_all(void **state)
{
	long		n = from_environment("OBJECT_ROUNDS", ROUNDS);
	long		wrong = 0;
	long		back = 0;
	Trial		t;

	(void) state;
	read_keys();
	random_state = (uint64_t) from_environment("REPLY_SEED", 20240229) * 2654435769u + 5;
	t.reply.p = malloc(OBJECT_ROOM);
	t.room.p = malloc(OBJECT_ROOM);
	assert_true(t.reply.p != NULL && t.room.p != NULL);
	for (long i = 0; i < n; i++)
	{
		ReplyResult result;
		const char *what;

		compose_trial(&t);
		reply_parse(&rules, t.reply.p, t.reply.n, t.finish, &result);
		what = wrong_with(&t, &result);
		if (what != NULL && wrong++ < SHOWN)
			show(&t, &result, what);
		back += result.reason == REPLY_ACCEPTED;
		reply_result_free(&result);
		json_decref(t.object);
	}
	free(t.reply.p);
	free(t.room.p);
	printf("%ld of %ld objects came back, %ld wrong\n", back, n, wrong);
	assert_int_equal(wrong, 0);
	assert_true(back > n * 3 / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_back_equal_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
