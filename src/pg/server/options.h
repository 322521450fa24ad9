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
	/* the foreign server */
	Oid			oid;
	Oid			owner;
	char	   *name;

	/* what is sent where */
	char	   *url;
	char	   *model;
	char	   *extra_body;		/* or NULL */
	int			priority;		/* smaller is tried first */
	bool		paused;

	/* how much at a time */
	int			max_in_flight;
	int			requests_per_minute;	/* 0: no limit */
	int64		tokens_per_minute;	/* 0: no limit */

	/* how long it is waited for */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */

	/* how much in all */
	int64		max_requests;	/* -1: no limit */
	double		budget;			/* -1: no limit */
	struct ServerPrice
	{
		double		input;		/* per million tokens */
		double		output;
	}			price;

	/* the size of pictures */
	int			pixel_factor;
	int64		min_pixels;
	int64		max_pixels;
} LlavaServer;

/* palloc'd in the current context. */
extern LlavaServer *server_load(Oid server);

/* Whether other transactions see the server as this one does. */
extern bool server_is_committed(Oid server);

/* OIDs of all servers of the wrapper llava_zh. */
extern List *server_oids(void);

/*
 * The server that a caller means: by name, else by the setting, else the only one it
 * has USAGE on.  An ERROR names what is missing, with CREATE SERVER or the names as
 * HINT.
 */
extern LlavaServer *server_for_caller(const char *name);

/*
 * The key to send to this server, palloc'd; NULL if there is no mapping or it has no
 * key.  A worker sends the key of the owner's mapping, else of PUBLIC's; a caller that
 * of its own, else of PUBLIC's.  ERROR if the server's owner could take the key by
 * ALTER SERVER ... url (access.c).
 */
extern char *server_key_for_worker(const LlavaServer *server);
extern char *server_key_for_caller(const LlavaServer *server);

/*
 * Watches the catalogue, from the first call of a process; and the number of changes
 * seen, never 0.
 */
extern void servers_watch(void);
extern uint64 servers_version(void);

/* Limits of a side of the model's patches, which is IMAGE_FACTOR by default. */
#define PIXEL_FACTOR_MIN 14
#define PIXEL_FACTOR_MAX 64

/* A picture of this size takes 300 MB when it is decoded. */
#define PIXELS_MAX 100000000

/*
 * pause.c: rows that wait for a time become due, except those that a process works on.
 */
extern SqlStatement sql_forget_waits;

/* Why these values do not go together, palloc'd; NULL: they do. */
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
