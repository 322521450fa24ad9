/*
 * shipped.c
 *	  The tasks that come with the extension, and what CREATE EXTENSION checks of the
 *	  server before it adds them.
 *
 * The Chinese is here and not in the install script because a script is read in the
 * database's encoding.  The prompts are llava-instruct-zh-600k's, byte for byte (the
 * backslashes are theirs); a regression test holds their digests.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "db/db.h"
#include "mb/pg_wchar.h"
#include "task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/lsyscache.h"

/* Pictures with a larger ratio of sides are long, unless a task says otherwise. */
#define LONG_RATIO 4.0

static const char zh_conversation[] =
"设计一个你和一个询问这张照片的人之间的对话。答案应该是视觉AI助手看到图像并回"
"答问题的语气。\n"
"你需要提出不同的问题并给出相应的答案。问题可以包括询问图像视觉内容的问题,包"
"括对象类型、对象计数、对象动作、对象位置、对象之间的相对位置等。必须是有明确"
"答案的问题,即\n"
"(1) 人们可以在图像中明确看到问题所问的内容,并且可以自信地回答;\n"
"(2) 人们可以从图像中肯定地确定它不在图像中。\n"
"问题还可以包括与图像中的内容相关的复杂问题,例如,询问图像中对象的背景知识,要"
"求讨论图像中发生的事件等。同样,不要问不确定的细节。\n"
"在回答复杂问题时要提供详细的答案。例如,给出详细的例子或推理步骤,使内容更具说"
"服力和组织性。如有必要,您可以包含多个段落。最多不超过5轮对话。\n"
"以 用户:...\\n\\n助手:...\\n\\n用户:...\\n\\n助手:...\\n\\n 的格式返回。";

static const char zh_complex_reasoning[] =
"设计一个关于这张照片的问题,并提供详细的答案。必须是除了描述场景以外的复杂问"
"题。\n"
"要回答这些问题,首先需要理解视觉内容,然后根据背景知识进行推理,来解释事情为什"
"么会这样发生,或者为用户的请求提供指导和帮助。你可以通过不在问题中包含视觉内"
"容的细节来使问题具有挑战性,这样回答问题时必须先根据视觉内容进行推理。\n"
"以 问题:...\\n\\n回答:...\\n\\n 的格式返回。";

static const char zh_detail[] =
"详细描述这张照片的场景。包括对象计数、对象位置、对象之间的相对位置等详细信息"
"。\n"
"当图片中存在文字时,需要将文字提取出来进行描述。描述应尽可能全面,尽量覆盖所有"
"对象。";

static const char en_conversation[] =
"Design a conversation between you and a person asking about this photo. The "
"response should be in the tone of a visual AI assistant viewing the image "
"and answering questions.\n"
"You need to propose diverse questions and provide corresponding answers. "
"Questions can include those about the visual content of the image, such as "
"object types, object counts, object actions, object locations, relative "
"positions between objects, etc. Questions must have definite answers, i.e.,\n"
"(1) The content asked in the question can be clearly seen in the image and "
"answered with confidence;\n"
"(2) People can definitely determine from the image that the content is not "
"present in the image.\n"
"Questions can also include complex questions related to the content in the "
"image, such as asking for background knowledge of objects in the image, "
"requesting discussions about events occurring in the image, etc. Similarly, "
"do not ask for uncertain details.\n"
"Provide detailed answers when responding to complex questions. For example, "
"give detailed examples or reasoning steps to make the content more "
"persuasive and well-organized. Multiple paragraphs are allowed if "
"necessary. The conversation must not exceed 5 rounds.\n"
"Return in the format: User: ...\n"
"Assistant: ...\n"
"User: ...\n"
"Assistant: ...";

static const char en_complex_reasoning[] =
"Design a question about this photo and provide a detailed answer. The "
"question must be a complex one other than describing the scene.\n"
"To answer these questions, you first need to understand the visual content, "
"then perform reasoning based on background knowledge to explain why things "
"happen this way, or provide guidance and assistance for the user's request. "
"You can make the question challenging by not including details of the "
"visual content in the question, so that answering the question requires "
"first reasoning based on the visual content.\n"
"Return in the format: Question: ...\n"
"Answer: ...";

