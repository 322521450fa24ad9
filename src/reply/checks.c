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
#define LAST_HAN 0x9FFF
#define HAN_BYTES ((LAST_HAN - FIRST_HAN) / 8 + 1)

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

/* 1 or 0. */
static inline unsigned
stands_in(uint32_t c, const unsigned char *set)
{
	return set[(c - FIRST_HAN) / 8] >> (c - FIRST_HAN) % 8 & 1u;
}

/* Characters of the tables are looked up for the first so many of a text. */
#define SCRIPT_SAMPLE 400

/* c is from FIRST_HAN to LAST_HAN; no branch, for it would be taken at random. */
static inline void
count_script(Counts *counts, uint32_t c)
{
	unsigned	simplified = stands_in(c, simplified_set);
	unsigned	traditional = stands_in(c, traditional_set);

	counts->simplified += simplified & ~traditional;
	counts->traditional += traditional & ~simplified;
}

static void
count_rare(Counts *counts, uint32_t c)
{
	/* punctuation, ASCII's but for the letters, and the Chinese */
	if (c < 'A' || (c >= 0x2000 && c <= 0x3006) || (c >= 0xFF01 && c <= 0xFF20))
		return;
	counts->letters += text_is_letter(c);
	counts->han += text_is_han(c);
	counts->latin += text_is_latin(c);
	counts->foreign += text_is_kana_or_hangul(c);
}

static bool
is_opening_quote(uint32_t c)
{
	return c == 0x201C || c == 0x300C || c == 0x300E || c == 0x300A;
}

static bool
is_closing_quote(uint32_t c)
{
	return c == 0x201D || c == 0x300D || c == 0x300F || c == 0x300B;
}

static void
count_text(Counts *counts, Span text)
{
	const char *end = text.p + text.n;
	int			length;
	int			quotes = 0;

	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);

		if (c >= FIRST_HAN && c <= LAST_HAN)
		{
			counts->letters++;
			counts->quoted_han += quotes > 0;
			if (counts->han++ < SCRIPT_SAMPLE)
				count_script(counts, c);
		}
		else if (is_opening_quote(c))
			quotes++;
		else if (quotes > 0 && (is_closing_quote(c) || c == '\n'))
			quotes = c == '\n' ? 0 : quotes - 1;
		else
			count_rare(counts, c);
	}
}

static void
add_counts(Counts *all, const Counts *some)
{
	all->letters += some->letters;
	all->han += some->han;
	all->latin += some->latin;
	all->foreign += some->foreign;
	all->traditional += some->traditional;
	all->simplified += some->simplified;
	all->quoted_han += some->quoted_han;
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
	Counts		questions = {0};
	Counts		answers = {0};
	Counts		all;

	pthread_once(&sets_once, make_sets);
	for (int i = 0; i < parts->n; i++)
	{
		Span		text = parts->items[i].text;

		count_text(parts->items[i].human ? &questions : &answers, text);
		if (check_is_personal(text))
			*flags |= REPLY_PII;
		check_leaks(text, flags);
	}
	all = questions;
	add_counts(&all, &answers);
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
