/*
 * parts.h
 *	  What the files of src/reply share: the normalised reply, turns being made.
 */
#ifndef LLAVA_REPLY_PARTS_H
#define LLAVA_REPLY_PARTS_H

#include "reply.h"
#include "text.h"

/* A turn whose text is a span of the working text, or malloc'd (JSON, merged). */
typedef struct Part
{
	bool		human;
	Span		text;
	char	   *owned;			/* or NULL */
} Part;

typedef struct Parts
{
	Part	   *items;
	int			n;
	int			room;
	bool		cut;			/* the text ended inside the last one */
	bool		no_memory;
} Parts;

extern void parts_add(Parts *parts, bool human, Span text, char *owned);
extern void parts_remove(Parts *parts, int first, int count);
extern void parts_free(Parts *parts);
extern bool parts_have_both(const Parts *parts);	/* some of each side */

/* Characters that normalising has met, by which costlier looks are spared. */
typedef struct Seen
{
	int			bytes;			/* as text has that was read as Latin-1 */
	int			pairs;			/* common ones in UTF-8 that was read as GBK */
	int			fillers;		/* of what stands for text that was lost */
	int			debris;			/* a tokenizer's signs for blanks and line
								 * ends */
	int			marks;			/* of citations */
	int			triangles;		/* of Kimi's tokens */
} Seen;

/* One reply at work. */
typedef struct Work
{
	const ReplyRules *rules;
	ReplyFinish finish;
	ReplyResult *result;
	char	   *buffer;
	uint32_t   *origin;			/* of each byte of buffer; NULL: its own place */
	Span		text;
	Parts		parts;
	bool		no_memory;
	Span		raw;			/* the reply as it came */
	Seen		seen;
	bool		may_have_tokens;	/* a sign that some begin with is there */
	bool		may_have_entities;
} Work;

/* ---- clean.c ---- */

/* The reason given, with where in the raw reply it is. */
extern ReplyReason work_at(Work *work, const char *where, ReplyReason reason);

/* From here on the buffer's bytes are not where they were; false without memory. */
extern bool work_keep_origins(Work *work, size_t size);

extern ReplyReason work_normalise(Work *work, const char *reply, size_t size);
extern bool work_undo_written_newlines(Work *work); /* where they separate
													 * turns */

/* ---- token_scan.c ---- */

/* Control tokens of a text, one by one, but for those that it only names. */
typedef struct TokenScan
{
	Span		text;
	const char *p;
	const char *angle;			/* the next '<'; NULL: there is none */
	const char *square;
	const char *triangle;
	bool		loose;			/* a '<|...|>' may have any name */
} TokenScan;

/* Triangles: the text may have Kimi's tokens, which take longer to look for. */
extern void tokens_begin(TokenScan *scan, Span text, bool loose, bool triangles);
extern void work_scan(const Work *work, TokenScan *scan, Span text);
extern bool tokens_next(TokenScan *scan, ReplyToken *token);

/* Whether text begins with one. */
extern bool token_begins(Span text, ReplyToken *token);

/* Whether it stands where a sentence, a line or the text ends; one that is no word does anywhere. */
extern bool token_ends(Span text, const ReplyToken *token);

/* Whether the second closes what the first opens. */
extern bool token_pairs(const ReplyToken *token, const ReplyToken *closing);

/* The first that no finished turn may hold. */
extern bool text_find_token(Span text, bool triangles, ReplyToken *token);

/* Cuts text where the model's turn ends; any token left: the reason, and where. */
extern ReplyReason text_cut_at_token(Span *text, bool triangles, const char **where,
									 uint32_t *flags);

/* ---- wrap.c ---- */

/* What a server's stream or a chat template left before and behind the reply. */
extern void work_unwrap_stream(Work *work);
extern void work_unwrap_head(Work *work);
extern ReplyReason work_remove_think(Work *work);

/* Cuts and unwraps at control tokens; any that is left: the reason. */
extern ReplyReason work_look_for_tokens(Work *work);

/* ---- seen.c ---- */

extern void seen_take(Seen *seen, uint32_t c);

/* For the first byte of three, the second ones of those Han that seen_take counts. */
static inline bool
seen_block(const unsigned char *s)
{
	static const uint64_t seconds[16] = {
		[0x5] = UINT64_C(1) << 0x31,	/* 屯 */
		[0x6] = UINT64_C(1) << 0x36,	/* 涓 */
		[0x7] = UINT64_C(1) << 0x03 | UINT64_C(1) << 0x34,	/* 烫 紝 */
		[0x9] = UINT64_C(1) << 0x14 | UINT64_C(1) << 0x0A | UINT64_C(1) << 0x08 | UINT64_C(1) << 0x10	/* 锛锟 銆 鈥 鐨 */
	};

	return seconds[s[0] & 0x0F] >> (s[1] & 0x3F) & 1;
}

