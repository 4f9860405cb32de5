/* SPDX-License-Identifier: MIT */
/* What both sides of the opening handshake share: the accept value, the rules
 * for subprotocol lists, which headers are the user's. Writing and judging are
 * in handshake_client.c and handshake_server.c. */
#include "protocol/handshake.h"

#include "bytes/base64.h"
#include "bytes/sha1.h"
#include "bytes/status.h"

#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */

/* Section 4.2.2 step 5.4. A key longer than WS_KEY_LENGTH is cut: such a key is
 * never accepted or sent anyway. */
void ws_handshake_accept(ws_slice key, char accept[WS_ACCEPT_LENGTH]) {
  char text[WS_KEY_LENGTH + sizeof(GUID)];
  uint8_t digest[WS_SHA1_SIZE];
  size_t len = key.len < WS_KEY_LENGTH ? key.len : WS_KEY_LENGTH;
  if (len > 0) memcpy(text, key.data, len);
  memcpy(text + len, GUID, sizeof(GUID));
  ws_sha1(text, len + sizeof(GUID) - 1, digest);
  ws_base64_encode(digest, sizeof(digest), accept);
}

int ws_handshake_check_protocols(const ws_slice *protocols, size_t count,
                                 const char **why) {
  for (size_t i = 0; i < count; i++) {
    if (!ws_slice_is_token(protocols[i])) {
      *why = "a subprotocol is not a token";
      return WS_EINVAL;
    }
    for (size_t j = 0; j < i; j++) {
      if (!ws_slice_equal(protocols[i], protocols[j])) continue;
      *why = "a subprotocol is given twice";
      return WS_EINVAL;
    }
  }
  return WS_OK;
}

bool ws_handshake_owns(ws_slice name) {
  static const char *const owned[] = {"Host", "Upgrade", "Connection",
                                      "Content-Length", "Transfer-Encoding"};
  ws_slice prefix = ws_slice_of("Sec-WebSocket-");
  for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
    if (ws_slice_equal_nocase(name, ws_slice_of(owned[i]))) return true;
  return name.len >= prefix.len &&
         ws_slice_equal_nocase((ws_slice){name.data, prefix.len}, prefix);
}

int ws_handshake_write_lines(ws_buffer *into, const ws_header *lines,
                             size_t count, bool users) {
  for (size_t i = 0; i < count; i++) {
    if (users && ws_handshake_owns(lines[i].name)) return WS_EINVAL;
    if (!users && lines[i].value.len == 0) continue;
    int status = ws_http_write_header(into, lines[i].name, lines[i].value);
    if (status != WS_OK) return status;
  }
  return WS_OK;
}

bool ws_handshake_has_line(const ws_header *lines, size_t count,
                           const char *name) {
  for (size_t i = 0; i < count; i++)
    if (ws_slice_equal_nocase(lines[i].name, ws_slice_of(name))) return true;
  return false;
}
