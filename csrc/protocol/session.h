/* SPDX-License-Identifier: MIT */
/* The whole of one side of a WebSocket with no I/O: handshake, receiver,
 * sender and closing states. Bytes from the peer are fed and give events;
 * everything to be sent is appended to a buffer the caller lends. */
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

/* The browser's numbers. */
typedef enum ws_state {
  WS_CONNECTING = 0,
  WS_OPEN = 1,
  WS_CLOSING = 2,
  WS_CLOSED = 3
} ws_state;

/* Shared by many sessions and borrowed for their whole lives. */
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
  struct ws_opening *opening; /* what only the handshake needs; freed after */
  uint8_t *pong;              /* an answer held back, see hold_pong */
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

/* A client's session: `request` is copied. WS_OK, WS_ENOMEM, WS_ERANDOM or
 * WS_EINVAL (a header that may not stand there). The request's bytes are
 * appended to `out`. */
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

/* Takes bytes from the peer; returns how many were used. event->type NONE
 * means it wants more bytes (or, while a request waits to be answered and
 * after a failure, that it takes none). Automatic answers (pong, the echo of
 * Close, the Close that goes with a failure, a refusal) are appended to `out`;
 * a failure to append fails the session. Call again with the rest until NONE,
 * even when nothing is left: BODY_END comes on a call of its own.
 *
 * The events in order: a server's REQUEST, for a plain one BODY and BODY_END
 * (BODY_NONE too has its BODY_END); a client's OPEN. Then messages, pings and
 * pongs; after our own Close no more messages, and none is expanded. CLOSE
 * once: what comes after it is swallowed. FAIL is the last: the state is
 * CLOSED, the Close that goes with it or the refusal has been written, and
 * nothing is taken any more. A server's request that is malformed (WS_EHTTP),
 * too large (WS_EHEADTOOBIG, WS_ETOOBIG) or no good handshake (WS_EHANDSHAKE)
 * is answered and gives FAIL, not REQUEST. */
size_t ws_session_feed(ws_session *session, uint8_t *data, size_t len,
                       ws_buffer *out, ws_event *event);

/* Without more bytes the next feed would give NONE: it can be left out. */
bool ws_session_dry(const ws_session *session);

/* See ws_receiver_space; NULL outside a long frame. */
uint8_t *ws_session_space(ws_session *session, size_t least, size_t *room);

/* The peer's bytes have ended. A client that waits for its answer gives FAIL
 * (none, one cut short, a refusal with the body as far as it came), everything
 * else NONE: whether the end is clean is told by ws_session_clean, and a
 * server may still answer the request it has. */
void ws_session_end(ws_session *session, ws_event *event);

/* Both Close frames were exchanged. */
bool ws_session_clean(const ws_session *session);

/* The peer's Close was answered, a refusal written or the session failed:
 * nothing more will be read or written, the server's side ends TCP first (RFC
 * 6455 section 7.1.1). */
bool ws_session_over(const ws_session *session);

/* Client: a final answer other than 101 came and its body's first bytes are
 * being collected for the message; set a short deadline and call
 * ws_session_end at it. */
bool ws_session_refused(const ws_session *session);

/* The head of that answer: in the refused state and after the FAIL that came
 * of it, until the session goes. NULL otherwise. */
const ws_http_head *ws_session_answer(const ws_session *session);

/* ------------------------------------------------- answering a request */

/* After WS_EVENT_REQUEST until it is answered by accept, refuse or finish (or
 * the session closed): the head and the verdict, which is an upgrade or plain.
 * NULL otherwise. What accept and refuse are given may lie in the head, and who
 * reads it while it is refused reads on: it stays until it is accepted or the
 * session goes. */
const ws_http_head *ws_session_request(const ws_session *session);
const ws_handshake_verdict *ws_session_verdict(const ws_session *session);

/* Accepts a pending upgrade: appends the 101, state is OPEN; bytes fed from
 * now on are frames. `protocol` must be one that was offered, or empty.
 * WS_OK, WS_ENOMEM, WS_EINVAL (not offered, or a header that may not stand
 * there: nothing was written and the request still waits). */
int ws_session_accept(ws_session *session, ws_slice protocol,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out);

/* Answers a pending request with a whole response and ends the session. WS_OK,
 * WS_ENOMEM or WS_EINVAL (no request waits, or a header that may not stand
 * there: nothing was written). */
int ws_session_refuse(ws_session *session, unsigned status, ws_slice body,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out);

/* Ends the session of a plain request that someone else has answered. */
void ws_session_finish(ws_session *session);

/* What was agreed: slices of the session, good for its life. */
ws_slice ws_session_protocol(const ws_session *session);
ws_slice ws_session_extensions(const ws_session *session);

/* ------------------------------------------------------------- sending */

/* Appends a message. Only while OPEN: WS_EINVAL otherwise. Text is not
 * checked here. It is compressed when that was agreed and it is not below the
 * threshold. WS_OK, WS_ENOMEM, WS_ETOOBIG or WS_ERANDOM. */
int ws_session_send(ws_session *session, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out);

/* The same, as it is. */
int ws_session_send_plain(ws_session *session, unsigned opcode,
                          const void *data, size_t len, ws_buffer *out);

/* True when ws_session_send would compress a message of that length. */
bool ws_session_compresses(const ws_session *session, size_t len);

/* The compression agreed on, the session's, or NULL. */
static inline ws_deflate *ws_session_deflate(const ws_session *session) {
  return session->deflate;
}

/* Ping or pong, at most 125 bytes; while OPEN, a pong also while CLOSING until
 * the peer's Close. WS_EINVAL otherwise, or as ws_session_send. */
int ws_session_control(ws_session *session, unsigned opcode, const void *data,
                       size_t len, ws_buffer *out);

/* Starts the closing handshake: state is CLOSING. Once CLOSING, also by the
 * peer's Close (which is answered at once), it does nothing. In CONNECTING
 * nothing is written, the state is CLOSING and the session is over. code 0: a
 * Close without a body. WS_OK, WS_EINVAL (a code that may not be on the wire,
 * a reason without a code or above 123 bytes; the reason's UTF-8 is not
 * checked here), WS_ENOMEM, WS_ETOOBIG or WS_ERANDOM. */
int ws_session_close(ws_session *session, unsigned code, const void *reason,
                     size_t len, ws_buffer *out);

/* While `hold`, answers to pings are kept, only the latest, instead of being
 * appended: for a peer that pings and does not read. Turning it off appends
 * the one kept, if it is still due. WS_OK or a failure of the buffer. */
int ws_session_hold_pong(ws_session *session, bool hold, ws_buffer *out);

static inline bool ws_session_holds_pong(const ws_session *session) {
  return session->hold_pong;
}
