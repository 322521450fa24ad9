/*
 * card_text.c
 *	  The Markdown of llava_dataset_card, in Chinese and English.
 */
#include "postgres.h"

#include "template.h"

static const char card[] =
"---\n"
"license: {{{licence}}}\n"
"language:\n"
"{{{languages}}}"
"task_categories:\n"
"- visual-question-answering\n"
"- image-text-to-text\n"
"size_categories:\n"
"- {{{size}}}\n"
"pretty_name: {{{pretty_name}}}\n"
"tags:\n"
"- llava\n"
"- visual-instruction-tuning\n"
"- synthetic\n"
"{{{configs}}}"
"---\n"
"\n"
"# {{name}}\n"
"\n"
"[中文](#中文) | [English](#english)\n"
"\n"
"## 中文\n"
"\n"
"由视觉语言模型看图写成的视觉指令数据，共 **{{samples}}** 条样本，来自 **{{images}}** 张图片；每条是一张图片与一段对话，"
"行的形状与 LLaVA-Instruct 相同。提示词、模型、参数与种子逐条留有记录，由 llava_zh {{extension}} 制作。\n"
"\n"
"### 任务与数量\n"
"\n"
"{{{tasks}}}"
"\n"
"### 轮数与长度\n"
"\n"
"{{{lengths}}}"
"\n"
"{{quoting}} % 的样本在引号里写有汉字，多是引用图中的文字。\n"
"\n"
"### 模型、参数与版本\n"
"\n"
"{{{models}}}"
"\n"
"提示词全文见[文末](#提示词-prompts)。应答解析器版本：{{parsers}}。\n"
"\n"
"### 质量\n"
"\n"
"模型的应答共 {{replies}} 份，其中 {{rejected}} 份未采用；图片有 {{images_rejected}} 张未能送出。人工看过 **{{looked}}** 条样本，"
"其中 {{dropped}} 条不用，已排除在外。\n"
"\n"
"{{{reasons}}}"
"\n"
"### 许可\n"
"\n"
"数据集许可：{{licence_words}}。图片各自的许可（制作者录入）：\n"
"\n"
"{{{licences}}}"
"\n"
"### 复现\n"
"\n"
"同样的图片、提示词、参数与种子记录在 `llava_provenance` 中；重新导出：\n"
"\n"
"{{{export}}}"
"\n"
"## English\n"
"\n"
"Visual-instruction data written by a vision-language model that looked at each picture: **{{samples}}** samples about "
"**{{images}}** pictures, one picture and one dialogue each, rows shaped as LLaVA-Instruct's. Prompt, model, parameters and "
"seed are on record for every sample. Made with llava_zh {{extension}}.\n"
"\n"
"### Tasks\n"
"\n"
"{{{tasks}}}"
"\n"
"### Rounds and length\n"
"\n"
"{{{lengths}}}"
"\n"
"{{quoting}} % of the samples have Han characters in quotation marks, mostly text quoted from the picture.\n"
"\n"
"### Models, parameters, versions\n"
"\n"
"{{{models}}}"
"\n"
"The prompts stand [at the end](#提示词-prompts). Version of the reply parser: {{parsers}}.\n"
"\n"
"### Quality\n"
"\n"
"Of {{replies}} replies {{rejected}} were not accepted; {{images_rejected}} pictures could not be asked about. A person looked "
"at **{{looked}}** samples and dropped {{dropped}}, which are left out.\n"
"\n"
"{{{reasons}}}"
"\n"
"### Licences\n"
"\n"
"Of the data set: {{licence_words}}. Of the pictures, as stated by the maker:\n"
"\n"
"{{{licences}}}"
"\n"
"### How to reproduce\n"
"\n"
"Pictures, prompts, parameters and seeds are in `llava_provenance`. The export again:\n"
"\n"
"{{{export}}}"
"\n"
"## 提示词 Prompts\n"
"\n"
"{{{prompts}}}";

const Template card_templates[] = {
	{"card", true, card},
	{"card_language", true, "- {{language}}\n"},
	{"card_configs", true, "configs:\n- config_name: default\n  data_files:\n{{{files}}}"},
	{"card_file", true, "  - split: {{split}}\n    path: {{{path}}}\n"},
	{"card_tasks", true,
		"| 任务 Task | 样本 Samples | 份额 Share | 图片 Pictures | 平均轮数 Rounds |\n"
	"|---|---:|---:|---:|---:|\n{{{rows}}}"},
	{"card_task", true, "| {{task}} | {{samples}} | {{share}} % | {{images}} | {{rounds}} |\n"},
	{"card_lengths", true,
		"| 任务 Task | 轮数 Rounds: 样本 Samples | 问题字数 Question chars, p50 · p95 | 回答字数 Answer chars, p50 · p95 |\n"
	"|---|---|---:|---:|\n{{{rows}}}"},
	{"card_length", true,
	"| {{task}} | {{rounds}} | {{question_p50}} · {{question_p95}} | {{answer_p50}} · {{answer_p95}} |\n"},
	{"card_models", true,
		"| 模型 Model | 服务自称 As it calls itself | 任务 Task | 版本 Version | 样本 Samples | 参数 Parameters |\n"
	"|---|---|---|---:|---:|---|\n{{{rows}}}"},
	{"card_model", true,
	"| {{model}} | {{reported}} | {{task}} | {{version}} | {{samples}} | {{parameters}} |\n"},
	{"card_reasons", true,
		"| 未采用 Not accepted | 任务 Task | 原因 Reason | 数量 Count |\n"
	"|---|---|---|---:|\n{{{rows}}}"},
	{"card_reason", true, "| {{kind}} | {{task}} | {{reason}} | {{count}} |\n"},
	{"card_licences", true,
		"| 许可 Licence | 图片 Pictures |\n"
	"|---|---:|\n{{{rows}}}"},
	{"card_licence", true, "| {{licence}} | {{images}} |\n"},
	{"card_others", true, "其他 {{n}} 种 others"},
	{"card_unstated", true, "未说明 not stated"},
	{"card_prompt", true, "### {{task}} · {{version}}\n\n{{{prompt}}}\n\n"},
	{NULL}
};
