-- The parser in SQL: which task's rules, what comes back, and for whom.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never
\x on
\pset format unaligned

CREATE TEMP TABLE reply (name text, text text);
INSERT INTO reply VALUES
	('dialogue', E'用户：图片中的橱柜是什么颜色的？\n\n助手：图片中的橱柜是白色的，沿着墙壁整齐地排列着，门板上装着细长的金属拉手，看起来非常干净，也很有现代感。\n\n用户：台面上放着哪些东西？\n\n助手：台面上放着一台银色的咖啡机和几只透明的玻璃杯，旁边没有其他杂物，可见主人平时很注意收拾，用完的东西都会放回原处。\n\n用户：窗边有植物吗？\n\n助手：有的，窗边摆着一盆绿色的植物，叶子茂密，阳光正好照在上面，显得很有生机。'),
	('reasoning', E'问题：从画面推断，主人的生活习惯可能是怎样的，为什么？\n\n回答：从图片中可以看到，橱柜和台面都十分整洁，咖啡机旁边放着刚洗好的杯子，说明主人有良好的收纳习惯，并且很可能刚刚准备过早餐。窗边的植物生长茂盛，说明这里光照充足，也有人定期浇水照料。结合墙上时钟显示的上午时间，可以推断这是一个普通工作日的早晨，主人可能在用完早餐之后已经出门。因此这间厨房既实用又充满生活气息。'),
	('description', '这张图片展示了一个宽敞明亮的现代厨房，白色的橱柜沿着墙壁整齐排列，台面上放着一台银色的咖啡机和几只玻璃杯。窗边摆着一盆绿色的植物，阳光从窗户照进来，在浅色的木地板上留下柔和的影子。右侧的墙上挂着一只圆形的时钟，时间指向上午十点左右，整个空间显得安静而温馨。');

-- each kind, by name and by alias
SELECT p.* FROM reply r, llava_parse_reply('日常对话', r.text) p WHERE r.name = 'dialogue';
SELECT p.* FROM reply r, llava_parse_reply('complex_reasoning', r.text) p WHERE r.name = 'reasoning';
SELECT p.* FROM reply r, llava_parse_reply('描述图片', r.text) p WHERE r.name = 'description';

-- the human turn of a description is the first of the task's questions
SELECT (p.conversation -> 0 ->> 'value') = t.questions[1] AS first_question
FROM reply r, llava_parse_reply('描述图片', r.text) p, llava_task t
WHERE r.name = 'description' AND t.name = '描述图片';

-- a reply in the wrong task's shape is none
SELECT p.* FROM reply r, llava_parse_reply('复杂推理', r.text) p WHERE r.name = 'description';

-- what is cut off is not taken for whole
SELECT jsonb_array_length(p.conversation) AS turns, p.reason, p.flags
FROM reply r, llava_parse_reply('日常对话', left(r.text, -20), 'length') p WHERE r.name = 'dialogue';
SELECT p.* FROM reply r, llava_parse_reply('描述图片', left(r.text, -20), 'length') p
WHERE r.name = 'description';

-- what else a server may say of the end is left to the text
SELECT p.conversation IS NOT NULL AS accepted, p.reason
FROM reply r, llava_parse_reply('描述图片', r.text, 'stop_sequence') p WHERE r.name = 'description';

-- refusals, nothing, noise
SELECT p.* FROM llava_parse_reply('描述图片', '') p;
SELECT p.* FROM llava_parse_reply('描述图片', '很抱歉，我无法查看这张图片。') p;
SELECT p.* FROM llava_parse_reply('描述图片', '一张图片。') p;
SELECT jsonb_array_length(p.conversation) AS turns, p.reason, p.flags
FROM reply r, llava_parse_reply('日常对话', '<think>先看看图片。</think>' || r.text) p
WHERE r.name = 'dialogue';

-- thresholds are the task's newest row's
INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 1);
SELECT p.conversation IS NOT NULL AS accepted, p.reason
FROM llava_parse_reply('描述图片', '一张厨房的图片，里面有白色的橱柜和绿色的植物。') p;
INSERT INTO llava_task (name, min_letters, questions) VALUES ('描述图片', 1, '{说说看}');
SELECT p.conversation -> 0 AS human
FROM llava_parse_reply('描述图片', '一张厨房的图片，里面有白色的橱柜和绿色的植物。') p;
INSERT INTO llava_task (name, max_rounds) VALUES ('日常对话', 2);
SELECT jsonb_array_length(p.conversation) AS turns, p.flags
FROM reply r, llava_parse_reply('日常对话', r.text) p WHERE r.name = 'dialogue';

-- text is kept to the letter: quotes, backslashes, line breaks, emoji
SELECT p.conversation -> 1 ->> 'value' = r.text AS kept
FROM (VALUES (E'画面里有一块写着"欢迎\\光临"的牌子，\t旁边是\n\n一只🐱，还有控制字符\x01。')) r (text),
	llava_parse_reply('描述图片', r.text) p;

-- errors
SELECT llava_parse_reply('no such task', 'x');
SELECT llava_parse_reply(NULL, 'x') IS NULL AS null_of_null;

-- anybody who can read the tasks; it writes nothing
CREATE ROLE regress_llava_reader;
SET ROLE regress_llava_reader;
SELECT p.reason FROM llava_parse_reply('描述图片', '') p;
RESET ROLE;
GRANT SELECT ON llava_task TO regress_llava_reader;
SET ROLE regress_llava_reader;
BEGIN READ ONLY;
SELECT p.reason FROM llava_parse_reply('描述图片', '') p;
COMMIT;
RESET ROLE;
REVOKE ALL ON llava_task FROM regress_llava_reader;
DROP ROLE regress_llava_reader;
