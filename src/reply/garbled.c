/*
 * garbled.c
 *	  Text that was read in another encoding than it was written in, and pieces that a
 *	  tokenizer did not put together.
 *
 * None of it is told by a single character: people write all of them.  What tells is
 * that they stand as bytes of UTF-8 stand, or where no word has them.
 */
#include "parts.h"

#include <pthread.h>

/* ---- quotation marks ---- */

static const char *const opening[] = {"“", "‘", "「", "『", "《", NULL};
static const char *const closing[] = {"”", "’", "」", "』", "》", "\n", NULL};
static const char *const either[] = {"\"", "`", NULL};

/* Whether what stands behind p is quoted, *quoted being so before it. */
static void
take_quote(const char *p, const char *end, bool *quoted)
{
	if (text_skip_one(p, end, opening) != NULL)
		*quoted = true;
	else if (text_skip_one(p, end, closing) != NULL)
		*quoted = false;
	else if (text_skip_one(p, end, either) != NULL)
		*quoted = !*quoted;
}

/* ---- UTF-8 read as GBK ---- */

/* What GBK makes of the first two of three bytes of UTF-8, for Chinese and its punctuation. */
static const char first_pairs[] =
"鈥銆涓涔浜浠浼浣渚淇鍊鍋鍌鍍鍎鍏鍐鍑鍒鍓鍔鍕鍖鍗鍘鍙鍚鍛鍜鍝鍞鍟鍠鍡鍢鍣鍤鍥鍦鍧鍨鍩鍫濉澧澹澶濂濡濮濞濠濯瀚瀣瀛瀹瀵灏灞"
"宀宄宕宓宥宸甯骞搴寤寮褰寰蹇鎬鎭鎮鎯鎰鎱鎲鎳鎴鎵鎶鎷鎸鎹鎺鎻鎼鎽鎾鎿鏀鏁鏂鏃鏄鏅鏆鏇鏈鏉鏋鏌鏍妗姊妫妞妤姒妲妯姗妾娅娆姝"
"娈姣姘姹娌娉娲娴娑娣娓婀婧婊婕娼婢婵鐎鐏鐐鐑鐒鐓鐔鐕鐖鐗鐘鐙鐚鐛鐜鐝鐞鐟鐠鐡鐢鐣鐤鐥鐦鐧鐨鐩鐪鐫鐬鐭鐮纭纰纾绀绁绂绉绋绌"
"绐绔绗绛绠绡绨绫绮绯绱绲缍绶绺绻绾缁缂缃缇缈鑰鑱鑲鑳鑴鑵鑶鑷鑸鑹鑺鑻鑼鑽鑾鑿钀钁钂钃钄钑钖钘铇铏铓铔铚铦铻锜锠琛琚瑁瑜瑗"
"瑕瑙瑷瑭瑾璜璎璀璁璇璋璞璨璩璐璧瓒璺韪韫韬杌杓杞杈杩閫閬閭閮閯閰閱閲閳閴閵閶閷閸閹閺閻閼閽閾閿闀闁闂闃闄闅闆闇闈闉闊闋椤"
"棰椋椁楗棣椐楱椹楠楂楝榄楫榀榘楸椴槌榇榈槎榉楦楣楹榛榧榻榫榭锛";

static unsigned char is_first_pair[HAN_BYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make(void)
{
	const char *end = first_pairs + strlen(first_pairs);
	int			length;

	for (const char *p = first_pairs; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length) - FIRST_HAN;

		is_first_pair[c / 8] |= (unsigned char) (1 << c % 8);
	}
}

#define WINDOW 24				/* Han */
#define WINDOW_PAIRS 7			/* about a third of mojibake; one in fifty of
								 * other texts */

/* A window of Han that has many such pairs, and one that no text has. */
static bool
has_pairs(Span text)
{
	const char *end = text.p + text.n;
	unsigned char window[WINDOW] = {0}; /* 1: a pair, 2: a telling one */
	int			pairs = 0;
	int			telling = 0;
	int			length;
	int			i = 0;

	pthread_once(&once, make);
	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);
		Seen		seen = {0};

		if (c < FIRST_HAN || c > LAST_HAN)
			continue;
		seen_take(&seen, c);
		pairs -= window[i] & 1;
		telling -= window[i] >> 1;
		window[i] = is_first_pair[(c - FIRST_HAN) / 8] >> (c - FIRST_HAN) % 8 & 1;
		window[i] |= (unsigned char) (seen.pairs << 1);
		pairs += window[i] & 1;
		telling += window[i] >> 1;
		i = (i + 1) % WINDOW;
		if (pairs >= WINDOW_PAIRS && telling > 0)
			return true;
	}
	return false;
}

