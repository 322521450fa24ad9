/*
 * errors.h
 *	  Error replies: statuses, both shapes of body, Retry-After.
 */
#ifndef ENDPOINT_ERRORS_H
#define ENDPOINT_ERRORS_H

#include "fault.h"
#include "http.h"

/* The errors the server itself has cause for; each is a fault's name as well. */
#define ERROR_KEY "401"
#define ERROR_MODEL "404-model"
#define ERROR_IMAGE "400-image"
#define ERROR_RATIO "400-size"
#define ERROR_REQUEST "400"

/*
 * Makes the reply of an error fault; detail is put behind the message if not NULL.
 * flat: the shape vLLM had before 0.10.1.
 */
extern void error_reply(Reply *reply, const Fault *fault, bool flat, const char *detail);
extern void error_reply_named(Reply *reply, const char *name, bool flat, const char *detail);

/*
 * What this request's error says of the request, in room; NULL: nothing.  Of an error
 * fault that has words of its own for each.
 */
extern const char *error_detail(const Fault *fault, int64_t ordinal, char *room, size_t size);

/* Just the body of it. */
extern void error_body(Buffer *body, const Fault *fault, bool flat, const char *detail);

#endif							/* ENDPOINT_ERRORS_H */
