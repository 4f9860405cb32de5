/* SPDX-License-Identifier: MIT */
/* The client's half of the opening handshake, RFC 6455 section 4.1: its
 * request, and whether a 101 answers it. Other statuses are for opening.c. */
#include "protocol/handshake.h"

#include "bytes/base64.h"
#include "bytes/status.h"
#include "protocol/extension.h"

/* ------------------------------------------------------------- request */

static int write_first_line(ws_buffer *into, ws_slice target) {
  const ws_slice parts[] = {{"GET ", 4}, target, {" HTTP/1.1\r\n", 11}};
  int status = WS_OK;
  for (size_t i = 0; i < 3 && status == WS_OK; i++)
    status = ws_buffer_append(into, parts[i].data, parts[i].len);
  return status;
}

/* S28: one header, the order kept. The names have been checked. */
static int write_protocols(ws_buffer *into, const ws_slice *protocols,
                           size_t count) {
  static const char name[] = "Sec-WebSocket-Protocol: ";
  int status = WS_OK;
  if (count == 0) return WS_OK;
  for (size_t i = 0; i < count && status == WS_OK; i++) {
    status = i == 0 ? ws_buffer_append(into, name, sizeof(name) - 1)
                    : ws_buffer_append(into, ", ", 2);
    if (status == WS_OK)
      status = ws_buffer_append(into, protocols[i].data, protocols[i].len);
  }
  return status == WS_OK ? ws_buffer_append(into, "\r\n", 2) : status;
}

/* S42, S46, S47: each header once, no Origin unless asked for. */
static int write_request(ws_buffer *into, const ws_handshake_request *request,
                         ws_slice key) {
  const ws_header *users = request->headers;
  size_t count = request->header_count;
  ws_header lines[] = {
      {{"Host", 4}, request->host},
      {{"Upgrade", 7}, {"websocket", 9}},
      {{"Connection", 10}, {"Upgrade", 7}},
      {{"Sec-WebSocket-Key", 17}, key},
      {{"Sec-WebSocket-Version", 21}, {"13", 2}},
      {{"Sec-WebSocket-Extensions", 24}, request->extensions},
      {{"Origin", 6}, request->origin},
      {{"Authorization", 13}, request->authorization},
  };
  size_t line_count = sizeof(lines) / sizeof(*lines);
  if (ws_handshake_has_line(users, count, "Origin")) lines[6].value.len = 0;
  if (ws_handshake_has_line(users, count, "Authorization"))
    lines[7].value.len = 0;
  int status = write_first_line(into, request->target);
  if (status == WS_OK)
    status = ws_handshake_write_lines(into, lines, line_count, false);
  if (status == WS_OK)
    status = write_protocols(into, request->protocols, request->protocol_count);
  if (status == WS_OK)
    status = ws_handshake_write_lines(into, users, count, true);
  return status == WS_OK ? ws_buffer_append(into, "\r\n", 2) : status;
}

/* ------------------------------------------------------------ response */

/* Section 4.1, response items 2 to 4. NULL when all is well. */
static const char *judge_upgrade(const ws_http_head *head,
                                 const char accept[WS_ACCEPT_LENGTH]) {
  /* S52: HTTP/1.0 knows no upgrade. */
  if (head->minor == 0)
    return "the server answered in an HTTP older than 1.1";
  if (head->status != 101) return "the server did not switch protocols";
  /* S53: one header, and in it nothing else. */
  const ws_http_header *upgrade = ws_http_find(head, "Upgrade");
  if (upgrade == NULL || ws_http_count(head, "Upgrade") > 1 ||
      !ws_slice_equal_nocase(upgrade->value, ws_slice_of("websocket")))
    return "the server's Upgrade is not websocket";
  if (!ws_http_has_token(head, "Connection", "Upgrade"))
    return "the server's Connection lacks Upgrade";
  /* S55 */
  const ws_http_header *given = ws_http_find(head, "Sec-WebSocket-Accept");
  if (given == NULL) return "the server sent no Sec-WebSocket-Accept";
  if (ws_http_count(head, "Sec-WebSocket-Accept") > 1)
    return "the server sent Sec-WebSocket-Accept twice";
  if (!ws_slice_equal(given->value, (ws_slice){accept, WS_ACCEPT_LENGTH}))
    return "the server's Sec-WebSocket-Accept does not match the key";
  return NULL;
}

