/* SPDX-License-Identifier: MIT */
/* One WebSocket connection: a session on a stream in a loop. It reads, feeds
 * the session, writes what comes out, keeps deadlines and sends pings. client.h
 * and server.h make connections. */
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

/* Settings, shared by the connections of a server or of one client; reference-
 * counted. Milliseconds and bytes; 0 means no time-out or limit, unless another
 * meaning is given. */
typedef struct ws_connection_config {
  ws_session_config session;
  uint64_t open_timeout;   /* the whole way to OPEN, or to an answer */
  uint64_t close_timeout;  /* for the peer's Close, once the peer has what was
                            * sent before ours; 0: 5000 */
  uint64_t ping_interval;  /* a ping this often */
  uint64_t ping_timeout;   /* how long a silence after a ping means that the
                            * peer is dead; 0: ping_interval */
  uint64_t idle_timeout;   /* any silence; a ping is sent half-way */
  size_t high_water;       /* bufferedAmount above which send returns false */
  size_t low_water;        /* and at or below which on_drain comes */
  size_t max_backpressure; /* unsent bytes above which a WebSocket is dropped
                            * (1013), except by our Close or automatic ping,
                            * and a further write of an answer to plain HTTP
                            * drops its connection */
  bool drop_publishes;     /* publishes that would exceed it are skipped */
  bool no_delay;
  unsigned references;     /* private */
} ws_connection_config;

/* Zeroed, with one reference, or NULL. */
ws_connection_config *ws_connection_config_new(void);
void ws_connection_config_unref(ws_connection_config *config);

/* Callbacks of the owner; any but on_close may be NULL. They are only called
 * from a turn of the loop, never from inside a call that the owner makes. The
 * owner may do anything in them. */
typedef struct ws_connection_events {
  void (*on_open)(void *owner);
  /* Server: a request was received and judged. A handshake is to be accepted or
   * refused, now or later; plain HTTP is to be answered after on_body_end. If
   * NULL, a handshake is accepted without subprotocol. */
  void (*on_request)(void *owner, const ws_http_head *head,
                     const ws_handshake_verdict *verdict);
  void (*on_body)(void *owner, const uint8_t *data, size_t len);
  void (*on_body_end)(void *owner); /* if NULL, plain HTTP gets 426 */
  void (*on_message)(void *owner, unsigned opcode, const uint8_t *data,
                     size_t len);
  void (*on_ping)(void *owner, const uint8_t *data, size_t len);
  void (*on_pong)(void *owner, const uint8_t *data, size_t len);
  void (*on_drain)(void *owner);
  /* Why it failed: at most once, before on_close; the state is CLOSED. */
  void (*on_error)(void *owner, int status, const char *message);
  /* The last event, exactly once for a WebSocket. `code` is 1005 if the peer's
   * Close had none, 1006 without a Close. A connection that ended with a plain
   * or refused request gets on_gone instead. */
  void (*on_close)(void *owner, unsigned code, const uint8_t *reason,
                   size_t len, bool clean);
  void (*on_gone)(void *owner);
} ws_connection_events;

/* Only to be called in on_message: takes the next message, if it has arrived
 * already and may be delivered; on_message is then not called for it. It is
 * valid until the next call. NULL: there is none, and on_message has to
 * return. */
const ws_event *ws_connection_next_message(ws_connection *connection);

/* Makes a server's or a client's connection, CONNECTING and without a stream.
 * It keeps the loop alive and takes a reference to `config`. The owner must
 * call ws_connection_release when it no longer needs it. NULL without
 * memory. */
ws_connection *ws_connection_new(ws_hub *hub, ws_connection_config *config,
                                 const ws_connection_events *events,
                                 void *owner);
ws_connection *ws_connection_new_client(ws_hub *hub,
                                        ws_connection_config *config,
                                        const ws_connection_events *events,
                                        void *owner);

/* Gives it to another owner, who is called through the same events. */
void ws_connection_set_owner(ws_connection *connection, void *owner);

/* The owner lets go: no more events. A connection that still lives is dropped
 * at once, without telling the peer. Memory is freed at the end of the turn. */
void ws_connection_release(ws_connection *connection);

/* For hub.c: drops it without telling anybody. It is dead then, and does not
 * touch the hub any more. */
void ws_connection_abandon(ws_connection *connection);

/* The next of the hub's connections, or NULL. */
ws_connection *ws_connection_next(const ws_connection *connection);

/* ---------------------------------------------------- for the Lua floor */

