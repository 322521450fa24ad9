/*
 * parts.h
 *	  What the files of src/reply share: the normalised reply, and the turns made of it.
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

/*
 * How many characters of each kind normalising has met.  Searches for a kind that has not
 * occurred are skipped.
 */
typedef struct Seen
{
	int			bytes;			/* typical of text that was decoded as Latin-1 */
	int			pairs;			/* typical of UTF-8 that was decoded as GBK */
	int			fillers;		/* that stand for lost text */
	int			debris;			/* a tokenizer's signs for blanks and line
								 * ends */
	int			marks;			/* of citations */
	int			triangles;		/* of Kimi's tokens */
} Seen;

/* A reply while it is being parsed. */
typedef struct Work
{
	const ReplyRules *rules;
	ReplyFinish finish;
	ReplyResult *result;
	char	   *buffer;
	uint32_t   *origin;			/* offset in the reply of each byte of buffer;
								 * NULL: the same as in buffer */
	Span		text;
	Parts		parts;
	bool		no_memory;
	Span		raw;			/* the reply as it came */
	Seen		seen;
	bool		may_have_tokens;	/* it has a character that tokens begin
									 * with */
	bool		may_have_entities;
} Work;

/* ---- clean.c ---- */

/* Returns the reason, and records where in the raw reply it was found. */
extern ReplyReason work_at(Work *work, const char *where, ReplyReason reason);

/* To be called before the buffer's bytes are moved; false if memory has run out. */
extern bool work_keep_origins(Work *work, size_t size);

extern ReplyReason work_normalise(Work *work, const char *reply, size_t size);
extern bool work_undo_written_newlines(Work *work); /* where they separate
													 * turns */

/* ---- token_scan.c ---- */

/* Iterates over the control tokens of a text, except those that it only mentions. */
typedef struct TokenScan
{
	Span		text;
	const char *p;
	const char *angle;			/* the next '<'; NULL: there is none */
	const char *square;
	const char *triangle;
	bool		loose;			/* a '<|...|>' may have any name */
} TokenScan;

/* triangles: the text may have Kimi's tokens, which take longer to find. */
extern void tokens_begin(TokenScan *scan, Span text, bool loose, bool triangles);
extern void work_scan(const Work *work, TokenScan *scan, Span text);
extern bool tokens_next(TokenScan *scan, ReplyToken *token);

/* Whether text begins with a control token. */
extern bool token_begins(Span text, ReplyToken *token);

/*
 * Whether the token stands where a sentence, a line or the text ends.  True for any token
 * that is not a word.
 */
extern bool token_ends(Span text, const ReplyToken *token);

/* Whether the second token closes what the first opens. */
extern bool token_pairs(const ReplyToken *token, const ReplyToken *closing);

/* Finds the first token that no finished turn may hold. */
extern bool text_find_token(Span text, bool triangles, ReplyToken *token);

/*
 * Cuts text where the model's turn ends.  If any other token is left, returns the reason
 * and in *where its place.
 */
extern ReplyReason text_cut_at_token(Span *text, bool triangles, const char **where,
									 uint32_t *flags);

/* ---- wrap.c ---- */

/* Remove what a server's stream or a chat template left before and after the reply. */
extern void work_unwrap_stream(Work *work);
extern void work_unwrap_head(Work *work);
extern ReplyReason work_remove_think(Work *work);

/* Cuts and unwraps at control tokens; returns the reason if any is left. */
extern ReplyReason work_look_for_tokens(Work *work);

/* ---- seen.c ---- */

extern void seen_take(Seen *seen, uint32_t c);

/* Whether the first two bytes of a character are those of a Han that seen_take counts. */
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

/* In the working text; and in the finished turns, where JSON has decoded them. */
extern ReplyReason work_look_for_garbage(Work *work);
extern ReplyReason parts_look_for_garbage(const Parts *parts);

/* Whether hardly any Han of the text is common, and some are typical of wrong decoding. */
extern bool text_is_uncommon(Span text);

/* ---- marks.c ---- */

/* Removes citation marks and entities from the finished turns; what is left must be text. */
extern ReplyReason work_clean_parts(Work *work);

/* ---- shape.c ---- */

/* Where the reply's JSON begins, if no label stands before it; else NULL. */
extern const char *work_json(const Work *work);

/* Makes checked turns of the clean text, in work->parts; REPLY_ACCEPTED or why not. */
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
	const char *end;			/* of the label and blanks after it */
} Label;

/* Parses the label at the start of the line; set: of dialogue or of reasoning. */
extern bool label_parse(Span line, ReplyKind set, Label *label);

/* The form of the first labels, which later ones must share. */
typedef struct Signature
{
	bool		known;
	Label		common;
	bool		role_known[2];
	Label		role[2];
} Signature;

/* Whether a label has the signature's form; the first of a role completes the signature. */
extern bool signature_takes(Signature *signature, const Label *label);

extern bool line_is_rule(Span line);	/* only --- or a round header */
extern bool line_is_fence(Span line);
extern Span line_without_quote(Span line);	/* without a '>' at its start */

/* Whether the line has a label that this kind of task accepts. */
extern bool line_has_own_label(Span line, ReplyKind kind);

/* The text without a description's label at its start. */
extern Span label_skip_description(Span text);

/* ---- turns.c ---- */

/* The text without the blanks, rules and round headers at its end. */
extern Span turns_trim_rules(Span text);

/*
 * Splits text at its labels; *preamble is the text before the first.  inside: an answer's
 * label may also stand right behind the mark that ends its question.
 */
extern void turns_split(Span text, ReplyKind set, bool inside, Parts *parts, Span *preamble);

/* Makes the repairs of replies.md, section 2; REPLY_ACCEPTED or why not. */
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

/* Finds loops in these spans taken together; fills loop_share and tail_bigrams. */
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

/*
 * Copies the first size bytes to room, with ASCII letters in lower case and Traditional
 * characters as Simplified ones.
 */
extern Span script_plain(Span span, char *room, size_t size);

/* ---- checks.c ---- */

/* Checks language and lengths of finished turns, and sets their content flags. */
extern ReplyReason check_content(const ReplyRules *rules, const Parts *parts,
								 ReplyMeasures *measures, uint32_t *flags);

/* ---- personal.c ---- */

extern bool check_is_personal(Span text);

/* ---- leaks.c ---- */

/* Adds REPLY_DANGLING_REFERENCE and REPLY_META_LEAK to *flags. */
extern void check_leaks(Span text, uint32_t *flags);

#endif							/* LLAVA_REPLY_PARTS_H */
