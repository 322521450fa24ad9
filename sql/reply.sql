-- Every class of the reply policy: its reason, or its flags.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

-- {Q1} and its like stand for these
CREATE TEMP TABLE part (name text, text text);
INSERT INTO part VALUES
	('{Q1}', '图片中有几个人在骑自行车？'),
	('{A1}', '图片中有三个人正在骑自行车，他们沿着河边的小路一字排开，最前面的那位戴着一顶黄色头盔。'),
	('{Q2}', '当时的天气看起来怎么样？'),
	('{A2}', '天气晴朗，天空是湛蓝色的，只有远处的山顶上飘着几朵白云，阳光从右侧照过来，地上有清晰的影子。'),
	('{RQ}', '从画面推测，这家小店为什么在雨天仍然排着长队？'),
	('{RA}', '首先，店门口的黑板上写着今日特价，说明店家正在做促销，这会吸引附近的居民。其次，排队的人大多撑着伞、提着菜篮，可以推断他们是下班后顺路来买晚饭的。再次，蒸笼里冒着热气，点心显然刚刚出炉，口味最好。综合来看，价格、时间和新鲜程度共同解释了人们为什么愿意冒雨等候。'),
	('{D}', '清晨的菜市场里人来人往，左侧的摊位上整齐地码放着青菜、番茄和茄子，摊主系着蓝色围裙，正把一把小葱递给弯腰挑选的老人。右侧停着一辆三轮车，车斗里装满了刚送来的活鱼，水花溅到了石板路上。远处的屋檐下挂着红灯笼，光线柔和。'),
	('{HANT}', '清晨的菜市場裡人來人往，左側的攤位上整齊地擺著青菜和番茄，攤主繫著藍色圍裙，正把一把小蔥遞給彎腰挑選的老人。右側停著一輛三輪車，車斗裡裝滿了剛送來的活魚，水花濺到石板路上，遠處的屋簷下掛著紅燈籠。');

