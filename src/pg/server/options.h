/*
 * options.h
 *	  A server's options and the keys in its user mappings.
 */
#ifndef LLAVA_OPTIONS_H
#define LLAVA_OPTIONS_H

#include "db/db.h"
#include "nodes/pg_list.h"

typedef struct LlavaServer
{
	Oid			oid;
	Oid			owner;
	char	   *name;
	char	   *url;
	char	   *model;
	int			max_in_flight;
	int			requests_per_minute;	/* 0: no limit */
	int64		tokens_per_minute;	/* 0: no limit */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */
	int			priority;		/* smaller is tried first */
	bool		paused;
	int64		max_requests;	/* -1: no limit */
	double		budget;			/* -1: no limit */
	double		input_price;	/* per million tokens */
	double		output_price;
	char	   *extra_body;		/* or NULL */
	int			pixel_factor;
	int64		min_pixels;
	int64		max_pixels;
} LlavaServer;

/* palloc'd in the current context. */
extern LlavaServer *server_load(Oid server);

/* Whether others see the server as this transaction does. */
extern bool server_is_committed(Oid server);

/* OIDs of all servers of the wrapper llava_zh. */
extern List *server_oids(void);

/*
 * The server a caller means: by name, else the setting, else the only one it has
 * USAGE on.  ERRORs name what is missing, with CREATE SERVER or the names as HINT.
 */
extern LlavaServer *server_for_caller(const char *name);

/*
 * The key to send to this server, palloc'd; NULL if there is no mapping or it has
 * none.  The worker's: the owner's mapping, else PUBLIC's.  A caller's: its own,
 * else PUBLIC's.  A key that an ALTER SERVER ... url by the server's owner could
 * steal is an ERROR (design section 3).
 */
extern char *server_key_for_worker(const LlavaServer *server);
extern char *server_key_for_caller(const LlavaServer *server);

/* Limits of a side of the model's patches, which is IMAGE_FACTOR by default. */
#define PIXEL_FACTOR_MIN 14
#define PIXEL_FACTOR_MAX 64

/* A picture of this size takes 300 MB when it is decoded. */
#define PIXELS_MAX 100000000

/* pause.c's: rows that wait for a time become due, but for those that somebody works on. */
extern SqlStatement sql_forget_waits;

/* What does not go together, palloc'd; NULL: it does. */
extern const char *options_pixels_problem(int factor, int64 min_pixels, int64 max_pixels);

/* What is wrong with text as a base URL, static; NULL: nothing. */
extern const char *options_url_problem(const char *url);

/* The option url as it is used, palloc'd; ERROR if it cannot be. */
extern char *options_url(const char *url);

/* Why text cannot be a key, static, without the key; NULL: it can. */
extern const char *options_key_problem(const char *key);

/*
 * The server of this name, whoever asks; ERROR if there is none or it is another
 * wrapper's.
 */
extern Oid	server_named(const char *name);

#endif							/* LLAVA_OPTIONS_H */
