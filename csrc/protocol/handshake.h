/* SPDX-License-Identifier: MIT */
/* The opening handshake of RFC 6455 section 4: writing it and judging it,
 * both sides. Heads come in parsed (http.h) and go out as bytes. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"
#include "protocol/http.h"
#include "protocol/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_KEY_LENGTH 24    /* Sec-WebSocket-Key: base64 of 16 bytes */
#define WS_ACCEPT_LENGTH 28 /* Sec-WebSocket-Accept: base64 of a SHA-1 */
#define WS_PROTOCOLS_MAX 64 /* subprotocols of a handshake; more is a 400 */

/* The accept value for a key as it was sent (section 4.2.2 step 5.4). */
void ws_handshake_accept(ws_slice key, char accept[WS_ACCEPT_LENGTH]);

/* One header line the user adds; borrowed. */
typedef struct ws_header {
  ws_slice name;
  ws_slice value;
} ws_header;

/* A list of subprotocols is valid when each is a token and none is there
 * twice (section 4.1 item 10; compared exactly). WS_OK or WS_EINVAL with
 * `*why` (static). */
int ws_handshake_check_protocols(const ws_slice *protocols, size_t count,
                                 const char **why);

/* True for names the handshake writes itself (Host, Upgrade, Connection,
 * Content-Length, Transfer-Encoding, Sec-WebSocket-*): users may not. */
bool ws_handshake_owns(ws_slice name);

/* Appends header lines. `users` tells whose they are: a user's may not be one
 * the handshake owns; of ours those with an empty value are left out. WS_OK,
 * WS_ENOMEM or WS_EINVAL. For handshake_client.c and handshake_server.c. */
int ws_handshake_write_lines(ws_buffer *into, const ws_header *lines,
                             size_t count, bool users);

/* True when one of the lines has that name. */
bool ws_handshake_has_line(const ws_header *lines, size_t count,
                           const char *name);

/* ------------------------------------------------------------- client */

/* What a client's request says. All borrowed. */
typedef struct ws_handshake_request {
  ws_slice target;        /* "/path?query" */
  ws_slice host;          /* "host[:port]" for Host */
  ws_slice origin;        /* empty: no Origin */
  ws_slice authorization; /* whole value of Authorization; empty: none */
  ws_slice extensions;    /* offer; empty: none */
  const ws_slice *protocols;
  size_t protocol_count;
  const ws_header *headers;
  size_t header_count;
} ws_handshake_request;

/* Appends "Basic ..." made of the URL's user and password, decoded (S48);
 * nothing when it has neither. WS_OK or WS_ENOMEM. */
int ws_handshake_authorization(const ws_url *url, ws_resize *resize,
                               ws_buffer *into);

/* Appends the request with a Sec-WebSocket-Key made of 16 random bytes. The
 * expected accept value is written to `accept`. An Origin or Authorization
 * among the user's headers takes the place of ours. WS_OK, WS_ENOMEM, or
 * WS_EINVAL when a header may not stand there; on failure nothing was
 * appended. */
int ws_handshake_write_request(ws_buffer *into,
                               const ws_handshake_request *request,
                               const uint8_t random[16],
                               char accept[WS_ACCEPT_LENGTH]);

/* What a server's 101 agreed to; slices of the head. */
typedef struct ws_handshake_answer {
  ws_slice protocol;   /* empty: none */
  ws_slice extensions; /* the header's value as it came; empty: none */
} ws_handshake_answer;

/* Judges a response whose status is 101 (S52-S63): `accept` is the
 * expected value; `protocols` the offered ones. WS_OK, or WS_EHANDSHAKE with
 * `*why` (static, a whole sentence without full stop). Extensions are only
 * checked for grammar, repetition and against an empty offer: what was agreed
 * is deflate's business. */
int ws_handshake_judge_response(const ws_http_head *head,
                                const char accept[WS_ACCEPT_LENGTH],
                                const ws_slice *protocols,
                                size_t protocol_count, bool offered_extensions,
                                ws_handshake_answer *answer, const char **why);

/* ------------------------------------------------------------- server */

typedef enum ws_request_kind {
  WS_REQUEST_UPGRADE, /* a good WebSocket handshake */
  WS_REQUEST_PLAIN,   /* HTTP that asks for no upgrade */
  WS_REQUEST_REFUSED  /* to be answered with `status` and closed */
} ws_request_kind;

/* How a request was judged; slices of the head. */
typedef struct ws_handshake_verdict {
  ws_request_kind kind;
  unsigned status;    /* refused: 400, 405 or 426 */
  const char *why;    /* refused: static sentence for the body */
  char accept[WS_ACCEPT_LENGTH]; /* upgrade: the answer's accept value */
  ws_http_body_kind body;        /* plain */
  uint64_t body_length;          /* plain */
} ws_handshake_verdict;

/* Judges a request head by R1-R17 in the order given there. Plain
 * HTTP is a request whose Upgrade does not ask for websocket and which has no
 * Sec-WebSocket-Key; its method may be any. */
void ws_handshake_judge_request(const ws_http_head *head,
                                ws_handshake_verdict *verdict);

/* True when `protocol` is among those the request offered (exact). */
bool ws_handshake_offers(const ws_http_head *head, ws_slice protocol);

/* A walk over the subprotocols that a request offers, all header lines being
 * one list. {.head = head} is ready; fields private to handshake_server.c. */
typedef struct ws_offer_walk {
  const ws_http_head *head;
  size_t header;
  ws_slice rest;
} ws_offer_walk;

/* The next one, or false past the last. A plain request may name as many as
 * its head has room for. */
bool ws_handshake_next_offer(ws_offer_walk *walk, ws_slice *protocol);

/* Appends the 101. `protocol` and `extensions` may be empty. WS_OK,
 * WS_ENOMEM, or WS_EINVAL when a value may not stand in a header; on failure
 * nothing was appended. */
int ws_handshake_write_accept(ws_buffer *into,
                              const char accept[WS_ACCEPT_LENGTH],
                              ws_slice protocol, ws_slice extensions,
                              const ws_header *headers, size_t header_count);

/* Appends a complete HTTP response that ends the connection: Content-Length,
 * Connection: close; for 426 also Upgrade: websocket (named in Connection, as
 * RFC 9110 section 7.8 wants) and Sec-WebSocket-Version: 13, for 405 Allow:
 * GET, for 400 the version. A Content-Type: text/plain; charset=utf-8 is added
 * when there is a body and the headers have none. 204 and 304 go without body
 * and length, and what answers HEAD without the body. WS_OK, WS_ENOMEM or
 * WS_EINVAL (a header that may not stand there, a status that is not 200 to
 * 999); on failure nothing was appended. */
int ws_handshake_write_refusal(ws_buffer *into, const ws_http_head *request,
                               unsigned status, ws_slice body,
                               const ws_header *headers, size_t header_count);

/* Checks Origin against Host: true when there is no Origin, or its host and
 * port are those of Host (default ports by the Origin's scheme; compared
 * without case). "null" and a repeated Origin are never the same. */
bool ws_handshake_same_origin(const ws_http_head *head);
