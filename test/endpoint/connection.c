/*
 * connection.c
 *	  A client's connection: a request is read whole, served, answered; then the
 *	  next one.
 *
 * A closed connection stays in memory until connections_sweep(), which runs when
 * no event that may name it is left.
 */
#define _GNU_SOURCE

#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (1024 * 1024)
#define MAX_BODY ((int64_t) 256 * 1024 * 1024)

static Connection open_list = {.next = &open_list,.before = &open_list};
static Connection *closed_list;
static char piece[PIECE];
static bool keep_bodies;
static int	now_open;
static int64_t ever_opened;

static void connection_ready(void *owner, uint32_t events);
static void send_some(Connection *connection);

void
connections_open(bool keep)
{
	keep_bodies = keep;
}

static void
wait_for(Connection *connection, uint32_t events)
{
	if (connection->events != events)
		loop_change(&connection->watch, events);
	connection->events = events;
}

void
connection_accept(int fd)
{
	Connection *connection = must_alloc(sizeof(Connection));
	int			yes = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	connection->watch.fd = fd;
	connection->watch.ready = connection_ready;
	connection->watch.owner = connection;
	connection->events = EPOLLIN;
	connection->number = ++ever_opened;
	if (!loop_watch(&connection->watch, EPOLLIN))
	{
		close(fd);
		free(connection);
		return;
	}
	now_open++;
	connection->next = open_list.next;
	connection->before = &open_list;
	open_list.next->before = connection;
	open_list.next = connection;
}

