/* SPDX-License-Identifier: MIT */
/* The opening handshake of RFC 6455 section 4: writing it and judging it, for
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
#define WS_PROTOCOLS_MAX 64 /* subprotocols of a handshake; more get a 400 */

/* The accept value for a key as it was sent (section 4.2.2 step 5.4). */
void ws_handshake_accept(ws_slice key, char accept[WS_ACCEPT_LENGTH]);

/* One header line that the user adds; borrowed. */
typedef struct ws_header {
  ws_slice name;
  ws_slice value;
} ws_header;

/* A list of subprotocols is valid if each is a token and none occurs twice
 * (section 4.1 item 10; compared exactly). WS_OK, or WS_EINVAL with `*why`
 * (static). */
int ws_handshake_check_protocols(const ws_slice *protocols, size_t count,
                                 const char **why);

/* True for headers that only the handshake may write, not users (Host, Upgrade,
 * Connection, Content-Length, Transfer-Encoding, Sec-WebSocket-*). */
bool ws_handshake_owns(ws_slice name);

/* Appends header lines. With `users` they are the user's, and one that the
 * handshake owns is WS_EINVAL; else they are ours, and those with an empty
 * value are left out. WS_OK, WS_ENOMEM or WS_EINVAL. For handshake_client.c and
 * handshake_server.c. */
int ws_handshake_write_lines(ws_buffer *into, const ws_header *lines,
                             size_t count, bool users);

/* True if one of the lines has that name. */
bool ws_handshake_has_line(const ws_header *lines, size_t count,
                           const char *name);

/* ------------------------------------------------------------- client */

/* What a client's request says. All borrowed. */
typedef struct ws_handshake_request {
  ws_slice target;        /* "/path?query" */
  ws_slice host;          /* "host[:port]" for Host */
  ws_slice origin;        /* empty: no Origin */
  ws_slice authorization; /* the value of Authorization; empty: none */
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

/* Appends the request with a Sec-WebSocket-Key made of 16 random bytes, and
 * writes the expected accept value to `accept`. An Origin or Authorization
 * among the user's headers replaces ours. WS_OK, WS_ENOMEM, or WS_EINVAL for a
 * header that is not allowed there; on failure nothing was appended. */
int ws_handshake_write_request(ws_buffer *into,
                               const ws_handshake_request *request,
                               const uint8_t random[16],
                               char accept[WS_ACCEPT_LENGTH]);

/* What a server's 101 agreed to; slices of the head. */
typedef struct ws_handshake_answer {
  ws_slice protocol;   /* empty: none */
  ws_slice extensions; /* the unchanged value of the header; empty: none */
} ws_handshake_answer;

/* Judges a response whose status is 101 (S52-S63): `accept` is the expected
 * value, `protocols` are those offered. WS_OK, or WS_EHANDSHAKE with `*why`
 * (static, a sentence without full stop). Extensions are only checked for
 * grammar, for repetition, and for being there when none was offered;
 * deflate_offer.h judges what was agreed. */
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

/* Judges the head of a request by R1-R17; the first rule it breaks gives the
 * status. A request whose Upgrade does not ask for websocket and which has no
 * Sec-WebSocket-Key is plain HTTP; that may have any method. */
void ws_handshake_judge_request(const ws_http_head *head,
                                ws_handshake_verdict *verdict);

/* True if the request offered `protocol` (compared exactly). */
bool ws_handshake_offers(const ws_http_head *head, ws_slice protocol);

/* A walk over the subprotocols that a request offers; all its header lines form
 * one list. Starts as {.head = head}; fields are private to
 * handshake_server.c. */
typedef struct ws_offer_walk {
  const ws_http_head *head;
  size_t header;
  ws_slice rest;
} ws_offer_walk;

/* The next one, or false after the last. A plain request may name as many as
 * fit into its head. */
bool ws_handshake_next_offer(ws_offer_walk *walk, ws_slice *protocol);

/* Appends the 101. `protocol` and `extensions` may be empty. WS_OK, WS_ENOMEM,
 * or WS_EINVAL for a value that is not allowed in a header; on failure nothing
 * was appended. */
int ws_handshake_write_accept(ws_buffer *into,
                              const char accept[WS_ACCEPT_LENGTH],
                              ws_slice protocol, ws_slice extensions,
                              const ws_header *headers, size_t header_count);

/* Appends a complete HTTP response that ends the connection, with
 * Content-Length and Connection: close. A 426 also has Upgrade: websocket
 * (named in Connection, as RFC 9110 section 7.8 wants) and
 * Sec-WebSocket-Version: 13, a 405 Allow: GET, a 400 the version. If there is a
 * body and the headers have no Content-Type, text/plain; charset=utf-8 is
 * added. 204 and 304 have no body and no length, an answer to HEAD has no body.
 * WS_OK, WS_ENOMEM or WS_EINVAL (a header that is not allowed there, a status
 * that is not 200 to 999); on failure nothing was appended. */
int ws_handshake_write_refusal(ws_buffer *into, const ws_http_head *request,
                               unsigned status, ws_slice body,
                               const ws_header *headers, size_t header_count);

/* Checks Origin against Host: true if there is no Origin, or its host and port
 * are those of Host (ports default by the Origin's scheme; case is ignored).
 * False for "null" and for a repeated Origin. */
bool ws_handshake_same_origin(const ws_http_head *head);
