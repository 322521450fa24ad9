/*
 * main.c
 *	  llava_endpoint: a simulated vision-language model behind the chat-completions
 *	  API, for tests, benchmarks and the demo.
 *
 * One thread runs the loop, a few decode images.  --help tells the rest.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "chat.h"
#include "connection.h"
#include "journal.h"
#include "listener.h"
#include "serve.h"
#include "settings.h"

static Watch signals;
static Watch input;

static void
signal_ready(void *owner, uint32_t events)
{
	(void) owner;
	(void) events;
	loop_stop();
}

static void
input_ready(void *owner, uint32_t events)
{
	char		bytes[256];
	ssize_t		size = read(0, bytes, sizeof(bytes));

	(void) owner;
	(void) events;
	if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
		loop_stop();
}

/* Signals come as events, in this thread only; call before any thread is made. */
static void
watch_signals(void)
{
	sigset_t	set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signals.ready = signal_ready;
	if (signals.fd < 0 || !loop_watch(&signals, EPOLLIN))
		die("signalfd: %s", strerror(errno));
}

static void
watch_input(void)
{
	input.fd = 0;
	input.ready = input_ready;
	if (settings.until_eof && !loop_watch(&input, EPOLLIN | EPOLLRDHUP))
		die("--until-eof wants a pipe, a socket or a terminal as standard input");
}

/* Listens and tells where. */
static void
open_listener(void)
{
	listener_open();
	printf("listening on 127.0.0.1:%d\n", listener_port());
	fflush(stdout);
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
after_batch(void)
{
	chat_fill_slots();
	control_check_waits();
	connections_sweep();
}

int
main(int argc, char **argv)
{
	settings_from_arguments(argc, argv);
	raise_descriptor_limit();
	journal_open(settings.journal);
	loop_open();
	watch_signals();
	if (settings.count_only)
		canned_make(settings.reply_bytes);
	connections_open(!settings.count_only);
	work_open(settings.threads);
	watch_input();
	open_listener();
	loop_run(after_batch);
	connections_close_all();
	work_close();
	return 0;
}