void
connection_close(Connection *connection, bool reset)
{
	struct linger at_once = {.l_onoff = 1,.l_linger = 0};

	if (connection->state == CONNECTION_CLOSED)
		return;
	if (reset)
		setsockopt(connection->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	loop_disarm(&connection->timer);
	loop_forget(&connection->watch);
	close(connection->watch.fd);
	connection->state = CONNECTION_CLOSED;
	connection->next->before = connection->before;
	connection->before->next = connection->next;
	connection->next = closed_list;
	closed_list = connection;
	now_open--;
}

void
connections_sweep(void)
{
	while (closed_list)
	{
		Connection *connection = closed_list;

		closed_list = connection->next;
		buffer_free(&connection->input);
		buffer_free(&connection->body);
		buffer_free(&connection->chunked.line);
		reply_free(&connection->reply);
		free(connection);
	}
}

/* The peer is gone or broke the protocol. */
static void
connection_lost(Connection *connection)
{
	ConnectionState state = connection->state;

	connection_close(connection, false);
	if (state == CONNECTION_SERVING || state == CONNECTION_SENDING)
		serve_gone(connection);
}

void
connections_close_all(void)
{
	while (open_list.next != &open_list)
		connection_lost(open_list.next);
	connections_sweep();
}

static bool
is_control(const Connection *connection)
{
	return connection->state != CONNECTION_READING && connection->user == NULL;
}

void
connections_reset(void)
{
	Connection *next;
	Connection *connection;

	for (connection = open_list.next; connection != &open_list; connection = next)
	{
		bool		serving = connection->state != CONNECTION_READING;

		next = connection->next;
		if (is_control(connection))
			continue;
		connection_close(connection, true);
		if (serving)
			serve_gone(connection);
	}
}

void
connections_each_chat(void (*what) (struct Chat *chat))
{
	Connection *next;
	Connection *connection;

	for (connection = open_list.next; connection != &open_list; connection = next)
	{
		next = connection->next;
		if (connection->state == CONNECTION_SERVING && connection->user != NULL)
			what(connection->user);
	}
}

int
connections_now(void)
{
	return now_open;
}

int64_t
connections_ever(void)
{
	return ever_opened;
}

/* Refuses what is no HTTP, and closes. */
static void
refuse(Connection *connection, int status)
{
	Reply		reply = {.end = END_CLOSE};
	Buffer		body = {0};

	buffer_text(&body, "{\"error\":{\"message\":\"bad HTTP request\",\"type\":\"BadRequestError\"}}");
	http_reply(&reply, status, "application/json", "Connection: close\r\n", &body, LENGTH_TOLD);
	buffer_free(&body);
	reply.end = END_CLOSE;
	connection->state = CONNECTION_SERVING;
	connection->user = NULL;
	connection_send(connection, &reply);
}

static void
request_whole(Connection *connection)
{
	connection->in_body = false;
	connection->requests++;
	connection->state = CONNECTION_SERVING;
	connection->sent = 0;
	connection->sent_in_all = 0;
	wait_for(connection, EPOLLRDHUP);
	serve_request(connection);
}

/* The head is whole: what is to come behind it? */
static void
begin_body(Connection *connection)
{
	const HttpHead *head = &connection->head;

	buffer_free(&connection->body);
	buffer_free(&connection->chunked.line);
	memset(&connection->chunked, 0, sizeof(connection->chunked));
	connection->body_size = 0;
	connection->body_left = head->chunked || head->content_length < 0 ? 0 : head->content_length;
	if (connection->body_left > MAX_BODY)
	{
		refuse(connection, 413);
		return;
	}
	connection->in_body = true;
	if (keep_bodies && connection->body_left > 0)
		buffer_reserve(&connection->body, (size_t) connection->body_left);
	if (head->expects_continue && (head->chunked || connection->body_left > 0))
	{
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

		if (send(connection->watch.fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0)
			connection_lost(connection);
	}
}

/* Takes body bytes; says how many. */
static size_t
take_body(Connection *connection, const char *data, size_t size)
{
	size_t		taken;

	if (connection->head.chunked)
	{
		taken = http_take_chunks(&connection->chunked, data, size, &connection->body);
		if (connection->chunked.bad || (int64_t) connection->body.size > MAX_BODY)
			refuse(connection, 400);
		else if (connection->chunked.done)
		{
			connection->body_size = (int64_t) connection->body.size;
			request_whole(connection);
		}
		return taken;
	}
	taken = (int64_t) size < connection->body_left ? size : (size_t) connection->body_left;
	if (keep_bodies || connection->head.content_length < 65536)
		buffer_add(&connection->body, data, taken);
	connection->body_left -= (int64_t) taken;
	connection->body_size += (int64_t) taken;
	if (connection->body_left == 0)
		request_whole(connection);
	return taken;
}

/* Goes through bytes that came, as far as they belong to the request being read. */
static void
take_bytes(Connection *connection, const char *data, size_t size)
{
	size_t		at = 0;

	while (connection->state == CONNECTION_READING)
	{
		int			head;

		if (connection->in_body)
		{
			if (at == size && (connection->head.chunked || connection->body_left > 0))
				return;
			at += take_body(connection, data + at, size - at);
			continue;
		}
		if (at == size)
			return;
		head = http_parse_head(data + at, size - at, &connection->head);
		if (head < 0)
			refuse(connection, 400);
		else if (head == 0)
			break;
		else
		{
			at += (size_t) head;
			begin_body(connection);
		}
	}
	if (connection->state != CONNECTION_CLOSED)
		buffer_add(&connection->input, data + at, size - at);
}

/* Bytes are there.  A large body that nobody wants is dropped by the kernel. */
static void
read_some(Connection *connection)
{
	bool		drop = !keep_bodies && connection->in_body;
	size_t		room = PIECE;
	ssize_t		size;

	drop = drop && !connection->head.chunked && connection->head.content_length >= 65536;
	if (drop)
		room = connection->body_left < PIECE ? (size_t) connection->body_left : PIECE;
	size = recv(connection->watch.fd, piece, room, drop ? MSG_TRUNC : 0);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0)
	{
		connection_lost(connection);
		return;
	}
	if (drop)
	{
		connection->body_left -= size;
		connection->body_size += size;
		if (connection->body_left == 0)
			request_whole(connection);
	}
	else if (connection->input.size > 0)
	{
		Buffer		input = connection->input;

		memset(&connection->input, 0, sizeof(connection->input));
		buffer_add(&input, piece, (size_t) size);
		take_bytes(connection, input.data, input.size);
		buffer_free(&input);
	}
	else
		take_bytes(connection, piece, (size_t) size);
}

/* The reply is out as far as it was meant to be. */
static void
sending_ended(Connection *connection)
{
	ReplyEnd	end = connection->reply.end;
	Buffer		input;

	if (connection->head.close && end == END_KEEP)
		end = END_CLOSE;
	serve_sent(connection);
	reply_free(&connection->reply);
	if (end != END_KEEP)
	{
		connection_close(connection, end == END_RESET);
		return;
	}
	connection->state = CONNECTION_READING;
	connection->user = NULL;
	wait_for(connection, EPOLLIN);
	input = connection->input;
	memset(&connection->input, 0, sizeof(connection->input));
	if (input.size > 0)
		take_bytes(connection, input.data, input.size);
	buffer_free(&input);
}

static void
send_next_piece(void *owner)
{
	send_some(owner);
}

/* What is sent before others have their turn. */
static bool
sent_enough(Connection *connection, int64_t before)
{
	if (connection->reply.again == 0 || connection->sent_in_all - before < PIECE)
		return false;
	wait_for(connection, EPOLLOUT | EPOLLRDHUP);
	return true;
}

static void
send_some(Connection *connection)
{
	Reply	   *reply = &connection->reply;
	size_t		limit = reply->cut && reply->limit < reply->bytes.size ? reply->limit : reply->bytes.size;
	int64_t		before = connection->sent_in_all;

	while (connection->sent < limit)
	{
		size_t		want = limit - connection->sent;
		ssize_t		size;

		if (reply->pace_ms > 0 && want > reply->pace_bytes)
			want = reply->pace_bytes;
		size = send(connection->watch.fd, reply->bytes.data + connection->sent, want, MSG_NOSIGNAL);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN)
		{
			wait_for(connection, EPOLLOUT | EPOLLRDHUP);
			return;
		}
		if (size < 0)
		{
			connection_lost(connection);
			return;
		}
		connection->sent += (size_t) size;
		connection->sent_in_all += size;
		if (reply->again > 0 && connection->sent == limit)
			connection->sent = reply->again;
		if (sent_enough(connection, before))
			return;
		if (reply->pace_ms > 0 && connection->sent < limit)
		{
			wait_for(connection, EPOLLRDHUP);
			connection->timer.fire = send_next_piece;
			connection->timer.owner = connection;
			loop_arm(&connection->timer, loop_now() + (int64_t) reply->pace_ms * 1000);
			return;
		}
	}
	sending_ended(connection);
}

void
connection_send(Connection *connection, Reply *reply)
{
	loop_disarm(&connection->timer);
	reply_free(&connection->reply);
	connection->reply = *reply;
	memset(reply, 0, sizeof(*reply));
	connection->sent = 0;
	connection->sent_in_all = 0;
	connection->state = CONNECTION_SENDING;
	send_some(connection);
}

static void
connection_ready(void *owner, uint32_t events)
{
	Connection *connection = owner;

	switch (connection->state)
	{
		case CONNECTION_READING:
			read_some(connection);
			break;
		case CONNECTION_SERVING:
		case CONNECTION_SENDING:
			if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				connection_lost(connection);
			else if (connection->state == CONNECTION_SENDING && (events & EPOLLOUT))
				send_some(connection);
			break;
		case CONNECTION_CLOSED:
			break;
	}
}
