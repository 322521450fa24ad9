/*
 * test_web_url.c
 *	  What a URL is taken for, and what is refused, with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/web.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

typedef struct Normal
{
	const char *given;
	const char *normal;
	const char *host;
	const char *domain;
} Normal;

static const Normal normals[] = {
	{"http://a.cn", "http://a.cn/", "a.cn", "a.cn"},
	{"  \t\r\nHTTP://WWW.A.com.CN:80/x.jpg#z \n", "http://www.a.com.cn/x.jpg", "www.a.com.cn", "a.com.cn"},
	{"\xEF\xBB\xBFhttps://a.cn:443/\xEF\xBB\xBF ", "https://a.cn/", "a.cn", "a.cn"},
	{"https://a.cn:80/", "https://a.cn:80/", "a.cn", "a.cn"},
	{"http://a.cn:443/", "http://a.cn:443/", "a.cn", "a.cn"},
	{"http://a.cn:/", "http://a.cn/", "a.cn", "a.cn"},
	{"http://a.cn:0080/", "http://a.cn/", "a.cn", "a.cn"},
	{"http://a.cn./x", "http://a.cn/x", "a.cn", "a.cn"},
	{"http://a.cn?q", "http://a.cn/?q", "a.cn", "a.cn"},
	{"http://a.cn#f", "http://a.cn/", "a.cn", "a.cn"},
	{"http://a.cn/?", "http://a.cn/?", "a.cn", "a.cn"},
	{"http://a.cn/a/./b/../c", "http://a.cn/a/c", "a.cn", "a.cn"},
	{"http://a.cn/a/%2e/b/%2E%2e/c", "http://a.cn/a/c", "a.cn", "a.cn"},
	{"http://a.cn/a/.%2e/..", "http://a.cn/", "a.cn", "a.cn"},
	{"http://a.cn/a/b/..", "http://a.cn/a/", "a.cn", "a.cn"},
	{"http://a.cn/a/b/.", "http://a.cn/a/b/", "a.cn", "a.cn"},
	{"http://a.cn/../../x", "http://a.cn/x", "a.cn", "a.cn"},
	{"http://a.cn/...", "http://a.cn/...", "a.cn", "a.cn"},
	{"http://a.cn/%2e%2e%2e/", "http://a.cn/%2e%2e%2e/", "a.cn", "a.cn"},
	{"http://a.cn//a//b", "http://a.cn//a//b", "a.cn", "a.cn"},
	{"http://a.cn//a//../b", "http://a.cn//a/b", "a.cn", "a.cn"},
	{"http://a.cn/?/../x", "http://a.cn/?/../x", "a.cn", "a.cn"},
	{"http://a.cn/图 1.jpg?词=图 片", "http://a.cn/%E5%9B%BE%201.jpg?%E8%AF%8D=%E5%9B%BE%20%E7%89%87", "a.cn", "a.cn"},
	{"http://a.cn/%C3%fB%zz%", "http://a.cn/%C3%fB%zz%", "a.cn", "a.cn"},
	{"http://a.cn/%62", "http://a.cn/%62", "a.cn", "a.cn"},
	{"http://a.cn/\xC3\xFB", "http://a.cn/%C3%FB", "a.cn", "a.cn"},
	{"http://a.cn/a|b^c\"d<e", "http://a.cn/a|b^c\"d<e", "a.cn", "a.cn"},
	{"http://图片.公司.cn/", "http://xn--wcsw84d.xn--55qx5d.cn/", "xn--wcsw84d.xn--55qx5d.cn", "xn--wcsw84d.xn--55qx5d.cn"},
	{"http://公司。cn/", "http://xn--55qx5d.cn/", "xn--55qx5d.cn", "xn--55qx5d.cn"},
	{"http://XN--55QX5D.cn/", "http://xn--55qx5d.cn/", "xn--55qx5d.cn", "xn--55qx5d.cn"},
	{"http://ＡＢ．ｃｎ/", "http://ab.cn/", "ab.cn", "ab.cn"},
	{"http://faß.de/", "http://xn--fa-hia.de/", "xn--fa-hia.de", "xn--fa-hia.de"},
	{"http://%E5%85%AC%E5%8F%B8.cn/", "http://xn--55qx5d.cn/", "xn--55qx5d.cn", "xn--55qx5d.cn"},
	{"http://%61.cn/", "http://a.cn/", "a.cn", "a.cn"},
	{"http://my_bucket.oss-cn-hangzhou.aliyuncs.com/", "http://my_bucket.oss-cn-hangzhou.aliyuncs.com/",
	"my_bucket.oss-cn-hangzhou.aliyuncs.com", "my_bucket.oss-cn-hangzhou.aliyuncs.com"},
	{"http://x-12.cos.ap-guangzhou.myqcloud.com/", "http://x-12.cos.ap-guangzhou.myqcloud.com/",
	"x-12.cos.ap-guangzhou.myqcloud.com", "x-12.cos.ap-guangzhou.myqcloud.com"},
	{"http://oss-cn-hangzhou.aliyuncs.com/", "http://oss-cn-hangzhou.aliyuncs.com/", "oss-cn-hangzhou.aliyuncs.com", "aliyuncs.com"},
	{"http://wx1.sinaimg.cn/", "http://wx1.sinaimg.cn/", "wx1.sinaimg.cn", "sinaimg.cn"},
	{"http://r3---sn.a.com/", "http://r3---sn.a.com/", "r3---sn.a.com", "a.com"},
	{"http://com.cn/", "http://com.cn/", "com.cn", "com.cn"},
	{"http://8.8.8.8/", "http://8.8.8.8/", "8.8.8.8", "8.8.8.8"},
	{"http://[2606:4700:0::1]:80/x", "http://[2606:4700::1]/x", "2606:4700::1", "2606:4700::1"},
	{"http://[::ffff:8.8.8.8]/", "http://[::ffff:8.8.8.8]/", "::ffff:8.8.8.8", "::ffff:8.8.8.8"},
	{"http://[64:ff9b::808:808]/", "http://[64:ff9b::808:808]/", "64:ff9b::808:808", "64:ff9b::808:808"},
	{"http://1.2.3.4.cn/", "http://1.2.3.4.cn/", "1.2.3.4.cn", "4.cn"},
};

static void
normal_forms(void **state)
{
	(void) state;
	for (size_t i = 0; i < COUNT(normals); i++)
	{
		WebUrl		url;
		WebUrl		again;
		const char *refused = web_url_parse(normals[i].given, strlen(normals[i].given), NULL, &url);

		if (refused != NULL)
			fail_msg("%s: %s", normals[i].given, refused);
		assert_string_equal(url.normal, normals[i].normal);
		assert_string_equal(url.host, normals[i].host);
		assert_string_equal(url.domain, normals[i].domain);
		assert_int_equal(url.path[0], '/');
		assert_null(web_url_parse(url.normal, strlen(url.normal), NULL, &again));
		assert_string_equal(again.normal, url.normal);
		web_url_free(&url);
		web_url_free(&again);
	}
}

/* A reason, and what is refused for it. */
static const char *const refused[][60] = {
	{"scheme", "", "a.cn/x.jpg", "//a.cn/", "ftp://a.cn/", "file:///etc/passwd", "data:image/png;base64,AA", "httpx://a.cn/",
		"javascript:alert(1)", "gopher://a.cn/", "/x", "1http://a.cn/", "ht tp://a.cn/", ":", "a.cn:80/"},
	{"url", "http:", "http:/a.cn", "http:a.cn", "http://", "http:///a.cn", "http://a/", "http://localhost/", "http://a.cn\\x",
		"http://127.0.0.1\\@1.1.1.1/", "http://a.cn/a\tb", "http://a.cn/a\nb", "http://a.cn/\x01", "http://a.cn/\x7F",
		"http://a.cn/\xC2\x85", "http://a..cn/", "http://a.cn../", "http://.a.cn/", "http://a b.cn/", "http://a%00.cn/", "http://a%zz.cn/", "http://a%2fb.cn/",
		"http://[fe80::1%25eth0]/", "http://[::1", "http://[]/", "http://[::1]x/", "http://[v1.a]/", "http://[1.2.3.4]/", "http://1.2.3.4.5/",
		"http://256.1.1.1/", "http://08.1.1.1/", "http://a.1/", "http://1.2.3/x#\\", "http://?x", "http://xn--a.cn/", "http://a^b.cn/",
	"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.cn/"},
	{"credentials", "http://u@a.cn/", "http://u:p@a.cn/", "http://@a.cn/", "http://a.cn:80@b.cn/", "http://127.0.0.1@8.8.8.8/"},
	{"port", "http://a.cn:8080/", "http://a.cn:0/", "http://a.cn:65616/", "http://a.cn:99999999999999999999/", "http://a.cn:x/",
	"http://a.cn:80:80/", "http://a.cn:-80/", "http://a.cn:+80/", "http://127.0.0.1:22/"},
	{"address", "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7F.1/", "http://017700000001/",
		"http://127.0.0.1./", "http://127.0.0.%31/", "http://①②⑦.⓪.⓪.①/", "http://１２７。０。０。１/", "http://0/", "http://0x/", "http://0.0.0.0/",
		"http://10.1.2.3/", "http://100.64.0.1/", "http://100.100.100.200/", "http://169.254.169.254/", "http://172.31.255.255/",
		"http://192.168.0.1/", "http://198.18.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://168.63.129.16/",
		"http://134744072/", "http://0x08080808/", "http://8.8.2056/", "http://8.8.8.8./", "http://8.8.8.%38/", "http://010.8.8.8/", "http://８.8.8.8/",
		"http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[::8.8.8.8]/",
		"http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::808:808]/", "http://[2002:808:808::1]/",
		"http://[2001:0:808:808::1]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/",
		"http://[fec0::1]/", "http://[2001:db8::1]/", "http://[3fff::1]/", "http://[2606:4700::5efe:808:808]/", "http://[2606:4700::200:5efe:808:808]/",
	"http://a.localhost/", "http://printer.local/", "http://metadata.google.internal/", "http://x.LOCAL./", "http://1.0x7f/"},
};

