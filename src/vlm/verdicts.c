/*
 * verdicts.c
 *	  What an error means: one table for all providers and for all places it may stand in.
 *
 * To add a provider is to add lines.  The first line that fits decides, so what is said of
 * an account or of the server stands before what is said of a picture, and narrow
 * patterns before wide ones.  Where no line fits the status decides.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "verdicts.h"

#include <string.h>

/* Between the two halves of a pattern, at most. */
#define MOST_BETWEEN 80

/* Quota that is back sooner than this is a limit, not money. */
#define SOON_MS 3600000

typedef enum Class
{
	MONEY,
	QUOTA,						/* money, unless it is said to be back soon */
	KEY,
	MODEL,
	REGION,
	FILTER,
	CONTEXT,
	IMAGE,
	THROTTLE,
	BUSY,						/* what stands before the server has trouble */
	SERVER						/* the server has trouble, perhaps with this */
} Class;

/* The kinds of status that a line is for. */
#define IN_200 0x01
#define IN_4XX 0x02				/* 400, 422 and others of no kind of their own */
#define IN_AUTH 0x04			/* 401, 403, 407 */
#define IN_404 0x08				/* 404, 405, 410 */
#define IN_429 0x10				/* 429, 498, 529 */
#define IN_5XX 0x20
#define IN_REST 0x40			/* 451 */
#define IN_ANY 0xff

typedef enum Where
{
	TEXT,						/* Words.text */
	CODE						/* Words.codes */
} Where;

/* pattern: a word, or two with '*' for what may stand between them. */
typedef struct Verdict
{
	const char *provider;
	int			statuses;
	Where		where;
	const char *pattern;
	Class		class;
} Verdict;