/* ---- Chinese read as other Chinese ---- */

#define SAMPLE 400				/* Han */
#define ENOUGH 60
#define TELLING 3

/* Of nearly every text a sixth, in whichever script; of what was read wrongly next to none. */
static const char common[] =
"的一是在不了有人我他这這中大来來上个個国國到说說们們为為子和你地出道也时時年得就那要下以生会會自着著去之过過家学學对對可她里裡后後小么麼心多天而能好都然"
"没沒日于於起还還发發成事只作当當想看文无無开開手用主行方又如前所本见見经經头頭面公同三已老从從动動两兩长長左右色红紅白黑黄黃蓝藍绿綠图圖片画畫张張几幾"
"店门門街车車上写寫字旁边邊高木水光明正现現场場位置从其可能穿戴站坐放";

/* What commas and common characters become: UTF-8 and GBK as Big5, UTF-8 as Shift-JIS. */
static bool
is_wrongly_read(uint32_t c)
{
	return c == 0x311B || c == 0x5697 || c == 0x929D || c == 0x8373 || c == 0x7E3A || c == 0x9027;	/* ㄛ嚗銝荳縺逧 */
}

bool
text_is_uncommon(Span text)
{
	const char *end = text.p + text.n;
	unsigned char set[HAN_BYTES] = {0};
	int			han = 0;
	int			known = 0;
	int			telling = 0;
	int			length;

	for (const char *p = common; *p != '\0'; p += length)
	{
		uint32_t	c = text_decode(p, common + sizeof(common) - 1, &length) - FIRST_HAN;

		set[c / 8] |= (unsigned char) (1 << c % 8);
	}
	for (const char *p = text.p; p < end && han < SAMPLE; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);

		telling += is_wrongly_read(c);
		if (c < FIRST_HAN || c > LAST_HAN)
			continue;
		han++;
		known += set[(c - FIRST_HAN) / 8] >> (c - FIRST_HAN) % 8 & 1;
	}
	return han >= ENOUGH && known * 25 < han && telling >= TELLING;
}

/* ---- bytes read as letters ---- */

/* The byte that a character stands for in Latin-1, cp1252 or GPT-2's alphabet; else -1. */
static int
byte_of(uint32_t c)
{
	static const uint16_t cp1252[32] = {
		0x20AC, 0, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0, 0x17D, 0,
		0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0, 0x17E, 0x178
	};

	if (c < 0x100)
		return (int) c;
	if (c <= 0x143)
		return c <= 0x120 ? (int) c - 0x100 : c <= 0x142 ? (int) c - 0xA2 : 0xAD;
	for (int i = 0; i < 32; i++)
		if (cp1252[i] == c)
			return 0x80 + i;
	return -1;
}

/* Punctuation that follows a word: in 'é…”' it is no mojibake. */
static bool
is_punctuation(uint32_t c)
{
	return (c >= 0x2013 && c <= 0x203A) || c == 0xA0 || c == 0xAB || c == 0xBB || c == 0xB7;
}

typedef struct Bytes
{
	int			characters;		/* of UTF-8, read as letters */
	int			of_gpt;			/* letters of GPT-2's alphabet in them */
	int			in_runs;		/* letters that stand in long rows */
	int			others;			/* beside ASCII and those */
	int			run;
}			Bytes;

/* How many characters at p are the bytes of one, whose first is lead; 0: none. */
static int
utf8_at(const char *p, const char *end, int lead, int *size, Bytes * bytes)
{
	int			n = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
	int			punctuation = 0;
	int			length;
	const char *q = p;

	/* of two bytes only the ones that Western letters begin with */
	if (lead < 0xC2 || lead > 0xF4 || (n == 1 && lead > 0xC3))
		return 0;
	for (int i = 0; i < n; i++, q += length)
	{
		uint32_t	c;
		int			byte;

		if (q >= end)
			return 0;
		c = text_decode(q, end, &length);
		byte = byte_of(c);
		if (byte < 0x80 || byte > 0xBF)
			return 0;
		punctuation += is_punctuation(c);
		bytes->of_gpt += c >= 0x100 && c <= 0x143;
	}
	*size = (int) (q - p);
	/* but for what the quotes and dashes of English become */
	return punctuation == n && lead != 0xE2 ? 0 : n;
}