static const char en_detail[] =
"Describe the scene in this photo in detail. Include detailed information "
"such as object counts, object locations, relative positions between "
"objects, etc.\n"
"If there is text in the image, extract and describe the text. The "
"description should be as comprehensive as possible, covering all objects in "
"the image.";

static const char zh_triage[] =
"看一看这张图片,判断它值不值得用来提问。先写看到了什么和理由,再下结论。只输出一个 JSON 对象,"
"不要输出别的文字,依次写这些键:\n"
"seen: 图中看得见的主要内容,一到三项,每项不超过十个字,是一个字符串数组;\n"
"kind: 图片的种类,从 照片、截图、海报、商品图、插画、图表、文档、标志、横幅、空白、其他 中选一个;\n"
"has_text: 图中有没有看得清的中文,true 或 false;\n"
"why: 用一句话说明下面两项的理由;\n"
"worth: 0 到 3 的整数。0 表示没有内容可问,如空白、纯色、占位图、单独的标志或图标;1 表示内容很少,"
"只能问出一两句话;2 表示有几样看得清的东西,可以问它们的数量、位置和样子;3 表示内容丰富,可以问出"
"需要推理的问题;\n"
"unsafe: 有没有色情、血腥或其他不适合公开的内容,true 或 false。";

static const char en_triage[] =
"Look at this picture and judge whether it is worth asking questions about. First write what you see "
"and your reason, then the verdict. Output one JSON object and nothing else, with these keys in this order:\n"
"seen: the main things to be seen, one to three items of at most five words, an array of strings;\n"
"kind: what the picture is, one of photo, screenshot, poster, product, illustration, chart, document, logo, "
"banner, blank, other;\n"
"has_text: whether there is legible Chinese text in it, true or false;\n"
"why: one sentence that gives the reason for the next two;\n"
"worth: a whole number from 0 to 3. 0: there is nothing to ask about, as in a blank or plain picture, a "
"placeholder, a lone logo or icon; 1: so little that one or two sentences say it all; 2: several things can "
"be made out, and one can ask how many there are, where and what they are like; 3: rich content that allows "
"questions that need reasoning;\n"
"unsafe: whether there is sexual, bloody or other content that is not fit for the public, true or false.";

static const char *const triage_keys[] = {
	"seen list", "kind text", "has_text boolean", "why text", "worth 0..3", "unsafe boolean"
};

/* Human turns for descriptions; each can be asked about any picture. */
static const char *const questions_zh[] = {
	"请详细描述这张图片。",
	"这张图片里有什么？请尽量说得完整、具体。",
	"请仔细观察这张图片，并描述其中的场景。",
	"能为我详细介绍一下这张图片的内容吗？",
	"请描述图中的主要内容，包括各个物体的数量和所在的位置。",
	"如果要向看不到这张图片的人转述，你会怎样描述它？",
	"请从整体到局部，依次描述这幅画面。",
	"图片展示了怎样的场景？请把你看到的细节都写出来。",
	"请说明画面中各个物体之间的位置关系，并描述整体场景。",
	"请全面地说明这张图片中的视觉内容。",
	"图中都出现了哪些内容？如果有文字，也请一并说明。",
	"请用完整的文字描述你在这张图片中看到的一切。",
	"这张图片拍到或画出了什么？请描述主体、背景以及其中的细节。",
	"帮我写一段这张图片的详细说明。",
	"请留意图片中的颜色、形状和布局，给出细致的描述。",
	"你能看到什么？请尽可能详尽地说一说。",
};

static const char *const questions_en[] = {
	"Describe this image in detail.",
	"What is in this image? Please be complete and specific.",
	"Look closely at this picture and describe the scene.",
	"Can you give me a detailed account of what this image shows?",
	"Describe the main content of the image, with the number and position of the objects.",
	"How would you describe this picture to someone who cannot see it?",
	"Describe this image from the overall impression down to the details.",
	"What kind of scene is shown here? Write down all the details you notice.",
	"Explain how the objects in the picture are placed relative to each other, and describe the whole scene.",
	"Give a comprehensive description of the visual content of this image.",
	"What appears in this image? If there is any text, include it in your answer.",
	"Put everything you see in this picture into words.",
	"What does this image depict? Describe the subject, the background and the finer details.",
	"Please write a detailed caption for this image.",
	"Pay attention to colours, shapes and layout, and describe the image carefully.",
	"What can you see? Please tell me as much as possible.",
};