static const Verdict verdicts[] = {
	{"any", IN_429, TEXT, "try again in", THROTTLE},
	{"any", IN_429, TEXT, "retry in", THROTTLE},
	{"any", IN_429, TEXT, "per minute", THROTTLE},
	{"any", IN_429, TEXT, "per second", THROTTLE},
	{"any", IN_429, TEXT, "rate limit reached", THROTTLE},
	{"DashScope", IN_429, TEXT, "billing details*aliyun", THROTTLE},
	{"DashScope", IN_429, TEXT, "billing details*alibabacloud", THROTTLE},
	{"DashScope", IN_429, TEXT, "allocated quota exceeded, please increase", THROTTLE},
	{"DashScope", IN_429, TEXT, "exceeded your current request", THROTTLE},
	{"Gemini, OpenRouter", IN_429, CODE, "perday", MONEY},
	{"Gemini, OpenRouter", IN_429, CODE, "freemodelsperday", MONEY},
	{"ModelScope", IN_429, TEXT, "today's quota", MONEY},
	{"Gemini", IN_ANY, CODE, "|resourceexhausted|", THROTTLE},
	{"any", IN_ANY, TEXT, "arrearage", MONEY},
	{"any", IN_ANY, TEXT, "overdue", MONEY},
	{"any", IN_ANY, TEXT, "not purchased", MONEY},
	{"any", IN_ANY, TEXT, "credit balance", MONEY},
	{"any", IN_ANY, TEXT, "insufficient*balance", MONEY},
	{"any", IN_ANY, TEXT, "balance*insufficient", MONEY},
	{"any", IN_ANY, TEXT, "balance is not enough", MONEY},
	{"any", IN_ANY, TEXT, "balance not enough", MONEY},
	{"any", IN_ANY, TEXT, "insufficient*credit", MONEY},
	{"any", IN_ANY, TEXT, "insufficient*fund", MONEY},
	{"any", IN_ANY, TEXT, "more credits", MONEY},
	{"any", IN_ANY, TEXT, "out of credits", MONEY},
	{"any", IN_ANY, TEXT, "any credits", MONEY},
	{"any", IN_ANY, TEXT, "no credits", MONEY},
	{"any", IN_ANY, TEXT, "not have enough credit", MONEY},
	{"any", IN_ANY, TEXT, "enough credits", MONEY},
	{"any", IN_ANY, TEXT, "available credits", MONEY},
	{"any", IN_ANY, TEXT, "used all*credits", MONEY},
	{"any", IN_ANY, TEXT, "included credits", MONEY},
	{"any", IN_ANY, TEXT, "spending limit", MONEY},
	{"any", IN_ANY, TEXT, "payment required", MONEY},
	{"any", IN_ANY, TEXT, "payment method", MONEY},
	{"any", IN_ANY, TEXT, "unpaid", MONEY},
	{"any", IN_ANY, TEXT, "past invoice", MONEY},
	{"any", IN_ANY, TEXT, "past due", MONEY},
	{"any", IN_ANY, TEXT, "key limit exceeded", MONEY},
	{"any", IN_ANY, TEXT, "budget has been exceeded", MONEY},
	{"any", IN_ANY, TEXT, "over budget", MONEY},
	{"any", IN_ANY, TEXT, "max budget", MONEY},
	{"any", IN_ANY, TEXT, "exceeded*budget:", MONEY},
	{"any", IN_ANY, TEXT, "quota is not enough", MONEY},
	{"any", IN_ANY, TEXT, "quota not enough", MONEY},
	{"any", IN_ANY, TEXT, "free tier of the model", MONEY},
	{"any", IN_ANY, TEXT, "use free tier only", MONEY},
	{"any", IN_ANY, TEXT, "subscription*expired", MONEY},
	{"any", IN_ANY, TEXT, "subscription*inactive", MONEY},
	{"any", IN_ANY, TEXT, "inactive subscription", MONEY},
	{"any", IN_ANY, TEXT, "trial*expired", MONEY},
	{"any", IN_ANY, TEXT, "trial*ended", MONEY},
	{"any", IN_4XX | IN_AUTH | IN_200, TEXT, "billing", MONEY},
	{"any", IN_4XX | IN_AUTH | IN_200, TEXT, "free tier", MONEY},
	{"any", IN_429, TEXT, "suspended", MONEY},
	{"any", IN_429, TEXT, "overdue", MONEY},
	{"any", IN_429, TEXT, "bill ", MONEY},
	{"any", IN_ANY, CODE, "arrearage", MONEY},
	{"any", IN_ANY, CODE, "freetieronly", MONEY},
	{"any", IN_ANY, CODE, "billoverdue", MONEY},
	{"any", IN_ANY, CODE, "notpurchased", MONEY},
	{"any", IN_ANY, CODE, "insufficientbalance", MONEY},
	{"any", IN_ANY, CODE, "balancenotenough", MONEY},
	{"any", IN_ANY, CODE, "insufficientcredit", MONEY},
	{"any", IN_ANY, CODE, "accountoverdue", MONEY},
	{"any", IN_ANY, CODE, "insufficientuserquota", MONEY},
	{"any", IN_ANY, CODE, "preconsumetokenquota", MONEY},
	{"any", IN_ANY, CODE, "budgetexceeded", MONEY},
	{"any", IN_ANY, CODE, "exceededcurrentquota", MONEY},
	{"any", IN_ANY, CODE, "billingnotactive", MONEY},
	{"any", IN_ANY, CODE, "billinghardlimit", MONEY},
	{"any", IN_ANY, CODE, "resourcepackexhausted", MONEY},
	{"any", IN_ANY, CODE, "resourceexhaustedpack", MONEY},
	{"any", IN_ANY, CODE, "servicestoparrears", MONEY},
	{"any", IN_ANY, CODE, "paymentrequired", MONEY},
	{"any", IN_ANY, CODE, "setlimitexceeded", MONEY},
	{"MiniMax", IN_ANY, CODE, "|statuscode1008|", MONEY},
	{"MiniMax", IN_ANY, CODE, "|statuscode2056|", MONEY},
	{"Zhipu", IN_ANY, CODE, "|1113|", MONEY},
	{"Zhipu", IN_ANY, CODE, "|1308|", MONEY},
	{"Zhipu", IN_ANY, CODE, "|1309|", MONEY},
	{"Zhipu", IN_ANY, CODE, "|1310|", MONEY},
	{"SiliconFlow", IN_AUTH | IN_4XX, CODE, "|30001|", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "余额", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "欠费", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "额度不足", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "额度*用尽", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "额度*用完", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "额度*耗尽", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "额度失败", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "充值", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "资源包", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "套餐*到期", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "套餐*用尽", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "套餐*过期", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "余量*尽", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "停服", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "预扣费", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "续费", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "账单", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "逾期", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "使用上限", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "试用*到期", MONEY},
	{"any, in Chinese", IN_ANY, TEXT, "试用*结束", MONEY},
	{"OpenAI", IN_429 | IN_AUTH | IN_4XX | IN_200, CODE, "insufficientquota", QUOTA},
	{"OpenAI", IN_429 | IN_AUTH | IN_4XX | IN_200, CODE, "exceededyourcurrentquota", QUOTA},
	{"OpenAI", IN_429 | IN_AUTH | IN_4XX | IN_200, CODE, "quotaexhausted", QUOTA},
	{"OpenAI", IN_429 | IN_AUTH | IN_4XX | IN_200, CODE, "quotaexceeded", QUOTA},
	{"any", IN_ANY, TEXT, "location is not supported", REGION},
	{"any", IN_ANY, TEXT, "country, region", REGION},
	{"any", IN_ANY, TEXT, "region*not supported", REGION},
	{"any", IN_ANY, TEXT, "not supported*region", REGION},
	{"any", IN_ANY, TEXT, "not available in your", REGION},
	{"any", IN_ANY, TEXT, "not supported in your country", REGION},
	{"any", IN_ANY, TEXT, "country*not supported", REGION},
	{"any", IN_ANY, TEXT, "地区*不支持", REGION},
	{"any", IN_ANY, TEXT, "不支持*地区", REGION},
	{"any", IN_ANY, TEXT, "所在地区", REGION},
	{"OpenAI", IN_ANY, CODE, "unsupportedcountry", REGION},
	{"any, of an account", IN_ANY, TEXT, "account*deactivated", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*disabled", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*banned", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*suspended", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*terminated", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*flagged", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*locked", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*blocked", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*restricted", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*not active", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*inactive", KEY},
	{"any, of an account", IN_ANY, TEXT, "account*not exist", KEY},
	{"any, of an account", IN_ANY, TEXT, "organization*disabled", KEY},
	{"any, of an account", IN_ANY, TEXT, "organization*restricted", KEY},
	{"any, of an account", IN_ANY, TEXT, "organization*deactivated", KEY},
	{"any, of an account", IN_ANY, TEXT, "access*terminated", KEY},
	{"any, of an account", IN_ANY, TEXT, "user*banned", KEY},
	{"any, of an account", IN_ANY, TEXT, "your ip", KEY},
	{"any, of an account", IN_ANY, TEXT, "ip address is not", KEY},
	{"any, of an account", IN_ANY, TEXT, "ip address not", KEY},
	{"any, of an account", IN_ANY, TEXT, "whitelist", KEY},
	{"any, of an account", IN_ANY, TEXT, "封禁", KEY},
	{"any, of an account", IN_ANY, TEXT, "封号", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*禁用", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*冻结", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*锁定", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*停用", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*异常", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*违规", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*禁用", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*冻结", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*锁定", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*停用", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*异常", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*非活动", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*不存在", KEY},
	{"any, of an account", IN_ANY, TEXT, "账号*审核", KEY},
	{"any, of an account", IN_ANY, TEXT, "账户*审核", KEY},
	{"any, of an account", IN_ANY, TEXT, "白名单", KEY},
	{"any, of an account", IN_ANY, TEXT, "实名", KEY},
	{"any, of an account", IN_ANY, CODE, "accountdeactivated", KEY},
	{"any, of an account", IN_ANY, CODE, "userdisabled", KEY},
	{"any, of an account", IN_ANY, CODE, "userbanned", KEY},
	{"any", IN_ANY, TEXT, "moderation", FILTER},
	{"any", IN_ANY, TEXT, "was flagged", FILTER},
	{"any", IN_ANY, TEXT, "been flagged", FILTER},
	{"any", IN_ANY, TEXT, "is flagged", FILTER},
	{"any", IN_ANY, TEXT, "flagged by", FILTER},
	{"any", IN_ANY, TEXT, "flagged as", FILTER},
	{"any", IN_ANY, TEXT, "flagged for", FILTER},
	{"any", IN_ANY, TEXT, "inappropriate", FILTER},
	{"any", IN_ANY, TEXT, "content policy", FILTER},
	{"any", IN_ANY, TEXT, "content filter", FILTER},
	{"any", IN_ANY, TEXT, "content management policy", FILTER},
	{"any", IN_ANY, TEXT, "content_filter", FILTER},
	{"any", IN_ANY, TEXT, "safety system", FILTER},
	{"any", IN_ANY, TEXT, "safety polic", FILTER},
	{"any", IN_ANY, TEXT, "safety filter", FILTER},
	{"any", IN_ANY, TEXT, "safety check", FILTER},
	{"any", IN_ANY, TEXT, "safety reason", FILTER},
	{"any", IN_ANY, TEXT, "safety guideline", FILTER},
	{"any", IN_ANY, TEXT, "safety setting", FILTER},
	{"any", IN_ANY, TEXT, "safety policies", FILTER},
	{"any", IN_ANY, TEXT, "usage polic", FILTER},
	{"any", IN_ANY, TEXT, "usage guideline", FILTER},
	{"any", IN_ANY, TEXT, "responsible ai", FILTER},
	{"any", IN_ANY, TEXT, "high risk", FILTER},
	{"any", IN_ANY, TEXT, "considered*risk", FILTER},
	{"any", IN_ANY, TEXT, "censor", FILTER},
	{"any", IN_ANY, TEXT, "unsafe", FILTER},
	{"any", IN_ANY, TEXT, "harmful", FILTER},
	{"any", IN_ANY, TEXT, "nsfw", FILTER},
	{"any", IN_ANY, TEXT, "illegal content", FILTER},
	{"any", IN_ANY, TEXT, "violat*polic", FILTER},
	{"any", IN_ANY, TEXT, "violat*guideline", FILTER},
	{"any", IN_ANY, TEXT, "violat*terms", FILTER},
	{"any", IN_ANY, TEXT, "violat*rules", FILTER},
	{"any", IN_ANY, TEXT, "violat*law", FILTER},
	{"any", IN_ANY, TEXT, "policy violation", FILTER},
	{"any", IN_ANY, TEXT, "guardrail", FILTER},
	{"any", IN_ANY, TEXT, "content*blocked", FILTER},
	{"any", IN_ANY, TEXT, "blocked*content", FILTER},
	{"any", IN_ANY, TEXT, "blocked*safety", FILTER},
	{"any", IN_ANY, TEXT, "request blocked", FILTER},
	{"any", IN_ANY, TEXT, "request was blocked", FILTER},
	{"any", IN_ANY, TEXT, "request has been blocked", FILTER},
	{"any", IN_ANY, TEXT, "has been blocked by", FILTER},
	{"any", IN_ANY, TEXT, "you have been blocked", FILTER},
	{"any", IN_ANY, TEXT, "sexual", FILTER},
	{"any", IN_ANY, TEXT, "violence", FILTER},
	{"any", IN_ANY, TEXT, "pornograph", FILTER},
	{"any", IN_ANY, TEXT, "sensitive content", FILTER},
	{"any", IN_ANY, TEXT, "sensitive info", FILTER},
	{"any", IN_ANY, TEXT, "sensitive word", FILTER},
	{"any", IN_ANY, TEXT, "sensitive data", FILTER},
	{"any", IN_ANY, TEXT, "sensitive material", FILTER},
	{"any", IN_ANY, TEXT, "sensitive image", FILTER},
	{"any", IN_ANY, TEXT, "sensitive topic", FILTER},
	{"any", IN_ANY, TEXT, "sensitive picture", FILTER},
	{"any", IN_ANY, TEXT, "new_sensitive", FILTER},
	{"any", IN_ANY, TEXT, "is sensitive", FILTER},
	{"any", IN_ANY, TEXT, "contains sensitive", FILTER},
	{"any", IN_ANY, TEXT, "may contain sensitive", FILTER},
	{"any", IN_ANY, TEXT, "terrorism", FILTER},
	{"firewalls", IN_ANY, TEXT, "security solution", FILTER},
	{"firewalls", IN_ANY, TEXT, "web application firewall", FILTER},
	{"firewalls", IN_ANY, TEXT, "mod_security", FILTER},
	{"firewalls", IN_ANY, TEXT, "modsecurity", FILTER},
	{"firewalls", IN_ANY, TEXT, "requested url was rejected", FILTER},
	{"firewalls", IN_ANY, TEXT, "incapsula incident", FILTER},
	{"firewalls", IN_ANY, TEXT, "安全威胁", FILTER},
	{"firewalls", IN_ANY, TEXT, "被阻断", FILTER},
	{"firewalls", IN_ANY, TEXT, "被拦截", FILTER},
	{"firewalls", IN_ANY, TEXT, "请求*拦截", FILTER},
	{"firewalls", IN_ANY, TEXT, "attack detected", FILTER},
	{"firewalls", IN_ANY, TEXT, "potential threat", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "敏感", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "违规", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "不安全", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "内容安全", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "审核", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "涉黄", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "涉政", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "涉暴", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "色情", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "暴力", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "血腥", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "风控", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "绿网", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "不合规", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "违法", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "违反*政策", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "违反*规定", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "违反*法律", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "不当内容", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "不适宜", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "内容*拒绝", FILTER},
	{"any, in Chinese", IN_ANY, TEXT, "安全策略", FILTER},
	{"any", IN_ANY, CODE, "datainspection", FILTER},
	{"any", IN_ANY, CODE, "contentfilter", FILTER},
	{"any", IN_ANY, CODE, "contentpolicy", FILTER},
	{"any", IN_ANY, CODE, "contentmoderation", FILTER},
	{"any", IN_ANY, CODE, "sensitivecontent", FILTER},
	{"any", IN_ANY, CODE, "sensitivewords", FILTER},
	{"any", IN_ANY, CODE, "newsensitive", FILTER},
	{"any", IN_ANY, CODE, "responsibleai", FILTER},
	{"any", IN_ANY, CODE, "prohibitedcontent", FILTER},
	{"any", IN_ANY, CODE, "illegaldetected", FILTER},
	{"any", IN_ANY, CODE, "policyviolation", FILTER},
	{"any", IN_ANY, CODE, "blockreason", FILTER},
	{"any", IN_ANY, CODE, "censorship", FILTER},
	{"any", IN_ANY, CODE, "systemunsafe", FILTER},
	{"any", IN_ANY, CODE, "usersettingunsafe", FILTER},
	{"any", IN_ANY, CODE, "promptblocked", FILTER},
	{"any", IN_ANY, CODE, "|inputsensitive|", FILTER},
	{"any", IN_ANY, CODE, "|outputsensitive|", FILTER},
	{"any", IN_ANY, CODE, "|flagged|", FILTER},
	{"any", IN_ANY, CODE, "|filtered|", FILTER},
	{"any", IN_ANY, CODE, "|blocked|", FILTER},
	{"any", IN_ANY, CODE, "contentblocked", FILTER},
	{"any", IN_ANY, CODE, "riskcontrol", FILTER},
	{"any", IN_ANY, CODE, "safetyblock", FILTER},
	{"any", IN_ANY, CODE, "safetybreach", FILTER},
	{"any", IN_ANY, CODE, "illegalprompt", FILTER},
	{"any", IN_ANY, CODE, "illegalimage", FILTER},
	{"any", IN_ANY, CODE, "illegalcontent", FILTER},
	{"any", IN_ANY, CODE, "contentsafety", FILTER},
	{"any", IN_ANY, CODE, "inputimagerisk", FILTER},
	{"MiniMax", IN_ANY, CODE, "|statuscode1026|", FILTER},
	{"MiniMax", IN_ANY, CODE, "|statuscode1027|", FILTER},
	{"Zhipu", IN_ANY, CODE, "|1300|", FILTER},
	{"Zhipu", IN_ANY, CODE, "|1301|", FILTER},
	{"SiliconFlow", IN_ANY, CODE, "|50508|", FILTER},
	{"Spark", IN_ANY, CODE, "|10013|", FILTER},
	{"Spark", IN_ANY, CODE, "|10014|", FILTER},
	{"Spark", IN_ANY, CODE, "|10019|", FILTER},
	{"engines", IN_5XX, TEXT, "out of memory", SERVER},
	{"engines", IN_5XX, TEXT, "cuda error", SERVER},
	{"engines", IN_5XX, TEXT, "cudnn", SERVER},
	{"Ollama", IN_5XX, TEXT, "more system memory", MODEL},
	{"Ollama", IN_5XX, TEXT, "missing data required for image", MODEL},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "context length", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "context_length", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "context size", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "context window", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "maximum model length", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "max model len", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "exceed_context", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "too many tokens", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "longer than the maximum", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "longer than the model", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "prompt is too long", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "prompt too long", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "input is too long", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "input too long", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "max_seq_len", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "range of input length", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "exceed max message token", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "exceeded model token limit", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "max input", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "input length*exceed", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "input token*exceed", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "session_len", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "max_new_tokens` must be", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "超长", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "输入*过长", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "长度超过", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "上下文长度", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "超出*长度", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "超过*长度", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, CODE, "contextlengthexceeded", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, CODE, "contextwindowexceeded", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, CODE, "|1261|", CONTEXT},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "unsupported image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "unsupported media type", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image format", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image type", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image media", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "invalid image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "invalid base64", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "invalid data uri", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "corrupt*image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image*corrupt", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image is broken", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "broken image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "truncated image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image file is truncated", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "identify image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to load image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to decode image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to decode base64", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to process image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to parse image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to read image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "failed to open image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "could not process image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "could not load image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "could not decode image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "unable to process*image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "unable to decode image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "unable to load image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "decoding image", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image: unknown format", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image exceeds", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image*too large", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image*too small", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image*too big", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image*is empty", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image size", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image dimension", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image length and width", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image width", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image height", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image resolution", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image data", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "image pixel", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "aspect ratio", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "data-uri", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片格式", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像格式", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "格式*不支持", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "不支持*格式", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*解析", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*解码", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*损坏", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*过大", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*太大", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*过小", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*太小", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*尺寸", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*大小", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*分辨率", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图片*像素", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*解析", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*解码", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*损坏", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*过大", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*尺寸", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*大小", IMAGE},
	{"any", IN_4XX | IN_5XX | IN_200, TEXT, "图像*分辨率", IMAGE},
	{"Hunyuan, Ark, DashScope", IN_4XX | IN_5XX | IN_200, CODE, "imagedecode", IMAGE},
	{"Hunyuan, Ark, DashScope", IN_4XX | IN_5XX | IN_200, CODE, "invalidimage", IMAGE},
	{"Hunyuan, Ark, DashScope", IN_4XX | IN_5XX | IN_200, CODE, "imagedownload", IMAGE},
	{"Hunyuan, Ark, DashScope", IN_4XX | IN_5XX | IN_200, CODE, "invalidimageformat", IMAGE},
	{"Hunyuan, Ark, DashScope", IN_4XX | IN_5XX | IN_200, CODE, "unsupportedimage", IMAGE},
	{"any", IN_ANY, TEXT, "mmproj", MODEL},
	{"any", IN_ANY, TEXT, "not a multimodal", MODEL},
	{"any", IN_ANY, TEXT, "not multimodal", MODEL},
	{"any", IN_ANY, TEXT, "not a vlm", MODEL},
	{"any", IN_ANY, TEXT, "not a vision", MODEL},
	{"any", IN_ANY, TEXT, "text-only", MODEL},
	{"any", IN_ANY, TEXT, "text only", MODEL},
	{"any", IN_ANY, TEXT, "only supports text", MODEL},
	{"any", IN_ANY, TEXT, "only support text", MODEL},
	{"any", IN_ANY, TEXT, "only accepts text", MODEL},
	{"any", IN_ANY, TEXT, "not support image", MODEL},
	{"any", IN_ANY, TEXT, "not support vision", MODEL},
	{"any", IN_ANY, TEXT, "not support visual", MODEL},
	{"any", IN_ANY, TEXT, "not support multimodal", MODEL},
	{"any", IN_ANY, TEXT, "not support multi-modal", MODEL},
	{"any", IN_ANY, TEXT, "not support picture", MODEL},
	{"any", IN_ANY, TEXT, "not support the image", MODEL},
	{"any", IN_ANY, TEXT, "not accept image", MODEL},
	{"any", IN_ANY, TEXT, "not accept the image", MODEL},
	{"any", IN_ANY, TEXT, "not process image", MODEL},
	{"any", IN_ANY, TEXT, "not take image", MODEL},
	{"any", IN_ANY, TEXT, "no vision", MODEL},
	{"any", IN_ANY, TEXT, "no endpoints found", MODEL},
	{"any", IN_ANY, TEXT, "support image input", MODEL},
	{"any", IN_ANY, TEXT, "image input*not supported", MODEL},
	{"any", IN_ANY, TEXT, "image input*not enabled", MODEL},
	{"any", IN_ANY, TEXT, "image input*not allowed", MODEL},
	{"any", IN_ANY, TEXT, "image input*disabled", MODEL},
	{"any", IN_ANY, TEXT, "image inputs are not", MODEL},
	{"any", IN_ANY, TEXT, "images are not supported", MODEL},
	{"any", IN_ANY, TEXT, "images not supported", MODEL},
	{"any", IN_ANY, TEXT, "images is not supported", MODEL},
	{"any", IN_ANY, TEXT, "image is not supported", MODEL},
	{"any", IN_ANY, TEXT, "image not supported", MODEL},
	{"any", IN_ANY, TEXT, "image understanding*not", MODEL},
	{"any", IN_ANY, TEXT, "vision is not", MODEL},
	{"any", IN_ANY, TEXT, "vision input", MODEL},
	{"any", IN_ANY, TEXT, "vision*not supported", MODEL},
	{"any", IN_ANY, TEXT, "vision*not enabled", MODEL},
	{"any", IN_ANY, TEXT, "multimodal*not supported", MODEL},
	{"any", IN_ANY, TEXT, "multi-modal*not supported", MODEL},
	{"any", IN_ANY, TEXT, "multimodal*not enabled", MODEL},
	{"any", IN_ANY, TEXT, "multimodal*disabled", MODEL},
	{"any", IN_ANY, TEXT, "image_url*not supported", MODEL},
	{"any", IN_ANY, TEXT, "image_url*only supported", MODEL},
	{"any", IN_ANY, TEXT, "image_url*not allowed", MODEL},
	{"any", IN_ANY, TEXT, "image_url*unexpected", MODEL},
	{"any", IN_ANY, TEXT, "image_url*not permitted", MODEL},
	{"any", IN_ANY, TEXT, "type: image_url", MODEL},
	{"any", IN_ANY, TEXT, "type image_url", MODEL},
	{"any", IN_ANY, TEXT, "unsupported*image_url", MODEL},
	{"any", IN_ANY, TEXT, "unknown*image_url", MODEL},
	{"any", IN_ANY, TEXT, "unsupported content[].type", MODEL},
	{"any", IN_ANY, TEXT, "content must be a string", MODEL},
	{"any", IN_ANY, TEXT, "content should be a string", MODEL},
	{"any", IN_ANY, TEXT, "content to be a string", MODEL},
	{"any", IN_ANY, TEXT, "content field must be a string", MODEL},
	{"any", IN_ANY, TEXT, "expected a string, but got", MODEL},
	{"any", IN_ANY, TEXT, "expected string, got", MODEL},
	{"any", IN_ANY, TEXT, "expected string, received", MODEL},
	{"any", IN_ANY, TEXT, "valid string", MODEL},
	{"any", IN_ANY, TEXT, "str type expected", MODEL},
	{"any", IN_ANY, TEXT, "must be of type `str`", MODEL},
	{"any", IN_ANY, TEXT, "must be a str", MODEL},
	{"any", IN_ANY, TEXT, "must be string", MODEL},
	{"any", IN_ANY, TEXT, "at most 0 image", MODEL},
	{"any", IN_ANY, TEXT, "0 image(s)", MODEL},
	{"any", IN_ANY, TEXT, "limit_mm_per_prompt", MODEL},
	{"any", IN_ANY, TEXT, "image=0", MODEL},
	{"SiliconFlow", IN_ANY, CODE, "|20041|", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持图", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持*图片", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持*图像", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持视觉", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持多模态", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持*多模态", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不支持识图", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "仅支持文本", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "只支持文本", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "仅支持纯文本", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "非多模态", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不是多模态", MODEL},
	{"any, in Chinese", IN_ANY, TEXT, "不是视觉", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*not exist", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*not found", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "not found the model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*unavailable for", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "no such model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "unknown model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "incorrect model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "invalid model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "unsupported model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "not a valid model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model identifier", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model id*invalid", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*decommission", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*deprecated", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*retired", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*disabled", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*deactivated", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*shut down", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*no longer", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*is not supported", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*not activated", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model*not open", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "not activated the model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "not support model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access to model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access to the model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access the model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access this model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "access the requested model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "use this model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "use the model", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "model access denied", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "to access non-serverless", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "no available channel", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "no deployment", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "deployment*not exist", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "deployment*not found", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "not been deployed", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "no allowed providers", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "endpoint*not exist", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "provider not provided", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "no provider supported", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "chat template is no longer", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "url error, please check", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "on-demand throughput", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "modelnotfound", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "modelnotexist", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "modelnotopen", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "|invalidmodel|", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "deploymentnotfound", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "invalidendpoint", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "modelaccessdenied", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "modeldecommissioned", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "|20012|", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "|1211|", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "|1311|", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "servicenotopen", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "servicenotactivated", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, CODE, "invalidparametervaluemodel", MODEL},
	{"MiniMax", IN_ANY, CODE, "|statuscode2061|", MODEL},
	{"any", IN_4XX | IN_404, TEXT, "model*not available", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*不存在", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "不存在*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*未找到", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "未找到*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "找不到*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*下线", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*停用", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*未开通", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "未开通*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "服务未开通", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "无权*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "权限*模型", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*权限", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "无可用渠道", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "模型*无效", MODEL},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_404 | IN_5XX, TEXT, "无效的模型", MODEL},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalid*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "incorrect*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*invalid", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*incorrect", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*notvalid", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*expired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*missing", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*required", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*leaked", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*disabled", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*revoked", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*notfound", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*notexist", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*wrong", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*blocked", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*无效", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*错误", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*过期", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "apikey*不存在", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "missing*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "noapikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "provide*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "expired*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "wrong*apikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalidxapikey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "unauthenticated", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalidauthentication", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "authenticationerror", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalidtoken|", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalidsubscriptionkey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "invalidiamtoken", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "authfailure", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "authfailed", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "userunauth", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "signaturedoesnotmatch", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "expiredtoken", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "tokenexpired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "tokenisexpired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "tokenhasexpired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "keyhasexpired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "expiredkey", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "permissiondenied", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, CODE, "|401|", KEY},
	{"ArcGIS-like", IN_429, CODE, "invalidtoken|", KEY},
	{"MiniMax", IN_ANY, CODE, "|statuscode1004|", KEY},
	{"MiniMax", IN_ANY, CODE, "|statuscode2049|", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "unauthorized", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authentication*fail", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authentication*invalid", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authentication*required", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "not authenticated", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "auth credentials", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "missing credentials", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "invalid credentials", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "validate credentials", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "invalid access token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "access token*invalid", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "access token*expired", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "access token*no longer", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "iam certification", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "bearer token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authorization header", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authorization token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "auth token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "authentication token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "security token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "proxy server token", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "login fail", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "signature*invalid", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "invalid signature", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "signature*mismatch", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "permission denied", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "not have permission", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "no permission", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "invalid api key", KEY},
	{"any", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "incorrect api key", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "无效的令牌", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*过期", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*无效", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*不正确", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*验证", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*状态", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "令牌*非法", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "鉴权", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "认证失败", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "未授权", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "身份验证", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "身份认证", KEY},
	{"any, in Chinese", IN_200 | IN_4XX | IN_AUTH | IN_5XX, TEXT, "密钥", KEY},
	{"any", IN_ANY, TEXT, "too many requests", THROTTLE},
	{"any", IN_ANY, TEXT, "rate limit", THROTTLE},
	{"any", IN_ANY, TEXT, "rate_limit", THROTTLE},
	{"any", IN_ANY, TEXT, "rate-limit", THROTTLE},
	{"any", IN_ANY, TEXT, "ratelimit", THROTTLE},
	{"any", IN_ANY, TEXT, "throttl", THROTTLE},
	{"any", IN_ANY, TEXT, "overload", THROTTLE},
	{"any", IN_ANY, TEXT, "server busy", THROTTLE},
	{"any", IN_ANY, TEXT, "server is busy", THROTTLE},
	{"any", IN_ANY, TEXT, "is busy", THROTTLE},
	{"any", IN_ANY, TEXT, "capacity exceeded", THROTTLE},
	{"any", IN_ANY, TEXT, "capacity_exceeded", THROTTLE},
	{"any", IN_ANY, TEXT, "at capacity", THROTTLE},
	{"any", IN_ANY, TEXT, "over capacity", THROTTLE},
	{"any", IN_ANY, TEXT, "no capacity", THROTTLE},
	{"any", IN_ANY, TEXT, "queue is full", THROTTLE},
	{"any", IN_ANY, TEXT, "queue full", THROTTLE},
	{"any", IN_ANY, TEXT, "concurrency", THROTTLE},
	{"any", IN_ANY, TEXT, "concurrent request", THROTTLE},
	{"any", IN_ANY, TEXT, "tpm limit", THROTTLE},
	{"any", IN_ANY, TEXT, "rpm limit", THROTTLE},
	{"any", IN_ANY, TEXT, "qps limit", THROTTLE},
	{"any", IN_ANY, TEXT, "qps exceed", THROTTLE},
	{"any", IN_ANY, TEXT, "qps request", THROTTLE},
	{"any", IN_ANY, TEXT, "qps超", THROTTLE},
	{"any", IN_ANY, TEXT, "request limit reached", THROTTLE},
	{"any", IN_ANY, TEXT, "requests per minute", THROTTLE},
	{"any", IN_ANY, TEXT, "tokens per minute", THROTTLE},
	{"any", IN_ANY, TEXT, "maximum pending requests", THROTTLE},
	{"any", IN_ANY, TEXT, "currently loading", THROTTLE},
	{"any", IN_ANY, TEXT, "频繁", THROTTLE},
	{"any", IN_ANY, TEXT, "限流", THROTTLE},
	{"any", IN_ANY, TEXT, "并发", THROTTLE},
	{"any", IN_ANY, TEXT, "访问量过大", THROTTLE},
	{"any", IN_ANY, TEXT, "负载", THROTTLE},
	{"any", IN_ANY, TEXT, "请求过多", THROTTLE},
	{"any", IN_ANY, TEXT, "请求数过多", THROTTLE},
	{"any", IN_ANY, TEXT, "流控", THROTTLE},
	{"any", IN_ANY, TEXT, "繁忙", THROTTLE},
	{"any", IN_ANY, TEXT, "频率", THROTTLE},
	{"any", IN_ANY, TEXT, "过载", THROTTLE},
	{"any", IN_ANY, TEXT, "排队", THROTTLE},
	{"any", IN_ANY, CODE, "ratelimit", THROTTLE},
	{"any", IN_ANY, CODE, "toomanyrequests", THROTTLE},
	{"any", IN_ANY, CODE, "throttling", THROTTLE},
	{"any", IN_ANY, CODE, "overloaded", THROTTLE},
	{"any", IN_ANY, CODE, "serverlimitexceeded", THROTTLE},
	{"any", IN_ANY, CODE, "limitrequests", THROTTLE},
	{"any", IN_ANY, CODE, "limitburstrate", THROTTLE},
	{"any", IN_ANY, CODE, "|429|", THROTTLE},
	{"any", IN_ANY, CODE, "|1302|", THROTTLE},
	{"any", IN_ANY, CODE, "|1303|", THROTTLE},
	{"any", IN_ANY, CODE, "|1305|", THROTTLE},
	{"any", IN_ANY, CODE, "|1312|", THROTTLE},
	{"any", IN_ANY, CODE, "|1313|", THROTTLE},
	{"any", IN_ANY, CODE, "|11202|", THROTTLE},
	{"any", IN_ANY, CODE, "|11203|", THROTTLE},
	{"any", IN_ANY, CODE, "|50505|", THROTTLE},
	{"MiniMax", IN_ANY, CODE, "|statuscode1002|", THROTTLE},
	{"MiniMax", IN_ANY, CODE, "|statuscode1039|", THROTTLE},
	{"MiniMax", IN_ANY, CODE, "|statuscode1041|", THROTTLE},
	{"MiniMax", IN_ANY, CODE, "|statuscode2045|", THROTTLE},
	{"gateways", IN_200 | IN_5XX, TEXT, "no healthy upstream", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "bad gateway", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "upstream connect error", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "gateway timeout", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "gateway time-out", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "gateway time out", BUSY},
	{"gateways", IN_200 | IN_5XX, TEXT, "no available model provider", BUSY},
};

static int
kind_of(int status)
{
	if (status < 300)
		return IN_200;
	if (status == 401 || status == 403 || status == 407)
		return IN_AUTH;
	if (status == 404 || status == 405 || status == 410)
		return IN_404;
	if (status == 429 || status == 498 || status == 529)
		return IN_429;
	if (status == 451)
		return IN_REST;
	return status >= 500 ? IN_5XX : IN_4XX;
}

static const char *
find(const char *from, const char *end, const char *word, size_t size)
{
	return memmem(from, (size_t) (end - from), word, size);
}

/* Where the field that p is in ends, or what may stand between. */
static const char *
reach(const char *p, const char *end, Where where, size_t size)
{
	const char *most = (size_t) (end - p) > MOST_BETWEEN + size ? p + MOST_BETWEEN + size : end;
	const char *field = memchr(p, where == TEXT ? '\n' : '|', (size_t) (most - p));

	return field == NULL ? most : field;
}

static bool
fits(const Words *words, Where where, const char *pattern)
{
	const char *p = where == TEXT ? words->text : words->codes;
	const char *end = p + (where == TEXT ? words->text_size : words->codes_size);
	const char *star = strchr(pattern, '*');
	size_t		first = star == NULL ? strlen(pattern) : (size_t) (star - pattern);
	size_t		second = star == NULL ? 0 : strlen(star + 1);

	while ((p = find(p, end, pattern, first)) != NULL)
	{
		p += first;
		if (star == NULL || find(p, reach(p, end, where, second), star + 1, second) != NULL)
			return true;
	}
	return false;
}

static bool
says(const Words *words, const char *text)
{
	return fits(words, TEXT, text);
}

static void
set(VlmOutcome *outcome, VlmAction action, const char *reason, bool counts, bool probe)
{
	outcome->action = action;
	outcome->reason = reason;
	outcome->counts = counts;
	outcome->probe = probe;
}

/* ---- by the status ---- */

static const char *
server_reason(int status)
{
	switch (status)
	{
		case 500:
			return "http_500";
		case 502:
			return "http_502";
		case 503:
			return "http_503";
		case 504:
			return "http_504";
		default:
			return (status >= 520 && status <= 530) || status >= 598 ? "http_52x" : "http_5xx";
	}
}

/* Whether it comes of what stands between, and no picture can be the cause. */
static bool
is_between(int status, bool in_body)
{
	return status == 502 || status == 504 || (status == 503 && in_body) ||
		(status >= 520 && status <= 530) || status >= 598;
}

static void
judge_server_error(int status, bool in_body, VlmOutcome *outcome)
{
	if (status == 503 && !in_body)
		set(outcome, VLM_THROTTLE, "http_503", false, false);
	else
		set(outcome, VLM_RETRY, server_reason(status), !is_between(status, in_body), true);
}

static void
judge_bad_request(const Words *words, VlmOutcome *outcome)
{
	static const char *const pictures[] = {
		"image", "data-uri", "base64", "picture", "multimodal", "图片", "图像", NULL
	};

	for (const char *const *word = pictures; *word != NULL; word++)
		if (says(words, *word))
		{
			set(outcome, VLM_IMAGE_FAULT, "bad_image", true, false);
			return;
		}
	set(outcome, VLM_IMAGE_FAULT, "bad_request", true, true);
}

static void
judge_client_error(int status, const Words *words, VlmOutcome *outcome)
{
	switch (status)
	{
		case 402:
			set(outcome, VLM_PAUSE, "money", false, true);
			return;
		case 401:
		case 403:
		case 407:
			set(outcome, VLM_PAUSE, "key", false, true);
			return;
		case 404:
		case 410:
			set(outcome, VLM_PAUSE, says(words, "model") || says(words, "模型") ? "model" : "not_found",
				false, true);
			return;
		case 405:
			set(outcome, VLM_PAUSE, "not_found", false, true);
			return;
		case 408:
		case 409:
		case 424:
		case 425:
		case 444:
		case 460:
		case 499:
			set(outcome, VLM_RETRY, "http_408", true, true);
			return;
		case 413:
			set(outcome, VLM_IMAGE_FAULT, "too_large", true, false);
			return;
		case 451:
			set(outcome, VLM_FILTERED, "content_filter", true, false);
			return;
		default:
			judge_bad_request(words, outcome);
	}
}

static void
judge_status(int status, bool in_body, const Words *words, VlmOutcome *outcome)
{
	if (status == 429 || status == 498 || status == 529)
		set(outcome, VLM_THROTTLE, "throttled", false, true);
	else if (status >= 500)
		judge_server_error(status, in_body, outcome);
	else if (status >= 400)
		judge_client_error(status, words, outcome);
	else if (status >= 300)
		set(outcome, VLM_PAUSE, "redirect", false, true);
	else if (status >= 200)
		set(outcome, VLM_RETRY, "no_completion", true, true);
	else
		set(outcome, VLM_RETRY, "http_status", true, true);
}

/* ---- by the table ---- */

static void
apply(Class class, int status, bool soon, VlmOutcome *outcome)
{
	bool		throttle = class == THROTTLE || (class == QUOTA && soon);

	if (throttle)
		set(outcome, VLM_THROTTLE, status == 503 ? "http_503" : "throttled", false, status != 503);
	else if (class == MONEY || class == QUOTA)
		set(outcome, VLM_PAUSE, "money", false, true);
	else if (class == KEY)
		set(outcome, VLM_PAUSE, "key", false, true);
	else if (class == MODEL)
		set(outcome, VLM_PAUSE, "model", false, true);
	else if (class == REGION)
		set(outcome, VLM_PAUSE, "region", false, true);
	else if (class == FILTER)
		set(outcome, VLM_FILTERED, "content_filter", true, false);
	else if (class == CONTEXT)
		set(outcome, VLM_IMAGE_FAULT, "context", true, true);
	else if (class == IMAGE)
		set(outcome, VLM_IMAGE_FAULT, "bad_image", true, false);
	else
		set(outcome, VLM_RETRY, status >= 500 ? server_reason(status) : "http_502",
			class == SERVER, true);
}

/* Where words mean something: not in pages that answer 200, which may be anybody's. */
static const Verdict *
verdict_for(int status, const Words *words)
{
	int			kind = kind_of(status);

	if (status == 402 || status < 200 || (status >= 300 && status < 400) ||
		(kind == IN_200 && !words->json))
		return NULL;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if ((verdicts[i].statuses & kind) != 0 &&
			fits(words, verdicts[i].where, verdicts[i].pattern))
			return &verdicts[i];
	return NULL;
}

void
verdict_of(int status, bool in_body, const Words *words, int64_t retry_after_ms,
		   VlmOutcome *outcome)
{
	const Verdict *verdict = verdict_for(status, words);

	if (verdict != NULL)
		apply(verdict->class, status, retry_after_ms > 0 && retry_after_ms < SOON_MS, outcome);
	else
		judge_status(status, in_body, words, outcome);
}
