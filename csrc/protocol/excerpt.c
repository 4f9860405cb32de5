/* SPDX-License-Identifier: MIT */
/* Escaping for messages and logs, and for nothing that is parsed again. */
#include "protocol/excerpt.h"

#include <stdint.h>
#include <string.h>

/* Writes one byte as it is shown; returns how many characters that takes. */
static size_t escape(uint8_t byte, char shown[4]) {
  static const char digits[] = "0123456789abcdef";
  static const char plain[] = "\\\r\n\t";
  static const char letters[] = "\\rnt";
  if (byte >= ' ' && byte < 127 && byte != '\\') {
    shown[0] = (char)byte;
    return 1;
  }
  shown[0] = '\\';
  const char *known = byte == 0 ? NULL : strchr(plain, byte);
  if (known) {
    shown[1] = letters[known - plain];
    return 2;
  }
  shown[1] = 'x';
  shown[2] = digits[byte >> 4];
  shown[3] = digits[byte & 15];
  return 4;
}

void ws_excerpt_append(ws_buffer *text, const void *bytes, size_t len) {
  const uint8_t *from = bytes;
  size_t room = WS_EXCERPT_MAX - 3;
  for (size_t i = 0; i < len; i++) {
    char shown[4];
    size_t count = escape(from[i], shown);
    if (count > room) {
      (void)ws_buffer_append(text, "...", 3);
      return;
    }
    (void)ws_buffer_append(text, shown, count);
    room -= count;
  }
}