static void
reasons(void **state)
{
	(void) state;
	for (size_t i = 0; i < COUNT(refused); i++)
		for (int j = 1; refused[i][j] != NULL; j++)
		{
			WebUrl		url;
			const char *reason = web_url_parse(refused[i][j], strlen(refused[i][j]), NULL, &url);

			if (reason == NULL || strcmp(reason, refused[i][0]) != 0)
				fail_msg("%s: %s, not %s", refused[i][j], reason == NULL ? url.normal : reason, refused[i][0]);
		}
}

/* Labels of 63 and hosts of 253 characters pass, those of one more do not; so with 4 KB. */
static void
lengths(void **state)
{
	char		text[WEB_URL_MAX + 64];
	WebUrl		url;

	(void) state;
	strcpy(text, "http://");
	for (int i = 0; i < 4; i++)
	{
		memset(text + 7 + i * 64, 'a' + i, 63);
		text[7 + i * 64 + 63] = '.';
	}
	strcpy(text + 7 + 253, "/");
	text[7 + 252] = 'd';
	assert_null(web_url_parse(text, strlen(text), NULL, &url));
	assert_int_equal(strlen(url.host), 253);
	web_url_free(&url);
	strcpy(text + 7 + 253, "d/");
	assert_string_equal(web_url_parse(text, strlen(text), NULL, &url), "url");
	strcpy(text, "http://a.cn/");
	memset(text + 12, 'x', WEB_URL_MAX);
	assert_null(web_url_parse(text, WEB_URL_MAX, NULL, &url));
	web_url_free(&url);
	assert_string_equal(web_url_parse(text, WEB_URL_MAX + 1, NULL, &url), "url");
	assert_string_equal(web_url_parse("http://a.cn/\0x", 14, NULL, &url), "url");
}

