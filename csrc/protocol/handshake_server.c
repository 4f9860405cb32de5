/* SPDX-License-Identifier: MIT */
/* The server's half of the opening handshake, RFC 6455 section 4.2: what kind
 * of request this is, and the answers. Whether a good one is welcome is for
 * floors above. */
#include "protocol/handshake.h"

#include "bytes/base64.h"
#include "bytes/status.h"
#include "protocol/authority.h"
#include "protocol/extension.h"

#include <string.h>

/* -------------------------------------------------------- subprotocols */

/* R13. The limit keeps the search for repetitions short. */
static const char *check_protocols(const ws_http_head *head) {
  ws_slice offers[WS_PROTOCOLS_MAX], item;
  size_t count = 0;
  const char *why = NULL;
  if (ws_http_count(head, "Sec-WebSocket-Protocol") == 0) return NULL;
  ws_offer_walk walk = {.head = head};
  while (ws_handshake_next_offer(&walk, &item)) {
    if (count == WS_PROTOCOLS_MAX) return "too many subprotocols are offered";
    offers[count++] = item;
  }
  if (count == 0) return "Sec-WebSocket-Protocol names no subprotocol";
  ws_handshake_check_protocols(offers, count, &why);
  return why;
}

/* ------------------------------------------------------------- judging */

/* R15, R51: all lines form one list, which must name at least one extension. */
static const char *check_extensions(const ws_http_head *head) {
  ws_slice name = ws_slice_of("Sec-WebSocket-Extensions");
  bool any = false, given = false;
  for (size_t i = 0; i < head->header_count; i++) {
    if (!ws_slice_equal_nocase(head->headers[i].name, name)) continue;
    given = true;
    ws_extension_reader reader;
    ws_slice found;
    int more;
    ws_extension_start(&reader, head->headers[i].value, true);
    while ((more = ws_extension_next(&reader, &found)) > 0) any = true;
    if (more < 0) return "Sec-WebSocket-Extensions is malformed";
  }
  return given && !any ? "Sec-WebSocket-Extensions is empty" : NULL;
}

/* R4. HTTP/1.0 knew no Host. */
static const char *check_host(const ws_http_head *head) {
  size_t count = ws_http_count(head, "Host");
  ws_slice host;
  long port;
  if (count == 0) return head->minor == 0 ? NULL : "Host is missing";
  if (count > 1) return "Host is repeated";
  if (!ws_authority_split(ws_http_find(head, "Host")->value, &host, &port))
    return "Host is invalid";
  return NULL;
}

/* RFC 9110 section 4.2: an http or https URI names a host, and no user. */
static bool is_http_uri(ws_slice target) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < 2; i++) {
    ws_slice scheme = ws_slice_of(schemes[i]), host;
    long port;
    if (target.len < scheme.len ||
        !ws_slice_equal_nocase((ws_slice){target.data, scheme.len}, scheme))
      continue;
    ws_slice authority = {target.data + scheme.len, 0};
    size_t most = target.len - scheme.len;
    while (authority.len < most && authority.data[authority.len] != '/' &&
           authority.data[authority.len] != '?')
      authority.len++;
    return ws_authority_split(authority, &host, &port);
  }
  return false;
}

/* R3: origin form or an absolute URI, RFC 9112 section 3.2; "*" is for
 * OPTIONS. A target has no fragment. */
static const char *check_target(const ws_http_head *head) {
  ws_slice target = head->target;
  if (target.len == 0) return "the request target is missing";
  if (memchr(target.data, '#', target.len) != NULL)
    return "the request target has a fragment";
  if (target.data[0] == '/' || is_http_uri(target)) return NULL;
  if (ws_slice_equal(target, ws_slice_of("*")) &&
      ws_slice_equal(head->method, ws_slice_of("OPTIONS")))
    return NULL;
  return "the request target is neither a path nor an http URI";
}

static void refuse(ws_handshake_verdict *verdict, unsigned status,
                   const char *why) {
  if (why == NULL) return;
  verdict->kind = WS_REQUEST_REFUSED;
  verdict->status = status;
  verdict->why = why;
}

/* R1, R2, R5, R6: NULL if the request asks for an upgrade correctly. */
static const char *check_upgrade(const ws_http_head *head, unsigned *status) {
  *status = 405;
  if (!ws_slice_equal(head->method, ws_slice_of("GET")))
    return "a WebSocket handshake must be a GET";
  *status = 400;
  if (head->minor == 0) return "a WebSocket handshake needs HTTP/1.1";
  const char *why = check_host(head);
  if (why != NULL) return why;
  if (!ws_http_has_token(head, "Upgrade", "websocket"))
    return "Upgrade lacks websocket";
  if (!ws_http_has_token(head, "Connection", "Upgrade"))
    return "Connection lacks Upgrade";
  return NULL;
}

