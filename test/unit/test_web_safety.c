/*
 * test_web_safety.c
 *	  Where the pool connects to for any URL that is accepted, by what connect() is called
 *	  with: to public addresses and what is let in, and to nothing else.
 *
 * URLs are made of parts that have gone wrong elsewhere, and damaged; each is parsed or
 * joined as a redirect's is, and what is accepted is asked for.  LLAVA_URLS: how many
 * (20,000); LLAVA_URLS_SEED.  Nothing leaves this machine (connects.c).
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sockaddr;
static void seen(const struct sockaddr *to, int passes);

#define CONNECTS_SEEN(to, passes) seen(to, passes)
#include "../web/connects.c"
#include "../web/simulated.h"
#include "web/web.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
/* Few enough that the questions to the name server all find room in its socket. */
#define IN_FLIGHT 64
#define LET_IN "127.0.0.0/27"

static Simulated *web;
static pthread_t asks;			/* the thread of the pool; the web's own send answers */

/* ---- what connect() saw ---- */

static struct
{
	long		names;			/* to the simulated name server */
	long		let_in;
	long		public;
	long		refused;
	char		last[WEB_ADDRESS_TEXT]; /* of the refused ones */
}			counts;

/* Of its own, so that a fault in address.c does not hide itself. */
static const char *const refused4[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"240.0.0.0/4",
	"168.63.129.16/32"
};
static const char *const refused6[] = {"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

static bool
is_within(int family, const unsigned char *bytes, const char *net)
{
	char		text[64];
	unsigned char base[16];
	int			bits = atoi(strchr(net, '/') + 1);

	snprintf(text, sizeof(text), "%.*s", (int) strcspn(net, "/"), net);
	if (inet_pton(family, text, base) != 1)
		abort();
	for (int i = 0; i < bits; i++)
		if (((bytes[i / 8] ^ base[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static bool
is_refused4(const unsigned char *bytes)
{
	for (size_t i = 0; i < COUNT(refused4); i++)
		if (is_within(AF_INET, bytes, refused4[i]))
			return true;
	return false;
}

static bool
is_refused6(const unsigned char *bytes)
{
	if (is_within(AF_INET6, bytes, "::ffff:0:0/96") || is_within(AF_INET6, bytes, "64:ff9b::/96"))
		return is_refused4(bytes + 12);
	if (!is_within(AF_INET6, bytes, "2000::/3") || (bytes[10] == 0x5E && bytes[11] == 0xFE))
		return true;
	for (size_t i = 0; i < COUNT(refused6); i++)
		if (is_within(AF_INET6, bytes, refused6[i]))
			return true;
	return false;
}

static void
seen(const struct sockaddr *to, int passes)
{
	bool		four = to->sa_family == AF_INET;
	const unsigned char *bytes = four ? (const unsigned char *) &((const struct sockaddr_in *) to)->sin_addr :
		(const unsigned char *) &((const struct sockaddr_in6 *) to)->sin6_addr;
	int			port = ntohs(((const struct sockaddr_in *) to)->sin_port);

	(void) passes;
	if (!pthread_equal(pthread_self(), asks))
		return;
	if (four && is_within(AF_INET, bytes, "127.0.0.1/32") && port == web->names_port)
		counts.names++;
	else if (four && is_within(AF_INET, bytes, LET_IN))
		counts.let_in++;
	else if (four ? is_refused4(bytes) : is_refused6(bytes))
	{
		counts.refused++;
		inet_ntop(to->sa_family, bytes, counts.last, sizeof(counts.last));
	}
	else
		counts.public++;
}

/* ---- URLs ---- */

static uint64_t state;

static unsigned
chance(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned) (state >> 33) % n;
}

#define PICK(list) (list)[chance(COUNT(list))]

static size_t
put(char *text, size_t size, size_t room, const char *format,...)
{
	va_list		arguments;
	int			n;

	va_start(arguments, format);
	n = vsnprintf(text + size, room - size, format, arguments);
	va_end(arguments);
	return size + (size_t) n < room ? size + (size_t) n : room - 1;
}

/* One number of an address: decimal, octal, hex, with zeros before it. */
static size_t
put_number(char *text, size_t size, size_t room, unsigned number)
{
	static const char *const forms[] = {"%u", "%u", "%u", "%u", "0%o", "0x%x", "0X%X", "00%o", "0x0%x", "0%u"};

	return put(text, size, room, PICK(forms), number);
}

static size_t
put_address4(char *text, size_t size, size_t room)
{
	static const char *const nets[] = {"0.1.2.3", "10.0.0.1", "100.64.9.9", "100.100.100.200", "127.0.0.1",
	"127.0.0.5", "169.254.169.254",
	"172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
	"198.19.1.1", "198.51.100.1",
	"203.0.113.1", "224.0.0.1", "240.1.1.1", "255.255.255.255", "168.63.129.16", "8.8.8.8", "114.114.114.114"};
	static const char *const dots[] = {".", ".", ".", ".", ".", ".", "。", "．", "%2e"};
	unsigned char ip[4];
	unsigned	parts = chance(4) == 0 ? 1 + chance(4) : 4;
	unsigned	rest = 0;

	inet_pton(AF_INET, PICK(nets), ip);
	if (chance(4) == 0)
		for (int i = 0; i < 4; i++)
			ip[i] = (unsigned char) chance(256);
	for (unsigned i = 0; i + 1 < parts; i++)
	{
		size = put_number(text, size, room, ip[i]);
		size = put(text, size, room, "%s", PICK(dots));
	}
	for (unsigned i = parts - 1; i < 4; i++)
		rest = rest << 8 | ip[i];
	return put_number(text, size, room, rest);
}

static size_t
put_address6(char *text, size_t size, size_t room)
{
	static const char *const starts[] = {"::", "::1", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::",
	"100::", "2001::", "2001:0:", "2001:db8::",
	"2002:", "3fff::", "5f00::", "fc00::", "fd00:ec2::", "fe80::", "fec0::", "ff02::", "2400:3200::",
	"2606:4700::5efe:", "0:0:0:0:0:ffff:"};
	static const char *const ends[] = {"", "1", "7f00:1", "10.0.0.1", "127.0.0.1", "a00:1", "8.8.8.8",
	"808:808", "a9fe:a9fe", "254"};
	static const char *const zones[] = {"", "", "", "", "%25eth0", "%eth0"};

	return put(text, size, room, "[%s%s%s]", PICK(starts), PICK(ends), PICK(zones));
}

static size_t
put_host(char *text, size_t size, size_t room)
{
	static const char *const fixed[] = {"localhost", "a.localhost", "x.local", "metadata.google.internal",
	"①②⑦.⓪.⓪.①", "１２７.0.0.1", "127.0.0.%31",
	"a.test", "c.test", "C.TEST", "公司.test", "xn--55qx5d.test", "ｃ.test", "c。test", "c.test.", "c..test",
	"-a.test", "a_b.test", "", ".", "test",
	"rebind.test", "six.test", "mixed.test", "1.1.1.1.", "0", "0x", "1.2.3.4.5", "256.1.1.1", "127.1.", "[",
	"[::1", "::1", "[v1.x]"};
	static const char *const tops[] = {".test", ".TEST", ".test.", "。test"};

	switch (chance(8))
	{
		case 0:
		case 1:
			return put_address4(text, size, room);
		case 2:
			return put_address6(text, size, room);
		case 3:
			return put(text, size, room, "%s", PICK(fixed));
		case 4:
			return put(text, size, room, "ip-%u-%u-%u-%u.test", chance(256), chance(256), chance(256), chance(256));
		default:
			return put(text, size, room, "any%u%s", chance(100000), PICK(tops));
	}
}

static size_t
put_url(char *text, size_t room)
{
	static const char *const schemes[] = {"http://", "http://", "http://", "http://", "http://", "http://",
	"http://", "http://", "http://", "http://",
	"http://", "http://", "http://", "http://", "http://", "http://", "HTTP://", "https://", "http:/",
	"http:", "//", "ftp://", "file://", "gopher://", "\\\\", "http:\\\\", " http://"};
	static const char *const users[] = {"", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "",
	"", "", "", "", "", "", "", "", "", "u@", "u:p@", "127.0.0.1\\@", "1.1.1.1#@", "1.1.1.1?@", "a.test/@",
	"@", "%40"};
	static const char *const ports[] = {"", "", "", "", "", "", ":80", ":443", ":8080", ":0", ":65536",
	":-1", ":", ":0080", ":80:80", ":%38%30"};
	static const char *const paths[] = {"", "/", "/x", "/x?y", "?y", "#z", "/../x", "/%2e%2e/x", "/图",
	"/x@10.0.0.1/", "/x y"};
	size_t		size = put(text, 0, room, "%s%s", PICK(schemes), PICK(users));

	size = put_host(text, size, room);
	if (chance(2) == 0)
		size = put(text, size, room, ":%d", web->port);
	else
		size = put(text, size, room, "%s", PICK(ports));
	size = put(text, size, room, "%s", PICK(paths));
	/* damaged, one in six */
	for (unsigned i = chance(6) == 0 ? 1 + chance(3) : 0; i > 0 && size > 0; i--)
	{
		static const char bytes[] = "./:@%\\#?[]0179af-_ \t\r\n\0\x7F\xE3\x80\x82\xFF";
		unsigned	at = chance((unsigned) size);

		if (chance(3) == 0)
			memmove(text + at, text + at + 1, --size - at);
		else
			text[at] = chance(2) == 0 ? bytes[chance(sizeof(bytes) - 1)] : (char) chance(256);
	}
	text[size] = '\0';
	return size;
}

/* ---- the test ---- */

static WebPool *
new_pool(void)
{
	WebPoolConfig config = {.agent = "llava_zh/test",.max_connections = IN_FLIGHT,.max_per_address = IN_FLIGHT};
	const char *bad;

	assert_true(web_nets_parse(LET_IN, &config.allow, &bad));
	snprintf(config.nameservers, sizeof(config.nameservers), "127.0.0.1:%d", web->names_port);
	return web_pool_new(&config);
}

static void
step(WebPool *pool)
{
	WebResponse response;
	struct pollfd fd = {.fd = web_pool_fd(pool),.events = POLLIN};
	int64_t		wait = web_pool_prepare_wait(pool);

	poll(&fd, 1, wait < 0 || wait > 1000 ? 1000 : (int) wait);
	web_pool_step(pool);
	while (web_pool_next(pool, &response))
		web_response_free(&response);
}

/* Whether it was accepted. */
static bool
make_url(const WebUrl *base, const WebPorts *ports, WebUrl *url)
{
	char		text[1024];
	size_t		size = put_url(text, sizeof(text));

	if (chance(4) == 0)
		return web_url_join(base, text, ports, url) == NULL;
	return web_url_parse(text, size, ports, url) == NULL;
}

static void
nowhere_else(void **unused)
{
	long		n = getenv("LLAVA_URLS") != NULL ? atol(getenv("LLAVA_URLS")) : 20000;
	long		accepted = 0;
	WebPorts	ports = {.n = 1,.ports = {web->port}};
	WebPool    *pool = new_pool();
	WebUrl		base;

	(void) unused;
	state = getenv("LLAVA_URLS_SEED") != NULL ? strtoull(getenv("LLAVA_URLS_SEED"), NULL, 10) : 88172645463325252u;
	memset(&counts, 0, sizeof(counts));
	assert_null(web_url_parse("http://a.test/dir/page", 22, NULL, &base));
	for (long i = 0; i < n; i++)
	{
		WebUrl		url;
		WebRequest	request = {.url = &url,.max_bytes = 100000,.deadline_ms = 400,.images_only = true};

		if (!make_url(&base, &ports, &url))
			continue;
		accepted++;
		assert_true(web_pool_submit(pool, &request));
		web_url_free(&url);
		while (web_pool_in_flight(pool) >= IN_FLIGHT)
			step(pool);
	}
	while (web_pool_in_flight(pool) > 0)
		step(pool);
	web_url_free(&base);
	web_pool_free(pool);
	print_message("# %ld URLs, %ld accepted; connections: %ld to what is let in, %ld to public addresses, "
				  "%ld to refused ones, %ld to the name server\n",
				  n, accepted, counts.let_in, counts.public, counts.refused, counts.names);
	if (counts.refused != 0)
		fail_msg("%ld connections to refused addresses, the last to %s", counts.refused, counts.last);
	/* and those that may be are reached */
	assert_true(counts.let_in > n / 500 && counts.public > n / 100 && accepted > n / 10);
}

/* What this test stands on. */
static void
nothing_leaves(void **unused)
{
	struct sockaddr_in to = {.sin_family = AF_INET,.sin_port = htons(9)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,.sin6_port = htons(9)};
	int			fd = socket(AF_INET, SOCK_DGRAM, 0);
	int			fd6 = socket(AF_INET6, SOCK_DGRAM, 0);

	(void) unused;
	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &to6.sin6_addr);
	memset(&counts, 0, sizeof(counts));
	assert_int_equal(connect(fd, (struct sockaddr *) &to, sizeof(to)), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *) &to, sizeof(to)), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(sendto(fd6, "x", 1, 0, (struct sockaddr *) &to6, sizeof(to6)), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(counts.refused, 3);
	close(fd);
	close(fd6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_leaves), cmocka_unit_test(nowhere_else)};

	asks = pthread_self();
	web = simulated_start(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