/* ---- garbled.c ---- */

/* The working text; the finished turns, where JSON has decoded them. */
extern ReplyReason work_look_for_garbage(Work *work);
extern ReplyReason parts_look_for_garbage(const Parts *parts);

/* Whether hardly any Han of the text is a common one, and some tell of a wrong reading. */
extern bool text_is_uncommon(Span text);

/* ---- marks.c ---- */

/* Citation marks and entities out of the finished turns; what is left must be a text. */
extern ReplyReason work_clean_parts(Work *work);

/* ---- shape.c ---- */

/* Where the reply's JSON begins, if no label stands before it; else NULL. */
extern const char *work_json(const Work *work);

/* The clean text to checked turns in work->parts; REPLY_ACCEPTED or why not. */
extern ReplyReason work_parse_content(Work *work);

/* ---- label.c ---- */

typedef struct Label
{
	bool		human;
	bool		latin;
	bool		bold;
	bool		bracket;
	bool		heading;
	bool		colon;
	bool		bullet;
	bool		number;
	bool		indent;
	const char *end;			/* behind label and blanks */
} Label;

/* The label at the start of this line, of dialogue or of reasoning. */
extern bool label_parse(Span line, ReplyKind set, Label *label);

/* What the first labels fixed. */
typedef struct Signature
{
	bool		known;
	Label		common;
	bool		role_known[2];
	Label		role[2];
} Signature;

/* Whether a later label shares the signature; the first of a role completes it. */
extern bool signature_takes(Signature *signature, const Label *label);

extern bool line_is_rule(Span line);	/* --- or a round header, alone */
extern bool line_is_fence(Span line);
extern Span line_without_quote(Span line);	/* behind its '>', if it has one */

/* Whether the line has a label that this kind of task accepts. */
extern bool line_has_own_label(Span line, ReplyKind kind);

/* Text behind a description's own label at the very start. */
extern Span label_skip_description(Span text);

/* ---- turns.c ---- */

/* Without the blanks, rules and round headers at its end. */
extern Span turns_trim_rules(Span text);

/* Splits text at its labels; *preamble is what stands before the first. */
extern void turns_split(Span text, ReplyKind set, Parts *parts, Span *preamble);

/* The repairs of replies.md section 2; REPLY_ACCEPTED or why not. */
extern ReplyReason turns_repair(const ReplyRules *rules, ReplyFinish finish, Parts *parts,
								uint32_t *flags);

/* ---- json.c ---- */

typedef struct JsonReply
{
	Parts		parts;
	bool		cut;			/* the document ends early */
	bool		error_object;	/* a provider's error, no turns */
	bool		bad_character;	/* half a surrogate pair, U+FFFD */
} JsonReply;

/* Where a JSON document begins in text, behind at most a preamble; NULL: none. */
extern const char *json_start(Span text);
extern void json_read(Span text, JsonReply *reply);

/* What a hexadecimal digit stands for; -1: it is none. */
extern int	json_hex_digit(char c);

/* ---- notices.c ---- */

extern bool check_is_refusal(Span answer);
extern ReplyReason check_notice(Span text); /* REFUSAL, IMAGE_NOT_SEEN or
											 * ACCEPTED */

/* ---- phrases.c ---- */

extern bool check_is_addressed(Span question);
extern bool check_prompt_echo(Span text, const char *const *prompts);
extern bool check_only_describes(Span question);
extern Span check_trim_closing(Span text, bool *trimmed);

/* ---- loops.c ---- */

/* Loops in these spans taken together; fills loop_share and tail_bigrams. */
extern bool check_degenerate(const Span *spans, int n, double max_share,
							 ReplyMeasures *measures, bool *no_memory);

/* ---- script.c ---- */

#define FIRST_HAN 0x4E00
#define LAST_HAN 0x9FFF
#define HAN_BYTES ((LAST_HAN - FIRST_HAN) / 8 + 1)

/* Characters that only one of the two scripts uses: bits from FIRST_HAN on. */
typedef struct ScriptSets
{
	unsigned char traditional[HAN_BYTES];
	unsigned char simplified[HAN_BYTES];
} ScriptSets;

extern const ScriptSets *script_sets(void);

/* The first size bytes, in room: ASCII letters small, Traditional characters simplified. */
extern Span script_plain(Span span, char *room, size_t size);

/* ---- checks.c ---- */

/* Language, lengths, content flags of finished turns. */
extern ReplyReason check_content(const ReplyRules *rules, const Parts *parts,
								 ReplyMeasures *measures, uint32_t *flags);

/* ---- personal.c ---- */

extern bool check_is_personal(Span text);

/* ---- leaks.c ---- */

/* Adds REPLY_DANGLING_REFERENCE and REPLY_META_LEAK to *flags. */
extern void check_leaks(Span text, uint32_t *flags);

#endif							/* LLAVA_REPLY_PARTS_H */