static void
ports_that_are_let_in(void **state)
{
	WebPorts	ports = {.n = 1,.ports = {8080}};
	WebUrl		url;

	(void) state;
	assert_null(web_url_parse("http://a.cn:08080/x", 19, &ports, &url));
	assert_string_equal(url.normal, "http://a.cn:8080/x");
	assert_int_equal(url.port, 8080);
	web_url_free(&url);
	assert_string_equal(web_url_parse("http://a.cn:8081/", 17, &ports, &url), "port");
}

static void
references(void **state)
{
	static const char *const joins[][2] = {
		{"x.jpg", "http://a.cn/d/x.jpg"}, {"/x.jpg", "http://a.cn/x.jpg"}, {"../x.jpg", "http://a.cn/x.jpg"},
		{"//b.cn/x", "http://b.cn/x"}, {"https://b.cn", "https://b.cn/"}, {"?r", "http://a.cn/d/e?r"}, {"", "http://a.cn/d/e?q/r"},
		{"#z", "http://a.cn/d/e?q/r"}, {" 图.jpg ", "http://a.cn/d/%E5%9B%BE.jpg"}, {"\xCD\xBC", "http://a.cn/d/%CD%BC"}, {"./", "http://a.cn/d/"},
		{"//127.0.0.1/", "address"}, {"ftp://b.cn/", "scheme"}, {"file:///etc/passwd", "scheme"}, {"http://u@b.cn/", "credentials"},
		{"//b.cn:22/", "port"}, {"/a\\b", "url"}, {"\\\\b.cn/", "url"}
	};
	WebUrl		base;

	(void) state;
	assert_null(web_url_parse("http://a.cn/d/e?q/r", 19, NULL, &base));
	for (size_t i = 0; i < COUNT(joins); i++)
	{
		WebUrl		url;
		const char *reason = web_url_join(&base, joins[i][0], NULL, &url);

		assert_string_equal(reason == NULL ? url.normal : reason, joins[i][1]);
		if (reason == NULL)
			web_url_free(&url);
	}
	web_url_free(&base);
}

