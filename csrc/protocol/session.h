/* SPDX-License-Identifier: MIT */
/* One side of a WebSocket without I/O: handshake, receiver, sender and closing
 * states. The caller feeds bytes from the peer and gets events; everything to
 * be sent is appended to the caller's buffer. */
#pragma once
#include "bytes/buffer.h"
#include "protocol/deflate_offer.h"
#include "protocol/deflate_pool.h"
#include "protocol/event.h"
#include "protocol/handshake.h"
#include "protocol/http.h"
#include "protocol/receiver.h"
#include "protocol/sender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of the browser's readyState. */
typedef enum ws_state {
  WS_CONNECTING = 0,
  WS_OPEN = 1,
  WS_CLOSING = 2,
  WS_CLOSED = 3
} ws_state;

/* May be shared by many sessions; borrowed for as long as they live. */
typedef struct ws_session_config {
  ws_receiver_limits limits; /* limits.masked = this is a server */
  size_t max_head;           /* bytes of a head, 0: 16384 */
  uint64_t max_body;         /* bytes of a plain request's body, 0: none */
  ws_resize *resize;
  ws_random *random;
  ws_deflate_options deflate; /* permessage-deflate */
  ws_deflate_pool *pool;      /* needed when that is enabled */
} ws_session_config;

/* Fields are private to session*.c. */
typedef struct ws_session {
  const ws_session_config *config;
  ws_receiver receiver;
  ws_sender sender;
  ws_deflate *deflate;        /* once agreed, else NULL */
  struct ws_opening *opening; /* needed by the handshake only; freed after it */
  uint8_t *pong;              /* a pong held back, see hold_pong */
  char *agreed;               /* protocol and extensions, one after the other */
  uint32_t protocol_len, extensions_len;
  uint8_t phase;
  uint8_t state;
  bool close_sent;
  bool close_received;
  bool hold_pong;
  bool pong_held;
  uint8_t pong_len;
} ws_session;

/* A client's session: `request` is copied, and the bytes of the HTTP request
 * are appended to `out`. WS_OK, WS_ENOMEM, WS_ERANDOM or WS_EINVAL (a header
 * that is not allowed there). */
int ws_session_init_client(ws_session *session,
                           const ws_session_config *config,
                           const ws_handshake_request *request,
                           ws_buffer *out);

/* A server's session: waits for a request. */
void ws_session_init_server(ws_session *session,
                            const ws_session_config *config);

void ws_session_deinit(ws_session *session);

static inline ws_state ws_session_state(const ws_session *session) {
  return (ws_state)session->state;
}

/* Takes bytes from the peer; returns how many were used. Event NONE means that
 * it needs more bytes (or that it takes none: while a request waits for its
 * answer, and after a failure). Automatic answers (pong, the echo of a Close,
 * the Close that goes with a failure, a refusal) are appended to `out`; if that
 * fails, the session fails. Call again with the rest until NONE, even when
 * nothing is left: BODY_END comes on a call of its own.
 *
 * The events, in order: on a server REQUEST, then for plain HTTP BODY and
 * BODY_END (which comes without a body too); on a client OPEN. Then messages,
 * pings and pongs; after our own Close no more messages, and none is inflated.
 * CLOSE comes once; what follows it is ignored. FAIL is the last: the state is
 * CLOSED, the Close or the refusal that goes with it was written, and nothing
 * is taken any more. A request to a server that is malformed (WS_EHTTP), too
 * large (WS_EHEADTOOBIG, WS_ETOOBIG) or not a good handshake (WS_EHANDSHAKE) is
 * answered and gives FAIL, not REQUEST. */
size_t ws_session_feed(ws_session *session, uint8_t *data, size_t len,
                       ws_buffer *out, ws_event *event);

/* True if a feed without bytes would do nothing, so that it can be left out. */
bool ws_session_dry(const ws_session *session);

/* See ws_receiver_space; NULL outside a long frame. */
uint8_t *ws_session_space(ws_session *session, size_t least, size_t *room);

/* The peer's bytes have ended. On a client that waits for its answer this gives
 * FAIL (there was none, it was cut short, or it is a refusal with as much of
 * its body as came); else NONE. ws_session_clean tells whether the end is
 * clean. A server may still answer the request that it has. */
void ws_session_end(ws_session *session, ws_event *event);

