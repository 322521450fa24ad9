/*
 * checks.c
 *	  Finished turns held against the task's thresholds, and tags on their content.
 */
#include "parts.h"

#include <pthread.h>

typedef struct Counts
{
	size_t		letters;
	size_t		han;
	size_t		latin;
	size_t		foreign;		/* kana and hangul */
	size_t		traditional;
	size_t		simplified;
	size_t		quoted_han;
} Counts;

/* Characters that only one of the two scripts uses, in the same order. */
static const char traditional_only[] =
"們國這個說時來對會為學發開過後見點無現還當問長關門車馬東樂書買賣讀寫話語請誰讓認識記許設計論證評詞試詩誠該詳課調談謝議護譯負財責敗貨質購貴費貼賀資賓賞賽贈"
"電飛飯飲館馬駛騎驗魚鳥鮮鳳麗麥黃齊龍聲職聯聽腦臉舊藝節葉萬藥蘇號處蟲術衛補裝裡製複覺覽觀規視親頁頂順須預領頭題顏願風紅約級紙細終結給統經維網線練總績織續羅義習"
"優億價倉傳傷僅僑兒內兩兇凍減劃則剛創動務勝勞勢勸區協單壓參雙變嗎員園圓圖團執場壞塊報備夠夢夥奪奮婦媽孫寧實審寬寶專將尋導層屬島帶幣幫幾廣庫廳彈強歸徑從復徵應態慶憂戲戰戶拋換揮擇擊據擴擺攝敵數斷榮構樣橋機檔檢權歡歲歷殘殺氣決沒況淺測溫滿漁漢潔濟濕灣熱燈營爐爭爺狀獨獎環產畫異療發盜監盤眾睏碼確礎禮種稱積穩窮競筆範築簡類糧";
static const char simplified_only[] =
"们国这个说时来对会为学发开过后见点无现还当问长关门车马东乐书买卖读写话语请谁让认识记许设计论证评词试诗诚该详课调谈谢议护译负财责败货质购贵费贴贺资宾赏赛赠"
"电飞饭饮馆马驶骑验鱼鸟鲜凤丽麦黄齐龙声职联听脑脸旧艺节叶万药苏号处虫术卫补装里制复觉览观规视亲页顶顺须预领头题颜愿风红约级纸细终结给统经维网线练总绩织续罗义习"
"优亿价仓传伤仅侨儿内两凶冻减划则刚创动务胜劳势劝区协单压参双变吗员园圆图团执场坏块报备够梦伙夺奋妇妈孙宁实审宽宝专将寻导层属岛带币帮几广库厅弹强归径从复征应态庆忧戏战户抛换挥择击据扩摆摄敌数断荣构样桥机档检权欢岁历残杀气决没况浅测温满渔汉洁济湿湾热灯营炉争爷状独奖环产画异疗发盗监盘众困码确础礼种称积稳穷竞笔范筑简类粮";

/* Bit sets over U+4E00 to U+9FFF, made of the tables once. */
#define FIRST_HAN 0x4E00
#define HAN_BYTES ((0x9FFF - FIRST_HAN) / 8 + 1)

static unsigned char traditional_set[HAN_BYTES];
static unsigned char simplified_set[HAN_BYTES];
static pthread_once_t sets_once = PTHREAD_ONCE_INIT;

static void
make_set(unsigned char *set, const char *table)
{
	const char *end = table + strlen(table);
	int			length;

	for (const char *p = table; p < end; p += length)
	{
		uint32_t	at = text_decode(p, end, &length) - FIRST_HAN;

		set[at / 8] |= (unsigned char) (1 << at % 8);
	}
}

static void
make_sets(void)
{
	make_set(traditional_set, traditional_only);
	make_set(simplified_set, simplified_only);
}

static bool
stands_in(uint32_t c, const unsigned char *set)
{
	uint32_t	at = c - FIRST_HAN;

	return at / 8 < HAN_BYTES && (set[at / 8] >> at % 8 & 1) != 0;
}