/* R8, R9. */
static const char *check_version(const ws_http_head *head, unsigned *status) {
  size_t count = ws_http_count(head, "Sec-WebSocket-Version");
  *status = 400;
  if (count == 0) return "Sec-WebSocket-Version is missing";
  if (count > 1) return "Sec-WebSocket-Version is repeated";
  *status = 426;
  if (!ws_slice_equal(ws_http_find(head, "Sec-WebSocket-Version")->value,
                      ws_slice_of("13")))
    return "Sec-WebSocket-Version has to be 13";
  return NULL;
}

/* R7: base64 of 16 bytes. */
static const char *check_key(const ws_http_head *head) {
  const ws_http_header *key = ws_http_find(head, "Sec-WebSocket-Key");
  uint8_t bytes[WS_KEY_LENGTH];
  if (key == NULL) return "Sec-WebSocket-Key is missing";
  if (ws_http_count(head, "Sec-WebSocket-Key") > 1)
    return "Sec-WebSocket-Key is repeated";
  if (key->value.len != WS_KEY_LENGTH ||
      ws_base64_decode(key->value.data, key->value.len, bytes) != 16)
    return "Sec-WebSocket-Key is not base64 of 16 bytes";
  return NULL;
}

/* R17, and lengths that contradict each other. */
static const char *check_body(const ws_http_head *head, bool allowed,
                              ws_handshake_verdict *verdict) {
  if (ws_http_body(head, false, &verdict->body, &verdict->body_length) !=
      WS_OK)
    return "the length of the body is unclear";
  if (!allowed && verdict->body != WS_BODY_NONE)
    return "a WebSocket handshake must not have a body";
  return NULL;
}

static void judge_upgrade(const ws_http_head *head,
                          ws_handshake_verdict *verdict) {
  unsigned status;
  const char *why = check_upgrade(head, &status);
  if (why == NULL) why = check_version(head, &status);
  if (why != NULL) {
    refuse(verdict, status, why);
    return;
  }
  why = check_key(head);
  if (why == NULL) why = check_target(head);
  if (why == NULL) why = check_protocols(head);
  if (why == NULL) why = check_extensions(head);
  if (why == NULL) why = check_body(head, false, verdict);
  refuse(verdict, 400, why);
  if (why != NULL) return;
  verdict->kind = WS_REQUEST_UPGRADE;
  ws_handshake_accept(ws_http_find(head, "Sec-WebSocket-Key")->value,
                      verdict->accept);
}

static void judge_plain(const ws_http_head *head,
                        ws_handshake_verdict *verdict) {
  verdict->kind = WS_REQUEST_PLAIN;
  const char *why = check_host(head);
  if (why == NULL) why = check_target(head);
  if (why == NULL) why = check_body(head, true, verdict);
  refuse(verdict, 400, why);
}

/* ------------------------------------------------------------- writing */

/* "HTTP/1.1 404 Not Found" */
static int write_status_line(ws_buffer *into, unsigned status) {
  const char *reason = ws_http_reason(status);
  int result = ws_buffer_append(into, "HTTP/1.1 ", 9);
  if (result == WS_OK) result = ws_http_write_status(into, status);
  if (result == WS_OK) result = ws_buffer_append(into, " ", 1);
  if (result == WS_OK)
    result = ws_buffer_append(into, reason, strlen(reason));
  return result == WS_OK ? ws_buffer_append(into, "\r\n", 2) : result;
}

/* Status line, our lines, the user's, the empty line. */
static int write_head(ws_buffer *into, unsigned status, const ws_header *lines,
                      size_t count, const ws_header *users,
                      size_t user_count) {
  int result = write_status_line(into, status);
  if (result == WS_OK)
    result = ws_handshake_write_lines(into, lines, count, false);
  if (result == WS_OK)
    result = ws_handshake_write_lines(into, users, user_count, true);
  return result == WS_OK ? ws_buffer_append(into, "\r\n", 2) : result;
}