#define RUN 6

static void
take_letter(Bytes * bytes, bool is_byte)
{
	if (is_byte)
	{
		bytes->run++;
		return;
	}
	bytes->in_runs += bytes->run >= RUN ? bytes->run : 0;
	bytes->others += bytes->run < RUN ? bytes->run : 0;
	bytes->run = 0;
}

static ReplyReason
look_at_bytes(Span text)
{
	const char *end = text.p + text.n;
	Bytes		bytes = {0};
	int			length;

	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);
		int			lead = c < 0x80 ? -1 : byte_of(c);
		int			more = lead < 0 ? 0 : utf8_at(p + length, end, lead, &length, &bytes);
		int			first;

		(void) text_decode(p, end, &first);
		length = more > 0 ? first + length : first;
		bytes.characters += more > 0;
		bytes.run += more;
		take_letter(&bytes, lead >= 0x80);
		bytes.others += c >= 0x80 && lead < 0;
	}
	take_letter(&bytes, false);
	if (bytes.characters >= 3)
		return bytes.of_gpt >= bytes.characters / 4 + 1 ? REPLY_TOKEN_DEBRIS : REPLY_MOJIBAKE;
	return bytes.in_runs >= 4 * RUN && bytes.in_runs > bytes.others ? REPLY_MOJIBAKE : REPLY_ACCEPTED;
}

/* ---- what stands for lost text ---- */

#define SHOWN 12				/* characters of it that a text may show */

typedef struct Filler
{
	const char *start;
	int			n;				/* characters */
	bool		quoted;
	bool		same;			/* one character again and again */
}			Filler;

static bool
is_replacement(uint32_t c)
{
	return c == 0x951F || c == 0x65A4 || c == 0x62F7;	/* 锟斤拷 */
}

/* A run of 烫 or 屯 where a sentence begins, and goes on behind it as if it were none. */
static bool
replaces_words(Span text, const Filler * filler, const char *behind)
{
	static const char *const stops[] = {"。", "！", "？", "\n", NULL};
	static const char *const marks[] = {"。", "，", "！", "？", "、", "；", "~", "～", "…", "\n", NULL};
	const char *end = text.p + text.n;

	return (behind == end ? filler->n > 3 : text_skip_one(behind, end, marks) == NULL) &&
		(filler->start == text.p ||
		 (filler->start - text.p >= 3 && text_skip_one(filler->start - 3, filler->start, stops) != NULL) ||
		 filler->start[-1] == '\n');
}

/* Whether the run that ends here is no word; *same is how much there was of one character. */
static bool
is_filler(Span text, const Filler * filler, const char *behind, bool explained, int *same)
{
	if (filler->n < 3 || (filler->quoted && filler->n <= SHOWN))
		return false;
	if (!filler->same)
		return (text_find(text_span(filler->start, behind), "锟斤") != NULL ||
				text_find(text_span(filler->start, behind), "斤拷") != NULL) &&
			!(explained && filler->n <= SHOWN);
	*same += filler->n;
	return *same >= 5 || replaces_words(text, filler, behind);
}

static bool
has_fillers(Span text)
{
	static const char *const names[] = {"乱码", "亂碼", "编码", "編碼", "garbled", "mojibake", "encoding", NULL};
	const char *end = text.p + text.n;
	bool		explained = text_has_any(text, names);
	bool		quoted = false;
	Filler		filler = {0};
	uint32_t	previous = 0;
	int			same = 0;
	int			length;

	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);
		bool		goes_on = filler.same ? c == previous : is_replacement(c);

		if (filler.n > 0 && !goes_on)
		{
			if (is_filler(text, &filler, p, explained, &same))
				return true;
			filler.n = 0;
		}
		if (filler.n++ == 0)
			filler = (Filler)
		{
			p, 1, quoted, c == 0x70EB || c == 0x5C6F
		};
		if (filler.n == 1 && !filler.same && !is_replacement(c))
			filler.n = 0;
		take_quote(p, end, &quoted);
		previous = c;
	}
	return filler.n > 0 && is_filler(text, &filler, end, explained, &same);
}