/* Characters of the tables are looked up for the first so many of a text. */
#define SCRIPT_SAMPLE 400

static void
count_char(Counts *counts, uint32_t c)
{
	if (!text_is_letter(c))
		return;
	counts->letters++;
	if (text_is_kana_or_hangul(c))
		counts->foreign++;
	else if (text_is_latin(c))
		counts->latin++;
	else if (text_is_han(c))
	{
		if (counts->han++ >= SCRIPT_SAMPLE)
			return;
		if (stands_in(c, simplified_set))
			counts->simplified += !stands_in(c, traditional_set);
		else if (stands_in(c, traditional_set))
			counts->traditional++;
	}
}

static void
count_text(Counts *counts, Span text)
{
	const char *end = text.p + text.n;
	int			length;
	int			quotes = 0;

	pthread_once(&sets_once, make_sets);
	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);

		if (c == 0x201C || c == 0x300C || c == 0x300E || c == 0x300A)
			quotes++;
		else if (quotes > 0 && (c == 0x201D || c == 0x300D || c == 0x300F || c == 0x300B || c == '\n'))
			quotes = c == '\n' ? 0 : quotes - 1;
		else if (quotes > 0 && text_is_han(c))
			counts->quoted_han++;
		count_char(counts, c);
	}
}

/* ---- what it holds of people ---- */

static bool
luhn(const char *digits, int n)
{
	int			sum = 0;

	for (int i = 0; i < n; i++)
	{
		int			d = digits[n - 1 - i] - '0';

		d = i % 2 == 1 ? d * 2 : d;
		sum += d > 9 ? d - 9 : d;
	}
	return sum % 10 == 0;
}

/* GB 11643: 17 digits and a check character. */
static bool
is_id_number(const char *digits, char last)
{
	static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	int			sum = 0;

	for (int i = 0; i < 17; i++)
		sum += (digits[i] - '0') * weights[i];
	return "10X98765432"[sum % 11] == (last == 'x' ? 'X' : last);
}

/* A run of digits, single blanks and hyphens between them left out. */
static bool
is_personal_number(const char *digits, int n, char next)
{
	if (n == 11 && digits[0] == '1' && digits[1] >= '3')
		return true;
	if ((n == 10 || n == 11 || n == 12) && digits[0] == '0')
		return true;			/* with area code */
	if (n == 10 && memcmp(digits, "400", 3) == 0)
		return true;
	if (n == 17 && (next == 'X' || next == 'x') && is_id_number(digits, next))
		return true;
	if (n == 18 && is_id_number(digits, digits[17]))
		return true;
	return n >= 16 && n <= 19 && luhn(digits, n);
}

static bool
has_number(Span text)
{
	char		digits[24];
	int			n = 0;

	for (size_t i = 0; i <= text.n; i++)
	{
		char		c = i < text.n ? text.p[i] : '\0';

		if (c >= '0' && c <= '9')
		{
			if (n < (int) sizeof(digits))
				digits[n] = c;
			n++;
			continue;
		}
		if ((c == '-' || c == ' ') && n > 0 && i + 1 < text.n && text.p[i + 1] >= '0' &&
			text.p[i + 1] <= '9')
			continue;
		if (n > 0 && n < (int) sizeof(digits) && is_personal_number(digits, n, c))
			return true;
		n = 0;
	}
	return false;
}

static bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '_' || c == '-';
}

static bool
has_address(Span text)
{
	static const char *const urls[] = {"http://", "https://", "www.", "WWW.", NULL};
	const char *end = text.p + text.n;

	if (text_has_any(text, urls))
		return true;
	for (const char *at = text.p; (at = memchr(at, '@', (size_t) (end - at))) != NULL; at++)
	{
		const char *p = at + 1;

		while (p < end && is_word_char(*p))
			p++;
		if (at > text.p && is_word_char(at[-1]) &&
			memchr(at, '.', (size_t) (p - at)) != NULL)
			return true;
	}
	return false;
}