/* `text` has room for the digits of any size; returns the slice used. */
static ws_slice decimal(size_t number, char text[24]) {
  size_t at = 24;
  do {
    text[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return (ws_slice){text + at, 24 - at};
}

/* ------------------------------------------------------------ exported */

void ws_handshake_judge_request(const ws_http_head *head,
                                ws_handshake_verdict *verdict) {
  memset(verdict, 0, sizeof(*verdict));
  if (ws_http_has_token(head, "Upgrade", "websocket") ||
      ws_http_count(head, "Sec-WebSocket-Key") > 0)
    judge_upgrade(head, verdict);
  else
    judge_plain(head, verdict);
}

bool ws_handshake_offers(const ws_http_head *head, ws_slice protocol) {
  ws_offer_walk walk = {.head = head};
  ws_slice item;
  while (ws_handshake_next_offer(&walk, &item))
    if (ws_slice_equal(item, protocol)) return true;
  return false;
}

/* Empty items are passed over (X15). */
bool ws_handshake_next_offer(ws_offer_walk *walk, ws_slice *protocol) {
  ws_slice name = ws_slice_of("Sec-WebSocket-Protocol");
  for (;;) {
    while (ws_slice_next_item(&walk->rest, protocol))
      if (protocol->len > 0) return true;
    const ws_http_header *header;
    do {
      if (walk->header == walk->head->header_count) return false;
      header = &walk->head->headers[walk->header++];
    } while (!ws_slice_equal_nocase(header->name, name));
    walk->rest = header->value;
  }
}

/* R22 to R26. */
int ws_handshake_write_accept(ws_buffer *into,
                              const char accept[WS_ACCEPT_LENGTH],
                              ws_slice protocol, ws_slice extensions,
                              const ws_header *headers, size_t header_count) {
  const ws_header lines[] = {
      {{"Upgrade", 7}, {"websocket", 9}},
      {{"Connection", 10}, {"Upgrade", 7}},
      {{"Sec-WebSocket-Accept", 20}, {accept, WS_ACCEPT_LENGTH}},
      {{"Sec-WebSocket-Protocol", 22}, protocol},
      {{"Sec-WebSocket-Extensions", 24}, extensions},
  };
  if (protocol.len > 0 && !ws_slice_is_token(protocol)) return WS_EINVAL;
  size_t before = into->len;
  int status = write_head(into, 101, lines, sizeof(lines) / sizeof(*lines),
                          headers, header_count);
  if (status != WS_OK) into->len = before;
  return status;
}

int ws_handshake_write_refusal(ws_buffer *into, const ws_http_head *request,
                               unsigned status, ws_slice body,
                               const ws_header *headers,
                               size_t header_count) {
  static const ws_slice none = {NULL, 0};
  if (status < 200 || status > 999) return WS_EINVAL;
  bool bodiless = status == 204 || status == 304;
  if (bodiless) body = none;
  bool typed = ws_handshake_has_line(headers, header_count, "Content-Type");
  bool allowed = ws_handshake_has_line(headers, header_count, "Allow");
  char digits[24];
  const ws_header lines[] = {
      {{"Connection", 10},
       ws_slice_of(status == 426 ? "close, Upgrade" : "close")},
      {{"Upgrade", 7}, ws_slice_of(status == 426 ? "websocket" : "")},
      {{"Sec-WebSocket-Version", 21},
       ws_slice_of(status == 426 || status == 400 ? "13" : "")},
      {{"Allow", 5}, ws_slice_of(status == 405 && !allowed ? "GET" : "")},
      {{"Content-Type", 12},
       ws_slice_of(body.len > 0 && !typed ? "text/plain; charset=utf-8" : "")},
      {{"Content-Length", 14}, bodiless ? none : decimal(body.len, digits)},
  };
  size_t before = into->len;
  int result = write_head(into, status, lines, sizeof(lines) / sizeof(*lines),
                          headers, header_count);
  /* RFC 9110 section 9.3.2. */
  bool unsent = ws_slice_equal(request->method, ws_slice_of("HEAD"));
  if (result == WS_OK && !unsent)
    result = ws_buffer_append(into, body.data, body.len);
  if (result != WS_OK) into->len = before;
  return result;
}

/* R10: the schemes that a browser's page can come from; others have no default
 * port and count as foreign. */
static long default_port(ws_slice scheme) {
  if (ws_slice_equal_nocase(scheme, ws_slice_of("http")) ||
      ws_slice_equal_nocase(scheme, ws_slice_of("ws")))
    return 80;
  if (ws_slice_equal_nocase(scheme, ws_slice_of("https")) ||
      ws_slice_equal_nocase(scheme, ws_slice_of("wss")))
    return 443;
  return -1;
}

bool ws_handshake_same_origin(const ws_http_head *head) {
  const ws_http_header *origin = ws_http_find(head, "Origin");
  const ws_http_header *host = ws_http_find(head, "Host");
  if (origin == NULL) return true;
  if (ws_http_count(head, "Origin") > 1 || host == NULL) return false;
  ws_slice text = origin->value, ours, theirs;
  long our_port, their_port;
  const char *colon = memchr(text.data, ':', text.len);
  if (colon == NULL) return false;
  ws_slice scheme = {text.data, (size_t)(colon - text.data)};
  long standard = default_port(scheme);
  size_t skip = scheme.len + 3;
  if (standard < 0 || text.len <= skip || memcmp(colon, "://", 3) != 0)
    return false;
  text = (ws_slice){text.data + skip, text.len - skip};
  if (!ws_authority_split(text, &theirs, &their_port) ||
      !ws_authority_split(host->value, &ours, &our_port))
    return false;
  if (our_port < 0) our_port = standard;
  if (their_port < 0) their_port = standard;
  return our_port == their_port && ws_slice_equal_nocase(ours, theirs);
}