static bool
allowed(const char *text, const WebNets *nets)
{
	WebAddress	address;

	assert_true(web_address_parse(text, &address));
	return web_address_allowed(&address, nets);
}

static void
ranges_that_are_let_in(void **state)
{
	WebNets		nets;
	const char *bad;

	(void) state;
	assert_true(web_nets_parse(" 127.0.0.0/8 , 198.18.0.0/15,fd00::/8 ", &nets, &bad));
	assert_int_equal(nets.n, 3);
	assert_true(web_nets_are_inside(&nets));
	assert_true(allowed("127.0.0.1", &nets));
	assert_true(allowed("127.255.255.255", &nets));
	assert_true(allowed("198.19.3.4", &nets));
	assert_true(allowed("fd12::1", &nets));
	assert_true(allowed("64:ff9b::7f00:1", &nets));
	assert_false(allowed("10.0.0.1", &nets));
	assert_false(allowed("fd00:ec2::254", &nets));
	assert_false(allowed("127.0.0.1", NULL));
	assert_false(allowed("::1", NULL));
	assert_true(allowed("8.8.8.8", NULL));
	assert_true(allowed("2606:4700::1111", NULL));
	assert_true(web_nets_parse("0.0.0.0/0", &nets, &bad));
	assert_true(web_nets_are_inside(&nets));
	assert_false(allowed("169.254.169.254", &nets));
	assert_false(allowed("100.100.100.200", &nets));
	assert_false(allowed("64:ff9b::a9fe:a9fe", &nets));
	assert_true(allowed("10.0.0.1", &nets));
	assert_true(web_nets_parse("8.8.8.0/24,2606:4700::/32,1.1.1.1", &nets, &bad));
	assert_false(web_nets_are_inside(&nets));
	assert_true(web_nets_parse("8.0.0.0/6", &nets, &bad));
	assert_true(web_nets_are_inside(&nets));
	assert_true(web_nets_parse("2000::/3", &nets, &bad));
	assert_true(web_nets_are_inside(&nets));
	assert_true(web_nets_parse("", &nets, &bad));
	assert_int_equal(nets.n, 0);
	assert_false(web_nets_parse("10.0.0.0/8,10.0.0.0/33", &nets, &bad));
	assert_string_equal(bad, "10.0.0.0/33");
	assert_false(web_nets_parse("localhost", &nets, &bad));
	assert_false(web_nets_parse("10.0.0.0/", &nets, &bad));
	assert_false(web_nets_parse("10.0.0.0/-1", &nets, &bad));
	assert_false(web_nets_parse(",", &nets, &bad));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(reasons),
		cmocka_unit_test(lengths),
		cmocka_unit_test(ports_that_are_let_in),
		cmocka_unit_test(references),
		cmocka_unit_test(ranges_that_are_let_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
