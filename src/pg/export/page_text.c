/*
 * page_text.c
 *	  The HTML of llava_page.  No script and nothing from outside; it fits a phone.
 */
#include "postgres.h"

#include "template.h"

static const char page_head[] =
"<!doctype html>\n"
"<html lang='zh-CN'>\n"
"<head>\n"
"<meta charset='utf-8'>\n"
"<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
"<meta name='referrer' content='no-referrer'>\n"
"<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
"<title>样本抽看 · llava_zh</title>\n"
"<style>\n"
":root { --paper: #f7f5f0; --card: #fffefb; --ink: #22201c; --soft: #6d675d; --line: #e4dfd4;\n"
"  --red: #a8332a; --red-soft: #f7e9e6; --blue: #38618c; --track: #ece8de; color-scheme: light dark; }\n"
"@media (prefers-color-scheme: dark) { :root { --paper: #171614; --card: #201f1c; --ink: #e9e5dc; --soft: #a19a8d;\n"
"  --line: #36332e; --red: #e58a7f; --red-soft: #3a2522; --blue: #86aed6; --track: #302d28; } }\n"
"* { box-sizing: border-box; }\n"
"body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.75 'PingFang SC', 'Hiragino Sans GB',\n"
"  'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', system-ui, sans-serif;\n"
"  line-break: strict; overflow-wrap: anywhere; text-autospace: normal; text-spacing-trim: normal;\n"
"  -webkit-text-size-adjust: 100%; }\n"
"header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1rem; }\n"
"header { padding-top: 1.75rem; }\n"
"h1 { margin: 0; font: 600 1.6rem/1.3 'Songti SC', 'Noto Serif CJK SC', 'Source Han Serif SC', SimSun, serif;\n"
"  letter-spacing: .06em; }\n"
"h1::before { content: ''; display: inline-block; width: .3rem; height: 1.2rem; margin-right: .6rem; background: var(--red);\n"
"  vertical-align: -.12rem; }\n"
".sum { margin: .5rem 0 1.25rem; color: var(--soft); font-size: .9rem; }\n"
".sum b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }\n"
".charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; margin-bottom: 1.5rem; }\n"
".chart, .sample { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }\n"
".chart { padding: .8rem 1rem 1rem; }\n"
"h2 { margin: 0 0 .4rem; font-size: .85rem; font-weight: 600; color: var(--soft); letter-spacing: .05em; }\n"
".bar { display: grid; grid-template-columns: 7.5rem 1fr auto; gap: .6rem; align-items: center; font-size: .85rem; line-height: 1.7; }\n"
".bar .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }\n"
".bar .track { height: .55rem; border-radius: .3rem; background: var(--track); overflow: hidden; }\n"
".bar .track i { display: block; height: 100%; border-radius: .3rem; background: var(--blue); }\n"
".reasons .track i { background: var(--red); }\n"
".bar .count { font-variant-numeric: tabular-nums; min-width: 2.2rem; text-align: right; }\n"
".none { margin: 0; color: var(--soft); font-size: .85rem; }\n"
".sample { display: grid; margin-bottom: 1.25rem; overflow: hidden; }\n"
".picture { background: var(--track); display: flex; align-items: center; justify-content: center; min-height: 8rem; }\n"
".picture img { display: block; max-width: 100%; max-height: 22rem; width: auto; height: auto; }\n"
".picture p { margin: 0; padding: 1.5rem; color: var(--soft); font-size: .85rem; text-align: center; }\n"
".text { padding: .9rem 1rem 1rem; min-width: 0; }\n"
".top { display: flex; flex-wrap: wrap; gap: .15rem .75rem; align-items: baseline; }\n"
".file { font: 600 .92rem/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace; unicode-bidi: isolate; }\n"
".small { color: var(--soft); font-size: .8rem; line-height: 1.6; }\n"
".small span { margin-right: .9rem; unicode-bidi: isolate; }\n"
".tags { margin: .35rem 0 0; display: flex; flex-wrap: wrap; gap: .35rem; }\n"
".tags:empty { display: none; }\n"
".tag { padding: 0 .5rem; border-radius: .3rem; font-size: .75rem; line-height: 1.7; background: var(--track); color: var(--soft); }\n"
".tag.no, .tag.note { background: var(--red-soft); color: var(--red); }\n"
".turn { margin: .7rem 0 0; padding-left: 2.1rem; position: relative; white-space: pre-wrap; unicode-bidi: isolate; }\n"
".turn::before { content: '答'; position: absolute; left: 0; top: .2rem; width: 1.4rem; height: 1.4rem; border-radius: .3rem;\n"
"  font-size: .8rem; line-height: 1.4rem; text-align: center; background: var(--track); color: var(--soft); }\n"
".turn.human { font-weight: 600; margin-top: 1.1rem; }\n"
".turn.human::before { content: '问'; background: var(--red); color: var(--card); font-weight: 400; }\n"
"footer { padding-bottom: 3rem; color: var(--soft); font-size: .85rem; }\n"
"pre { padding: .8rem 1rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;\n"
"  font: .8rem/1.6 ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace; color: var(--ink); }\n"
"@media (min-width: 48rem) { .sample { grid-template-columns: 21rem 1fr; } .picture { align-items: flex-start; padding: 1rem 0 1rem 1rem; background: none; }\n"
"  .picture img { border-radius: .35rem; } .picture p { width: 100%; border-radius: .35rem; background: var(--track); } }\n"
"@media print { .sample { break-inside: avoid; } }\n"
"</style>\n"
"</head>\n"
"<body>\n"
"<header>\n"
"<h1>样本抽看</h1>\n"
"<p class='sum'>{{{scope}}}共 <b>{{total}}</b> 条样本，此页 <b>{{shown}}</b> 条；已人工看过 <b>{{looked}}</b> 条，"
"其中 <b>{{dropped}}</b> 条不用。{{made}}</p>\n"
"<div class='charts'>\n"
"<section class='chart'><h2>任务</h2>{{{tasks}}}</section>\n"
"<section class='chart'><h2>轮数</h2>{{{rounds}}}</section>\n"
"<section class='chart reasons'><h2>未采用的原因</h2>{{{reasons}}}</section>\n"
"</div>\n"
"</header>\n"
"<main>\n";

