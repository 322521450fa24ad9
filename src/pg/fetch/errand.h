/*
 * errand.h
 *	  The parts of the fetcher: hosts, and errands to them.
 */
#ifndef LLAVA_ERRAND_H
#define LLAVA_ERRAND_H

#include "db/db.h"
#include "fetch.h"
#include "lib/ilist.h"
#include "web/web.h"

/* Most hosts a robots.txt, or a picture, is redirected through. */
#define MOST_HOPS 5

/* So many robots.txt may wait for the turn of the hosts that they were redirected to ... */
#define MOST_HOPS_WAITING 1000

/* ... and look so often whether those are in line. */
#define HOP_LOOK_MS 1000

/* ---- hosts.c: rows of llava_host ---- */

typedef struct Host
{
	char	   *host;
	char	   *name;
	char	   *domain;
	WebPace		pace;			/* its points in time are TimestampTz / 1000 */
	bool		robots_unreachable;
	char	   *reason;			/* of its state; or NULL */
	char	   *rests;			/* why its rows rest; or NULL */
	bool		has_robots;		/* there is one, and it was read */
	bytea	   *robots_sha256;	/* or NULL */
	TimestampTz robots_until;	/* DT_NOBEGIN: never asked for */
	TimestampTz robots_good_at; /* DT_NOBEGIN: never */
	TimestampTz robots_failed_at;	/* first failure since; DT_NOBEGIN: none */
	int64		fetched;
	int64		bytes;
	bool		parked;
} Host;

/* The host's row, locked; false if it is gone. */
extern bool host_read(const char *name, Host *host);

/* The hosts that are due, locked; those that are locked by others are left out. */
extern int	hosts_due(TimestampTz now, int most, Host **hosts);

/*
 * Hosts may have been put in line from this point in time on, by others than host_write;
 * DT_NOBEGIN: anywhere.
 */
extern void hosts_look_from(TimestampTz earliest);

/* When the first host whose turn comes after this is due; DT_NOEND: none is. */
extern TimestampTz hosts_next(TimestampTz after);

/* Writes all but its robots.txt. */
extern void host_write(const Host *host, TimestampTz next_at, bool asking);

/* When the first of its rows may be asked for; DT_NOEND: nothing waits. */
extern TimestampTz host_first_row(const char *host);

/* Writes it, to be claimed when its pace and its rows allow. */
extern void host_put_in_line(Host *host);

/* It is asked no sooner, whatever rows come for it. */
extern void host_put_off(Host *host, TimestampTz until);

/* robots: NULL where there is none; status: 0 where none came. */
extern void host_write_robots(const Host *host, const void *robots, size_t size, int status);
extern void host_write_robots_times(const Host *host);
extern bytea *host_robots_text(const char *host);

/* host.rests of a host whose robots.txt was changed: what it refused is asked anew. */
#define RESTS_UNTIL_RELEASED "robots_changed"

/* Makes its row if there is none, and puts it in line if it stands in none. */
extern void host_wanted(const char *host, const char *name, const char *domain);

/* Rows that wait for a host rest; at most so many at once.  Returns how many did. */
extern uint64 host_rest_rows(const char *host, const char *reason, const char *detail, int most);

/* Rows that rest for this reason wait again; at most so many at once.  Returns how many did. */
extern uint64 host_release_rows(const char *host, const char *reason, int most);

/*
 * The first host behind this one that has rows waiting, palloc'd with a URL of it; NULL:
 * none.  in_line: nothing is to be done about it.
 */
extern char *host_after(const char *host, char **url, bool *in_line);

/* ---- hosts_anew.c: all hosts at once ---- */

/* What was being asked when a process before this one ended. */
extern void hosts_release(int delay_ms);

/*
 * The machine's clock was set, by so much: no host waits for longer than its pace asks for,
 * nor for less.
 */
extern void hosts_follow_clock(int64 step_ms);

static inline int64
ms_of(TimestampTz time)
{
	return time / 1000;
}

/* ---- errand.c: one request and what it is for ---- */

/* What is known of the row whose picture is asked for. */
typedef struct ErrandRow
{
	int64		image;			/* 0: the errand is for a robots.txt */
	int64		claim;
	int			attempts;
	char	   *tried;
	bytea	   *digest;
	bytea	   *expected;
	int			n_hops;
	int			robots_line;
	bytea	   *robots_sha256;
} ErrandRow;

typedef struct Errand
{
	dlist_node	node;
	MemoryContext context;
	char	   *host;			/* whose pace it keeps */
	char	   *domain;
	WebUrl		url;
	bool		unverified;		/* certificates are not looked at */
	TimestampTz sent_at;
	int			settle_tries;
	int64		settle_at_ms;	/* monotonic: not tried before */
	int			settle_waits;	/* how often something was in the way */
	bool		counted;		/* as its domain's: domains.c */
	bool		holds_host;		/* against other databases: shared_pace.c */
	TimestampTz host_free_at;	/* when those may ask it; 0: not known yet */
	int64		wanted_ms;		/* when its host was put in line for it */
	ErrandRow	row;
	char	   *robots_of;		/* the host whose robots.txt it is for; or
								 * NULL */
	int			robots_hops;	/* on the way to that */
	WebResponse response;
} Errand;

extern Errand *errand_new(const char *host, const char *domain);
extern void errand_free(Errand *errand);

/* It is no request any more. */
extern void errand_let_go(Errand *errand);