/* S56 to S59. */
static const char *judge_protocol(const ws_http_head *head,
                                  const ws_slice *protocols, size_t count,
                                  ws_slice *chosen) {
  size_t given = ws_http_count(head, "Sec-WebSocket-Protocol");
  *chosen = (ws_slice){NULL, 0};
  if (given == 0)
    return count > 0 ? "the server chose none of the subprotocols" : NULL;
  if (count == 0) return "the server chose a subprotocol, but none was offered";
  if (given > 1) return "the server sent Sec-WebSocket-Protocol twice";
  *chosen = ws_http_find(head, "Sec-WebSocket-Protocol")->value;
  for (size_t i = 0; i < count; i++)
    if (ws_slice_equal(*chosen, protocols[i])) return NULL;
  return "the server chose a subprotocol that was not offered";
}

/* S60, S61, and the part of S62 that needs no knowledge of the extension: only
 * one is ever offered, so its name may not be repeated. */
static const char *judge_extensions(const ws_http_head *head, bool offered,
                                    ws_slice *value) {
  static const char name[] = "Sec-WebSocket-Extensions";
  size_t given = ws_http_count(head, name);
  *value = (ws_slice){NULL, 0};
  if (given == 0) return NULL;
  if (given > 1) return "the server sent Sec-WebSocket-Extensions twice";
  *value = ws_http_find(head, name)->value;
  ws_extension_reader reader;
  ws_slice first, other;
  ws_extension_start(&reader, *value, false);
  int more = ws_extension_next(&reader, &first);
  while (more > 0) {
    more = ws_extension_next(&reader, &other);
    if (more > 0 && ws_slice_equal(first, other))
      return "the server chose an extension twice";
  }
  if (more < 0) return "the server's Sec-WebSocket-Extensions is malformed";
  return offered ? NULL : "the server chose an extension, but none was offered";
}

int ws_handshake_authorization(const ws_url *url, ws_resize *resize,
                               ws_buffer *into) {
  if (url->username.len + url->password.len == 0) return WS_OK;
  ws_buffer plain;
  ws_buffer_init(&plain, resize, 0);
  int status = ws_url_decode(url->username, &plain);
  if (status == WS_OK) status = ws_buffer_append(&plain, ":", 1);
  if (status == WS_OK) status = ws_url_decode(url->password, &plain);
  size_t len = WS_BASE64_LENGTH(plain.len);
  if (status == WS_OK) status = ws_buffer_reserve(into, 6 + len);
  if (status == WS_OK) {
    ws_buffer_append(into, "Basic ", 6);
    ws_base64_encode(plain.data, plain.len, (char *)into->data + into->len);
    into->len += len;
  }
  ws_buffer_deinit(&plain);
  return status;
}

int ws_handshake_write_request(ws_buffer *into,
                               const ws_handshake_request *request,
                               const uint8_t random[16],
                               char accept[WS_ACCEPT_LENGTH]) {
  char text[WS_KEY_LENGTH];
  ws_slice key = {text, sizeof(text)};
  const char *why;
  if (!ws_http_is_visible(request->target) || request->target.data[0] != '/' ||
      !ws_http_is_visible(request->host) ||
      ws_handshake_check_protocols(request->protocols,
                                   request->protocol_count, &why) != WS_OK)
    return WS_EINVAL;
  ws_base64_encode(random, 16, text);
  ws_handshake_accept(key, accept);
  size_t before = into->len;
  int status = write_request(into, request, key);
  if (status != WS_OK) into->len = before;
  return status;
}

int ws_handshake_judge_response(const ws_http_head *head,
                                const char accept[WS_ACCEPT_LENGTH],
                                const ws_slice *protocols,
                                size_t protocol_count, bool offered_extensions,
                                ws_handshake_answer *answer,
                                const char **why) {
  *why = judge_upgrade(head, accept);
  if (*why == NULL)
    *why = judge_protocol(head, protocols, protocol_count, &answer->protocol);
  if (*why == NULL)
    *why = judge_extensions(head, offered_extensions, &answer->extensions);
  return *why == NULL ? WS_OK : WS_EHANDSHAKE;
}