typedef struct ShippedTask
{
	const char *name;
	const char *alias;			/* or NULL */
	const char *title;
	const char *prompt;
	const char *kind;
	const char *language;
	int64		weight;			/* llava-instruct-zh-600k's count */
} ShippedTask;

static const ShippedTask shipped_tasks[] = {
	{"日常对话", "conversation", "关于图片的多轮对话", zh_conversation,
	"dialogue", "zh", 247431},
	{"复杂推理", "complex_reasoning", "需要推理的复杂问题与详细回答", zh_complex_reasoning,
	"question_answer", "zh", 194646},
	{"描述图片", "detail", "图片的详细描述", zh_detail,
	"description", "zh", 199791},
	{"conversation_en", NULL, "Conversation about the picture", en_conversation,
	"dialogue", "en", 0},
	{"complex_reasoning_en", NULL, "Complex question and detailed answer", en_complex_reasoning,
	"question_answer", "en", 0},
	{"detail_en", NULL, "Detailed description", en_detail,
	"description", "en", 0},
	{"筛选", "triage", "图片值不值得提问", zh_triage,
	"json", "zh", 0},
	{"triage_en", NULL, "Whether the picture is worth asking about", en_triage,
	"json", "en", 0},
};

/* Sampling of a kind; an answer ends by itself long before max_tokens. */
static void
default_sampling(VlmSampling *sampling, ReplyKind kind)
{
	sampling->max_tokens = kind == REPLY_DIALOGUE ? 2048 :
		kind == REPLY_QUESTION_ANSWER ? 1536 : kind == REPLY_DESCRIPTION ? 1024 : 512;
	sampling->temperature = kind == REPLY_OBJECT ? 0.2 : 0.7;
	sampling->top_p = 0.8;
	sampling->repetition_penalty = 1.05;
	sampling->presence_penalty = NAN;
	sampling->seed = -1;
}

/* The same lengths said in English take three letters where Chinese takes one. */
static void
english_rules(ReplyRules *rules)
{
	rules->min_question_chars = 10;
	rules->max_question_chars = 600;
	rules->min_letters = rules->kind == REPLY_DIALOGUE ? 200 :
		rules->kind == REPLY_QUESTION_ANSWER ? 300 : 250;
}

void
task_defaults(LlavaTask *task, ReplyKind kind, ReplyLanguage language)
{
	task->kind = kind;
	task->language = language;
	default_sampling(&task->sampling, kind);
	reply_rules_default(&task->rules, kind);
	task->long_ratio = LONG_RATIO;
	task->rules.language = language;
	task->rules.min_rounds = 1;
	task->rules.max_rounds = kind == REPLY_DIALOGUE ? 5 : 1;
	if (language == REPLY_LANGUAGE_EN && kind != REPLY_OBJECT)
		english_rules(&task->rules);
}

const char *const *
shipped_questions(ReplyLanguage language, int *n)
{
	if (language == REPLY_LANGUAGE_EN)
	{
		*n = lengthof(questions_en);
		return questions_en;
	}
	*n = lengthof(questions_zh);
	return questions_zh;
}