/* For one URL; false: it is refused, *reason says why. */
extern bool errand_set_url(Errand *errand, const char *url, const char **reason);

/* ---- domains.c ---- */

extern void domain_enter(Errand *errand);
extern void domain_leave(Errand *errand);

/* Whether enough requests go to hosts of this domain. */
extern bool domain_is_busy(const char *name);

/* When a host is to come back that finds its domain, or its address, busy. */
extern TimestampTz domain_turn(const char *name, TimestampTz now);

/* ---- shared_pace.c ---- */

/*
 * DT_NOBEGIN: the host may be asked, and no other database does meanwhile; else when to look
 * again.
 */
extern TimestampTz shared_pace_take(const char *host, TimestampTz now);

/* Its request is over; from then on others may ask it. */
extern void shared_pace_give(const char *host, TimestampTz free_at);

/* ---- judge.c: robots.txt in memory ---- */

/* The parsed robots.txt of a host; NULL: it has none. */
extern const WebRobots *judge_robots(const Host *host);

/* ---- fetcher.c ---- */

/* The pass over all hosts that have rows: discover.c. */
typedef struct Discovery
{
	TimestampTz at;				/* its next step */
	char	   *behind;			/* this host; NULL: none is under way */
	bool		again;			/* rows have come meanwhile */
	bool		started;		/* what was left over has been released */
	int64		spent_ms;		/* on this pass */
	int64		clock_step_ms;	/* the clock was set; 0: it was not */
} Discovery;

struct Fetcher
{
	Tx			tx;
	MemoryContext context;
	WebPool    *pool;
	int			honoured;		/* reservations */

	/* errands */
	Errand	   *making;			/* is being claimed; or NULL */
	dlist_head	claimed;		/* in a transaction that has not committed */
	dlist_head	ready;
	dlist_head	flying;
	dlist_head	ended;
	dlist_head	hops;			/* of robots.txt, to hosts whose turn has not
								 * come */
	int			n_hops;
	int			n_flying;		/* and ready, and ended */
	size_t		ended_bytes;	/* of bodies that are not written down yet */

	TimestampTz claim_at;
	TimestampTz settle_at;
	Discovery	discovery;
};

/* Serves the sockets in the middle of long work. */
extern void fetcher_serve(Fetcher *fetcher);

/* An errand that was to be claimed is none: that of a hop goes on waiting. */
extern void fetcher_drop(Fetcher *fetcher, Errand *errand);

/* Waits for its host's turn. */
extern void fetcher_add_hop(Fetcher *fetcher, Errand *errand);

/*
 * Does some work in a part of a transaction.  False: a user's lock or a full disk is in the
 * way, and it is to be tried again.
 */
extern bool fetcher_try(void (*work) (void *arg), void *arg);

/* ---- discover.c ---- */

/* A step of the pass. */
extern void discover(Fetcher *fetcher);

/* The latch was set: rows may have been queued. */
extern void discover_news(Fetcher *fetcher);

/* ---- ended.c ---- */

/* What a lock or a full disk is in the way of is tried again after this. */
#define SETTLE_PAUSE_MS 200

/* Takes the responses that have come out of the pool. */
extern void ended_take(Fetcher *fetcher);

/* Writes down some of what has ended; what cannot be written now is kept.  False: nothing was. */
extern bool ended_settle(Fetcher *fetcher);

/* ---- claim.c ---- */

/*
 * Claims what is due; the number of errands.  In a transaction.  stuck: not one host could
 * be seen to.
 */
extern int	claim_errands(Fetcher *fetcher, TimestampTz now, int room, bool *stuck);

/* ---- settle.c, outcome.c, settle_robots.c ---- */

typedef enum OutcomeAction
{
	OUTCOME_FETCHED,
	OUTCOME_MOVED,				/* to Location */
	OUTCOME_RETRY,				/* counts as an attempt */
	OUTCOME_ONCE_MORE,			/* the second time it is final */
	OUTCOME_HOST,				/* the host's fault: no attempt */
	OUTCOME_FINAL
} OutcomeAction;

typedef struct Outcome
{
	OutcomeAction action;
	const char *reason;			/* static */
	char	   *detail;			/* palloc'd, or NULL */
	bool		has_event;
	WebEvent	event;
	int64		delay_ms;		/* of OUTCOME_ONCE_MORE */
} Outcome;

/* What a response to the request for a picture means. */
extern Outcome outcome_of(const Errand *errand, int honoured);

/*
 * What a fault that is none of the answer's means for the host; its reason, or NULL: there
 * was an answer.
 */
extern const char *outcome_fault(const WebResponse *response, Outcome *outcome);

/* Writes down what became of an errand.  In a subtransaction; arg is an array of both. */
typedef struct Settle
{
	Fetcher    *fetcher;
	Errand	   *errand;
	Errand	   *next;			/* another request for the same robots.txt */
} Settle;

extern void settle_errand(void *arg);
extern void settle_robots(Settle *settle, Host *host);

/* What the end of the request means for the pace of its host. */
extern void settle_pace(Errand *errand, Host *host, const Outcome *outcome);

/* The host's delay counts from this request on. */
extern void settle_keep_delay(Errand *errand, Host *host);

/* Gives a claimed row back: it was not asked for. */
extern void settle_give_back(const Errand *errand);

/* The row rests with this error: it cannot be settled. */
extern void settle_as_error(const Errand *errand, const char *message);

#endif							/* LLAVA_ERRAND_H */
