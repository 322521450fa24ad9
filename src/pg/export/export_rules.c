/*
 * export_rules.c
 *	  What would break a training run, rule by rule.  A sample that breaks one stays out
 *	  of every export; llava_validate lists them.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "export.h"
#include "mb/pg_wchar.h"
#include "reply/reply.h"

/* Pillow refuses twice its MAX_IMAGE_PIXELS as a decompression bomb. */
#define PILLOW_MAX_PIXELS ((int64) 2 * 89478485)

/* What OpenAI, Azure and together.ai take at most. */
#define DATA_URL_MAX_BYTES (10 * 1024 * 1024)

/* How much of a text a detail shows. */
#define DETAIL_CHARS 40

/* Of a turn beside its text, about. */
#define TURN_TOKENS 5

const ExportRule export_rules[FAULTS] = {
	[FAULT_IMAGE_MISSING] = {"image_missing", "neither path nor hash of the image, or without its bytes"},
	[FAULT_IMAGE_NAME] = {"image_name", "a name that a loader would not look for below the images' folder"},
	[FAULT_IMAGE_NAME_TWICE] = {"image_name_twice", "a name that another image has, too"},
	[FAULT_IMAGE_BROKEN] = {"image_broken", "a rejected image"},
	[FAULT_IMAGE_CUT] = {"image_cut", "an image of which rows are missing"},
	[FAULT_IMAGE_PIXELS] = {"image_pixels", "more pixels than Pillow opens"},
	[FAULT_IMAGE_FORMAT] = {"image_format", "an image of a format that is not taken"},
	[FAULT_IMAGE_COLOURS] = {"image_colours", "an image that is grey or CMYK"},
	[FAULT_IMAGE_BYTES] = {"image_bytes", "an image of more than 10 MB"},
	[FAULT_CONVERSATION] = {"conversation", "a conversation that is no list of turns"},
	[FAULT_ODD_TURNS] = {"odd_turns", "an odd number of turns"},
	[FAULT_ROLES] = {"roles", "turns that do not alternate human and gpt"},
	[FAULT_EMPTY_TURN] = {"empty_turn", "an empty turn"},
	[FAULT_IMAGE_TOKEN] = {"image_token", "an image token in a turn"},
	[FAULT_MEDIA_TOKEN] = {"media_token", "a video or audio token in a turn"},
	[FAULT_SPECIAL_TOKEN] = {"special_token", "a special token in a turn"},
	[FAULT_THINK_TAG] = {"think_tag", "a think tag in a turn"},
	[FAULT_CUTOFF_LEN] = {"cutoff_len", "more tokens than the cutoff_len"},
};

/* What its colours are, if that is known and it is neither RGB nor RGBA; else NULL. */
static const char *
other_colours(const ExportSample *sample)
{
	if (sample->channels == 1 || sample->channels == 2)
		return "grey";
	if (sample->channels == 4 && sample->image_format != NULL &&
		strcmp(sample->image_format, "jpeg") == 0)
		return "CMYK";
	return NULL;
}

char *
export_fault_detail(ExportFault fault, const ExportSample *sample)
{
	switch (fault)
	{
		case FAULT_IMAGE_MISSING:
			return pstrdup("its row, its bytes, or both path and hash are missing");
		case FAULT_IMAGE_NAME:
		case FAULT_IMAGE_NAME_TWICE:
			return pstrdup(sample->name);
		case FAULT_IMAGE_BROKEN:
			return pstrdup(sample->rejected);
		case FAULT_IMAGE_PIXELS:
			return psprintf("%d x %d", sample->width, sample->height);
		case FAULT_IMAGE_FORMAT:
			return pstrdup(sample->image_format);
		case FAULT_IMAGE_COLOURS:
			return pstrdup(other_colours(sample));
		case FAULT_IMAGE_BYTES:
			return psprintf("%zu bytes",
							toast_raw_datum_size(PointerGetDatum(sample->picture)) - VARHDRSZ);
		case FAULT_CUTOFF_LEN:
			return psprintf("about " INT64_FORMAT " tokens", sample->tokens);
		case FAULT_ODD_TURNS:
			return psprintf("there are %d", (int) JB_ROOT_COUNT(sample->conversation));
		default:
			if (sample->turn == 0)
				return pstrdup("");
			if (sample->at == NULL)
				return psprintf("turn %d", sample->turn);
			return psprintf("turn %d: %.*s", sample->turn,
							pg_mbcharcliplen(sample->at, sample->at_length, DETAIL_CHARS),
							sample->at);
	}
}

/* ---- the image ---- */

