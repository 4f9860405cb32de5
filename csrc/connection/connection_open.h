/* SPDX-License-Identifier: MIT */
/* How connections are opened, and the lists they are in: only for the files of
 * connection/, such as client.c, server.c and topics.c. */
#pragma once
#include "connection/connection.h"

/* The callbacks of a connection's keeper, which is its server, or the opening
 * of a client's connection. */
typedef struct ws_keeping {
  /* Called once: when the connection has died, at the latest right after
   * on_close (a server takes it off its list), or when a client's is open. */
  void (*died)(void *keeper, ws_connection *connection);
  /* A client's stream is open: has to call ws_connection_begin_client. */
  void (*opened)(void *keeper);
  /* The answer to a client is not 101. If this returns true it takes over the
   * connection: later it has to detach it and attach another stream. */
  bool (*answered)(void *keeper, const ws_http_head *head);
} ws_keeping;

void ws_connection_set_keeper(ws_connection *connection, void *keeper,
                              const ws_keeping *keeping);

/* The keeper, if it was set with these callbacks and `died` was not called yet,
 * else NULL. */
void *ws_connection_keeper_if(const ws_connection *connection,
                              const ws_keeping *keeping);

/* Gives the stream to the connection, which owns and watches it from then on. A
 * server's connection begins to wait for a request, a client's calls its keeper
 * when the stream is open. attach_from is for servers, which know the peer. On
 * failure the stream stays the caller's. */
int ws_connection_attach(ws_connection *connection, ws_stream *stream);
int ws_connection_attach_from(ws_connection *connection, ws_stream *stream,
                              const ws_address *peer);
int ws_connection_begin_client(ws_connection *connection,
                               const ws_handshake_request *request);
void ws_connection_begin_server(ws_connection *connection);

/* For a connection that is CONNECTING when its server closes: a waiting request
 * gets 503; one that was just accepted gets its 101, then a Close with 1001; a
 * complete answer may still arrive; everything else is dropped. */
void ws_connection_turn_away(ws_connection *connection);

/* Gives up stream and session: the connection waits for another stream, with
 * what is left of its open_timeout. Not to be called inside `answered`. */
void ws_connection_detach(ws_connection *connection);

/* Sets the options of a TCP socket as configured: no delay, and what the system
 * can do about dead peers. */
void ws_connection_tune(const ws_connection_config *config, ws_fd fd);

/* Set the stage that the message of a missed deadline names (static), and start
 * the deadline for getting to OPEN. */
void ws_connection_set_stage(ws_connection *connection, const char *stage);
int ws_connection_start_deadline(ws_connection *connection);

/* Appends the shared bytes of a whole frame that carries `payload` bytes, and
 * takes over the reference to them; for publication.c. WS_OK, WS_ENOMEM, or
 * WS_EBACKPRESSURE if the frame was skipped. If not OPEN: WS_OK, nothing is
 * sent. */
int ws_connection_push(ws_connection *connection, const ws_kept *frame,
                       size_t payload);

/* The compression agreed with the peer, or NULL; for publication.c. */
ws_deflate *ws_connection_deflate(const ws_connection *connection);

/* Its place in a server's list, and its topics; for server.c and topics.c. */
typedef struct ws_connection_links {
  ws_connection *next, *previous;
  struct ws_subscription *subscriptions;
} ws_connection_links;
ws_connection_links *ws_connection_links_of(ws_connection *connection);
