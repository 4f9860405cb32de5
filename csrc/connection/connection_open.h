/* SPDX-License-Identifier: MIT */
/* How a connection comes about and whom it is listed with: for client.c,
 * server.c and topics.c, and for nobody above. */
#pragma once
#include "connection/connection.h"

/* Told once, when a connection has died, before on_close's caller returns (the
 * server takes it off its list), or when a client's is open. */
typedef void ws_connection_died(void *keeper, ws_connection *connection);
void ws_connection_set_keeper(ws_connection *connection, void *keeper,
                              ws_connection_died *died);

/* The keeper while it is one that set this `died`, else NULL. */
void *ws_connection_keeper_if(const ws_connection *connection,
                              ws_connection_died *died);

/* Gives it the stream (taken) and watches it; a server's begins to wait for a
 * request. A client's session begins when the stream is open: `opened(keeper)`
 * is then called and has to call ws_connection_begin_client. attach_from is the
 * server's form: it knows the peer. On failure the stream stays the caller's.
 */
int ws_connection_attach(ws_connection *connection, ws_stream *stream,
                         void (*opened)(void *keeper));
int ws_connection_attach_from(ws_connection *connection, ws_stream *stream,
                              const ws_address *peer);
int ws_connection_begin_client(ws_connection *connection,
                               const ws_handshake_request *request);
void ws_connection_begin_server(ws_connection *connection);

/* For a server that closes, of one that is CONNECTING: a request that waits
 * gets 503, one just accepted a Close with 1001 behind its 101, an answer that
 * is whole may still arrive, all else is dropped. */
void ws_connection_turn_away(ws_connection *connection);

/* Client: `answered(keeper, head)` is asked about an answer that is no 101;
 * true: it takes the connection on from here, and has to detach it and attach
 * another stream, later. */
void ws_connection_on_answer(ws_connection *connection,
                             bool (*answered)(void *keeper,
                                              const ws_http_head *head));

/* Gives up stream and session; CONNECTING as before there was one, with what
 * is left of its time. Not from inside `answered`. */
void ws_connection_detach(ws_connection *connection);

/* Sets a TCP socket up as the settings say: no delay, and what the system can
 * do about dead peers. */
void ws_connection_tune(const ws_connection_config *config, ws_fd fd);

/* Starts the deadline for getting to OPEN. `stage` is what the message says
 * it was doing: static, set anew as stages go by. */
void ws_connection_set_stage(ws_connection *connection, const char *stage);
int ws_connection_start_deadline(ws_connection *connection);

/* Appends shared bytes of a whole frame that carries `payload` bytes, and takes
 * over the reference to them; for publication.c. WS_OK, WS_ENOMEM, or
 * WS_EBACKPRESSURE when it was skipped. Not OPEN: WS_OK, nothing is sent. */
int ws_connection_push(ws_connection *connection, const ws_kept *frame,
                       size_t payload);

/* The compression agreed with the peer, or NULL; for publication.c. */
ws_deflate *ws_connection_deflate(const ws_connection *connection);

/* Server's list and topics; for server.c and topics.c. */
typedef struct ws_connection_links {
  ws_connection *next, *previous;
  struct ws_subscription *subscriptions;
} ws_connection_links;
ws_connection_links *ws_connection_links_of(ws_connection *connection);
