/* SPDX-License-Identifier: MIT */
/* Validates UTF-8 by the table of RFC 3629 section 4: byte by byte where it is
 * cut or bad, otherwise by whole characters and runs of ASCII. */
#include "bytes/utf8_parts.h"

#include <stdbool.h>
#include <string.h>

/* A state: how many continuation bytes are due, and the range of the next. */
#define STATE(due, low, high) \
  ((uint32_t)(due) << 16 | (uint32_t)(low) << 8 | (uint32_t)(high))

static uint32_t lead(uint8_t byte) {
  if (byte < 0x80) return 0;
  if (byte < 0xc2) return WS_UTF8_BROKEN;
  if (byte < 0xe0) return STATE(1, 0x80, 0xbf);
  if (byte == 0xe0) return STATE(2, 0xa0, 0xbf);
  if (byte == 0xed) return STATE(2, 0x80, 0x9f);
  if (byte < 0xf0) return STATE(2, 0x80, 0xbf);
  if (byte == 0xf0) return STATE(3, 0x90, 0xbf);
  if (byte < 0xf4) return STATE(3, 0x80, 0xbf);
  return byte == 0xf4 ? STATE(3, 0x80, 0x8f) : WS_UTF8_BROKEN;
}

static uint32_t next(uint32_t state, uint8_t byte) {
  if (state == 0) return lead(byte);
  if (byte < (state >> 8 & 0xff) || byte > (state & 0xff))
    return WS_UTF8_BROKEN;
  uint32_t due = (state >> 16) - 1;
  return due ? STATE(due, 0x80, 0xbf) : 0;
}

static bool is_next(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/* The length of the character at the front, where four bytes can be read; 0 if
 * it is not well-formed. */
static size_t whole(const uint8_t *data) {
  uint8_t first = data[0];
  if (first < 0x80) return 1;
  if (!is_next(data[1]) || first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  uint32_t value = (uint32_t)(first & 15) << 6 | (data[1] & 0x3f);
  if (!is_next(data[2])) return 0;
  value = value << 6 | (data[2] & 0x3f);
  if (first < 0xf0) return value >= 0x800 && value >> 11 != 0x1b ? 3 : 0;
  if (!is_next(data[3])) return 0;
  value = value << 6 | (data[3] & 0x3f);
  return value >= 0x10000 && value <= 0x10ffff ? 4 : 0;
}

static size_t ascii(const uint8_t *data, size_t len) {
  size_t at = 0;
  for (uint64_t words[2]; at + 16 <= len; at += 16) {
    memcpy(words, data + at, 16);
    if ((words[0] | words[1]) & 0x8080808080808080u) break;
  }
  return at;
}

/* How many bytes at the front are well-formed characters. Looks for a run of
 * ASCII every 16 bytes or so. */
static size_t characters(const uint8_t *data, size_t len) {
  size_t at = 0;
  while (at + 4 <= len) {
    at += ascii(data + at, len - at);
    size_t until = at + 16;
    for (size_t size; at + 4 <= len && at < until; at += size) {
      size = whole(data + at);
      if (size == 0) return at;
    }
  }
  return at;
}

uint32_t ws_utf8_scalar(uint32_t state, const uint8_t *data, size_t len) {
  size_t at = state == 0 ? characters(data, len) : 0;
  for (; at < len && state != WS_UTF8_BROKEN; at++) {
    state = next(state, data[at]);
    if (state == 0) at += characters(data + at + 1, len - at - 1);
  }
  return state;
}

size_t ws_utf8_back_up(const uint8_t *data, size_t at) {
  for (size_t back = 1; back <= 3 && back <= at; back++) {
    uint8_t byte = data[at - back];
    if (byte < 0x80) return at;
    if (byte < 0xc0) continue;
    size_t size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return back < size ? at - back : at;
  }
  return at;
}