/* ---- what it points at ---- */

static bool
has_dangling_reference(Span text)
{
	static const char *const phrases[] = {
		"如上图", "如下图", "如图所示", "见附件", "见附图", "见下图", "见上图", "as shown in the figure above", NULL
	};
	const char *end = text.p + text.n;

	if (text_has_any(text, phrases))
		return true;
	for (const char *p = text.p; p < end && (p = text_find(text_span(p, end), "图")) != NULL; p += 3)
	{
		const char *digit = p + 3 < end && p[3] == ' ' ? p + 4 : p + 3;
		bool		quoted = p - text.p >= 3 && (memcmp(p - 3, "“", 3) == 0 ||
												 memcmp(p - 3, "《", 3) == 0 ||
												 memcmp(p - 3, "「", 3) == 0);

		if (digit < end && *digit >= '1' && *digit <= '9' && !quoted)
			return true;
	}
	return false;
}

static bool
has_meta_leak(Span text)
{
	static const char *const phrases[] = {
		"提供的描述", "图片说明文字", "根据描述", "提供的信息", "根据图片描述", "图片描述中", "提供的文字描述",
		"给出的描述", "描述中提到", "according to the description", "based on the description",
		"the caption", NULL
	};

	return text_has_any(text, phrases);
}

static void
tag(Span text, uint32_t *flags)
{
	if (has_number(text) || has_address(text))
		*flags |= REPLY_PII;
	if (has_dangling_reference(text))
		*flags |= REPLY_DANGLING_REFERENCE;
	if (has_meta_leak(text))
		*flags |= REPLY_META_LEAK;
}

/* ---- thresholds ---- */

static size_t
letters_of(const Counts *counts, ReplyLanguage language)
{
	return language == REPLY_LANGUAGE_ZH ? counts->han :
		language == REPLY_LANGUAGE_EN ? counts->latin : counts->letters;
}

static bool
is_wrong_language(const ReplyRules *rules, const Counts *all, ReplyMeasures *measures)
{
	size_t		wanted = letters_of(all, rules->language);

	measures->language_share = all->letters == 0 ? 0 : (double) wanted / (double) all->letters;
	if (rules->language == REPLY_LANGUAGE_ANY)
		return false;
	return measures->language_share < rules->min_language_share ||
		(rules->language == REPLY_LANGUAGE_ZH && all->foreign > all->han);
}

static bool
is_wrong_length(const ReplyRules *rules, const Parts *parts, size_t letters)
{
	for (int i = 0; i < parts->n; i++)
	{
		const Part *part = &parts->items[i];
		size_t		chars = text_chars(part->text);

		if (part->human && (chars < (size_t) rules->min_question_chars ||
							(rules->max_question_chars > 0 &&
							 chars > (size_t) rules->max_question_chars)))
			return true;
		if (!part->human && chars < (size_t) rules->min_answer_chars)
			return true;
	}
	return letters < (size_t) rules->min_letters;
}

ReplyReason
check_content(const ReplyRules *rules, const Parts *parts, ReplyMeasures *measures,
			  uint32_t *flags)
{
	Counts		all = {0};
	Counts		answers = {0};

	for (int i = 0; i < parts->n; i++)
	{
		count_text(&all, parts->items[i].text);
		if (!parts->items[i].human)
			count_text(&answers, parts->items[i].text);
		tag(parts->items[i].text, flags);
	}
	measures->han = (int) answers.han;
	measures->letters = (int) letters_of(&answers, rules->language);
	measures->quoted_han = (int) answers.quoted_han;
	if (all.traditional >= 5 && all.traditional > all.simplified * 4)
		*flags |= REPLY_ZH_HANT;
	if (is_wrong_language(rules, &all, measures))
		return REPLY_LANGUAGE;
	if (is_wrong_length(rules, parts, letters_of(&answers, rules->language)))
		return REPLY_TOO_SHORT;
	return REPLY_ACCEPTED;
}