/* Both Close frames were exchanged. */
bool ws_session_clean(const ws_session *session);

/* The peer's Close was answered, a refusal was written, or the session failed:
 * nothing more will be read or written. The server ends TCP first (RFC 6455
 * section 7.1.1). */
bool ws_session_over(const ws_session *session);

/* Client: a final answer other than 101 came, and the first bytes of its body
 * are being collected for the error message. Set a short deadline, and call
 * ws_session_end when it passes. */
bool ws_session_refused(const ws_session *session);

/* The head of that answer: in the refused state, and after the FAIL that
 * follows until the session is freed. NULL otherwise. */
const ws_http_head *ws_session_answer(const ws_session *session);

/* ------------------------------------------------- answering a request */

/* The head and the verdict (upgrade or plain) from WS_EVENT_REQUEST until the
 * request is answered by accept, refuse or finish, or the session is closed;
 * NULL otherwise. The arguments of accept and refuse may point into the head.
 * After a refusal the head itself stays valid until the session is freed. */
const ws_http_head *ws_session_request(const ws_session *session);
const ws_handshake_verdict *ws_session_verdict(const ws_session *session);

/* Accepts a pending upgrade: appends the 101, and the state is OPEN; bytes fed
 * from now on are frames. `protocol` must be one that was offered, or empty.
 * WS_OK, WS_ENOMEM, WS_EINVAL (not offered, or a header that is not allowed
 * there: nothing was written, and the request still waits). */
int ws_session_accept(ws_session *session, ws_slice protocol,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out);

/* Answers a pending request with a complete response and ends the session.
 * WS_OK, WS_ENOMEM or WS_EINVAL (no request waits, or a header that is not
 * allowed there: nothing was written). */
int ws_session_refuse(ws_session *session, unsigned status, ws_slice body,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out);

/* Ends the session of a request that waits, and that the caller has answered
 * itself as plain HTTP. */
void ws_session_finish(ws_session *session);

/* What was agreed on, valid as long as the session. */
ws_slice ws_session_protocol(const ws_session *session);
ws_slice ws_session_extensions(const ws_session *session);

/* ------------------------------------------------------------- sending */

/* Appends a message. Only while OPEN, else WS_EINVAL. Text is not validated
 * here. The message is compressed if that was agreed and it is not below the
 * threshold. WS_OK, WS_ENOMEM, WS_ETOOBIG or WS_ERANDOM. */
int ws_session_send(ws_session *session, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out);

/* The same, uncompressed. */
int ws_session_send_plain(ws_session *session, unsigned opcode,
                          const void *data, size_t len, ws_buffer *out);

/* True if ws_session_send would compress a message of that length. */
static inline bool ws_session_compresses(const ws_session *session,
                                         size_t len) {
  return session->deflate && ws_deflate_wants(session->deflate, len);
}

/* The session's compression if it was agreed on, else NULL. */
static inline ws_deflate *ws_session_deflate(const ws_session *session) {
  return session->deflate;
}

/* Appends a ping or pong of at most 125 bytes, while OPEN; a pong also while
 * CLOSING, until the peer's Close. Else WS_EINVAL. Returns as
 * ws_session_send. */
int ws_session_control(ws_session *session, unsigned opcode, const void *data,
                       size_t len, ws_buffer *out);

/* Starts the closing handshake: the state is CLOSING. If it is that already,
 * also because of the peer's Close (which is answered at once), this does
 * nothing. While CONNECTING nothing is written, the state is CLOSING and the
 * session is over. code 0: a Close without a body. WS_OK, WS_EINVAL (a code
 * that may not be on the wire, a reason without a code or over 123 bytes; its
 * UTF-8 is not validated here), WS_ENOMEM, WS_ETOOBIG or WS_ERANDOM. */
int ws_session_close(ws_session *session, unsigned code, const void *reason,
                     size_t len, ws_buffer *out);

/* While `hold` is on, pongs are not appended; only the latest is kept: for a
 * peer that pings and does not read. Turning it off appends the kept one, if it
 * is still due. WS_OK or a failure of the buffer. */
int ws_session_hold_pong(ws_session *session, bool hold, ws_buffer *out);

static inline bool ws_session_holds_pong(const ws_session *session) {
  return session->hold_pong;
}
