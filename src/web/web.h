/*
 * web.h
 *	  Fetching from the web: what a URL means, where a connection may go, what a host's
 *	  robots.txt permits, how often it may be asked, and the requests themselves.
 *
 * Pure C over libcurl, c-ares, libidn2 and libpsl: malloc, no PostgreSQL.  No function
 * blocks and no callback throws.  Points in time are milliseconds of a clock that the
 * caller chooses, except in the pool, which has CLOCK_MONOTONIC.
 */
#ifndef LLAVA_WEB_H
#define LLAVA_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- address.c: where a connection may go ---- */

/* An IPv6 address; IPv4 as ::ffff:a.b.c.d. */
typedef struct WebAddress
{
	uint8_t		bytes[16];
} WebAddress;

#define WEB_ADDRESS_TEXT 46

#define WEB_NETS 32

/* Ranges that the operator lets in although they are refused by default. */
typedef struct WebNets
{
	int			n;
	struct
	{
		WebAddress	base;
		int			bits;		/* of the 128 */
	}			nets[WEB_NETS];
} WebNets;

/* A comma-separated list of ranges as 10.0.0.0/8; false: *bad begins what is none. */
extern bool web_nets_parse(const char *text, WebNets *nets, const char **bad);

/* Whether any of these ranges holds addresses that are refused by default. */
extern bool web_nets_are_inside(const WebNets *nets);

/* "1.2.3.4" or "::1" without brackets; false: it is no address. */
extern bool web_address_parse(const char *text, WebAddress *address);
extern void web_address_text(const WebAddress *address, char text[WEB_ADDRESS_TEXT]);

/* Whether it is a public one, wherever one looks from. */
extern bool web_address_public(const WebAddress *address);

/*
 * Whether this machine may connect to it: it is public and none of its own, or the operator
 * lets it in (allow may be NULL).  Metadata services are refused whatever allow says.
 */
extern bool web_address_allowed(const WebAddress *address, const WebNets *allow);

/* ---- url.c, url_host.c: one parser for check and use ---- */

#define WEB_URL_MAX 4096
#define WEB_HOST_MAX 253
#define WEB_PORTS 16

/* Ports that are let in beside 80 and 443. */
typedef struct WebPorts
{
	int			n;
	int			ports[WEB_PORTS];
} WebPorts;

typedef struct WebUrl
{
	char	   *normal;			/* malloc; what is requested and compared */
	const char *path;			/* in normal: from the path's slash on */
	char		host[WEB_HOST_MAX + 1]; /* name in punycode, or address
										 * without brackets */
	char		domain[WEB_HOST_MAX + 1];	/* what one owner has registered,
											 * or the address */
	int			port;
	bool		https;
	bool		literal;		/* host is an address */
} WebUrl;

/*
 * NULL, or why the URL is refused: 'url', 'scheme', 'credentials', 'port', 'address'
 * (static); 'memory' where there was none.  ports may be NULL.  The URL is freed only
 * where it was accepted.
 */
extern const char *web_url_parse(const char *text, size_t size, const WebPorts *ports, WebUrl *url);

/* The same for what a page or a redirect of base refers to. */
extern const char *web_url_join(const WebUrl *base, const char *reference, const WebPorts *ports, WebUrl *url);
extern void web_url_free(WebUrl *url);

/* ---- robots.c, robots_match.c: RFC 9309 ---- */

typedef struct WebRobots WebRobots;

typedef struct WebRobotsVerdict
{
	bool		allowed;
	int			line;			/* of the rule that decided; 0: none did */
	int			reserved_line;	/* of a Content-Signal or Content-Usage that
								 * keeps the host's content from training; 0:
								 * none */
} WebRobotsVerdict;

#define WEB_ROBOTS_MAX (500 * 1024)

/* The rules for the product token agent; NULL: no memory. */
extern WebRobots *web_robots_parse(const char *bytes, size_t size, const char *agent);

/* path: WebUrl's. */
extern WebRobotsVerdict web_robots_judge(const WebRobots *robots, const char *path);

/* Seconds; negative: none. */
extern double web_robots_crawl_delay(const WebRobots *robots);
extern void web_robots_free(WebRobots *robots);

/* ---- pace.c: how often a host is asked ---- */

typedef enum WebHostState
{
	WEB_HOST_OK,
	WEB_HOST_SLOW,				/* its latency or its Crawl-delay sets the
								 * pace */
	WEB_HOST_THROTTLED,			/* it said 429 or 503 */
	WEB_HOST_BLOCKED,			/* it refuses everything */
	WEB_HOST_DOWN				/* it cannot be reached */
} WebHostState;

#define WEB_HOST_STATES (WEB_HOST_DOWN + 1)

extern const char *web_host_state_name(WebHostState state);

/* What is kept of a host between requests.  All zero: nothing is known. */
typedef struct WebPace
{
	WebHostState state;
	int64_t		since_ms;		/* of the state */
	int64_t		free_ms;		/* no request begins before */
	int			crawl_delay_ms;
	int			penalty_ms;		/* the delay that throttling has led to; 0:
								 * none */
	int			latency_ms;		/* smoothed */
	int			errors;			/* in a row: not reached, or 5xx */
	int			refusals;		/* in a row: 403 */
	int			probes;			/* in vain, since it is blocked or down */
	int64_t		recent;			/* a bit for each of the newest answers: 403 */
	int			n_recent;
} WebPace;

typedef enum WebEvent
{
	WEB_EVENT_ANSWER,			/* of any kind but these */
	WEB_EVENT_FORBIDDEN,
	WEB_EVENT_THROTTLED,
	WEB_EVENT_ERROR				/* not reached, not answered whole, or 5xx */
} WebEvent;

