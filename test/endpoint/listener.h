/*
 * listener.h
 *	  Where clients connect to: 127.0.0.1, one port.
 */
#ifndef ENDPOINT_LISTENER_H
#define ENDPOINT_LISTENER_H

/* Listens, on the port that it had before if it had one.  Ends the program if it cannot. */
extern void listener_open(void);

/* From now on the kernel refuses connections. */
extern void listener_close(void);

extern int	listener_port(void);

#endif							/* ENDPOINT_LISTENER_H */
