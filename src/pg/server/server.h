/*
 * server.h
 *	  The endpoints that are asked: their options and keys, and what all processes together may
 *	  ask of them.
 */
#ifndef LLAVA_SERVER_H
#define LLAVA_SERVER_H

#include "endpoints.h"
#include "limits.h"
#include "options.h"
#include "usage.h"

#endif							/* LLAVA_SERVER_H */