/* ---- a tokenizer's signs ---- */

static bool
is_mark_of_text(uint32_t c)
{
	return (c >= 0x3001 && c <= 0x300F) || (c >= 0xFF01 && c <= 0xFF1F) || c == 0x201D || c == 0x2026;
}

/*
 * U+0120 stands for a blank, U+010A for a line end: no Maltese word has them so.  2: one
 * of them is enough to tell.
 */
static int
is_byte_sign(uint32_t sign, uint32_t previous, uint32_t next)
{
	bool		small = (previous >= 'a' && previous <= 'z') || (previous >= '0' && previous <= '9') ||
	previous == ',' || previous == '.' || previous == ';' || previous == ':' || previous == '!' || previous == '?';

	bool		apart = previous == 0 || previous == '\n' || is_mark_of_text(previous);

	if (text_is_han(next) && !text_is_letter(previous))
		return apart ? 2 : 1;
	if (small && (text_is_letter(next) || next == 0 || next == '"'))
		return 1;
	if (sign == 0x10A && apart && next == 0)
		return 2;
	return sign == 0x10A && (previous == sign || next == sign || next == 0x120 ||
							 (is_mark_of_text(previous) && !text_is_latin(next)));
}

/* U+2581 before a word, not in a row of blocks; 3: one is enough. */
static int
is_word_sign(uint32_t previous, uint32_t next)
{
	if (previous == 0 && text_is_letter(next))
		return 3;
	return text_is_letter(next) && !(previous >= 0x2580 && previous <= 0x259F);
}

static bool
has_signs(Span text)
{
	static const char *const names[] = {
		"字符", "字母", "符号", "符號", "字体", "字體", "方块", "方塊", "下划线", "分词", "分詞", "Unicode", "U+2581", "token", "Token",
		"block", "font", NULL
	};
	const char *end = text.p + text.n;
	uint32_t	previous = 0;
	int			bytes = 0;
	int			words = 0;
	int			length;
	int			unused;

	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);
		uint32_t	next = p + length < end ? text_decode(p + length, end, &unused) : 0;

		if (c == 0x120 || c == 0x10A)
			bytes += is_byte_sign(c, previous, next);
		else if (c == 0x2581)
			words += is_word_sign(previous, next);
		previous = c;
	}
	return (bytes >= 2 || words >= 3) && !text_has_any(text, names);
}

/* ---- all of it ---- */

static ReplyReason
look_for_garbage(const Seen *seen, Span text, Span raw)
{
	ReplyReason reason = seen->bytes >= 3 ? look_at_bytes(raw) : REPLY_ACCEPTED;

	if (reason != REPLY_ACCEPTED)
		return reason;
	if ((seen->pairs >= 1 && has_pairs(text)) || (seen->fillers >= 1 && has_fillers(text)))
		return REPLY_MOJIBAKE;
	return seen->debris >= 1 && has_signs(text) ? REPLY_TOKEN_DEBRIS : REPLY_ACCEPTED;
}

ReplyReason
work_look_for_garbage(Work *work)
{
	size_t		start = (size_t) (work->text.p - work->buffer);
	Span		raw = work->raw;
	ReplyReason reason;

	/* as it came: a next line may be a byte of it */
	start = work->origin == NULL ? start : work->origin[start];
	raw = text_span(raw.p + start, raw.p + raw.n);
	reason = look_for_garbage(&work->seen, work->text, raw);
	return reason == REPLY_ACCEPTED ? reason : work_at(work, work->text.p, reason);
}

ReplyReason
parts_look_for_garbage(const Parts *parts)
{
	ReplyReason reason = REPLY_ACCEPTED;

	for (int i = 0; i < parts->n && reason == REPLY_ACCEPTED; i++)
	{
		Span		text = parts->items[i].text;
		const char *end = text.p + text.n;
		Seen		seen = {0};
		int			length;

		for (const char *p = text.p; p < end; p += length)
			seen_take(&seen, text_decode(p, end, &length));
		reason = look_for_garbage(&seen, text, text);
	}
	return reason;
}
