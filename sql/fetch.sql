-- What a URL and a robots.txt mean, without a request.
SELECT u.given, l.* FROM (VALUES ('http://Example.CN:80/图/../图片 1.jpg?a#b'), (' https://公司.cn/%2e%2E/x '),
	('http://①②⑦.⓪.⓪.①/'), ('http://0x7f.1/'), ('http://[::ffff:10.0.0.1]/'), ('http://a.cn\x'), ('ftp://a.cn/'),
	('http://u:p@a.cn/'), ('http://a.cn:8080/'), ('http://bucket.oss-cn-beijing.aliyuncs.com/a.jpg'),
	('http://8.8.8.8/'), (''), (NULL)) u (given), llava_url(u.given) l;
SELECT provolatile, proparallel FROM pg_proc WHERE proname IN ('llava_url', 'llava_robots') ORDER BY proname;
SELECT r.* FROM (VALUES ('http://a.cn/x.jpg'), ('http://a.cn/private/x.jpg'), ('http://a.cn/private/open/x.jpg'), ('http://a.cn/robots.txt')) u (url),
	llava_robots(E'User-agent: *\nDisallow: /private/\nAllow: /private/open/\nCrawl-delay: 2.5\n', 'llava_zh', u.url) r;
SELECT * FROM llava_robots('', 'two words', 'http://a.cn/');
SELECT * FROM llava_robots('', 'llava_zh', 'http://127.0.0.1/');
-- Off: a row needs its picture, and is told what would fetch it.
SELECT current_setting('llava_zh.fetch');
INSERT INTO llava_image (source_url) VALUES ('http://a.cn/x.jpg');
-- The settings say what is wrong with a value.
ALTER SYSTEM SET llava_zh.fetch_allow = '10.0.0.0/8, all';
ALTER SYSTEM SET llava_zh.fetch_ports = '8080, http';
ALTER SYSTEM SET llava_zh.fetch_contact = 'a (b)';
ALTER SYSTEM SET llava_zh.fetch_reservations = 'noai, everything';
ALTER SYSTEM SET llava_zh.fetch_nameservers = 'localhost';
ALTER SYSTEM SET llava_zh.fetch_tls = 'off';
SELECT * FROM llava_fetch_check('http://a.cn/x.jpg');
SELECT * FROM llava_fetch_check('http://10.0.0.1/x.jpg');
SELECT llava_park('nowhere.cn'), llava_refetch();
SELECT * FROM llava_stat_fetch;
SELECT * FROM llava_stat_host;