static const char page_foot[] =
"</main>\n"
"<footer>\n"
"<p>看过之后，把结论记在样本上；<code>keep = false</code> 的样本不会被导出：</p>\n"
"<pre>UPDATE llava_conversation SET keep = true  WHERE image IN (…);\n"
"UPDATE llava_conversation SET keep = false, note = '招牌上的字认错了' WHERE image = … AND task = '…';</pre>\n"
"</footer>\n"
"</body>\n"
"</html>\n";

const Template page_templates[] = {
	{"page_head", false, page_head},
	{"page_foot", false, page_foot},
	{"page_scope", false, "任务 <b>{{task}}</b>："},
	{"page_bar", false,
		"<div class='bar'><span class='name' title='{{label}}'>{{label}}</span>"
		"<span class='track'><i style='width:{{width}}%'></i></span>"
	"<span class='count'>{{count}}</span></div>"},
	{"page_no_bars", false, "<p class='none'>没有</p>"},
	{"page_rounds", false, "{{rounds}} 轮"},
	{"page_sides", false, "{{width}} × {{height}}"},
	{"page_sample", false,
		"<article class='sample' id='s{{image}}-{{n}}'>\n"
		"<div class='picture'>{{{picture}}}</div>\n"
		"<div class='text'>\n"
		"<div class='top'><span class='file'>{{file}}</span></div>\n"
		"<div class='small'><span>#{{image}}</span><span>{{sides}}</span><span>{{task}} · 第 {{version}} 版</span>"
		"<span>{{model}}</span></div>\n"
		"<div class='tags'>{{{tags}}}</div>\n"
		"{{{turns}}}"
		"</div>\n"
	"</article>\n"},
	{"page_picture", false,
	"<img src='data:image/jpeg;base64,{{base64}}' alt='{{file}}' loading='lazy'>"},
	{"page_no_picture", false, "<p>图片已不在库中</p>"},
	{"page_bad_picture", false, "<p>图片无法解码</p>"},
	{"page_flag", false, "<span class='tag'>{{flag}}</span>"},
	{"page_kept", false, "<span class='tag'>已看，留用</span>"},
	{"page_dropped", false, "<span class='tag no'>已看，不用</span>"},
	{"page_note", false, "<span class='tag note'>{{note}}</span>"},
	{"page_turn", false, "<p class='turn {{who}}'>{{value}}</p>\n"},
	{NULL}
};