void *ws_connection_owner(const ws_connection *connection);
ws_state ws_connection_state(const ws_connection *connection);
ws_slice ws_connection_protocol(const ws_connection *connection);
ws_slice ws_connection_extensions(const ws_connection *connection);

/* Payload bytes accepted but not yet passed to the system, and those discarded
 * because closing had begun (these are never subtracted again). */
uint64_t ws_connection_buffered(const ws_connection *connection);

/* The round-trip time of the last automatic ping in milliseconds; negative if
 * unknown. */
double ws_connection_latency(const ws_connection *connection);

/* The address of either end; false before there is a TCP connection, and for
 * our end also once that is gone. A Unix socket's peer has no address. */
bool ws_connection_local(const ws_connection *connection, ws_address *address);
bool ws_connection_peer(const ws_connection *connection, ws_address *address);
ws_stream *ws_connection_stream(const ws_connection *connection);

/* How a message is sent; NULL: all zero. */
typedef struct ws_send_how {
  bool plain; /* uncompressed, even if compression was agreed */
  void *(*keep)(void *lender); /* NULL: the payload is copied */
  void (*release)(void *keeper);
  void *lender;
} ws_send_how;

/* Sends a message. The caller has validated text. WS_EINVAL while CONNECTING;
 * once closing has begun the message is only counted. A server's long payload
 * is not copied if `how` has a `keep`: that is called with `lender`, keeps the
 * payload alive and returns the keeper, which is later given to `release`.
 * Returns WS_OK also when the connection failed because memory ran out: that
 * comes as an event. */
int ws_connection_send(ws_connection *connection, unsigned opcode,
                       const void *data, size_t len,
                       const ws_send_how *how);

/* True if bufferedAmount is at most high_water. If false, on_drain will
 * come. */
bool ws_connection_writable(ws_connection *connection);

/* WS_OK, or WS_EINVAL while CONNECTING or over 125 bytes. */
int ws_connection_ping(ws_connection *connection, unsigned opcode,
                       const void *data, size_t len);

/* The DOM's close() after its argument checks: code 0 for none. */
void ws_connection_close(ws_connection *connection, unsigned code,
                         const void *reason, size_t len);

/* Writes now what waits, as far as the system takes it; without this call that
 * is done when the turn ends. False if there is no stream, or writing failed
 * (which has been handled). */
bool ws_connection_flush(ws_connection *connection);

/* Why it has ended: a status, WS_ECONNABORTED when nothing failed, and a
 * sentence, which lives as long as the connection. */
int ws_connection_failure(const ws_connection *connection,
                          const char **message);

/* Ends it with a failure: error and close events follow in a later task.
 * `message` is copied; NULL: the status's own text. Does nothing if it has
 * ended already. */
void ws_connection_fail(ws_connection *connection, int status,
                        const char *message);

/* Drops it at once; on_close with 1006 follows in a later task. */
void ws_connection_terminate(ws_connection *connection);

/* The code and the reason that on_close gets, once the state is CLOSED. The
 * reason lives as long as the connection. */
unsigned ws_connection_end(const ws_connection *connection, ws_slice *reason);

#define WS_PAUSE_USER 1u /* reasons not to read; each is on or off by itself */
#define WS_PAUSE_QUEUE 2u
void ws_connection_pause(ws_connection *connection, unsigned reason, bool on);

/* Answer a waiting request. WS_ECONNABORTED if the client has gone, else as
 * ws_session_accept and ws_session_refuse. */
int ws_connection_accept(ws_connection *connection, ws_slice protocol,
                         const ws_header *headers, size_t count);
int ws_connection_refuse(ws_connection *connection, unsigned status,
                         ws_slice body, const ws_header *headers,
                         size_t count);

/* Plain HTTP: nothing but the end of TCP will mark the end of the response
 * (HTTP/1.0). If it is cut short the client gets a reset, so that it does not
 * take the part for the whole; a Unix socket has no resets. */
void ws_connection_open_ended(ws_connection *connection);

/* Plain HTTP: writes bytes of the response, which are copied. WS_OK; WS_ENOMEM,
 * which ends it; WS_ECONNABORTED once the connection has ended. It also ends
 * here, with a response cut short, if more than max_backpressure was waiting
 * before this call. */
int ws_connection_write(ws_connection *connection, const void *data,
                        size_t len);

/* Writes the last bytes, if any, however much is waiting, and finishes the
 * response: TCP is closed when all was sent, or after idle_timeout without
 * progress, and then on_gone comes. WS_OK, or a failure: the connection has
 * ended, now or earlier. */
int ws_connection_finish(ws_connection *connection, const void *data,
                         size_t len);
