/* SPDX-License-Identifier: MIT */
/* The part of HTTP/1.1 (RFC 9112) that we need: request and response heads,
 * chunked bodies. No copies: everything found is a slice of the head's bytes.
 * handshake.h knows what a head means for WebSocket. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_HTTP_HEADERS_MAX 100
#define WS_HTTP_INTERIM_MAX 10 /* 1xx answers before the real one */

typedef struct ws_http_header {
  ws_slice name;  /* a token, its case unchanged */
  ws_slice value; /* trimmed */
} ws_http_header;

typedef struct ws_http_head {
  ws_slice method;  /* request only */
  ws_slice target;  /* request only: raw */
  unsigned status;  /* response only: 100 to 999 */
  ws_slice reason;  /* response only; may be empty */
  unsigned major, minor; /* of HTTP */
  size_t header_count;
  ws_http_header headers[WS_HTTP_HEADERS_MAX];
} ws_http_head;

/* Looks for the end of the head (the empty line) in data[0..len), starting at
 * *scanned, which it advances so that no byte is looked at twice as more come
 * in. Returns the head's length including the empty line, or 0 when it is not
 * complete. Lines end with CRLF; a bare LF also ends a line here, and is then
 * refused by the parser. */
size_t ws_http_find_end(const char *data, size_t len, size_t *scanned);

/* The bytes of a request without the empty line that may stand before it (RFC
 * 9112 section 2.2). Empty if only a part of that line has come. */
ws_slice ws_http_skip_empty_line(const ws_buffer *bytes);

/* Both parse a whole head of `len` bytes as ws_http_find_end measured it,
 * without an empty line before it.
 * WS_OK, WS_EHTTP (bare CR or LF, NUL or control bytes, obsolete folding,
 * space before the colon, a name that is no token, malformed first line), or
 * WS_EHEADTOOBIG (more than WS_HTTP_HEADERS_MAX headers).
 * A request's version above 1.x is WS_EHTTP with head->major set. */
int ws_http_parse_request(ws_http_head *head, const char *data, size_t len);

/* True if a response can begin with these bytes (at least one): so that a peer
 * that speaks something else is not waited for. */
bool ws_http_may_be_response(const ws_buffer *bytes);

/* The reason phrase may be missing ("HTTP/1.1 101"). */
int ws_http_parse_response(ws_http_head *head, const char *data, size_t len);

/* The first header of that name, or NULL. */
const ws_http_header *ws_http_find(const ws_http_head *head, const char *name);

/* How many headers have that name. */
size_t ws_http_count(const ws_http_head *head, const char *name);

/* True if some header of that name, read as a comma-separated list, contains
 * `token` (case is ignored). */
bool ws_http_has_token(const ws_http_head *head, const char *name,
                       const char *token);

/* How the body after a head is delimited. */
typedef enum ws_http_body_kind {
  WS_BODY_NONE,
  WS_BODY_LENGTH,
  WS_BODY_CHUNKED,
  WS_BODY_UNTIL_END /* responses only */
} ws_http_body_kind;

/* RFC 9112 section 6.3. WS_OK or WS_EHTTP: Content-Length with
 * Transfer-Encoding, differing or malformed lengths, an encoding other than
 * "chunked". `*length` is above 0 for WS_BODY_LENGTH and 0 for the others: an
 * announced length of 0 is WS_BODY_NONE. */
int ws_http_body(const ws_http_head *head, bool response,
                 ws_http_body_kind *kind, uint64_t *length);

/* Decodes a chunked body as the bytes come in. All zero is the initial state;
 * fields are private to http_chunks.c. */
typedef struct ws_http_chunks {
  int state;
  uint64_t left;
  uint32_t line; /* bytes of the current size or trailer line */
  uint32_t trailers; /* bytes of trailers so far */
} ws_http_chunks;

/* Takes bytes from data[0..len); returns how many were used, or WS_EHTTP.
 * `*body` is the run of body bytes found in them, possibly empty; call again
 * with the rest. `*done` is true after the last chunk and the trailers. */
ptrdiff_t ws_http_chunks_feed(ws_http_chunks *chunks, const char *data,
                              size_t len, ws_slice *body, bool *done);

/* Bytes still to come of the current chunk; 0 between chunks. */
uint64_t ws_http_chunks_left(const ws_http_chunks *chunks);

/* Static storage: "Not Found" for 404, "" when unknown. */
const char *ws_http_reason(unsigned status);

/* True for a non-empty run of visible ASCII, which targets and hosts consist of
 * (RFC 3986). */
bool ws_http_is_visible(ws_slice text);

/* True if `value` is allowed in a header: no control bytes (CR, LF, NUL ...)
 * except tab. */
bool ws_http_value_ok(ws_slice value);

/* Appends the three digits of a status. WS_OK or a failure of the buffer. */
int ws_http_write_status(ws_buffer *into, unsigned status);

/* Appends "Name: value\r\n". WS_OK, WS_ENOMEM, or WS_EINVAL if the name is not
 * a token or the value is not allowed in a header. */
int ws_http_write_header(ws_buffer *into, ws_slice name, ws_slice value);