/* From one start to the next; base_ms: the operator's. */
extern int	web_pace_delay(const WebPace *pace, int base_ms);

/* A request begins now. */
extern void web_pace_begin(WebPace *pace, int base_ms, int64_t now_ms);

/*
 * A request has ended.  retry_after_ms: negative where the host did not say.  True: the
 * host has been given up; what waits for it rests until a person asks again.
 */
extern bool web_pace_end(WebPace *pace, int base_ms, WebEvent event, int latency_ms,
						 int64_t retry_after_ms, int64_t now_ms);

/* ---- pool.c, names.c, get.c: requests ---- */

typedef struct WebPool WebPool;

/* What all requests share; a change holds from the next request or hop on. */
typedef struct WebPoolConfig
{
	WebNets		allow;
	char		nameservers[512];	/* as "1.2.3.4:53,[::1]:53"; "": the
									 * system's */
	char		agent[512];		/* User-Agent */
	char		from[256];		/* From; "": none */
	int			max_connections;
	int			max_per_address;
} WebPoolConfig;

typedef struct WebRequest
{
	const WebUrl *url;			/* copied */
	size_t		max_bytes;
	int			deadline_ms;	/* from submit, names included */
	bool		images_only;	/* a body that is plainly no image is broken
								 * off */
	bool		cut_is_enough;	/* the first max_bytes are kept, the rest left */
	bool		unverified;		/* certificates are not checked */
	void	   *user;
} WebRequest;

typedef enum WebFault
{
	WEB_FAULT_NONE,				/* an HTTP status, and the body whole */
	WEB_FAULT_NO_NAME,			/* the name does not exist */
	WEB_FAULT_NAMES,			/* the resolver failed */
	WEB_FAULT_RESOLVER,			/* no name server answers, whatever name it is
								 * asked for */
	WEB_FAULT_BUSY,				/* max_per_address kept it from being sent */
	WEB_FAULT_ADDRESS,			/* no address of the name may be connected to */
	WEB_FAULT_CONNECT,
	WEB_FAULT_TLS,
	WEB_FAULT_TIMEOUT,
	WEB_FAULT_SLOW,
	WEB_FAULT_CUT,				/* the connection broke in the answer */
	WEB_FAULT_TOO_LARGE,
	WEB_FAULT_NOT_IMAGE,
	WEB_FAULT_PROTOCOL,			/* what came is no HTTP */
	WEB_FAULT_MEMORY
} WebFault;

/* Headers that are kept, each value cut after WEB_HEADER_MAX; repeated ones are joined. */
typedef enum WebHeader
{
	WEB_HEADER_LOCATION,
	WEB_HEADER_CONTENT_TYPE,
	WEB_HEADER_X_ROBOTS_TAG,
	WEB_HEADER_TDM_RESERVATION,
	WEB_HEADER_TDM_POLICY,
	WEB_HEADER_CONTENT_USAGE,
	WEB_HEADER_RETRY_AFTER,
	WEB_HEADER_LAST_MODIFIED,
	WEB_HEADER_ETAG,
	WEB_HEADERS
} WebHeader;

#define WEB_HEADER_MAX 4096

typedef struct WebResponse
{
	WebFault	fault;
	int			status;			/* HTTP; 0: none came */
	char		error[256];		/* what libcurl or the resolver said */
	char		address[WEB_ADDRESS_TEXT];	/* "": nothing was connected to */
	char	   *headers[WEB_HEADERS];	/* malloc, or NULL */
	uint8_t    *body;			/* malloc, or NULL */
	size_t		body_size;
	int64_t		retry_after_ms; /* negative: not said */
	int64_t		began_ms;		/* CLOCK_MONOTONIC when the request was sent;
								 * 0: it was not */
	int64_t		answered_ms;	/* when the answer began; 0: none came */
	int			latency_ms;		/* from began_ms to the end */
	void	   *user;
} WebResponse;

/* As VlmPool of the room vlm: one descriptor, prepared before each wait, then stepped. */
extern WebPool *web_pool_new(const WebPoolConfig *config);
extern bool web_pool_configure(WebPool *pool, const WebPoolConfig *config);
extern int	web_pool_fd(const WebPool *pool);
extern int64_t web_pool_prepare_wait(WebPool *pool);
extern void web_pool_step(WebPool *pool);
extern bool web_pool_submit(WebPool *pool, const WebRequest *request);
extern int	web_pool_in_flight(const WebPool *pool);

/* Bytes of bodies that web_pool_next has not given yet. */
extern size_t web_pool_bytes(const WebPool *pool);
extern bool web_pool_next(WebPool *pool, WebResponse *response);
extern void web_response_free(WebResponse *response);
extern void web_pool_free(WebPool *pool);

/* ---- reserved.c: what keeps an answer from being used ---- */

/* Signals, as bits. */
#define WEB_RESERVED_NOAI 1
#define WEB_RESERVED_NOINDEX 2
#define WEB_RESERVED_TDM 4
#define WEB_RESERVED_USAGE 8

/* A list of noai, noindex, tdm, content-usage; false: *bad begins what is none. */
extern bool web_reservations_parse(const char *text, int *honoured, const char **bad);

/*
 * The header that reserves the content, as "name: value", malloc; NULL: none of those that
 * are honoured does.  agent: our product token, which a value may be for.
 */
extern char *web_reserved(const WebResponse *response, int honoured, const char *agent);

/* Seconds since 1970 until when a signed URL holds, as its query says; 0: it does not. */
extern int64_t web_url_expires(const char *normal);

#endif
