/*
 * script.c
 *	  Simplified and Traditional characters: which of the two a text uses, and the one
 *	  by the other, so that lists of words need no second spelling.
 */
#include "parts.h"

#include <pthread.h>

/* Characters that only one of the two scripts uses, in the same order. */
static const char traditional_only[] =
"們國這個說時來對會為學發開過後見點無現還當問長關門車馬東樂書買賣讀寫話語請誰讓認識記許設計論證評詞試詩誠該詳課調談謝議護譯負財責敗貨質購貴費貼賀"
"資賓賞賽贈電飛飯飲館駛騎驗魚鳥鮮鳳麗麥黃齊龍聲職聯聽腦臉舊藝節葉萬藥蘇號處蟲術衛補裝裡製複覺覽觀規視親頁頂順須預領頭題顏願風紅約級紙細終結給統經"
"維網線練總績織續羅義習優億價倉傳傷僅僑兒內兩兇凍減劃則剛創動務勝勞勢勸區協單壓參雙變嗎員園圓圖團執場壞塊報備夠夢夥奪奮婦媽孫寧實審寬寶專將尋導層"
"屬島帶幣幫幾廣庫廳彈強歸徑從復徵應態慶憂戲戰戶拋換揮擇擊據擴擺攝敵數斷榮構樣橋機檔檢權歡歲歷殘殺氣決沒況淺測溫滿漁漢潔濟濕灣熱燈營爐爭爺狀獨獎環"
"產畫異療盜監盤眾睏碼確礎禮種稱積穩窮競筆範築簡類糧張違項絕遺載顯訪獲瀏連隨詢與際進體誤較難辦閱適準麼";
static const char simplified_only[] =
"们国这个说时来对会为学发开过后见点无现还当问长关门车马东乐书买卖读写话语请谁让认识记许设计论证评词试诗诚该详课调谈谢议护译负财责败货质购贵费贴贺"
"资宾赏赛赠电飞饭饮馆驶骑验鱼鸟鲜凤丽麦黄齐龙声职联听脑脸旧艺节叶万药苏号处虫术卫补装里制复觉览观规视亲页顶顺须预领头题颜愿风红约级纸细终结给统经"
"维网线练总绩织续罗义习优亿价仓传伤仅侨儿内两凶冻减划则刚创动务胜劳势劝区协单压参双变吗员园圆图团执场坏块报备够梦伙夺奋妇妈孙宁实审宽宝专将寻导层"
"属岛带币帮几广库厅弹强归径从复征应态庆忧戏战户抛换挥择击据扩摆摄敌数断荣构样桥机档检权欢岁历残杀气决没况浅测温满渔汉洁济湿湾热灯营炉争爷状独奖环"
"产画异疗盗监盘众困码确础礼种称积稳穷竞笔范筑简类粮张违项绝遗载显访获浏连随询与际进体误较难办阅适准么";

/* Made of the tables once. */
static ScriptSets sets;
static uint16_t simplified_of[LAST_HAN - FIRST_HAN + 1];	/* 0: itself */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make(void)
{
	const char *end = traditional_only + strlen(traditional_only);
	int			length;

	for (const char *p = traditional_only; p < end; p += length)
	{
		/* all of them are three bytes long */
		const char *other = simplified_only + (p - traditional_only);
		uint32_t	from = text_decode(p, end, &length) - FIRST_HAN;
		uint32_t	to = text_decode(other, other + length, &length) - FIRST_HAN;

		sets.traditional[from / 8] |= (unsigned char) (1 << from % 8);
		sets.simplified[to / 8] |= (unsigned char) (1 << to % 8);
		simplified_of[from] = (uint16_t) (to + FIRST_HAN);
	}
}

const ScriptSets *
script_sets(void)
{
	pthread_once(&once, make);
	return &sets;
}

Span
script_plain(Span span, char *room, size_t size)
{
	size_t		n = span.n < size ? span.n : size;
	const char *end = room + n;
	int			length;

	pthread_once(&once, make);
	if (n > 0)
		memcpy(room, span.p, n);
	for (char *p = room; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);

		if (c >= 'A' && c <= 'Z')
			*p = (char) (c + 32);
		else if (c >= FIRST_HAN && c <= LAST_HAN && simplified_of[c - FIRST_HAN] != 0)
			(void) text_encode(simplified_of[c - FIRST_HAN], p);
	}
	return text_span(room, end);
}
