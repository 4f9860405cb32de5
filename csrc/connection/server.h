/* SPDX-License-Identifier: MIT */
/* Listens: accepts connections without busy-waiting when that fails, keeps the
 * list of them, and closes them with a closing handshake. */
#pragma once
#include "connection/connection.h"
#include "connection/topics.h"
#include "transport/stream_tls.h"

typedef struct ws_server ws_server;

typedef struct ws_server_options {
  ws_slice host; /* a literal address, or "localhost"; empty: 127.0.0.1 */
  uint16_t port; /* 0: any */
  ws_slice path; /* a Unix socket instead */
  ws_tls *tls;   /* NULL: plain; referenced */
  size_t max_connections; /* 0: no limit; more get 503 (not over TLS) */
  int backlog;
  bool reuse_port;
} ws_server_options;

typedef struct ws_server_events {
  /* A connection came in. Returns its owner, to which the connection's events
   * go, or NULL to drop it. */
  void *(*on_accept)(void *owner, ws_connection *connection);
  /* After ws_server_close, when the last connection is gone; nothing
   * follows. */
  void (*on_closed)(void *owner);
} ws_server_events;

/* WS_OK, or the reason why it cannot listen, with a sentence in `why`. Takes a
 * reference to `config`. */
int ws_server_listen(ws_hub *hub, ws_connection_config *config,
                     const ws_server_options *options,
                     const ws_connection_events *connection_events,
                     const ws_server_events *events, void *owner,
                     ws_server **server, char *why, size_t why_size);

/* Stops listening and closes every connection with `code`. Requests that wait
 * for an answer get 503; incomplete answers are cut off. */
void ws_server_close(ws_server *server, unsigned code);

/* The owner lets go: no more events of the server itself. If it still listens,
 * it stops. */
void ws_server_release(ws_server *server);

/* For hub.c: stops it without an event; the owner still has to release it. */
void ws_server_abandon(ws_server *server);

/* Sets the context of new connections; takes a reference. Not NULL. */
void ws_server_set_tls(ws_server *server, ws_tls *tls);

/* Where it listens. */
const ws_address *ws_server_address(const ws_server *server);

size_t ws_server_count(const ws_server *server); /* OPEN and closing ones */
ws_connection *ws_server_first(const ws_server *server);
ws_connection *ws_server_next(ws_connection *connection); /* NULL at the end */
ws_topics *ws_server_topics(ws_server *server);
ws_server *ws_server_of(const ws_connection *connection); /* NULL: a client's */
