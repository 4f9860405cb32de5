/* SPDX-License-Identifier: MIT */
/* Base64 with padding, RFC 4648 section 4. */
#include "bytes/base64.h"

#include "bytes/status.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ws_base64_encode(const void *data, size_t len, char *into) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < len; i += 3) {
    size_t left = len - i;
    uint32_t group = (uint32_t)bytes[i] << 16;
    if (left > 1) group |= (uint32_t)bytes[i + 1] << 8;
    if (left > 2) group |= bytes[i + 2];
    *into++ = alphabet[group >> 18];
    *into++ = alphabet[group >> 12 & 63];
    *into++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
    *into++ = left > 2 ? alphabet[group & 63] : '=';
  }
}

static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

ptrdiff_t ws_base64_decode(const char *text, size_t len, void *into) {
  uint8_t *out = into;
  if (len % 4 != 0) return WS_EINVAL;
  size_t padding = 0;
  while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
    padding++;
  size_t written = 0;
  for (size_t i = 0; i < len; i += 4) {
    uint32_t group = 0;
    for (size_t j = 0; j < 4; j++) {
      int value = i + j >= len - padding ? 0 : value_of(text[i + j]);
      if (value < 0) return WS_EINVAL;
      group = group << 6 | (uint32_t)value;
    }
    size_t count = i + 4 == len ? 3 - padding : 3;
    for (size_t j = 0; j < count; j++)
      out[written++] = (uint8_t)(group >> (16 - 8 * j));
  }
  return (ptrdiff_t)written;
}