CREATE TEMP TABLE example (class text PRIMARY KEY, task text, reply text, finish text DEFAULT 'stop');
INSERT INTO example (class, task, reply) VALUES
	-- accepted, by shape
	('plain', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}'),
	('bold', '日常对话', E'**用户：** {Q1}\n\n**助手：** {A1}\n\n**用户：** {Q2}\n\n**助手：** {A2}'),
	('heading', '日常对话', E'### 用户\n{Q1}\n\n### 助手\n{A1}\n\n### 用户\n{Q2}\n\n### 助手\n{A2}'),
	('brackets', '日常对话', E'【用户】{Q1}\n【助手】{A1}\n【用户】{Q2}\n【助手】{A2}'),
	('numbered rounds', '日常对话', E'第一轮：\nQ1：{Q1}\nA1：{A1}\n\n第二轮：\nQ2：{Q2}\nA2：{A2}'),
	('quoted', '日常对话', E'> 用户：{Q1}\n>\n> 助手：{A1}\n>\n> 用户：{Q2}\n>\n> 助手：{A2}'),
	('written line ends', '日常对话', '用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n'),
	('fenced JSON', '日常对话', E'```json\n[{"role":"user","content":"{Q1}"},{"role":"assistant","content":"{A1}"},\n{"role":"user","content":"{Q2}"},{"role":"assistant","content":"{A2}"}]\n```'),
	('reasoning', '复杂推理', E'问题：{RQ}\n\n详细回答：{RA}'),
	('reasoning on one line', '复杂推理', '问题：{RQ}回答：{RA}'),
	('description', '描述图片', E'**图片描述：**\n\n{D}'),
	('cut at a token', '描述图片', E'{D}<|im_end|>\n<|im_start|>user'),
	-- accepted, with flags
	('think_removed', '描述图片', E'<think>\n用户：先看看。\n</think>\n\n{D}'),
	('preamble_dropped', '日常对话', E'好的，以下是对话：\n\n用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}'),
	('closing_trimmed', '描述图片', E'{D}\n\n希望以上描述对您有所帮助！'),
	('merged_turns', '日常对话', E'用户：{Q1}\n助手：{A1}\n助手：它们都很新。\n用户：{Q2}\n助手：{A2}'),
	('leading_turn_dropped', '日常对话', E'助手：你好，请提问。\n用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}'),
	('dangling_turn_dropped', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n用户：还有吗？'),
	('trimmed_rounds', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n用户：有树吗？\n助手：有一排高大的树。\n用户：有车吗？\n助手：有两辆白色汽车。\n用户：有狗吗？\n助手：有一只黄色的狗。\n用户：有船吗？\n助手：有一条小木船。'),
	('duplicate_round_dropped', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n用户：{Q1}\n助手：有三个人。还有呢。'),
	('refused_round_dropped', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n用户：他们多大？\n助手：抱歉，从图片中无法确定他们的年龄。'),
	('extra_pairs', '复杂推理', E'问题：{RQ}\n回答：{RA}\n\n问题：{Q2}\n回答：{A2}'),
	('short_dialogue', '日常对话', E'用户：{Q1}\n助手：{A1}{A2}'),
	('zh_hant', '描述图片', '{HANT}'),
	('pii: telephone', '描述图片', '{D}招牌上的电话是138-1234-5678。'),
	('pii: identity card', '描述图片', '{D}证件号是11010519491231002X。'),
	('pii: bank card', '描述图片', '{D}卡号是4111 1111 1111 1111。'),
	('pii: e-mail', '描述图片', '{D}邮箱是li.lei@example.com。'),
	('pii: URL', '描述图片', '{D}网址是https://example.org/a。'),
	('no pii: wrong checksums', '描述图片', '{D}编号110105194912310021和4111111111111112。'),
	('dangling_reference', '描述图片', '{D}如图1所示，人很多。'),
	('meta_leak', '描述图片', '根据您提供的描述，{D}'),
	-- rejected
	('empty', '描述图片', E' \n　\n'),
	('empty: null', '日常对话', 'null'),
	('refusal', '描述图片', '抱歉，我无法协助满足该请求。'),
	('refusal: English', '日常对话', 'I''m sorry, but I can''t assist with that.'),
	('image_not_seen', '描述图片', '作为一个AI语言模型，我看不到图片。'),
	('image_not_seen: English', '描述图片', 'No image was provided.'),
	('template_echo', '日常对话', E'用户：……\n助手：……'),
	('unclosed_think', '日常对话', E'<think>\n用户：{Q1}'),
	('no_user_first', '日常对话', '助手：{A1}{A2}'),
	('empty_turn', '日常对话', E'用户：{Q1}\n助手：\n用户：{Q2}\n助手：{A2}'),
	('roles_not_alternating', '日常对话', E'用户：{Q1}\n用户：{Q2}\n助手：{A1}{A2}'),
	('ambiguous_role', '日常对话', E'用户：{Q1}\n助手：{A1}屏幕上写着：\n用户：张三\n助手：{A2}'),
	('no_question', '复杂推理', '回答：{RA}'),
	('no_answer', '复杂推理', '问题：{RQ}'),
	('not_complex', '复杂推理', E'问题：请描述这张图片的内容。\n回答：{RA}'),
	('too_short', '描述图片', '一个热闹的菜市场。'),
	('degenerate', '描述图片', '{D}' || repeat('老人正在弯腰挑选新鲜的小葱。', 20)),
	('degenerate: one character', '描述图片', '图中' || repeat('啊', 300)),
	('degenerate: long passages', '描述图片', repeat('{D}', 6)),
	('language', '描述图片', 'A busy morning market with fresh vegetables and a friendly vendor.'),
	('language: Japanese', '描述图片', '朝の市場は人でにぎわっています。左側の屋台には野菜がきれいに並べられています。'),
	('special_token', '描述图片', '{D}<|vision_end|>'),
	('image_token_leak', '日常对话', E'用户：<image>\n{Q1}\n助手：{A1}{A2}'),
	('transport_error', '描述图片', '{"error":{"message":"overloaded"}}'),
	('transport_error: HTML', '日常对话', '<html><head><title>502 Bad Gateway</title></head></html>'),
	('bad_utf8', '描述图片', '{D}' || chr(65533)),
	('bad_utf8: half a pair', '日常对话', '[{"用户":"{Q1}","助手":"{A1}{A2}\ud83d"}]'),
	('unparsable', '日常对话', '{D}');
INSERT INTO example VALUES
	('salvaged', '日常对话', E'用户：{Q1}\n助手：{A1}\n用户：{Q2}\n助手：{A2}\n用户：还有什么？\n助手：还有', 'length'),
	('salvaged: JSON', '日常对话', '[{"用户":"{Q1}","助手":"{A1}"},{"用户":"{Q2}","助手":"{A2}"},{"用户":"还', 'length'),
	('truncated', '描述图片', '{D}', 'length'),
	('truncated: reasoning', '复杂推理', E'问题：{RQ}\n回答：{RA}', 'length');
-- the task's own prompt
INSERT INTO example SELECT 'prompt_echo', '日常对话', prompt, 'stop' FROM llava_task WHERE name = '日常对话';
DO $$
DECLARE p record;
BEGIN
	FOR p IN SELECT * FROM part LOOP
		UPDATE example SET reply = replace(reply, p.name, p.text);
	END LOOP;
END $$;

CREATE TEMP TABLE verdict AS
SELECT e.class, e.task, p.reason, p.flags, jsonb_array_length(p.conversation) AS turns, p.conversation
FROM example e, llava_parse_reply(e.task, e.reply, e.finish) p;
SELECT class, reason, flags, turns FROM verdict ORDER BY reason NULLS FIRST, flags, class COLLATE "C";

-- a class that is named after a reason or a flag has it
SELECT class, reason, flags FROM verdict
WHERE class ~ '^[a-z_0-9]+(:|$)' AND class NOT IN ('plain', 'bold', 'heading', 'brackets', 'quoted', 'reasoning', 'description')
	AND NOT split_part(class, ':', 1) = ANY (flags || reason);

-- every decoration gives the same turns
SELECT count(*) AS shapes, count(DISTINCT conversation) AS conversations
FROM verdict WHERE task = '日常对话' AND reason IS NULL AND flags <@ '{preamble_dropped,leading_turn_dropped,dangling_turn_dropped,duplicate_round_dropped,refused_round_dropped,salvaged}';

-- English tasks pass the same checks, for their own language
SELECT p.reason, p.flags FROM part, llava_parse_reply('detail_en', part.text) p WHERE part.name = '{D}';
SELECT p.reason, p.flags FROM llava_parse_reply('detail_en',
	'An elderly man in a blue apron hands a bunch of spring onions to a customer, while a tricycle full of live fish waits on the wet cobblestones behind them and red lanterns hang from the eaves of the old houses. '
	'On the left, crates of tomatoes and aubergines are stacked in neat rows, and the soft light of the early morning falls on a handwritten price board. '
	'Two children chase each other between the stalls, a dog sleeps under a table, and somebody in the background is unloading sacks of rice. '
	'Everything looks busy, friendly and a little wet. Call 13812345678 to order.') p;