static ExportFault
check_picture(const ExportSample *sample, const ExportShape *shape)
{
	const char *format = sample->image_format;

	if (sample->rejected != NULL)
		return FAULT_IMAGE_BROKEN;
	if ((int64) sample->width * sample->height > PILLOW_MAX_PIXELS)
		return FAULT_IMAGE_PIXELS;
	/* with the setting, llava_export_images writes the rows that are there */
	if (sample->cut && !llava_image_take_cut)
		return FAULT_IMAGE_CUT;
	/* a data URL has the file's own bytes, which Pillow may refuse */
	if (sample->ends_early && shape->data_urls)
		return FAULT_IMAGE_CUT;
	if (shape->format == EXPORT_OPENAI && format != NULL && strcmp(format, "jpeg") != 0 &&
		strcmp(format, "png") != 0 && strcmp(format, "webp") != 0)
		return FAULT_IMAGE_FORMAT;
	if (shape->format == EXPORT_OPENAI && other_colours(sample) != NULL)
		return FAULT_IMAGE_COLOURS;
	if (!shape->data_urls)
		return FAULT_NONE;
	if (sample->picture == NULL || format == NULL)
		return FAULT_IMAGE_MISSING;
	if (toast_raw_datum_size(PointerGetDatum(sample->picture)) - VARHDRSZ > DATA_URL_MAX_BYTES)
		return FAULT_IMAGE_BYTES;
	return FAULT_NONE;
}

ExportFault
export_check_image(ExportSample *sample, const ExportShape *shape)
{
	ExportFault fault = export_name(sample, shape);

	return fault == FAULT_NONE ? check_picture(sample, shape) : fault;
}

/* ---- turns ---- */

/*
 * The special token for which a trainer's template or tokenizer would take a part of the
 * text.
 */
static ExportFault
check_tokens(ExportSample *sample, const char *bytes, int length, int rules)
{
	ReplyToken	token;

	sample->at = reply_find_token(bytes, length, rules, &token);
	if (sample->at == NULL)
		return FAULT_NONE;
	sample->at_length = bytes + length - sample->at;
	switch (token.kind)
	{
		case TOKEN_IMAGE:
			return FAULT_IMAGE_TOKEN;
		case TOKEN_MEDIA:
			return FAULT_MEDIA_TOKEN;
		case TOKEN_THINK:
			return FAULT_THINK_TAG;
		default:
			return FAULT_SPECIAL_TOKEN;
	}
}

/* A string of a turn; false if it is missing or is not a string. */
static bool
turn_string(JsonbContainer *turn, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(turn, key, strlen(key), value) != NULL &&
		value->type == jbvString;
}

/* An estimate: one token for each character outside of ASCII, one for three within it. */
static int64
text_tokens(const char *bytes, int length)
{
	int64		wide = 0;
	int64		ascii = 0;

	for (int i = 0; i < length; i++)
	{
		ascii += !IS_HIGHBIT_SET(bytes[i]);
		wide += (unsigned char) bytes[i] >= 0xc0;
	}
	return wide + ascii / 3;
}

ExportFault
export_check_turns(ExportSample *sample)
{
	Jsonb	   *conversation = sample->conversation;

	sample->turn = 0;
	sample->at = NULL;
	sample->tokens = 0;
	if (!JB_ROOT_IS_ARRAY(conversation) || JB_ROOT_IS_SCALAR(conversation) ||
		JB_ROOT_COUNT(conversation) == 0)
		return FAULT_CONVERSATION;
	return JB_ROOT_COUNT(conversation) % 2 == 0 ? FAULT_NONE : FAULT_ODD_TURNS;
}

ExportFault
export_check_turn(ExportSample *sample, JsonbContainer *turn, JsonbValue *value,
				  const ExportShape *shape)
{
	const char *role = sample->turn % 2 == 1 ? "human" : "gpt";
	JsonbValue	from;

	if (!JsonContainerIsObject(turn) || JsonContainerSize(turn) != 2 ||
		!turn_string(turn, "from", &from) || !turn_string(turn, "value", value))
		return FAULT_CONVERSATION;
	if (from.val.string.len != strlen(role) ||
		memcmp(from.val.string.val, role, strlen(role)) != 0)
		return FAULT_ROLES;
	if (reply_is_blank(value->val.string.val, value->val.string.len))
		return FAULT_EMPTY_TURN;
	if (shape->cutoff_len > 0)
		sample->tokens += TURN_TOKENS + text_tokens(value->val.string.val, value->val.string.len);
	return check_tokens(sample, value->val.string.val, value->val.string.len,
						shape->rules);
}

ExportFault
export_check_length(ExportSample *sample, const ExportShape *shape)
{
	if (shape->cutoff_len == 0)
		return FAULT_NONE;
	sample->tokens += Min(((int64) sample->width / IMAGE_FACTOR + 1) *
						  (sample->height / IMAGE_FACTOR + 1), IMAGE_MAX_TOKENS);
	return sample->tokens > shape->cutoff_len ? FAULT_CUTOFF_LEN : FAULT_NONE;
}
