/* SPDX-License-Identifier: MIT */
/* One WebSocket connection: a session on a stream in a loop. It reads, feeds
 * the session, writes what comes out, closes in time and keeps alive. How it
 * comes about is the business of client and server. */
#pragma once
#include "bytes/slice.h"
#include "connection/hub.h"
#include "connection/outbox.h"
#include "protocol/session.h"
#include "transport/address.h"
#include "transport/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_connection ws_connection;

/* Settings, shared by the connections of a server or of one client; counted.
 * Milliseconds and bytes; 0 switches a time-out or limit off unless said. */
typedef struct ws_connection_config {
  ws_session_config session;
  uint64_t open_timeout;   /* the whole way to OPEN, or to an answer */
  uint64_t close_timeout;  /* for the peer's Close, behind what it still has
                            * to read; 0: 5000 */
  uint64_t ping_interval;  /* a ping this often */
  uint64_t ping_timeout;   /* silence after a ping that means a dead peer */
  uint64_t idle_timeout;   /* silence at all; a ping goes out half-way */
  size_t high_water;       /* bufferedAmount above which send says false */
  size_t low_water;        /* and at or below which on_drain comes */
  size_t max_backpressure; /* unsent bytes above which it is dropped, 1013 */
  bool drop_publishes;     /* or, instead, publishes to it are skipped */
  bool no_delay;
  unsigned references;     /* private */
} ws_connection_config;

/* Zeroed, with one reference, or NULL. */
ws_connection_config *ws_connection_config_new(void);
void ws_connection_config_unref(ws_connection_config *config);

/* What the owner is told; any may be NULL but on_close. Never called from
 * inside a call of the owner's: always from a turn of the loop. The owner may
 * do anything in them. */
typedef struct ws_connection_events {
  void (*on_open)(void *owner);
  /* Server: a judged request waits: accept, refuse or (plain) answer it, now
   * or later. NULL: accepted without subprotocol, plain HTTP gets 426. */
  void (*on_request)(void *owner, const ws_http_head *head,
                     const ws_handshake_verdict *verdict);
  void (*on_body)(void *owner, const uint8_t *data, size_t len);
  void (*on_body_end)(void *owner);
  void (*on_message)(void *owner, unsigned opcode, const uint8_t *data,
                     size_t len);
  void (*on_ping)(void *owner, const uint8_t *data, size_t len);
  void (*on_pong)(void *owner, const uint8_t *data, size_t len);
  void (*on_drain)(void *owner);
  /* Why it failed: before on_close, at most once, state is CLOSED. */
  void (*on_error)(void *owner, int status, const char *message);
  /* Exactly once for a WebSocket, and the last. `code` 1005 when the peer's
   * Close had none, 1006 without a Close. A connection that never got past a
   * plain or refused request ends with on_gone instead. */
  void (*on_close)(void *owner, unsigned code, const uint8_t *reason,
                   size_t len, bool clean);
  void (*on_gone)(void *owner);
} ws_connection_events;

/* For on_message alone: the next message, if it is here already and may be
 * told: then on_message is not called for it. False: return. Its bytes are
 * good until the next call. */
bool ws_connection_next_message(ws_connection *connection, ws_event *message);

/* A server's or client's side without a stream, CONNECTING, holding the loop.
 * Takes a reference to `config`. The owner must call ws_connection_release
 * once it needs it no more. NULL without memory. */
ws_connection *ws_connection_new(ws_hub *hub, ws_connection_config *config,
                                 const ws_connection_events *events,
                                 void *owner);
ws_connection *ws_connection_new_client(ws_hub *hub,
                                        ws_connection_config *config,
                                        const ws_connection_events *events,
                                        void *owner);

/* Hands it to another owner, told through the same events. */
void ws_connection_set_owner(ws_connection *connection, void *owner);

/* The owner lets go: no more events. One that still lives is dropped at once
 * without a word. Memory goes at the end of the turn. */
void ws_connection_release(ws_connection *connection);

/* For hub.c: drops it without a word; it is dead, and hub is not touched by
 * it any more. */
