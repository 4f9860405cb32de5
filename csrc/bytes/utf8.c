/* SPDX-License-Identifier: MIT */
/* Well-formed UTF-8 by Unicode's table 3-7, with a fast way past ASCII. */
#include "bytes/utf8.h"

#include <string.h>

/* state: how many continuation bytes are due, and the range of the next. */
static uint32_t pack(uint32_t due, uint32_t low, uint32_t high) {
  return due << 16 | low << 8 | high;
}

#define BROKEN UINT32_MAX

static uint32_t lead(uint8_t byte) {
  if (byte < 0x80) return 0;
  if (byte < 0xc2) return BROKEN;
  if (byte < 0xe0) return pack(1, 0x80, 0xbf);
  if (byte == 0xe0) return pack(2, 0xa0, 0xbf);
  if (byte == 0xed) return pack(2, 0x80, 0x9f);
  if (byte < 0xf0) return pack(2, 0x80, 0xbf);
  if (byte == 0xf0) return pack(3, 0x90, 0xbf);
  if (byte < 0xf4) return pack(3, 0x80, 0xbf);
  return byte == 0xf4 ? pack(3, 0x80, 0x8f) : BROKEN;
}

static uint32_t next(uint32_t state, uint8_t byte) {
  if (state == 0) return lead(byte);
  if (byte < (state >> 8 & 0xff) || byte > (state & 0xff)) return BROKEN;
  uint32_t due = (state >> 16) - 1;
  return due ? pack(due, 0x80, 0xbf) : 0;
}

static size_t ascii(const uint8_t *data, size_t len) {
  size_t at = 0;
  for (; at + 16 <= len; at += 16) {
    uint64_t a, b;
    memcpy(&a, data + at, 8);
    memcpy(&b, data + at + 8, 8);
    if ((a | b) & 0x8080808080808080u) break;
  }
  return at;
}

bool ws_utf8_feed(ws_utf8 *utf8, const uint8_t *data, size_t len) {
  uint32_t state = utf8->state;
  for (size_t at = 0; at < len && state != BROKEN;) {
    if (state == 0) at += ascii(data + at, len - at);
    size_t end = len - at < 16 ? len : at + 16;
    for (; at < end && state != BROKEN; at++) state = next(state, data[at]);
  }
  utf8->state = state;
  return state != BROKEN;
}

bool ws_utf8_complete(const ws_utf8 *utf8) { return utf8->state == 0; }

bool ws_utf8_valid(const uint8_t *data, size_t len) {
  ws_utf8 utf8 = {0};
  return ws_utf8_feed(&utf8, data, len) && utf8.state == 0;
}