static Datum
text_array(const char *const *words, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(words[i]);
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* text[] of the questions; only a description's human turn is supplied by us. */
static Datum
questions_array(const ShippedTask *task)
{
	int			n;
	const char *const *questions = shipped_questions(task_language(task->language), &n);

	return text_array(questions, n);
}

enum
{
	SHIP_NAME,
	SHIP_ALIAS,
	SHIP_TITLE,
	SHIP_PROMPT,
	SHIP_KIND,
	SHIP_LANGUAGE,
	SHIP_WEIGHT,
	SHIP_QUESTIONS,
	SHIP_REQUIRED,
	SHIP_SIZE
};

/* The trigger of llava_task adds the numbers that a task of its kind has by default. */
static SqlStatement sql_task_ship = {
	.text =
	"INSERT INTO @.llava_task (version, shipped, name, alias, title, prompt, kind, language,"
	"  weight, questions) VALUES (1, true, $1, $2, $3, $4, $5, $6, $7, $8)",
	.types = "ttttttlT"
};

/* 1.0.0 had neither the kind nor the column. */
static SqlStatement sql_task_ship_object = {
	.text =
	"INSERT INTO @.llava_task (version, shipped, name, alias, title, prompt, kind, language,"
	"  weight, questions, required) SELECT 1, true, $1, $2, $3, $4, $5, $6, $7, $8, $9"
	" WHERE NOT EXISTS (SELECT FROM @.llava_task WHERE name IN ($1, $2) OR alias IN ($1, $2))",
	.types = "ttttttlTT"
};

static void
ship(const ShippedTask *task)
{
	Datum		values[SHIP_SIZE] = {0};
	char		nulls[SHIP_SIZE];

	memset(nulls, ' ', sizeof(nulls));
	values[SHIP_NAME] = CStringGetTextDatum(task->name);
	nulls[SHIP_ALIAS] = 'n';
	if (task->alias != NULL)
	{
		values[SHIP_ALIAS] = CStringGetTextDatum(task->alias);
		nulls[SHIP_ALIAS] = ' ';
	}
	values[SHIP_TITLE] = CStringGetTextDatum(task->title);
	values[SHIP_PROMPT] = CStringGetTextDatum(task->prompt);
	values[SHIP_KIND] = CStringGetTextDatum(task->kind);
	values[SHIP_LANGUAGE] = CStringGetTextDatum(task->language);
	values[SHIP_WEIGHT] = Int64GetDatum(task->weight);
	nulls[SHIP_QUESTIONS] = 'n';
	if (task_kind(task->kind) == REPLY_DESCRIPTION)
	{
		values[SHIP_QUESTIONS] = questions_array(task);
		nulls[SHIP_QUESTIONS] = ' ';
	}
	if (task_kind(task->kind) == REPLY_OBJECT)
	{
		values[SHIP_REQUIRED] = text_array(triage_keys, lengthof(triage_keys));
		sql_run(&sql_task_ship_object, values, nulls, 0);
	}
	else
		sql_run(&sql_task_ship, values, nulls, 0);
}

PG_FUNCTION_INFO_V1(llava_require_utf8);
PG_FUNCTION_INFO_V1(llava_set_compression);
PG_FUNCTION_INFO_V1(llava_ship_tasks);

/*
 * ERROR unless the database's encoding can hold what models say, or if the schema has a
 * function that the script could call in place of the extension's.
 */
Datum
llava_require_utf8(PG_FUNCTION_ARGS)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("llava_zh needs a database with encoding UTF8, this one has %s",
						GetDatabaseEncodingName()),
				 errhint("CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0;")));
	extension_check_planted(get_func_namespace(fcinfo->flinfo->fn_oid));
	PG_RETURN_VOID();
}

static SqlStatement sql_compress_reply = {
	.text =
	"ALTER TABLE @.llava_reply ALTER COLUMN body SET COMPRESSION lz4",
	.types = ""
};

static SqlStatement sql_compress_conversation = {
	.text =
	"ALTER TABLE @.llava_conversation ALTER COLUMN conversation SET COMPRESSION lz4",
	.types = ""
};

/* Compresses replies and conversations with lz4 if this server was built with it. */
Datum
llava_set_compression(PG_FUNCTION_ARGS)
{
#ifdef USE_LZ4
	rows_spi_connect();
	sql_run(&sql_compress_reply, NULL, NULL, 0);
	sql_run(&sql_compress_conversation, NULL, NULL, 0);
	SPI_finish();
#endif
	PG_RETURN_VOID();
}

static SqlStatement sql_any_shipped = {
	.text =
	"SELECT 1 FROM @.llava_task WHERE shipped LIMIT 1",
	.types = ""
};

/* Whether an older version has shipped its tasks already. */
static bool
has_shipped(void)
{
	bool		any;

	rows_spi_connect();
	any = sql_run(&sql_any_shipped, NULL, NULL, 0) > 0;
	SPI_finish();
	return any;
}

/* Inserts the shipped tasks, version 1 of each; a task of a user's that has the name stays. */
Datum
llava_ship_tasks(PG_FUNCTION_ARGS)
{
	bool		objects = get_attnum(extension_relation("llava_task"), "required") != InvalidAttrNumber;
	bool		updating = has_shipped();

	rows_spi_connect();
	for (int i = 0; i < lengthof(shipped_tasks); i++)
		if (task_kind(shipped_tasks[i].kind) == REPLY_OBJECT ? objects : !updating)
			ship(&shipped_tasks[i]);
	SPI_finish();
	PG_RETURN_VOID();
}