void ws_connection_abandon(ws_connection *connection);

/* The next of the hub's connections, or NULL. */
ws_connection *ws_connection_next(const ws_connection *connection);

/* ---------------------------------------------------- for the Lua floor */

void *ws_connection_owner(const ws_connection *connection);
ws_state ws_connection_state(const ws_connection *connection);
ws_slice ws_connection_protocol(const ws_connection *connection);
ws_slice ws_connection_extensions(const ws_connection *connection);

/* Payload bytes taken and not yet handed to the system, and those discarded
 * because closing had begun (it never falls then). */
uint64_t ws_connection_buffered(const ws_connection *connection);

/* Milliseconds of the last ping's way and back, negative when unknown. */
double ws_connection_latency(const ws_connection *connection);

/* False when there is no TCP connection (yet, any more: the peer's end is kept;
 * a Unix socket's peer has no address). */
bool ws_connection_local(const ws_connection *connection, ws_address *address);
bool ws_connection_peer(const ws_connection *connection, ws_address *address);
ws_stream *ws_connection_stream(const ws_connection *connection);

/* How a message is sent; NULL: all zero. */
typedef struct ws_send_how {
  bool plain; /* uncompressed, whatever was agreed */
  void *(*keep)(void *lender); /* NULL: the payload is copied */
  void (*release)(void *keeper);
  void *lender;
} ws_send_how;

/* Sends a message. Text has been checked by the caller. While CONNECTING
 * WS_EINVAL; once closing only counted. A server's long payload is not copied
 * but kept, if there is a way: `keep` is asked for it and gives the keeper.
 * WS_OK, also when the connection failed for want of memory: that comes as an
 * event. */
int ws_connection_send(ws_connection *connection, unsigned opcode,
                       const void *data, size_t len,
                       const ws_send_how *how);

/* True when bufferedAmount is at most high_water; false asks for on_drain. */
bool ws_connection_writable(ws_connection *connection);

/* WS_OK, or WS_EINVAL while CONNECTING or over 125 bytes. */
int ws_connection_ping(ws_connection *connection, unsigned opcode,
                       const void *data, size_t len);

/* The DOM's close() after its argument checks: code 0 for none. */
void ws_connection_close(ws_connection *connection, unsigned code,
                         const void *reason, size_t len);

/* Writes what there is, as far as the system takes it at once: otherwise that
 * is done when the turn ends. False when it has no stream, or failed (it has
 * been seen to). */
bool ws_connection_flush(ws_connection *connection);

/* Ends it: error and close events follow in a later task. `message` is
 * copied; NULL: the status's own text. Does nothing when it ended already. */
void ws_connection_fail(ws_connection *connection, int status,
                        const char *message);

/* Drops it now; on_close 1006 follows in a later task. */
void ws_connection_terminate(ws_connection *connection);

/* What on_close tells, once the state is CLOSED: the code, and the reason,
 * which lives as long as the connection. */
unsigned ws_connection_end(const ws_connection *connection, ws_slice *reason);

#define WS_PAUSE_USER 1u /* reasons to stop reading, each switched alone */
#define WS_PAUSE_QUEUE 2u
void ws_connection_pause(ws_connection *connection, unsigned reason, bool on);

/* Answers to a waiting request; WS_ECONNABORTED when the client has gone.
 * Otherwise as ws_session_accept and ws_session_refuse. */
int ws_connection_accept(ws_connection *connection, ws_slice protocol,
                         const ws_header *headers, size_t count);
int ws_connection_refuse(ws_connection *connection, unsigned status,
                         ws_slice body, const ws_header *headers,
                         size_t count);

/* Plain HTTP: raw bytes of the response, copied (WS_OK, WS_ECONNABORTED once
 * it has ended, or WS_ENOMEM, with which it ends), and the response's end: TCP
 * is closed after the flush, for which idle_timeout without progress is waited,
 * and on_gone comes then. */
int ws_connection_write(ws_connection *connection, const void *data,
                        size_t len);
void ws_connection_finish(ws_connection *connection);
